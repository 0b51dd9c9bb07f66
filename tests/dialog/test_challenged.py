"""
Tests of requests that are challenged: an INVITE of ours, and what follows it within its dialog.
"""

from __future__ import annotations

from typing import Any

from pbx.dialog.credentials import MOST_ANSWERS, DigestCredentials, proofs
from pbx.sip.digest import ha1
from pbx.sip.message import Request, Response
from tests.dialog.stage import ANSWER, OFFER, OTHER, SDP, StageCase
from tests.dialog.test_credentials import ASKS, challenge, proof


class ChallengedCase(StageCase):
    """
    A peer that asks.
    """

    def setUp(self) -> None:
        super().setUp()
        self.stage.credentials = DigestCredentials("account", "s3cret")
        self.nonces = 0

    def ask_for_proof(self, request: Request, status: int = 401, **more: Any) -> None:
        """
        Challenge a request.
        """
        self.nonces += 1
        self.respond(status, to=request, headers=((ASKS[status], challenge(f"n{self.nonces}", **more)),))

    def verify(self, request: Request, status: int = 401) -> None:
        """
        The proof is right for the request as it is.
        """
        found = proof(request, status)
        self.assertTrue(found.verifies(ha1("account", found.realm, "s3cret"), request.method, request.body))
        self.assertEqual(found.uri, request.uri)


class InviteTests(ChallengedCase):
    """
    An INVITE that is challenged.
    """

    def test_answered(self) -> None:
        """
        The refusal is acknowledged, the INVITE sent again under the next number; the ACK to its 200 proves itself too.
        """
        for status in (401, 407):
            self.inviting()
            self.ask_for_proof(self.sent, status)
            ack, again = self.took()
            self.assertEqual((ack.method, str(ack.cseq)), ("ACK", "1 ACK"))
            self.assertEqual((str(again.cseq), again.call_id, again.body), ("2 INVITE", "call-2", OFFER))
            self.assertEqual(again.from_tag, self.sent.from_tag)
            self.assertEqual(len(again.headers.get_all("Via")), 1)
            self.assertNotEqual(again.top_via.branch, self.sent.top_via.branch)
            self.assertIsNone(again.to_tag)
            self.verify(again, status)
            self.respond(200, to=again, body=ANSWER)
            (ack,) = self.took()
            self.assertEqual((str(ack.cseq), proofs(ack)), ("2 ACK", proofs(again)))
            self.respond(200, to=again, body=ANSWER)
            self.assertEqual([proofs(copy) for copy in self.took()], [proofs(again)])
            assert self.leg.session is not None
            self.session = self.leg.session
            self.assertEqual(self.leg.names(), ["answered"])
            self.end()
            self.leg.take()

    def test_ringing_before(self) -> None:
        """
        What a first try began is forgotten with it.
        """
        self.inviting()
        self.respond(183, body=ANSWER)
        self.ask_for_proof(self.sent)
        self.assertEqual(self.core.dialogs, {})
        _, again = self.took()
        self.respond(486, to=again)
        self.assertEqual(self.leg.names(), ["ringing", "failed"])

    def test_wrong_password(self) -> None:
        """
        One further try; then the refusal stands.
        """
        self.inviting()
        self.ask_for_proof(self.sent)
        self.ask_for_proof(self.took()[-1])
        self.assertEqual(self.short(), ["ACK"])
        self.assertEqual([event[:2] for event in self.leg.take()], [("failed", 401)])

    def test_stale_for_ever(self) -> None:
        """
        A peer that takes no nonce is not asked for ever.
        """
        self.inviting()
        request = self.sent
        for _ in range(MOST_ANSWERS):
            self.ask_for_proof(request, stale=True)
            request = self.took()[-1]
        self.ask_for_proof(request, stale=True)
        self.assertEqual(self.short(), ["ACK"])
        self.assertEqual([event[:2] for event in self.leg.take()], [("failed", 401)])

    def test_given_up(self) -> None:
        """
        An INVITE that was given up is not sent again.
        """
        self.inviting().cancel()
        self.ask_for_proof(self.sent)
        self.assertEqual(self.short(), ["ACK"])
        self.assertEqual([event[:2] for event in self.leg.take()], [("failed", 401)])

    def test_with_422(self) -> None:
        """
        Interval and proof may both be asked for.
        """
        self.inviting()
        self.ask_for_proof(self.sent)
        second = self.took()[-1]
        self.respond(422, to=second, headers=(("Min-SE", "3600"),))
        third = self.took()[-1]
        self.assertEqual((str(third.cseq), third.headers.get("Session-Expires")), ("3 INVITE", "3600"))
        self.assertEqual(proof(third).nc, "00000002")
        self.verify(third)
        self.respond(486, to=third)

    def test_answered_too_late(self) -> None:
        """
        What answers after it was given up is ended by a BYE that proves itself; what rings then gets a CANCEL.
        """
        self.inviting()
        self.stage.wait(4.1)
        self.assertEqual(self.leg.take(), [("failed", 408, "No response")])
        self.flow.take()
        self.respond(180)
        self.assertEqual(self.short(), ["CANCEL"])
        self.respond(200, body=ANSWER)
        ack, bye = self.took()
        self.assertEqual((ack.method, bye.method), ("ACK", "BYE"))
        self.ask_for_proof(bye)
        (again,) = self.took()
        self.verify(again)
        self.respond(200, to=again)
        self.assertEqual((self.leg.take(), self.core.dialogs), ([], {}))

    def test_refused_too_late(self) -> None:
        """
        A challenge that comes after it was given up is not answered.
        """
        self.inviting()
        self.stage.wait(4.1)
        self.leg.take()
        self.flow.take()
        self.ask_for_proof(self.sent)
        self.assertEqual((self.short(), self.leg.take()), (["ACK"], []))

    def test_no_credentials(self) -> None:
        """
        Who has none sends it once.
        """
        self.stage.credentials = None
        self.inviting()
        self.ask_for_proof(self.sent)
        self.assertEqual(self.short(), ["ACK"])
        self.assertEqual([event[:2] for event in self.leg.take()], [("failed", 401)])

    def test_prack(self) -> None:
        """
        The PRACK to a reliable 183 proves itself when it is asked to, and keeps its RAck.
        """
        self.inviting()
        self.respond(183, headers=(("Require", "100rel"), ("RSeq", "7")), body=ANSWER)
        (prack,) = self.took()
        self.ask_for_proof(prack)
        (again,) = self.took()
        self.assertEqual((again.headers.get("RAck"), str(again.cseq)), ("7 1 INVITE", "3 PRACK"))
        self.verify(again)
        self.respond(200, to=again)
        self.respond(486)


class SessionTests(ChallengedCase):
    """
    Requests within a session that are challenged.
    """

    def test_bye(self) -> None:
        """
        A BYE is sent again with its reason; the session waits for the answer.
        """
        self.answered()
        self.session.hang_up((("Reason", "Q.850;cause=16"),))
        (bye,) = self.took()
        self.ask_for_proof(bye, 407)
        (again,) = self.took()
        self.assertEqual((again.method, again.cseq.number), ("BYE", bye.cseq.number + 1))
        self.assertEqual(again.headers.get("Reason"), "Q.850;cause=16")
        self.verify(again, 407)
        self.assertEqual(len(self.core.dialogs), 1)
        self.respond(200, to=again)
        self.assertEqual(self.core.dialogs, {})

    def test_bye_with_a_wrong_password(self) -> None:
        """
        One further try; then it is over, whatever the peer says.
        """
        self.answered()
        self.session.hang_up()
        self.ask_for_proof(self.took()[0])
        self.ask_for_proof(self.took()[0])
        self.assertEqual((self.took(), self.core.dialogs), ([], {}))

    def test_bye_stale_for_ever(self) -> None:
        """
        A peer that takes no nonce is not asked for ever.
        """
        self.answered()
        self.session.hang_up()
        for _ in range(MOST_ANSWERS + 1):
            self.ask_for_proof(self.took()[0], stale=True)
        self.assertEqual((self.took(), self.core.dialogs), ([], {}))

    def test_within(self) -> None:
        """
        INVITE, UPDATE, INFO and the rest are sent again, and the next carries its proof at once.
        """
        self.answered()
        for method in ("INVITE", "UPDATE", "INFO", "OPTIONS"):
            fields = (SDP,) if method == "INVITE" else ()
            done = self.session.exchange(method, fields, OFFER if method == "INVITE" else b"")
            (request,) = self.took()
            self.ask_for_proof(request)
            again = self.took()[-1]
            self.assertEqual((again.method, again.cseq.number), (method, request.cseq.number + 1))
            self.verify(again)
            self.assertNoResult(done)
            self.respond(200, to=again, body=ANSWER if method == "INVITE" else b"")
            self.assertEqual(self.successResultOf(done).status, 200)
            if method == "INVITE":
                (ack,) = self.took()
                self.assertEqual((ack.cseq.number, proofs(ack)), (again.cseq.number, proofs(again)))
        self.end()

    def test_offer(self) -> None:
        """
        An offer is still under way while its INVITE proves itself.
        """
        self.answered()
        done = self.session.exchange("INVITE", (SDP,), OTHER)
        self.ask_for_proof(self.took()[0])
        self.assertTrue(self.session.busy)
        self.respond(200, to=self.took()[-1], body=ANSWER)
        self.assertFalse(self.session.busy)
        self.successResultOf(done)
        self.end()

    def test_within_with_a_wrong_password(self) -> None:
        """
        One further try; then the refusal is the answer.
        """
        self.answered()
        done = self.session.exchange("INFO")
        self.ask_for_proof(self.took()[0])
        self.ask_for_proof(self.took()[0])
        found = self.successResultOf(done)
        assert isinstance(found, Response)
        self.assertEqual((found.status, self.took()), (401, []))
        self.end()

    def test_within_stale_for_ever(self) -> None:
        """
        A peer that takes no nonce is not asked for ever.
        """
        self.answered()
        done = self.session.exchange("INFO")
        for _ in range(MOST_ANSWERS + 1):
            self.ask_for_proof(self.took()[0], stale=True)
        self.assertEqual(self.took(), [])
        self.successResultOf(done)
        self.end()

    def test_ended_meanwhile(self) -> None:
        """
        A session that has ended asks nothing again.
        """
        self.answered()
        done = self.session.exchange("INFO")
        (request,) = self.took()
        self.end()
        self.assertEqual(self.successResultOf(done), 481)
        self.ask_for_proof(request)
        self.assertEqual(self.took(), [])

    def test_of_an_incoming_call(self) -> None:
        """
        A session that the peer began may be given credentials too.
        """
        session = self.accepted()
        session.credentials = self.stage.credentials
        session.hang_up()
        self.ask_for_proof(self.took()[0])
        (again,) = self.took()
        self.verify(again)
        self.respond(200, to=again)

    def test_no_credentials(self) -> None:
        """
        To a peer that we have none for, a challenge is an answer like others.
        """
        self.stage.credentials = None
        self.answered()
        done = self.session.exchange("INFO")
        self.ask_for_proof(self.took()[0])
        self.successResultOf(done)
        self.session.hang_up()
        self.ask_for_proof(self.took()[0])
        self.assertEqual((self.took(), self.core.dialogs), ([], {}))
