"""
Comfort noise: what a person hears while the other side holds, so that the line does not seem dead.
"""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

from pbx.audio.comfort_noise import frames_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pbx.media.outgoing import Outgoing
    from pbx.sdp.mapping import Agreed


class ComfortNoise:
    """
    A player of quiet noise into one outgoing stream.
    """

    def __init__(self, outgoing: Outgoing, payload_type: int, frames: Iterator[bytes]) -> None:
        self._outgoing = outgoing
        self._payload_type = payload_type
        self._frames = frames
        self._first = True

    @classmethod
    def into(cls, outgoing: Outgoing, agreed: Agreed) -> ComfortNoise | None:
        """
        A player in the first codec of a session that noise can be made in, ``None`` when there is none.
        """
        for candidate in agreed.send:
            frames = frames_of(candidate.codec) if candidate.clock == 8000 else ()
            if frames:
                return cls(outgoing, candidate.payload_type, cycle(frames))
        return None

    def tick(self, now: float, frames: int) -> None:
        """
        Send the frames that are due.
        """
        for _ in range(frames):
            self._outgoing.send_frame(self._payload_type, next(self._frames), now, first=self._first)
            self._first = False
