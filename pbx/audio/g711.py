"""
G.711 (ITU-T G.711): µ-law and A-law, by tables made once.

One 8-bit code a sample, 8,000 samples a second. Linear samples are 16-bit: the 14 bits of µ-law and the 13 of
A-law stand at the top, as ITU-T G.191 has it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
"""Linear samples, full scale ±32,767."""

MULAW_SILENCE = 0xFF
"""The µ-law code of zero."""

ALAW_SILENCE = 0xD5
"""The A-law code nearest to zero; A-law has no zero."""


def _mulaw_levels() -> Samples:
    codes = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((codes & 0x0F) << 3) + 0x84) << (codes >> 4 & 7)) - 0x84
    return np.where(codes & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_levels() -> Samples:
    # ITU-T G.711 table 1: every other bit is inverted on the line.
    codes = np.arange(256, dtype=np.int32) ^ 0x55
    segment = codes >> 4 & 7
    step = ((codes & 0x0F) << 4) + 8
    magnitude = np.where(segment == 0, step, (step + 0x100) << np.maximum(segment - 1, 0))
    # The sign bit is set for positive values.
    return np.where(codes & 0x80, magnitude, -magnitude).astype(np.int16)


MULAW_LEVELS = _mulaw_levels()
"""The linear sample of each µ-law code, shape (256,)."""

ALAW_LEVELS = _alaw_levels()
"""The linear sample of each A-law code, shape (256,)."""


def _segment(magnitude: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    # The number of the highest bit set, counted from bit 7, where the second segment of both laws starts.
    return np.searchsorted(np.array([1 << bit for bit in range(8, 15)]), magnitude, side="right").astype(np.int32)


def _linear() -> npt.NDArray[np.int32]:
    # Every linear sample, indexed by itself taken as an unsigned number.
    return np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)


def _mulaw_codes() -> npt.NDArray[np.uint8]:
    # ITU-T G.711 table 2: 14 bits, a bias of 33, clipped at 8,158; the code is inverted on the line.
    linear = _linear() >> 2
    magnitude = (np.minimum(np.abs(linear), 8_158) + 33) << 2
    segment = _segment(magnitude)
    code = segment << 4 | (magnitude >> segment + 3 & 0x0F)
    codes: npt.NDArray[np.uint8] = np.where(linear < 0, code ^ 0x7F, code ^ 0xFF).astype(np.uint8)
    return codes


def _alaw_codes() -> npt.NDArray[np.uint8]:
    # ITU-T G.711 table 1: 13 bits; the intervals below zero mirror those above, so that -1 lies in the first.
    linear = _linear() >> 3
    magnitude = np.where(linear < 0, ~linear, linear) << 3
    segment = _segment(magnitude)
    code = segment << 4 | (magnitude >> np.maximum(segment, 1) + 3 & 0x0F)
    codes: npt.NDArray[np.uint8] = np.where(linear < 0, code ^ 0x55, code ^ 0xD5).astype(np.uint8)
    return codes


MULAW_CODES = _mulaw_codes()
"""The µ-law code of each linear sample taken as an unsigned number, shape (65536,)."""

ALAW_CODES = _alaw_codes()
"""The A-law code of each linear sample taken as an unsigned number, shape (65536,)."""

MULAW_TO_ALAW = ALAW_CODES[MULAW_LEVELS.view(np.uint16)].tobytes()
"""The A-law code of each µ-law code, for :meth:`bytes.translate`."""

ALAW_TO_MULAW = MULAW_CODES[ALAW_LEVELS.view(np.uint16)].tobytes()
"""The µ-law code of each A-law code, for :meth:`bytes.translate`."""


def mulaw_to_alaw(codes: bytes | bytearray) -> bytes | bytearray:
    """
    The same sound in A-law, code by code.
    """
    return codes.translate(MULAW_TO_ALAW)


def alaw_to_mulaw(codes: bytes | bytearray) -> bytes | bytearray:
    """
    The same sound in µ-law, code by code.
    """
    return codes.translate(ALAW_TO_MULAW)


def decode_mulaw(codes: bytes | bytearray | memoryview) -> Samples:
    """
    The linear samples of µ-law codes, one a code.
    """
    return MULAW_LEVELS[np.frombuffer(codes, np.uint8)]


def decode_alaw(codes: bytes | bytearray | memoryview) -> Samples:
    """
    The linear samples of A-law codes, one a code.
    """
    return ALAW_LEVELS[np.frombuffer(codes, np.uint8)]


def encode_mulaw(samples: Samples) -> bytes:
    """
    The µ-law codes of linear samples, one a sample.
    """
    return MULAW_CODES[samples.view(np.uint16)].tobytes()


def encode_alaw(samples: Samples) -> bytes:
    """
    The A-law codes of linear samples, one a sample.
    """
    return ALAW_CODES[samples.view(np.uint16)].tobytes()
