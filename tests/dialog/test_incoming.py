"""
Tests for :mod:`pbx.dialog.incoming`.
"""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from pbx.dialog.incoming import IIncomingUser, IncomingInvite
from pbx.dialog.user import State
from pbx.dialog.useragent import ALLOW
from pbx.sip.message import Response
from tests.dialog.stage import ANSWER, OFFER, SDP, Leg, StageCase, refusal

RELIABLE = (("Require", "100rel"),)
OTHER = b"v=0 another offer"


class AnswerTests(StageCase):
    """
    An INVITE received, without reliable responses (RFC 3261 13.3).
    """

    def test_interface(self) -> None:
        """
        The user of the tests is one.
        """
        self.assertTrue(verifyObject(IIncomingUser, Leg()))

    def test_provisional(self) -> None:
        """
        A 180 makes an early dialog: our tag, our Contact, the route, what we allow.
        """
        invite = self.invited(headers=(("Record-Route", "<sip:p1;lr>"),))
        invite.provisional(180, None, [("X-Note", "yes")])
        (ringing,) = self.took()
        self.assertEqual(ringing.status, 180)
        self.assertEqual(ringing.headers.get("Contact"), "<sip:pbx@192.0.2.1:5060>")
        self.assertEqual(ringing.headers.get("Record-Route"), "<sip:p1;lr>")
        self.assertEqual((ringing.headers.get("Allow"), ringing.headers.get("X-Note")), (ALLOW, "yes"))
        self.assertEqual(list(self.core.dialogs), [("call-1", ringing.to_tag, "peer-1")])
        invite.provisional(183, ANSWER)
        self.assertEqual(self.took()[0].body, ANSWER)
        invite.reject(486)

    def test_accepted(self) -> None:
        """
        The 200 has our answer, the session timer and our abilities; after its ACK the session is up.
        """
        session = self.accepted(headers=(("Allow", "INVITE, UPDATE"),))
        self.assertEqual(self.answer.body, ANSWER)
        self.assertEqual(self.answer.headers.get("Content-Type"), SDP[1])
        self.assertEqual(self.answer.headers.get("Session-Expires"), "1800;refresher=uas")
        self.assertEqual(self.answer.headers.get("Allow"), ALLOW)
        self.assertEqual((session.state, session.allow, session.local_sdp), (State.UP, {"INVITE", "UPDATE"}, ANSWER))
        self.assertEqual(self.leg.names(), ["acknowledged"])
        self.assertEqual(self.core.invites, {})
        self.end()
        self.assertEqual(self.leg.take(), [("ended", True, 16, "Normal call clearing")])

    def test_accepted_only_once(self) -> None:
        """
        A second answer is a mistake of ours; a refusal or 1xx after it is passed over.
        """
        self.accepted()
        self.assertRaises(ValueError, self.incoming.accept, ANSWER)
        self.incoming.reject(486)
        self.incoming.provisional(180)
        self.assertEqual(self.took(), [])
        self.assertTrue(self.incoming.final)
        self.end()

    def test_late_offer(self) -> None:
        """
        For an INVITE without an offer ours is in the 200, and the answer in the ACK.
        """
        self.accepted(body=b"", acknowledge=False)
        self.assertEqual(self.answer.body, OFFER)
        self.acknowledge(body=ANSWER)
        self.assertEqual(self.leg.take(), [("answer", ANSWER), ("acknowledged",)])
        self.end()

    def test_late_offer_without_an_answer(self) -> None:
        """
        An ACK without the answer, or with one that is of no use, ends the call with BYE.
        """
        for body, refuses in ((b"", refusal(488)), (ANSWER, refusal(488))):
            self.leg.refuses = refuses
            self.accepted(body=b"", acknowledge=False)
            self.acknowledge(body=body)
            (bye,) = self.took()
            self.assertEqual(bye.method, "BYE")
            self.assertIn("Q.850", bye.headers.get("Reason"))
            self.respond(200, to=bye)
            self.assertEqual(self.leg.take(), [("answer", body), ("ended", False, 127, "Not Acceptable Here")])

    def test_no_ack(self) -> None:
        """
        The 200 is repeated; without an ACK for 64*T1 the session ends with BYE (RFC 3261 13.3.1.4).
        """
        self.accepted(acknowledge=False)
        self.stage.wait(31)
        self.assertEqual(set(self.short()), {200})
        self.stage.wait(2)
        self.assertIn("BYE", self.short())
        self.assertEqual(self.leg.take(), [("ended", False, 102, "No ACK")])

    def test_rejected(self) -> None:
        """
        A refusal takes the early dialog with it.
        """
        invite = self.invited()
        invite.provisional(180)
        invite.reject(486, "Busy", [("Reason", "x")])
        answer = self.took()[-1]
        self.assertEqual((answer.status, answer.reason, answer.headers.get("Reason")), (486, "Busy", "x"))
        self.assertNotIn("Contact", answer.headers)
        self.assertEqual(self.core.dialogs, {})
        self.assertEqual(self.within_early("INFO").status, 481)

    def within_early(self, method: str, **options: Any) -> Any:
        """
        A request within the early dialog.
        """
        session = self.incoming.session
        assert session is not None
        self.session = session
        return self.within(method, **options)

    def test_refused_at_once(self) -> None:
        """
        What can't be served is refused before anybody hears of it.
        """
        for options, status, name in (
            ({"body": b"<xml/>", "headers": (("Content-Type", "text/xml"),)}, 415, "Accept"),
            ({"contact": None}, 400, None),
            ({"headers": (("Session-Expires", "60"), ("Supported", "timer"))}, 422, "Min-SE"),
            ({"headers": (("Session-Expires", "x"),)}, 400, None),
        ):
            self.assertIsNone(self.invited(**options))
            (answer,) = self.took()
            self.assertEqual(answer.status, status)
            self.assertEqual(name is None or name in answer.headers, True)
            self.assertEqual(self.core.invites, {})

    def test_user_comes_first(self) -> None:
        """
        To answer before anybody has it is a mistake of ours.
        """
        def serve(transaction: Any, request: Any) -> None:
            self.held = IncomingInvite(self.core, transaction, request, "pbx")

        self.stage.owner.serve = serve
        self.stage.receive(self.request("INVITE", body=OFFER))
        self.assertRaises(ValueError, self.held.provisional, 180)
        self.assertFalse(self.held.reliable)
        self.held.reject(500)

    def test_cancelled(self) -> None:
        """
        A CANCEL is 487 for the INVITE; its Reason is told in words (RFC 3261 9.2).
        """
        for headers, text in (
            ((), "Cancelled by the caller"),
            ((("Reason", 'SIP;cause=200;text="Call completed elsewhere"'),), "Call completed elsewhere"),
            ((("Reason", "nonsense;;;="),), "Cancelled by the caller"),
        ):
            self.invited().provisional(180)
            self.flow.take()
            self.cancel(*headers)
            self.assertEqual(self.short(), [200, 487])
            self.assertEqual(self.leg.take(), [("cancelled", text, 487)])
            self.cancel()
            self.assertEqual((self.short(), self.leg.take()), ([200], []))

    def test_early_bye(self) -> None:
        """
        A BYE within the early dialog is 200, and 487 for the INVITE (RFC 3261 15.1.2).
        """
        self.invited().provisional(180)
        self.flow.take()
        self.assertEqual(self.within_early("BYE").status, 200)
        self.assertEqual(self.leg.take(), [("cancelled", "BYE before the answer", 487)])

    def test_early_requests(self) -> None:
        """
        In the early dialog INFO and OPTIONS are served; a re-INVITE or an UPDATE with an offer comes too early.
        """
        self.invited().provisional(180)
        self.flow.take()
        self.assertEqual(self.within_early("INFO").status, 200)
        self.assertEqual(self.within_early("OPTIONS").status, 200)
        self.assertEqual(self.within_early("UPDATE").status, 200)
        for method in ("INVITE", "UPDATE"):
            answer = self.within_early(method, body=OTHER)
            self.assertEqual(answer.status, 500)
            self.assertIn(int(answer.headers.get("Retry-After")), range(11))
        self.assertEqual(self.within_early("PRACK", headers=(("RAck", "1 1 INVITE"),)).status, 481)
        self.incoming.reject(486)


class ReliableTests(StageCase):
    """
    An INVITE whose provisional responses must be acknowledged (RFC 3262).
    """

    def early(self, sdp: bytes | None = None, **options: Any) -> Response:
        """
        An INVITE, and our first reliable response.
        """
        self.invited(headers=RELIABLE, **options).provisional(183, sdp)
        found = self.took()[-1]
        assert self.incoming.session is not None
        self.session = self.incoming.session
        return found

    def prack(self, response: Response, body: bytes = b"") -> Any:
        """
        The peer acknowledges it; what it gets for an answer.
        """
        rack = f"{response.headers.get('RSeq')} {response.cseq}"
        return self.within("PRACK", headers=(("RAck", rack),), body=body)

    def test_answer_in_a_provisional(self) -> None:
        """
        It is repeated until its PRACK; only then goes the 200.
        """
        response = self.early(ANSWER)
        self.assertTrue(self.incoming.reliable)
        self.assertEqual(response.headers.get("Require"), "100rel")
        self.stage.wait(0.6)
        self.assertEqual(self.short(), [183])
        self.session = self.incoming.accept(ANSWER)
        self.assertEqual((self.took(), self.session.state), ([], State.EARLY))
        self.within_prack(response)
        self.acknowledge()
        self.end()

    def within_prack(self, response: Response) -> None:
        """
        The PRACK is answered before the INVITE.
        """
        rack = f"{response.headers.get('RSeq')} {response.cseq}"
        request = self.request("PRACK", headers=(
            ("From", self.session.dialog.remote), ("To", self.session.dialog.local), ("RAck", rack),
        ))
        self.stage.receive(request)
        self.assertEqual([(m.status, m.cseq.method) for m in self.took()], [(200, "PRACK"), (200, "INVITE")])

    def test_another_prack(self) -> None:
        """
        A PRACK that acknowledges nothing is 481, one without RAck 400.
        """
        response = self.early()
        self.assertEqual(self.within("PRACK", headers=(("RAck", "1 1 INVITE"),)).status, 481)
        self.assertEqual(self.within("PRACK").status, 400)
        self.assertEqual(self.prack(response).status, 200)
        self.assertEqual(self.prack(response).status, 481)
        self.incoming.reject(486)

    def test_no_prack(self) -> None:
        """
        Without a PRACK for 64*T1 the INVITE is refused.
        """
        self.early(ANSWER)
        self.stage.wait(33)
        self.assertEqual(self.leg.take(), [("cancelled", "No PRACK", 504)])
        self.assertIn(504, self.short())

    def test_no_prack_after_accept(self) -> None:
        """
        Nor does the accepted call come about: whoever accepted it hears that it has ended.
        """
        self.early(ANSWER)
        self.incoming.accept(ANSWER)
        self.stage.wait(33)
        self.assertEqual(self.leg.take(), [("ended", False, 102, "No PRACK")])
        self.assertEqual(self.core.dialogs, {})

    def test_given_up_while_the_answer_waits(self) -> None:
        """
        CANCEL and BYE that come before the 200 could be sent end the call.
        """
        for how in ("cancel", "bye"):
            self.early(ANSWER)
            self.session = self.incoming.accept(ANSWER)
            if how == "cancel":
                self.cancel()
            else:
                self.within("BYE")
            self.assertEqual([name for name, *_ in self.leg.take()], ["ended"])
            self.assertEqual(self.core.dialogs, {})
            self.stage.wait(40)
            self.flow.take()

    def test_hung_up_while_the_answer_waits(self) -> None:
        """
        We may think better of it: the INVITE is refused then, for there is nothing a BYE could end.
        """
        self.early(ANSWER)
        self.incoming.accept(ANSWER).hang_up()
        self.assertEqual(self.short(), [480])
        self.assertEqual((self.leg.take(), self.core.dialogs), ([], {}))

    def test_offer_in_a_provisional(self) -> None:
        """
        Our offer in a 183, the answer in its PRACK: the 200 brings neither again, even when it waited for the PRACK.
        """
        for early in (False, True):
            response = self.early(OFFER, body=b"")
            if early:
                self.incoming.accept(OFFER)
            rack = f"{response.headers.get('RSeq')} {response.cseq}"
            dialog = self.session.dialog
            self.stage.receive(self.request("PRACK", body=ANSWER, headers=(
                ("From", dialog.remote), ("To", dialog.local), ("RAck", rack),
            )))
            if not early:
                self.incoming.accept(OFFER)
            prack, answer = self.took()
            self.assertEqual([(m.status, m.cseq.method, m.body) for m in (prack, answer)],
                             [(200, "PRACK", b""), (200, "INVITE", b"")])
            self.acknowledge()
            self.assertEqual(self.leg.take(), [("answer", ANSWER), ("acknowledged",)])
            self.end()
            self.leg.take()

    def test_offer_in_a_provisional_without_answer(self) -> None:
        """
        A PRACK without the answer leaves it to the ACK.
        """
        response = self.early(OFFER, body=b"")
        self.assertEqual(self.prack(response).status, 200)
        self.incoming.accept(OFFER)
        self.assertEqual(self.took()[-1].body, OFFER)
        self.acknowledge(body=ANSWER)
        self.assertEqual(self.leg.names(), ["answer", "acknowledged"])
        self.end()

    def test_answer_in_prack_of_no_use(self) -> None:
        """
        An answer that is of no use ends the INVITE.
        """
        self.leg.refuses = refusal(488)
        response = self.early(OFFER, body=b"")
        self.assertEqual(self.prack(response, ANSWER).status, 488)
        self.assertEqual([name for name, *_ in self.leg.take()], ["answer", "cancelled"])
        self.assertEqual((self.core.dialogs, self.core.invites), ({}, {}))

    def test_offer_in_prack(self) -> None:
        """
        Once the first offer has its answer a PRACK may bring another; before that it is 491.
        """
        response = self.early(None)
        self.assertEqual(self.prack(response, OTHER).status, 491)
        self.incoming.provisional(183, ANSWER)
        self.leg.answer = b"v=0 for prack"
        answer = self.prack(self.took()[-1], OTHER)
        self.assertEqual((answer.status, answer.body), (200, b"v=0 for prack"))
        self.assertEqual(self.leg.take(), [("offer", OTHER)])
        self.incoming.accept(ANSWER)
        self.assertEqual(self.took()[-1].body, b"")
        self.acknowledge()
        self.end()

    def test_update_in_the_early_dialog(self) -> None:
        """
        Once settled, the early dialog takes an UPDATE; the 200 does not repeat what it has overtaken (RFC 3311 5.1).
        """
        response = self.early(ANSWER)
        self.assertEqual(self.within("UPDATE", body=OTHER).status, 500)
        self.prack(response)
        self.leg.answer = b"v=0 for update"
        answer = self.within("UPDATE", body=OTHER, contact="<sip:1002@192.0.2.44>")
        self.assertEqual((answer.status, answer.body), (200, b"v=0 for update"))
        self.assertEqual(self.session.dialog.remote_target, "sip:1002@192.0.2.44")
        self.session = self.incoming.accept(ANSWER)
        self.assertEqual(self.took()[-1].body, b"")
        self.assertEqual(self.session.local_sdp, b"v=0 for update")
        self.acknowledge()
        self.end()

    def test_update_while_our_offer_waits(self) -> None:
        """
        An UPDATE with an offer that crosses ours is 491.
        """
        self.early(OFFER, body=b"")
        self.assertEqual(self.within("UPDATE", body=OTHER).status, 491)
        self.incoming.reject(486)

    def test_many_provisionals(self) -> None:
        """
        Those that would wait behind others are left out when the answer comes.
        """
        response = self.early(ANSWER)
        for _ in range(30):
            self.incoming.provisional(180, ANSWER)
        self.incoming.accept(ANSWER)
        self.within_prack(response)
        self.acknowledge()
        self.end()
