"""
Sounds played to one leg, frame by frame, by the pacer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.media.pacer import TICK
from pbx.media.sound import Sound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pbx.media.session import RtpSession
    from pbx.media.sound import Frames
    from pbx.sdp.mapping import Agreed

NO_PAYLOAD_TYPE = -1


class Player:
    """
    One sound, or several one after the other without a gap, into one session.

    It follows when the session is configured anew, also to another codec. To a peer whose codecs we don't know nothing
    is sent, and the sound takes its time all the same.

    Attributes:
        session: Who hears it.
        playing: Whether it was started and has not come to its end.
        paused: Whether it waits.
    """

    __slots__ = (
        "_agreed",
        "_encoded",
        "_first",
        "_index",
        "_loop",
        "_on_end",
        "_payload_type",
        "_place",
        "_sounds",
        "paused",
        "playing",
        "session",
    )

    def __init__(
        self,
        session: RtpSession,
        sounds: Sound | Sequence[Sound],
        *,
        loop: bool = False,
        on_end: Callable[[], object] | None = None,
    ) -> None:
        """
        Hold what to play; :meth:`start` plays it.

        Args:
            session: Who is to hear it.
            sounds: What is played, one after the other.
            loop: Begin again at the end, until stopped.
            on_end: Called once when it was played to the end; not when stopped.
        """
        self.session = session
        self.playing = False
        self.paused = False
        self._sounds = [sounds] if isinstance(sounds, Sound) else list(sounds)
        self._loop = loop and any(sound.count for sound in self._sounds)
        self._on_end = on_end
        self._index = 0
        self._place = 0
        self._first = True
        self._agreed: Agreed | None = None
        self._payload_type = NO_PAYLOAD_TYPE
        self._encoded: list[Frames | None] = []

    @property
    def seconds(self) -> float:
        """
        How long all of it is.
        """
        return sum(sound.count for sound in self._sounds) * TICK

    @property
    def position(self) -> float:
        """
        How many seconds of it were played, since its beginning or since it last began again.
        """
        return (sum(sound.count for sound in self._sounds[: self._index]) + self._place) * TICK

    def start(self) -> None:
        """
        Play from now on, beginning with the next tick.
        """
        if not self.playing:
            self.playing = True
            self.session.pacer.start(self)

    def stop(self) -> None:
        """
        Play no more; the end is not called.
        """
        self.playing = False
        self.session.pacer.stop(self)

    def pause(self) -> None:
        """
        Send nothing until :meth:`resume`.
        """
        self.paused = True

    def resume(self) -> None:
        """
        Go on where it was paused.
        """
        self.paused = False

    def skip(self, seconds: float) -> None:
        """
        Go forward, or back when negative; not beyond the beginning or the end.
        """
        frame = max(0, round((self.position + seconds) / TICK))
        self._index = 0
        for sound in self._sounds:
            if frame < sound.count:
                break
            frame -= sound.count
            self._index += 1
        self._place = frame if self._index < len(self._sounds) else 0
        self._first = True

    def tick(self, now: float, frames: int) -> None:
        """
        Send the frames that are due.
        """
        if not self.playing:
            # Stopped by another player of the same tick.
            return
        if self.paused:
            self._first = True
            return
        if self.session.agreed is not self._agreed:
            self._follow()
        for _ in range(frames):
            if not self._ready():
                return
            encoded = self._encoded[self._index]
            payload = encoded[self._place] if encoded is not None else b""
            if payload:
                self.session.outgoing.send_frame(self._payload_type, payload, now, first=self._first)
                self._first = False
            self._place += 1

    def _ready(self) -> bool:
        """
        Go to the next frame there is; whether there is one.
        """
        while self._index < len(self._sounds):
            if self._place < self._sounds[self._index].count:
                return True
            self._index, self._place = self._index + 1, 0
            if self._loop and self._index == len(self._sounds):
                self._index = 0
        # At the tick after the last frame: that frame has been heard out by now.
        self.stop()
        if self._on_end is not None:
            self._on_end()
        return False

    def _follow(self) -> None:
        self._agreed = self.session.agreed
        self._payload_type = NO_PAYLOAD_TYPE
        self._encoded = [None] * len(self._sounds)
        self._first = True
        for candidate in self._agreed.send:
            if candidate.is_sound and all(sound.encoding(candidate) is not None for sound in self._sounds):
                self._payload_type = candidate.payload_type
                self._encoded = [sound.encoding(candidate) for sound in self._sounds]
                return
