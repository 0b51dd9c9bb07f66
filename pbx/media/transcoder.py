"""
One leg's voice in another leg's codec: what is heard of the one is said on the other, a frame a tick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pbx.audio.codec import WIDEBAND, known
from pbx.media.hearing import NARROWBAND, Hearing
from pbx.media.speaking import Speaking

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pbx.media.session import RtpSession
    from pbx.sdp.audio import Format

WIDE: Final = frozenset({"g722", "opus"})
"""Codecs that carry more than 4 kHz."""


class Transcoder:
    """
    One direction of a call between two codecs.

    Attributes:
        source: Who is heard.
        target: Who hears it.
        hearing: The ear on the one.
        speaking: The voice on the other.
    """

    def __init__(
        self,
        source: RtpSession,
        target: RtpSession,
        on_digit: Callable[[str, float], object] | None = None,
        *,
        detect_inband: bool = False,
    ) -> None:
        """
        Convert nothing before :meth:`start`.

        Args:
            source: Who is heard.
            target: Who hears it.
            on_digit: Called for each key that the source presses.
            detect_inband: Whether tones are keys too, where the source has no telephone events.
        """
        self.source, self.target = source, target
        # The lower of the two is all that gets through: nothing is gained by more on the way.
        rate = min(_rate(source.agreed.receive), _rate(target.agreed.send))
        self.hearing = Hearing(source, on_digit=on_digit, detect_inband=detect_inband, rate=rate)
        self.speaking = Speaking(target, rate)

    def start(self) -> None:
        """
        Convert from now on.
        """
        self.hearing.start()
        self.source.pacer.start(self)

    def stop(self) -> None:
        """
        Convert no more.
        """
        self.hearing.stop()
        self.source.pacer.stop(self)

    def tick(self, now: float, frames: int) -> None:
        """
        Pass on the frames that are due, once there are any.
        """
        if self.hearing.packets:
            for _ in range(frames):
                self.speaking.say(self.hearing.frame(), now)


def possible(source: RtpSession, target: RtpSession) -> bool:
    """
    Whether the codec that one session's peer prefers is known, and one that the other's understands.
    """
    preferred = source.agreed.codec
    return preferred is not None and known(preferred) and any(_sounds(target.agreed.send))


def _rate(formats: Sequence[Format]) -> int:
    first = next(iter(_sounds(formats)), None)
    return WIDEBAND if first is not None and first.codec in WIDE else NARROWBAND


def _sounds(formats: Sequence[Format]) -> list[Format]:
    return [item for item in formats if item.is_sound and known(item)]
