"""
Tests of :mod:`pbx.store.worker`.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.store.worker import Worker


class WorkerTests(SynchronousTestCase):
    """
    Work that is asked for more often than it is done.
    """

    def setUp(self) -> None:
        """
        A worker whose every run waits for the test to end it.
        """
        self.clock = Clock()
        self.runs: list[Deferred[None]] = []
        self.worker = Worker(self.clock, self.work, "work")

    async def work(self) -> None:
        """
        One run.
        """
        run: Deferred[None] = Deferred()
        self.runs.append(run)
        await run

    def test_asked_often_done_once(self) -> None:
        """
        Asked several times, it is done once, when the first of them wanted it.
        """
        self.worker.soon(1)
        self.clock.advance(0.5)
        self.worker.soon(1)
        self.clock.advance(0.4)
        self.assertEqual(len(self.runs), 0)
        self.clock.advance(0.1)
        self.assertEqual(len(self.runs), 1)
        self.runs[0].callback(None)
        self.clock.advance(10)
        self.assertEqual(len(self.runs), 1)

    def test_sooner(self) -> None:
        """
        Wanted sooner, it does not wait for the time somebody else was content with.
        """
        self.worker.soon(5)
        self.worker.soon(1)
        self.worker.soon(3)
        self.clock.advance(1)
        self.assertEqual(len(self.runs), 1)

    def test_never_twice_at_once(self) -> None:
        """
        Asked for while it runs, it runs again after that, at the earliest time asked for.
        """
        self.worker.soon(0)
        self.clock.advance(0)
        self.worker.soon(5)
        self.worker.soon(1)
        self.worker.soon(3)
        self.clock.advance(20)
        self.assertEqual(len(self.runs), 1)
        self.runs[0].callback(None)
        self.clock.advance(1)
        self.assertEqual(len(self.runs), 2)

    def test_failure_is_logged_and_the_next_run_comes(self) -> None:
        """
        A run that fails is logged and does not keep the next from running.
        """
        self.worker.soon(0)
        self.clock.advance(0)
        self.worker.soon(0)
        self.runs[0].errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.clock.advance(0)
        self.assertEqual(len(self.runs), 2)

    def test_settle(self) -> None:
        """
        Who settles waits for the run under way, and for one more when asked to, and takes the timer's place.
        """
        self.worker.soon(0)
        self.clock.advance(0)
        once = Deferred.fromCoroutine(self.worker.settle(5, again=False))
        twice = Deferred.fromCoroutine(self.worker.settle(5, again=True))
        self.assertNoResult(once)
        self.worker.soon(3)
        self.runs[0].callback(None)
        self.assertTrue(self.successResultOf(once))
        self.assertNoResult(twice)
        self.runs[1].callback(None)
        self.assertTrue(self.successResultOf(twice))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_settle_gives_up(self) -> None:
        """
        Who settles waits no longer than the limit; the run goes on.
        """
        done = Deferred.fromCoroutine(self.worker.settle(2, again=True))
        self.clock.advance(2)
        self.assertFalse(self.successResultOf(done))
        self.runs[0].callback(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped(self) -> None:
        """
        After the stop nothing runs.
        """
        self.worker.soon(1)
        self.worker.stop()
        self.worker.soon(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
