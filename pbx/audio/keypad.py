"""
The tones of a telephone's keys: found in sound, and made (ITU-T Q.23, Q.24).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.audio.g711 import Samples

LOW: Final = (697.0, 770.0, 852.0, 941.0)
"""The frequencies of the rows in Hz (ITU-T Q.23)."""

HIGH: Final = (1_209.0, 1_336.0, 1_477.0, 1_633.0)
"""The frequencies of the columns."""

KEYS: Final = "123A456B789C*0#D"
"""The keys, row by row."""

BLOCK: Final = 0.0125
"""Seconds looked at in one go: two of them lie within any 40 ms, the shortest tone that counts (ITU-T Q.24)."""

NEEDED: Final = 2
"""Blocks with the same key before it is pressed."""

GONE: Final = 2
"""Blocks without it before it is let go: ITU-T Q.24 allows interruptions of 10 ms."""

FAINTEST: Final = 130.0
"""Amplitude of each tone at least: 45 dB below full scale."""

PURE: Final = 0.7
"""The part of the power that is in the two tones at least: a voice that hits both has other tones besides."""

FORWARD_TWIST: Final = 10 ** (8 / 10)
"""By how much the low tone may be stronger, in power (ITU-T Q.24 table A-1 allows 5 to 10 dB)."""

REVERSE_TWIST: Final = 10 ** (6 / 10)
"""By how much the high tone may be."""

ALONE: Final = 10 ** (6 / 10)
"""By how much each tone is stronger than the others of its group."""


class InbandKeys:
    """
    Keys out of sound: each is told once, when its tone is over.
    """

    def __init__(self, rate: int, on_key: Callable[[str, float], object]) -> None:
        """
        Expect the first tone.

        Args:
            rate: Samples a second of the sound.
            on_key: Called with the key, and for how many seconds it was pressed.
        """
        self._size = int(BLOCK * rate)
        self._waves = _waves(rate, self._size)
        self._on_key = on_key
        self._rest: npt.NDArray[np.int16] = np.zeros(0, np.int16)
        self._candidate = self._pressed = ""
        self._blocks = self._missed = 0

    def heard(self, sound: Samples) -> None:
        """
        Take the next piece of sound, of any length.
        """
        if not self._pressed and not self._candidate and not len(self._rest) and not sound.any():
            return
        waiting = np.concatenate((self._rest, sound))
        count = len(waiting) // self._size
        blocks = waiting[: count * self._size].reshape(count, self._size)
        self._rest = waiting[count * self._size :]
        flat = blocks.astype(np.float32)
        parts = flat @ self._waves
        powers = parts[:, :8] ** 2 + parts[:, 8:] ** 2
        totals = np.einsum("ij,ij->i", flat, flat) / self._size
        for power, total in zip(powers, totals, strict=True):
            self._block(_key_of(power, float(total)))

    def _block(self, key: str) -> None:
        if self._pressed:
            if key == self._pressed:
                self._blocks += 1 + self._missed
                self._missed = 0
                return
            self._missed += 1
            if self._missed < GONE:
                self._candidate = key
                return
            pressed, self._pressed = self._pressed, ""
            self._missed = 0
            self._on_key(pressed, self._blocks * BLOCK)
            # Another key may have followed at once.
            self._blocks = 1 if key and key == self._candidate else 0
        if not key or key != self._candidate:
            self._candidate, self._blocks = key, 0
        if key:
            self._blocks += 1
            if self._blocks >= NEEDED:
                self._pressed, self._candidate = key, ""


def _key_of(power: npt.NDArray[np.float32], total: float) -> str:
    """
    The key that a block sounds like, or nothing.
    """
    # Mostly speech and silence come here: the cheapest question first.
    low, high = power[:4], power[4:]
    row, column = int(low.argmax()), int(high.argmax())
    one, other = float(low[row]), float(high[column])
    # The power of a sine is half its amplitude squared.
    if one + other < PURE * total or min(one, other) < FAINTEST**2 / 2:
        return ""
    if one > other * FORWARD_TWIST or other > one * REVERSE_TWIST:
        return ""
    next_low, next_high = float(np.partition(low, 2)[2]), float(np.partition(high, 2)[2])
    if one < next_low * ALONE or other < next_high * ALONE:
        return ""
    return KEYS[4 * row + column]


@cache  # One entry a rate.
def _waves(rate: int, size: int) -> npt.NDArray[np.float32]:
    """
    What a block is multiplied with to get the root of the power at each frequency, shape (size, 16): cosines, sines.
    """
    angles = 2 * np.pi * np.outer(np.arange(size), np.array(LOW + HIGH)) / rate
    waves = np.concatenate((np.cos(angles), np.sin(angles)), axis=1) * np.sqrt(2) / size
    result: npt.NDArray[np.float32] = waves.astype(np.float32)
    return result


LOUDNESS: Final = 4_100.0
"""Amplitude of each of the two tones we make: 18 dB below full scale, -12 dBm0 the two together less 3."""

EDGE: Final = 0.003
"""Seconds in which a tone we make swells and fades, so that it does not click."""


def tone_of(key: str, seconds: float, rate: int) -> Samples:
    """
    The tone of a key.

    Args:
        key: One of :data:`KEYS`.
        seconds: How long it lasts.
        rate: Samples a second.

    Raises:
        ValueError: There is no such key.
    """
    place = KEYS.find(key.upper()) if len(key) == 1 else -1
    if place < 0:
        raise ValueError(f"no telephone key {key!r}")
    at = np.arange(int(seconds * rate)) / rate
    waves = np.sin(2 * np.pi * LOW[place // 4] * at) + np.sin(2 * np.pi * HIGH[place % 4] * at)
    edge = np.minimum(1.0, np.minimum(at, at[::-1]) / EDGE) if len(at) else at
    return np.rint(LOUDNESS * waves * edge).astype(np.int16)
