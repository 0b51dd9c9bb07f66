"""
How well a leg's sound came through, in both directions.
"""

from __future__ import annotations

from typing import Final

import attrs

from pbx.rtp.emodel import mos, r_factor

PACKET_MS: Final = 20.0
"""What putting sound into packets takes, in milliseconds."""

LEAST_BUFFER_MS: Final = 20.0
"""What a jitter buffer holds back at least."""


@attrs.frozen
class LegQuality:
    """
    What was received from a leg's peer (``in``), and what the peer said of what we sent (``out``).

    Attributes:
        codec: Encoding name, empty when none was agreed.
        srtp: The suite by which it is encrypted (RFC 4568 6.2); ``None`` in the clear.
        packets_in: RTP packets received.
        packets_out: RTP packets sent.
        bytes_in: Bytes of those received, with RTP headers.
        bytes_out: Payload bytes of those sent.
        lost_in: Packets that the peer sent and we did not get.
        lost_out: Packets that we sent and the peer says it did not get; ``None`` while it said nothing.
        loss_percent: ``lost_in`` in percent of what was expected.
        loss_percent_out: ``lost_out`` in percent of what was sent.
        jitter_ms: Interarrival jitter of what we received (RFC 3550 A.8).
        jitter_ms_out: The same at the peer.
        rtt_ms: Round-trip time to the peer by RTCP.
        r_factor: The worse direction's transmission rating (ITU-T G.107); ``None`` when nothing came or was reported.
        mos: That as a mean opinion score.
    """

    codec: str = ""
    srtp: str | None = attrs.field(default=None, kw_only=True)
    packets_in: int = 0
    packets_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    lost_in: int = 0
    lost_out: int | None = None
    loss_percent: float = 0.0
    loss_percent_out: float | None = None
    jitter_ms: float = 0.0
    jitter_ms_out: float | None = None
    rtt_ms: float | None = None
    r_factor: float | None = None
    mos: float | None = None

    def as_dict(self) -> dict[str, str | int | float | None]:
        """
        The figures by name, rounded to what they are good for.
        """
        # Written out: every call has two of these.
        return {
            "codec": self.codec,
            "srtp": self.srtp,
            "packets_in": self.packets_in,
            "packets_out": self.packets_out,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "lost_in": self.lost_in,
            "lost_out": self.lost_out,
            "loss_percent": round(self.loss_percent, 2),
            "loss_percent_out": _rounded(self.loss_percent_out),
            "jitter_ms": round(self.jitter_ms, 2),
            "jitter_ms_out": _rounded(self.jitter_ms_out),
            "rtt_ms": _rounded(self.rtt_ms),
            "r_factor": _rounded(self.r_factor),
            "mos": _rounded(self.mos),
        }

    def rated(self) -> LegQuality:
        """
        The same with R and MOS reckoned from the rest.
        """
        ratings = []
        if self.packets_in:
            ratings.append(self._rating(self.loss_percent, self.jitter_ms))
        if self.loss_percent_out is not None:
            ratings.append(self._rating(self.loss_percent_out, self.jitter_ms_out or 0.0))
        if not ratings:
            return self
        r = min(ratings)
        return attrs.evolve(self, r_factor=r, mos=mos(r))

    def _rating(self, loss_percent: float, jitter_ms: float) -> float:
        buffer = max(LEAST_BUFFER_MS, 2 * jitter_ms)
        return r_factor(self.codec, loss_percent, (self.rtt_ms or 0.0) / 2 + PACKET_MS + buffer)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
