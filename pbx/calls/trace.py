"""
The last messages of each phone, kept in memory: what was said, when, and over which flow.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from zope.interface import implementer

from pbx.transport.trace import ITrace

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 2000
"""Messages kept: at some 900 bytes each they take 2 MB."""

LONGEST = 8192
"""Bytes kept of one message: phones send some 2,000 at most, strangers what they like."""

MOST_BYTES = 4 * 1024 * 1024
"""Bytes kept of all."""

_secret = re.compile(rb"[ \t]*((?:proxy-)?authorization|a[ \t]*=[ \t]*crypto|k[ \t]*=)", re.IGNORECASE).match
"""What begins a line that is not shown: digests and keys (RFC 3261 20.7 and 20.28, RFC 4568, RFC 4566 5.12)."""


@implementer(ITrace)
class CallTrace:
    """
    A ring of the SIP messages sent and received.

    Args:
        wall: Stamps them.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        # When, whether it is ours, over which flow, its first bytes, and how many more there were.
        self._messages: deque[tuple[float, bool, str, bytes, int]] = deque()
        self._bytes = 0
        self._mark: bytes | None = None

    def leave_out(self, mark: str) -> None:
        """
        Keep no OPTIONS of ours that bears this mark, and no answer to one: pings would crowd all else out.
        """
        self._mark = mark.encode()

    def sent(self, flow: str, data: bytes) -> None:
        """
        Keep a message of ours.
        """
        if self._mark is None or not (data.startswith(b"OPTIONS ") and self._mark in data):
            self._keep(True, flow, data)

    def received(self, flow: str, data: bytes) -> None:
        """
        Keep a message of a peer's.
        """
        if self._mark is None or not (data.startswith(b"SIP/2.0 ") and self._mark in data):
            self._keep(False, flow, data)

    def about(self, text: str) -> str:
        """
        The messages that contain a text, such as an extension's number or a Call-ID, oldest first, without secrets.
        """
        wanted = text.encode()
        lines = []
        for at, out, flow, data, more in list(self._messages):
            if wanted in data:
                lines.append(f"{at:.3f} {'to' if out else 'from'} {flow}")
                lines += [f"    {line}" for line in _shown(data)]
                if more:
                    lines.append(f"    ({more} bytes more)")
        return "\n".join(lines)

    def _keep(self, out: bool, flow: str, data: bytes) -> None:
        length = len(data)
        if length <= 4 and not data.strip():
            # A keep-alive (RFC 5626 3.5.1).
            return
        more = 0
        if length > LONGEST:
            data, more, length = data[:LONGEST], length - LONGEST, LONGEST
        messages = self._messages
        messages.append((self._wall(), out, flow, data, more))
        self._bytes += length
        while len(messages) > MOST or self._bytes > MOST_BYTES:
            self._bytes -= len(messages.popleft()[3])


def _shown(data: bytes) -> list[str]:
    shown = []
    hidden = False
    lines = re.split(rb"\r\n|\r|\n", data)
    for line in lines:
        # RFC 3261 7.3.1: a line that begins with a blank goes on with the one before.
        goes_on = hidden and line[:1] in (b" ", b"\t")
        found = _secret(line)
        hidden = goes_on or found is not None
        if found is not None:
            shown.append(found[1].decode() + ": (not shown)")
        elif not goes_on:
            shown.append(line.decode("utf-8", "replace"))
    return shown
