"""
Tests for :mod:`pbx.ops.lag`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.ops.lag import LoopLag


class LoopLagTests(SynchronousTestCase):
    """
    How late the loop is.
    """

    def test_a_stall_is_seen(self) -> None:
        """
        A loop that was away for 300 ms more than asked shows that as its largest lag.
        """
        clock = Clock()
        lag = LoopLag(clock)
        lag.start()
        clock.advance(0.5)
        clock.advance(0.8)
        self.assertEqual(lag.figures(), {"mean_ms": 150.0, "max_ms": 300.0})
        lag.stop()
        self.assertEqual(clock.getDelayedCalls(), [])
