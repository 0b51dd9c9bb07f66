"""
How long somebody has been silent, told frame by frame: the end of a message, and what is cut off it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pbx.audio.activity import ABOVE_NOISE, LOUDEST_NOISE, QUIET, RISE

if TYPE_CHECKING:
    from pbx.audio.g711 import Samples

SPOKEN: Final = 3
"""Frames in a row above the noise that are speech: a click is shorter."""


class Pauses:
    """
    One voice, listened to for its pauses.

    Attributes:
        frames: How many frames it was given.
        spoken: How many of them there were until the end of the last speech, 0 when there was none.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.spoken = 0
        self._noise = LOUDEST_NOISE
        self._run = 0

    @property
    def silent(self) -> int:
        """
        For how many frames nobody has spoken.
        """
        return self.frames - self.spoken

    def hear(self, frame: Samples) -> None:
        """
        Take the next frame of 20 ms.
        """
        self.frames += 1
        sound = frame.astype(np.float32)
        power = float(np.dot(sound, sound)) / max(1, len(sound))
        if power >= 1.0:
            # A frame of zeros, as for a lost one, says nothing about the noise of the room.
            self._noise = min(power, self._noise * RISE, LOUDEST_NOISE)
        self._run = self._run + 1 if power > max(self._noise * ABOVE_NOISE, QUIET) else 0
        if self._run >= SPOKEN:
            self.spoken = self.frames
