"""
Changing the sample rate of sound that arrives piece by piece, between the rates of telephony.

Written for conversations: a polyphase filter (windowed sinc) of a few milliseconds, which gives for each piece exactly
as much as the piece lasts. (soxr's streams hold back 40 to 120 ms at these rates and give it in bursts; files are its
strength.)
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pbx.audio.g711 import Samples

Floats = npt.NDArray[np.float32]

REACH: Final = 12
"""Zero crossings of the sinc on each side, at the lower of the two rates: 1.5 ms of delay at 8,000 Hz."""

BAND: Final = 0.9
"""The middle of the transition band as a part of half the lower rate: 3,600 Hz of 4,000."""

BETA: Final = 5.0
"""Of the Kaiser window: what is folded back lies 50 dB down."""


class Resampler:
    """
    One stream from one rate to another of which one is a multiple of the other.

    Attributes:
        source: The rate of what goes in, samples a second.
        target: The rate of what comes out.
    """

    def __init__(self, source: int, target: int) -> None:
        """
        Begin a stream with silence before it.

        Raises:
            ValueError: Neither rate is a multiple of the other.
        """
        if source <= 0 or target <= 0 or (source % target and target % source):
            raise ValueError(f"no whole ratio between {source} and {target} samples a second")
        self.source, self.target = source, target
        self._up, self._down = max(1, target // source), max(1, source // target)
        self._taps = _filter(self._up, self._down)
        self._before: npt.NDArray[np.float32] = np.zeros(len(self._taps) - self._down, np.float32)

    def convert(self, samples: Samples) -> Samples:
        """
        The next piece of the stream at the other rate.

        Args:
            samples: As many as a whole number of samples comes out of: any piece of whole milliseconds.
        """
        if self.source == self.target:
            return samples
        sound: Floats = np.concatenate((self._before, samples))
        self._before = sound[len(samples) :]
        count = len(samples) // self._down
        step = sound.itemsize
        windows = np.lib.stride_tricks.as_strided(sound, (count, len(self._taps)), (step * self._down, step))
        mixed = (windows @ self._taps).reshape(-1)
        np.rint(mixed, mixed)
        np.clip(mixed, -32_768, 32_767, mixed)
        result: Samples = mixed.astype(np.int16)
        return result


@cache  # One entry a ratio; telephony has half a dozen.
def _filter(up: int, down: int) -> Floats:
    """
    The taps, shape (taps, up): a column for each of the samples that come out for one that goes in.
    """
    factor = max(up, down)
    length = 2 * REACH * factor
    place = np.arange(length) - (length - 1) / 2
    taps = np.sinc(place * BAND / factor) * np.kaiser(length, BETA)
    if up == 1:
        taps /= taps.sum()
        return taps[:, None].astype(np.float32)
    # Row k of the polyphase filter weighs the sample that came length/up - 1 - k before the newest.
    phases = taps.reshape(-1, up)[::-1]
    return np.ascontiguousarray(phases / phases.sum(axis=0)).astype(np.float32)


def resampled(samples: Samples, source: int, target: int) -> Samples:
    """
    A whole piece at another rate, in one go.
    """
    return Resampler(source, target).convert(samples)
