"""
The state that a dialog keeps (RFC 3261 12), and the requests made from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, evolve

from pbx.sip.address import NameAddr
from pbx.sip.message import Headers, ProtocolError, Request
from pbx.sip.uri import URI

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pbx.sip.message import Response
    from pbx.transport.flow import Flow

DialogId = tuple[str, str, str]
"""Call-ID, our tag, the peer's tag."""

MAX_FORWARDS = "70"


@define(slots=True, eq=False)
class Dialog:
    """
    One peer-to-peer relationship: identifiers, sequence numbers, route set and remote target.

    Attributes:
        call_id: The Call-ID that both sides use.
        local_tag: Our tag.
        remote_tag: The peer's tag; empty where an old peer sent none (RFC 3261 12.1.1).
        local: Our own From value, tag included.
        remote: The To value of our requests, tag included.
        remote_target: The peer's Contact URI as text: the Request-URI of our requests.
        route_set: Route values in the order in which we send them.
        flow: Where the peer last spoke from; our requests go there, so that a NAT lets them pass.
        local_cseq: The CSeq number of our last request.
        remote_cseq: The CSeq number of the peer's last request, ``None`` before the first.
        contact: Our own Contact value, angle brackets included.
        ours: Whether we made the Call-ID, by the INVITE that began it.
    """

    call_id: str
    local_tag: str
    remote_tag: str
    local: str
    remote: str
    remote_target: str
    route_set: tuple[str, ...]
    flow: Flow
    local_cseq: int
    remote_cseq: int | None
    contact: str
    ours: bool

    @classmethod
    def of_server(cls, request: Request, local_tag: str, flow: Flow, contact: str) -> Dialog:
        """
        Make the dialog of the side that answers (RFC 3261 12.1.1).

        Raises:
            ProtocolError: 400 when the request carries no single Contact.
        """
        return cls(
            call_id=request.call_id,
            local_tag=local_tag,
            remote_tag=request.from_tag or "",
            local=f"{request.headers.get('To')};tag={local_tag}",
            remote=request.headers.get("From") or "",
            remote_target=_target(request),
            route_set=tuple(str(route) for route in request.record_routes),
            flow=flow,
            local_cseq=0,
            remote_cseq=request.cseq.number,
            contact=contact,
            ours=False,
        )

    @classmethod
    def of_client(cls, request: Request | Response, response: Response, flow: Flow, contact: str) -> Dialog:
        """
        Make the dialog of the side that asked (RFC 3261 12.1.2).

        Raises:
            ProtocolError: 400 when the response carries no single Contact.
        """
        return cls(
            call_id=request.call_id,
            local_tag=request.from_tag or "",
            remote_tag=response.to_tag or "",
            local=request.headers.get("From") or "",
            remote=response.headers.get("To") or "",
            remote_target=_target(response),
            route_set=tuple(str(route) for route in reversed(response.record_routes)),
            flow=flow,
            local_cseq=request.cseq.number,
            remote_cseq=None,
            contact=contact,
            ours=True,
        )

    @property
    def id(self) -> DialogId:
        """
        What a request of this dialog is found by (RFC 3261 12).
        """
        return (self.call_id, self.local_tag, self.remote_tag)

    def request(
        self, method: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", *, cseq: int | None = None
    ) -> Request:
        """
        Make a request within the dialog (RFC 3261 12.2.1.1), without Via.

        Args:
            method: The method; ACK and CANCEL do not count up the CSeq number.
            headers: Further header fields. A body needs its Content-Type here.
            body: The body.
            cseq: The number to use instead of the next one: for the ACK to a 2xx.
        """
        if cseq is None:
            self.local_cseq += 1
            cseq = self.local_cseq
        uri, routes = self._first_hop()
        fields = Headers()
        add = fields.add
        add("Max-Forwards", MAX_FORWARDS)
        for route in routes:
            add("Route", route)
        add("From", self.local)
        add("To", self.remote)
        add("Call-ID", self.call_id)
        add("CSeq", f"{cseq} {method}")
        if method not in ("BYE", "PRACK"):
            add("Contact", self.contact)
        for name, value in headers:
            add(name, value)
        return Request(method, uri, fields, body)

    def received(self, request: Request, flow: Flow) -> None:
        """
        Take note of a request of the peer: its CSeq and its flow (RFC 3261 12.2.2).

        Raises:
            ProtocolError: 500 when the CSeq number is lower than an earlier one.
        """
        number = request.cseq.number
        if self.remote_cseq is not None and number < self.remote_cseq:
            raise ProtocolError(500, "CSeq out of order")
        self.remote_cseq = number
        self.flow = flow

    def target_of(self, message: Request | Response) -> str:
        """
        The remote target after a target refresh request or its 2xx is accepted; a refused one changes nothing.

        A message without Contact leaves it as it is (RFC 3261 12.2.1.2 and 12.2.2).

        Raises:
            ProtocolError: 400 when there is more than one Contact, or none that can be read.
        """
        return _target(message) if "Contact" in message.headers else self.remote_target

    @property
    def next_hop(self) -> URI:
        """
        Whom our requests go to first: the first route, else the remote target (RFC 3261 12.2.1.1 and 8.1.2).
        """
        return NameAddr.parse(self.route_set[0]).uri if self.route_set else URI.parse(self.remote_target)

    def _first_hop(self) -> tuple[str, tuple[str, ...]]:
        if not self.route_set:
            return self.remote_target, ()
        first = NameAddr.parse(self.route_set[0]).uri
        if first.param("lr") is not None:
            return self.remote_target, self.route_set
        # RFC 3261 12.2.1.1: a strict router gets itself as Request-URI, and the target as the last Route.
        return _as_request_uri(first), (*self.route_set[1:], f"<{self.remote_target}>")


def _target(message: Request | Response) -> str:
    contacts = message.contacts
    if len(contacts) != 1:
        raise ProtocolError(400, "A dialog needs exactly one Contact")
    return _as_request_uri(contacts[0].uri)


def _as_request_uri(uri: URI) -> str:
    # RFC 3261 19.1.1, table 1: a Request-URI has neither headers nor a method.
    if uri.headers or uri.param("method") is not None:
        uri = evolve(uri, headers=(), params=tuple(pair for pair in uri.params if pair[0].lower() != "method"))
    return str(uri)
