"""
A leg when the exchange itself is at the other end: what it hears, says, and presses.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Recording:
    """
    What was recorded.

    Attributes:
        seconds: How long it is, without the silence at its end.
        ended_by: ``key``, ``silence``, ``length``, ``hangup`` or ``error``.
        key: The key that ended it, or nothing.
    """

    seconds: float
    ended_by: str
    key: str = ""


class Terminal:
    """
    The media of one leg, for a place that plays and listens.
    """
