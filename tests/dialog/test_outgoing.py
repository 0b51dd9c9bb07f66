"""
Tests for :mod:`pbx.dialog.outgoing`.
"""

from __future__ import annotations

from zope.interface.verify import verifyObject

from pbx.dialog.outgoing import MOST_EARLY_DIALOGS, IOutgoingUser
from pbx.dialog.user import State
from pbx.sip.message import Request
from pbx.transaction.user import IClientUser
from tests.dialog.stage import ANSWER, OFFER, SDP, Leg, StageCase, refusal
from tests.transaction.link import Wire

RELIABLE = (("Require", "100rel"),)


class OutgoingTests(StageCase):
    """
    An INVITE sent, and its answers (RFC 3261 13.2, 9.1).
    """

    def test_interfaces(self) -> None:
        """
        The INVITE is a client transaction's user, and the tests' leg is its own.
        """
        self.assertTrue(verifyObject(IOutgoingUser, Leg()))
        self.assertTrue(verifyObject(IClientUser, self.inviting()))
        self.respond(486)

    def test_answered(self) -> None:
        """
        Trying is nothing, ringing is told, the 200 is acknowledged and makes the session.
        """
        self.inviting()
        self.respond(100, None)
        self.respond(180)
        self.assertEqual(self.leg.take(), [("ringing", 180, None)])
        self.assertEqual(list(self.core.dialogs), [("call-2", "ours-1", "peer-1")])
        self.respond(200, body=ANSWER, headers=(("Allow", "BYE"),), contact="<sip:other@192.0.2.3>")
        (ack,) = self.took()
        self.assertEqual((ack.method, str(ack.cseq), ack.uri), ("ACK", "1 ACK", "sip:other@192.0.2.3"))
        self.assertEqual(self.leg.take(), [("answered", ANSWER)])
        assert self.leg.session is not None
        self.session = self.leg.session
        self.assertEqual((self.session.state, self.session.allow), (State.UP, {"BYE"}))
        self.assertEqual((self.session.local_sdp, len(self.core.dialogs)), (OFFER, 1))
        self.end()
        self.assertEqual(self.leg.names(), ["ended"])

    def test_lost_ack(self) -> None:
        """
        Each copy of the 200 gets another ACK, for 64*T1 (RFC 3261 13.2.2.4).
        """
        self.answered()
        self.respond(200, body=ANSWER)
        self.assertEqual(self.short(), ["ACK"])
        self.assertEqual(self.leg.take(), [])
        self.end()

    def test_refused(self) -> None:
        """
        A refusal is told with its response, redirections and challenges like others; its ACK is sent below.
        """
        for status in (302, 401, 407, 486, 503, 603):
            self.inviting()
            self.respond(180)
            self.leg.take()
            self.respond(status)
            self.assertEqual(self.leg.take()[0][:2], ("failed", status))
            self.assertEqual(self.short(), ["ACK"])
            self.assertEqual(self.core.dialogs, {})

    def test_no_response(self) -> None:
        """
        Nothing at all for 4 s is 408; the phone that rings after that gets a CANCEL, the one that answers a BYE.
        """
        self.inviting()
        self.stage.wait(4.1)
        self.assertEqual(self.leg.take(), [("failed", 408, "No response")])
        self.flow.take()
        self.respond(180)
        self.assertEqual(self.short(), ["CANCEL"])
        self.respond(200, body=ANSWER)
        self.assertEqual(self.short(), ["ACK", "BYE"])
        self.assertEqual(self.leg.take(), [])

    def test_connection_lost(self) -> None:
        """
        A connection that ends before the answer is 503.
        """
        flow = Wire(transport="TCP")
        self.inviting(flow)
        flow.close()
        self.assertEqual([event[:2] for event in self.leg.take()], [("failed", 503)])

    def test_timer_c(self) -> None:
        """
        What rings for ever is given up; each 18x begins the wait anew (RFC 3261 16.6 and 16.7).
        """
        self.inviting()
        for _ in range(3):
            self.respond(180)
            self.stage.wait(170)
        self.leg.take()
        self.flow.take()
        self.stage.wait(11)
        self.assertEqual(self.leg.take(), [("failed", 480, "No answer")])
        self.assertEqual(self.short()[0], "CANCEL")

    def test_request_that_cannot_be_written(self) -> None:
        """
        A mistake of ours leaves nothing behind.
        """
        self.assertRaises(ValueError, self.inviting, headers=(("X", "a\r\nb"),))
        self.assertEqual(self.stage.left(), {})

    def test_422(self) -> None:
        """
        Too short an interval is asked again with the peer's minimum, once (RFC 4028 7.4).
        """
        self.inviting()
        self.respond(422, headers=(("Min-SE", "3600"),))
        _, again = self.took()
        self.assertEqual((str(again.cseq), again.headers.get("Session-Expires")), ("2 INVITE", "3600"))
        self.assertEqual((again.headers.get("Min-SE"), len(again.headers.get_all("Via"))), ("3600", 1))
        self.respond(422, headers=(("Min-SE", "7200"),), to=again)
        self.assertEqual([event[:2] for event in self.leg.take()], [("failed", 422)])
        self.inviting()
        self.respond(422)
        self.assertEqual([event[:2] for event in self.leg.take()], [("failed", 422)])


class CancelTests(StageCase):
    """
    An INVITE given up (RFC 3261 9.1).
    """

    def test_waits_for_a_provisional(self) -> None:
        """
        No CANCEL before the first response; then at once, with its reason; 487 ends it.
        """
        self.inviting().cancel("SIP;cause=200")
        self.assertEqual(self.took(), [])
        self.respond(180)
        (cancel,) = self.took()
        self.assertEqual((cancel.method, cancel.headers.get("Reason")), ("CANCEL", "SIP;cause=200"))
        self.respond(487)
        self.assertEqual([event[:2] for event in self.leg.take()], [("failed", 487)])
        self.outgoing.cancel()

    def test_crosses_200(self) -> None:
        """
        A 200 that crosses it is acknowledged and ended with BYE.
        """
        self.inviting()
        self.respond(180)
        self.outgoing.cancel()
        self.outgoing.cancel()
        self.leg.take()
        self.assertEqual(self.short(), ["CANCEL"])
        self.respond(200, body=ANSWER)
        self.assertEqual(self.short(), ["ACK", "BYE"])
        self.assertEqual(self.leg.take(), [("failed", 487, "Cancelled")])

    def test_unanswered(self) -> None:
        """
        No answer to the INVITE for 64*T1 after the CANCEL: it counts as cancelled.
        """
        self.inviting()
        self.respond(180)
        self.leg.take()
        self.outgoing.cancel()
        self.stage.wait(33)
        self.assertEqual(self.leg.take(), [("failed", 487, "Cancelled")])
        self.flow.take()
        self.respond(200, body=ANSWER)
        self.assertEqual(self.short(), ["ACK", "BYE"])

    def test_late_ringing(self) -> None:
        """
        The 64*T1 count from when we gave up, not from when the CANCEL could be sent.
        """
        self.inviting().cancel()
        self.stage.wait(3)
        self.respond(180)
        self.stage.wait(28.8)
        self.assertEqual(self.leg.take(), [])
        self.stage.wait(0.4)
        self.assertEqual(self.leg.take(), [("failed", 487, "Cancelled")])

    def test_never_heard_of(self) -> None:
        """
        A peer that says nothing at all after we gave up is cancelled, not unreachable.
        """
        self.inviting().cancel()
        self.stage.wait(40)
        self.assertEqual(self.leg.take(), [("failed", 487, "Cancelled")])


class OwnerTests(StageCase):
    """
    Owners that can't take the answer.
    """

    def answer_raises(self, error: Exception) -> None:
        """
        An answer whose owner fails.
        """
        def broken(*args: object) -> None:
            raise error

        self.leg.answered = broken  # type: ignore[method-assign]
        self.inviting()
        self.respond(200, body=ANSWER)
        self.assertEqual(self.short(), ["ACK", "BYE"])

    def test_refused_answer(self) -> None:
        """
        An answer that the owner refuses is ended with BYE, and has failed.
        """
        self.answer_raises(refusal(488))
        self.assertEqual(self.leg.take(), [("failed", 488, "Not Acceptable Here")])

    def test_failure(self) -> None:
        """
        Where the owner fails the call is not left up.
        """
        self.assertRaises(ZeroDivisionError, self.answer_raises, ZeroDivisionError())
        self.assertEqual(self.short(), ["ACK", "BYE"])


class ForkTests(StageCase):
    """
    Several To tags behind one INVITE (RFC 3261 13.2.2.4).
    """

    def test_two_answers(self) -> None:
        """
        The first answer has the call; any other gets ACK and BYE, its copies only ACKs.
        """
        self.inviting()
        for tag in ("a", "b", "c"):
            self.respond(180, tag)
        self.assertEqual(len(self.core.dialogs), 3)
        self.respond(200, "b", body=ANSWER)
        self.leg.take()
        self.assertEqual((self.short(), list(self.core.dialogs)), (["ACK"], [("call-2", "ours-1", "b")]))
        self.respond(200, "a", body=ANSWER)
        ack, bye = self.took()
        self.assertEqual((ack.method, bye.method, bye.to_tag), ("ACK", "BYE", "a"))
        self.respond(200, "a", body=ANSWER)
        self.assertEqual(self.short(), ["ACK"])
        self.respond(200, to=bye, tag="a")
        self.respond(200, "a", body=ANSWER)
        self.assertEqual(self.short(), ["ACK"])
        self.assertEqual((self.leg.take(), list(self.core.dialogs)), ([], [("call-2", "ours-1", "b")]))
        assert self.leg.session is not None
        self.session = self.leg.session
        self.end()

    def test_sequence_goes_on(self) -> None:
        """
        What the peer counted in the early dialog holds in the confirmed one.
        """
        self.inviting()
        self.respond(180)
        self.session = next(iter(self.core.dialogs.values()))
        self.assertEqual(self.within("INFO", cseq=50).status, 200)
        self.respond(200, body=ANSWER)
        self.assertEqual(self.within("INFO", cseq=49).status, 500)
        self.cseq = 51
        self.end()

    def test_limits(self) -> None:
        """
        A peer can make only so many early dialogs, and only so many answers are ended.
        """
        self.inviting()
        for n in range(100):
            self.respond(180, f"tag-{n}")
        self.assertEqual(len(self.core.dialogs), MOST_EARLY_DIALOGS)
        for n in range(100):
            self.respond(200, f"tag-{n}", body=ANSWER)
        self.assertEqual(self.short().count("BYE"), MOST_EARLY_DIALOGS - 1)
        assert self.leg.session is not None
        self.session = self.leg.session
        self.end()

    def test_early_bye(self) -> None:
        """
        A BYE ends one early dialog; the INVITE goes on, and an answer of the same phone is taken after all.
        """
        self.inviting()
        self.respond(180)
        self.session = next(iter(self.core.dialogs.values()))
        self.leg.take()
        self.assertEqual(self.within("BYE").status, 200)
        self.assertEqual((self.leg.take(), self.core.dialogs), ([], {}))
        self.respond(200, body=ANSWER)
        self.assertEqual(self.leg.names(), ["answered"])
        assert self.leg.session is not None
        self.session = self.leg.session
        self.assertEqual(list(self.core.dialogs.values()), [self.session])
        self.end()

    def test_early_requests(self) -> None:
        """
        A re-INVITE, or an offer in an UPDATE, crosses our own offer: 491 (RFC 3261 14.2, RFC 3311 5.2).
        """
        self.inviting()
        self.respond(180)
        self.session = next(iter(self.core.dialogs.values()))
        self.assertEqual(self.within("INVITE", body=OFFER).status, 491)
        self.assertEqual(self.within("UPDATE", body=OFFER).status, 491)
        self.assertEqual(self.within("UPDATE").status, 200)
        self.respond(486)


class ReliableTests(StageCase):
    """
    Reliable provisional responses, of the side that asked (RFC 3262 4).
    """

    def reliable(self, number: object, tag: str = "peer-1", body: bytes = ANSWER) -> list[Request]:
        """
        A reliable 183; what we send for it.
        """
        self.respond(183, tag, body=body, headers=(*RELIABLE, ("RSeq", str(number))))
        return self.took()

    def test_acknowledged_in_order(self) -> None:
        """
        Each gets a PRACK with RAck; a copy or one out of order gets none and is not told.
        """
        self.inviting()
        (prack,) = self.reliable(5)
        self.assertEqual((prack.method, str(prack.cseq), prack.headers.get("RAck")), ("PRACK", "2 PRACK", "5 1 INVITE"))
        self.assertEqual(self.leg.take(), [("ringing", 183, ANSWER)])
        for number in (5, 7, 4):
            self.assertEqual((self.reliable(number), self.leg.take()), ([], []))
        self.assertEqual(len(self.reliable(6)), 1)
        self.assertEqual(len(self.reliable(900, "fork")), 1)
        self.respond(200, body=ANSWER)
        (ack,) = self.took()
        self.assertEqual(str(ack.cseq), "1 ACK")
        assert self.leg.session is not None
        self.session = self.leg.session
        self.assertEqual(self.session.dialog.local_cseq, 3)
        self.end()

    def test_malformed_rseq(self) -> None:
        """
        Without a number there is nothing to acknowledge.
        """
        self.inviting()
        for number in ("", "x", "²", "9" * 5000, 2**32):
            self.assertEqual(self.reliable(number), [])
        self.respond(486)

    def test_update_in_the_early_dialog(self) -> None:
        """
        Once a reliable response has answered our offer, the peer may send another in an UPDATE (RFC 3311 5.1).
        """
        self.inviting()
        self.reliable(1)
        self.session = next(iter(self.core.dialogs.values()))
        self.leg.answer = b"v=0 for update"
        answer = self.within("UPDATE", body=OFFER)
        self.assertEqual((answer.status, answer.body), (200, b"v=0 for update"))
        self.respond(200, body=ANSWER)
        assert self.leg.session is not None
        self.assertEqual(self.leg.session.local_sdp, b"v=0 for update")
        self.end()

    def test_no_contact_no_dialog(self) -> None:
        """
        An 18x without tag or Contact makes no dialog; it rings all the same.
        """
        self.inviting()
        self.respond(180, None)
        self.respond(183, contact=None, headers=(*RELIABLE, ("RSeq", "1")))
        self.assertEqual((self.core.dialogs, self.took(), len(self.leg.take())), ({}, [], 2))
        self.respond(486)


class MalformedTests(StageCase):
    """
    Answers that can't be used.
    """

    def test_answer_without_a_usable_contact(self) -> None:
        """
        A 200 that makes no dialog gets ACK and BYE where the INVITE went: the peer must not believe the call is up.
        """
        for contact in (None, "<sip:", "<sip:a@b>, <sip:c@d>"):
            self.inviting()
            self.respond(200, body=ANSWER, contact=contact)
            ack, bye = self.took()
            self.assertEqual((ack.method, ack.uri, bye.method), ("ACK", "sip:1002@192.0.2.2", "BYE"))
            self.assertEqual([event[:2] for event in self.leg.take()], [("failed", 502)])
            self.respond(200, body=ANSWER, contact=contact)
            self.assertEqual(self.short(), ["ACK"])
            self.respond(200, to=bye)

    def test_answer_with_malformed_extras(self) -> None:
        """
        Neither a Session-Expires nor a description that can't be read keeps a call from being told of.
        """
        self.inviting()
        self.respond(200, body=b"--x", headers=(("Content-Type", "multipart/mixed"), ("Session-Expires", "soon")))
        self.assertEqual(self.leg.take(), [("answered", None)])
        assert self.leg.session is not None
        self.session = self.leg.session
        self.end()

    def test_ringing_with_malformed_extras(self) -> None:
        """
        An 18x whose Contact or description can't be read harms nothing.
        """
        self.inviting()
        self.respond(183, body=b"--x", headers=(("Content-Type", "multipart/mixed"),))
        self.respond(180, "other", contact="<sip:")
        self.assertEqual(self.leg.take()[0], ("ringing", 183, None))
        self.respond(200, body=ANSWER, headers=(SDP,))
        assert self.leg.session is not None
        self.session = self.leg.session
        self.end()
