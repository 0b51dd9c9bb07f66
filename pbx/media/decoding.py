"""
Sound files of any kind read into samples: slow work, to be done in a thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import soundfile
import soxr

from pbx.media.sound import NARROW, WIDE, Sound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from pbx.audio.g711 import Samples

LONGEST: Final = 1800.0
"""Seconds read of a file: half an hour of samples is 86 MB."""

BLOCK: Final = 5.0
"""Seconds read at once: what a file takes while it is read is this, not all of it at its own rate."""

SUFFIXES: Final = (".flac", ".wav", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".gsm")
"""The names' endings of sound files that are looked for, the first first; each is read whatever it holds."""


class SoundUnreadableError(Exception):
    """
    A file that is no sound, is cut off before its first sample, or can't be read.
    """


def decode(path: Path) -> Sound:
    """
    The sound in a file, in one channel; the first half hour of a longer one.

    What is at one of our rates stays as it is, sample by sample.

    Raises:
        SoundUnreadableError: It is not there, or no sound.
    """
    try:
        with soundfile.SoundFile(path) as file:
            plain = file.channels == 1 and file.subtype in {"PCM_16", "ULAW", "ALAW"}
            kind = "int16" if plain else "float32"
            pcm, narrow = (_Resampled(file.samplerate, rate, kind) for rate in (WIDE, NARROW))
            for block in _blocks(file, kind):
                pcm.take(block)
                narrow.take(block)
            return Sound(pcm.samples(), narrow.samples(), path.stem)
    except (OSError, soundfile.SoundFileError) as error:
        raise SoundUnreadableError(f"{path}: {error}") from error


def _blocks(file: soundfile.SoundFile, kind: str) -> Iterator[npt.NDArray[Any]]:
    rate = file.samplerate
    for block in file.blocks(
        max(1, int(BLOCK * rate)),
        frames=min(file.frames, int(LONGEST * rate)),
        dtype=kind,
        always_2d=True,
    ):
        yield block[:, 0] if kind == "int16" else block.mean(axis=1)


class _Resampled:
    """
    Blocks at one rate become samples at another.
    """

    def __init__(self, rate: int, target: int, kind: str) -> None:
        self._kind = kind
        self._stream = soxr.ResampleStream(rate, target, 1, dtype=kind) if rate != target else None
        self._parts: list[Samples] = []

    def take(self, block: npt.NDArray[Any]) -> None:
        """
        Take the next block.
        """
        self._parts.append(_linear(block if self._stream is None else self._stream.resample_chunk(block)))

    def samples(self) -> Samples:
        """
        All of it; nothing can be taken afterwards.
        """
        if self._stream is not None:
            self._parts.append(_linear(self._stream.resample_chunk(np.zeros(0, self._kind), last=True)))
        joined: Samples = np.concatenate([*self._parts, np.zeros(0, np.int16)])
        return joined


def _linear(block: npt.NDArray[Any]) -> Samples:
    if block.dtype == np.int16:
        return block
    linear: Samples = np.rint(np.clip(block * 32_768.0, -32_768, 32_767)).astype(np.int16)
    return linear
