"""
Calls beyond the house that are refused, and what the caller hears of it.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred

from pbx.directory.inbound_route import InboundRoute, Target
from pbx.features.refusal import Refusals
from tests.calls.carrier import MOBILE
from tests.calls.test_trunk_calls import DiallingCase

NOT_ALLOWED = "1001 may not call beyond the house without allow_external (pbxctl permissions 1001 external=on)"


class RefusalTests(DiallingCase):
    """
    1001 calls beyond the house, and may not or can't.
    """

    options = {"features": {"places": {"refusal": Refusals()}}}

    def not_allowed(self) -> None:
        """
        Take its permission away.
        """
        extension = self.exchange.directory.extension("1001")
        assert extension is not None
        self.exchange.directory.put(evolve(extension, allow_external=False))

    def assert_refused(self, status: int, cause: int, text: str) -> None:
        """
        The caller, its record and its Reason agree.
        """
        answer = self.anna.last("INVITE")
        self.anna.acknowledge_refusal(self.invite, answer)
        self.assertEqual(answer.status, status)
        self.assertEqual(answer.headers.get("Reason"), f'Q.850;cause={cause};text="{text}"')
        record = self.record
        self.assertEqual((record["status"], record["q850"], record["reason"]), (status, cause, text))
        self.assertEqual((self.a.invites, self.b.invites), ([], []))

    def test_not_allowed(self) -> None:
        """
        It hears in early media that it is not allowed to, and is refused when that has been said.
        """
        self.not_allowed()
        self.dial()
        self.assertEqual(self.heard, [183])
        self.network.advance(1)
        self.assertGreater(len(self.anna.media), 40)
        self.network.advance(5)
        self.assertEqual([*dict.fromkeys(self.heard)], [183, 403])
        self.assert_refused(403, 21, NOT_ALLOWED)
        (line,) = self.logged("refused")
        self.assertEqual(line.partition(": ")[2], f"refused with 403: {NOT_ALLOWED}")

    def test_no_trunk(self) -> None:
        """
        No trunk is up: all circuits are busy.
        """
        for name in ("A", "B"):
            self.exchange.lines.line(name).set("down", "no answer to OPTIONS")
        self.dial()
        self.assertEqual(self.heard, [183])
        self.network.advance(6)
        self.assert_refused(503, 38, "no trunk is up")

    def test_all_failed(self) -> None:
        """
        So they are when none took the call.
        """
        self.dial()
        self.a.reply(self.a.invites[0], 500)
        self.b.reply(self.b.invites[0], 500)
        self.assertEqual(self.heard, [183])
        self.network.advance(6)
        self.assertEqual([*dict.fromkeys(self.heard)], [183, 503])
        self.anna.acknowledge_refusal(self.invite, self.anna.last("INVITE"))

    def test_unknown_number(self) -> None:
        """
        A number that nobody has is refused at once.
        """
        self.dial("12")
        self.assertEqual(self.heard, [404])
        self.anna.acknowledge_refusal(self.invite, self.anna.last("INVITE"))

    def test_no_offer(self) -> None:
        """
        A phone that made no offer hears nothing, and is refused at once.
        """
        self.not_allowed()
        self.dial(body=b"")
        self.assertEqual(self.heard, [403])
        self.assert_refused(403, 21, NOT_ALLOWED)

    def test_cancelled_meanwhile(self) -> None:
        """
        It need not listen to the end.
        """
        self.not_allowed()
        self.dial()
        self.anna.cancel(self.invite)
        self.assertEqual(self.heard, [183, 487])
        self.anna.acknowledge_refusal(self.invite, self.anna.last("INVITE"))

    def test_from_a_trunk(self) -> None:
        """
        Who calls from beyond the house hears nothing: nobody pays for that.
        """
        plan = self.exchange.book.plan
        self.exchange.book.configure(evolve(plan, inbound=(InboundRoute("out", Target("external", MOBILE)),)))
        invite = self.a.offer_call()
        self.assertEqual(self.a.responses("INVITE"), [403])
        self.a.acknowledge_refusal(invite, self.a.last("INVITE"))


class WithoutRefusalsTests(DiallingCase):
    """
    An exchange that has no words for it.
    """

    def test_at_once(self) -> None:
        """
        The caller is refused at once.
        """
        extension = self.exchange.directory.extension("1001")
        assert extension is not None
        self.exchange.directory.put(evolve(extension, allow_external=False))
        self.dial()
        self.assertEqual(self.heard, [403])
        self.anna.acknowledge_refusal(self.invite, self.anna.last("INVITE"))


class MeanwhileTests(DiallingCase):
    """
    What has changed since the call was decided about.
    """

    trunks = {"A": {}, "B": {}}

    def test_down_meanwhile(self) -> None:
        """
        A trunk that is down by the time it is called is passed over.
        """
        waits = self.exchange.lines.line("A").waits = Deferred()
        self.dial()
        self.exchange.lines.line("A").set("down", "it is dead")
        waits.callback(None)
        self.network.advance(0.01)
        self.assertEqual((self.a.invites, len(self.b.invites)), ([], 1))
        self.b.reply(self.b.invites[0], 486)
        self.anna.acknowledge_refusal(self.invite, self.anna.last("INVITE"))
        self.assertIn("trunk A is down: it is dead", self.record["route"])
