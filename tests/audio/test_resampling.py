"""
Tests for :mod:`pbx.audio.resampling`.
"""

from __future__ import annotations

import itertools

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.resampling import Resampler, resampled
from tests.audio.test_codec import share, tone

RATES = (8_000, 16_000, 48_000)


class ResamplerTests(SynchronousTestCase):
    """
    The same sound at another rate.
    """

    def test_speech_band(self) -> None:
        """
        Between all rates of telephony a tone of the speech band keeps its pitch and loudness.
        """
        for source, target in itertools.permutations(RATES, 2):
            for frequency in (300, 1_000, 3_000):
                heard = resampled(tone(source, 0.5, frequency), source, target)[target // 20 :]
                self.assertGreater(share(heard, target, frequency), 0.999, (source, target, frequency))
                self.assertLess(abs(heard.std() - 6_000 / 2**0.5), 60)

    def test_nothing_folds_back(self) -> None:
        """
        What the lower rate can't carry is gone, and not heard at another pitch.
        """
        for source, target, frequency in ((16_000, 8_000, 5_000), (48_000, 8_000, 7_000), (48_000, 16_000, 11_000)):
            heard = resampled(tone(source, 0.5, frequency), source, target)[target // 20 :]
            self.assertLess(heard.std(), 6_000 / 300)

    def test_pieces(self) -> None:
        """
        In pieces of 10 to 60 ms it comes out as in one, each piece as long as it was.
        """
        for source, target in itertools.permutations(RATES, 2):
            sound = tone(source, 1.0, 700)
            stream, parts, start = Resampler(source, target), [], 0
            for milliseconds in itertools.cycle((10, 20, 30, 60)):
                piece = sound[start : start + source * milliseconds // 1000]
                if not len(piece):
                    break
                parts.append(stream.convert(piece))
                self.assertEqual(len(parts[-1]) * source, len(piece) * target)
                start += len(piece)
            np.testing.assert_array_equal(np.concatenate(parts), resampled(sound, source, target))

    def test_loudest(self) -> None:
        """
        Sound at full scale is cut off there, and never wraps around.
        """
        square = np.where(np.arange(4_800) // 48 % 2, 32_767, -32_768).astype(np.int16)
        heard = resampled(square, 48_000, 8_000).astype(int)
        self.assertGreater((np.abs(heard[20:]) > 16_000).sum(), 600)
        self.assertEqual(heard.max(), 32_767)

    def test_same_rate(self) -> None:
        """
        At the same rate nothing changes.
        """
        sound = tone(8_000, 0.1)
        self.assertIs(resampled(sound, 8_000, 8_000), sound)

    def test_no_whole_ratio(self) -> None:
        """
        Rates of which neither is a multiple of the other are refused.
        """
        self.assertRaises(ValueError, Resampler, 44_100, 8_000)
        self.assertRaises(ValueError, Resampler, 0, 8_000)
