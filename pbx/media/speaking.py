"""
What the exchange itself says on a leg: samples, or frames that are encoded already, one every 20 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pbx.audio.codec import encoder, known
from pbx.audio.resampling import Resampler
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
            rate: Samples a second of what is said, whatever is agreed: 8,000, 16,000 or 48,000; by default what the
                agreed codec has, 16,000 for Opus.
        """
        self.session = session
        self._wanted = rate
        self._agreed: object = None
        self._format: Format | None = None
        self._encoder: tuple[Encoder, Resampler | None] | None = None
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
        if self._wanted:
            return self._wanted
        return self._voice()[0].rate if self.format is not None else NARROWBAND

    def say(self, pcm: Samples, now: float) -> None:
        """
        Send 20 ms of sound; without an agreed codec that we know, nothing.

        Args:
            pcm: ``rate // 50`` samples.
            now: The time.
        """
        if self.format is not None and self.session.outgoing.destination is not None:
            voice, resampler = self._voice()
            self.say_frame(voice.encode(pcm if resampler is None else resampler.convert(pcm)), now)

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
        if self._format is not None:
            self.session.outgoing.clock_rate = self._format.clock
        if before is None or self._format is None or not before.matches(self._format):
            self._encoder = None

    def _voice(self) -> tuple[Encoder, Resampler | None]:
        # Made when the first sound is there: a leg that is only listened to needs none.
        if self._encoder is None:
            made = encoder(self._format, self._wanted) if self._format is not None else None
            if made is None:
                raise ValueError("no codec is agreed that is known")
            wanted = self._wanted
            self._encoder = made, Resampler(wanted, made.rate) if wanted and wanted != made.rate else None
        return self._encoder
