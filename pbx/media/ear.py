"""
Listening for keys that are tones in the sound: while nothing else wants the sound, and while it is relayed as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.media.hearing import Hearing

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.media.session import RtpSession


class Ear:
    """
    Asks for the frames of a leg that sends its keys as tones, for they are found only in frames that somebody asks for.

    Where somebody else does, a mixer or a recording, it leaves them alone.
    """

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing
        self._known = hearing.frames

    @staticmethod
    def needed(session: RtpSession) -> bool:
        """
        Whether a leg's keys can only be tones: it has agreed to no telephone-event.
        """
        return not any(item.is_telephone_event for item in session.agreed.receive)

    def tick(self, now: float, frames: int) -> None:
        """
        Hear the frames that are due.
        """
        hearing = self._hearing
        if hearing.frames == self._known:
            for _ in range(frames):
                hearing.frame()
        self._known = hearing.frames


class ToneListener:
    """
    Tells the keys that are tones in what a session relays, which goes on its way untouched: a fax, for one, would not
    survive being decoded and encoded.
    """

    def __init__(self, session: RtpSession, on_digit: Callable[[str, float], object]) -> None:
        """
        Hear nothing before :meth:`start`.

        Args:
            session: Whose peer is heard.
            on_digit: Called once for each key: the key, and how long it was pressed in seconds.
        """
        self._hearing = Hearing(session, on_digit=on_digit, detect_inband=True)
        self._ear = Ear(self._hearing)

    def start(self) -> None:
        """
        Listen from now on, in place of whoever did.
        """
        self._hearing.start(relayed=True)
        self._hearing.session.pacer.start(self._ear)

    def stop(self) -> None:
        """
        Listen no more.
        """
        self._hearing.stop()
        self._hearing.session.pacer.stop(self._ear)
