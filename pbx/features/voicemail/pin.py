"""
Which PINs will do.
"""

from __future__ import annotations

from typing import Final

SHORTEST: Final = 4
LONGEST: Final = 10
"""How many digits a PIN has."""

_ROW: Final = "01234567890123456789"


def pin_fault(pin: str, number: str) -> str:
    """
    Why a PIN will not do: ``short``, ``simple``, or nothing when it will.

    Args:
        pin: What was entered.
        number: The mailbox, whose number everybody knows.
    """
    if not (pin.isascii() and pin.isdigit() and SHORTEST <= len(pin) <= LONGEST):
        return "short"
    if len(set(pin)) < 2 or pin in _ROW or pin in _ROW[::-1] or pin in number or number in (pin, pin[::-1]):
        return "simple"
    return ""
