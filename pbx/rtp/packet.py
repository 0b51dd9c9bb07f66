"""
The RTP packet (RFC 3550 5.1): as a value, and as offsets into a buffer that nobody copies.
"""

from __future__ import annotations

import struct
from typing import Final

from attrs import frozen

HEADER_LENGTH: Final = 12
"""Bytes of the fixed header; CSRCs and an extension come after it."""

MARKER: Final = 0x80
"""The marker bit in the second byte."""

PLAIN: Final = 0x80
"""The first byte of nearly every packet: version 2, no padding, no extension, no CSRC."""

HEADER: Final = struct.Struct("!BBHII")
"""The fixed header: first byte, marker and payload type, sequence number, timestamp, SSRC."""

STREAM_POSITION: Final = struct.Struct("!HII")
"""Sequence number, timestamp and SSRC as they lie from byte 2 on: what a rewritten stream changes."""

_EXTENSION = struct.Struct("!xxH")


@frozen
class Packet:
    """
    One RTP packet, its CSRCs and header extension left out.

    Attributes:
        payload_type: 0 to 127.
        sequence: 0 to 65535.
        timestamp: In units of the codec's clock, 32 bits.
        ssrc: The synchronisation source.
        payload: What the codec made, without padding.
        marker: The first packet of a talk spurt or of a telephone event.
    """

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes = b""
    marker: bool = False

    @classmethod
    def parse(cls, data: bytes) -> Packet:
        """
        Read a packet.

        Raises:
            ValueError: It is no RTP version 2 packet, or its lengths contradict each other.
        """
        header = read_header(data, len(data))
        if header is None:
            raise ValueError("not an RTP packet")
        payload_type, marker, sequence, timestamp, ssrc = header
        start, end = payload_span(data, len(data))
        return cls(payload_type, sequence, timestamp, ssrc, bytes(data[start:end]), marker)

    def to_bytes(self) -> bytes:
        """
        The packet as it goes over the wire.
        """
        second = self.payload_type | (MARKER if self.marker else 0)
        return HEADER.pack(PLAIN, second, self.sequence, self.timestamp, self.ssrc) + self.payload


def read_header(buffer: bytes | bytearray | memoryview, length: int) -> tuple[int, bool, int, int, int] | None:
    """
    Read the fixed header in place.

    Args:
        buffer: Holds the packet from its first byte on; may be longer.
        length: How many bytes of it are the packet.

    Returns:
        Payload type, marker, sequence number, timestamp and SSRC; ``None`` when this is no RTP packet.
    """
    if length < HEADER_LENGTH:
        return None
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(buffer)
    if first >> 6 != 2:
        return None
    return second & 0x7F, second >= MARKER, sequence, timestamp, ssrc


def payload_span(buffer: bytes | bytearray | memoryview, length: int) -> tuple[int, int]:
    """
    Where the payload of a packet begins and ends, past CSRCs and extension and without padding.

    Raises:
        ValueError: The header promises more than ``length`` bytes.
    """
    first = buffer[0]
    if first == PLAIN:
        return HEADER_LENGTH, length
    start = HEADER_LENGTH + 4 * (first & 0x0F)
    if first & 0x10:
        if start + 4 > length:
            raise ValueError("RTP header extension is cut off")
        start += 4 + 4 * int(_EXTENSION.unpack_from(buffer, start)[0])
    end = length
    if first & 0x20:
        padding = buffer[length - 1]
        if padding == 0:
            raise ValueError("RTP padding of no length")
        end -= padding
    if start > end:
        raise ValueError("RTP header is longer than its packet")
    return start, end


def is_rtcp(second: int) -> bool:
    """
    Whether a muxed packet with this second byte is RTCP (RFC 5761 4: 64 to 95 are never RTP payload types).
    """
    return 192 <= second <= 223
