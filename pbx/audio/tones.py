"""
The tones by which a telephone exchange tells a caller what goes on, as each country has them (ITU-T E.180).

Frequencies and cadences are those of the list "Various tones used in national networks" that ITU-T publishes with
E.180; France and Brazil leave some open, where the usual ones stand. A tone is made as one round of its cadence, to be
repeated as long as needed without a click.
"""

from __future__ import annotations

from functools import lru_cache
from math import lcm
from typing import TYPE_CHECKING, Final

import numpy as np
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pbx.audio.g711 import Samples

LEVEL: Final = -13.0
"""Each frequency's level in dBm0: a pair of them is at the -10 dBm0 that E.180 recommends (4.2)."""

FULL_SCALE: Final = 3.17
"""The level of the loudest sine in dBm0 (ITU-T G.711, µ-law)."""

RAMP: Final = 0.004
"""Seconds that a burst takes to rise and to fall, so that it does not click."""

FRAME_MS: Final = 20
"""A round lasts a whole number of these, so that the frames of one round are the frames of all."""

DEFAULT: Final = "us"
"""The country whose tones are taken where another has none."""


@frozen
class Burst:
    """
    One part of a cadence.

    Attributes:
        frequencies: In Hz, sounding together; none for a pause.
        milliseconds: How long.
        warble: Frequency in Hz by which the loudness swings, 0 for not at all.
    """

    frequencies: tuple[float, ...]
    milliseconds: int
    warble: float = 0.0


def _cadence(text: str) -> tuple[Burst, ...]:
    """
    A cadence as the tables write it: ``400+450/400 0/200`` are two frequencies for 400 ms and a pause of 200 ms,
    ``400*25`` is 400 Hz whose loudness swings 25 times a second.
    """
    bursts = []
    for part in text.split():
        sound, _, milliseconds = part.partition("/")
        sound, _, warble = sound.partition("*")
        frequencies = tuple(float(word) for word in sound.split("+") if word != "0")
        bursts.append(Burst(frequencies, int(milliseconds or 1000), float(warble or 0)))
    return tuple(bursts)


_EUROPEAN: Final = ("425", "425/1000 0/4000", "425/500 0/500", "425/200 0/200")

_BRITISH_RING: Final = "400+450/400 0/200 400+450/400 0/2000"

_TABLE: Final = {
    # Country: dial tone, ringing tone, busy, congestion (which the Americans call reorder).
    "us": ("350+440", "440+480/2000 0/4000", "480+620/500 0/500", "480+620/250 0/250"),
    "at": ("420", "420/1000 0/5000", "420/400 0/400", "420/200 0/200"),
    "au": ("413+438", "413+438/400 0/200 413+438/400 0/2000", "425/375 0/375", "425/375 0/375 420/375 0/375"),
    "be": ("425", "425/1000 0/3000", "425/500 0/500", "425/167 0/167"),
    "br": ("425", "425/1000 0/4000", "425/250 0/250", "425/250 0/250 425/750 0/250"),
    "ch": _EUROPEAN,
    "cn": ("450", "450/1000 0/4000", "450/350 0/350", "450/700 0/700"),
    "cz": ("425/330 0/330 425/660 0/660", "425/1000 0/4000", "425/330 0/330", "425/165 0/165"),
    "de": ("425", "425/1000 0/4000", "425/480 0/480", "425/240 0/240"),
    "dk": _EUROPEAN,
    "es": ("425", "425/1500 0/3000", "425/200 0/200", "425/200 0/200 425/200 0/200 425/200 0/600"),
    "fi": ("425", "425/1000 0/4000", "425/300 0/300", "425/200 0/200"),
    "fr": ("440", "440/1500 0/3500", "440/500 0/500", "440/250 0/250"),
    "gr": ("425/200 0/300 425/700 0/800", "425/1000 0/4000", "425/300 0/300", "425/200 0/200"),
    "hu": ("425", "425/1250 0/3750", "425/300 0/300", "425/300 0/300"),
    "il": ("414", "414/1000 0/3000", "414/500 0/500", "414/250 0/250"),
    "in": ("400*25", "400*25/400 0/200 400*25/400 0/2000", "400/750 0/750", "400/250 0/250"),
    "it": ("425/200 0/200 425/600 0/1000", "425/1000 0/4000", "425/500 0/500", "425/200 0/200"),
    "jp": ("400", "400*16/1000 0/2000", "400/500 0/500", "400/500 0/500"),
    "mx": ("425", "425/1000 0/4000", "425/250 0/250", "425/250 0/250"),
    "nl": ("425", "425/1000 0/4000", "425/500 0/500", "425/250 0/250"),
    "no": _EUROPEAN,
    "nz": ("400", _BRITISH_RING, "400/500 0/500", "400/250 0/250"),
    "pl": ("425", "425/1000 0/4000", "425/500 0/500", "425/500 0/500"),
    "pt": ("425", "425/1000 0/5000", "425/500 0/500", "425/200 0/200"),
    "se": ("425", "425/1000 0/5000", "425/250 0/250", "425/250 0/750"),
    "uk": ("350+440", _BRITISH_RING, "400/375 0/375", "400/400 0/350 400/225 0/525"),
    "za": ("400*33", "400*33/400 0/200 400*33/400 0/2000", "400/500 0/500", "400/250 0/250"),
}

SAME: Final = {"ca": "us", "gb": "uk", "ie": "uk"}
"""Countries with the tones of another, and ISO 3166's word for the United Kingdom."""

BEEP: Final = (Burst((1000.0,), 260), Burst((), 40))
"""What asks a caller to speak; the same everywhere. The pause lets the far end's echo of it die away."""

COUNTRIES: Final = tuple(sorted({*_TABLE, *SAME}))
"""The countries whose tones are known, as ISO 3166 has them in lower case."""

_TONES: Final[Mapping[str, Mapping[str, tuple[Burst, ...]]]] = {
    country: {
        "dial": _cadence(dial),
        "ringback": _cadence(ring),
        "busy": _cadence(busy),
        "reorder": _cadence(congestion),
        "congestion": _cadence(congestion),
        "beep": BEEP,
    }
    for country, (dial, ring, busy, congestion) in _TABLE.items()
}

NAMES: Final = tuple(_TONES[DEFAULT])
"""The tones there are: ``dial``, ``ringback``, ``busy``, ``reorder`` (also called ``congestion``) and ``beep``."""


def cadence(name: str, country: str = DEFAULT) -> tuple[Burst, ...]:
    """
    The bursts and pauses of a tone, to be repeated.

    Args:
        name: One of :data:`NAMES`.
        country: One of :data:`COUNTRIES`, in any case; another has the tones of :data:`DEFAULT`.

    Raises:
        ValueError: There is no such tone.
    """
    country = country.lower()
    tones = _TONES.get(SAME.get(country, country)) or _TONES[DEFAULT]
    if name not in tones:
        raise ValueError(f"no tone {name!r}; there are {', '.join(NAMES)}")
    return tones[name]


@lru_cache(maxsize=32)
def tone(name: str, country: str = DEFAULT, rate: int = 8_000) -> Samples:
    """
    A tone as linear samples that can be repeated without a seam; not to be written to.

    Its length is one round of the cadence, or as many rounds as it takes to fill whole frames of 20 ms.

    Args:
        name: One of :data:`NAMES`.
        country: One of :data:`COUNTRIES`.
        rate: Samples a second.

    Raises:
        ValueError: There is no such tone.
    """
    bursts = cadence(name, country)
    total = sum(burst.milliseconds for burst in bursts)
    rounds = lcm(total, FRAME_MS) // total
    samples = np.concatenate([_sound(burst, rate, len(bursts) > 1) for burst in bursts * rounds])
    samples.flags.writeable = False
    return samples


def _sound(burst: Burst, rate: int, ends: bool) -> Samples:
    count = round(burst.milliseconds * rate / 1000)
    time = np.arange(count) / rate
    amplitude = 32_767 * 10 ** ((LEVEL - FULL_SCALE) / 20)
    if len(burst.frequencies) == 1:
        # One frequency alone carries what two would share.
        amplitude *= np.sqrt(2)
    wave = np.zeros(count)
    for frequency in burst.frequencies:
        wave += amplitude * np.sin(2 * np.pi * frequency * time)
    if burst.warble:
        wave *= (1 + 0.9 * np.sin(2 * np.pi * burst.warble * time)) / 1.9
    ramp = min(count // 2, round(RAMP * rate))
    if ends and burst.frequencies and ramp:
        slope = np.sin(np.linspace(0, np.pi / 2, ramp)) ** 2
        wave[:ramp] *= slope
        wave[-ramp:] *= slope[::-1]
    rounded: Samples = np.rint(wave).astype(np.int16)
    return rounded
