"""
Tests for :mod:`pbx.rtp.emodel`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.rtp.emodel import mos, r_factor


class EModelTests(SynchronousTestCase):
    """
    R and MOS by ITU-T G.107.
    """

    def test_flawless(self) -> None:
        """
        G.711 without loss and delay is R 93.2, MOS 4.41 (G.107's default).
        """
        self.assertAlmostEqual(r_factor("PCMU", 0, 0), 93.2)
        self.assertAlmostEqual(mos(93.2), 4.41, places=2)

    def test_delay(self) -> None:
        """
        Delay costs nothing up to 100 ms, and what G.107's formula says beyond.
        """
        self.assertAlmostEqual(r_factor("PCMA", 0, 100), 93.2)
        # x = log2(3): 25 * ((1 + x^6)^(1/6) - 3 * (1 + (x/3)^6)^(1/6) + 2) = 14.76
        self.assertAlmostEqual(r_factor("PCMA", 0, 300), 93.2 - 14.76, places=1)

    def test_loss(self) -> None:
        """
        5 % of loss on G.711 with concealment: 95 * 5 / 30.1 off; the more in bursts.
        """
        self.assertAlmostEqual(r_factor("pcmu", 5, 0), 93.2 - 475 / 30.1)
        self.assertLess(r_factor("PCMU", 5, 0, burst=2), r_factor("PCMU", 5, 0))
        self.assertAlmostEqual(r_factor("G729", 0, 0), 82.2)

    def test_bounds(self) -> None:
        """
        Whatever the figures, R is never below 0 and MOS stays between 1 and 4.5.
        """
        self.assertEqual(r_factor("G723", 100, 5000, burst=8), 0)
        self.assertEqual((mos(-5), mos(120)), (1.0, 4.5))
        scores = [mos(r / 2) for r in range(201)]
        self.assertTrue(all(1.0 <= score <= 4.5 for score in scores))
        self.assertEqual(scores, sorted(scores))
