"""
Loss, jitter and round-trip time (RFC 3550 6.4, A.1, A.3 and A.8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define

from pbx.rtp.rtcp import ReportBlock

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_DROPOUT: Final = 3000
"""A gap up to this is loss; a larger one is a sender that began anew (RFC 3550 A.1)."""

MAX_MISORDER: Final = 100
"""A packet up to this late is counted as late (RFC 3550 A.1)."""


@define(eq=False)
class Reception:
    """
    What has arrived of one peer's RTP, over all the streams it sent one after another.

    The figures of a report block are those of the present stream; :attr:`expected`, :attr:`packets` and :attr:`lost`
    count the earlier ones too.

    Attributes:
        ssrc: The present stream's source.
        packets: Packets of all streams, late and duplicate ones among them.
        jitter: Interarrival jitter of the present stream, in seconds.
        max_sequence: The highest sequence number, without its cycles; -1 before the first.
        timestamp: That of the latest packet, -1 before the first.
    """

    ssrc: int = 0
    packets: int = 0
    jitter: float = 0.0
    max_sequence: int = -1
    timestamp: int = -1
    _cycles: int = 0
    _base: int = 0
    _resync: int = -1
    _transit: float = 0.0
    _earlier_packets: int = 0
    _earlier_expected: int = 0
    _reported_packets: int = 0
    _reported_expected: int = 0

    def received(self, sequence: int, timestamp: int, arrival: float, clock_rate: int) -> bool:
        """
        Take one packet of the present stream into account.

        Args:
            sequence: Its sequence number.
            timestamp: Its RTP timestamp.
            arrival: When it came, in seconds of any steady clock.
            clock_rate: Timestamp units per second.

        Returns:
            Whether it belongs to the stream: a lone packet from far off is not counted.
        """
        ahead = (sequence - self.max_sequence) & 0xFFFF
        if ahead == 1:
            # The common case first. The sum is 65536 where the sequence number begins anew.
            if sequence == 0:
                self._cycles += 0x10000
            self.max_sequence = sequence
        elif not self._out_of_turn(sequence, ahead):
            return False
        self.packets += 1
        # RFC 3550 6.4.1 and A.8. The reports of one telephone event share a timestamp (RFC 4733 2.1) though they are
        # sent one after another: they say nothing about the network.
        if timestamp != self.timestamp:
            transit = arrival - timestamp / clock_rate
            if self.timestamp >= 0:
                difference = transit - self._transit
                if difference < 0.0:
                    difference = -difference
                if difference > _HALF_TURN / clock_rate:
                    # The timestamp began anew at zero (or went back over it).
                    difference = abs(difference - 2 * _HALF_TURN / clock_rate)
                self.jitter += (difference - self.jitter) / 16.0
            self._transit = transit
            self.timestamp = timestamp
        return True

    def received_all(self, notes: Iterable[tuple[float, int, int, int]], clock_rate: int) -> int:
        """
        Take many packets of the present stream into account, at a third of the cost of one by one.

        Args:
            notes: Arrival, length, sequence number and timestamp of each.
            clock_rate: Timestamp units per second.

        Returns:
            The sum of the lengths.
        """
        octets = counted = 0
        limit = _HALF_TURN / clock_rate
        sequence_before, before, transit, jitter = self.max_sequence, self.timestamp, self._transit, self.jitter
        for arrival, length, sequence, timestamp in notes:
            octets += length
            if sequence == sequence_before + 1 and before >= 0:
                sequence_before = sequence
                counted += 1
                if timestamp == before:
                    continue
                before = timestamp
                now = arrival - timestamp / clock_rate
                difference = now - transit
                transit = now
                if difference < 0.0:
                    difference = -difference
                if difference <= limit:
                    jitter += (difference - jitter) / 16.0
                    continue
                difference = abs(difference - 2 * limit)
                jitter += (difference - jitter) / 16.0
            else:
                # Anything else is rare and goes the one way there is for it.
                self.packets += counted
                counted = 0
                self.max_sequence, self.timestamp, self._transit, self.jitter = sequence_before, before, transit, jitter
                self.received(sequence, timestamp, arrival, clock_rate)
                sequence_before, before, transit, jitter = self.max_sequence, self.timestamp, self._transit, self.jitter
        self.max_sequence, self.timestamp, self._transit, self.jitter = sequence_before, before, transit, jitter
        self.packets += counted
        return octets

    def restart(self, ssrc: int, sequence: int) -> None:
        """
        Begin a stream: the first, one of a new source, or one whose sequence numbers jumped.

        Args:
            ssrc: Its source.
            sequence: The sequence number of its first packet, which is yet to be :meth:`received`.
        """
        self._earlier_expected = self.expected
        self._earlier_packets = self.packets
        self.ssrc = ssrc
        self.max_sequence = (sequence - 1) & 0xFFFF
        # One packet before the first lies in the cycle before where that first is number 0.
        self._cycles = -0x10000 if sequence == 0 else 0
        self._base = sequence
        self._resync = -1
        self.timestamp = -1
        self.jitter = 0.0
        self._reported_expected = self._reported_packets = 0

    @property
    def highest(self) -> int:
        """
        The extended highest sequence number of the present stream, 32 bits.
        """
        return (self._cycles + self.max_sequence) & 0xFFFFFFFF

    @property
    def expected(self) -> int:
        """
        How many packets the peer has sent, by the sequence numbers seen (RFC 3550 A.3).
        """
        if self.max_sequence < 0:
            return 0
        return self._earlier_expected + self._cycles + self.max_sequence - self._base + 1

    @property
    def lost(self) -> int:
        """
        How many packets are missing; never below zero, though duplicates can make RFC 3550's own figure so.
        """
        return max(0, self.expected - self.packets)

    @property
    def loss_percent(self) -> float:
        """
        Lost packets in percent of the expected ones.
        """
        expected = self.expected
        return 100.0 * self.lost / expected if expected else 0.0

    @property
    def jitter_ms(self) -> float:
        """
        Interarrival jitter of the present stream in milliseconds.
        """
        return self.jitter * 1000.0

    def report_block(self, clock_rate: int, last_sr: int = 0, delay: float = 0.0) -> ReportBlock:
        """
        What a report tells the peer about its stream; the fraction lost counts from the report before (RFC 3550 A.3).

        Args:
            clock_rate: Units of the jitter figure per second.
            last_sr: The middle 32 bits of the NTP timestamp of the peer's last sender report, or 0.
            delay: Seconds since that report came.
        """
        expected = self.expected - self._earlier_expected
        packets = self.packets - self._earlier_packets
        interval = expected - self._reported_expected
        lost = interval - (packets - self._reported_packets)
        self._reported_expected, self._reported_packets = expected, packets
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=min(255, lost * 256 // interval) if interval > 0 and lost > 0 else 0,
            lost=max(-0x800000, min(0x7FFFFF, expected - packets)),
            highest=self.highest,
            jitter=int(self.jitter * clock_rate),
            last_sr=last_sr,
            delay=int(delay * 65536) & 0xFFFFFFFF if last_sr else 0,
        )

    def _out_of_turn(self, sequence: int, ahead: int) -> bool:
        """
        RFC 3550 A.1, without its probation: the latch has looked at the source already.
        """
        if 0 < ahead < MAX_DROPOUT:
            if sequence < self.max_sequence:
                self._cycles += 0x10000
            self.max_sequence = sequence
        elif 0 < ahead <= 0x10000 - MAX_MISORDER:
            if sequence != self._resync:
                self._resync = (sequence + 1) & 0xFFFF
                return False
            # Two in a row from there: the sender began anew without telling.
            self.restart(self.ssrc, sequence)
            return self._out_of_turn(sequence, 1)
        return True


_HALF_TURN: Final = 0x80000000


def middle(ntp: int) -> int:
    """
    The middle 32 bits of a 64-bit NTP timestamp: units of 1/65536 s (RFC 3550 6.4.1).
    """
    return (ntp >> 16) & 0xFFFFFFFF


def ntp_of(seconds: float) -> int:
    """
    A 64-bit NTP timestamp of a clock of seconds; RFC 3550 6.4.1 lets it be any steady clock.
    """
    return int(seconds * 4294967296.0) & 0xFFFFFFFFFFFFFFFF


def round_trip(block: ReportBlock, arrival: float) -> float | None:
    """
    The round-trip time to the peer that sent a report block, in seconds (RFC 3550 6.4.1).

    Args:
        block: What it said about our stream.
        arrival: When it came, on the clock that our own sender reports were stamped with.

    Returns:
        ``None`` when the peer had no report of ours yet, or says what can't be.
    """
    if block.last_sr == 0:
        return None
    elapsed = (middle(ntp_of(arrival)) - block.last_sr - block.delay) & 0xFFFFFFFF
    if elapsed & 0x80000000:
        # The peer claims to have held our report for longer than it was under way: within a tick that is rounding.
        return 0.0 if elapsed > 0xFFFFFFFF - 655 else None
    return elapsed / 65536.0
