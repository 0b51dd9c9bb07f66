"""
A sound to be played: its samples, and its frames in each codec that somebody hears it in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pbx.audio import codec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.audio.codec import Coded, Encoder
    from pbx.audio.g711 import Samples

WIDE: Final = 16_000
"""Samples a second that every sound is kept at."""

NARROW: Final = 8_000
"""Samples a second of the telephone network; kept as well, for most phones hear sounds in G.711."""

FRAMES_PER_SECOND: Final = 50
"""Frames of 20 ms."""

MAX_ENCODED: Final = 6
"""Codecs that a sound is kept in: more than we know, but a caller's format parameters must not fill the memory."""


class Frames:
    """
    A sound in one codec: a row of frames of 20 ms, each encoded when it is asked for first.

    So a long piece of music costs nothing before it is heard, and each frame is encoded once, however many hear it.

    Attributes:
        encoded: The frames; ``None`` for one that nobody has heard yet.
    """

    __slots__ = ("_encoder", "_samples", "_step", "encoded", "octets")

    def __init__(self, sound: Sound, encoder: Encoder) -> None:
        self._encoder = encoder
        self._samples = sound.narrow if encoder.rate == NARROW else sound.pcm
        self._step = encoder.rate // FRAMES_PER_SECOND
        self.encoded: list[bytes | None] = [None] * sound.count
        self.octets = 0

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, index: int) -> bytes:
        """
        The frame at a place, encoded now if it was not yet.
        """
        frame = self.encoded[index]
        if frame is None:
            # The encoder keeps its state from whatever was asked for before: after a jump its first frames are as good
            # as those that anybody gets who begins to listen in the middle.
            step = self._step
            piece = self._samples[index % len(self.encoded) * step :][:step]
            if len(piece) < step:
                piece = np.concatenate([piece, np.zeros(step - len(piece), np.int16)])
            frame = self.encoded[index] = self._encoder.encode(piece)
            self.octets += len(frame)
        return frame


class Sound:
    """
    A prompt, a tone or a piece of music.

    Attributes:
        name: What it was asked for as, for the log.
        pcm: Linear samples at :data:`WIDE` a second.
        narrow: The same at :data:`NARROW` a second.
        count: How many frames of 20 ms it fills.
    """

    __slots__ = ("_frames", "count", "name", "narrow", "pcm")

    def __init__(self, pcm: Samples, narrow: Samples, name: str = "") -> None:
        self.name = name
        self.pcm = pcm
        self.narrow = narrow
        self.count = -(-len(pcm) * FRAMES_PER_SECOND // WIDE)
        self._frames: dict[tuple[str, int, int], Frames] = {}

    def __repr__(self) -> str:
        return f"<Sound {self.name} {self.seconds:.1f} s>"

    @property
    def seconds(self) -> float:
        """
        How long it is.
        """
        return len(self.pcm) / WIDE

    @property
    def size(self) -> int:
        """
        The memory it takes, in bytes, about.
        """
        frames = sum(8 * len(frames) + frames.octets for frames in self._frames.values())
        return self.pcm.nbytes + self.narrow.nbytes + frames

    def frames(self, wanted: Coded) -> Sequence[bytes]:
        """
        Its frames in a codec, 20 ms each; none in a codec that we don't know.
        """
        found = self.encoding(wanted)
        return () if found is None else found  # type: ignore[return-value]  # a row, all that players need of a sequence

    def encoding(self, wanted: Coded) -> Frames | None:
        """
        Its frames in a codec, the same object for everybody who hears it in that codec; ``None`` in an unknown one.
        """
        key = (wanted.codec, wanted.clock, wanted.channels)
        found = self._frames.get(key)
        if found is None:
            encoder = codec.encoder(wanted, WIDE)
            if encoder is None or encoder.rate not in (WIDE, NARROW):
                return None
            if len(self._frames) >= MAX_ENCODED:
                del self._frames[next(iter(self._frames))]
            found = self._frames[key] = Frames(self, encoder)
        return found


def silence(seconds: float = 0.0, name: str = "") -> Sound:
    """
    A sound that is not heard.
    """
    return Sound(np.zeros(round(seconds * WIDE), np.int16), np.zeros(round(seconds * NARROW), np.int16), name)
