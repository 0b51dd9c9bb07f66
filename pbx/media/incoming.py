"""
The stream that a session receives, from the socket to the leg it is relayed to: the path of every packet.

There is one Python call for a packet in the common case. The header is read in place in a buffer that all sessions
share, and sent on from there; nothing is made, logged or locked. What is out of the ordinary (another address, another
SSRC, RTCP on the same port) goes through :meth:`Incoming.out_of_turn` first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import Factory, define

from pbx.media.latch import Latch, Verdict
from pbx.rtp.packet import HEADER, HEADER_LENGTH, MARKER, STREAM_POSITION, is_rtcp, payload_span
from pbx.rtp.statistics import Reception

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pbx.media.outgoing import Outgoing
    from pbx.media.sockets import Address
    from pbx.media.srtp import Opener

BUFFER_SIZE: Final = 4096
"""Bytes of the receive buffer: more than twice an Ethernet frame. What fills it was cut off, and is dropped."""

PayloadTypes: TypeAlias = "Sequence[int]"
"""By second byte of a packet (marker and payload type), the one to send it with; -1 when it is not relayed."""

NOTHING: Final[tuple[int, ...]] = (-1,) * 256
"""Payload types when nothing is relayed."""

_header = HEADER.unpack_from
_shift = STREAM_POSITION.pack_into


@define
class Buffer:
    """
    Where packets are received, one at a time, and sent from.
    """

    bytes: bytearray = Factory(lambda: bytearray(BUFFER_SIZE))
    view: memoryview = Factory(lambda self: memoryview(self.bytes), takes_self=True)


@define(eq=False)
class Incoming:
    """
    What a session receives.

    Attributes:
        receive: The socket's ``recvfrom_into``.
        buffer: Shared by all sessions.
        view: The same memory.
        latch: Decides about packets from other addresses.
        on_rtcp: Called with RTCP that came to the RTP port: data, source, time.
        on_latched: Called when the latch moved, with the address it was at (or None).
        enabled: Whether packets are taken at all: the session was configured.
        clock_rate: Timestamp units per second.
        opener: Turns SRTP into RTP, or ``None``.
        source: Where the packets come from; ``None`` until the first.
        ssrc: The SSRC they have.
        heard: When the last one came; 0 when none did.
        octets: Bytes received, with headers.
        reception: Loss and jitter.
        forged: SRTP packets that did not pass.
        sink: The stream they are relayed into, or ``None``.
        payload_types: What to send them with.
        translations: By second byte, a table of 256 bytes that the payload goes through; usually ``None``.
    """

    receive: Callable[[bytearray], tuple[int, Address]]
    buffer: bytearray
    view: memoryview
    latch: Latch
    on_rtcp: Callable[[bytes, Address, float], object]
    on_latched: Callable[[Address | None], object]
    enabled: bool = False
    clock_rate: int = 8000
    opener: Opener | None = None
    source: Address | None = None
    ssrc: int = -1
    heard: float = 0.0
    octets: int = 0
    reception: Reception = Factory(Reception)
    forged: int = 0
    sink: Outgoing | None = None
    payload_types: PayloadTypes = NOTHING
    translations: dict[int, bytes] | None = None

    def readable(self, now: float) -> None:
        """
        Read a packet, count it, and relay it.
        """
        buffer = self.buffer
        try:
            length, source = self.receive(buffer)
        except OSError:
            # Nothing there after all, or an ICMP error about something we sent.
            return
        if self.opener is not None:
            length = self._open(length, source, now)
        if length < HEADER_LENGTH:
            return
        _, second, sequence, timestamp, ssrc = _header(buffer)
        if (ssrc != self.ssrc or source != self.source) and not self.out_of_turn(
            length, source, second, sequence, ssrc, now
        ):
            return
        self.heard = now
        self.octets += length
        if not self.reception.received(sequence, timestamp, now, self.clock_rate):
            return
        sink = self.sink
        if sink is None:
            return
        outgoing_second = self.payload_types[second]
        if outgoing_second < 0 or sink.destination is None:
            return
        if ssrc != sink.source and sink.carry(self, ssrc, sequence, timestamp, now):
            outgoing_second |= MARKER
        buffer[1] = outgoing_second
        if sink.shifted:
            _shift(
                buffer,
                2,
                (sequence + sink.sequence_shift) & 0xFFFF,
                (timestamp + sink.timestamp_shift) & 0xFFFFFFFF,
                sink.ssrc,
            )
        sink.packets += 1
        sink.octets += length - HEADER_LENGTH
        if self.translations is not None:
            self._translate(second, length)
        if sink.protector is not None:
            sink.send_protected(bytes(self.view[:length]))
            return
        try:
            sink.socket.sendto(self.view[:length], sink.destination)
        except OSError:
            # The destination can't be reached now, or the send buffer is full: as if lost on the way.
            sink.dropped += 1

    def out_of_turn(self, length: int, source: Address, second: int, sequence: int, ssrc: int, now: float) -> bool:
        """
        Decide about a packet from another address or with another SSRC than the one before.

        Returns:
            Whether it is to be taken.
        """
        if is_rtcp(second):
            if self.opener is None:
                self.on_rtcp(bytes(self.view[:length]), source, now)
            return False
        if not self.enabled or self.buffer[0] >> 6 != 2 or length == BUFFER_SIZE:
            return False
        if source != self.source:
            ahead = (sequence - self.reception.max_sequence) & 0xFFFF if ssrc == self.ssrc else None
            verdict = self.latch.judge(source, ssrc, now, self.heard, ahead)
            if verdict is Verdict.DROP:
                return False
            before, self.source = self.source, source
            if verdict is Verdict.MOVE or before is not None:
                self.on_latched(before)
        if ssrc != self.ssrc:
            if self.sink is not None and self.sink.source == self.ssrc:
                self.sink.release()
            self.ssrc = ssrc
            self.reception.restart(ssrc, sequence)
        return True

    def position(self) -> tuple[int, int, float]:
        """
        Sequence number and timestamp of the latest packet, and when it came.
        """
        return self.reception.max_sequence, self.reception.timestamp, self.heard

    def missing(self) -> int:
        """
        How many packets got lost before they came to us.
        """
        return self.reception.lost

    def _open(self, length: int, source: Address, now: float) -> int:
        """
        Turn the SRTP packet in the buffer into RTP; the length of that, 0 when there is none.
        """
        opener = self.opener
        if opener is None or not self.enabled or length == BUFFER_SIZE:
            return 0
        packet = bytes(self.view[:length])
        if length > 1 and is_rtcp(packet[1]):
            self.on_rtcp(packet, source, now)
            return 0
        opened = opener.rtp(packet)
        if opened is None:
            self.forged += 1
            return 0
        self.buffer[: len(opened)] = opened
        return len(opened)

    def _translate(self, second: int, length: int) -> None:
        table = None if self.translations is None else self.translations.get(second & 0x7F)
        if table is not None:
            try:
                start, end = payload_span(self.buffer, length)
            except ValueError:
                return
            self.buffer[start:end] = self.buffer[start:end].translate(table)
