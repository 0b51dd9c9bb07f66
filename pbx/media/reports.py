"""
RTCP of one session: what we report to the peer, and what the peer reports to us (RFC 3550 6).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from attrs import define

from pbx.rtp import rtcp
from pbx.rtp.statistics import middle, ntp_of, round_trip

if TYPE_CHECKING:
    from pbx.media.incoming import Incoming
    from pbx.media.outgoing import Outgoing


@define(eq=False)
class Reports:
    """
    The reports of both sides.

    Attributes:
        incoming: What we report about.
        outgoing: What the peer reports about.
        heard: When the last report came; 0 when none did.
        rtt: Round-trip time in seconds, ``None`` while unknown.
        sent: Reports sent.
        peer: The last block about what we sent, ``None`` while there is none.
    """

    incoming: Incoming
    outgoing: Outgoing
    heard: float = 0.0
    rtt: float | None = None
    sent: int = 0
    peer: rtcp.ReportBlock | None = None
    _last_sr: int = 0
    _last_sr_at: float = 0.0
    _packets_reported: int = 0
    _cname: str = ""

    def received(self, compound: bytes, now: float) -> None:
        """
        Take a compound packet of the peer into account.

        Raises:
            ValueError: It is no RTCP.
        """
        reports = rtcp.parse(compound)
        self.heard = now
        for report in reports:
            if isinstance(report, rtcp.SenderReport):
                self._last_sr = middle(report.ntp)
                self._last_sr_at = now
            if isinstance(report, rtcp.SenderReport | rtcp.ReceiverReport):
                for block in report.blocks:
                    if block.ssrc == self.outgoing.ssrc:
                        self.peer = block
                        rtt = round_trip(block, now)
                        self.rtt = self.rtt if rtt is None else rtt

    def compose(self, now: float, *, goodbye: bool = False) -> bytes:
        """
        The compound packet to send now.

        Args:
            now: The time, on the clock that :meth:`received` gets.
            goodbye: Whether we leave with it.
        """
        outgoing = self.outgoing
        outgoing.settle()
        ssrc = outgoing.announce()
        blocks = self._blocks(now)
        report: rtcp.Report
        if outgoing.packets != self._packets_reported:
            # RFC 3550 6.4: a sender report when we sent something since the report before.
            _, timestamp, sent_at = outgoing.position()
            timestamp += int((now - sent_at) * outgoing.clock_rate)
            report = rtcp.SenderReport(
                ssrc,
                ntp_of(now),
                timestamp & 0xFFFFFFFF,
                outgoing.packets & 0xFFFFFFFF,
                outgoing.octets & 0xFFFFFFFF,
                blocks,
            )
            self._packets_reported = outgoing.packets
        else:
            report = rtcp.ReceiverReport(ssrc, blocks)
        self.sent += 1
        if not self._cname:
            # Most of the short calls are over before the first report.
            self._cname = f"pbx-{secrets.token_hex(6)}"
        description = rtcp.SourceDescription(ssrc, self._cname)
        return rtcp.serialise(report, description, *([rtcp.Goodbye((ssrc,))] if goodbye else []))

    @property
    def lost_out(self) -> int | None:
        """
        What got lost between us and the peer: what it misses, less what was missing already when it came to us.
        """
        if self.peer is None:
            return None
        return max(0, self.peer.lost - self.outgoing.missing())

    @property
    def jitter_out(self) -> float | None:
        """
        Jitter at the peer, in seconds.
        """
        return None if self.peer is None else self.peer.jitter / self.outgoing.clock_rate

    def _blocks(self, now: float) -> tuple[rtcp.ReportBlock, ...]:
        incoming = self.incoming
        if incoming.ssrc < 0:
            return ()
        incoming.settle()
        delay = now - self._last_sr_at
        return (incoming.reception.report_block(incoming.clock_rate, self._last_sr, delay),)
