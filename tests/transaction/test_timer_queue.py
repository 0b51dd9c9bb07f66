"""
Tests for :mod:`pbx.transaction.timer_queue`.
"""

from __future__ import annotations

from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.transaction.timer_queue import SWEEP_ABOVE, TimerQueue


class Owner:
    """
    Writes down when which of its timers fired.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.fired: list[tuple[float, str]] = []

    def timer_fired(self, name: str) -> None:
        self.fired.append((self.clock.seconds(), name))


class TimerQueueTests(SynchronousTestCase):
    """
    Timers on a virtual clock.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.queue = TimerQueue(self.clock)
        self.owner = Owner(self.clock)

    def tearDown(self) -> None:
        self.assertEqual(len(self.queue), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def wait(self, seconds: float) -> None:
        """
        Advance from one call of the clock to the next.
        """
        end = self.clock.seconds() + seconds
        while (calls := self.clock.getDelayedCalls()) and calls[0].getTime() <= end:
            self.clock.advance(calls[0].getTime() - self.clock.seconds())
        self.clock.advance(end - self.clock.seconds())

    def test_fires_in_time(self) -> None:
        """
        Each timer fires at its own instant, whatever the order they were started in.
        """
        for seconds in (2, 0.5, 1, 0.5, 8):
            self.queue.start(seconds, self.owner, str(seconds))
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.wait(10)
        self.assertEqual(self.owner.fired, [(0.5, "0.5"), (0.5, "0.5"), (1, "1"), (2, "2"), (8, "8")])

    def test_stop(self) -> None:
        """
        A stopped timer does not fire; to stop it twice, or once it has fired, is no error.
        """
        first = self.queue.start(1, self.owner, "first")
        second = self.queue.start(2, self.owner, "second")
        self.queue.stop(first)
        self.queue.stop(first)
        self.assertEqual(len(self.queue), 1)
        self.wait(3)
        self.queue.stop(second)
        self.assertEqual(self.owner.fired, [(2, "second")])

    def test_last_stopped_leaves_nothing(self) -> None:
        """
        Without a running timer the clock has no call of ours.
        """
        for entry in [self.queue.start(1, self.owner, "1"), self.queue.start(2, self.owner, "2")]:
            self.queue.stop(entry)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_started_while_firing(self) -> None:
        """
        A timer may start the next one, as retransmissions do.
        """
        owner = self.owner

        class Again(Owner):
            def timer_fired(again, name: str) -> None:  # noqa: N805  # the test's own self is needed
                owner.timer_fired(name)
                if len(owner.fired) < 3:
                    self.queue.start(0.5, again, "again")
                    self.queue.stop(self.queue.start(0.1, again, "never"))

        self.queue.start(1, Again(self.clock), "first")
        self.queue.start(1.75, owner, "other")
        self.wait(3)
        self.assertEqual(owner.fired, [(1, "first"), (1.5, "again"), (1.75, "other"), (2.0, "again")])

    def test_owner_that_raises(self) -> None:
        """
        The others still fire.
        """

        class Broken(Owner):
            def timer_fired(self, name: str) -> None:
                raise ZeroDivisionError

        self.queue.start(1, Broken(self.clock), "broken")
        self.queue.start(1, self.owner, "same time")
        self.queue.start(2, self.owner, "later")
        self.assertRaises(ZeroDivisionError, self.clock.advance, 1)
        self.wait(2)
        self.assertEqual(self.owner.fired, [(1, "same time"), (2, "later")])

    def test_stopped_timers_are_swept_out(self) -> None:
        """
        However many were started and stopped, no more is kept than there are running, or a thousand.
        """
        kept = [self.queue.start(100, self.owner, "kept") for _ in range(10)]
        for _ in range(5 * SWEEP_ABOVE):
            self.queue.stop(self.queue.start(32, self.owner, "stopped"))
        self.assertLessEqual(len(self.queue._heap), SWEEP_ABOVE + 1)
        for entry in kept:
            self.queue.stop(entry)

    def test_like_one_call_each(self) -> None:
        """
        Any mixture of starting, stopping and waiting gives what one delayed call per timer would.
        """
        dice = Random(7)  # noqa: S311  # dice, not keys
        expected = Owner(self.clock)
        pairs = []
        for number in range(3000):
            seconds = dice.choice([0, 0.25, 0.5, 4, 32])
            name = str(number)
            pairs.append(
                (self.queue.start(seconds, self.owner, name), self.clock.callLater(seconds, expected.timer_fired, name))
            )
            if dice.random() < 0.7:
                entry, call = dice.choice(pairs)
                self.queue.stop(entry)
                if call.active():
                    call.cancel()
            if dice.random() < 0.1:
                self.wait(0.25)
        self.wait(33)
        self.assertEqual(sorted(self.owner.fired), sorted(expected.fired))
        self.assertGreater(len(self.owner.fired), 500)

    def test_clear(self) -> None:
        """
        Nothing fires afterwards.
        """
        self.queue.start(1, self.owner, "never")
        self.queue.clear()
        self.wait(2)
        self.assertEqual(self.owner.fired, [])
