"""
Tests for :mod:`pbx.media.jitter`: what the network does to packets, and what is played of them.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from attrs import Factory, define
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pbx.media.jitter import FIRST, LEAST, LONGEST_SPAN, MOST, JitterBuffer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CLOCK = 8_000
TICK = 0.02
START = 1_000.0


@define
class Playout:
    """
    A buffer between a sender and a player, on a clock of its own.

    Attributes:
        played: The number of the packet played in each tick, ``None`` where there was none.
        heard: The packets played, in that order.
        delays: For each packet played, the seconds from when it was said to when it was played.
    """

    buffer: JitterBuffer = Factory(lambda: JitterBuffer(CLOCK))
    milliseconds: int = 20
    drift: float = 0.0
    first: int = 0xFFFFF000
    played: list[int | None] = Factory(list)
    heard: list[int] = Factory(list)
    delays: list[float] = Factory(list)
    spans: list[float] = Factory(list)

    def run(self, arrivals: Iterable[tuple[float, int]], seconds: float) -> None:
        """
        Let packets come at their times, and play for a while.

        Args:
            arrivals: Time and number of each packet; number n was said n times the packet length after the start.
            seconds: How long.
        """
        waiting = sorted(arrivals)
        ready = 0.0
        units = self.milliseconds * CLOCK // 1_000
        for tick in range(int(seconds / TICK)):
            # A little off the packets' own rhythm.
            now = START + tick * TICK + 0.007
            while waiting and waiting[0][0] <= now:
                at, number = waiting.pop(0)
                self.buffer.put((self.first + number * units) & 0xFFFFFFFF, 0, number.to_bytes(4, "big"), at)
            got: int | None = None
            while ready < TICK - 1e-9:
                entry = self.buffer.take(now, ready)
                if entry is None:
                    self.buffer.concealed(TICK - ready)
                    ready = TICK
                    break
                got = int.from_bytes(entry.payload, "big")
                self.heard.append(got)
                self.delays.append(now + ready - self.said(got))
                self.buffer.played(units / CLOCK)
                ready += units / CLOCK
            self.played.append(got)
            surplus = self.buffer.surplus(now, ready) if tick % 5 == 0 else 0.0
            ready -= TICK
            # A pitch period more or less, as who decodes would do it.
            if surplus > 0 and (entry := self.buffer.take(now, ready + TICK)) is not None:
                self.heard.append(int.from_bytes(entry.payload, "big"))
                self.delays.append(now + ready + TICK - self.said(self.heard[-1]))
                self.buffer.played(units / CLOCK)
                ready += units / CLOCK - 0.01
            elif surplus < 0:
                ready += 0.01
            self.spans.append(self.buffer.span + ready)

    def said(self, number: int) -> float:
        """
        When a packet was complete at the sender.
        """
        return START + number * self.milliseconds / 1000 * (1 + self.drift)


def steady(count: int, delay: Callable[[int], float] = lambda _: 0.0, drift: float = 0.0) -> list[tuple[float, int]]:
    """
    Packets of 20 ms, each late by its own delay.
    """
    return [(START + number * TICK * (1 + drift) + delay(number), number) for number in range(count)]


class SteadyTests(SynchronousTestCase):
    """
    A network that does nothing wrong.
    """

    def test_in_order(self) -> None:
        """
        Every packet is played, one a tick, after the shortest delay that a tick allows.
        """
        playout = Playout()
        playout.run(steady(500), 10)
        self.assertEqual(playout.heard, list(range(len(playout.heard))))
        self.assertEqual(playout.played[:3].count(None), 2)
        self.assertEqual(playout.played[10:].count(None), 0)
        self.assertLessEqual(max(playout.delays), FIRST + TICK)

    def test_packets_of_other_lengths(self) -> None:
        """
        Packets of 10, 30 and 60 ms come out without a gap too.
        """
        for milliseconds in (10, 30, 40, 60):
            playout = Playout(milliseconds=milliseconds)
            count = 6_000 // milliseconds
            arrivals = [(START + number * milliseconds / 1000, number) for number in range(count)]
            playout.run(arrivals, 5.9)
            self.assertEqual(playout.buffer.late, 0)
            self.assertEqual(playout.buffer.skipped, 0)
            gaps = playout.delays[-1] - playout.delays[0]
            self.assertLess(abs(gaps), 0.045, milliseconds)
            self.assertLess(max(playout.delays), 0.1)

    def test_timestamps_wrap(self) -> None:
        """
        Timestamps that begin anew at zero are nothing special.
        """
        playout = Playout(first=0xFFFFFFFF - 20 * 160)
        playout.run(steady(100), 2)
        self.assertEqual(playout.played[10:].count(None), 0)
        self.assertEqual(playout.buffer.late, 0)


class ImpairedTests(SynchronousTestCase):
    """
    A network that loses, repeats, delays and reorders.
    """

    def test_loss(self) -> None:
        """
        A lost packet leaves its place empty, and those after it come when they would have come.
        """
        playout = Playout()
        lost = {50, 51, 100, 150}
        playout.run([(at, number) for at, number in steady(300) if number not in lost], 6)
        self.assertEqual(playout.heard, [n for n in range(playout.heard[-1] + 1) if n not in lost])
        delays = dict(zip(playout.heard, playout.delays, strict=True))
        for number in lost - {51}:
            after = delays[number + 2 if number == 50 else number + 1]
            self.assertLess(abs(after - delays[number - 1]), 0.0101)
        self.assertIn(playout.played[10:].count(None), (4, 5))

    def test_duplicates(self) -> None:
        """
        A packet that comes twice is played once.
        """
        playout = Playout()
        playout.run([*steady(100), *[(at + 0.001, number) for at, number in steady(100)]], 2)
        self.assertEqual(playout.heard, list(range(len(playout.heard))))
        self.assertEqual(playout.buffer.duplicates + playout.buffer.late, 100)

    def test_reordered(self) -> None:
        """
        Packets that change places on the way are played in order, once it is known that they do.
        """
        playout = Playout()
        playout.run(steady(500, lambda number: 0.03 if number % 5 == 2 else 0.0), 10)
        self.assertEqual(playout.heard, sorted(playout.heard))
        self.assertLess(playout.played[150:].count(None), 4)
        self.assertLessEqual(playout.buffer.late, 2)

    def test_late(self) -> None:
        """
        What comes when something later was played already is not played.
        """
        playout = Playout()
        playout.run(steady(100, lambda number: 0.5 if number == 50 else 0.0), 2)
        self.assertEqual(playout.buffer.late, 1)
        self.assertNotIn(50, playout.played)

    def test_delay_adapts(self) -> None:
        """
        The delay rises with jitter, so that little is missed, and falls again when the network is calm.
        """
        chance = random.Random(7)  # noqa: S311 - no secret
        calm = [chance.uniform(0, 0.002) for _ in range(500)]
        rough = [chance.uniform(0, 0.1) for _ in range(1_000)]
        later = [chance.uniform(0, 0.002) for _ in range(1_000)]
        delays = calm + rough + later
        playout = Playout()
        playout.run(steady(2_500, lambda number: delays[number]), 50)
        # Per packet played: said at its number's time.
        self.assertLess(sum(playout.delays[300:480]) / 180, 0.05)
        held = playout.delays[900:1_400]
        self.assertGreater(sum(held) / len(held), 0.075)
        self.assertLess(max(held), 0.17)
        self.assertLess(playout.played[700:1_450].count(None), 20)
        end = playout.delays[-300:]
        self.assertLess(sum(end) / len(end), 0.06)

    def test_drift(self) -> None:
        """
        Clocks that run apart by 200 parts in a million make nobody late, and the delay does not grow, in ten minutes.
        """
        for drift in (0.0002, -0.0002):
            playout = Playout(drift=drift)
            playout.run(steady(30_000, drift=drift), 599)
            self.assertLess(max(playout.delays[100:]), 0.1)
            self.assertGreater(min(playout.delays), 0.0)
            self.assertLess(playout.played[10:].count(None), 12)

    def test_network_was_stuck(self) -> None:
        """
        When a second's worth of packets comes at once the oldest are left out: the delay stays short.
        """
        playout = Playout()
        playout.run(steady(500, lambda number: max(0.0, (250 - number) * TICK) if 200 <= number < 250 else 0.0), 10)
        self.assertLess(max(playout.delays[-150:]), MOST + 2 * TICK)
        self.assertGreater(playout.buffer.skipped, 20)

    def test_silence(self) -> None:
        """
        After silence, with timestamps that went on, speech waits as long as at the beginning, and no longer.
        """
        playout = Playout()
        playout.run([(at, number) for at, number in steady(500) if number < 100 or number >= 300], 10)
        self.assertLess(max(playout.delays[-150:]), FIRST + 2 * TICK)
        self.assertEqual(playout.played[310:].count(None), 0)
        self.assertEqual(playout.heard[100:150], list(range(300, 350)))

    def test_silence_with_jitter(self) -> None:
        """
        After silence speech waits as long as the jitter asks for, though its first packet may come at once.
        """
        chance = random.Random(3)  # noqa: S311 - no secret
        playout = Playout()
        arrivals = steady(500, lambda number: 0.0 if number == 400 else chance.uniform(0, 0.12))
        playout.run([(at, number) for at, number in arrivals if number < 300 or number >= 400], 10)
        first = dict(zip(playout.heard, playout.delays, strict=True))[400]
        self.assertGreater(first, 0.09)
        self.assertLess(first, MOST)

    def test_flood(self) -> None:
        """
        Packets whose timestamps hardly differ are not all kept.
        """
        buffer = JitterBuffer(CLOCK)
        for number in range(500):
            buffer.put(number, 0, b"x", START)
        self.assertEqual(len(buffer), 64)

    def test_silence_without_timestamps(self) -> None:
        """
        A sender whose timestamps stood still while it was silent is heard as soon.
        """
        buffer = JitterBuffer(CLOCK)
        for pause, first in ((0.0, 0), (30.0, 100)):
            begun = START + pause
            heard = 0
            for number in range(100):
                now = begun + number * TICK
                buffer.put((first + number) * 160, 0, b"x", now)
                if buffer.take(now + 0.01) is not None:
                    buffer.played(TICK)
                    heard += 1
                else:
                    buffer.concealed(TICK)
            self.assertGreater(heard, 95)

    def test_restart(self) -> None:
        """
        Timestamps that begin anew somewhere else are another beginning.
        """
        buffer = JitterBuffer(CLOCK)
        for base in (0, 0x70000000, 0x10):
            heard = 0
            for number in range(50):
                START_AT = START + base % 1000 + number * TICK  # noqa: N806
                buffer.put(base + number * 160, 0, b"x", START_AT)
                if buffer.take(START_AT + 0.01) is not None:
                    buffer.played(TICK)
                    heard += 1
                else:
                    buffer.concealed(TICK)
            self.assertGreater(heard, 45)


class AnyPatternTests(SynchronousTestCase):
    """
    Whatever the network does.
    """

    @given(
        st.lists(
            st.tuples(
                st.floats(0, 0.6),
                st.sampled_from([0.0, 0.0, 0.0, 0.02, 0.3]),
                st.integers(0, 2),
            ),
            max_size=120,
        ),
        st.sampled_from([10, 20, 30, 60]),
    )
    def test_order_and_delay(self, fates: list[tuple[float, float, int]], milliseconds: int) -> None:
        """
        Each packet is played at most once and in order, what waits is bounded, and every tick has its frame.
        """
        arrivals = []
        for number, (late, scale, copies) in enumerate(fates):
            at = START + number * milliseconds / 1000 + late * scale
            arrivals += [(at + copy * 0.005, number) for copy in range(copies)]
        playout = Playout(milliseconds=milliseconds)
        playout.run(arrivals, len(fates) * milliseconds / 1000 + 1)
        self.assertEqual(playout.heard, sorted(set(playout.heard)))
        longest = LONGEST_SPAN + 3 * milliseconds / 1000 + MOST
        self.assertLess(max(playout.spans, default=0.0), longest)
        self.assertLessEqual(LEAST, playout.buffer.target)
        self.assertLessEqual(playout.buffer.target, MOST)
        self.assertEqual(len(playout.buffer), 0)

    @given(st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.floats(0, 0.1)), max_size=300))
    def test_any_timestamps(self, packets: list[tuple[int, float]]) -> None:
        """
        Timestamps without any sense fill no memory and end in silence.
        """
        buffer = JitterBuffer(CLOCK)
        now = START
        for timestamp, gap in packets:
            now += gap
            buffer.put(timestamp, 0, b"x", now)
            self.assertLessEqual(len(buffer), 64)
            if buffer.take(now) is not None:
                buffer.played(TICK)
