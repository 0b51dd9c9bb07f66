"""
Tests for :mod:`pbx.audio.mastering`.
"""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.mastering import (
    HIGHEST_PEAK,
    LEVEL,
    RATE,
    Samples,
    active_level,
    decibel,
    frame_levels,
    levelled,
    trimmed,
)


def silence(seconds: float) -> Samples:
    """
    Nothing.
    """
    return np.zeros(round(seconds * RATE), np.float32)


def sound(seconds: float, amplitude: float = 0.1) -> Samples:
    """
    A steady tone; its level is 3 dB below that of its amplitude.
    """
    return (amplitude * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


class LevelTests(SynchronousTestCase):
    """
    How loud a recording is, and is made.
    """

    def test_pauses_do_not_count(self) -> None:
        """
        A pause between two words makes them no softer.
        """
        whole = np.concatenate([sound(0.5), silence(1), sound(0.5)])
        self.assertApproximates(active_level(whole, RATE), -23.01, 0.05)
        self.assertApproximates(active_level(sound(0.5), RATE), -23.01, 0.05)

    def test_silence(self) -> None:
        """
        Silence, and nothing at all, have a very low level and stay what they are.
        """
        for nothing in (silence(1), silence(0)):
            self.assertLess(active_level(nothing, RATE), -150)
            self.assertEqual(levelled(nothing, RATE).tolist(), nothing.tolist())

    def test_levelled(self) -> None:
        """
        Soft and loud recordings come out equally loud.
        """
        for amplitude in (0.01, 0.1, 0.9):
            result = levelled(sound(0.5, amplitude), RATE)
            self.assertApproximates(active_level(result, RATE), LEVEL, 0.05)
            self.assertEqual(result.dtype, np.float32)

    def test_peaks(self) -> None:
        """
        A recording with a peak is made only so loud that the peak stays below full scale.
        """
        click = sound(0.5, 0.01)
        click[4000] = 0.5
        self.assertApproximates(decibel(float(np.abs(levelled(click, RATE)).max())), HIGHEST_PEAK, 0.01)

    def test_frames(self) -> None:
        """
        An unfinished last frame is left out, but a recording shorter than one frame is a frame.
        """
        self.assertEqual(len(frame_levels(sound(0.05), RATE)), 2)
        self.assertEqual(len(frame_levels(sound(0.01), RATE)), 1)


class TrimTests(SynchronousTestCase):
    """
    Silence taken off the ends.
    """

    def test_ends(self) -> None:
        """
        What is left is the sound with a little silence before and after it; pauses inside stay.
        """
        spoken = np.concatenate([sound(0.3), silence(0.4), sound(0.3)])
        whole = np.concatenate([silence(0.7), spoken, silence(0.9)])
        self.assertApproximates(len(trimmed(whole, RATE)) / RATE, 1.0 + 0.03 + 0.06, 0.011)
        self.assertApproximates(len(trimmed(spoken, RATE, after=0.5)) / RATE, 1.5, 0.011)

    def test_soft_end(self) -> None:
        """
        An s that is 40 dB softer than the vowel before it belongs to the word; hiss that is 60 dB softer does not.
        """
        hiss = np.random.default_rng(1).normal(0, 0.5 * 10 ** (-40 / 20) / np.sqrt(2), RATE // 5).astype(np.float32)
        word = np.concatenate([sound(0.3, 0.5), hiss])
        self.assertApproximates(len(trimmed(word, RATE, before=0, after=0)) / RATE, 0.5, 0.011)
        noise = np.concatenate([sound(0.3, 0.5), hiss / 10])
        self.assertApproximates(len(trimmed(noise, RATE, before=0, after=0)) / RATE, 0.3, 0.011)

    def test_no_click(self) -> None:
        """
        It begins and ends at zero, also where the sound was cut off in the middle.
        """
        cut = trimmed(sound(0.3011, 0.9), RATE, before=0, after=0)
        self.assertLess(abs(float(cut[0])), 0.01)
        self.assertLess(abs(float(cut[-1])), 0.01)
        self.assertApproximates(float(np.abs(cut).max()), 0.9, 0.01)

    def test_silent(self) -> None:
        """
        Of a recording that is silent throughout nothing is left.
        """
        self.assertEqual(len(trimmed(silence(1), RATE)), 0)
        self.assertEqual(len(trimmed(silence(0), RATE)), 0)
