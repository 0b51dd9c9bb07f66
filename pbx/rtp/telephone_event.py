"""
Digits and other events as RTP payload (RFC 4733).
"""

from __future__ import annotations

import struct
from typing import Final

from attrs import frozen

DIGITS: Final = "0123456789*#ABCD"
"""The events 0 to 15 as the keys of a telephone (RFC 4733 3.2)."""

_PAYLOAD = struct.Struct("!BBH")


@frozen
class TelephoneEvent:
    """
    One report of an event under way (RFC 4733 2.3).

    Attributes:
        event: The event code, 0 to 255.
        duration: How long it has lasted so far, in units of the timestamp's clock, at most 65535.
        end: Whether it is over.
        volume: Its level in dBm0 below zero, 0 to 63.
    """

    event: int
    duration: int
    end: bool = False
    volume: int = 10

    @classmethod
    def parse(cls, payload: bytes) -> TelephoneEvent:
        """
        Read the payload of a packet.

        Raises:
            ValueError: It is shorter than four bytes.
        """
        if len(payload) < _PAYLOAD.size:
            raise ValueError("telephone-event payload is cut off")
        event, flags, duration = _PAYLOAD.unpack_from(payload)
        return cls(event, duration, bool(flags & 0x80), flags & 0x3F)

    @classmethod
    def of_digit(cls, digit: str, duration: int, *, end: bool = False) -> TelephoneEvent:
        """
        The report of a key of a telephone.

        Raises:
            ValueError: There is no such key.
        """
        event = DIGITS.find(digit.upper()) if len(digit) == 1 else -1
        if event < 0:
            raise ValueError(f"no telephone key {digit!r}")
        return cls(event, duration, end)

    @property
    def digit(self) -> str | None:
        """
        The key that was pressed, or ``None`` when the event is none of the sixteen keys.
        """
        return DIGITS[self.event] if self.event < len(DIGITS) else None

    def to_bytes(self) -> bytes:
        """
        The payload as it goes over the wire.
        """
        return _PAYLOAD.pack(self.event, (0x80 if self.end else 0) | self.volume, self.duration)
