"""
Tests for :mod:`pbx.tasks`.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pbx.tasks import Tasks


class TasksTests(SynchronousTestCase):
    """
    Coroutines nobody awaits.
    """

    def test_result_and_removal(self) -> None:
        """
        The Deferred fires with the result, and the task is no longer counted.
        """
        tasks = Tasks()
        gate: Deferred[int] = Deferred()

        async def wait() -> int:
            return await gate

        done = tasks.start(wait(), "wait")
        self.assertEqual(len(tasks), 1)
        gate.callback(3)
        self.assertEqual(self.successResultOf(done), 3)
        self.assertEqual(len(tasks), 0)

    def test_failure_is_logged(self) -> None:
        """
        A failure is logged and becomes ``None``.
        """

        async def fail() -> None:
            raise ZeroDivisionError

        self.assertIsNone(self.successResultOf(Tasks().start(fail(), "fail")))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_stop_cancels(self) -> None:
        """
        Stopping cancels what is under way without a word in the log, and what comes later does not run.
        """
        tasks = Tasks()
        ended = []

        async def wait() -> None:
            try:
                await Deferred()
            finally:
                ended.append(True)

        done = tasks.start(wait(), "wait")
        self.assertIsNone(self.successResultOf(tasks.stop()))
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(ended, [True])
        self.assertIsNone(self.successResultOf(tasks.start(wait(), "late")))
        self.assertEqual(ended, [True])
