"""
Tests for :mod:`pbx.dialog.session`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from pbx.dialog.session import MOST_GLARES, MOST_OFFERS
from pbx.dialog.user import ISessionUser, OfferRefused, State
from pbx.dialog.useragent import ALLOW
from tests.dialog.stage import ANSWER, OFFER, Leg, StageCase, refusal
from tests.transaction.link import Wire

OTHER = b"v=0 another offer"
TIMER = (("Supported", "timer"), ("Session-Expires", "600;refresher=uac"))


class SessionCase(StageCase):
    """
    A session that is up, and offers of ours in it.
    """

    def offer(self, sdp: bytes = OTHER) -> Deferred[bytes]:
        """
        Make an offer.
        """
        return Deferred.fromCoroutine(self.session.offer(sdp))

    def refused(self, offer: Deferred[bytes]) -> int:
        """
        The status that an offer was refused with.
        """
        status: int = self.failureResultOf(offer, OfferRefused).value.status
        return status

    def elsewhere(self) -> Wire:
        """
        A flow from another address.
        """
        return Wire(remote=("198.51.100.7", 5060))


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
        INFO and OPTIONS are served, others are 405 with Allow.
        """
        self.accepted()
        self.leg.take()
        self.assertEqual(self.within("INFO", body=b"Signal=1").status, 200)
        self.assertEqual(self.leg.take(), [("information", b"Signal=1")])
        options = self.within("OPTIONS")
        self.assertEqual((options.status, options.headers.get("Allow")), (200, ALLOW))
        self.assertIn("timer", options.headers.get("Supported"))
        for method in ("NOTIFY", "MESSAGE"):
            response = self.within(method)
            self.assertEqual((response.status, response.headers.get("Allow")), (405, ALLOW))
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


class OfferTests(SessionCase):
    """
    Offers of ours (RFC 3261 14.1).
    """

    def test_answered(self) -> None:
        """
        A re-INVITE with the offer and the session timer; its answer is the result.
        """
        self.answered()
        offer = self.offer()
        (again,) = self.took()
        self.assertEqual((again.method, again.body, str(again.cseq)), ("INVITE", OTHER, "2 INVITE"))
        self.assertEqual(again.headers.get("Session-Expires"), "1800;refresher=uac")
        self.respond(200, to=again, body=ANSWER, contact="<sip:new@192.0.2.8>", headers=(("Allow", "UPDATE"),))
        (ack,) = self.took()
        self.assertEqual((str(ack.cseq), ack.uri), ("2 ACK", "sip:new@192.0.2.8"))
        self.assertEqual(self.successResultOf(offer), ANSWER)
        self.assertEqual((self.session.local_sdp, self.session.allow), (OTHER, {"UPDATE"}))
        self.respond(200, to=again, body=ANSWER, contact="<sip:new@192.0.2.8>")
        self.assertEqual(self.short(), ["ACK"])
        self.end()

    def test_refused(self) -> None:
        """
        A refusal leaves the session as it was, a challenge like others.
        """
        self.answered()
        for status in (401, 302, 488, 500, 603, 422):
            offer = self.offer()
            self.respond(status, to=self.took()[0])
            self.assertEqual(self.short(), ["ACK"])
            self.assertEqual(self.refused(offer), status)
        self.assertEqual((self.session.local_sdp, self.session.state, self.leg.take()), (OFFER, State.UP, []))
        self.end()

    def test_gone(self) -> None:
        """
        481, 408 or no answer at all end the session (RFC 3261 12.2.1.2).
        """
        for status in (481, 408):
            self.answered()
            offer = self.offer()
            self.respond(status, to=self.took()[0])
            self.assertEqual(self.refused(offer), status)
            self.assertEqual(self.short(), ["ACK", "BYE"])
            self.assertEqual(self.leg.take(), [("ended", False, 102, f"re-INVITE failed with {status}")])
            self.stage.wait(70)
            self.flow.take()
        self.answered()
        offer = self.offer()
        self.stage.wait(33)
        self.assertEqual((self.refused(offer), self.leg.names()), (408, ["ended"]))

    def test_never_finished(self) -> None:
        """
        A peer that says 100 and nothing more is cancelled, then taken for gone.
        """
        self.answered()
        offer = self.offer()
        self.respond(100, None, to=self.took()[0])
        self.stage.wait(33)
        self.assertIn("CANCEL", self.short())
        self.stage.wait(33)
        self.assertEqual((self.refused(offer), self.leg.names()), (408, ["ended"]))

    def test_answer_without_a_description(self) -> None:
        """
        A 200 with no answer, or one that can't be read, is 488; it is acknowledged.
        """
        self.answered()
        for body, kind in ((b"", "application/sdp"), (b"--x", "multipart/mixed")):
            offer = self.offer()
            self.respond(200, to=self.took()[0], body=body, headers=(("Content-Type", kind),))
            self.assertEqual((self.short(), self.refused(offer)), (["ACK"], 488))
        self.end()

    def test_422(self) -> None:
        """
        A longer interval is asked for once when the peer wants one.
        """
        self.answered()
        offer = self.offer()
        self.respond(422, to=self.took()[0], headers=(("Min-SE", "4000"),))
        _, again = self.took()
        self.assertEqual(again.headers.get("Session-Expires"), "4000;refresher=uac")
        self.assertEqual(again.headers.get("Min-SE"), "4000")
        self.respond(422, to=again, headers=(("Min-SE", "4000"),))
        self.assertEqual(self.refused(offer), 422)
        self.end()

    def test_glare(self) -> None:
        """
        After 491 the maker of the Call-ID tries again in 2.1 to 4 s, the other within 2 s; at last it gives up.
        """
        for make, low, high in ((self.answered, 2.1, 4.0), (self.accepted, 0.0, 2.0)):
            make()
            offer = self.offer()
            for _ in range(MOST_GLARES):
                (again,) = self.took()
                self.respond(491, to=again)
                self.assertEqual(self.short(), ["ACK"])
                waited = 0.0
                while not self.flow.sent and not offer.called:
                    self.stage.clock.advance(0.005)
                    waited += 0.005
                self.assertTrue(low - 0.01 <= waited <= high, waited)
            self.assertEqual(self.refused(offer), 491)
            self.end()

    def test_waits_for_the_ack(self) -> None:
        """
        While our 200 has no ACK the offer waits, and goes out with it.
        """
        self.accepted(acknowledge=False)
        offers = [self.offer(), self.offer()]
        self.stage.wait(20)
        self.assertNotIn("INVITE", self.short())
        self.acknowledge()
        (first,) = self.took()
        self.respond(200, to=first, body=ANSWER)
        _, second = self.took()
        self.assertEqual(self.successResultOf(offers[0]), ANSWER)
        self.respond(200, to=second, body=ANSWER)
        self.assertEqual(self.successResultOf(offers[1]), ANSWER)
        self.end()

    def test_ack_never_comes(self) -> None:
        """
        When it never comes the session ends, and the offer with it; only so many wait.
        """
        self.accepted(acknowledge=False)
        offers = [self.offer() for _ in range(MOST_OFFERS + 3)]
        self.assertEqual([self.refused(offer) for offer in offers[MOST_OFFERS:]], [491] * 3)
        self.stage.wait(33)
        self.assertEqual([self.refused(offer) for offer in offers[:MOST_OFFERS]], [481] * MOST_OFFERS)

    def test_cancelled_while_it_waits(self) -> None:
        """
        Whoever made the offer may cease to wait.
        """
        self.accepted(acknowledge=False)
        offer = self.offer()
        offer.addErrback(lambda failure: None)
        offer.cancel()
        self.acknowledge()
        self.assertEqual(self.short(), [])
        self.end()

    def test_peer_offers_meanwhile(self) -> None:
        """
        While ours is under way an offer of the peer is 491, also when something smaller was asked and answered.
        """
        self.answered()
        offer = self.offer()
        (again,) = self.took()
        probe = Deferred.fromCoroutine(self.session.probe(10))
        self.respond(200, to=self.took()[0])
        self.assertTrue(self.successResultOf(probe))
        self.assertEqual(self.within("INVITE", body=OFFER).status, 491)
        self.assertEqual(self.within("UPDATE", body=OFFER).status, 491)
        self.assertEqual(self.within("UPDATE").status, 200)
        self.respond(200, to=again, body=ANSWER)
        self.assertEqual(self.successResultOf(offer), ANSWER)
        self.end()

    def test_session_ends_meanwhile(self) -> None:
        """
        A BYE that crosses the re-INVITE ends the wait at once; a late 200 is acknowledged and starts nothing.
        """
        for by_peer in (True, False):
            self.answered()
            offer = self.offer()
            (again,) = self.took()
            self.respond(100, None, to=again)
            if by_peer:
                self.end()
            else:
                self.session.hang_up()
                self.respond(200, to=self.took()[0])
            self.assertEqual(self.refused(offer), 481)
            self.assertEqual(self.short(), ["CANCEL"])
            self.respond(200, to=again, body=ANSWER)
            self.assertEqual(self.short(), ["ACK"])
            self.assertEqual(self.stage.core.dialogs, {})

    def test_hung_up_in_a_pause(self) -> None:
        """
        Nothing is tried again after the end.
        """
        self.answered()
        offer = self.offer()
        self.respond(491, to=self.took()[0])
        self.flow.take()
        self.session.hang_up()
        self.assertEqual((self.refused(offer), self.short()), (481, ["BYE"]))
        self.assertEqual(self.refused(self.offer()), 481)


class ProbeTests(SessionCase):
    """
    Whether the peer is still there.
    """

    def probe(self, status: int | None, **options: Any) -> bool:
        found = Deferred.fromCoroutine(self.session.probe(10))
        (options_request,) = self.took()
        self.assertEqual(options_request.method, "OPTIONS")
        if status is None:
            self.stage.wait(11)
            self.flow.take()
        else:
            self.respond(status, to=options_request, **options)
        return bool(self.successResultOf(found))

    def test_answers(self) -> None:
        """
        Any answer but 408 and 481 means that it lives; none means that it doesn't.
        """
        self.answered()
        for status, alive in ((200, True), (405, True), (501, True), (481, False), (408, False), (None, False)):
            self.assertEqual(self.probe(status), alive)
        self.end()
