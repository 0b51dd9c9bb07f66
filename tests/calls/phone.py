"""
A telephone for tests in virtual time: it does what it is told, and remembers what it was sent.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.protocol import DatagramProtocol

from pbx.sip.digest import Challenge, answer
from pbx.sip.message import Headers, Request, Response, response_to
from pbx.sip.parser import parse
from tests.calls.exchange import ADDRESS, password
from tests.network import Network

numbers = itertools.count(1)

PCMU = (0, "PCMU/8000")
PCMA = (8, "PCMA/8000")
EVENTS = (101, "telephone-event/8000")


def sdp(host: str, port: int, formats: Iterable[tuple[int, str]] = (PCMU, PCMA, EVENTS), *, direction: str = "sendrecv",
        version: int = 1, profile: str = "RTP/AVP", connection: str | None = None) -> bytes:
    """
    A session description with one audio stream.
    """
    known = list(formats)
    family = "IP6" if ":" in host else "IP4"
    lines = [
        "v=0", f"o=- 1 {version} IN {family} {host}", "s=-", f"c=IN {family} {connection or host}", "t=0 0",
        f"m=audio {port} {profile} {' '.join(str(number) for number, _ in known)}",
        *(f"a=rtpmap:{number} {name}" for number, name in known), f"a={direction}", "",
    ]
    return "\r\n".join(lines).encode()


_chosen_by_chance = re.compile(rb"(?im)((?:[;, ](?:tag|branch|c?nonce|response)=)|^(?:Call-ID: |o=- ))[^;,\s]*")


def said(message: Request | Response) -> bytes:
    """
    A message without what chance has chosen of it: a tag may hold the digits of any number.
    """
    return _chosen_by_chance.sub(rb"\1", message.to_bytes())


class Phone(DatagramProtocol):
    """
    A phone with an address of its own; UDP.

    Attributes:
        received: Everything it was sent, in order.
        times: When each of them came.
        media: The RTP packets it was sent, if :meth:`listen_for_media` was called.
        polite: Whether BYE, CANCEL, OPTIONS and PRACK are answered 200 by themselves, and a cancelled INVITE 487.
        on_request: Called with each request, besides.
        on_response: Called with each response.
    """

    kind = "UDP"

    def __init__(self, network: Network, number: str, address: str, *, secret: str | None = None, port: int = 5060,
                 exchange: str = ADDRESS) -> None:
        self.network = network
        self.number = number
        self.address = address
        self.port = port
        self.secret = password(number) if secret is None else secret
        self.exchange = (exchange, 5060)
        self.received: list[Request | Response] = []
        self.times: list[float] = []
        self.polite = False
        self.on_request: Callable[[Request], None] | None = None
        self.on_response: Callable[[Response], None] | None = None
        self.reactor: Any = network.reactor(address)
        self.media_port = 4000
        self.media: list[bytes] = []
        self._rtp: Any = None
        self.listening: Any = None
        self.connect()

    # The wire.

    def connect(self) -> None:
        """
        Open its port.
        """
        self.listening = self.reactor.listenUDP(self.port, self, interface=self.address, maxPacketSize=65535)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        Take a message.
        """
        if datagram.strip():
            self.heard(parse(datagram))

    def heard(self, message: Request | Response) -> None:
        """
        Remember a message, and answer it where that needs no thought.
        """
        self.received.append(message)
        self.times.append(self.network.clock.seconds())
        if isinstance(message, Response):
            if self.on_response is not None:
                self.on_response(message)
            return
        if self.polite and message.method in ("BYE", "CANCEL", "OPTIONS", "PRACK"):
            self.send(response_to(message, 200, to_tag=message.to_tag or "callee"))
            if message.method == "CANCEL":
                invites = [r for r in self.requests("INVITE") if r.call_id == message.call_id]
                self.send(response_to(invites[-1], 487, to_tag="callee"))
        if self.on_request is not None:
            self.on_request(message)

    def send(self, message: Request | Response) -> None:
        """
        Send a message as it is.
        """
        assert self.transport is not None
        self.transport.write(message.to_bytes(), self.exchange)

    def send_bytes(self, data: bytes) -> None:
        """
        Send anything.
        """
        assert self.transport is not None
        self.transport.write(data, self.exchange)

    def hang_silent(self) -> None:
        """
        Vanish: nothing is heard of it any more.
        """
        if self.listening is not None:
            self.listening.stopListening()
            self.listening = None
        if self._rtp is not None:
            self._rtp.close()

    # What it has heard.

    def requests(self, method: str) -> list[Request]:
        """
        The requests of a method it was sent.
        """
        return [m for m in self.received if isinstance(m, Request) and m.method == method]

    def responses(self, method: str | None = None) -> list[int]:
        """
        The statuses it was sent, of one method or of all.
        """
        found = [m for m in self.received if isinstance(m, Response)]
        return [m.status for m in found if method is None or m.cseq.method == method]

    def last(self, method: str | None = None) -> Response:
        """
        The last response, of one method or of all.
        """
        found = [m for m in self.received if isinstance(m, Response) and method in (None, m.cseq.method)]
        return found[-1]

    # What it does.

    @property
    def contact(self) -> str:
        """
        Its Contact URI.
        """
        return f"sip:{self.number}@{self.host}:{self.port}"

    @property
    def host(self) -> str:
        """
        Its address as a URI has it.
        """
        return f"[{self.address}]" if ":" in self.address else self.address

    @property
    def domain(self) -> str:
        """
        The exchange's address as a URI has it.
        """
        host = self.exchange[0]
        return f"[{host}]" if ":" in host else host

    def request(self, method: str, uri: str, *, to: str | None = None, call_id: str | None = None, cseq: int = 1,
                body: bytes = b"", from_tag: str | None = None, headers: Iterable[tuple[str, str]] = (),
                max_forwards: int = 70) -> Request:
        """
        Make a request outside a dialog.
        """
        n = next(numbers)
        fields = Headers()
        fields.add("Via", f"SIP/2.0/{self.kind} {self.host}:{self.port};branch=z9hG4bKt{n};rport")
        fields.add("Max-Forwards", str(max_forwards))
        fields.add("From", f"<sip:{self.number}@{self.domain}>;tag={from_tag or f'f{n}'}")
        fields.add("To", to or f"<{uri}>")
        fields.add("Call-ID", call_id or f"call-{n}")
        fields.add("CSeq", f"{cseq} {method}")
        fields.add("Contact", f"<{self.contact}>")
        for name, value in headers:
            fields.add(name, value)
        if body:
            fields.add("Content-Type", "application/sdp")
        return Request(method, uri, fields, body)

    def credentials(self, request: Request, challenge: Response, *, secret: str | None = None,
                    user: str | None = None, nc: int = 1) -> Request:
        """
        The same request with an answer to a challenge: a new branch, the next CSeq.
        """
        asked = Challenge.parse(challenge.headers.get("WWW-Authenticate") or "")
        given = answer(asked, user or self.number, method=request.method, uri=request.uri, nc=nc, cnonce="c",
                       password=self.secret if secret is None else secret)
        again = request.headers.copy()
        n = next(numbers)
        again.set("Via", f"SIP/2.0/{self.kind} {self.host}:{self.port};branch=z9hG4bKt{n};rport")
        again.set("CSeq", f"{request.cseq.number + 1} {request.method}")
        again.set("Authorization", str(given))
        return Request(request.method, request.uri, again, request.body)

    def authenticated(self, request: Request) -> Request:
        """
        Send a request, and send it again with credentials; the second one.
        """
        self.send(request)
        self.network.advance(0.01)
        challenge = self.last(request.method)
        assert challenge.status == 401, challenge.status
        if request.method == "INVITE":
            self.acknowledge_refusal(request, challenge)
        again = self.credentials(request, challenge)
        self.send(again)
        self.network.advance(0.01)
        return again

    def register(self, *, expires: int = 300, headers: Iterable[tuple[str, str]] = ()) -> Response:
        """
        Register; the final answer.
        """
        request = self.request(
            "REGISTER", f"sip:{self.domain}", to=f"<sip:{self.number}@{self.domain}>",
            call_id=f"reg-{self.number}-{self.address}-{self.port}", cseq=next(numbers) * 10,
            headers=(("Expires", str(expires)), *headers),
        )
        self.authenticated(request)
        return self.last("REGISTER")

    def call(self, number: str, *, body: bytes | None = None, headers: Iterable[tuple[str, str]] = ()) -> Request:
        """
        Dial; the INVITE with credentials.
        """
        return self.authenticated(
            self.request("INVITE", f"sip:{number}@{self.domain}", body=self.sdp() if body is None else body,
                         headers=headers)
        )

    def sdp(self, **options: Any) -> bytes:
        """
        Its session description.
        """
        return sdp(self.address, self.media_port, **options)

    def reply(self, request: Request, status: int, *, tag: str = "callee", body: bytes = b"",
              headers: Iterable[tuple[str, str]] = ()) -> Response:
        """
        Answer a request.
        """
        response = self.answer(request, status, tag=tag, body=body, headers=headers)
        self.network.advance(0.01)
        return response

    def answer(self, request: Request, status: int, *, tag: str = "callee", body: bytes = b"",
               headers: Iterable[tuple[str, str]] = ()) -> Response:
        """
        Answer a request, and let no time pass.
        """
        response = response_to(request, status, to_tag=request.to_tag or tag)
        if status < 300 and request.method in ("INVITE", "UPDATE"):
            response.headers.add("Contact", f"<{self.contact}>")
        for name, value in headers:
            response.headers.set(name, value)
        if body:
            response.headers.add("Content-Type", "application/sdp")
            response.body = body
        self.send(response)
        return response

    def acknowledge_refusal(self, invite: Request, response: Response) -> None:
        """
        Send the ACK to a final response of 300 and above.
        """
        self.send(self.refusal_ack(invite, response))
        self.network.advance(0.01)

    def refusal_ack(self, invite: Request, response: Response) -> Request:
        """
        Make the ACK to a final response of 300 and above: the INVITE's own branch.
        """
        fields = Headers()
        for name in ("Via", "From", "Call-ID"):
            fields.add(name, invite.headers.get(name) or "")
        fields.add("To", response.headers.get("To") or "")
        fields.add("CSeq", f"{invite.cseq.number} ACK")
        fields.add("Max-Forwards", "70")
        return Request("ACK", invite.uri, fields)

    def within(self, method: str, invite: Request, answer: Response, *, cseq: int | None = None, body: bytes = b"",
               headers: Iterable[tuple[str, str]] = ()) -> Request:
        """
        Make a request within the dialog of an INVITE it sent.
        """
        uri = str(answer.contacts[0].uri)
        tag = invite.from_tag
        number = invite.cseq.number if cseq is None else cseq
        request = self.request(method, uri, to=answer.headers.get("To"), call_id=invite.call_id, cseq=number,
                               from_tag=tag, body=body, headers=headers)
        request.headers.set("From", invite.headers.get("From") or "")
        return request

    def within_received(self, method: str, invite: Request, answer: Response, *, cseq: int = 1, body: bytes = b"",
                        headers: Iterable[tuple[str, str]] = ()) -> Request:
        """
        Make a request within the dialog of an INVITE it received.
        """
        uri = str(invite.contacts[0].uri)
        request = self.request(method, uri, to=invite.headers.get("From"), call_id=invite.call_id, cseq=cseq, body=body,
                               headers=headers)
        request.headers.set("From", answer.headers.get("To") or "")
        return request

    def acknowledge(self, invite: Request, answer: Response, body: bytes = b"") -> None:
        """
        Send the ACK to a 2xx.
        """
        self.send(self.within("ACK", invite, answer, body=body))
        self.network.advance(0.01)

    def cancel(self, invite: Request) -> None:
        """
        Cancel an INVITE that it sent.
        """
        fields = Headers()
        for name in ("Via", "From", "To", "Call-ID"):
            fields.add(name, invite.headers.get(name) or "")
        fields.add("CSeq", f"{invite.cseq.number} CANCEL")
        fields.add("Max-Forwards", "70")
        self.send(Request("CANCEL", invite.uri, fields))
        self.network.advance(0.01)

    # Its media.

    def listen_for_media(self) -> None:
        """
        Open its RTP port.
        """
        self._rtp = self.network.socket(self.address)
        self._rtp.bind((self.address, self.media_port))

        def arrived() -> None:
            while self._rtp.arrivals:
                self.media.append(self._rtp.recvfrom(2000)[0])

        self._rtp.on_readable = arrived

    def speak(self, description: bytes, packets: int, *, first: int = 0, payload: bytes = b"\xff" * 160,
              payload_type: int = 0, ssrc: int = 7) -> None:
        """
        Send RTP to where a description says, a packet every 20 ms.
        """
        text = description.decode()
        host = text.partition("c=IN IP")[2].split()[1]
        port = int(text.partition("m=audio ")[2].split()[0])
        for n in range(first, first + packets):
            header = bytes([0x80, payload_type]) + (n & 0xFFFF).to_bytes(2, "big") + (160 * n).to_bytes(4, "big")
            self._rtp.sendto(header + ssrc.to_bytes(4, "big") + payload, (host, port))
            self.network.advance(0.02)
