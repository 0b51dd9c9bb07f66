"""
The stream that a session receives, from the socket to the leg it is relayed to.

A packet goes one of two ways. Any packet can go through :meth:`Incoming.readable`. Once both legs have latched and
nothing needs to be converted, :mod:`pbx.media.express` takes over, and what it can't decide comes back here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from attrs import Factory, define

from pbx.media.express import Notes, new_notes, possible, relay
from pbx.media.latch import Latch, Verdict
from pbx.rtp.packet import HEADER, HEADER_LENGTH, MARKER, STREAM_POSITION, is_rtcp, payload_span
from pbx.rtp.statistics import Reception

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pbx.media.outgoing import Outgoing
    from pbx.media.sockets import Address, DatagramSocket
    from pbx.media.srtp import Opener

BUFFER_SIZE: Final = 2048
"""Bytes of the receive buffer: more than an Ethernet frame. What fills it was cut off, and is dropped."""

PayloadTypes: TypeAlias = "Sequence[int]"
"""By second byte of a packet (marker and payload type), the one to send it with; -1 when it is not relayed."""

NOTHING: Final[tuple[int, ...]] = (-1,) * 256
"""Payload types when nothing is relayed."""

SHORTEST_RTCP: Final = 8
"""Bytes of a report without blocks, which need not have anything after it (RFC 5506)."""

STALE: Final = 1.5
"""Seconds of silence after which a connected socket hears everybody again: before :data:`~pbx.media.latch.QUIET`."""


class IListener(Protocol):
    """
    What hears the packets of a session: those that are relayed to nobody, or all.
    """

    def heard(
        self, payload_type: int, marker: bool, sequence: int, timestamp: int, payload: bytes, now: float
    ) -> None:
        """
        Take a packet of the stream, in the order of arrival; duplicates come too.
        """


@define
class Buffer:
    """
    Where packets are received, one at a time, and sent from.

    Attributes:
        bytes: The memory.
        view: The same memory, to be cut without copying.
        heads: The same cut to each length, made once: cutting costs more than looking up.
    """

    bytes: bytearray = Factory(lambda: bytearray(BUFFER_SIZE))
    view: memoryview = Factory(lambda self: memoryview(self.bytes), takes_self=True)
    heads: list[memoryview] = Factory(
        lambda self: [self.view[:length] for length in range(BUFFER_SIZE + 1)], takes_self=True
    )


@define(eq=False)
class Incoming:
    """
    What a session receives.

    Attributes:
        socket: Where they come in.
        memory: Where packets are read into; shared by all sessions.
        latch: Decides about packets from other addresses.
        back: What is sent out of the same socket.
        on_rtcp: Called with RTCP that came to the RTP port: data, source, time.
        on_latched: Called when the latch moved, with the address it was at (or None).
        on_readable: Called with the function that reads the socket from now on.
        enabled: Whether packets are taken at all: the session was configured.
        clock_rate: Timestamp units per second.
        opener: Turns SRTP into RTP, or ``None``.
        source: Where the packets come from; ``None`` until the first.
        ssrc: The SSRC they have.
        heard: When the last one came that was counted; 0 when none did.
        octets: Bytes received, with headers.
        reception: Loss and jitter.
        forged: SRTP packets that did not pass.
        sink: The stream they are relayed into, or ``None``.
        payload_types: What to send them with.
        translations: By payload type, a table of 256 bytes that the payload goes through; usually ``None``.
        express: Whether packets go the short way now.
        notes: Packets that went the short way and are yet to be counted.
        listener: Hears what is relayed to nobody, or ``None``.
        overheard: Whether the listener hears what is relayed, too.
    """

    socket: DatagramSocket
    memory: Buffer
    latch: Latch
    back: Outgoing
    on_rtcp: Callable[[bytes, Address, float], object]
    on_latched: Callable[[Address | None], object]
    on_readable: Callable[[Callable[[float], object]], object]
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
    express: bool = False
    notes: Notes = Factory(new_notes)
    listener: IListener | None = None
    overheard: bool = False

    @property
    def last_heard(self) -> float:
        """
        When the last packet came; 0 when none did.
        """
        return self.notes[-1][0] if self.notes else self.heard

    def close(self) -> None:
        """
        Call nobody any more, nor keep alive who was called.
        """
        self.on_rtcp = self.on_latched = self.on_readable = _ignored

    def readable(self, now: float) -> bool:
        """
        Read a packet and take it.

        Returns:
            Whether it was out of the ordinary.
        """
        try:
            length, source = self.socket.recvfrom_into(self.memory.bytes)
        except OSError:
            # Nothing there after all, or an ICMP error about something we sent.
            return False
        return self.take(length, source, now)

    def unusual(self, length: int, now: float) -> bool:
        """
        Take a packet that the short way could not decide about.
        """
        if self.source is None:
            return False
        return self.take(length, self.source, now)

    def take(self, length: int, source: Address, now: float) -> bool:
        """
        Count and relay the packet in the buffer.

        Returns:
            Whether it was out of the ordinary.
        """
        if self.notes:
            self.settle()
        if self.opener is not None:
            length = self._open(length, source, now)
        buffer = self.memory.bytes
        if length < HEADER_LENGTH:
            if length >= SHORTEST_RTCP and self.opener is None and is_rtcp(buffer[1]):
                self.on_rtcp(bytes(self.memory.view[:length]), source, now)
            return False
        _, second, sequence, timestamp, ssrc = HEADER.unpack_from(buffer)
        unusual = ssrc != self.ssrc or source != self.source
        if unusual and not self.out_of_turn(length, source, second, sequence, ssrc, now):
            return True
        self.heard = now
        self.octets += length
        if not self.back.connected and self.latch.firm:
            # A connected socket would not hear the expected address take the latch back.
            self._connect(source)
        if not self.reception.received(sequence, timestamp, now, self.clock_rate):
            return unusual
        sink = self.sink
        outgoing_second = self.payload_types[second]
        if sink is None or sink.destination is None or outgoing_second < 0 or sink.hushed:
            if self.listener is not None:
                self._tell(self.listener, second, sequence, timestamp, length, now)
            return unusual
        if self.overheard and self.listener is not None:
            self._tell(self.listener, second, sequence, timestamp, length, now)
        if ssrc != sink.source and sink.carry(self, ssrc, sequence, timestamp, now):
            outgoing_second |= MARKER
        buffer[1] = outgoing_second
        if sink.shifted:
            sequence = (sequence + sink.sequence_shift) & 0xFFFF
            STREAM_POSITION.pack_into(buffer, 2, sequence, (timestamp + sink.timestamp_shift) & 0xFFFFFFFF, sink.ssrc)
        if self.translations is not None:
            self._translate(second, length)
        sink.send(self.memory.view[:length])
        if not self.express and possible(self, sink):
            self.express = True
            self.on_readable(relay(self, sink))
        return unusual

    def settle(self) -> None:
        """
        Count the packets that went the short way.
        """
        notes, sink = self.notes, self.sink
        if not notes:
            return
        octets = self.reception.received_all(notes, self.clock_rate)
        self.heard = notes[-1][0]
        self.octets += octets
        if sink is not None:
            sink.packets += len(notes)
            sink.octets += octets - len(notes) * HEADER_LENGTH
        notes.clear()

    def leave_express(self) -> None:
        """
        Let packets go the long way again: something changed.
        """
        self.settle()
        if self.express:
            self.express = False
            self.on_readable(self.readable)

    def look(self, now: float) -> None:
        """
        Count what is to be counted, and listen to everybody when the peer has fallen silent; twice a second.
        """
        self.settle()
        if self.back.connected and now - self.heard >= STALE:
            self.disconnect()

    def disconnect(self) -> None:
        """
        Let the socket hear everybody again.
        """
        self.leave_express()
        self.back.disconnect()

    def out_of_turn(self, length: int, source: Address, second: int, sequence: int, ssrc: int, now: float) -> bool:
        """
        Decide about a packet from another address or with another SSRC than the one before.

        Returns:
            Whether it is to be taken.
        """
        if is_rtcp(second):
            if self.opener is None:
                self.on_rtcp(bytes(self.memory.view[:length]), source, now)
            return False
        if not self.enabled or self.memory.bytes[0] >> 6 != 2 or length == BUFFER_SIZE:
            return False
        if source != self.source:
            ahead = (sequence - self.reception.max_sequence) & 0xFFFF if ssrc == self.ssrc else None
            verdict = self.latch.judge(source, ssrc, now, self.heard, ahead)
            if verdict is Verdict.DROP:
                return False
            before, self.source = self.source, source
            if self.back.connected:
                self.disconnect()
            # From where the SDP says nothing changes: that is where ours go already.
            if verdict is Verdict.MOVE or before is not None or source[:2] != self.latch.sdp:
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
        self.settle()
        return self.reception.max_sequence, self.reception.timestamp, self.heard

    def missing(self) -> int:
        """
        How many packets got lost before they came to us.
        """
        self.settle()
        return self.reception.lost

    def _connect(self, source: Address) -> None:
        try:
            self.socket.connect(source)
        except OSError:
            # No route: packets come from there all the same.
            return
        self.back.connected = True
        # What is sent back may leave out the address from now on.
        self.back.changed()

    def _open(self, length: int, source: Address, now: float) -> int:
        """
        Turn the SRTP packet in the buffer into RTP; the length of that, 0 when there is none.
        """
        opener = self.opener
        if opener is None or not self.enabled or length == BUFFER_SIZE:
            return 0
        packet = bytes(self.memory.view[:length])
        if length > 1 and is_rtcp(packet[1]):
            self.on_rtcp(packet, source, now)
            return 0
        opened = opener.rtp(packet)
        if opened is None:
            self.forged += 1
            return 0
        self.memory.bytes[: len(opened)] = opened
        return len(opened)

    def _tell(
        self, listener: IListener, second: int, sequence: int, timestamp: int, length: int, now: float
    ) -> None:
        try:
            start, end = payload_span(self.memory.bytes, length)
        except ValueError:
            return
        payload = bytes(self.memory.view[start:end])
        listener.heard(second & 0x7F, second >= MARKER, sequence, timestamp, payload, now)

    def _translate(self, second: int, length: int) -> None:
        table = None if self.translations is None else self.translations.get(second & 0x7F)
        if table is not None:
            try:
                start, end = payload_span(self.memory.bytes, length)
            except ValueError:
                return
            self.memory.bytes[start:end] = self.memory.bytes[start:end].translate(table)


def _ignored(*_: object) -> None:
    """
    What is called when a closed session's socket is said to have something.
    """
