"""
A change of sample rate for many streams at once, frame by frame (polyphase filter).

The filter is a windowed sinc that cuts at half the lower rate. It is a Nyquist filter: where a sample of the one rate
falls on one of the other most coefficients are zero, and those are left out.
"""

from __future__ import annotations

from functools import cache
from math import gcd
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Frames: TypeAlias = npt.NDArray[np.float32]
"""One frame each of many streams, shape (streams, samples)."""

CROSSINGS: Final = 16
"""Zero crossings of the sinc on each side: flat to 0.86 of half the lower rate, which is 3,440 Hz for 8,000."""

BETA: Final = 6.0
"""Of the Kaiser window: what folds back is 60 dB down, further than 8-bit companding noise."""


class Polyphase:
    """
    Several streams of one rate on their way to another. What went before is remembered from frame to frame, so that
    nothing is heard where they join; the streams are late by :attr:`delay`.

    Attributes:
        source: Samples a second that come in.
        target: Samples a second that go out.
        delay: Seconds by which the sound comes later.
    """

    def __init__(self, source: int, target: int, streams: int) -> None:
        """
        Convert streams that were silent before.

        Args:
            source: Samples a second that come in.
            target: Samples a second that go out; frames must hold a whole number of samples of both.
            streams: How many there are.
        """
        self.source = source
        self.target = target
        self._up, self._down, self._phases, side = _filter(source, target)
        self._past: Frames = np.zeros((streams, 2 * side), np.float32)
        self.delay = side / source

    def convert(self, frames: Frames) -> Frames:
        """
        The next frame of each stream at the other rate.

        Args:
            frames: Shape (streams, samples).
        """
        samples = frames.shape[1]
        line: Frames = np.concatenate((self._past, frames), axis=1)
        self._past = line[:, samples:].copy()
        count = samples // self._down
        result: Frames = np.empty((frames.shape[0], count * self._up), np.float32)
        for phase, (offset, taps) in enumerate(self._phases):
            total: Frames = np.zeros((frames.shape[0], count), np.float32)
            for shift, weight in taps:
                start = offset + shift
                total += weight * line[:, start : start + (count - 1) * self._down + 1 : self._down]
            result[:, phase :: self._up] = total
        return result

    def keep(self, rows: Sequence[int]) -> Polyphase:
        """
        The same for another choice of streams.

        Args:
            rows: For each stream to come the number it has now, -1 for one that was silent.
        """
        other = Polyphase(self.source, self.target, len(rows))
        for row, before in enumerate(rows):
            if before >= 0:
                other._past[row] = self._past[before]
        return other


@cache  # One entry a pair of rates.
def _filter(source: int, target: int) -> tuple[int, int, list[tuple[int, list[tuple[int, np.float32]]]], int]:
    """
    The filter between two rates.

    Returns:
        By how much the rate goes up and down; for each phase of the output where its first input stands, and the
        weights by position; the inputs needed on either side of an output.
    """
    common = gcd(source, target)
    up, down = target // common, source // common
    reach = CROSSINGS * max(up, down)
    # At source * up samples a second, around the middle.
    at = np.arange(-reach, reach + 1)
    prototype = np.sinc(at / max(up, down)) * np.kaiser(2 * reach + 1, BETA) * up / max(up, down)
    side = -(-reach // up)
    phases = []
    for phase in range(up):
        # Output `phase` lies at phase * down / up of the input.
        whole, part = divmod(phase * down, up)
        taps = []
        for shift in range(-side, side + 1):
            position = part - shift * up
            if abs(position) <= reach and abs(prototype[position + reach]) > 1e-6:
                taps.append((shift + side, np.float32(prototype[position + reach])))
        phases.append((whole, taps))
    # The newest output needs `side` inputs after it: everything is late by so many.
    return up, down, phases, side
