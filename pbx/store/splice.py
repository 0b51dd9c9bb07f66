"""
Recordings put one behind the other. It waits for the disk: run it in a thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
import soxr

from pbx.media.recorder import header

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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
    whole = np.concatenate(parts[:-1]).astype("<i2")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = target.with_suffix(".part")
    try:
        unfinished.write_bytes(header(rate, whole.nbytes) + whole.tobytes())
        unfinished.replace(target)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    return len(whole) / rate
