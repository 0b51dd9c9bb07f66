"""
What a leg says, as samples: one frame of 20 ms at every tick, whatever the network does.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from pbx.audio.codec import decoder
from pbx.rtp.telephone_event import TelephoneEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.audio.codec import Decoder
    from pbx.audio.g711 import Samples
    from pbx.media.session import RtpSession
    from pbx.sdp.audio import Format

NARROWBAND: Final = 8_000


class Hearing:
    """
    Listens to a session.
    """

    def __init__(
        self,
        session: RtpSession,
        *,
        on_digit: Callable[[str, float], object] | None = None,
        detect_inband: bool = False,
        rate: int = 0,
    ) -> None:
        """
        Hear nothing before :meth:`start`.

        Args:
            session: Whose peer is heard.
            on_digit: Called once for each key: the key, and how long it was pressed in seconds.
            detect_inband: Whether tones in the sound are keys too, where telephone-event was not agreed.
            rate: Samples a second wanted; heeded by Opus (8,000, 16,000, 48,000), other codecs have one rate.
        """
        self.session = session
        self.on_digit = on_digit
        self._wanted = rate
        self._agreed: object = None
        self._formats: dict[int, Format] = {}
        self._decoders: dict[int, Decoder] = {}
        self._rate = NARROWBAND
        self._pending: deque[Samples] = deque(maxlen=10)
        self._event = -1

    @property
    def rate(self) -> int:
        """
        Samples a second of :meth:`frame`; it changes when another codec is agreed.
        """
        if self._agreed is not self.session.agreed:
            self._learn()
        return self._rate

    def start(self) -> None:
        """
        Listen from now on.
        """
        self.session.listen(self)

    def stop(self) -> None:
        """
        Listen no more.
        """
        if self.session.listener is self:
            self.session.listen(None)

    def frame(self) -> Samples:
        """
        The next 20 ms, to be asked for at every tick; zeros when there is nothing.
        """
        size = self.rate // 50
        if self._pending:
            return self._pending.popleft()
        return np.zeros(size, np.int16)

    def heard(
        self, payload_type: int, marker: bool, sequence: int, timestamp: int, payload: bytes, now: float
    ) -> None:
        """
        Take a packet.
        """
        size = self.rate // 50
        found = self._formats.get(payload_type)
        if found is not None and found.is_telephone_event:
            event = TelephoneEvent.parse(payload)
            if event.end and timestamp != self._event and event.digit is not None and self.on_digit is not None:
                self._event = timestamp
                self.on_digit(event.digit, event.duration / found.clock)
            return
        voice = self._decoders.get(payload_type)
        if voice is None:
            return
        try:
            sound = voice.decode(payload)
        except ValueError:
            return
        self._pending.extend(sound[start : start + size] for start in range(0, len(sound) - size + 1, size))

    def _learn(self) -> None:
        self._agreed = self.session.agreed
        receive = self.session.agreed.receive
        self._formats = {item.payload_type: item for item in receive}
        found = {item.payload_type: decoder(item, self._wanted) for item in receive if item.is_sound}
        self._decoders = {number: voice for number, voice in found.items() if voice is not None}
        self._pending.clear()
        self._rate = next((voice.rate for voice in self._decoders.values()), NARROWBAND)
