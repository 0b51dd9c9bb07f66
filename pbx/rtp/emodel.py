"""
What a person would have said about a call: the E-model (ITU-T G.107) with the impairments of G.113 Appendix I.
"""

from __future__ import annotations

import math
from typing import Final

from attrs import frozen

BASE: Final = 93.2
"""R of a flawless narrow-band call: G.107 with every parameter at its default."""


@frozen
class Impairment:
    """
    How a codec fares (ITU-T G.113 Appendix I).

    Attributes:
        ie: Equipment impairment factor without loss.
        bpl: Robustness against random loss.
    """

    ie: float
    bpl: float


CODECS: Final = {
    # Telephones conceal losses (G.711 Appendix I); without that Bpl would be 4.3.
    "PCMU": Impairment(0, 25.1),
    "PCMA": Impairment(0, 25.1),
    "G729": Impairment(11, 19.0),
    "G723": Impairment(15, 16.1),
    "GSM-EFR": Impairment(5, 10.0),
}
"""By encoding name in upper case."""

OTHERS: Final = Impairment(0, 25.1)
"""Codecs that G.113 has no figures for are taken as good as G.711."""


def r_factor(codec: str, loss_percent: float, delay_ms: float, burst: float = 1.0) -> float:
    """
    The transmission rating R, 0 (useless) to 93.2 (ITU-T G.107 7).

    Args:
        codec: Encoding name.
        loss_percent: Packets lost, late ones among them.
        delay_ms: From mouth to ear.
        burst: Burst ratio; 1 when losses are random, more when they come together.
    """
    impairment = CODECS.get(codec.upper(), OTHERS)
    effective = impairment.ie + (95.0 - impairment.ie) * loss_percent / (loss_percent / burst + impairment.bpl)
    return max(0.0, BASE - _delay_impairment(delay_ms) - effective)


def mos(r: float) -> float:
    """
    The mean opinion score, 1 (bad) to 4.5 (excellent), of a rating R (ITU-T G.107 Annex B).
    """
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    # Below 6.5 the polynomial dips under 1.
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def _delay_impairment(delay_ms: float) -> float:
    """
    ``Idd`` (ITU-T G.107 7.4): none up to 100 ms.
    """
    if delay_ms <= 100:
        return 0.0
    x = math.log2(delay_ms / 100)
    return 25 * (math.pow(1 + x**6, 1 / 6) - 3 * math.pow(1 + (x / 3) ** 6, 1 / 6) + 2)
