"""
Changing the sample rate of sound that arrives piece by piece, between the rates of telephony.

Written for conversations: a polyphase filter (windowed sinc) of a few milliseconds, which gives for each piece exactly
as much as the piece lasts. (soxr's streams hold back 40 to 120 ms at these rates and give it in bursts; files are its
strength.)
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

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
        held = 2 * REACH * self._down - self._down if self._down > 1 else len(self._taps) - 1
        self._before: npt.NDArray[np.float32] = np.zeros(held, np.float32)

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
        mixed = self._fewer(sound) if self._down > 1 else self._more(sound, len(samples))
        np.rint(mixed, mixed)
        mixed.clip(-32_768, 32_767, mixed)
        result: Samples = mixed.astype(np.int16)
        return result

    def _fewer(self, sound: Floats) -> Floats:
        # Row by row of as many samples as become one: each row times each row of the taps, in one product. A sample
        # that comes out is the sum along a diagonal. Twice as quick as a window for each, which would be copied.
        parts = sound.reshape(-1, self._down) @ self._taps
        rows = self._taps.shape[1]
        step = parts.itemsize
        shape, strides = (len(parts) - rows + 1, rows), (step * rows, step * (rows + 1))
        sums: Floats = np.einsum("ij->i", _view(parts, shape, strides))
        return sums

    def _more(self, sound: Floats, count: int) -> Floats:
        step = sound.itemsize
        mixed: Floats = (_view(sound, (count, len(self._taps)), (step, step)) @ self._taps).reshape(-1)
        return mixed


def _view(array: Floats, shape: tuple[int, int], strides: tuple[int, int]) -> Floats:
    # What numpy.lib.stride_tricks does, without its 5 microseconds.
    view: npt.NDArray[Any] = np.ndarray(shape, np.float32, array, 0, strides)
    return view


@cache  # One entry a ratio; telephony has half a dozen.
def _filter(up: int, down: int) -> Floats:
    """
    The taps.

    Returns:
        Going up, shape (taps, up): a column for each of the samples that come out for one that goes in. Going down,
        shape (down, rows): the taps in rows of as many as go in for one that comes out, turned.
    """
    factor = max(up, down)
    length = 2 * REACH * factor
    place = np.arange(length) - (length - 1) / 2
    taps = np.sinc(place * BAND / factor) * np.kaiser(length, BETA)
    if up == 1:
        taps /= taps.sum()
        return np.ascontiguousarray(taps.reshape(-1, down).T).astype(np.float32)
    # Row k of the polyphase filter weighs the sample that came length/up - 1 - k before the newest.
    phases = taps.reshape(-1, up)[::-1]
    return np.ascontiguousarray(phases / phases.sum(axis=0)).astype(np.float32)


def resampled(samples: Samples, source: int, target: int) -> Samples:
    """
    A whole piece at another rate, in one go.
    """
    return Resampler(source, target).convert(samples)
