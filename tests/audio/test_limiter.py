"""
Tests for :mod:`pbx.audio.limiter`.
"""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.limiter import KNEE, limited


class LimiterTests(SynchronousTestCase):
    """
    The soft limit.
    """

    def test_quiet_stays(self) -> None:
        """
        What is not loud comes through as it was.
        """
        line = np.linspace(-KNEE, KNEE, 1001).astype(np.float32)
        np.testing.assert_array_equal(limited(line), line.astype(np.int16))

    def test_never_wraps(self) -> None:
        """
        However loud, samples keep sign and order, and stay within 16 bits; near the knee they are hardly changed.
        """
        line = np.linspace(-300_000, 300_000, 20_001).astype(np.float32)
        result = limited(line).astype(np.int32)
        self.assertTrue((np.diff(result) >= 0).all())
        self.assertTrue((np.sign(result) == np.sign(line)).all())
        np.testing.assert_array_equal(result, -result[::-1])
        self.assertGreater(result.max(), 32_000)
        self.assertLess(abs(int(limited(np.array([KNEE + 100, 99_999], np.float32))[0]) - KNEE - 100), 3)

    def test_empty(self) -> None:
        """
        No samples are none.
        """
        self.assertEqual(limited(np.zeros((0, 160), np.float32)).shape, (0, 160))
