"""
A recording made ready to be played between others: silence taken off its ends, and as loud as they are.

Samples are float32 in -1..1, one channel; levels are RMS in dB below full scale.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.float32]
"""One channel in -1..1."""

RATE: Final = 16_000
"""Samples a second of what is shipped and kept: twice the band of a telephone, and what G.722 carries."""

LEVEL: Final = -20.0
"""How loud speech is made: above the -26 of people on the phone (ITU-T P.56), who can be asked to repeat."""

HIGHEST_PEAK: Final = -1.0
"""The loudest sample that is allowed, so that resampling and coding do not clip."""

SILENCE: Final = -65.0
"""Below this nothing was said."""

BELOW_LOUDEST: Final = 48.0
"""What is this many dB softer than the loudest part is silence too: breath and hum, but not yet an f or an s."""

PAUSE_BELOW: Final = 25.0
"""What is this many dB softer than the loudest part is a pause between words, and does not count as their level."""

FADE: Final = 0.005
"""Seconds over which the ends come and go: a cut in the middle of a wave clicks."""


def decibel(ratio: float) -> float:
    """
    A ratio of amplitudes in dB; -200 for nothing.
    """
    return 20 * float(np.log10(max(ratio, 1e-10)))


def frame_levels(samples: Samples, rate: int, seconds: float = 0.02) -> npt.NDArray[np.float64]:
    """
    The level of each frame of a recording; an unfinished last one is left out, unless it is the only one.
    """
    length = max(1, round(rate * seconds))
    frames = samples[: len(samples) // length * length].reshape(-1, length)
    if not len(frames):
        frames = samples.reshape(1, -1)
    squares = np.mean(np.square(frames, dtype=np.float64), axis=1) if samples.size else np.zeros(1)
    return 10 * np.log10(np.maximum(squares, 1e-20))


def active_level(samples: Samples, rate: int) -> float:
    """
    How loud it is where it is not silent, in the manner of ITU-T P.56.
    """
    levels = frame_levels(samples, rate)
    active = levels[levels > max(float(levels.max()) - PAUSE_BELOW, SILENCE)]
    if not len(active):
        return float(levels.max())
    return 10 * float(np.log10(np.mean(10 ** (active / 10))))


def trimmed(samples: Samples, rate: int, *, before: float = 0.03, after: float = 0.06) -> Samples:
    """
    A recording without the silence at its ends, but for a little.

    Args:
        samples: The recording.
        rate: Its samples a second.
        before: Seconds that are left before the first sound.
        after: Seconds that are left, or added, after the last.

    Returns:
        The recording, faded at both ends; empty when it is silent throughout.
    """
    step = max(1, round(rate * 0.01))
    levels = frame_levels(samples, rate, 0.01)
    loud = np.flatnonzero(levels > max(float(levels.max()) - BELOW_LOUDEST, SILENCE))
    if not len(loud):
        return samples[:0]
    begin = max(0, int(loud[0]) * step - round(rate * before))
    end = (int(loud[-1]) + 1) * step + round(rate * after)
    kept = samples[begin:end].copy()
    fade = min(round(rate * FADE), len(kept) // 2)
    slope = np.sin(np.linspace(0, np.pi / 2, fade, endpoint=False, dtype=np.float32)) ** 2
    kept[:fade] *= slope
    kept[len(kept) - fade :] *= slope[::-1]
    return np.concatenate([kept, np.zeros(end - begin - len(kept), np.float32)])


def levelled(samples: Samples, rate: int, level: float = LEVEL) -> Samples:
    """
    A recording made as loud as others, unless its peaks forbid it.
    """
    if not samples.size or not samples.any():
        return samples
    gain = level - active_level(samples, rate)
    gain = min(gain, HIGHEST_PEAK - decibel(float(np.abs(samples).max())))
    return (samples * np.float32(10 ** (gain / 20))).astype(np.float32)
