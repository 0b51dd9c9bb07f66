"""
Tests for :mod:`pbx.audio.tones`: the tones of each country, as sound.
"""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.tones import COUNTRIES, NAMES, cadence, tone


def loudness(samples: np.ndarray, rate: int) -> list[bool]:
    """
    For each 10 ms whether there is sound.
    """
    frames = samples[: len(samples) // (rate // 100) * (rate // 100)].reshape(-1, rate // 100).astype(float)
    return [bool(level > 500) for level in np.sqrt((frames**2).mean(axis=1))]


def frequencies(samples: np.ndarray, rate: int) -> list[int]:
    """
    The strongest frequencies within 20 dB of the strongest, in Hz.
    """
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), rate))
    return [
        index
        for index in range(1, len(spectrum) - 1)
        if spectrum[index] > spectrum.max() / 10 and spectrum[index - 1] <= spectrum[index] > spectrum[index + 1]
    ]


class ToneTests(SynchronousTestCase):
    """
    What a caller hears.
    """

    def test_american_ringback(self) -> None:
        """
        440 and 480 Hz for two seconds, then four of silence, at -10 dBm0.
        """
        samples = tone("ringback", "us", 8000)
        self.assertEqual(len(samples), 48000)
        self.assertEqual(loudness(samples, 8000), [True] * 200 + [False] * 400)
        self.assertEqual(frequencies(samples[:16000], 8000), [440, 480])
        level = 20 * np.log10(np.sqrt((samples[800:15200].astype(float) ** 2).mean()) / (32767 / np.sqrt(2))) + 3.17
        self.assertLess(abs(level + 10.0), 0.2)

    def test_british_ringback(self) -> None:
        """
        The double ring: 0.4 s, a pause of 0.2, 0.4 s, a pause of 2.
        """
        samples = tone("ringback", "gb", 16000)
        self.assertEqual(loudness(samples, 16000), [True] * 40 + [False] * 20 + [True] * 40 + [False] * 200)
        self.assertEqual(frequencies(samples[:6400], 16000), [400, 450])

    def test_german_busy(self) -> None:
        """
        425 Hz, 0.48 s on and off: as loud as a pair of frequencies.
        """
        samples = tone("busy", "de", 8000)
        self.assertEqual(loudness(samples, 8000), [True] * 48 + [False] * 48)
        self.assertEqual(frequencies(samples[:3840], 8000), [425])

    def test_reorder_is_congestion(self) -> None:
        """
        Both words name the same tone, twice as fast as busy in America.
        """
        self.assertEqual(cadence("reorder"), cadence("congestion"))
        self.assertEqual(loudness(tone("reorder", "us", 8000), 8000), [True] * 25 + [False] * 25)

    def test_whole_frames(self) -> None:
        """
        Every tone of every country fills whole frames, does not clip, and is the same at both rates.
        """
        for country in COUNTRIES:
            for name in NAMES:
                narrow, wide = tone(name, country, 8000), tone(name, country, 16000)
                self.assertEqual((len(narrow) % 160, len(wide)), (0, 2 * len(narrow)), (country, name))
                self.assertLess(int(np.abs(wide.astype(int)).max()), 20000, (country, name))
                self.assertGreater(int(np.abs(wide.astype(int)).max()), 5000, (country, name))
                np.testing.assert_allclose(wide[::2], narrow, atol=400, err_msg=f"{country} {name}")

    def test_no_seam(self) -> None:
        """
        A tone that goes on can be repeated without a click.
        """
        samples = tone("dial", "us", 8000).astype(int)
        twice = np.concatenate([samples, samples])
        step = np.abs(np.diff(twice))
        self.assertLessEqual(int(step[len(samples) - 1]), int(step[: len(samples) - 1].max()))

    def test_unknown(self) -> None:
        """
        A country we have no table of has the American tones; a tone that does not exist is a mistake of ours.
        """
        self.assertEqual(cadence("busy", "xx"), cadence("busy", "us"))
        self.assertEqual(cadence("busy", "DE"), cadence("busy", "de"))
        with self.assertRaisesRegex(ValueError, "no tone 'rinback'; there are dial, ringback"):
            cadence("rinback")
