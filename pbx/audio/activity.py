"""
Who of many is talking, told from how loud each is, frame by frame.

Two answers, with different aims. *Audible* decides what is mixed: it comes at once and for anything above the noise, so
that no beginning of a word is lost, and stays a while, so that no end is. *Talking* is what people are shown: a cough
is not talking, and a pause between sentences is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.audio.polyphase import Frames

Powers: TypeAlias = npt.NDArray[np.float32]
"""Mean squares of samples, one a stream."""

Flags: TypeAlias = npt.NDArray[np.bool_]
"""Yes or no for each stream."""


def power(dbov: float) -> float:
    """
    The mean square of samples at a level in dB below overload (ITU-T G.100.1: 0 dBov is a full-scale square wave).
    """
    return float(32_768.0**2 * 10 ** (dbov / 10))


def dbov(mean_square: float) -> float:
    """
    The level of a mean square; -127 for silence.
    """
    return max(-127.0, 10 * float(np.log10(max(mean_square, 1e-6) / 32_768.0**2)))


QUIET: Final = power(-60.0)
"""Below this nothing is audible: it is the comfort noise that phones send."""

LOUDEST_NOISE: Final = power(-48.0)
"""The loudest that is taken for somebody's background noise: anything louder that is steady may be a tone or music."""

ABOVE_NOISE: Final = 4.0
"""What is audible has this many times the power of the background noise: 6 dB."""

SOFTEST_NOISE: Final = QUIET / ABOVE_NOISE
"""The softest background noise that makes a difference; what everybody is taken to have at first."""

SPEECH: Final = power(-42.0)
"""What counts as talking: 16 dB below the usual level of speech (ITU-T P.56: -26 dBov)."""

RISE: Final = 1.01
"""By which the background noise is taken to have grown a frame: 2 dB a second."""

AUDIBLE_AFTER: Final = 15
"""Frames for which who was audible stays so: 0.3 s."""

TALKING_FROM: Final = 5
"""Frames of speech of the last few that make talking: 0.1 s."""

TALKING_AFTER: Final = 40
"""Frames for which who talked is said to talk: 0.8 s."""


class Activity:
    """
    What is known of several streams from frame to frame.

    Attributes:
        powers: The latest frame of each.
        audible: Whether each belongs into the mix.
        talking: Whether each is talking.
    """

    def __init__(self, streams: int) -> None:
        """
        Begin with streams that were silent.
        """
        self.powers: Powers = np.zeros(streams, np.float32)
        self.audible: Flags = np.zeros(streams, np.bool_)
        self.talking: Flags = np.zeros(streams, np.bool_)
        self._noise: Powers = np.full(streams, SOFTEST_NOISE, np.float32)
        self._audible_left = np.zeros(streams, np.int16)
        self._speech = np.zeros(streams, np.int16)
        self._talking_left = np.zeros(streams, np.int16)

    def hear(self, frames: Frames) -> None:
        """
        Take the next frame of each stream.

        Args:
            frames: Shape (streams, samples).
        """
        powers: Powers = np.einsum("ij,ij->i", frames, frames)
        powers /= np.float32(max(1, frames.shape[1]))
        self.powers = powers
        # A silent frame between two words says nothing about the noise under them.
        silent = powers < 1.0
        noise = np.minimum(np.where(silent, self._noise, powers), self._noise * np.float32(RISE))
        self._noise = np.clip(noise, np.float32(SOFTEST_NOISE), np.float32(LOUDEST_NOISE))
        loud = powers > np.maximum(self._noise * np.float32(ABOVE_NOISE), np.float32(QUIET))
        self._audible_left = np.where(loud, np.int16(AUDIBLE_AFTER), np.maximum(self._audible_left - 1, 0))
        self.audible = self._audible_left > 0
        # Goes up with speech and down without: a click does not get far.
        speech = powers > np.float32(SPEECH)
        self._speech = np.clip(self._speech + np.where(speech, np.int16(1), np.int16(-1)), 0, TALKING_FROM)
        full = self._speech >= TALKING_FROM
        going_on = speech & self.talking
        self._talking_left = np.where(
            full | going_on, np.int16(TALKING_AFTER), np.maximum(self._talking_left - 1, 0)
        )
        self.talking = self._talking_left > 0

    def keep(self, rows: Sequence[int]) -> Activity:
        """
        The same for another choice of streams.

        Args:
            rows: For each stream to come the number it has now, -1 for one that was silent.
        """
        other = Activity(len(rows))
        for row, before in enumerate(rows):
            if before >= 0:
                for name in vars(other):
                    vars(other)[name][row] = vars(self)[name][before]
        return other
