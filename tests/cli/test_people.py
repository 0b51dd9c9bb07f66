"""
Tests for :mod:`pbx.cli.people`, and for transfers.
"""

from __future__ import annotations

import json

from pbx.cli.api import CliError
from pbx.cli.people import setting
from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.handling import FollowMe, Handling
from pbx.directory.places import Places
from pbx.web.destinations import Numbers
from pbx.web.handling import HandlingOfExtensions
from pbx.web.presence import LivePresence, Presence
from pbx.web.transfers import Transfers
from tests.calls.case import Conversation
from tests.cli.case import CommandCase, Typing
from tests.features.lamps import Lamp, LampCase
from tests.web.client import FakeAudit
from tests.web.fakes import MemoryExtensions
from tests.web.test_transfers import MemoryTransfers


class TransferTests(CommandCase):
    """
    ``pbxctl transfer``.
    """

    def test_transfer(self) -> None:
        """
        The other party is sent to a number, a mailbox or another call.
        """
        transfers = MemoryTransfers()
        self.serve(Transfers(transfers, FakeAudit()))
        said = self.type("transfer a1 --by 1005 --to 1007")
        self.assertEqual(said, "Whoever 1005 talked to in call a1 was sent to 1007.")
        self.assertIn("voicemail 1007", self.type("transfer a1 --by 1005 --voicemail 1007"))
        self.assertIn("call b2", self.type("transfer a1 --by 1005 --call b2"))
        self.assertEqual(
            transfers.asked,
            [("blind", "a1", "1005", "1007"), ("voicemail", "a1", "1005", "1007"), ("attended", "a1", "b2", "1005")],
        )
        self.assertIn("talks to nobody", self.refused("transfer x --by 1005 --to 1007"))


class HandlingTests(CommandCase):
    """
    ``pbxctl handling``.
    """

    def setUp(self) -> None:
        people = [Extension("1001", "Ann"), Extension("1002", "Bob")]
        self.extensions = MemoryExtensions()
        self.extensions.kept = {person.number: person for person in people}
        numbers = Numbers(Directory(people), Places())
        self.serve(HandlingOfExtensions(self.extensions, numbers, FakeAudit()))

    def test_show_and_set(self) -> None:
        """
        What is named is set, the rest stays, and all of it is shown.
        """
        self.assertIn("forward always: -", self.type("handling show 1001"))
        text = self.type(
            "handling set 1001 dnd=on forward-busy=1002 no-answer-timeout=20 simultaneous=1002 follow-me=1002:10:20 "
            "blocked=0900*,anonymous pickup-group=sales voicemail=off"
        )
        for line in ("dnd: yes", "forward busy: 1002", "follow me: 1002 after 10 s for 20 s", "blocked: 0900*, anon"):
            self.assertIn(line, text)
        self.assertEqual(
            self.extensions.kept["1001"].handling,
            Handling(
                dnd=True, forward_busy="1002", no_answer_timeout=20, voicemail=False, simultaneous=("1002",),
                follow_me=(FollowMe("1002", 10, 20),), blocked=("0900*", "anonymous"), pickup_group="sales",
            ),
        )
        answer = json.loads(self.type("handling set 1001 dnd=off forward-busy=none blocked=none --json"))
        self.assertEqual((answer["dnd"], answer["forward_busy"], answer["blocked"]), (False, None, []))
        self.assertEqual(answer["pickup_group"], "sales")

    def test_refused(self) -> None:
        """
        What cannot be is said, by the command or by the exchange.
        """
        self.assertIn("forward_busy: 1009 is no number", self.refused("handling set 1001 forward-busy=1009"))
        self.assertIn("There is no extension 1003", self.refused("handling show 1003"))
        for typed, said in (
            ("dnd", "SETTING=VALUE"), ("colour=red", "forward_always"), ("dnd=1002", "is on or off"),
            ("no-answer-timeout=long", "whole number"), ("follow-me=1002:1:2:3", "NUMBER:AFTER"),
        ):
            self.assertIn(said, str(self.assertRaises(CliError, setting, typed)), typed)


class PresenceTests(Typing, LampCase):
    """
    ``pbxctl presence`` and ``pbxctl subscriptions``.
    """

    def test_presence(self) -> None:
        """
        What extensions do is listed, and with whom one talks; phones that want to be told are listed.
        """
        self.serve(Presence(LivePresence(
            self.presence, self.notifier, self.network.clock.seconds, self.exchange.wall
        )))
        self.assertEqual(self.type("subscriptions"), "No phone has subscribed to anything.")
        anna, bert = self.pair()
        Lamp(anna, "1002")
        talk = Conversation(anna, bert)
        self.assertIn(["1001", "Phone", "1001", "busy", "yes", "no", "1"], [row[:7] for row in self.rows("presence")])
        self.assertIn("1002", self.type("presence 1001").splitlines()[-1])
        self.assertEqual(self.rows("subscriptions")[0][:3], ["1001", "dialog", "1002"])
        talk.hang_up(anna)
