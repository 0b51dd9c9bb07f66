"""
Tests for :mod:`pbx.audio.activity`.
"""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.activity import AUDIBLE_AFTER, TALKING_AFTER, Activity, dbov, power
from pbx.audio.polyphase import Frames

RANDOM = np.random.default_rng(20)


def frame(level: float) -> Frames:
    """
    A frame of noise at a level in dBov, shape (1, 160).
    """
    line = RANDOM.normal(size=(1, 160))
    return (line * np.sqrt(power(level) / np.mean(line**2))).astype(np.float32)


SILENCE = np.zeros((1, 160), np.float32)


class ActivityTests(SynchronousTestCase):
    """
    Who talks.
    """

    def setUp(self) -> None:
        self.activity = Activity(1, 160)

    def hear(self, frames: int, level: float | None) -> None:
        """
        Some frames at a level, or of silence.
        """
        for _ in range(frames):
            self.activity.hear(SILENCE if level is None else frame(level))

    def test_at_once(self) -> None:
        """
        The first frame of a word is heard already, and the word's end lasts a while.
        """
        self.hear(50, -70)
        self.assertFalse(self.activity.audible[0])
        self.hear(1, -35)
        self.assertTrue(self.activity.audible[0])
        self.hear(AUDIBLE_AFTER - 1, None)
        self.assertTrue(self.activity.audible[0])
        self.hear(1, None)
        self.assertFalse(self.activity.audible[0])

    def test_soft_voices(self) -> None:
        """
        A soft voice on a quiet line is heard.
        """
        self.hear(50, -75)
        self.hear(5, -52)
        self.assertTrue(self.activity.audible[0])

    def test_noise(self) -> None:
        """
        The noise of a room is not mixed once it is known; a voice above it is, and louder steady sound always.
        """
        self.hear(600, -55)
        self.assertFalse(self.activity.audible[0])
        self.hear(1, -40)
        self.assertTrue(self.activity.audible[0])
        self.hear(3000, -35)
        self.assertTrue(self.activity.audible[0])

    def test_noise_that_begins(self) -> None:
        """
        After digital silence a fan that starts is known as noise within seconds; a lost packet does not make it new.
        """
        self.hear(200, -90)
        self.hear(300, -55)
        self.assertFalse(self.activity.audible[0])
        for _ in range(10):
            self.hear(3, None)
            self.hear(17, -55)
            self.assertFalse(self.activity.audible[0])

    def test_talking(self) -> None:
        """
        A click is not talking, some tenths of speech are; a pause between words is within it, a long one ends it.
        """
        self.hear(2, -10)
        self.hear(20, None)
        self.assertFalse(self.activity.talking[0])
        self.hear(10, -26)
        self.assertTrue(self.activity.talking[0])
        self.hear(TALKING_AFTER - 5, None)
        self.assertTrue(self.activity.talking[0])
        self.hear(8, -26)
        self.hear(TALKING_AFTER - 5, None)
        self.assertTrue(self.activity.talking[0])
        self.hear(15, None)
        self.assertFalse(self.activity.talking[0])

    def test_keep(self) -> None:
        """
        Who talks goes on talking when others come; who comes was silent.
        """
        self.hear(10, -26)
        other = self.activity.keep([-1, 0])
        self.assertEqual(other.talking.tolist(), [False, True])
        other.hear(np.zeros((2, 160), np.float32))
        self.assertEqual(other.audible.tolist(), [False, True])

    def test_levels(self) -> None:
        """
        Levels are in dB below a full-scale square wave.
        """
        self.assertAlmostEqual(dbov(power(-26)), -26, places=3)
        self.assertEqual(dbov(0.0), -127.0)
