"""
Tests for :mod:`pbx.media.pacer`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.media.pacer import MAX_BEHIND, Pacer


class Player:
    """
    Keeps what it was asked for.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[float, int]] = []

    def tick(self, now: float, frames: int) -> None:
        """
        Keep it.
        """
        self.asked.append((round(now, 3), frames))


class PacerTests(SynchronousTestCase):
    """
    The 20 ms tick.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.pacer = Pacer(self.clock)

    def test_ticks_while_somebody_plays(self) -> None:
        """
        A player is asked for a frame at once and every 20 ms; when nobody plays there is no tick.
        """
        one, other = Player(), Player()
        self.pacer.start(one)
        self.clock.pump([0.02] * 2)
        self.pacer.start(other)
        self.clock.advance(0.02)
        self.pacer.stop(one)
        self.clock.advance(0.02)
        self.pacer.stop(other)
        self.pacer.stop(other)
        self.assertEqual(one.asked, [(0.0, 1), (0.02, 1), (0.04, 1), (0.06, 1)])
        self.assertEqual(other.asked, [(0.06, 1), (0.08, 1)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_behind(self) -> None:
        """
        Missed ticks are made good, but not more than a few.
        """
        player = Player()
        self.pacer.start(player)
        self.clock.advance(0.06)
        self.clock.advance(1.0)
        self.pacer.stop(player)
        self.assertEqual([frames for _, frames in player.asked], [1, 3, MAX_BEHIND])

    def test_after_a_rest(self) -> None:
        """
        Time in which nobody played is not made good.
        """
        player = Player()
        self.pacer.start(player)
        self.clock.advance(0.02)
        self.pacer.stop(player)
        self.clock.advance(1.003)
        self.pacer.start(player)
        self.clock.advance(0.02)
        self.pacer.stop(player)
        self.assertEqual(player.asked, [(0.0, 1), (0.02, 1), (1.023, 1), (1.043, 1)])

    def test_stopped_and_started(self) -> None:
        """
        However often players come and go, there is one frame in 20 ms.
        """
        player = Player()
        for _ in range(100):
            self.pacer.start(player)
            self.clock.advance(0.005)
            self.pacer.stop(player)
        self.pacer.start(player)
        self.clock.advance(0.02)
        self.pacer.stop(player)
        self.assertLessEqual(len(player.asked), 27)
        self.assertEqual({frames for _, frames in player.asked}, {1})

    def test_no_drift(self) -> None:
        """
        Over an hour not one frame is lost or doubled, though 20 ms are no binary number.
        """
        player = Player()
        self.pacer.start(player)
        for _ in range(180_000):
            self.clock.advance(0.02)
        self.pacer.stop(player)
        self.assertLess(abs(len(player.asked) - 180_001), 2)
        self.assertEqual({frames for _, frames in player.asked}, {1})

    def test_one_after_the_other(self) -> None:
        """
        Whoever ends within a tick may be followed by another at once: the tick stays one every 20 ms.
        """
        after, pacer = Player(), self.pacer

        class Ends(Player):
            def tick(self, now: float, frames: int) -> None:
                super().tick(now, frames)
                pacer.stop(self)
                pacer.start(after)

        one = Ends()
        self.pacer.start(one)
        for _ in range(4):
            self.clock.advance(0.02)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.pacer.stop(after)
        self.assertEqual((one.asked, after.asked), ([(0.0, 1)], [(0.02, 1), (0.04, 1), (0.06, 1), (0.08, 1)]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failure(self) -> None:
        """
        One that fails is logged and plays no more; the others are heard.
        """

        class Fails(Player):
            def tick(self, now: float, frames: int) -> None:
                super().tick(now, frames)
                raise RuntimeError("no codec")

        one, other = Fails(), Player()
        self.pacer.start(one)
        self.pacer.start(other)
        self.clock.pump([0.02] * 2)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual((len(one.asked), len(other.asked)), (1, 2))
        self.pacer.stop(other)
        self.assertEqual(self.clock.getDelayedCalls(), [])
