"""
Tests for :mod:`pbx.audio.comfort_noise`.
"""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio import comfort_noise
from pbx.audio.comfort_noise import frames_of, noise
from pbx.audio.g711 import Samples, decode_alaw, decode_mulaw


def level(samples: Samples) -> float:
    """
    Loudness in dBov.
    """
    return float(20 * np.log10(np.sqrt(np.mean(samples.astype(float) ** 2)) / 32_768))


class ComfortNoiseTests(SynchronousTestCase):
    """
    The hiss of a quiet room.
    """

    def test_frames(self) -> None:
        """
        Two hundred frames of 20 ms in each law, under any case of its name; none in a codec that we can't encode.
        """
        for codec in ("PCMU", "pcma"):
            frames = frames_of(codec)
            self.assertEqual({len(frame) for frame in frames}, {160})
            self.assertEqual(len(frames), comfort_noise.FRAMES)
            self.assertIs(frames_of(codec.swapcase()), frames)
        self.assertEqual(frames_of("G729"), ())

    def test_quiet_but_not_silent(self) -> None:
        """
        It is heard at -60 dBov, in either law within 1 dB, and no frame is empty or loud.
        """
        self.assertLess(abs(level(noise()) + 60), 0.1)
        for codec, decode in (("PCMU", decode_mulaw), ("PCMA", decode_alaw)):
            frames = frames_of(codec)
            self.assertLess(abs(level(decode(b"".join(frames))) + 60), 1)
            for frame in frames:
                self.assertTrue(-68 < level(decode(frame)) < -54)

    def test_circle(self) -> None:
        """
        From the last sample to the first there is no larger step than within.
        """
        samples = noise().astype(int)
        self.assertLessEqual(abs(samples[0] - samples[-1]), np.abs(np.diff(samples)).max())

    def test_spectrum(self) -> None:
        """
        It lies within the telephone band, louder below than above.
        """
        power = np.abs(np.fft.rfft(noise())) ** 2
        frequencies = np.fft.rfftfreq(noise().size, 1 / comfort_noise.RATE)
        outside = power[(frequencies < 200) | (frequencies > 3_400)].sum()
        self.assertLess(outside / power.sum(), 0.01)
        low = power[(frequencies >= 500) & (frequencies < 1_000)].mean()
        high = power[(frequencies >= 1_000) & (frequencies < 2_000)].mean()
        self.assertLess(abs(10 * np.log10(low / high) - 5), 0.7)
