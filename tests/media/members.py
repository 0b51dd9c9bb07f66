"""
People for tests of the mixer: each says a tone, and keeps what it hears.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from twisted.internet.task import Clock

from pbx.audio.g711 import Samples, decode_alaw, decode_mulaw, encode_alaw, encode_mulaw
from pbx.media.mixer import Mixer
from pbx.media.pacer import TICK, Pacer
from pbx.media.room import IEncoder, Member
from pbx.sdp.audio import Format

PCMU = Format(0, "PCMU")
PCMA = Format(8, "PCMA")
WIDE = Format(96, "L16", 16_000)


@attrs.define
class FakeEncoder:
    """
    An encoder that counts its frames.
    """

    codec: str
    frames: int = 0

    def encode(self, pcm: Samples) -> bytes:
        """
        The payload.
        """
        self.frames += 1
        return {"pcmu": encode_mulaw, "pcma": encode_alaw, "l16": lambda samples: samples.tobytes()}[self.codec](pcm)


class Person:
    """
    Both the hearing and the speaking of somebody.

    Attributes:
        tones: The frequencies it says, in Hz.
        said: All that it was let hear, in samples.
        own: Frames that were encoded for it alone.
    """

    def __init__(self, *tones: float, form: Format = PCMU, level: float = 4000.0) -> None:
        self.tones = tones
        self.level = level
        self.format: Format | None = form
        self.said: list[Samples] = []
        self.own = 0
        self._time = 0.0

    @property
    def rate(self) -> int:
        """
        Of both directions.
        """
        return 8_000 if self.format is None else self.format.clock

    def frame(self) -> Samples:
        """
        The next 20 ms of its tones.
        """
        times = self._time + np.arange(int(self.rate * TICK)) / self.rate
        self._time += TICK
        line = sum((np.sin(2 * np.pi * tone * times) for tone in self.tones), np.zeros(times.size))
        return (self.level * line).astype(np.int16)

    def say(self, pcm: Samples, now: float) -> None:
        """
        Hear something of its own.
        """
        assert pcm.dtype == np.int16
        assert pcm.size == int(self.rate * TICK)
        self.own += 1
        self.said.append(pcm)

    def say_frame(self, payload: bytes, now: float) -> None:
        """
        Hear what others hear as well.
        """
        assert self.format is not None
        decode = {"pcmu": decode_mulaw, "pcma": decode_alaw, "l16": lambda data: np.frombuffer(data, np.int16)}
        self.said.append(decode[self.format.codec](payload))

    def heard(self, *frequencies: float, seconds: float = 0.4) -> list[int]:
        """
        How loud it heard some tones at last, as the amplitude of each in hundreds.
        """
        return amplitudes(self.said, self.rate, frequencies, seconds)


def amplitudes(frames: Sequence[Samples], rate: int, frequencies: Sequence[float], seconds: float = 0.4) -> list[int]:
    """
    How loud some tones are at the end of a sound, as the amplitude of each in hundreds.
    """
    line = np.concatenate(frames)[-int(rate * seconds) :].astype(float)
    times = np.arange(line.size) / rate
    return [round(2 * abs(np.mean(line * np.exp(-2j * np.pi * frequency * times))) / 100) for frequency in frequencies]


@attrs.define(eq=False)
class Tape:
    """
    A recorder that keeps all.
    """

    rate: int = 8_000
    kept: list[Samples] = attrs.field(factory=list)

    def write(self, pcm: Samples) -> None:
        """
        Keep it.
        """
        self.kept.append(pcm.copy())


@attrs.frozen
class FakeSound:
    """
    A sound of the library.
    """

    pcm: Samples

    @classmethod
    def tone(cls, frequency: float, seconds: float) -> FakeSound:
        """
        A tone.
        """
        times = np.arange(int(16_000 * seconds)) / 16_000
        return cls((4000 * np.sin(2 * np.pi * frequency * times)).astype(np.int16))


class Hall:
    """
    A mixer on a clock of its own.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.pacer = Pacer(self.clock)
        self.encoders: list[FakeEncoder] = []
        self.mixer = Mixer(self.pacer, self._encoder)

    def _encoder(self, form: Format, rate: int) -> IEncoder | None:
        if form.codec not in {"pcmu", "pcma", "l16"}:
            return None
        self.encoders.append(FakeEncoder(form.codec))
        return self.encoders[-1]

    def join(self, person: Person, room: str = "8000") -> Member:
        """
        Let somebody in.
        """
        return self.mixer.join(room, person, person)

    def wait(self, seconds: float) -> None:
        """
        Let time go by.
        """
        for _ in range(round(seconds / TICK)):
            self.clock.advance(TICK)
