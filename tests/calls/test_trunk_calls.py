"""
Calls out over a trunk: what the provider is sent, and what becomes of its answers.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred

from pbx.sip.message import Request, Response
from tests.calls.carrier import MOBILE, Carrier, TrunkCase


class DiallingCase(TrunkCase):
    """
    1001 calls a mobile phone.
    """

    def dial(self, number: str = "017612345678", **options: object) -> Request:
        """
        Let 1001 dial; the INVITE of the phone.
        """
        self.anna = self.phone("1001")
        self.anna.listen_for_media()
        self.a.listen_for_media()
        self.invite = self.anna.call(number, **options)
        return self.invite

    @property
    def heard(self) -> list[int]:
        """
        What 1001 was answered behind the challenge, but for 100.
        """
        return [status for status in self.anna.responses("INVITE")[1:] if status != 100]


class OutboundTests(DiallingCase):
    """
    The usual way.
    """

    def test_answered(self) -> None:
        """
        It is rung over the first trunk, answered, heard both ways, and hung up.
        """
        self.dial()
        (invite,) = self.a.invites
        self.assertEqual(invite.uri, f"sip:{MOBILE}@10.9.0.1")
        self.assertEqual(self.channels(), {"A": 1, "B": 0})
        self.a.reply(invite, 180)
        self.assertEqual(self.anna.responses("INVITE")[-1], 180)
        self.a.reply(invite, 200, body=self.a.sdp())
        answer = self.anna.last("INVITE")
        self.assertEqual(answer.status, 200)
        self.anna.acknowledge(self.invite, answer)
        self.assertEqual(len(self.a.requests("ACK")), 1)
        self.anna.speak(answer.body, 5)
        self.a.speak(invite.body, 5, ssrc=9)
        self.assertEqual((len(self.anna.media), len(self.a.media)), (5, 5))
        self.anna.send(self.anna.within("BYE", self.invite, answer, cseq=9))
        self.network.advance(0.1)
        self.assertEqual(len(self.a.requests("BYE")), 1)
        self.assertEqual(self.channels(), {"A": 0, "B": 0})
        self.assert_ended("answered", "Normal call clearing", "caller")
        self.assertEqual([leg["party"] for leg in self.record["legs"]], ["1001", MOBILE])
        self.assertEqual((self.record["direction"], self.record["trunk"]), ("outbound", "A"))


class FailoverTests(DiallingCase):
    """
    The first trunk does not take the call.
    """

    trunks = {"A": {"failover_on": (403,)}, "B": {}}

    def assert_second_rings(self) -> Request:
        """
        The second trunk has the call, the caller has heard nothing of the first, and it can be answered.
        """
        (invite,) = self.b.invites
        self.assertEqual(self.heard, [])
        self.assertEqual(self.channels(), {"A": 0, "B": 1})
        self.b.reply(invite, 180)
        self.b.reply(invite, 200, body=self.b.sdp())
        answer = self.anna.last("INVITE")
        self.assertEqual(answer.status, 200)
        self.anna.acknowledge(self.invite, answer)
        self.anna.send(self.anna.within("BYE", self.invite, answer, cseq=9))
        self.network.advance(0.1)
        self.assertEqual(self.record["disposition"], "answered")
        self.assertEqual([leg["party"] for leg in self.record["legs"]], ["1001", MOBILE, MOBILE])
        self.assertEqual([leg.get("trunk") for leg in self.record["legs"]], [None, "A", "B"])
        self.assertEqual((self.record["direction"], self.record["trunk"]), ("outbound", "B"))
        return invite

    def assert_given_up(self, status: int, cause: int, text: str) -> None:
        """
        The second trunk is not tried; the caller, the record and the log have one reason.
        """
        self.assertEqual(self.b.invites, [])
        answer = self.anna.last("INVITE")
        self.assert_refused(answer, status, cause, text)

    def assert_refused(self, answer: Response, status: int, cause: int, text: str) -> None:
        """
        The caller was refused for this reason, and the record says the same.
        """
        self.anna.acknowledge_refusal(self.invite, answer)
        self.assertEqual(answer.status, status)
        self.assertEqual(answer.headers.get("Reason"), f'Q.850;cause={cause};text="{text}"')
        record = self.record
        self.assertEqual((record["status"], record["q850"], record["reason"]), (status, cause, text))
        if status == 503:
            self.assertEqual(answer.headers.get("Retry-After"), "10")

    # What the first trunk does, and that the second rings.

    def test_no_connection(self) -> None:
        """
        There is no connection to it.
        """
        self.exchange.lines.line("A").failing.add("10.9.0.1")
        self.dial()
        self.assert_second_rings_at_once()

    def assert_second_rings_at_once(self) -> None:
        """
        The first trunk was sent nothing.
        """
        self.assertEqual(self.a.invites, [])
        (invite,) = self.b.invites
        self.b.reply(invite, 486)
        self.assert_refused(self.anna.last("INVITE"), 486, 17, "Busy Here")

    def test_no_address(self) -> None:
        """
        It has no address.
        """
        self.exchange.lines.line("A").hosts = []
        self.dial()
        self.assert_second_rings_at_once()
        self.assertIn("trunk A can't be reached: no such host", self.record["route"])

    def test_looked_up_for_too_long(self) -> None:
        """
        Its address can't be looked up within 4 s.
        """
        self.exchange.lines.line("A").waits = Deferred()
        self.dial()
        self.network.advance(4)
        self.assert_second_rings_at_once()

    def test_no_response(self) -> None:
        """
        It says nothing for 4 s.
        """
        self.dial()
        self.assertEqual(len(self.a.invites), 1)
        self.network.advance(3.9)
        self.assertEqual(self.b.invites, [])
        self.network.advance(0.2)
        self.assert_second_rings()
        self.assertIn("trunk A does not answer", self.record["route"])

    def test_late_answer_of_a_silent_one(self) -> None:
        """
        It answers after all: it gets ACK and BYE.
        """
        self.dial()
        first = self.a.invites[0]
        self.network.advance(4.1)
        self.a.reply(first, 200, body=self.a.sdp())
        self.assertEqual((len(self.a.requests("ACK")), len(self.a.requests("BYE"))), (1, 1))
        self.assert_second_rings()

    def answered_by(self, status: int) -> None:
        """
        The first trunk answers with a status.
        """
        self.dial()
        self.a.reply(self.a.invites[0], status)

    def test_408(self) -> None:
        """
        It answers 408.
        """
        self.answered_by(408)
        self.assert_second_rings()

    def test_500(self) -> None:
        """
        It answers 500.
        """
        self.answered_by(500)
        self.assert_second_rings()

    def test_503(self) -> None:
        """
        It answers 503.
        """
        self.answered_by(503)
        self.assert_second_rings()

    def test_403_listed(self) -> None:
        """
        It answers 403, which failover_on lists.
        """
        self.answered_by(403)
        self.assert_second_rings()

    def test_100_then_500(self) -> None:
        """
        100 is no ringing.
        """
        self.dial()
        self.a.reply(self.a.invites[0], 100)
        self.a.reply(self.a.invites[0], 500)
        self.assert_second_rings()

    def test_credentials_refused(self) -> None:
        """
        It challenges, and does not take our answer.
        """
        self.dial()
        challenge = (("Proxy-Authenticate", 'Digest realm="a", nonce="n", algorithm=MD5'),)
        self.a.reply(self.a.invites[0], 407, headers=challenge)
        self.assertEqual(len(self.a.invites), 2)
        self.a.reply(self.a.invites[1], 407, headers=challenge)
        self.assert_second_rings()
        self.assertIn("trunk A refuses our credentials", self.record["route"])

    def test_down_while_it_rings(self) -> None:
        """
        It goes down after 180: it is cancelled, and the second rings.
        """
        self.dial()
        self.a.reply(self.a.invites[0], 180)
        self.exchange.lines.line("A").set("down", "no answer to OPTIONS")
        self.network.advance(0.01)
        self.assertEqual(len(self.a.requests("CANCEL")), 1)
        (invite,) = self.b.invites
        self.assertEqual(self.heard, [180])
        self.b.reply(invite, 486)
        self.assert_refused(self.anna.last("INVITE"), 486, 17, "Busy Here")
        self.assertIn("trunk A: it went down: no answer to OPTIONS", self.record["route"])

    def test_answer_of_one_that_is_down(self) -> None:
        """
        It answers when it has been given up: ACK and BYE.
        """
        self.a.polite = False
        self.dial()
        first = self.a.invites[0]
        self.a.reply(first, 180)
        self.exchange.lines.line("A").set("down")
        self.a.reply(first, 200, body=self.a.sdp())
        self.assertEqual((len(self.a.requests("ACK")), len(self.a.requests("BYE"))), (1, 1))
        self.a.reply(self.a.requests("BYE")[0], 200)
        (invite,) = self.b.invites
        self.b.reply(invite, 486)
        self.assert_refused(self.anna.last("INVITE"), 486, 17, "Busy Here")

    def test_full_meanwhile(self) -> None:
        """
        It is full by the time it is called.
        """
        waits = self.exchange.lines.line("A").waits = Deferred()
        self.dial()
        line = self.exchange.lines.line("A")
        line.trunk = evolve(line.trunk, max_channels=0)
        waits.callback(None)
        self.network.advance(0.01)
        self.assert_second_rings_at_once()
        self.assertIn("trunk A is full", self.record["route"])

    def test_next_server(self) -> None:
        """
        Of several servers each is tried before the next trunk: the first has no connection, the second says 503.
        """
        third = self.phone("0", kind=Carrier, at="10.9.1.3", register=False)
        second = self.phone("0", kind=Carrier, at="10.9.1.2", register=False)
        line = self.exchange.lines.line("A")
        line.hosts = ["10.9.1.1", "10.9.1.2", "10.9.1.3"]
        line.failing = {"10.9.1.1"}
        self.dial()
        second.reply(second.invites[0], 503)
        (invite,) = third.invites
        self.assertEqual(self.b.invites, [])
        third.reply(invite, 486)
        self.assert_given_up(486, 17, "Busy Here")

    def test_many_servers(self) -> None:
        """
        Of many servers that are all dead only three are tried: the caller waits.
        """
        line = self.exchange.lines.line("A")
        line.hosts = [f"10.9.1.{n}" for n in range(1, 9)]
        self.dial()
        self.network.advance(12.2)
        self.assertEqual(line.noted, ["10.9.1.1", "10.9.1.2", "10.9.1.3"])
        (invite,) = self.b.invites
        self.b.reply(invite, 486)
        self.assert_refused(self.anna.last("INVITE"), 486, 17, "Busy Here")

    def test_down_while_it_plays(self) -> None:
        """
        It goes down while the caller hears its early media: the second is heard instead, by the same answer.
        """
        self.b.listen_for_media()
        self.dial()
        first = self.a.invites[0]
        self.a.reply(first, 183, body=self.a.sdp())
        early = self.anna.last("INVITE")
        self.a.speak(first.body, 5)
        self.exchange.lines.line("A").set("down")
        self.network.advance(0.01)
        self.anna.speak(early.body, 5)
        (invite,) = self.b.invites
        self.b.reply(invite, 200, body=self.b.sdp())
        answer = self.anna.last("INVITE")
        self.assertEqual((answer.status, answer.body), (200, early.body))
        self.anna.acknowledge(self.invite, answer)
        heard = len(self.anna.media)
        self.anna.speak(answer.body, 5, first=10)
        self.b.speak(invite.body, 5, ssrc=77)
        self.assertEqual((len(self.b.media), len(self.anna.media) - heard), (5, 5))
        self.anna.send(self.anna.within("BYE", self.invite, answer, cseq=9))
        self.network.advance(0.1)

    # What holds for every trunk.

    def test_403_unlisted(self) -> None:
        """
        403 of the second, which does not list it.
        """
        self.answered_by(500)
        self.b.reply(self.b.invites[0], 403)
        self.assert_refused(self.anna.last("INVITE"), 403, 21, "Forbidden")

    def refused_for_good(self, status: int, cause: int, text: str) -> None:
        """
        An answer that holds for every trunk.
        """
        self.answered_by(status)
        self.assert_given_up(status, cause, text)

    def test_404(self) -> None:
        """
        Nobody has the number.
        """
        self.refused_for_good(404, 1, "Not Found")

    def test_480(self) -> None:
        """
        It can't be reached.
        """
        self.refused_for_good(480, 18, "Temporarily Unavailable")

    def test_484(self) -> None:
        """
        The number is too short.
        """
        self.refused_for_good(484, 28, "Address Incomplete")

    def test_486(self) -> None:
        """
        It is busy.
        """
        self.refused_for_good(486, 17, "Busy Here")

    def test_488(self) -> None:
        """
        488 is not listed.
        """
        self.refused_for_good(488, 65, "Not Acceptable Here")

    def test_600(self) -> None:
        """
        It is busy everywhere.
        """
        self.refused_for_good(600, 17, "Busy Everywhere")

    def test_500_after_180(self) -> None:
        """
        Once it has rung no other trunk is tried.
        """
        self.dial()
        self.a.reply(self.a.invites[0], 180)
        self.a.reply(self.a.invites[0], 500)
        self.assert_given_up(503, 41, "trunk A answered 500 Server Internal Error")

    def test_cause_of_the_trunk(self) -> None:
        """
        The cause that the provider names is the one that everybody is told.
        """
        self.dial()
        self.a.reply(self.a.invites[0], 480, headers=(("Reason", "Q.850;cause=20"),))
        self.assert_given_up(480, 20, "Temporarily Unavailable")

    # When all have come to nothing.

    def test_all_silent(self) -> None:
        """
        No trunk answers: the caller is told so.
        """
        self.dial()
        self.network.advance(8.1)
        self.assert_refused(self.anna.last("INVITE"), 503, 38, "trunk B does not answer")

    def test_what_says_most(self) -> None:
        """
        Of a trunk that said something and one that was silent, the caller hears what was said.
        """
        self.answered_by(500)
        self.network.advance(4.1)
        self.assert_refused(
            self.anna.last("INVITE"), 503, 41, "trunk A answered 500 Server Internal Error"
        )

    def test_no_trunk_left(self) -> None:
        """
        Both have gone since it was decided.
        """
        waits = self.exchange.lines.line("A").waits = Deferred()
        self.dial()
        plan = self.exchange.book.plan
        trunks = {name: evolve(trunk, enabled=False) for name, trunk in plan.trunks.items()}
        self.exchange.book.configure(evolve(plan, trunks=trunks))
        waits.callback(None)
        self.network.advance(0.01)
        self.assert_refused(self.anna.last("INVITE"), 503, 38, "trunk B is no longer there")


class CancelTests(DiallingCase):
    """
    The caller gives up, at each stage.
    """

    def give_up(self) -> None:
        """
        Cancel; nothing is left.
        """
        self.anna.cancel(self.invite)
        self.assertEqual(self.anna.responses("INVITE")[-1], 487)
        self.anna.acknowledge_refusal(self.invite, self.anna.last("INVITE"))
        self.network.advance(1)
        self.assertEqual(self.channels(), {"A": 0, "B": 0})
        self.assertEqual(self.b.invites, [])
        self.assert_ended("cancelled", "Cancelled by the caller", "caller")

    def test_while_it_is_looked_up(self) -> None:
        """
        The address of the trunk is still being looked up: it is never called.
        """
        self.exchange.lines.line("A").waits = Deferred()
        self.dial()
        self.give_up()
        self.assertEqual(self.a.invites, [])

    def test_before_a_response(self) -> None:
        """
        The CANCEL waits for a provisional response (RFC 3261 9.1).
        """
        self.a.polite = False
        self.dial()
        self.give_up()
        self.assertEqual(self.a.requests("CANCEL"), [])
        self.a.reply(self.a.invites[0], 100)
        (cancel,) = self.a.requests("CANCEL")
        self.a.reply(cancel, 200)
        self.a.reply(self.a.invites[0], 487)

    def test_while_it_rings(self) -> None:
        """
        The trunk is sent CANCEL.
        """
        self.dial()
        self.a.reply(self.a.invites[0], 180)
        self.give_up()
        self.assertEqual(len(self.a.requests("CANCEL")), 1)

    def test_crossing_the_answer(self) -> None:
        """
        The 200 crosses the CANCEL: ACK and BYE.
        """
        self.a.polite = False
        self.dial()
        self.a.reply(self.a.invites[0], 180)
        self.give_up()
        self.a.reply(self.a.invites[0], 200, body=self.a.sdp())
        self.assertEqual((len(self.a.requests("ACK")), len(self.a.requests("BYE"))), (1, 1))
        self.a.reply(self.a.requests("BYE")[0], 200)
