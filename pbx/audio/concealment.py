"""
What is played where sound got lost: the voice as it was, for a moment (after ITU-T G.711 Appendix I).

The last pitch period is repeated and fades out; where sound comes back the two are blended into each other. The same
search for a period serves to play a little faster or slower, when a jitter buffer wants less or more in hand.
"""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pbx.audio.g711 import Samples

Floats = npt.NDArray[np.float32]

SEARCH_RATE: Final = 8_000
"""Samples a second at which a period is looked for; finer than the pitch of a voice is steady."""

SHORTEST: Final = 0.005
"""Seconds of the shortest period: 200 Hz. A higher voice is repeated in twos, which sounds less of a buzz."""

LONGEST: Final = 0.015
"""Seconds of the longest period: 66 Hz."""

COMPARED: Final = 0.02
"""Seconds of sound in which a period must show."""

HISTORY: Final = 0.06
"""Seconds of past sound that are kept: more than twice what a search looks at."""

WHOLE: Final = 0.01
"""Seconds that are repeated at full loudness (G.711 Appendix I 2.7)."""

FADED: Final = 0.06
"""Seconds after which nothing is left of it."""

BLEND: Final = 0.004
"""Seconds in which sound that comes back is blended in, at least."""

LONGEST_BLEND: Final = 0.01
"""The same at most: longer after a longer loss."""

ALIKE: Final = 0.6
"""Correlation from which on two stretches are the same sound a period apart."""

QUIET: Final = 60.0
"""Root mean square up to which it does not matter how alike two stretches are: 55 dB below full scale."""


class Concealer:
    """
    The end of one stream of sound, and what could follow it.
    """

    def __init__(self, rate: int) -> None:
        """
        Begin with silence.

        Args:
            rate: Samples a second.
        """
        self.rate = rate
        self._recent: deque[Samples] = deque()
        self._kept = 0
        self._period: Floats | None = None
        self._made = 0
        self._join = 0.0

    @property
    def concealing(self) -> bool:
        """
        Whether the last sound was made up.
        """
        return self._made > 0

    def heard(self, sound: Samples, *, joined: bool = True) -> Samples:
        """
        Take true sound, and give what is to be played: itself, blended in where something was made up before it.

        Args:
            sound: Any number of samples.
            joined: Whether it goes on where the last true sound ended.
        """
        if self._made or not joined:
            if not self._made:
                self._begin()
            count = int(min(LONGEST_BLEND, BLEND + 0.2 * self._made / self.rate) * self.rate)
            count = min(count, len(sound))
            going = self._continued(count)
            self._made = 0
            self._period = None
            if count:
                coming = _ramp(count)
                blended = sound.astype(np.float32)
                blended[:count] = blended[:count] * coming + going * (1 - coming)
                sound = np.rint(blended).astype(np.int16)
        self._remember(sound)
        return sound

    def conceal(self, count: int) -> Samples:
        """
        Samples in place of lost ones: nothing, in the end.
        """
        if self._made >= FADED * self.rate:
            self._made += count
            return np.zeros(count, np.int16)
        if not self._made:
            self._begin()
        made: Samples = np.rint(self._continued(count)).astype(np.int16)
        return made

    def _remember(self, sound: Samples) -> None:
        recent = self._recent
        recent.append(sound)
        self._kept += len(sound)
        while self._kept - len(recent[0]) >= HISTORY * self.rate:
            self._kept -= len(recent.popleft())

    def _begin(self) -> None:
        needed = int((LONGEST + COMPARED) * self.rate) + self.rate // SEARCH_RATE
        if self._kept < needed:
            self._period = None
            return
        past = np.concatenate(self._recent).astype(np.float32)
        period, _ = find_period(past[::-1], self.rate)
        one: Floats = past[-period:].copy()
        # So that its end leads to its beginning: there stands what came before it.
        quarter = period // 4
        coming = _ramp(quarter)
        before = past[-period - quarter : -period]
        one[-quarter:] = one[-quarter:] * (1 - coming) + before * coming
        self._period = one
        # What was played last is not quite what came before the period.
        self._join = float(past[-1] - past[-period - 1])

    def _continued(self, count: int) -> Floats:
        one, start = self._period, self._made
        self._made += count
        place = np.arange(start, start + count)
        if one is None:
            return np.zeros(count, np.float32)
        sound: Floats = one[place % len(one)]
        quarter = len(one) // 4
        if start < quarter:
            sound = sound + self._join * np.maximum(0, 1 - (place + 1) / quarter).astype(np.float32)
        gain = (FADED * self.rate - place) / ((FADED - WHOLE) * self.rate)
        faded: Floats = (sound * np.clip(gain, 0, 1)).astype(np.float32)
        return faded.clip(-32_768, 32_767)


def find_period(sound: Floats, rate: int) -> tuple[int, float]:
    """
    The period in which the beginning of a sound repeats.

    Args:
        sound: At least LONGEST + COMPARED of it; given backwards, it is the end that is looked at.
        rate: Samples a second.

    Returns:
        The period in samples, and how alike the stretches a period apart are, up to 1.
    """
    step = rate // SEARCH_RATE
    coarse = sound[: int((LONGEST + COMPARED) * rate)]
    if step > 1:
        usable = len(coarse) // step * step
        coarse = coarse[:usable].reshape(-1, step).mean(axis=1)
    length, least = int(COMPARED * SEARCH_RATE), int(SHORTEST * SEARCH_RATE)
    template = coarse[:length]
    products = np.correlate(coarse[least:], template, "valid")
    energies = np.cumsum(np.concatenate((np.zeros(1, np.float32), coarse[least:] ** 2)))
    energies = energies[length:] - energies[:-length]
    alike = products / np.sqrt(np.maximum(energies * float(template @ template), 1.0))
    best = int(alike.argmax())
    period = (least + best) * step
    if step > 1:
        # Between the coarse steps, by the sound itself.
        length = int(SHORTEST * rate)
        around = range(max(1, period - step + 1), period + step)
        period = max(around, key=lambda lag: float(sound[:length] @ sound[lag : lag + length]))
    return period, float(alike[best])


def shortened(sound: Samples, rate: int, *, anyway: bool = False) -> Samples:
    """
    The same sound without one period of its beginning; itself where none shows.

    Args:
        sound: At least 35 ms.
        rate: Samples a second.
        anyway: Leave something out also where it will be noticed.
    """
    found = _one_period(sound, rate, anyway)
    if found is None:
        return sound
    flat, period = found
    coming = _ramp(period)
    blended = flat[:period] * (1 - coming) + flat[period : 2 * period] * coming
    return np.concatenate((np.rint(blended).astype(np.int16), sound[2 * period :]))


def lengthened(sound: Samples, rate: int) -> Samples:
    """
    The same sound with one period of its beginning twice; itself where none shows.

    Args:
        sound: At least 35 ms.
        rate: Samples a second.
    """
    found = _one_period(sound, rate, anyway=False)
    if found is None:
        return sound
    flat, period = found
    coming = _ramp(period)
    blended = flat[period : 2 * period] * (1 - coming) + flat[:period] * coming
    return np.concatenate((sound[:period], np.rint(blended).astype(np.int16), sound[period:]))


def _one_period(sound: Samples, rate: int, anyway: bool) -> tuple[Floats, int] | None:
    if len(sound) < int((LONGEST + COMPARED) * rate):
        return None
    flat = sound.astype(np.float32)
    period, alike = find_period(flat, rate)
    if alike < ALIKE and not anyway and float(flat @ flat) > len(flat) * QUIET**2:
        return None
    return flat, period


@cache  # A few lengths a rate.
def _ramp(count: int) -> Floats:
    """
    From nearly 0 to nearly 1.
    """
    ramp: Floats = ((np.arange(count) + 1) / (count + 1)).astype(np.float32)
    ramp.flags.writeable = False
    return ramp
