"""
A telephone of our own: the small user agent with a voice and an ear.

For what no other client here can be told: baresip's recording ends with its first hold, SIPp has no voice, and neither
knows UPDATE, INFO with keys or Replaces.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

import numpy as np
from numpy.typing import NDArray
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import LoopingCall

from tests.wire import sound
from tests.wire.agent import Agent, Dialog, Message, sdp
from tests.wire.process import reactor
from tests.wire.rtp_generator import mulaw

HEADER = 12
FRAME = 160

KEYS = "0123456789*#"
"""The events of RFC 4733, in their order."""


def _samples() -> NDArray[np.int16]:
    """
    What each byte of PCMU stands for (ITU-T G.711).
    """
    byte = ~np.arange(256) & 0xFF
    size = ((((byte & 0x0F) << 3) + 0x84) << (byte >> 4 & 7)) - 0x84
    return np.where(byte & 0x80, -size, size).astype(np.int16)


HEARD = _samples()


class Line(DatagramProtocol):
    """
    One stream of PCMU: says a voice once it knows to whom, and keeps what comes.

    Attributes:
        said: the samples of its voice.
        packets: the payloads that came, in the order they came.
        quiet: whether it sends nothing.
    """

    noisy = False

    def __init__(self, said: NDArray[Any], host: str = "127.0.0.1") -> None:
        self.said = said
        self.packets: list[bytes] = []
        self.quiet = False
        self._to: tuple[str, int] | None = None
        self._position = 0
        self._payload = mulaw(said)
        self._source = secrets.token_bytes(4)
        self._events: list[tuple[int, bytes]] = []
        self._pressed = 0
        self._port = reactor.listenUDP(0, self, interface=host)
        self.port = int(self._port.getHost().port)
        self._beat = LoopingCall.withCount(self._say)
        self._beat.clock = reactor

    def talk_to(self, host: str, port: int) -> None:
        """
        Say it there from now on.
        """
        self._to = (host, port)
        if not self._beat.running:
            self._beat.start(0.02)

    @property
    def seconds(self) -> float:
        """
        How much of its voice it has said.
        """
        return (self._position + 1) * FRAME / sound.RATE

    def press(self, key: str) -> None:
        """
        Press a key for 100 ms, in place of its voice (RFC 4733: the end is told three times).
        """
        event = KEYS.index(key)
        for number in range(1, 8):
            last = number >= 5
            duration = min(number, 5) * FRAME
            body = bytes([event, 0x8A if last else 0x0A]) + duration.to_bytes(2, "big")
            self._events.append((0xE5 if number == 1 else 0x65, body))

    def _say(self, count: int) -> None:
        for _ in range(count):
            self._position += 1
            if self._to is None:
                continue
            if self._events:
                kind, body = self._events.pop(0)
                if kind & 0x80:
                    self._pressed = self._position * FRAME
                head = bytes([0x80, kind]) + (self._position & 0xFFFF).to_bytes(2, "big")
                self.transport.write(head + self._pressed.to_bytes(4, "big") + self._source + body, self._to)
                continue
            if self.quiet:
                continue
            at = self._position * FRAME
            payload = self._payload[at % len(self._payload) :][:FRAME]
            if len(payload) < FRAME:
                payload += self._payload[: FRAME - len(payload)]
            head = b"\x80\x00" + (self._position & 0xFFFF).to_bytes(2, "big") + at.to_bytes(4, "big") + self._source
            self.transport.write(head + payload, self._to)

    def datagramReceived(self, data: bytes, addr: Any) -> None:
        """
        Keep what was heard.
        """
        if len(data) > HEADER and data[1] & 0x7F == 0:
            self.packets.append(data[HEADER:])

    def sounds(self) -> dict[str, NDArray[np.int16]]:
        """
        What was heard so far.
        """
        return {"": HEARD[np.frombuffer(b"".join(self.packets), np.uint8)]}

    async def stop(self) -> None:
        """
        Fall silent.
        """
        if self._beat.running:
            self._beat.stop()
        await self._port.stopListening()


class Handset(Agent):
    """
    One telephone with one line.

    Attributes:
        line: its voice and its ear.
        allow: the methods it says it knows.
    """

    allow = "INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, UPDATE, REFER, INFO"

    def __init__(self, user: str, password: str, server: tuple[str, int], voice: int) -> None:
        super().__init__(user, password, server)
        self.line = Line(sound.voice(voice, 30))
        self.on_invite = self._take
        self._revision = 1

    def start(self) -> None:
        """
        Open the socket.
        """
        super().start()
        self.more = [("Contact", f"<{self.contact}>"), ("Allow", self.allow)]

    async def stop(self) -> None:
        """
        Fall silent, and close the socket.
        """
        await self.line.stop()
        await super().stop()

    @property
    def name(self) -> str:
        """
        Its extension.
        """
        return self.user

    @property
    def said(self) -> NDArray[Any]:
        """
        The samples of its voice.
        """
        return self.line.said

    def sounds(self) -> dict[str, NDArray[np.int16]]:
        """
        What it has heard so far.
        """
        return self.line.sounds()

    def _take(self, invite: Message) -> tuple[int, str, bytes]:
        if invite.body:
            host, port, _ = invite.media()
            self.line.talk_to(host, port)
        return 200, "OK", self.offer()

    def offer(self, direction: str = "sendrecv") -> bytes:
        """
        Its next offer or answer.
        """
        self._revision += 1
        body = sdp(self.host, self.line.port, ("0 PCMU/8000", "101 telephone-event/8000"), direction)
        return body.replace(b"o=- 1 1", f"o=- 1 {self._revision}".encode())

    async def authenticated(self, method: str, uri: str, headers: list[tuple[str, str]], body: bytes = b"") -> Message:
        """
        The response to a request outside a dialog, which says what it knows.
        """
        return await super().authenticated(method, uri, [*headers, ("Allow", self.allow)], body)

    async def dial(self, number: str) -> Dialog:
        """
        Call somebody, and talk once it is answered.
        """
        response, dialog = await self.call(number, self.offer())
        if dialog is None:
            raise AssertionError(f"{number}: {response.first}")
        host, port, _ = response.media()
        self.line.talk_to(host, port)
        return dialog

    async def within(
        self, dialog: Dialog, method: str, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()
    ) -> Message:
        """
        The answer to a request in a call; that to a re-INVITE is acknowledged.
        """
        dialog.cseq += 1
        here = ("Contact", f"<{self.contact}>")
        common = [*self._in(dialog), ("CSeq", f"{dialog.cseq} {method}"), here, *headers]
        response = await self.request(method, dialog.target, common, body)
        if method == "INVITE" and response.status == 200:
            self._acknowledge(dialog)
        return response

    async def hold(self, dialog: Dialog) -> Message:
        """
        The answer to a hold.
        """
        return await self.within(dialog, "INVITE", self.offer("sendonly"))

    async def resume(self, dialog: Dialog) -> Message:
        """
        The answer to the end of a hold.
        """
        return await self.within(dialog, "INVITE", self.offer())

    def came(self, method: str) -> list[Message]:
        """
        The requests of one method that came, without the copies that were sent again.
        """
        seen: dict[str, Message] = {}
        for message in self.received:
            if not message.status and message.method == method:
                branch = re.search(r"branch=([^;,\s]+)", message["via"])
                seen.setdefault(branch[1] if branch else "", message)
        return list(seen.values())
