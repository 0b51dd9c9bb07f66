"""
Sounds that are played into a room: announcements, one after another, and music in a circle.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from pbx.media.pacer import TICK

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.audio.g711 import Samples

RATE: Final = 16_000
"""Samples a second of every sound."""

SAMPLES: Final = int(RATE * TICK)
"""Samples a frame."""

MAX_WAITING: Final = 10.0
"""Seconds of announcements that wait in one room before no more are taken: who wants to hear who came a minute ago?"""

NOTHING: Final[Samples] = np.zeros(SAMPLES, np.int16)


class PlayedSound(Protocol):
    """
    A sound of the library.
    """

    @property
    def pcm(self) -> Samples:
        """
        Its samples, 16,000 a second.
        """


class Announcements:
    """
    What is announced in a room, one after another.
    """

    def __init__(self, on_idle: Callable[[], object]) -> None:
        """
        Nothing is announced yet.

        Args:
            on_idle: Called when there is no more to be announced.
        """
        self.rate = RATE
        self._on_idle = on_idle
        self._waiting: deque[tuple[Samples, Callable[[], object] | None]] = deque()
        self._position = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, *sounds: PlayedSound, on_end: Callable[[], object] | None = None) -> bool:
        """
        Announce sounds after those that wait already.

        Args:
            sounds: What is announced, one after the other.
            on_end: Called when all of it was heard.

        Returns:
            Whether it will be: not when too much waits.
        """
        if sum(pcm.size for pcm, _ in self._waiting) - self._position > MAX_WAITING * RATE:
            return False
        last = len(sounds) - 1
        self._waiting.extend((sound.pcm, on_end if number == last else None) for number, sound in enumerate(sounds))
        return True

    def frame(self) -> Samples:
        """
        The next 20 ms.
        """
        if not self._waiting:
            return NOTHING
        pcm, on_end = self._waiting[0]
        frame = pcm[self._position : self._position + SAMPLES]
        self._position += SAMPLES
        if self._position >= pcm.size:
            self._waiting.popleft()
            self._position = 0
            if not self._waiting:
                self._on_idle()
            if on_end is not None:
                on_end()
        return _whole(frame)


class Music:
    """
    A sound that begins again when it has ended.
    """

    def __init__(self, sound: PlayedSound) -> None:
        self.rate = RATE
        self._pcm = sound.pcm
        self._position = 0

    def frame(self) -> Samples:
        """
        The next 20 ms.
        """
        frame = self._pcm[self._position : self._position + SAMPLES]
        self._position += SAMPLES
        if self._position >= self._pcm.size:
            self._position = 0
        return _whole(frame)


def _whole(frame: Samples) -> Samples:
    if frame.size == SAMPLES:
        return frame
    return np.concatenate((frame, NOTHING[frame.size :]))
