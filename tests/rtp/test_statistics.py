"""
Tests for :mod:`pbx.rtp.statistics`.
"""

from __future__ import annotations

import random

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pbx.rtp.rtcp import ReportBlock
from pbx.rtp.statistics import Reception, middle, ntp_of, round_trip

RATE = 8000


class Reference:
    """
    RFC 3550 A.1, A.3 and A.8, put down from its C as literally as Python allows (MIN_SEQUENTIAL is 0).
    """

    def __init__(self, sequence: int) -> None:
        self.base = self.max = sequence
        self.cycles = self.received = self.transit = self.expected_prior = self.received_prior = 0
        self.jitter = 0.0
        self.first = True

    def update(self, sequence: int, timestamp: int, arrival: int) -> None:
        delta = (sequence - self.max) % 65536
        if delta < 3000:
            if sequence < self.max:
                self.cycles += 65536
            self.max = sequence
        self.received += 1
        transit = arrival - timestamp
        if not self.first:
            self.jitter += (1.0 / 16.0) * (abs(transit - self.transit) - self.jitter)
        self.transit, self.first = transit, False

    @property
    def expected(self) -> int:
        return self.cycles + self.max - self.base + 1

    def fraction(self) -> int:
        expected_interval = self.expected - self.expected_prior
        self.expected_prior = self.expected
        received_interval = self.received - self.received_prior
        self.received_prior = self.received
        lost_interval = expected_interval - received_interval
        if expected_interval == 0 or lost_interval <= 0:
            return 0
        return (lost_interval << 8) // expected_interval


def stream(
    count: int, first: int, *, loss: float, jitter: float, late: float = 0.0, seed: int = 1
) -> list[tuple[int, int, float]]:
    """
    Packets of 20 ms as they arrive: sequence number, timestamp, arrival in seconds.
    """
    chance = random.Random(seed)  # noqa: S311  # no secret
    packets = []
    for number in range(count):
        if number and chance.random() < loss:
            continue
        delay = 0.05 + chance.uniform(-jitter, jitter) + (0.05 if chance.random() < late else 0)
        packets.append(((first + number) & 0xFFFF, (number * 160) & 0xFFFFFFFF, 100 + number * 0.02 + delay))
    return sorted(packets, key=lambda packet: packet[2])


class ReceptionTests(SynchronousTestCase):
    """
    A stream's loss and jitter, beside the RFC's own algorithm.
    """

    def compare(self, packets: list[tuple[int, int, float]]) -> Reception:
        reception = Reception()
        reception.restart(7, packets[0][0])
        reference = Reference(packets[0][0])
        for number, (sequence, timestamp, arrival) in enumerate(packets):
            self.assertTrue(reception.received(sequence, timestamp, arrival, RATE))
            reference.update(sequence, timestamp, int(arrival * RATE))
            if number % 250 == 249:
                block = reception.report_block(RATE)
                self.assertEqual(block.fraction_lost, reference.fraction())
                self.assertEqual(block.lost, reference.expected - reference.received)
                self.assertEqual(block.highest, reference.cycles + reference.max)
                # The reference counts in whole timestamp units: an eighth of a millisecond.
                self.assertLess(abs(block.jitter - reference.jitter), 2)
        self.assertEqual(reception.expected, reference.expected)
        return reception

    def test_clean(self) -> None:
        """
        A clean stream has neither loss nor jitter, also where sequence numbers wrap.
        """
        reception = self.compare(stream(2000, 65000, loss=0, jitter=0))
        self.assertEqual((reception.expected, reception.lost, reception.packets), (2000, 0, 2000))
        self.assertLess(reception.jitter_ms, 0.001)

    def test_loss_and_jitter(self) -> None:
        """
        5 % of loss and jitter of 20 ms come out as RFC 3550 reckons them.
        """
        reception = self.compare(stream(5000, 60000, loss=0.05, jitter=0.008))
        self.assertLess(abs(reception.loss_percent - 5), 0.8)
        self.assertGreater(reception.jitter_ms, 3)

    def test_reordered(self) -> None:
        """
        Late packets are no loss, also around the wrap.
        """
        reception = self.compare(stream(3000, 65500, loss=0, jitter=0.015, late=0.1))
        self.assertEqual(reception.lost, 0)

    def test_first_is_number_zero(self) -> None:
        """
        A stream may begin at sequence number 0.
        """
        reception = self.compare(stream(300, 0, loss=0, jitter=0))
        self.assertEqual((reception.expected, reception.highest), (300, 299))

    def test_duplicates(self) -> None:
        """
        Duplicates count as received: the report's figure goes below zero, ours does not.
        """
        packets = stream(100, 5, loss=0, jitter=0)
        reception = Reception()
        reception.restart(7, 5)
        for packet in packets:
            reception.received(*packet, RATE)
            reception.received(*packet, RATE)
        self.assertEqual(reception.report_block(RATE).lost, -100)
        self.assertEqual(reception.lost, 0)

    def test_timestamp_wraps(self) -> None:
        """
        The timestamp may begin anew at zero: no jitter comes of it.
        """
        reception = Reception()
        reception.restart(7, 1)
        for number in range(10):
            reception.received(1 + number, (0xFFFFFFFF - 500 + number * 160) & 0xFFFFFFFF, number * 0.02, RATE)
        self.assertLess(reception.jitter_ms, 0.01)

    def test_telephone_event(self) -> None:
        """
        The reports of one event share a timestamp and are not taken for jitter.
        """
        reception = Reception()
        reception.restart(7, 1)
        for number in range(10):
            reception.received(1 + number, 160 * number, number * 0.02, RATE)
        for number in range(10, 20):
            reception.received(1 + number, 1600, number * 0.02, RATE)
        for number in range(20, 30):
            reception.received(1 + number, 160 * number, number * 0.02, RATE)
        self.assertLess(reception.jitter_ms, 0.01)

    def test_many_at_once(self) -> None:
        """
        Counted together packets come to exactly what they come to one by one: with loss, late ones, wraps of both
        numbers, events, strays, and a sender that begins anew.
        """
        packets = stream(3000, 65000, loss=0.05, jitter=0.015, late=0.05)
        packets = [(sequence, (timestamp - 90_000) & 0xFFFFFFFF, arrival) for sequence, timestamp, arrival in packets]
        packets[700:703] = [(sequence, packets[700][1], arrival) for sequence, _, arrival in packets[700:703]]
        packets[1500] = (30000, 7, packets[1500][2])
        packets[2000:] = [(one - 9999 & 0xFFFF, two, three) for one, two, three in packets[2000:]]
        single, many = Reception(), Reception()
        for reception in (single, many):
            reception.restart(7, packets[0][0])
        for packet in packets:
            single.received(*packet, RATE)
        octets = 0
        for start in range(0, len(packets), 37):
            notes = [(arrival, 172, one, two) for one, two, arrival in packets[start : start + 37]]
            octets += many.received_all(notes, RATE)
        self.assertEqual(octets, 172 * len(packets))
        self.assertEqual(attrs.asdict(single), attrs.asdict(many))
        self.assertGreater(single.lost, 100)

    def test_stray_packet(self) -> None:
        """
        One packet from far off is not counted; two in a row are a sender that began anew, and nothing is lost by it.
        """
        reception = Reception()
        reception.restart(7, 100)
        for sequence in (100, 101, 102):
            reception.received(sequence, sequence * 160, sequence * 0.02, RATE)
        self.assertFalse(reception.received(40000, 0, 2.1, RATE))
        self.assertTrue(reception.received(103, 103 * 160, 2.06, RATE))
        self.assertFalse(reception.received(40000, 0, 2.1, RATE))
        self.assertTrue(reception.received(40001, 160, 2.12, RATE))
        self.assertTrue(reception.received(40003, 480, 2.16, RATE))
        self.assertEqual((reception.packets, reception.expected, reception.lost), (6, 7, 1))
        self.assertEqual(reception.report_block(RATE).lost, 1)

    def test_another_source(self) -> None:
        """
        A new source begins its own reports; the sums go on.
        """
        reception = Reception()
        for ssrc, first in ((1, 10), (2, 60000)):
            reception.restart(ssrc, first)
            for number in (0, 1, 3):
                reception.received(first + number, number * 160, number * 0.02, RATE)
        block = reception.report_block(RATE)
        self.assertEqual((block.ssrc, block.lost, block.highest), (2, 1, 60003))
        self.assertEqual((reception.packets, reception.expected, reception.lost), (6, 8, 2))


class RoundTripTests(SynchronousTestCase):
    """
    The way there and back.
    """

    def test_example(self) -> None:
        """
        The example of RFC 3550 figure 2: 6.125 s.
        """
        block = ReportBlock(1, last_sr=0xB7052000, delay=0x00054000)
        arrival = (0xB44DB705 << 32 | 0x20000000) / 2**32 + 5.25 + 6.125
        self.assertAlmostEqual(round_trip(block, arrival) or 0, 6.125, places=3)
        self.assertEqual(middle(0xB44DB70520000000), 0xB7052000)

    def test_nothing_to_reckon_with(self) -> None:
        """
        A peer that has had no report of ours, or claims the impossible, gives None.
        """
        self.assertIsNone(round_trip(ReportBlock(1), 5.0))
        sent = middle(ntp_of(5.0))
        self.assertIsNone(round_trip(ReportBlock(1, last_sr=sent, delay=65536), 5.5))
        self.assertEqual(round_trip(ReportBlock(1, last_sr=sent, delay=66), 5.001), 0.0)
