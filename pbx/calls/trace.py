"""
The last messages of each phone, kept in memory: what was said, when, and over which flow.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from zope.interface import implementer

from pbx.transport.trace import ITrace

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 2000
"""Messages kept: at some 900 bytes each they take 2 MB."""

SECRETS = (b"authorization:", b"proxy-authorization:", b"a=crypto:")
"""Lines that are not shown: digests and keys."""


@implementer(ITrace)
class CallTrace:
    """
    A ring of the SIP messages sent and received.

    Args:
        wall: Stamps them.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._messages: deque[tuple[float, bool, str, bytes]] = deque(maxlen=MOST)

    def sent(self, flow: str, data: bytes) -> None:
        """
        Keep a message of ours.
        """
        self._messages.append((self._wall(), True, flow, data))

    def received(self, flow: str, data: bytes) -> None:
        """
        Keep a message of a peer's.
        """
        self._messages.append((self._wall(), False, flow, data))

    def about(self, text: str) -> str:
        """
        The messages that contain a text, such as an extension's number or a Call-ID, oldest first, without secrets.
        """
        wanted = text.encode()
        lines = []
        for at, out, flow, data in list(self._messages):
            if wanted in data:
                lines.append(f"{at:.3f} {'to' if out else 'from'} {flow}")
                lines += [f"    {line}" for line in _shown(data)]
        return "\n".join(lines)


def _shown(data: bytes) -> list[str]:
    shown = []
    for line in data.split(b"\r\n"):
        secret = line.lower().startswith(SECRETS)
        shown.append((line.partition(b":")[0] + b": (not shown)" if secret else line).decode("utf-8", "replace"))
    return shown
