"""
The short way of a packet: received, looked at, noted, sent. Nearly all packets of nearly all calls go it.

Python runs cold between two packets, so what counts is how much of it there is. Here both sockets are connected, so
that the kernel compares addresses; everything needed is at hand in a closure; and a packet is only noted, to be counted
with many others later, when the code for that is warm. Nothing is logged or locked.

It is taken when both legs have latched, neither encrypts nor converts and nobody listens, and left when anything
changes.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from pbx.rtp.packet import HEADER_LENGTH, STREAM_POSITION

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.media.incoming import Incoming
    from pbx.media.outgoing import Outgoing

Notes: TypeAlias = "deque[tuple[float, int, int, int]]"
"""Arrival, length, sequence number and timestamp of packets."""

MAX_NOTES: Final = 1000
"""Notes kept; they are counted twice a second, so a peer that sends faster than 2,000 a second is told it lost some."""


_HEADER = struct.Struct("!xBHII")


def new_notes() -> Notes:
    """
    Room for notes.
    """
    return deque(maxlen=MAX_NOTES)


def possible(incoming: Incoming, sink: Outgoing) -> bool:
    """
    Whether a stream can go the short way into another now.
    """
    return (
        incoming.opener is None
        and incoming.translations is None
        and not incoming.overheard
        and incoming.back.connected
        and sink.connected
        and sink.protector is None
        and sink.source == incoming.ssrc
        and sink.destination is not None
    )


def relay(incoming: Incoming, sink: Outgoing) -> Callable[[float], object]:
    """
    A function that reads a packet and sends it on; it returns true when the packet was out of the ordinary.
    """
    receive = incoming.socket.recv_into
    send = sink.socket.send
    buffer, heads = incoming.memory.bytes, incoming.memory.heads
    payload_types = incoming.payload_types
    ssrc = incoming.ssrc
    note = incoming.notes.append
    unusual = incoming.unusual
    header = _HEADER.unpack_from

    least = HEADER_LENGTH

    def same(now: float) -> bool:
        try:
            length = receive(buffer)
        except OSError:
            return False
        if length < least:
            return unusual(length, now)
        second, sequence, timestamp, source = header(buffer)
        if source != ssrc or payload_types[second] < 0:
            return unusual(length, now)
        note((now, length, sequence, timestamp))
        try:
            send(heads[length])
        except OSError:
            sink.dropped += 1
        return False

    if not sink.shifted and all(sent in (second, -1) for second, sent in enumerate(payload_types)):
        return same

    shift = STREAM_POSITION.pack_into
    sequence_shift, timestamp_shift, own = sink.sequence_shift, sink.timestamp_shift, sink.ssrc

    def rewritten(now: float) -> bool:
        try:
            length = receive(buffer)
        except OSError:
            return False
        if length < least:
            return unusual(length, now)
        second, sequence, timestamp, source = header(buffer)
        outgoing_second = payload_types[second]
        if source != ssrc or outgoing_second < 0:
            return unusual(length, now)
        note((now, length, sequence, timestamp))
        buffer[1] = outgoing_second
        shift(buffer, 2, (sequence + sequence_shift) & 0xFFFF, (timestamp + timestamp_shift) & 0xFFFFFFFF, own)
        try:
            send(heads[length])
        except OSError:
            sink.dropped += 1
        return False

    return rewritten
