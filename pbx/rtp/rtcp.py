"""
RTCP: sender and receiver reports, source descriptions and goodbyes (RFC 3550 6).
"""

from __future__ import annotations

import struct
from typing import Final, TypeAlias

from attrs import frozen

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
SOURCE_DESCRIPTION: Final = 202
GOODBYE: Final = 203

MAX_PACKETS: Final = 32
"""Packets read of one compound: a stranger's datagram of thousands of empty ones is not worth our time."""

_CNAME = 1
_HEADER = struct.Struct("!BBH")
_SSRC = struct.Struct("!I")
_SENDER = struct.Struct("!IQIII")
_BLOCK = struct.Struct("!IIIIII")


@frozen
class ReportBlock:
    """
    What a receiver says about one source it hears (RFC 3550 6.4.1).

    Attributes:
        ssrc: The source spoken of.
        fraction_lost: Lost since the last report, in 1/256.
        lost: Lost since the beginning; below zero when duplicates came.
        highest: The extended highest sequence number.
        jitter: In timestamp units.
        last_sr: The middle 32 bits of the source's last NTP timestamp; 0 when none came.
        delay: Time since then, in 1/65536 s.
    """

    ssrc: int
    fraction_lost: int = 0
    lost: int = 0
    highest: int = 0
    jitter: int = 0
    last_sr: int = 0
    delay: int = 0


@frozen
class SenderReport:
    """
    A participant that sends, and what it hears (RFC 3550 6.4.1).

    Attributes:
        ssrc: Its source.
        ntp: When this was sent: 64 bits, seconds in the upper half.
        timestamp: The same moment on the RTP clock.
        packets: Packets sent so far.
        octets: Payload bytes sent so far.
        blocks: One for each source it hears.
    """

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()


@frozen
class ReceiverReport:
    """
    What a participant hears that sends nothing itself (RFC 3550 6.4.2).
    """

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@frozen
class SourceDescription:
    """
    Who a source is (RFC 3550 6.5); of its items the CNAME alone.
    """

    ssrc: int
    cname: str


@frozen
class Goodbye:
    """
    The sources that leave (RFC 3550 6.6).
    """

    ssrcs: tuple[int, ...]


Report: TypeAlias = SenderReport | ReceiverReport | SourceDescription | Goodbye


def parse(data: bytes) -> list[Report]:
    """
    Read a compound packet; types other than the four are left out, whatever order they come in.

    Phones are lenient here, and so are we: a compound may begin with any type (reduced size, RFC 5506), and what
    follows the last complete packet is not looked at.

    Raises:
        ValueError: The first packet is not RTCP, or a packet is shorter than its own length says.
    """
    reports: list[Report] = []
    offset = 0
    for _ in range(MAX_PACKETS):
        if offset + 4 > len(data):
            break
        first, kind, words = _HEADER.unpack_from(data, offset)
        end = offset + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            raise ValueError("not an RTCP packet, or cut off")
        body = data[offset + 4 : end]
        try:
            _read(first & 0x1F, kind, body, reports)
        except struct.error:
            raise ValueError(f"RTCP packet of type {kind} is cut off") from None
        offset = end
    if offset == 0:
        raise ValueError("not an RTCP packet")
    return reports


def serialise(*reports: Report) -> bytes:
    """
    A compound packet; the caller puts a report first and a source description after it (RFC 3550 6.1).
    """
    return b"".join([_write(report) for report in reports])


def _read(count: int, kind: int, body: bytes, reports: list[Report]) -> None:
    if kind == SENDER_REPORT:
        ssrc, ntp, timestamp, packets, octets = _SENDER.unpack_from(body)
        reports.append(SenderReport(ssrc, ntp, timestamp, packets, octets, _blocks(body, _SENDER.size, count)))
    elif kind == RECEIVER_REPORT:
        (ssrc,) = _SSRC.unpack_from(body)
        reports.append(ReceiverReport(ssrc, _blocks(body, _SSRC.size, count)))
    elif kind == SOURCE_DESCRIPTION:
        _chunks(body, count, reports)
    elif kind == GOODBYE:
        reports.append(Goodbye(struct.unpack_from(f"!{count}I", body)))


def _blocks(body: bytes, offset: int, count: int) -> tuple[ReportBlock, ...]:
    blocks = []
    for number in range(count):
        ssrc, losses, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, offset + number * _BLOCK.size)
        lost = losses & 0xFFFFFF
        if lost & 0x800000:
            lost -= 0x1000000
        blocks.append(ReportBlock(ssrc, losses >> 24, lost, highest, jitter, last_sr, delay))
    return tuple(blocks)


def _chunks(body: bytes, count: int, reports: list[Report]) -> None:
    offset = 0
    for _ in range(count):
        (ssrc,) = _SSRC.unpack_from(body, offset)
        offset += 4
        while offset < len(body) and body[offset] != 0:
            kind, length = struct.unpack_from("!BB", body, offset)
            if kind == _CNAME:
                cname = body[offset + 2 : offset + 2 + length].decode("utf-8", "replace")
                reports.append(SourceDescription(ssrc, cname))
            offset += 2 + length
        # RFC 3550 6.5: a chunk ends with one to four null bytes, up to the next word.
        offset += 4 - offset % 4


def _write(report: Report) -> bytes:
    if isinstance(report, SenderReport):
        body = _SENDER.pack(report.ssrc, report.ntp, report.timestamp, report.packets, report.octets)
        return _framed(SENDER_REPORT, len(report.blocks), body + _written(report.blocks))
    if isinstance(report, ReceiverReport):
        return _framed(RECEIVER_REPORT, len(report.blocks), _SSRC.pack(report.ssrc) + _written(report.blocks))
    if isinstance(report, SourceDescription):
        cname = report.cname.encode()[:255]
        items = struct.pack("!IBB", report.ssrc, _CNAME, len(cname)) + cname
        return _framed(SOURCE_DESCRIPTION, 1, items + bytes(4 - len(items) % 4))
    return _framed(GOODBYE, len(report.ssrcs), struct.pack(f"!{len(report.ssrcs)}I", *report.ssrcs))


def _written(blocks: tuple[ReportBlock, ...]) -> bytes:
    return b"".join(
        [
            _BLOCK.pack(b.ssrc, b.fraction_lost << 24 | b.lost & 0xFFFFFF, b.highest, b.jitter, b.last_sr, b.delay)
            for b in blocks
        ]
    )


def _framed(kind: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, kind, len(body) // 4) + body
