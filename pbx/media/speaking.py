"""
What the exchange itself says on a leg: samples, or frames that are encoded already, one every 20 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pbx.audio.codec import encoder, known
from pbx.media.pacer import TICK

if TYPE_CHECKING:
    from pbx.audio.codec import Encoder
    from pbx.audio.g711 import Samples
    from pbx.media.session import RtpSession
    from pbx.sdp.audio import Format

PAUSE: Final = 6.5 * TICK
"""Seconds between two frames from which on the second begins a talk spurt: more than the pacer leaves between ticks."""

NARROWBAND: Final = 8_000
"""Samples a second while no codec is agreed that we know."""


class Speaking:
    """
    A voice of our own on a session, that goes on whatever is agreed anew.
    """

    def __init__(self, session: RtpSession, rate: int = 0) -> None:
        """
        Say nothing yet.

        Args:
            session: Where it is heard.
            rate: Samples a second wanted; heeded by Opus (8,000, 16,000, 48,000), other codecs have one rate.
        """
        self.session = session
        self._wanted = rate
        self._agreed: object = None
        self._format: Format | None = None
        self._encoder: Encoder | None = None
        self._last = float("-inf")

    @property
    def format(self) -> Format | None:
        """
        The format it speaks in: the first agreed one that we can make; ``None`` when there is none.
        """
        if self._agreed is not self.session.agreed:
            self._learn()
        return self._format

    @property
    def rate(self) -> int:
        """
        Samples a second of what :meth:`say` takes; it changes when another codec is agreed.
        """
        if self.format is None:
            return NARROWBAND
        return self._voice().rate

    def say(self, pcm: Samples, now: float) -> None:
        """
        Send 20 ms of sound; without an agreed codec that we know, nothing.

        Args:
            pcm: ``rate // 50`` samples.
            now: The time.
        """
        if self.format is not None and self.session.outgoing.destination is not None:
            self.say_frame(self._voice().encode(pcm), now)

    def say_frame(self, payload: bytes, now: float) -> None:
        """
        Send 20 ms of sound that is encoded in :attr:`format` already; an empty one leaves a pause.
        """
        spoken = self.format
        if spoken is None or not payload:
            return
        first = now - self._last > PAUSE
        self._last = now
        self.session.outgoing.send_frame(spoken.payload_type, payload, now, first=first)

    def _learn(self) -> None:
        self._agreed = self.session.agreed
        before = self._format
        self._format = next((item for item in self.session.agreed.send if item.is_sound and known(item)), None)
        if before is None or self._format is None or not before.matches(self._format):
            self._encoder = None

    def _voice(self) -> Encoder:
        # Made when the first sound is there: a leg that is only listened to needs none.
        if self._encoder is None:
            assert self._format is not None  # noqa: S101 - asked by both callers
            self._encoder = encoder(self._format, self._wanted)
            assert self._encoder is not None  # noqa: S101 - it is known
        return self._encoder
