"""
Calls to numbers of the house that are dialled, or led, as if they were beyond it.
"""

from __future__ import annotations

from pbx.directory.handling import Handling
from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.permissions import NOTHING_USED
from tests.calls.carrier import MAIN, MOBILE
from tests.calls.phone import Phone
from tests.calls.test_trunk_inbound import IncomingCase

ROUND, OTHER = "+4930123470", "+4930123471"
"""Two numbers whose routes lead from each to the other."""

AWAY = "+4930123472"
"""One whose route leads to a mobile phone."""


class OwnNumberTests(IncomingCase):
    """
    The main number leads to 1001; the others to each other, and beyond the house.
    """

    inbound = (
        InboundRoute("main", Target("extension", "1001"), did=MAIN, trunk="B", prefix="Main:"),
        InboundRoute("round", Target("external", OTHER), did=ROUND, classes=("local",)),
        InboundRoute("other", Target("external", ROUND), did=OTHER, classes=("local",)),
        InboundRoute("away", Target("external", MOBILE), did=AWAY, classes=("mobile",)),
    )

    def setUp(self) -> None:
        """
        1002 has a phone, too.
        """
        super().setUp()
        self.bert: Phone = self.phone("1002")

    def test_from_within(self) -> None:
        """
        A phone that dials the main number rings 1001, under its own number and name; no trunk and no limit is touched,
        and the record says why.
        """
        invite = self.bert.call("030123456")
        self.assertEqual((self.a.invites, self.b.invites), ([], []))
        self.assertEqual(self.channels(), {"A": 0, "B": 0})
        caller = self.exchange.directory.extension("1002")
        assert caller is not None
        self.assertEqual((self.rung.from_.uri.user, self.rung.from_.display), ("1002", caller.name))
        self.assertEqual(self.exchange.usage.get("1002", NOTHING_USED), NOTHING_USED)
        self.anna.reply(self.rung, 486)
        self.bert.acknowledge_refusal(invite, self.bert.last("INVITE"))
        self.assertEqual((self.record["direction"], self.record["trunk"]), ("internal", None))
        self.assertIn(f"{MAIN} is a number of this house: the call stays in it", self.record["route"])

    def test_its_route_pays(self) -> None:
        """
        Where the number leads beyond the house, the route answers for the call, as for one from outside.
        """
        invite = self.bert.call("030123472")
        (onward,) = self.a.invites
        self.a.reply(onward, 200, body=self.a.sdp())
        answer = self.bert.last("INVITE")
        self.bert.acknowledge(invite, answer)
        self.bert.send(self.bert.within("BYE", invite, answer, cseq=9))
        self.network.advance(0.1)
        self.assertEqual(self.record["legs"][1]["payer"], "away")

    def test_rings_with_another(self) -> None:
        """
        It rings together with an extension that has it so, and costs nothing.
        """
        self.allow("1002", handling=Handling(simultaneous=(MAIN,), voicemail=False))
        carl = self.phone("1003")
        called = carl.call("1002")
        self.assertEqual((len(self.bert.requests("INVITE")), len(self.anna.requests("INVITE"))), (1, 1))
        self.assertEqual(self.channels(), {"A": 0, "B": 0})
        for phone in (self.bert, self.anna):
            phone.reply(phone.requests("INVITE")[0], 486)
        carl.acknowledge_refusal(called, carl.last("INVITE"))

    def test_called_back(self) -> None:
        """
        Who has left a message under such a number can be called back there, and not where routes go round.
        """
        router = self.exchange.switchboard.router
        self.assertIsNotNone(router.lead(MAIN, "1002"))
        self.assertIsNone(router.lead(ROUND, "1002"))

    def test_led_round(self) -> None:
        """
        Routes that lead to each other end in a loop answer at once, and no channel is left.
        """
        invite = self.a.offer_call(ROUND)
        self.refused(invite, 482, 25, "Exchange routing error: sent round in a circle")
        self.assertEqual((self.a.invites, self.b.invites), ([], []))
        self.assertEqual(self.channels(), {"A": 0, "B": 0})
        self.assertIn(f"it came by {ROUND} already", self.record["route"])
