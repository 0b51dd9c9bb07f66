"""
The stream that a session sends: one SSRC whose sequence numbers and timestamps go on, whoever speaks.

What is relayed keeps the numbers of its source, so that the receiver sees the true gaps. When the source changes (a
new SSRC, another leg, noise while on hold) the numbers are shifted from then on, and the receiver notices nothing but
a marker.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, Protocol

from attrs import define

from pbx.rtp.packet import HEADER, HEADER_LENGTH, MARKER, PLAIN
from pbx.sip.token import random_bytes

if TYPE_CHECKING:
    from pbx.media.sockets import Address, DatagramSocket
    from pbx.media.srtp import Protector

NOBODY: Final = -1
"""In place of the SSRC of the source while none is relayed."""

FRAMES_PER_SECOND: Final = 50
"""Frames of our own sound a second."""

FRAME: Final = 1 / FRAMES_PER_SECOND
"""Seconds by which the timestamp goes on at least when the source changes."""


class Carried(Protocol):
    """
    A stream that is relayed, as far as the stream it goes into must know it.
    """

    def position(self) -> tuple[int, int, float]:
        """
        Sequence number and timestamp of its latest packet, and when that came.
        """

    def missing(self) -> int:
        """
        How many of its packets got lost before they came to us.
        """

    def settle(self) -> None:
        """
        Count what it relayed.
        """

    def leave_express(self) -> None:
        """
        Look at the stream it goes into again before each packet.
        """


@define(eq=False)
class Outgoing:
    """
    What a session sends.

    Attributes:
        socket: Where it leaves.
        destination: Where it goes, ``None`` while nothing may be sent.
        connected: Whether the socket is connected to the destination.
        clock_rate: Timestamp units per second.
        protector: Turns it into SRTP, or ``None``.
        ssrc: The SSRC the receiver sees; -1 until it was told one.
        source: The SSRC of the source now relayed, :data:`NOBODY` when there is none.
        shifted: Whether sequence number, timestamp or SSRC differ from the source's.
        sequence_shift: What is added to the source's sequence numbers.
        timestamp_shift: What is added to the source's timestamps.
        packets: Packets sent.
        octets: Payload bytes sent, with header extensions.
        dropped: Packets that could not be sent.
        hushed: Whether nothing is sent but keys; by :meth:`hush`.
    """

    socket: DatagramSocket
    destination: Address | None = None
    connected: bool = False
    clock_rate: int = 8000
    protector: Protector | None = None
    ssrc: int = -1
    source: int = NOBODY
    shifted: bool = False
    sequence_shift: int = 0
    timestamp_shift: int = 0
    packets: int = 0
    octets: int = 0
    dropped: int = 0
    hushed: bool = False
    _pressed: bool = False
    _carried: Carried | None = None
    _sequence: int = -1
    _timestamp: int = 0
    _time: float = 0.0
    _missing: int = 0
    _missing_before: int = 0

    def announce(self) -> int:
        """
        The SSRC, chosen now if there is none yet: a report names it before the first packet goes out.
        """
        if self.ssrc < 0:
            self.ssrc = int.from_bytes(random_bytes(4), "big")
        return self.ssrc

    def carry(self, carried: Carried, ssrc: int, sequence: int, timestamp: int, now: float) -> bool:
        """
        Relay a source from now on.

        Args:
            carried: The source.
            ssrc: Its SSRC.
            sequence: The sequence number of the first packet to relay.
            timestamp: Its timestamp.
            now: The time.

        Returns:
            Whether this packet needs the marker: the receiver heard another source before.
        """
        self.release()
        self._carried = carried
        self._missing_before = carried.missing()
        self.source = ssrc
        if self.ssrc < 0:
            self.ssrc = ssrc
        self._pressed = False
        if self._sequence >= 0:
            self.sequence_shift = (self._sequence + 1 - sequence) & 0xFFFF
            self.timestamp_shift = (self._next_timestamp(now) - timestamp) & 0xFFFFFFFF
        self.shifted = self.ssrc != ssrc or self.sequence_shift != 0 or self.timestamp_shift != 0
        return self._sequence >= 0

    def release(self) -> None:
        """
        Relay nobody; the next source goes on where this one ended.
        """
        if self._carried is not None:
            self._carried.leave_express()
            self._sequence, self._timestamp, self._time = self.position()
            self._missing = self.missing()
            self._carried = None
        self.source = NOBODY
        self.sequence_shift = self.timestamp_shift = 0

    def lend(self, carried: Carried) -> bool:
        """
        Let somebody send sound of our own in our place, numbered on from here, until told to leave; whether it may.
        """
        if self.destination is None or self.protector is not None or self.hushed or self._pressed or self._sequence < 0:
            return False
        self.release()
        self._missing_before = carried.missing()
        self._carried = carried
        return True

    def take_back(self, carried: Carried) -> None:
        """
        Go on where somebody ended who sent in our place; nothing when that is somebody else.
        """
        if self._carried is carried:
            self.release()

    def position(self) -> tuple[int, int, float]:
        """
        Sequence number and timestamp of the latest packet as the receiver sees them, and when it was sent.
        """
        if self._carried is None:
            return self._sequence, self._timestamp, self._time
        sequence, timestamp, time = self._carried.position()
        return (sequence + self.sequence_shift) & 0xFFFF, (timestamp + self.timestamp_shift) & 0xFFFFFFFF, time

    def missing(self) -> int:
        """
        Gaps in what we sent that were there when it came to us: losses the receiver's leg is not to blame for.
        """
        if self._carried is None:
            return self._missing
        return self._missing + self._carried.missing() - self._missing_before

    def send_frame(self, payload_type: int, payload: bytes, now: float, *, first: bool) -> None:
        """
        Send sound of our own.

        Args:
            payload_type: The payload type the receiver expects.
            payload: One frame in that codec.
            now: The time.
            first: Whether nothing came before it: it gets the marker, and the timestamp goes on by the time gone by.
        """
        destination = self.destination
        if destination is None or self.hushed:
            return
        if first or self._pressed or self._carried is not None or self._sequence < 0:
            payload_type |= self._begin(now, first)
        else:
            self._timestamp = (self._timestamp + self.clock_rate // FRAMES_PER_SECOND) & 0xFFFFFFFF
        self._sequence = sequence = (self._sequence + 1) & 0xFFFF
        self._time = now
        packet = HEADER.pack(PLAIN, payload_type, sequence, self._timestamp, self.ssrc) + payload
        if self.protector is not None:
            self.send(packet)
            return
        # As in send(), without a call: this is done 50 times a second for everybody who hears music.
        self.packets += 1
        self.octets += len(payload)
        try:
            if self.connected:
                self.socket.send(packet)
            else:
                self.socket.sendto(packet, destination)
        except OSError:
            self.dropped += 1

    def _begin(self, now: float, first: bool) -> int:
        """
        Move on to where sound of our own begins; the marker, if it gets one.
        """
        if self._carried is not None or self._pressed:
            self.release()
            self._pressed = False
            first = True
        self.announce()
        if self._sequence < 0:
            self._sequence = int.from_bytes(random_bytes(2), "big") >> 1
            self._timestamp = int.from_bytes(random_bytes(4), "big")
        elif first:
            self._timestamp = self._next_timestamp(now)
        else:
            self._timestamp = (self._timestamp + self.clock_rate // FRAMES_PER_SECOND) & 0xFFFFFFFF
        return MARKER if first else 0

    def send_event(self, payload_type: int, payload: bytes, now: float, *, first: bool) -> None:
        """
        Send a report of a key being pressed; all reports of one key have the timestamp of its beginning (RFC 4733 2.1).

        Args:
            payload_type: The payload type the receiver expects.
            payload: The report.
            now: The time.
            first: Whether it is the key's first report: it gets the marker.
        """
        if self.destination is None:
            return
        if first or not self._pressed:
            payload_type |= self._begin(now, True)
            self._time = now
            self._pressed = True
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.send(HEADER.pack(PLAIN, payload_type, self._sequence, self._timestamp, self.ssrc) + payload)

    def hush(self) -> None:
        """
        Send keys only from now on, and nothing that is said or relayed.
        """
        self.hushed = True
        self.changed()

    def unhush(self) -> None:
        """
        Send everything again.
        """
        self.hushed = False

    def send(self, packet: bytes | memoryview) -> None:
        """
        Send a packet that is ready but for encryption, and count it.
        """
        destination = self.destination
        if destination is None:
            return
        self.packets += 1
        self.octets += len(packet) - HEADER_LENGTH
        if self.protector is not None:
            protected = self.protector.rtp(bytes(packet))
            if protected is None:
                self.dropped += 1
                return
            packet = protected
        try:
            self.socket.sendto(packet, destination)
        except OSError:
            # It can't be reached now, or the send buffer is full: as if lost on the way.
            self.dropped += 1

    def settle(self) -> None:
        """
        Bring the counts up to date.
        """
        if self._carried is not None:
            self._carried.settle()

    def changed(self) -> None:
        """
        What is relayed into this stream has to look at it again.
        """
        if self._carried is not None:
            self._carried.leave_express()

    def disconnect(self) -> None:
        """
        Let the socket hear everybody again.
        """
        self.changed()
        if self.connected:
            self.connected = False
            with contextlib.suppress(OSError):
                self.socket.disconnect()

    def _next_timestamp(self, now: float) -> int:
        gone = max(FRAME, now - self._time)
        return (self._timestamp + int(gone * self.clock_rate)) & 0xFFFFFFFF
