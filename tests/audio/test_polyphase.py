"""
Tests for :mod:`pbx.audio.polyphase`.
"""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.polyphase import Frames, Polyphase

PAIRS = ((8_000, 16_000), (16_000, 8_000), (48_000, 16_000), (16_000, 48_000), (24_000, 16_000), (16_000, 24_000))


def tone(frequency: float, rate: int, seconds: float, delay: float = 0.0) -> Frames:
    """
    A tone, shape (1, samples).
    """
    times = np.arange(int(rate * seconds)) / rate - delay
    return (1000 * np.sin(2 * np.pi * frequency * times)).astype(np.float32).reshape(1, -1)


def converted(polyphase: Polyphase, line: Frames) -> Frames:
    """
    What comes of a stream, frame by frame of 20 ms.
    """
    samples = polyphase.source // 50
    return np.concatenate(
        [polyphase.convert(line[:, start : start + samples]) for start in range(0, line.shape[1], samples)], axis=1
    )


class PolyphaseTests(SynchronousTestCase):
    """
    Other sample rates.
    """

    def test_tones(self) -> None:
        """
        A tone of telephone speech is the same tone at the other rate, 70 dB cleaner than its error, a little later.
        """
        for source, target in PAIRS:
            for frequency in (200, 1000, 3400):
                polyphase = Polyphase(source, target, 1)
                result = converted(polyphase, tone(frequency, source, 0.4))[0]
                expected = tone(frequency, target, 0.4, polyphase.delay)[0]
                self.assertEqual(result.size, expected.size)
                error = (result - expected)[target // 10 :]
                self.assertLess(np.std(error) / np.std(expected), 10 ** (-70 / 20), (source, target, frequency))
                self.assertLess(polyphase.delay, 0.003)

    def test_what_the_lower_rate_can_not_say(self) -> None:
        """
        A tone above half the lower rate does not fold back into speech.
        """
        result = converted(Polyphase(16_000, 8_000, 1), tone(5000, 16_000, 0.4))
        self.assertLess(np.abs(result[:, 800:]).max(), 2.0)

    def test_streams_are_apart(self) -> None:
        """
        Streams converted together come out as each would alone, also when others come and go between two frames.
        """
        lines = [tone(frequency, 8_000, 0.2) for frequency in (300, 500, 700)]
        alone = [converted(Polyphase(8_000, 16_000, 1), line)[0] for line in lines]
        polyphase = Polyphase(8_000, 16_000, 2)
        first = converted(polyphase, np.concatenate([line[:, :800] for line in lines[:2]]))
        second = converted(polyphase.keep([-1, 1]), np.concatenate([lines[2][:, :800], lines[1][:, 800:]]))
        np.testing.assert_allclose(np.concatenate((first[1], second[1])), alone[1], atol=0.01)
        np.testing.assert_allclose(first[0], alone[0][:1600], atol=0.01)
        np.testing.assert_allclose(second[0], alone[2][:1600], atol=0.01)
