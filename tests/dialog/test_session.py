"""
Tests for :mod:`pbx.dialog.session`: what the peer sends, and the end.
"""

from __future__ import annotations

from zope.interface.verify import verifyObject

from pbx.dialog.user import ISessionUser, State
from pbx.dialog.useragent import ALLOW
from tests.dialog.stage import ANSWER, OFFER, OTHER, Leg, SessionCase, refusal
from tests.transaction.link import Wire

TIMER = (("Supported", "timer"), ("Session-Expires", "600;refresher=uac"))


class RequestTests(SessionCase):
    """
    Requests of the peer within the dialog.
    """

    def test_interface(self) -> None:
        """
        The tests' leg is a session's user.
        """
        self.assertTrue(verifyObject(ISessionUser, Leg()))

    def test_small_requests(self) -> None:
        """
        INFO and OPTIONS are served, a NOTIFY of no subscription is 481, others are 405 with Allow.
        """
        self.accepted()
        self.leg.take()
        self.assertEqual(self.within("INFO", body=b"Signal=1").status, 200)
        self.assertEqual(self.leg.take(), [("information", b"Signal=1")])
        options = self.within("OPTIONS")
        self.assertEqual((options.status, options.headers.get("Allow")), (200, ALLOW))
        self.assertIn("timer", options.headers.get("Supported"))
        response = self.within("MESSAGE")
        self.assertEqual((response.status, response.headers.get("Allow")), (405, ALLOW))
        self.assertEqual(self.within("NOTIFY").status, 481)
        self.assertEqual(self.within("PRACK", headers=(("RAck", "1 1 INVITE"),)).status, 481)
        self.leg.answer = refusal(415)
        self.assertEqual(self.within("INFO").status, 415)
        self.end()

    def test_out_of_order(self) -> None:
        """
        A CSeq number lower than an earlier one is 500 (RFC 3261 12.2.2).
        """
        self.accepted()
        self.assertEqual(self.within("INFO", cseq=50).status, 200)
        self.assertEqual(self.within("INFO", cseq=49).status, 500)
        self.cseq = 51
        self.end()

    def test_from_elsewhere(self) -> None:
        """
        A request from another address needs trust, a BYE only its tags; ours go where the peer last spoke from.
        """
        self.accepted()
        other, self.stage.owner.trusting = self.elsewhere(), False
        self.assertEqual(self.within("INFO", other).status, 401)
        self.assertIs(self.session.dialog.flow, self.flow)
        self.stage.owner.trusting = True
        self.assertEqual(self.within("INFO", other).status, 200)
        self.assertIs(self.session.dialog.flow, other)
        self.stage.owner.trusting = False
        self.assertEqual(self.within("BYE", self.flow).status, 200)

    def test_ack_from_elsewhere(self) -> None:
        """
        An ACK from another port moves the flow, one from another address does not.
        """
        for host, moves in (("192.0.2.2", True), ("198.51.100.7", False)):
            self.accepted(acknowledge=False)
            flow = Wire(remote=(host, 4711))
            self.acknowledge(flow=flow)
            self.assertEqual(self.session.dialog.flow is flow, moves)
            self.end()


class ByeTests(SessionCase):
    """
    The end of a session (RFC 3261 15).
    """

    def test_reason(self) -> None:
        """
        The peer's Reason is told; without one the call was cleared normally.
        """
        for reason, cause, text in (
            ('Q.850;cause=31;text="gone"', 31, "gone"), ("SIP;cause=200, Q.850;cause=17", 17, "User busy"),
            ("SIP;cause=600", 16, "Normal call clearing"), ("x;;=", 16, "Normal call clearing"),
        ):
            self.accepted()
            self.leg.take()
            self.within("BYE", headers=(("Reason", reason),))
            self.assertEqual(self.leg.take(), [("ended", True, cause, text)])
            self.assertIs(self.session.state, State.ENDED)

    def test_hang_up(self) -> None:
        """
        Our BYE ends the dialog when it is answered; meanwhile a BYE of the peer is 200 and all else 481.
        """
        self.accepted()
        self.leg.take()
        self.session.hang_up((("Reason", "Q.850;cause=16"),))
        self.session.hang_up()
        (bye,) = self.took()
        self.assertEqual((bye.method, bye.headers.get("Reason")), ("BYE", "Q.850;cause=16"))
        self.assertEqual(self.within("INFO").status, 481)
        self.assertEqual(self.within("BYE").status, 200)
        self.assertEqual(len(self.core.dialogs), 1)
        self.respond(401, to=bye)
        self.assertEqual((self.leg.take(), self.core.dialogs), ([], {}))

    def test_unanswered_bye(self) -> None:
        """
        A BYE that nobody answers ends the dialog as well.
        """
        self.accepted()
        self.session.hang_up()
        self.stage.wait(33)
        self.assertEqual(self.core.dialogs, {})

    def test_bye_waits_for_ack(self) -> None:
        """
        Before the ACK to our 200 there is no BYE, but the 200 again (RFC 3261 15).
        """
        self.accepted(acknowledge=False)
        self.session.hang_up()
        self.stage.wait(1)
        self.assertEqual(self.short(), [200])
        self.acknowledge()
        self.assertEqual(self.short(), ["BYE"])
        self.assertEqual(self.leg.take(), [])

    def test_bye_when_the_ack_is_missing(self) -> None:
        """
        Without one it goes when the time is up.
        """
        self.accepted(acknowledge=False)
        self.session.hang_up()
        self.stage.wait(31.9)
        self.assertNotIn("BYE", self.short())
        self.stage.wait(0.2)
        self.assertIn("BYE", self.short())
        self.assertEqual(self.leg.take(), [])

    def test_crossing_bye_before_the_ack(self) -> None:
        """
        A BYE of the peer makes ours, which still waits, needless; the 200 is not sent any more.
        """
        self.accepted(acknowledge=False)
        self.session.hang_up()
        self.assertEqual(self.within("BYE").status, 200)
        self.assertEqual((self.core.dialogs, self.leg.take()), ({}, []))
        self.stage.wait(10)
        self.assertEqual(self.took(), [])

    def test_bye_before_the_ack(self) -> None:
        """
        A BYE of the peer instead of its ACK ends the session, and the repetition of the 200.
        """
        self.accepted(acknowledge=False)
        self.end()
        self.stage.wait(10)
        self.assertEqual((self.took(), self.leg.names()), ([], ["ended"]))


class ReinviteTests(SessionCase):
    """
    Re-INVITE and UPDATE of the peer (RFC 3261 14.2, RFC 3311 5.2).
    """

    def test_reinvite(self) -> None:
        """
        It is answered with our description and repeated until its ACK; the new target holds from then on.
        """
        self.accepted()
        self.leg.take()
        answer = self.within("INVITE", body=OTHER, contact="<sip:1002@192.0.2.33>", headers=(*TIMER, ("Allow", "BYE")))
        self.assertEqual((answer.status, answer.body), (200, ANSWER))
        self.assertEqual(answer.headers.get("Session-Expires"), "600;refresher=uac")
        self.assertEqual((answer.headers.get("Require"), answer.headers.get("Allow")), ("timer", ALLOW))
        self.assertIn("Contact", answer.headers)
        self.assertEqual((self.session.dialog.remote_target, self.session.allow), ("sip:1002@192.0.2.33", {"BYE"}))
        self.stage.wait(0.6)
        self.assertEqual(self.short(), [200])
        self.acknowledge(cseq=self.cseq - 1)
        self.stage.wait(5)
        self.assertEqual((self.took(), self.leg.take()), ([], [("offer", OTHER)]))
        self.end()

    def test_reinvite_without_offer(self) -> None:
        """
        We make the offer, and the ACK must have the answer.
        """
        self.accepted()
        self.leg.take()
        self.assertEqual(self.within("INVITE").body, OFFER)
        self.acknowledge(cseq=self.cseq - 1, body=OTHER)
        self.assertEqual(self.leg.take(), [("wanted",), ("answer", OTHER)])
        self.within("INVITE")
        self.leg.refuses = refusal(488)
        self.acknowledge(cseq=self.cseq - 1)
        self.assertEqual(self.short(), ["BYE"])

    def test_refused_changes_nothing(self) -> None:
        """
        What is refused leaves target, abilities and timer as they were (RFC 3261 12.2.2 and 14.2).
        """
        self.accepted(headers=(("Allow", "BYE"),))
        before = self.session.timer.agreement
        self.leg.answer = refusal(488)
        for method in ("INVITE", "UPDATE"):
            for headers, contact, status in (
                (TIMER, "<sip:evil@192.0.2.66>", 488),
                ((("Session-Expires", "30"), ("Supported", "timer")), "<sip:evil@192.0.2.66>", 422),
                ((("Content-Type", "text/plain"),), "<sip:evil@192.0.2.66>", 415), (TIMER, "<sip:", 400),
            ):
                response = self.within(method, body=OTHER, headers=(*headers, ("Allow", "DANCE")), contact=contact)
                self.assertEqual((method, response.status), (method, status))
        self.assertEqual((self.session.dialog.remote_target, self.session.allow), ("sip:1002@192.0.2.2:5060", {"BYE"}))
        self.assertIs(self.session.timer.agreement, before)
        self.end()

    def test_before_the_ack(self) -> None:
        """
        A re-INVITE that overtakes the ACK is answered; the peer has our 200 (RFC 5407 3.1.4).
        """
        self.accepted(acknowledge=False)
        self.assertEqual(self.within("INVITE", body=OTHER).status, 200)
        self.assertEqual(self.leg.names(), ["acknowledged", "offer"])
        self.acknowledge()
        self.stage.wait(0.6)
        self.assertEqual([str(m.cseq) for m in self.took()], ["2 INVITE"])
        self.acknowledge(cseq=2)
        self.stage.wait(5)
        self.assertEqual((self.took(), self.leg.take()), ([], []))
        self.end()

    def test_before_the_ack_with_the_answer(self) -> None:
        """
        When the ACK is to bring the answer to our offer, any other offer is 491 (RFC 5407 3.1.5).
        """
        self.accepted(body=b"", acknowledge=False)
        self.assertEqual(self.within("INVITE", body=OTHER).status, 491)
        self.assertEqual(self.within("UPDATE", body=OTHER).status, 491)
        self.assertEqual(self.within("UPDATE").status, 200)
        self.acknowledge(body=ANSWER)
        self.assertEqual(self.leg.names(), ["answer", "acknowledged"])
        self.assertEqual(self.within("UPDATE", body=OTHER).status, 200)
        self.end()

    def test_update_before_the_ack(self) -> None:
        """
        An UPDATE is answered while our 200 waits for its ACK, which is still waited for.
        """
        self.accepted(acknowledge=False)
        self.assertEqual(self.within("UPDATE", body=OTHER).body, ANSWER)
        self.stage.wait(0.6)
        self.assertEqual(self.short(), [200])
        self.acknowledge()
        self.end()

    def test_copies_of_acks(self) -> None:
        """
        An ACK of an earlier INVITE, or a copy, acknowledges nothing.
        """
        self.accepted()
        self.leg.take()
        self.within("INVITE")
        self.acknowledge(cseq=1)
        self.stage.wait(0.6)
        self.assertEqual(self.short(), [200])
        self.acknowledge(cseq=2, body=ANSWER)
        self.acknowledge(cseq=2, body=ANSWER)
        self.assertEqual(self.leg.take(), [("wanted",), ("answer", ANSWER)])
        self.end()

    def test_update_refreshes(self) -> None:
        """
        An UPDATE without an offer begins the session's interval anew.
        """
        self.accepted(headers=TIMER)
        for _ in range(4):
            self.stage.leap(500)
            self.assertEqual(self.within("UPDATE", headers=TIMER).status, 200)
        self.assertIs(self.session.state, State.UP)
        self.end()

    def test_hung_up_while_it_waits(self) -> None:
        """
        Hung up before the first ACK, the session takes no more offers.
        """
        self.accepted(acknowledge=False)
        self.session.hang_up()
        self.assertEqual(self.within("INVITE", body=OTHER).status, 481)
