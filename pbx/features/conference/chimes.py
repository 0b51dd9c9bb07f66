"""
The two chimes of a conference: up when somebody comes, down when somebody goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from attrs import frozen

from pbx.media.room_sound import RATE

if TYPE_CHECKING:
    from pbx.audio.g711 import Samples

LOW: Final = 440.0
HIGH: Final = 587.0
"""The two notes in Hz, a fourth: heard over speech, and not mistaken for a tone of the telephone network."""

NOTE: Final = 0.14
"""Seconds of a note."""

LEVEL: Final = 3_000.0
"""Its amplitude: some 20 dB below full scale, softer than speech."""


@frozen(eq=False)
class Chime:
    """
    A short sound.

    Attributes:
        pcm: Its samples, 16,000 a second.
    """

    pcm: Samples


def _chime(*notes: float) -> Chime:
    times = np.arange(int(NOTE * RATE)) / RATE
    # Each note swells in 10 ms and dies away like a bell.
    shape = np.minimum(times / 0.01, 1.0) * np.exp(-times / 0.06)
    line = [LEVEL * shape * np.sin(2 * np.pi * note * times) for note in notes]
    return Chime(np.concatenate(line).astype(np.int16))


COMES: Final = _chime(LOW, HIGH)
"""Somebody comes."""

GOES: Final = _chime(HIGH, LOW)
"""Somebody goes."""
