"""
Numbers beyond the house that are those of extensions, too: nobody there is ever taken for one of these.
"""

from __future__ import annotations

from attrs import evolve

from pbx.directory.handling import Handling
from pbx.directory.plan import Site
from pbx.features.presence import Presence
from tests.calls.phone import Phone
from tests.calls.test_trunk_inbound import IncomingCase


class SpoofedTests(IncomingCase):
    """
    Somebody beyond the house says that it is 1002.
    """

    def setUp(self) -> None:
        """
        1002 has a phone, and is watched.
        """
        super().setUp()
        self.presence = Presence(self.exchange.directory, self.exchange.location, self.exchange.wall)
        self.exchange.switchboard.on_event(self.presence.event)
        self.bert: Phone = self.phone("1002")
        self.call = self.a.offer_call(caller="1002", name="")

    def end(self) -> None:
        """
        The phone is busy.
        """
        self.busy(self.call)

    def test_shown(self) -> None:
        """
        The phone of 1001 shows neither the extension's name nor its number.
        """
        self.assertEqual(self.rung.from_.display, "")
        self.assertEqual(self.rung.from_.uri.user, "1002%40A")
        self.assertNotIn(b"Phone 1002", self.rung.to_bytes())
        self.end()
        self.assertEqual((self.record["caller"], self.record["caller_name"]), ("1002@A", ""))
        self.assertEqual(self.record["legs"][0]["party"], "1002@A")

    def test_lamp(self) -> None:
        """
        The lamp of 1002 stays dark, and that of 1001 does not say that 1002 calls.
        """
        found = self.presence.of("1002")
        assert found is not None
        self.assertEqual((found.state, found.calls), ("available", 0))
        self.anna.reply(self.rung, 180)
        (line,) = self.presence.lines("1001")
        self.assertEqual(line.peer.number, "1002@A")
        self.end()

    def test_transfer_over_the_api(self) -> None:
        """
        1002 is in no call that could be transferred.
        """
        answered = self.anna.reply(self.rung, 200, body=self.anna.sdp())
        self.a.acknowledge(self.call, self.a.last("INVITE"))
        (call,) = self.exchange.switchboard.list()
        self.assertEqual(call["legs"][0]["trunk"], "A")
        self.assertIs(self.exchange.switchboard.transfer(call["id"], "1002", "1003"), False)
        self.anna.send(self.anna.within_received("BYE", self.rung, answered))
        self.network.advance(0.1)

    def test_forward_to_the_one_it_claims_to_be(self) -> None:
        """
        A forward to 1002 is not taken for one back to the caller.
        """
        self.end()
        extension = self.exchange.directory.extension("1001")
        assert extension is not None
        self.exchange.directory.put(evolve(extension, handling=Handling(forward_always="1002")))
        again = self.a.offer_call(caller="1002")
        self.assertEqual(len(self.bert.requests("INVITE")), 1)
        self.bert.reply(self.bert.requests("INVITE")[0], 486)
        self.a.acknowledge_refusal(again, self.a.last("INVITE"))


class AlikeTests(IncomingCase):
    """
    Beyond the house there is a number that is that of an extension, too: 1002.
    """

    plan = {}

    def setUp(self) -> None:
        """
        1001 calls it, with 9 in front; the extension has a phone, and 1003 one as well.
        """
        super().setUp()
        self.exchange.book.configure(evolve(
            self.exchange.book.plan, site=Site(country="DE", area_code="30", outside_prefix="9")
        ))
        self.presence = Presence(self.exchange.directory, self.exchange.location, self.exchange.wall)
        self.exchange.switchboard.on_event(self.presence.event)
        self.bert: Phone = self.phone("1002")
        self.cleo: Phone = self.phone("1003")
        self.call = self.anna.call("91002")
        self.out = self.a.invites[-1]
        self.a.reply(self.out, 180)

    def tearDown(self) -> None:
        """
        It is busy.
        """
        if self.anna.responses("INVITE")[-1] == 180:
            self.a.reply(self.out, 486)
            self.anna.acknowledge_refusal(self.call, self.anna.last("INVITE"))
        super().tearDown()

    def test_lamp(self) -> None:
        """
        The lamp of the extension stays dark, and the record does not say that it was called.
        """
        found = self.presence.of("1002")
        assert found is not None
        self.assertEqual((found.state, found.calls), ("available", 0))
        self.a.reply(self.out, 486)
        self.anna.acknowledge_refusal(self.call, self.anna.last("INVITE"))
        self.assertEqual(self.record["legs"][1]["party"], "1002@A")

    def test_pickup(self) -> None:
        """
        Nobody picks it up.
        """
        router = self.exchange.switchboard.router
        router.situation = evolve(router.situation, star_codes={"**": "pickup"})
        invite = self.cleo.call("**1002")
        self.assertEqual(self.cleo.last("INVITE").status, 404)
        self.cleo.acknowledge_refusal(invite, self.cleo.last("INVITE"))

    def test_replaced(self) -> None:
        """
        The extension can't take the place of who talks there.
        """
        self.a.reply(self.out, 200, body=self.a.sdp())
        answer = self.anna.last("INVITE")
        self.anna.acknowledge(self.call, answer)
        dialog = f"{self.out.call_id};to-tag=callee;from-tag={self.out.from_tag}"
        invite = self.bert.call("1001", headers=(("Replaces", dialog),))
        self.assertEqual(self.bert.last("INVITE").status, 403)
        self.bert.acknowledge_refusal(invite, self.bert.last("INVITE"))
        self.anna.send(self.anna.within("BYE", self.call, answer, cseq=9))
        self.network.advance(0.1)
