"""
Comfort noise: the hiss of a quiet room, so that a line does not seem dead while nobody speaks (RFC 3389 3).

Made once a codec and played in a circle: its end joins its beginning without a step, for it is made from its spectrum.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from pbx.audio.g711 import encode_alaw, encode_mulaw

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.audio.g711 import Samples

RATE = 8_000
"""Samples a second."""

FRAME = 160
"""Samples a frame: 20 ms."""

FRAMES = 200
"""Frames before it begins again: in 4 s nobody hears a rhythm."""

LEVEL = -60.0
"""Its loudness in dBov, root mean square against a full-scale square wave: what a phone's own comfort noise has."""

SEED = 3389
"""Of the random numbers, so that it is the same noise in every run."""

ENCODERS: dict[str, Callable[[Samples], bytes]] = {"pcmu": encode_mulaw, "pcma": encode_alaw}
"""The codecs it can be made in, names in lower case."""


def frames_of(codec: str) -> tuple[bytes, ...]:
    """
    The frames of the noise in a codec of 8,000 Hz, 20 ms each, to be sent over and over; none where we can't encode it.

    Args:
        codec: The codec's name, in any case.
    """
    encode = ENCODERS.get(codec.lower())
    return _encoded(encode) if encode is not None else ()


@cache  # One entry a codec of ENCODERS.
def _encoded(encode: Callable[[Samples], bytes]) -> tuple[bytes, ...]:
    codes = encode(noise())
    return tuple([codes[start : start + FRAME] for start in range(0, len(codes), FRAME)])


def noise() -> Samples:
    """
    The noise as linear samples, shape (FRAMES * FRAME,), at 8,000 a second.

    Its spectrum falls by 5 dB an octave from 200 to 3,400 Hz, as room noise does (Hoth noise, ITU-T P.800), and is
    empty elsewhere.
    """
    count = FRAMES * FRAME
    frequencies = np.fft.rfftfreq(count, 1 / RATE)
    random = np.random.default_rng(SEED)  # noise, not a secret
    spectrum = random.normal(size=frequencies.size) + 1j * random.normal(size=frequencies.size)
    inside = (frequencies >= 200) & (frequencies <= 3_400)
    # 5 dB an octave are 10^(-5/20) in amplitude for each doubling: f^(-0.83).
    spectrum *= np.where(inside, np.maximum(frequencies, 1.0) ** (-5 / 20 / np.log10(2)), 0.0)
    samples = np.fft.irfft(spectrum, count)
    samples *= 32_768 * 10 ** (LEVEL / 20) / np.sqrt(np.mean(samples**2))
    rounded: Samples = np.rint(samples).astype(np.int16)
    return rounded
