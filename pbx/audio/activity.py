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


SILENT: Final = -127.0
"""The level of silence in dBov (RFC 6464 3)."""


def power(dbov: float) -> float:
    """
    The mean square of samples at a level in dB below overload (ITU-T G.100.1: 0 dBov is a full-scale square wave).
    """
    return float(32_768.0**2 * 10 ** (dbov / 10))


def dbov(mean_square: float) -> float:
    """
    The level of a mean square; :data:`SILENT` for silence.
    """
    return max(SILENT, 10 * float(np.log10(max(mean_square, 1e-6) / 32_768.0**2)))


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

BLOCK: Final = 5
"""Frames from one look at noise and talking to the next: 0.1 s, for neither needs to be known sooner."""

RISE: Final = 1.05
"""By which the background noise is taken to have grown a block: 2 dB a second."""

AUDIBLE_AFTER: Final = 15
"""Frames for which who was audible stays so: 0.3 s."""

TALKING_FROM: Final = 3
"""Frames of speech in a block that make talking; a click has one or two."""

TALKING_AFTER: Final = 40
"""Frames for which who talked is said to talk: 0.8 s."""

NEVER: Final = -1_000_000
"""The number of the frame in which something happened that did not."""


class Activity:
    """
    What is known of several streams from frame to frame.

    Attributes:
        audible: Whether each belongs into the mix.
        talking: Whether each is talking.
        looked: Whether the latest frame ended a block, so that :attr:`talking` may have changed.
    """

    def __init__(self, streams: int, samples: int) -> None:
        """
        Begin with streams that were silent.

        Args:
            streams: How many.
            samples: Samples a frame.
        """
        self.audible: Flags = np.zeros(streams, np.bool_)
        self.talking: Flags = np.zeros(streams, np.bool_)
        self.looked = False
        # All powers are sums of squares, not means: it saves a division a frame.
        self._samples = samples
        self._sums: Powers = np.zeros(streams, np.float32)
        self._noise: Powers = np.full(streams, SOFTEST_NOISE * samples, np.float32)
        self._threshold: Powers = np.full(streams, QUIET * samples, np.float32)
        self._speech = np.zeros(streams, np.int8)
        self._heard = np.full(streams, NEVER, np.int64)
        self._talked = np.full(streams, NEVER, np.int64)
        self._frame = 0

    def level(self, stream: int) -> float:
        """
        How loud the latest frame of a stream was, in dBov.
        """
        return dbov(float(self._sums[stream]) / self._samples)

    def hear(self, frames: Frames) -> None:
        """
        Take the next frame of each stream.

        Args:
            frames: Shape (streams, samples).
        """
        self._frame = now = self._frame + 1
        sums = self._sums
        np.einsum("ij,ij->i", frames, frames, out=sums)
        np.copyto(self._heard, now, where=sums > self._threshold)
        self.audible = self._heard > now - AUDIBLE_AFTER
        self._speech += sums > SPEECH * self._samples
        self.looked = now % BLOCK == 0
        if self.looked:
            self._look(now)

    def keep(self, rows: Sequence[int]) -> Activity:
        """
        The same for another choice of streams.

        Args:
            rows: For each stream to come the number it has now, -1 for one that was silent.
        """
        other = Activity(len(rows), self._samples)
        other._frame = self._frame
        for row, before in enumerate(rows):
            if before >= 0:
                for name, value in vars(other).items():
                    if isinstance(value, np.ndarray):
                        value[row] = vars(self)[name][before]
        return other

    def _look(self, now: int) -> None:
        samples, noise, sums = self._samples, self._noise, self._sums
        np.copyto(self._talked, now, where=self._speech >= TALKING_FROM)
        self.talking = self._talked > now - TALKING_AFTER
        self._speech[:] = 0
        noise *= np.float32(RISE)
        # A silent frame between two words says nothing about the noise under them.
        np.minimum(noise, sums, out=noise, where=sums >= samples)
        np.minimum(noise, np.float32(LOUDEST_NOISE * samples), out=noise)
        np.maximum(noise, np.float32(SOFTEST_NOISE * samples), out=noise)
        np.multiply(noise, np.float32(ABOVE_NOISE), out=self._threshold)
