"""
What is wrong with a message that a peer sent, and the status that tells it so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pbx.sip.message import Request


class ProtocolError(Exception):
    """
    A peer's mistake, with the answer it deserves.

    Attributes:
        status: The SIP status code to answer with.
        reason: The reason phrase; never holds text of the peer's.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class ParseError(ProtocolError):
    """
    Bytes, or a header's value, that do not follow the grammar.

    Attributes:
        partial: The request as far as it could be read, when that is enough to answer it; else ``None``.
    """

    def __init__(self, reason: str, status: int = 400, partial: Request | None = None) -> None:
        super().__init__(status, reason)
        self.partial = partial
