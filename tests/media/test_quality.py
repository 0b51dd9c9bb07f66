"""
Tests for :mod:`pbx.media.quality`.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from pbx.media.quality import LegQuality


class LegQualityTests(SynchronousTestCase):
    """
    The figures of a leg.
    """

    def test_nothing_heard(self) -> None:
        """
        Without packets and reports there is no score, rather than a perfect one.
        """
        quality = LegQuality().rated()
        self.assertEqual((quality.r_factor, quality.mos), (None, None))

    def test_good(self) -> None:
        """
        A clean call in a local network scores as well as G.711 can.
        """
        quality = LegQuality("PCMU", packets_in=500, jitter_ms=0.5, rtt_ms=1.0, loss_percent_out=0.0).rated()
        self.assertAlmostEqual(quality.r_factor, 93.2)
        self.assertAlmostEqual(quality.mos, 4.41, places=2)

    def test_worse_direction_counts(self) -> None:
        """
        The score is that of the worse direction, whichever it is.
        """
        one = LegQuality("PCMU", packets_in=500, loss_percent=5.0, loss_percent_out=0.0).rated()
        other = LegQuality("PCMU", packets_in=500, loss_percent=0.0, loss_percent_out=5.0).rated()
        self.assertAlmostEqual(one.r_factor, 93.2 - 475 / 30.1)
        self.assertEqual(one.mos, other.mos)

    def test_delay_and_jitter(self) -> None:
        """
        A long way and much jitter, for which phones hold back sound, are heard as delay.
        """
        self.assertLess(LegQuality("PCMU", packets_in=1, rtt_ms=600.0).rated().r_factor or 0, 80)
        self.assertLess(LegQuality("PCMU", packets_in=1, jitter_ms=150.0).rated().r_factor or 0, 80)

    def test_as_dict(self) -> None:
        """
        As a dictionary it can be written as JSON, rounded.
        """
        figures = LegQuality("PCMU", packets_in=3, jitter_ms=1.23456).rated().as_dict()
        self.assertEqual(json.loads(json.dumps(figures))["jitter_ms"], 1.23)
        self.assertIsNone(figures["rtt_ms"])
