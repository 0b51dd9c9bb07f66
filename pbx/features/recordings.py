"""
Sound files that people bring: made into what is kept, and told about. All of it is slow and belongs into a thread.
"""

from __future__ import annotations

import io
import os
import secrets
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np
import soundfile
import soxr

from pbx.audio.mastering import RATE
from pbx.media.decoding import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pbx.audio.mastering import Samples

RATES: Final = (4_000, 384_000)
"""Samples a second that a file may have: below is no speech, above no sound card."""

MOST_CHANNELS: Final = 16
"""Channels that are mixed into one."""

BLOCK: Final = 5.0
"""Seconds read at once, so that a small file that holds hours of silence does not fill the memory."""


class UnusableSoundError(Exception):
    """
    What was sent cannot be kept; the text says why.
    """


@attrs.frozen
class Recording:
    """
    A sound file that lies somewhere.

    Attributes:
        path: Where.
        seconds: How long it plays; ``None`` when it cannot be read.
        size: Its bytes.
        changed: When it was written, in seconds since 1970.
        comment: What is written in it; for a prompt that was typed, its text.
    """

    path: Path
    seconds: float | None
    size: int
    changed: float
    comment: str = ""


def convert(content: bytes, target: Path, *, longest: float, comment: str = "") -> None:
    """
    Keep a sound of any format as FLAC of one channel at 16 kHz; the file is there as a whole or not at all.

    Args:
        content: A file that libsndfile reads.
        target: Where it is kept; its folder is made.
        longest: Seconds that it may have.
        comment: What is written in it.

    Raises:
        UnusableSoundError: It is none, is empty or too long.
        OSError: It cannot be written.
    """
    kept = _encoded(content, longest, comment)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.tmp")
    try:
        with beside.open("xb") as file:
            file.write(kept)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _encoded(content: bytes, longest: float, comment: str) -> bytes:
    """
    The file that is kept, made in memory: libsndfile does not tell why it could not write.
    """
    written, file = 0, io.BytesIO()
    sink = soundfile.SoundFile(file, "w", RATE, 1, "PCM_16", format="FLAC")
    with sink:
        if comment:
            sink.comment = comment
        for block in _blocks(content):
            written += len(block)
            if written > longest * RATE:
                raise UnusableSoundError(f"It is longer than {longest / 60:g} minutes.")
            sink.write(block)
    if not written:
        raise UnusableSoundError("It holds no sound.")
    return file.getvalue()


def _blocks(content: bytes) -> Iterator[Samples]:
    """
    The samples of a file at our rate, in one channel.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as source:
            rate = source.samplerate
            if not RATES[0] <= rate <= RATES[1] or source.channels > MOST_CHANNELS:
                raise UnusableSoundError(f"It has {source.channels} channels at {rate} samples a second.")
            stream = soxr.ResampleStream(rate, RATE, 1, dtype="float32") if rate != RATE else None
            for block in source.blocks(max(1, int(BLOCK * rate)), dtype="float32", always_2d=True):
                # A file of floating point may hold what is no number.
                mono = np.clip(np.nan_to_num(block), -1, 1).mean(axis=1)
                yield mono if stream is None else stream.resample_chunk(mono)
            if stream is not None:
                yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
    except (soundfile.SoundFileError, RuntimeError, TypeError) as error:
        kinds = "WAV, FLAC, Ogg, MP3, AIFF and the like"
        raise UnusableSoundError(f"It is no sound file that can be read ({kinds} can): {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """
    Why a file cannot be read, without the name that it has only in memory.
    """
    return str(error).rpartition(": ")[2].strip().rstrip(".") + "."


def look(path: Path) -> Recording | None:
    """
    What is known of a sound file; ``None`` when there is none.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    try:
        with soundfile.SoundFile(path) as file:
            seconds, comment = file.frames / file.samplerate, file.comment
    except (OSError, soundfile.SoundFileError):
        return Recording(path, None, status.st_size, status.st_mtime)
    return Recording(path, round(seconds, 2), status.st_size, status.st_mtime, comment)


def sound_files(folder: Path) -> list[Path]:
    """
    The sound files in a folder, by name; of several with one stem the one that is played.
    """
    try:
        found = [path for path in folder.iterdir() if path.suffix in SUFFIXES and not path.name.startswith(".")]
    except OSError:
        return []
    found.sort(key=lambda path: (path.stem, SUFFIXES.index(path.suffix)))
    first: dict[str, Path] = {}
    for path in found:
        first.setdefault(path.stem, path)
    return list(first.values())
