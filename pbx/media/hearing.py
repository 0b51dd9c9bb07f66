"""
What a leg says, as samples: one frame of 20 ms at every tick, whatever the network does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pbx.audio.codec import FRAMES_PER_SECOND, decoder, known
from pbx.audio.comfort_noise import LEVEL, noise
from pbx.audio.concealment import Concealer, lengthened, shortened
from pbx.audio.keypad import InbandKeys
from pbx.audio.resampling import Resampler, resampled
from pbx.media.dtmf import KeyReceiver
from pbx.media.jitter import JitterBuffer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.audio.codec import Decoder
    from pbx.audio.g711 import Samples
    from pbx.media.session import RtpSession
    from pbx.sdp.audio import Format

NARROWBAND: Final = 8_000
"""Samples a second while no codec is agreed that we know."""

COMFORT_NOISE: Final = 13
"""The payload type of comfort noise beside codecs of 8,000 Hz, which some phones send unasked (RFC 3389 4)."""

ADJUSTED: Final = 5
"""Frames from one look at the delay to the next: a pitch period in so many is not noticed."""

URGENT: Final = 0.06
"""Seconds of delay too many, from which on sound is left out even where it is noticed."""

AT_ONCE: Final = 0.035
"""Seconds of sound in which a period can be left out or repeated."""


class Hearing:
    """
    An ear on a session: puts its packets in order, waits no longer for them than is needed, and makes up what is lost.

    Attributes:
        session: Whose peer is heard.
        on_digit: Called once for each key: the key, and how long it was pressed in seconds.
        detect_inband: Whether tones in the sound are keys too, where telephone-event was not agreed.
        packets: Packets of sound that came.
        frames: Frames that were asked for.
        concealed: Frames, or parts of them, for which something was made up while the peer was speaking.
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
            rate: Samples a second of every frame, whatever is agreed: 8,000, 16,000 or 48,000; by default what the
                agreed codec has, 16,000 for Opus.
        """
        self.session = session
        self.on_digit = on_digit
        self.detect_inband = detect_inband
        self.packets = self.frames = self.concealed = 0
        self._keys = KeyReceiver(session.clock, self._key)
        self._inband: InbandKeys | None = None
        self._wanted = rate
        self._agreed: object = None
        self._formats: dict[int, Format] = {}
        self._voices: dict[int, tuple[Decoder, Resampler | None]] = {}
        self._rate = rate or NARROWBAND
        self._ssrc = -1
        self._wanted_us = False
        self._noise: Samples | None = None
        self._ready: Samples = np.zeros(0, np.int16)
        self._concealer = Concealer(self._rate)
        self._buffer = JitterBuffer(NARROWBAND)

    @property
    def rate(self) -> int:
        """
        Samples a second of :meth:`frame`; unless one was asked for, it changes when another codec is agreed.
        """
        if self._agreed is not self.session.agreed:
            self._learn()
        return self._rate

    @property
    def delay(self) -> float:
        """
        Seconds for which packets are held back now.
        """
        return self._buffer.target

    def start(self, *, relayed: bool = False) -> None:
        """
        Listen from now on, in place of whoever did.

        Args:
            relayed: Whether what is relayed to somebody is heard, too.
        """
        self.session.listen(self, relayed=relayed)

    def stop(self) -> None:
        """
        Listen no more.
        """
        self._keys.stop()
        if self.session.listener is self:
            self.session.listen(None)

    def heard(
        self, payload_type: int, marker: bool, sequence: int, timestamp: int, payload: bytes, now: float
    ) -> None:
        """
        Take a packet, as the session hands it over.
        """
        if self._agreed is not self.session.agreed:
            self._learn()
        if self._ssrc != self.session.incoming.ssrc:
            # Another stream: nothing of the one before says anything about its numbers.
            self._ssrc = self.session.incoming.ssrc
            self._voices.clear()
            self._buffer.restart()
            self._keys.restart()
        found = self._formats.get(payload_type)
        if found is None:
            if payload_type == COMFORT_NOISE:
                self._buffer.put(timestamp, payload_type, payload, now)
            return
        if found.is_telephone_event:
            self._keys.heard(timestamp, payload, found.clock)
            return
        if self._held():
            return
        self.packets += 1
        if found.clock != self._buffer.clock:
            self._buffer = JitterBuffer(found.clock)
        self._buffer.put(timestamp, payload_type, payload, now)

    def _held(self) -> bool:
        """
        Whether the peer has put us on hold: then it is its music that comes. One that never wanted to hear anything,
        such as a microphone, does not hold.
        """
        if self.session.direction == "recvonly":
            return self._wanted_us
        self._wanted_us = True
        return False

    def frame(self) -> Samples:
        """
        The next 20 ms, to be asked for at every tick; zeros when there is nothing.
        """
        rate = self.rate
        size = rate // FRAMES_PER_SECOND
        now = self.session.clock.seconds()
        while len(self._ready) < size:
            if not self._decode_next(now):
                self._make_up(size - len(self._ready))
        self.frames += 1
        if self.frames % ADJUSTED == 0:
            self._adjust(now)
        ready = self._ready
        frame, self._ready = ready[:size], ready[size:]
        if self._inband is not None:
            self._inband.heard(frame)
        return frame

    def _learn(self) -> None:
        agreed = self._agreed = self.session.agreed
        self._formats = {
            item.payload_type: item for item in agreed.receive if item.is_telephone_event or known(item)
        }
        self._voices.clear()
        sounds = [item for item in self._formats.values() if item.is_sound]
        before = self._rate
        if not self._wanted and sounds:
            voice = decoder(sounds[0])
            self._rate = voice.rate if voice is not None else NARROWBAND
        if self._rate != before:
            self._concealer = Concealer(self._rate)
            self._ready = resampled(self._ready, before, self._rate)
            self._noise = None
        inband = self.detect_inband and not any(item.is_telephone_event for item in self._formats.values())
        self._inband = InbandKeys(self._rate, self._key) if inband else None
        if sounds and sounds[0].clock != self._buffer.clock:
            self._buffer = JitterBuffer(sounds[0].clock)

    def _decode_next(self, now: float) -> bool:
        """
        Get ready what the next packet holds; whether there was one.
        """
        entry = self._buffer.take(now, len(self._ready) / self._rate)
        if entry is None:
            return False
        if entry.payload_type not in self._formats:
            self._set_noise(entry.payload)
            return False
        decode, resampler = self._voice(entry.payload_type)
        try:
            sound = decode(entry.payload)
        except ValueError:
            # As good as lost.
            return False
        if resampler is not None:
            sound = resampler.convert(sound)
        self._noise = None
        self._buffer.played(len(sound) / self._rate)
        if not len(sound):
            return False
        sound = self._concealer.heard(sound, joined=entry.joined)
        self._ready = np.concatenate((self._ready, sound)) if len(self._ready) else sound
        return True

    def _voice(self, payload_type: int) -> tuple[Callable[[bytes], Samples], Resampler | None]:
        found = self._voices.get(payload_type)
        if found is None:
            made = decoder(self._formats[payload_type], self._rate)
            if made is None:
                raise ValueError("no codec that is known")
            found = made, Resampler(made.rate, self._rate) if made.rate != self._rate else None
            self._voices[payload_type] = found
        return found[0].decode, found[1]

    def _make_up(self, count: int) -> None:
        self._buffer.concealed(count / self._rate)
        if self._noise is not None:
            start = self.frames * (self._rate // FRAMES_PER_SECOND) % (len(self._noise) - count)
            sound = self._noise[start : start + count]
        else:
            sound = self._concealer.conceal(count)
            self.concealed += bool(sound.any())
        self._ready = np.concatenate((self._ready, sound)) if len(self._ready) else sound

    def _set_noise(self, payload: bytes) -> None:
        # RFC 3389 3.1: the first byte is the level below 0 dBov; the spectrum after it is not followed.
        self._buffer.played(0.0)
        level = -float(payload[0] & 0x7F) if payload else LEVEL
        sound = resampled(noise(), NARROWBAND, self._rate)
        self._noise = np.rint(sound * min(10.0 ** ((level - LEVEL) / 20), 30.0)).clip(-32_768, 32_767).astype(np.int16)

    def _adjust(self, now: float) -> None:
        """
        Leave out or repeat a pitch period, where the delay is not what it is meant to be.
        """
        if self._concealer.concealing:
            return
        surplus = self._buffer.surplus(now, len(self._ready) / self._rate)
        if not surplus:
            return
        while len(self._ready) < AT_ONCE * self._rate:
            if not self._decode_next(now):
                return
        if surplus > 0:
            self._ready = shortened(self._ready, self._rate, anyway=surplus > URGENT)
        else:
            self._ready = lengthened(self._ready, self._rate)

    def _key(self, digit: str, seconds: float) -> None:
        if self.on_digit is not None:
            self.on_digit(digit, seconds)
