"""
Tests for :mod:`pbx.audio.pauses`.
"""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.pauses import SPOKEN, Pauses


class PausesTests(SynchronousTestCase):
    """
    Speech and what is none, in frames of 20 ms.
    """

    def setUp(self) -> None:
        self.pauses = Pauses()
        self.chance = np.random.default_rng(1)

    def hear(self, amplitude: float, frames: int) -> None:
        for _ in range(frames):
            self.pauses.hear(self.chance.normal(0, amplitude, 160).clip(-32768, 32767).astype(np.int16))

    def test_speech_and_silence(self) -> None:
        """
        Silence is counted from the end of what was said.
        """
        self.hear(0, 50)
        self.assertEqual((self.pauses.spoken, self.pauses.silent), (0, 50))
        self.hear(3000, 100)
        self.hear(0, 30)
        self.assertEqual((self.pauses.frames, self.pauses.spoken, self.pauses.silent), (180, 150, 30))

    def test_click(self) -> None:
        """
        A click does not make a pause begin anew.
        """
        self.hear(20, 20)
        self.hear(5000, SPOKEN - 1)
        self.hear(20, 20)
        self.assertEqual(self.pauses.spoken, 0)

    def test_noisy_room(self) -> None:
        """
        Noise that stays is silence, and speech above it is heard; so at the beginning too.
        """
        self.hear(100, 100)
        self.assertLess(self.pauses.spoken, 10)
        self.hear(1000, 50)
        self.hear(100, 200)
        self.assertEqual(self.pauses.silent, 200)

    def test_lost_frames(self) -> None:
        """
        Frames of zeros between noise do not make the noise sound like speech.
        """
        for _ in range(50):
            self.hear(80, 2)
            self.hear(0, 1)
        self.assertEqual(self.pauses.spoken, 0)
