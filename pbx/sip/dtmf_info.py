"""
A key pressed, as INFO tells it: ``application/dtmf-relay`` and ``application/dtmf`` (no RFC: Cisco's, taken over by
others).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from pbx.sip.error import ParseError

if TYPE_CHECKING:
    from pbx.sip.message import Message

KEYS = "0123456789*#ABCD"
"""The keys in the order of their numbers in RFC 4733."""

MILLISECONDS = 160
"""How long a key is held that does not say so."""

LONGEST = 10_000
"""Nobody holds a key for longer, in milliseconds."""


@frozen(slots=True)
class KeyPress:
    """
    One key.

    Attributes:
        key: One of :data:`KEYS`.
        milliseconds: How long it was held.
    """

    key: str
    milliseconds: int = MILLISECONDS

    def to_bytes(self) -> bytes:
        """
        The body of ``application/dtmf-relay``.
        """
        return f"Signal={self.key}\r\nDuration={self.milliseconds}\r\n".encode()


def key_press_of(message: Message) -> KeyPress | None:
    """
    The key that an INFO tells of; ``None`` where it tells of something else.

    Raises:
        ParseError: Its body is of one of the two types, and malformed.
    """
    kind = message.content_type
    if kind not in ("application/dtmf-relay", "application/dtmf"):
        return None
    text = message.body.decode("latin-1").strip()
    if kind == "application/dtmf" and "=" not in text:
        return KeyPress(_key(text))
    fields = {}
    for line in text.splitlines():
        # Cisco writes "Signal= 5" and "Duration= 250".
        name, _, value = line.partition("=")
        fields[name.strip().lower()] = value.strip()
    return KeyPress(_key(fields.get("signal", "")), _milliseconds(fields.get("duration")))


def _key(text: str) -> str:
    if text.isascii() and text.isdigit() and len(text) == 2 and int(text) < len(KEYS):
        # Some gateways send the number of the event: 10 for *, 11 for #.
        return KEYS[int(text)]
    if len(text) != 1 or text.upper() not in KEYS:
        raise ParseError("Malformed DTMF")
    return text.upper()


def _milliseconds(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) == 0:
        # The key counts; AVM sends no duration, and one of 0 would be no key at all.
        return MILLISECONDS
    return min(int(text), LONGEST)
