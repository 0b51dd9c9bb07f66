"""
Tests for :mod:`pbx.dialog.session`: what we ask of the peer.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pbx.dialog.session import MOST_GLARES, MOST_OFFERS
from pbx.dialog.user import State
from tests.dialog.stage import ANSWER, OFFER, OTHER, SessionCase


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
        481 ends the session (RFC 3261 12.2.1.2).
        """
        self.answered()
        offer = self.offer()
        self.respond(481, to=self.took()[0])
        self.assertEqual(self.refused(offer), 481)
        self.assertEqual(self.short(), ["ACK", "BYE"])
        self.assertEqual(self.leg.take(), [("ended", False, 102, "re-INVITE failed with 481")])

    def test_not_answered(self) -> None:
        """
        408 or no answer at all is a refusal like others: the call that works goes on.
        """
        self.answered()
        offer = self.offer()
        self.respond(408, to=self.took()[0])
        self.assertEqual((self.refused(offer), self.short()), (408, ["ACK"]))
        offer = self.offer()
        self.stage.wait(33)
        self.assertEqual((self.refused(offer), set(self.short())), (408, {"INVITE"}))
        self.assertEqual((self.session.local_sdp, self.session.state, self.leg.take()), (OFFER, State.UP, []))
        self.end()

    def test_never_finished(self) -> None:
        """
        A peer that says 100 and nothing more is cancelled; that is a refusal.
        """
        self.answered()
        offer = self.offer()
        self.respond(100, None, to=self.took()[0])
        self.stage.wait(33)
        self.assertIn("CANCEL", self.short())
        self.stage.wait(33)
        self.assertEqual((self.refused(offer), self.leg.names()), (408, []))
        self.flow.take()
        self.end()

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

    def test_made_anew_after_a_glare(self) -> None:
        """
        Each try has the offer as it is then; its answer is the result.
        """
        self.answered()
        offer = self.offer(OTHER, OFFER)
        (first,) = self.took()
        self.respond(491, to=first)
        self.flow.take()
        while not self.flow.sent:
            self.stage.clock.advance(0.005)
        (second,) = self.took()
        self.assertEqual((first.body, second.body), (OTHER, OFFER))
        self.respond(200, to=second, body=ANSWER)
        self.assertEqual((self.successResultOf(offer), self.session.local_sdp), (ANSWER, OFFER))
        self.flow.take()
        self.end()

    def test_overtaken_after_a_glare(self) -> None:
        """
        A peer whose own offer was answered between two tries is not asked again, whatever request that came in.
        """
        for method in ("INVITE", "UPDATE"):
            self.answered()
            offer = self.offer()
            self.respond(491, to=self.took()[0])
            self.flow.take()
            self.assertEqual(self.within(method, body=OFFER).status, 200)
            if method == "INVITE":
                self.within("ACK", cseq=self.cseq - 1)
            self.stage.wait(4)
            self.assertEqual((self.refused(offer), self.short()), (491, []))
            self.end()
            self.leg.take()

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
