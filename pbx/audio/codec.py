"""
The codecs that we can speak and understand: bytes of a packet to samples and back.

G.711 by tables; G.722 and Opus by PyAV (the extra ``codecs``), which is loaded when the first of them is needed.
Without it they are not known, and are not offered.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from pbx.audio.g711 import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw
from pbx.audio.resampling import Resampler

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.audio.g711 import Samples

FRAMES_PER_SECOND: Final = 50
"""Frames of 20 ms a second."""

WIDEBAND: Final = 16_000
"""Samples a second of G.722, and the rate at which Opus is spoken and understood where no other is asked for."""

OPUS_CLOCK: Final = 48_000
"""Samples a second that Opus decodes to, and its timestamp clock (RFC 7587 4.1)."""

OPUS_RATES: Final = (8_000, 16_000, 24_000, 48_000)
"""Samples a second that Opus can be made of, and that it can be had in."""

OPUS_BITS: Final = {8_000: 16_000, 16_000: 24_000, 24_000: 28_000, 48_000: 32_000}
"""Bits a second by sample rate: the middle of RFC 7587 3.1.1 for speech in one channel."""

LONGEST_PACKET: Final = 1_500
"""Bytes of a packet that are decoded at most: 120 ms of Opus at its highest rate are shorter."""


class Coded(Protocol):
    """
    What must be known of a format: :class:`pbx.sdp.audio.Format` is one.
    """

    @property
    def codec(self) -> str:
        """
        The encoding's name in lower case.
        """

    @property
    def clock(self) -> int:
        """
        The clock rate of the RTP timestamp in Hz.
        """

    @property
    def channels(self) -> int:
        """
        As SDP has it: 2 for Opus, whatever is in it.
        """


class Encoder(Protocol):
    """
    Samples to packets of one stream.
    """

    @property
    def rate(self) -> int:
        """
        Samples a second of what goes in.
        """

    def encode(self, pcm: Samples) -> bytes:
        """
        The payload of the next 20 ms.

        Args:
            pcm: ``rate // 50`` samples.
        """


class Decoder(Protocol):
    """
    Packets of one stream to samples.
    """

    @property
    def rate(self) -> int:
        """
        Samples a second of what comes out.
        """

    def decode(self, payload: bytes) -> Samples:
        """
        The sound of the next packet, however long it is.

        Raises:
            ValueError: This is nothing that the codec makes.
        """


def encoder(format: Coded, rate: int = 0) -> Encoder | None:
    """
    An encoder for one stream in a format, ``None`` when the codec is not known.

    Args:
        format: The format.
        rate: Samples a second wanted; heeded where the codec can be made of several rates, as Opus can.
    """
    shared = _SHARED.get(_key(format))
    if shared is not None:
        return shared
    if not known(format):
        return None
    return G722Encoder() if format.codec == "g722" else OpusEncoder(rate if rate in OPUS_RATES else WIDEBAND)


def decoder(format: Coded, rate: int = 0) -> Decoder | None:
    """
    A decoder for one stream in a format, ``None`` when the codec is not known.

    Args:
        format: The format.
        rate: Samples a second wanted; heeded where the codec can be had in several rates, as Opus can.
    """
    shared = _SHARED.get(_key(format))
    if shared is not None:
        return shared
    if not known(format):
        return None
    return G722Decoder() if format.codec == "g722" else OpusDecoder(rate if rate in OPUS_RATES else WIDEBAND)


def known(format: Coded) -> bool:
    """
    Whether a format can be spoken and understood.
    """
    key = _key(format)
    return key in _SHARED or (key in _BY_PYAV and available())


def spoken(name: str) -> bool:
    """
    Whether what is made and read here can be of a codec.

    Args:
        name: The encoding's name, in any case.
    """
    wanted = name.lower()
    return any(codec == wanted for codec, _, _ in (_SHARED.keys() | _BY_PYAV if available() else _SHARED))


@cache  # One answer for the life of the process.
def available() -> bool:
    """
    Whether PyAV is installed.
    """
    return find_spec("av") is not None


class Tabled:
    """
    A codec of one byte a sample that remembers nothing, for any number of streams at once.
    """

    rate = 8_000

    def __init__(self, encode: Callable[[Samples], bytes], decode: Callable[[bytes], Samples]) -> None:
        self.encode = encode
        self.decode = decode


_SHARED: Final = {
    ("pcmu", 8_000, 1): Tabled(encode_mulaw, decode_mulaw),
    ("pcma", 8_000, 1): Tabled(encode_alaw, decode_alaw),
}

_BY_PYAV: Final = {("g722", 8_000, 1), ("opus", OPUS_CLOCK, 2)}


def _key(format: Coded) -> tuple[str, int, int]:
    return format.codec, format.clock, format.channels


class _PyavEncoder:
    def __init__(self, name: str, rate: int, options: dict[str, str]) -> None:
        import av

        context: Any = av.CodecContext.create(name, "w")
        context.sample_rate = rate
        context.layout = "mono"
        context.format = "s16"
        context.options = options
        context.open()
        self.rate = rate
        self._samples = rate // FRAMES_PER_SECOND
        self._encode = context.encode
        self._frame: Any = av.AudioFrame(format="s16", layout="mono", samples=self._samples)
        self._frame.sample_rate = rate
        self._position = 0

    def encode(self, pcm: Samples) -> bytes:
        """
        The payload of the next 20 ms.
        """
        if len(pcm) != self._samples:
            raise ValueError(f"{len(pcm)} samples are no frame of 20 ms at {self.rate} a second")
        frame = self._frame
        # The encoder may keep a frame for as long as it wants: one that it still holds is not written over.
        frame.make_writable()
        frame.planes[0].update(np.ascontiguousarray(pcm, np.int16))
        frame.pts = self._position
        self._position += self._samples
        return b"".join([bytes(packet) for packet in self._encode(frame)])


class G722Encoder(_PyavEncoder):
    """
    ITU-T G.722 at 64 kbit/s: 16,000 samples a second, 160 bytes a frame.
    """

    def __init__(self) -> None:
        super().__init__("g722", WIDEBAND, {})


class OpusEncoder(_PyavEncoder):
    """
    Opus for speech (RFC 6716, RFC 7587), mono, with what restores a lost packet in the next one.
    """

    def __init__(self, rate: int = WIDEBAND) -> None:
        options = {
            "application": "voip",
            "b": str(OPUS_BITS[rate]),
            "frame_duration": "20",
            "fec": "1",
            "packet_loss": "5",
            "compression_level": "5",
        }
        super().__init__("libopus", rate, options)


class _PyavDecoder:
    def __init__(self, name: str, rate: int) -> None:
        import av

        context: Any = av.CodecContext.create(name, "r")
        context.sample_rate = rate
        context.layout = "mono"
        self.rate = rate
        self._packet: Any = av.Packet
        self._decode = context.decode
        self._error: Any = av.error.FFmpegError

    def decode(self, payload: bytes) -> Samples:
        """
        The sound of the next packet.
        """
        if not payload or len(payload) > LONGEST_PACKET:
            raise ValueError("a packet of no length, or too long")
        try:
            frames = self._decode(self._packet(payload))
        except self._error as error:
            raise ValueError(str(error)) from error
        pieces = [np.frombuffer(frame.planes[0], np.int16, frame.samples) for frame in frames]
        if not pieces:
            raise ValueError("a packet without sound")
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


class G722Decoder(_PyavDecoder):
    """
    ITU-T G.722 at 64 kbit/s.
    """

    def __init__(self) -> None:
        super().__init__("g722", WIDEBAND)


class OpusDecoder(_PyavDecoder):
    """
    Opus to mono, at any of its rates.
    """

    def __init__(self, rate: int = WIDEBAND) -> None:
        super().__init__("libopus", OPUS_CLOCK)
        self.rate = rate
        self._resampler = Resampler(OPUS_CLOCK, rate) if rate != OPUS_CLOCK else None

    def decode(self, payload: bytes) -> Samples:
        """
        The sound of the next packet.
        """
        samples = super().decode(payload)
        return samples if self._resampler is None else self._resampler.convert(samples)
