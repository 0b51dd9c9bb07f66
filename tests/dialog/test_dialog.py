"""
Tests for :mod:`pbx.dialog.dialog`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pbx.dialog.dialog import Dialog
from pbx.sip.message import Headers, ProtocolError, Request, Response, response_to
from tests.transaction.link import Wire

CONTACT = "<sip:pbx@192.0.2.1>"


def invite(*, contacts: tuple[str, ...] = ("<sip:1002@192.0.2.2>",), routes: tuple[str, ...] = (), cseq: int = 7,
           sender: str = '"Bob, B." <sip:bob@example.com>;tag=far', to: str = "<sip:1001@pbx.example>") -> Request:
    """
    An INVITE with the header fields that make a dialog.
    """
    headers = Headers()
    headers.add("Via", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1")
    headers.add("From", sender)
    headers.add("To", to)
    headers.add("Call-ID", "call-1")
    headers.add("CSeq", f"{cseq} INVITE")
    for contact in contacts:
        headers.add("Contact", contact)
    for route in routes:
        headers.add("Record-Route", route)
    return Request("INVITE", "sip:1001@192.0.2.1", headers)


def answer(request: Request, *, contact: str | None = "<sip:1002@192.0.2.9:5070>") -> Response:
    """
    The peer's 200.
    """
    response = response_to(request, 200, to_tag="far")
    if contact is not None:
        response.headers.add("Contact", contact)
    return response


def server(**options: Any) -> Dialog:
    """
    The dialog of the side that answers.
    """
    return Dialog.of_server(invite(**options), "near", Wire(), CONTACT)


def client(response: Response | None = None, **options: Any) -> Dialog:
    """
    The dialog of the side that asked.
    """
    request = invite(sender="<sip:1001@pbx.example>;tag=near", to="<sip:bob@example.com>", contacts=(), **options)
    return Dialog.of_client(request, response or answer(request), Wire(), CONTACT)


class MadeTests(SynchronousTestCase):
    """
    Dialogs as responses make them.
    """

    def test_server_side(self) -> None:
        """
        The side that answers takes its identifiers, target and CSeq from the request (RFC 3261 12.1.1).
        """
        dialog = server()
        self.assertEqual(dialog.id, ("call-1", "near", "far"))
        self.assertEqual(dialog.local, "<sip:1001@pbx.example>;tag=near")
        self.assertEqual(dialog.remote, '"Bob, B." <sip:bob@example.com>;tag=far')
        self.assertEqual(dialog.remote_target, "sip:1002@192.0.2.2")
        self.assertEqual((dialog.local_cseq, dialog.remote_cseq, dialog.ours), (0, 7, False))

    def test_client_side(self) -> None:
        """
        The side that asked takes them from the response (RFC 3261 12.1.2).
        """
        dialog = client()
        self.assertEqual(dialog.id, ("call-1", "near", "far"))
        self.assertEqual(dialog.remote, "<sip:bob@example.com>;tag=far")
        self.assertEqual(dialog.remote_target, "sip:1002@192.0.2.9:5070")
        self.assertEqual((dialog.local_cseq, dialog.remote_cseq, dialog.ours), (7, None, True))

    def test_peer_without_tag(self) -> None:
        """
        An RFC 2543 peer has no tag; the dialog is found without one (RFC 3261 12.1.1).
        """
        self.assertEqual(server(sender="<sip:bob@example.com>").id, ("call-1", "near", ""))

    def test_contact_must_be_one(self) -> None:
        """
        No Contact, two, or one that can't be read make no dialog: 400.
        """
        for contacts in ((), ("<sip:a@192.0.2.2>", "<sip:b@192.0.2.2>"), ("<sip:a@192.0.2.2>, <sip:b@192.0.2.2>",),
                         ("<sip:",), ("*",)):
            error = self.assertRaises(ProtocolError, server, contacts=contacts)
            self.assertEqual(error.status, 400)
        request = invite()
        error = self.assertRaises(ProtocolError, client, answer(request, contact=None))
        self.assertEqual(error.status, 400)

    def test_malformed_record_route(self) -> None:
        """
        A route that can't be read makes no dialog, rather than requests that can't be written.
        """
        self.assertEqual(self.assertRaises(ProtocolError, server, routes=("<sip:",)).status, 400)

    def test_target_loses_what_no_request_uri_has(self) -> None:
        """
        Headers and a method in the peer's Contact don't get into our Request-URI (RFC 3261 19.1.1).
        """
        dialog = server(contacts=("<sip:1002@192.0.2.2;method=BYE;transport=udp?Subject=x>",))
        self.assertEqual(dialog.request("BYE").uri, "sip:1002@192.0.2.2;transport=udp")


class RequestTests(SynchronousTestCase):
    """
    Requests made within a dialog (RFC 3261 12.2.1.1).
    """

    def test_fields(self) -> None:
        """
        A request bears the dialog's identifiers, counts CSeq up, and says where we are.
        """
        dialog = server()
        first, second = dialog.request("INFO", (("Content-Type", "text/plain"),), b"hello"), dialog.request("INVITE")
        self.assertEqual((first.method, first.uri, first.body), ("INFO", "sip:1002@192.0.2.2", b"hello"))
        self.assertEqual(first.headers.get("From"), dialog.local)
        self.assertEqual(first.headers.get("To"), dialog.remote)
        self.assertEqual((first.call_id, first.max_forwards), ("call-1", 70))
        self.assertEqual(first.content_type, "text/plain")
        self.assertEqual([str(first.cseq), str(second.cseq)], ["1 INFO", "2 INVITE"])
        self.assertEqual(second.headers.get("Contact"), CONTACT)
        self.assertNotIn("Contact", dialog.request("BYE").headers)

    def test_ack_has_the_number_of_its_invite(self) -> None:
        """
        An ACK has the CSeq number of the INVITE, and counts nothing up (RFC 3261 13.2.2.4).
        """
        dialog = client()
        dialog.request("PRACK")
        self.assertEqual(str(dialog.request("ACK", cseq=7).cseq), "7 ACK")
        self.assertEqual(str(dialog.request("BYE").cseq), "9 BYE")

    def test_loose_route(self) -> None:
        """
        Loose routers stand in Route, the target in the Request-URI; the two sides see them in opposite order.
        """
        routes = ("<sip:p1.example;lr>", "<sip:p2.example;lr=on>")
        for dialog, order in ((server(routes=routes), routes), (client(routes=()), ())):
            request = dialog.request("BYE")
            self.assertEqual(request.uri, dialog.remote_target)
            self.assertEqual(tuple(request.headers.get_all("Route")), order)
        request = invite(routes=routes)
        dialog = client(answer(request))
        self.assertEqual(dialog.request("BYE").headers.get_all("Route"), list(reversed(routes)))
        self.assertEqual(dialog.next_hop.host, "p2.example")

    def test_strict_route(self) -> None:
        """
        A strict router gets itself as Request-URI, without headers or method, and the target as last Route.
        """
        dialog = server(routes=("<sip:p1.example;method=INVITE?a=b>", "<sip:p2.example;lr>"))
        request = dialog.request("BYE")
        self.assertEqual(request.uri, "sip:p1.example")
        self.assertEqual(request.headers.get_all("Route"), ["<sip:p2.example;lr>", "<sip:1002@192.0.2.2>"])

    def test_next_hop_without_routes(self) -> None:
        """
        Without a route set the target is the next hop.
        """
        self.assertEqual((client().next_hop.host, client().next_hop.port), ("192.0.2.9", 5070))


class ReceivedTests(SynchronousTestCase):
    """
    What requests of the peer change (RFC 3261 12.2.2).
    """

    def later(self, method: str, cseq: int, *contacts: str) -> Request:
        request = invite(cseq=cseq, contacts=contacts)
        request.headers.set("CSeq", f"{cseq} {method}")
        request.method = method
        return request

    def test_cseq(self) -> None:
        """
        A number lower than an earlier one is 500; gaps are allowed; the first may be anything.
        """
        dialog, flow = server(), Wire()
        dialog.received(self.later("INFO", 9), flow)
        self.assertEqual((dialog.remote_cseq, dialog.flow), (9, flow))
        error = self.assertRaises(ProtocolError, dialog.received, self.later("INFO", 8), Wire())
        self.assertEqual(error.status, 500)
        self.assertEqual((dialog.remote_cseq, dialog.flow), (9, flow))
        fresh = client()
        fresh.received(self.later("INFO", 1), flow)
        self.assertEqual(fresh.remote_cseq, 1)

    def test_target(self) -> None:
        """
        The Contact of a target refresh is the new target, once it is accepted; without Contact the old one stays.
        """
        dialog = server()
        refresh = self.later("UPDATE", 8, "<sip:1002@192.0.2.77>")
        dialog.received(refresh, Wire())
        self.assertEqual(dialog.remote_target, "sip:1002@192.0.2.2")
        self.assertEqual(dialog.target_of(refresh), "sip:1002@192.0.2.77")
        self.assertEqual(dialog.target_of(self.later("UPDATE", 9)), "sip:1002@192.0.2.2")
        error = self.assertRaises(ProtocolError, dialog.target_of, self.later("UPDATE", 9, "<sip:", "<sip:x@y>"))
        self.assertEqual(error.status, 400)
