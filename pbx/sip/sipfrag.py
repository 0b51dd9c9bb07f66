"""
The piece of a response that tells a transferor how the call it asked for is getting on (RFC 3420, RFC 3515 2.4.5).
"""

from __future__ import annotations

import re

from attrs import frozen

from pbx.sip.error import ParseError
from pbx.sip.reasons import phrase

SIPFRAG = "message/sipfrag;version=2.0"
"""The content type."""

_status_line = re.compile(rb"SIP/2\.0 ([1-6][0-9][0-9]) ([^\r\n]*)(?:\r\n|\Z)").match


@frozen(slots=True)
class StatusLine:
    """
    The first line of a response, which is all that is told.

    Attributes:
        status: 100 to 699.
        reason: The phrase.
    """

    status: int
    reason: str

    @classmethod
    def of(cls, status: int, reason: str | None = None) -> StatusLine:
        """
        One with the status's own phrase, where no other is given.
        """
        return cls(status, phrase(status) if reason is None else reason)

    @classmethod
    def parse(cls, body: bytes) -> StatusLine:
        """
        One from the body of a NOTIFY; what follows the first line is left alone.

        Raises:
            ParseError: It does not begin with a status line.
        """
        found = _status_line(body)
        if found is None:
            raise ParseError("Malformed sipfrag")
        return cls(int(found[1]), found[2].decode("utf-8", "replace"))

    def to_bytes(self) -> bytes:
        """
        The body of a NOTIFY.

        Raises:
            ValueError: The phrase holds a line break.
        """
        if "\r" in self.reason or "\n" in self.reason:
            raise ValueError("a reason phrase holds no line break")
        return f"SIP/2.0 {self.status} {self.reason}\r\n".encode()
