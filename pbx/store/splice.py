"""
Recordings put one behind the other, or made of other files. It waits for the disk: run it in a thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
import soxr

from pbx.features.recordings import convert
from pbx.media.recorder import header

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LONGEST = 300.0
"""Seconds of a greeting that is brought as a file."""
REST = 0.5
"""Seconds of silence between two pieces."""


def splice(pieces: Sequence[Path], target: Path) -> float:
    """
    Put recordings into one file, at the highest rate among them; how many seconds it has.

    Raises:
        OSError: One can't be read, or the target can't be written; no target is left.
        RuntimeError: One is no sound.
    """
    rates = [soundfile.info(piece).samplerate for piece in pieces]
    rate = max(rates)
    parts: list[Any] = []
    for piece in pieces:
        pcm, own = soundfile.read(piece, dtype="int16")
        parts += [soxr.resample(pcm, own, rate) if own != rate else pcm, np.zeros(round(REST * rate), np.int16)]
    whole = np.concatenate(parts[:-1])
    _write(target, rate, whole)
    return len(whole) / rate


def as_wav(content: bytes, target: Path) -> None:
    """
    Write a sound file of any format as WAV of one channel.

    Raises:
        UnusableSoundError: It is none, or too long.
        OSError: It can't be written.
    """
    between = target.with_suffix(".flac")
    convert(content, between, longest=LONGEST)
    try:
        pcm, rate = soundfile.read(between, dtype="int16")
    finally:
        between.unlink(missing_ok=True)
    _write(target, rate, pcm)


def _write(target: Path, rate: int, pcm: Any) -> None:
    samples = pcm.astype("<i2").tobytes()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = target.with_suffix(".part")
    try:
        unfinished.write_bytes(header(rate, len(samples)) + samples)
        unfinished.replace(target)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
