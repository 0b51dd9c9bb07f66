"""
Tests for :mod:`pbx.cli.places`.
"""

from __future__ import annotations

import json

from pbx.directory.decision import Destination
from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.places import Choice, Member, Menu, Places, RingGroup
from pbx.web.conferences import Conferences
from pbx.web.destinations import Numbers
from pbx.web.menus import Menus
from pbx.web.ring_groups import RingGroups
from tests.cli.case import CommandCase, Typing
from tests.features.conference.case import ConferenceCase
from tests.web.client import FakeAudit
from tests.web.memory_places import MemoryPlaces


class ConferencesTests(Typing, ConferenceCase):
    """
    ``pbxctl conferences``.
    """

    def setUp(self) -> None:
        super().setUp()
        self.serve(Conferences(MemoryPlaces(self.places), self.rooms, FakeAudit()))

    def test_none(self) -> None:
        """
        Where there are none it says so, and where nobody is as well.
        """
        self.assertEqual(self.type("conferences list"), "There are no conferences.")
        self.room()
        self.assertIn("Nobody is there.", self.type("conferences show 8000"))
        self.assertIn("Nobody is in conference 8000", self.refused("conferences lock 8000"))

    def test_people(self) -> None:
        """
        Who is there is shown, muted, let speak again and sent away.
        """
        self.room(moderator_pin="9988")
        self.dial(keys="#", number="1001")
        self.dial(keys="9988#", number="1002")
        self.hall.wait(1)
        self.assertEqual(self.rows("conferences list")[0][:5], ["8000", "Board", "no", "yes", "2"])
        rows = self.type("conferences show 8000").splitlines()
        self.assertIn("1001", rows[-2])
        member = rows[-2].split()[0]
        self.assertEqual(self.type(f"conferences mute 8000 {member}"), f"{member} is muted.")
        answer = json.loads(self.type("conferences show 8000 --json"))
        self.assertEqual([each["muted"] for each in answer["live"]["members"]], [True, False])
        self.assertEqual(self.type(f"conferences unmute 8000 {member}"), f"{member} is heard again.")
        self.assertEqual(self.type("conferences mute 8000"), "All in conference 8000 but moderators are muted.")
        self.assertEqual(self.type(f"conferences kick 8000 {member}"), f"{member} was sent away.")

    def test_whole(self) -> None:
        """
        A conference is locked, opened and ended.
        """
        self.room()
        self.dial(number="1001")
        self.hall.wait(1)
        self.assertEqual(self.type("conferences lock 8000"), "Conference 8000 is locked.")
        self.assertIn("locked: yes", self.type("conferences show 8000"))
        self.assertEqual(self.type("conferences unlock 8000"), "Conference 8000 is open again.")
        self.assertEqual(self.type("conferences end 8000"), "Conference 8000 was ended.")


class ListsTests(CommandCase):
    """
    ``pbxctl ring-groups`` and ``pbxctl menus``.
    """

    def test_lists(self) -> None:
        """
        Members and keys are shown with where they lead.
        """
        places, audit = Places(), FakeAudit()
        numbers = Numbers(Directory([Extension("1001", "Ann"), Extension("1002", "Bob")]), places)
        kept = MemoryPlaces(places)
        self.serve(RingGroups(kept, numbers, audit), Menus(kept, numbers, audit))
        self.assertEqual(self.type("ring-groups list"), "There are no ring groups.")
        self.assertEqual(self.type("menus list"), "There are no menus.")
        places.put(RingGroup(
            "600", "Sales", members=(Member("1001"), Member("1002", 10)), otherwise=Destination("voicemail", "1001")
        ))
        places.put(Menu(
            "500", "Main", greeting=("hello",),
            choices=(Choice("1", Destination("ring_group", "600")), Choice("2", None, "de"), Choice("*")),
        ))
        text = self.type("ring-groups list").splitlines()[1]
        self.assertEqual(text, "600     Sales  all       1001, 1002 after 10 s  30       voicemail 1001")
        self.assertIn("1: ring group 600, 2: de, *: again", self.type("menus list"))
