"""
What is said into a phone, and finding it in what another phone recorded.

Audio is checked as audio: the recording must hold the voice that was played, aligned and undistorted.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

RATE = 8000
"""Samples per second of everything here: what G.711 carries."""


@frozen
class Match:
    """
    How well a recording agrees with a voice.

    Attributes:
        score: the normalised cross-correlation at the best alignment, 0 to 1; the same voice unharmed is 1.
        position: where in the voice the recording begins, seconds.
        seconds: how much of the recording was compared.
    """

    score: float
    position: float
    seconds: float


def voice(seed: int, seconds: float = 20.0) -> NDArray[np.int16]:
    """
    A voice of its own for each seed: syllables of gliding tones between 300 and 3,400 Hz, no two alike.

    It never repeats, so that only one alignment fits, and never rests for long, so that any two seconds can be told.
    """
    random = np.random.default_rng(seed)
    pieces = []
    total = 0
    while total < seconds * RATE:
        length = int(random.uniform(0.08, 0.25) * RATE)
        start, end = random.uniform(300, 3400, 2)
        phase = 2 * np.pi * np.cumsum(np.linspace(start, end, length)) / RATE
        swell = np.sin(np.pi * np.arange(length) / length) ** 0.5
        pieces.append(np.sin(phase) * swell * random.uniform(0.4, 1.0))
        total += length
    samples = np.concatenate(pieces)[: int(seconds * RATE)]
    return (samples * 12000).astype(np.int16)


def write(path: Path, samples: NDArray[np.int16]) -> Path:
    """
    A mono WAV file of 16-bit samples at :data:`RATE`; gives the path back.
    """
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def read(path: Path) -> NDArray[np.int16]:
    """
    The samples of a WAV file of one channel at :data:`RATE`, also of one whose length was never written into its head.
    """
    content = path.read_bytes()
    start = content.find(b"data") + 8
    if content[:4] != b"RIFF" or start < 8:
        raise ValueError(f"{path} is no WAV file")
    channels, rate = int.from_bytes(content[22:24], "little"), int.from_bytes(content[24:28], "little")
    if (channels, rate) != (1, RATE):
        raise ValueError(f"{path} has {channels} channels at {rate} Hz")
    body = content[start:]
    return np.frombuffer(body[: len(body) // 2 * 2], dtype="<i2").astype(np.int16)


def find(recorded: NDArray[np.int16], said: NDArray[np.int16], window: float = 2.0) -> Match:
    """
    The best place in what was ``said`` for the liveliest ``window`` seconds of what was ``recorded``.

    A recording shorter than half the window, or without sound, scores 0.
    """
    piece = _liveliest(recorded, int(window * RATE)).astype(np.float64)
    piece -= piece.mean() if len(piece) else 0
    energy = float(np.sqrt((piece**2).sum()))
    length = len(piece)
    if length < window * RATE / 2 or energy < 50 * length**0.5:
        return Match(0.0, 0.0, length / RATE)
    whole = np.concatenate([np.zeros(length), said.astype(np.float64), np.zeros(length)])
    size = 1 << int(np.ceil(np.log2(len(whole) + length)))
    product = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(piece, size)), size)[: len(whole) - length]
    squares = np.concatenate([[0.0], np.cumsum(whole**2)])
    local = np.sqrt(np.maximum(squares[length:] - squares[:-length], 0.0))[: len(product)]
    floor = max(0.2 * float(local.max()), 1.0)
    scores = product / energy / np.maximum(local, floor)
    best = int(np.argmax(scores))
    return Match(float(scores[best]), (best - length) / RATE, length / RATE)


def _liveliest(samples: NDArray[np.int16], length: int) -> NDArray[np.int16]:
    if len(samples) <= length:
        return samples
    squares = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    energies = squares[length:] - squares[:-length]
    best = int(np.argmax(energies))
    return samples[best : best + length]
