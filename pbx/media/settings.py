"""
What the operator decides about media.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen


@frozen(kw_only=True)
class MediaSettings:
    """
    Where media flows, whose it is, and how often it is reported on.

    Attributes:
        port_range_start: First UDP port for RTP and RTCP.
        port_range_end: Last one.
        latch: ``normal`` sends to where a phone's packets come from, ``strict`` only to where its SDP says.
        dscp: The mark on media packets (RFC 4594: EF is 46).
        report_interval: Seconds between RTCP reports, on average (RFC 3550 6.2).
        tones: The country whose ringing, busy and other tones callers hear, as ISO 3166 has it in lower case.
    """

    port_range_start: int = 10_000
    port_range_end: int = 20_000
    latch: Literal["normal", "strict"] = "normal"
    dscp: int = 46
    report_interval: float = 5.0
    tones: str = "us"
