"""
Tests for :mod:`pbx.transaction.wheel`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.transaction.wheel import GRANULARITY, Wheel


class Sleeper:
    """
    Writes down when it was woken.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.woken: list[float] = []

    def wait_over(self) -> None:
        self.woken.append(self.clock.seconds())


class WheelTests(SynchronousTestCase):
    """
    Waits on a virtual clock.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.wheel = Wheel(self.clock)

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_never_early_and_little_late(self) -> None:
        """
        A wait ends at its time or up to half a second later.
        """
        sleepers = []
        for number in range(40):
            self.clock.advance(0.03)
            sleeper = Sleeper(self.clock)
            sleepers.append((self.clock.seconds() + (5 if number % 2 else 32), sleeper))
            self.wheel.wait(5 if number % 2 else 32, sleeper)
        self.clock.pump([0.01] * 3400)
        for due, sleeper in sleepers:
            (woken,) = sleeper.woken
            self.assertGreaterEqual(woken, due - 0.001)
            self.assertLessEqual(woken, due + GRANULARITY + 0.011)

    def test_one_call_for_many(self) -> None:
        """
        What ends in the same half second shares one call of the clock.
        """
        for _ in range(100):
            self.clock.advance(0.01)
            self.wheel.wait(32, Sleeper(self.clock))
        self.assertLessEqual(len(self.clock.getDelayedCalls()), 3)
        self.clock.advance(34)

    def test_sleeper_that_raises(self) -> None:
        """
        The others of its bucket are woken all the same.
        """

        class Broken:
            def wait_over(self) -> None:
                raise ZeroDivisionError

        first, last = Sleeper(self.clock), Sleeper(self.clock)
        for sleeper in (first, Broken(), last):
            self.wheel.wait(5, sleeper)
        self.assertRaises(ZeroDivisionError, self.clock.advance, 5)
        self.clock.advance(0.5)
        self.assertEqual((len(first.woken), len(last.woken)), (1, 1))

    def test_stop(self) -> None:
        """
        Nobody is woken afterwards.
        """
        sleeper = Sleeper(self.clock)
        self.wheel.wait(5, sleeper)
        self.wheel.stop()
        self.clock.advance(10)
        self.assertEqual(sleeper.woken, [])
