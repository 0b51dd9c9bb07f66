"""
A soft limit: what is louder than a sample can say is bent, not cut and never wrapped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from pbx.audio.g711 import Samples
    from pbx.audio.polyphase import Frames

FULL: Final = 32_767.0
"""The largest sample."""

KNEE: Final = 24_000.0
"""From where on samples are bent: 2.7 dB below full scale, where two people shouting at once come."""


def limited(frames: Frames) -> Samples:
    """
    Samples of any size as 16-bit ones.

    Up to :data:`KNEE` they stay as they are; above, they come ever closer to full scale and keep their order. The bend
    begins with the slope of the straight part, so that there is no corner.

    Args:
        frames: Any shape.
    """
    # Most sound is not loud, and looking costs a tenth of bending.
    if frames.size == 0 or max(float(frames.max()), -float(frames.min())) <= KNEE:
        return frames.astype(np.int16)
    size = np.abs(frames)
    over = np.maximum(size - np.float32(KNEE), 0.0)
    room = np.float32(FULL - KNEE)
    bent = np.minimum(size, np.float32(KNEE)) + over * room / (over + room)
    result: Samples = np.copysign(bent, frames).astype(np.int16)
    return result
