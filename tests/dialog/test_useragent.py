"""
Tests for :mod:`pbx.dialog.useragent`.
"""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from pbx.dialog.incoming import IncomingInvite
from pbx.dialog.useragent import ALLOW, MOST_LATE, UNHEEDED, IUserAgentOwner, LateBye, contact_of, new_call_id, new_tag
from pbx.sip.message import ProtocolError, Request, Response, response_to
from pbx.transaction.user import IClientUser, ITransactionUser
from tests.dialog.stage import OFFER, PEER, Owner, StageCase, refusal
from tests.transaction.link import Wire


class ChecksTests(StageCase):
    """
    What is checked of every request outside a dialog, in order (RFC 3261 8.2).
    """

    def setUp(self) -> None:
        super().setUp()
        self.stage.owner.serve = lambda transaction, request: self.core.respond(transaction, 200)

    def test_interfaces(self) -> None:
        """
        Each provider has what its interface asks for.
        """
        self.assertTrue(verifyObject(ITransactionUser, self.core))
        self.assertTrue(verifyObject(IUserAgentOwner, Owner()))
        self.assertTrue(verifyObject(IClientUser, UNHEEDED))
        self.assertTrue(verifyObject(IClientUser, LateBye(set(), ("", "", ""))))

    def test_passed_on(self) -> None:
        """
        What passes is the owner's, who answers with a tag of ours.
        """
        methods = ("OPTIONS", "REGISTER", "INVITE", "MESSAGE", "NOTIFY", "SUBSCRIBE", "REFER", "PUBLISH")
        for method in methods:
            response = self.ask(method)
            self.assertEqual(response.status, 200)
            self.assertTrue(response.to_tag)
        self.assertEqual(len(self.stage.owner.requests), len(methods))

    def test_method(self) -> None:
        """
        A method that is not registered is 501 with Allow.
        """
        for method in ("DANCE", "invite"):
            response = self.ask(method, headers=(("Require", "nonsense"),))
            self.assertEqual((response.status, response.headers.get("Allow")), (501, ALLOW))

    def test_require(self) -> None:
        """
        An extension that we don't have is 420 and named; those we have pass.
        """
        response = self.ask("OPTIONS", headers=(("Require", "timer, Foo, 100rel, bar"),))
        self.assertEqual((response.status, response.headers.get("Unsupported")), (420, "foo, bar"))
        self.assertEqual(self.ask("OPTIONS", headers=(("Require", "Timer, 100rel"),)).status, 200)

    def test_nothing_can_be_required_of_a_cancel(self) -> None:
        """
        Require in a CANCEL is ignored; one that matches no INVITE is 481 (RFC 3261 8.2.2.3 and 9.2).
        """
        self.assertEqual(self.ask("CANCEL", headers=(("Require", "foo"),)).status, 481)

    def test_no_such_dialog(self) -> None:
        """
        A tag of ours that we don't know is 481, and so is what makes sense only within a dialog.
        """
        for method in ("INVITE", "BYE", "UPDATE", "INFO", "PRACK", "OPTIONS", "NOTIFY", "MESSAGE"):
            self.assertEqual(self.ask(method, to_tag="unknown").status, 481)
        for method in ("BYE", "UPDATE", "INFO", "PRACK"):
            self.assertEqual(self.ask(method).status, 481)
        self.assertEqual(self.ask("ACK", to_tag="unknown"), None)
        self.assertEqual(self.took(), [])
        self.assertEqual(self.stage.owner.requests, [])

    def test_register_may_have_a_to_tag(self) -> None:
        """
        Some phones leave a tag in the To of a REGISTER: it is in no dialog all the same.
        """
        self.assertEqual(self.ask("REGISTER", to_tag="x").status, 200)

    def test_merged(self) -> None:
        """
        The same request by another way, while the first is in progress, is 482; with another CSeq it is a new one.
        """
        self.stage.owner.serve = lambda transaction, request: None
        self.assertIsNone(self.ask("INVITE", cseq=5))
        self.assertEqual(self.ask("INVITE", cseq=5).status, 482)
        self.assertIsNone(self.ask("INVITE", cseq=6))
        for transaction, _ in self.stage.owner.requests:
            self.core.respond(transaction, 486)
        self.assertEqual(len(self.stage.owner.requests), 2)

    def test_scheme(self) -> None:
        """
        A Request-URI of a scheme that is not ours is 416; tel is.
        """
        for uri, status in (("mailto:a@b", 416), ("http://a", 416), ("tel:+4930", 200), ("sips:a@b", 200),
                            ("sip:", 400)):
            self.assertEqual(self.ask("INVITE", uri=uri).status, status)

    def test_max_forwards(self) -> None:
        """
        An INVITE that may not go any further is 483; OPTIONS is for us (RFC 3261 8.1.1.6, 11).
        """
        for method, hops, status in (("INVITE", "0", 483), ("INVITE", "1", 200), ("OPTIONS", "0", 200),
                                     ("INVITE", "256", 400), ("INVITE", "many", 400)):
            self.assertEqual(self.ask(method, headers=(("Max-Forwards", hops),)).status, status)

    def test_order(self) -> None:
        """
        What is wrong in several ways gets the first answer in order.
        """
        wrong = [("Require", "foo"), ("Max-Forwards", "0")]
        self.assertEqual(self.ask("INVITE", to_tag="unknown", headers=wrong).status, 420)
        self.assertEqual(self.ask("INVITE", to_tag="unknown", headers=wrong[1:], uri="mailto:a").status, 481)
        self.assertEqual(self.ask("INVITE", headers=wrong[1:], uri="mailto:a").status, 416)

    def test_malformed(self) -> None:
        """
        From, To or Contact that can't be read is 400; no transaction is left to wait for an answer.
        """
        def serve(transaction: Any, request: Request) -> None:
            request.contacts  # noqa: B018  # what a registrar or a dialog does
            self.core.respond(transaction, 200)

        self.stage.owner.serve = serve
        for name in ("From", "To", "Contact"):
            for value in ("<sip:", "nobody at all"):
                response = self.ask("OPTIONS", headers=((name, value),))
                self.assertEqual(response.status, 400, f"{name}: {value}")
        self.assertEqual(self.stage.layer.unauthenticated, 0)

    def test_owner_refuses(self) -> None:
        """
        An error of the owner's is the answer, with what such an answer must have.
        """
        for status, name in ((405, "Allow"), (415, "Accept"), (404, None)):
            def serve(transaction: Any, request: Request, status: int = status) -> None:
                raise refusal(status)

            self.stage.owner.serve = serve
            response = self.ask("MESSAGE")
            self.assertEqual((response.status, response.reason), (status, "Not Acceptable Here"))
            self.assertEqual(name is None or name in response.headers, True)

    def test_failure(self) -> None:
        """
        A failure of ours is logged and answered 500, and harms no other request.
        """
        def serve(transaction: Any, request: Request) -> None:
            raise ZeroDivisionError

        served, self.stage.owner.serve = self.stage.owner.serve, serve
        self.assertEqual(self.ask("OPTIONS").status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.stage.owner.serve = served
        self.assertEqual(self.ask("OPTIONS").status, 200)

    def test_failure_after_the_answer(self) -> None:
        """
        After an answer there is no second one.
        """
        def serve(transaction: Any, request: Request) -> None:
            self.core.respond(transaction, 202)
            raise ProtocolError(500, "too late")

        self.stage.owner.serve = serve
        self.assertEqual(self.ask("MESSAGE").status, 202)

    def test_failure_with_the_invite_in_hand(self) -> None:
        """
        A failure after somebody took the INVITE ends it for them too.
        """
        took = self.leg

        def serve(transaction: Any, request: Request) -> None:
            IncomingInvite(self.core, transaction, request, "pbx").use(took)
            raise ZeroDivisionError

        self.stage.owner.serve = serve
        self.assertEqual(self.ask("INVITE", body=OFFER).status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.leg.take(), [("cancelled", "Server Internal Error", 500)])
        self.assertEqual(self.core.invites, {})


class BorderTests(StageCase):
    """
    Failures of users at the other ways in.
    """

    def fail_with(self, name: str) -> None:
        def broken(*args: Any) -> None:
            raise ZeroDivisionError

        setattr(self.leg, name, broken)

    def test_failing_ack(self) -> None:
        """
        A failure at an ACK is logged; the session goes on.
        """
        self.fail_with("acknowledged")
        self.accepted()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.end()

    def test_failing_cancel(self) -> None:
        """
        A failure at a CANCEL is logged; it is answered all the same.
        """
        self.fail_with("cancelled")
        self.invited()
        self.cancel()
        self.assertEqual(self.short(), [200, 487])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_malformed_ack(self) -> None:
        """
        An ACK that can't be read is nobody's.
        """
        self.accepted(acknowledge=False)
        self.within("ACK", cseq=1, headers=(("To", "<sip:"),))
        self.acknowledge()
        self.end()

    def test_cancel_after_the_answer(self) -> None:
        """
        A CANCEL for an INVITE that is answered changes nothing.
        """
        self.accepted()
        self.cancel()
        self.assertEqual(self.short(), [200])
        self.assertEqual(self.leg.names(), ["acknowledged"])
        self.end()


class LateAnswerTests(StageCase):
    """
    A 2xx to an INVITE that nobody waits for any more (RFC 3261 13.2.2.4).
    """

    def late(self, tag: str = "late", *, method: str = "INVITE", status: int = 200, contact: str = PEER) -> None:
        request = self.request(method, cseq=3)
        request.headers.set("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKgone")
        response = response_to(request, status, to_tag=tag)
        response.headers.add("Contact", contact)
        self.stage.receive(response)

    def test_acknowledged_and_ended(self) -> None:
        """
        It gets ACK and BYE; a copy of it gets only another ACK.
        """
        self.late()
        ack, bye = self.took()
        self.assertEqual((str(ack.cseq), str(bye.cseq)), ("3 ACK", "4 BYE"))
        self.assertEqual((bye.uri, bye.to_tag), ("sip:1002@192.0.2.2:5060", "late"))
        self.late()
        self.assertEqual(self.short(), ["ACK"])
        self.respond(200, to=bye)
        self.assertEqual(self.core.late, set())

    def test_limit(self) -> None:
        """
        Only so many are ended at once: anybody can send such a response.
        """
        for n in range(MOST_LATE + 50):
            self.late(f"late-{n}")
        self.assertEqual(self.short().count("BYE"), MOST_LATE)
        self.stage.wait(40)
        self.assertEqual(self.core.late, set())
        self.flow.take()
        self.late()
        self.assertEqual(self.short(), ["ACK", "BYE"])

    def test_closed_flow(self) -> None:
        """
        On a connection that has ended there is nothing to be done.
        """
        self.flow = Wire(transport="TCP")
        self.flow.closed = True
        self.late()
        self.stage.wait(1)
        self.assertEqual(self.core.late, set())

    def test_others_are_dropped(self) -> None:
        """
        Another method, another status, or one that makes no dialog is dropped.
        """
        self.late(method="BYE")
        self.late(status=486)
        self.late(status=180)
        self.late(contact="<sip:")
        self.assertEqual(self.took(), [])

    def test_an_answer_of_a_living_dialog(self) -> None:
        """
        A copy of the 2xx that made a session of ours, come when its transaction has ended, is no late answer.
        """
        self.answered()
        again = response_to(self.sent, 200, to_tag="peer-1")
        again.headers.add("Contact", PEER)
        self.stage.wait(40)
        self.flow.take()
        self.stage.receive(again)
        self.assertEqual(self.took(), [])
        self.end()


class NamesTests(StageCase):
    """
    What we call ourselves.
    """

    def test_contact(self) -> None:
        """
        The Contact names where we are seen, the transport but for UDP, and never sips.
        """
        for transport, host, expected in (
            ("UDP", "192.0.2.1", "<sip:1001@192.0.2.1:5060>"),
            ("TLS", "192.0.2.1", "<sip:1001@192.0.2.1:5060;transport=tls>"),
            ("TCP", "2001:db8::1", "<sip:1001@[2001:db8::1]:5060;transport=tcp>"),
        ):
            self.assertEqual(contact_of(Wire(transport=transport, local=(host, 5060)), "1001"), expected)

    def test_identifiers(self) -> None:
        """
        Tags and Call-IDs differ each time.
        """
        self.assertEqual(len({new_tag() for _ in range(100)} | {new_call_id() for _ in range(100)}), 200)

    def test_response_without_a_to(self) -> None:
        """
        The tag of a response is ours where the request has none, and the request's where it has one.
        """
        self.stage.owner.serve = lambda transaction, request: self.core.respond(transaction, 200, "Fine", [("X", "y")])
        response: Response = self.ask("REGISTER", to_tag="theirs")
        self.assertEqual((response.to_tag, response.reason, response.headers.get("X")), ("theirs", "Fine", "y"))
