"""
Tests of :mod:`pbx.directory.places`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.decision import Destination
from pbx.directory.places import Choice, Member, Menu, Place, Places, RingGroup, Room

SALES = RingGroup("600", "Sales", members=(Member("1001"),), otherwise=Destination("voicemail", "1001"))
MAIN = Menu("500", "Main", choices=(Choice("1", Destination("ring_group", "600")), Choice("2", language="de")))
TEAM = Room("700", "Team")


class PlacesTests(SynchronousTestCase):
    """
    The places in memory.
    """

    def setUp(self) -> None:
        """
        A ring group, and a record of what is told.
        """
        self.places = Places([SALES])
        self.changes: list[tuple[Place | None, Place | None]] = []
        self.places.on_change(lambda before, after: self.changes.append((before, after)))

    def test_finds_by_number_and_kind(self) -> None:
        """
        A place is found by its number; those of a kind come in the order of their numbers.
        """
        self.places.put(MAIN)
        self.places.put(RingGroup("100", "First"))
        self.assertIs(self.places.place("500"), MAIN)
        self.assertIsNone(self.places.place("501"))
        self.assertEqual([place.number for place in self.places.by_kind("ring_group")], ["100", "600"])
        self.assertEqual([place.number for place in self.places.all()], ["100", "500", "600"])
        self.assertIn("500", self.places)
        self.assertEqual(len(self.places), 3)

    def test_tells_what_changed(self) -> None:
        """
        Adding, replacing and removing are told with before and after; nothing is told when nothing changed.
        """
        other = RingGroup("600", "Sale")
        self.places.put(SALES)
        self.places.put(other)
        self.places.replace([other, TEAM])
        self.places.replace([MAIN])
        self.places.remove("500")
        self.places.remove("500")
        self.assertEqual(
            self.changes,
            [(SALES, other), (None, TEAM), (other, None), (TEAM, None), (None, MAIN), (MAIN, None)],
        )

    def test_one_observer_keeps_no_other_from_hearing(self) -> None:
        """
        An observer that fails is logged, and the next one is told.
        """
        heard: list[Place | None] = []
        places = Places()
        places.on_change(lambda before, after: 1 / 0)
        places.on_change(lambda before, after: heard.append(after))
        places.put(TEAM)
        self.assertEqual(heard, [TEAM])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_says_where_it_leads(self) -> None:
        """
        Every destination that a place names can be listed.
        """
        self.assertEqual(SALES.leads_to(), (Destination("extension", "1001"), Destination("voicemail", "1001")))
        self.assertEqual(MAIN.leads_to(), (Destination("ring_group", "600"),))
        self.assertEqual(TEAM.leads_to(), ())
