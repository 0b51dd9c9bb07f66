"""
A small SIP user agent on a UDP socket, for what neither a phone nor a scenario file can do.

Its media is someone else's, it can look into every message, and it can act as a peer that sends calls on. It
knows nothing of the package under test, not even its parser, so that both cannot share a mistake.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.protocol import DatagramProtocol

from tests.wire.process import reactor

COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact"}


@define
class Message:
    """
    One SIP message as it came.

    Attributes:
        first: its first line.
        headers: names in lower case with their values, in order.
        body: what follows.
        source: the address it came from.
    """

    first: str
    headers: list[tuple[str, str]]
    body: bytes
    source: tuple[str, int]

    @classmethod
    def parse(cls, data: bytes, source: tuple[str, int]) -> Message:
        """
        Read one datagram.
        """
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("utf-8", "replace").split("\r\n")
        headers = []
        for line in lines:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            headers.append((COMPACT.get(name, name), value.strip()))
        return cls(first, headers, body, source)

    @property
    def status(self) -> int:
        """
        The status of a response, 0 of a request.
        """
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """
        The method of a request, or of the request a response belongs to.
        """
        return self["cseq"].split()[1] if self.status else self.first.split()[0]

    def __getitem__(self, name: str) -> str:
        """
        The first header of this name, empty when there is none.
        """
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> list[str]:
        """
        Every header of this name.
        """
        return [value for key, value in self.headers if key == name]

    @property
    def contact(self) -> str:
        """
        The URI of its Contact.
        """
        found = re.search(r"<([^>]*)>", self["contact"])
        return found.group(1) if found else self["contact"].split(";")[0]

    def media(self) -> tuple[str, int, int]:
        """
        Host, RTP port and RTCP port of the audio in its SDP.
        """
        text = self.body.decode()
        port = int(re.search(r"^m=audio (\d+)", text, re.M)[1])  # type: ignore[index]
        host = re.findall(r"^c=IN IP\d (\S+)", text, re.M)[-1]
        rtcp = re.search(r"^a=rtcp:(\d+)", text, re.M)
        return host, port, int(rtcp[1]) if rtcp else port + 1


def sdp(host: str, port: int, codecs: Sequence[str] = ("0 PCMU/8000",), direction: str = "sendrecv") -> bytes:
    """
    A plain offer or answer.
    """
    numbers = " ".join(codec.split()[0] for codec in codecs)
    lines = ["v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0", f"m=audio {port} RTP/AVP {numbers}"]
    lines += [f"a=rtpmap:{codec}" for codec in codecs] + [f"a={direction}", ""]
    return "\r\n".join(lines).encode()


def answer_to(challenge: str, user: str, password: str, method: str, uri: str, cnonce: str | None = None) -> str:
    """
    The value of Authorization for a challenge of MD5 or SHA-256 with ``qop=auth`` (RFC 7616, RFC 8760).
    """
    fields = {key: quoted or bare for key, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]+))', challenge)}
    algorithm = fields.get("algorithm", "MD5")
    digest = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[algorithm]

    def hashed(text: str) -> str:
        return digest(text.encode()).hexdigest()

    secret = hashed(f"{user}:{fields['realm']}:{password}")
    cnonce = cnonce or secrets.token_hex(8)
    middle = f"{fields['nonce']}:00000001:{cnonce}:auth" if "qop" in fields else fields["nonce"]
    response = hashed(f"{secret}:{middle}:{hashed(f'{method}:{uri}')}")
    value = f'Digest username="{user}", realm="{fields["realm"]}", nonce="{fields["nonce"]}", uri="{uri}", '
    value += f'response="{response}", algorithm={algorithm}'
    if "qop" in fields:
        value += f', qop=auth, nc=00000001, cnonce="{cnonce}"'
    if "opaque" in fields:
        value += f', opaque="{fields["opaque"]}"'
    return value


@define
class Dialog:
    """
    One dialog of the agent: enough to send a request in it.
    """

    call_id: str
    local: str
    remote: str
    target: str
    cseq: int = 1
    ended: Deferred[Message] = field(factory=Deferred)


class Agent(DatagramProtocol):
    """
    One user agent.

    Attributes:
        user: its name, an extension of the exchange.
        received: every message that came, oldest first.
        on_invite: what to do with an INVITE that begins a call; takes the request and gives the response's status,
            reason and body. Answers 486 unless set.
        requests: the requests that came, for a test to wait for.
        more: headers of its responses in place of its Contact.
    """

    noisy = False

    def __init__(self, user: str, password: str, server: tuple[str, int], host: str = "127.0.0.1") -> None:
        self.user, self.password, self.server, self.host = user, password, server, host
        self.received: list[Message] = []
        self.requests: DeferredQueue[Message] = DeferredQueue()
        self.dialogs: dict[str, Dialog] = {}
        self.on_invite: Callable[[Message], tuple[int, str, bytes]] = lambda _: (486, "Busy Here", b"")
        self.more: list[tuple[str, str]] = []
        self._waiting: dict[str, Callable[[Message], None]] = {}
        self._answers: dict[str, bytes] = {}

    def start(self) -> None:
        """
        Open the socket.
        """
        self._port = reactor.listenUDP(0, self, interface=self.host, maxPacketSize=65535)
        self.port = int(self._port.getHost().port)

    async def stop(self) -> None:
        """
        Close the socket.
        """
        await self._port.stopListening()

    @property
    def contact(self) -> str:
        """
        The URI it is reached at.
        """
        return f"sip:{self.user}@{self.host}:{self.port}"

    def datagramReceived(self, data: bytes, addr: tuple[str, int]) -> None:
        """
        Hand a response to who asked; answer a request.
        """
        if not data.strip(b"\r\n\0"):
            return
        message = Message.parse(data, addr)
        self.received.append(message)
        branch = re.search(r"branch=([^;,\s]+)", message["via"])
        key = branch[1] if branch else ""
        if message.status:
            waiting = self._waiting.get(key)
            if waiting is not None and message["cseq"].endswith(message.method):
                waiting(message)
        elif (answer := self._answers.get(f"{key} {message.method}")) is not None:
            # A retransmission gets what the request got.
            self.transport.write(answer, addr)
        else:
            self._request(message, key)

    def _request(self, request: Message, branch: str) -> None:
        dialog = self.dialogs.get(request["call-id"])
        if request.method != "ACK":
            status, reason, body = 200, "OK", b""
            if request.method == "INVITE":
                status, reason, body = self.on_invite(request)
            tag = "" if "tag=" in request["to"] else f";tag={secrets.token_hex(4)}"
            headers = [("Via", value) for value in request.all("via")]
            headers += [("Record-Route", value) for value in request.all("record-route")]
            headers += [("From", request["from"]), ("To", request["to"] + tag), ("Call-ID", request["call-id"])]
            headers += [("CSeq", request["cseq"]), *(self.more or [("Contact", f"<{self.contact}>")])]
            if request.method == "INVITE" and status == 200 and dialog is None:
                here, there = request["to"] + tag, request["from"]
                self.dialogs[request["call-id"]] = Dialog(request["call-id"], here, there, request.contact)
            answer = self._bytes(f"SIP/2.0 {status} {reason}", headers, body)
            self._answers[f"{branch} {request.method}"] = answer
            self.transport.write(answer, request.source)
        if request.method == "BYE" and dialog is not None:
            dialog.ended.callback(request)
        self.requests.put(request)

    @staticmethod
    def _bytes(first: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
        lines = [first, *(f"{name}: {value}" for name, value in headers)]
        if body and not any(name == "Content-Type" for name, _ in headers):
            lines.append("Content-Type: application/sdp")
        lines += [f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body

    async def request(
        self, method: str, uri: str, headers: list[tuple[str, str]], body: bytes = b"", within: float = 35
    ) -> Message:
        """
        The final response to one request, which is sent again after 0.5, 1, 2 ... seconds until anything comes.
        """
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        via = ("Via", f"SIP/2.0/UDP {self.host}:{self.port};branch={branch};rport")
        data = self._bytes(f"{method} {uri} SIP/2.0", [via, ("Max-Forwards", "70"), *headers], body)
        done: Deferred[Message] = Deferred()
        state = {"wait": 0.5, "final": False}

        def answered(response: Message) -> None:
            if timer.active():
                timer.cancel()
            if response.status >= 300 and method == "INVITE":
                # RFC 3261 17.1.1.3: the ACK to a refusal has the branch of its INVITE, every time.
                kept = dict(headers) | {"To": response["to"], "CSeq": response["cseq"].replace("INVITE", "ACK")}
                ack = list(kept.items())
                self.transport.write(self._bytes(f"ACK {uri} SIP/2.0", [via, *ack], b""), self.server)
            if response.status >= 200 and not state["final"]:
                state["final"] = True
                done.callback(response)

        def send() -> None:
            nonlocal timer
            self.transport.write(data, self.server)
            timer = reactor.callLater(state["wait"], send)
            state["wait"] = min(2 * state["wait"], 4)

        timer: Any = None
        self._waiting[branch] = answered
        send()
        try:
            return await done.addTimeout(within, reactor)
        finally:
            if timer.active():
                timer.cancel()

    async def authenticated(self, method: str, uri: str, headers: list[tuple[str, str]], body: bytes = b"") -> Message:
        """
        The response to a request outside a dialog; a challenge is answered once, with the next CSeq.
        """
        common = [("From", f"<sip:{self.user}@{self.server[0]}>;tag={secrets.token_hex(4)}")]
        common += [("Call-ID", secrets.token_hex(8)), ("Contact", f"<{self.contact}>")]
        response = await self.request(method, uri, [*common, *headers, ("CSeq", f"1 {method}")], body)
        if response.status not in {401, 407}:
            return response
        challenge = response["www-authenticate"] or response["proxy-authenticate"]
        name = "Authorization" if response.status == 401 else "Proxy-Authorization"
        credentials = answer_to(challenge, self.user, self.password, method, uri)
        return await self.request(
            method, uri, [*common, *headers, ("CSeq", f"2 {method}"), (name, credentials)], body
        )

    async def register(self, expires: int = 600) -> Message:
        """
        The answer to a registration.
        """
        host, port = self.server
        to = ("To", f"<sip:{self.user}@{host}>")
        return await self.authenticated("REGISTER", f"sip:{host}:{port}", [to, ("Expires", str(expires))])

    async def call(self, number: str, body: bytes) -> tuple[Message, Dialog | None]:
        """
        The final response to a call, acknowledged, and the dialog when it was answered.
        """
        host, port = self.server
        uri = f"sip:{number}@{host}:{port}"
        response = await self.authenticated("INVITE", uri, [("To", f"<sip:{number}@{host}>")], body)
        if response.status != 200:
            return response, None
        dialog = Dialog(response["call-id"], response["from"], response["to"], response.contact, 2)
        self.dialogs[dialog.call_id] = dialog
        self._acknowledge(dialog)
        return response, dialog

    def _acknowledge(self, dialog: Dialog) -> None:
        via = ("Via", f"SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{secrets.token_hex(8)};rport")
        headers = [via, *self._in(dialog), ("CSeq", f"{dialog.cseq} ACK")]
        self.transport.write(self._bytes(f"ACK {dialog.target} SIP/2.0", headers, b""), self.server)

    @staticmethod
    def _in(dialog: Dialog) -> list[tuple[str, str]]:
        return [("From", dialog.local), ("To", dialog.remote), ("Call-ID", dialog.call_id)]

    async def hang_up(self, dialog: Dialog) -> Message:
        """
        The answer to BYE.
        """
        dialog.cseq += 1
        headers = [*self._in(dialog), ("CSeq", f"{dialog.cseq} BYE")]
        return await self.request("BYE", dialog.target, headers)
