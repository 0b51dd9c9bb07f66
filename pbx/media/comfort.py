"""
Comfort noise: what a person hears while the other side holds, so that the line does not seem dead.
"""

from __future__ import annotations

from functools import cache
from itertools import cycle
from typing import TYPE_CHECKING

from pbx.audio.codec import FRAMES_PER_SECOND, encoder, known
from pbx.audio.comfort_noise import RATE, frames_of, noise
from pbx.audio.resampling import resampled
from pbx.sdp.audio import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pbx.media.outgoing import Outgoing
    from pbx.sdp.mapping import Agreed


class ComfortNoise:
    """
    A player of quiet noise into one outgoing stream.
    """

    def __init__(self, outgoing: Outgoing, spoken: Format, frames: Iterator[bytes]) -> None:
        self._outgoing = outgoing
        self._spoken = spoken
        self._frames = frames
        self._first = True

    @classmethod
    def into(cls, outgoing: Outgoing, agreed: Agreed) -> ComfortNoise | None:
        """
        A player in the first codec of a session that noise can be made in, ``None`` when there is none.
        """
        spoken = next((item for item in agreed.send if item.is_sound and known(item)), None)
        if spoken is None:
            return None
        frames = frames_of(spoken.codec) or _encoded(spoken.name, spoken.clock, spoken.channels)
        return cls(outgoing, spoken, cycle(frames))

    def tick(self, now: float, frames: int) -> None:
        """
        Send the frames that are due.
        """
        self._outgoing.clock_rate = self._spoken.clock
        for _ in range(frames):
            self._outgoing.send_frame(self._spoken.payload_type, next(self._frames), now, first=self._first)
            self._first = False


@cache  # One entry a codec.
def _encoded(name: str, clock: int, channels: int) -> tuple[bytes, ...]:
    speaker = encoder(Format(0, name, clock, channels))
    if speaker is None:
        return ()
    sound = resampled(noise(), RATE, speaker.rate)
    return tuple([speaker.encode(part) for part in sound.reshape(-1, speaker.rate // FRAMES_PER_SECOND)])
