"""
Listening for keys that are tones in the sound, while nothing else wants the sound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pbx.media.hearing import Hearing


class Ear:
    """
    Asks for the frames of a leg that sends its keys as tones, for they are found only in frames that somebody asks for.

    Where somebody else does, a mixer or a recording, it leaves them alone.
    """

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing
        self._known = hearing.frames

    @staticmethod
    def needed(hearing: Hearing) -> bool:
        """
        Whether a leg's keys can only be tones: it has agreed to no telephone-event.
        """
        return not any(item.is_telephone_event for item in hearing.session.agreed.receive)

    def tick(self, now: float, frames: int) -> None:
        """
        Hear the frames that are due.
        """
        hearing = self._hearing
        if hearing.frames == self._known:
            for _ in range(frames):
                hearing.frame()
        self._known = hearing.frames
