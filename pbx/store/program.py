"""
One run of a PostgreSQL program (``initdb``, ``postgres``) as a child process: what it says, and when it has ended.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure

READY = "database system is ready to accept connections"
"""What a server says when it has started."""

COMPLAINT = re.compile(r"(initdb: error|FATAL|PANIC|ERROR|HINT|DETAIL)")
"""How the lines begin that tell why it did not."""


class Program(ProcessProtocol):
    """
    A child process and the lines it wrote.

    Attributes:
        alive: It has not ended.
        ready: It said that it accepts connections.
        heard: How many lines it has written.
        exit_code: Its exit status when it ended by itself, else ``None``.
        ending: How it ended, in words.
    """

    log = Logger()

    def __init__(self, ended: Callable[[Program], object] | None = None) -> None:
        self.alive = True
        self.ready = False
        self.heard = 0
        self.exit_code: int | None = None
        self.ending = ""
        self._ended = ended
        self._said: deque[str] = deque(maxlen=20)
        self._rest = b""
        self._waiting: list[Deferred[None]] = []

    def outReceived(self, data: bytes) -> None:
        """
        Take what it prints like what it complains of.
        """
        self.errReceived(data)

    def errReceived(self, data: bytes) -> None:
        """
        Log what it says, and notice that it is ready.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            text = line.decode("utf-8", "replace").rstrip()
            self.heard += 1
            self._said.append(text)
            if text.startswith("PANIC"):
                self.log.error("PostgreSQL: {text}", text=text)
            else:
                self.log.debug("PostgreSQL: {text}", text=text)
            self.ready = self.ready or READY in text
        self._tell()

    def processEnded(self, reason: Failure) -> None:
        """
        Tell the supervisor, then whoever waits: one of those may start the next run at once.
        """
        self.alive = False
        self.exit_code = getattr(reason.value, "exitCode", None)
        self.ending = " ".join(str(reason.value).split()).rstrip(".")
        if self._ended is not None:
            self._ended(self)
        self._tell()

    async def change(self, clock: Any, seconds: float) -> None:
        """
        Wait until it says something or ends, at most some seconds.
        """
        waiter: Deferred[None] = Deferred()
        self._waiting.append(waiter)
        limit = clock.callLater(seconds, self._tell)
        try:
            await waiter
        finally:
            if limit.active():
                limit.cancel()

    def last_words(self) -> str:
        """
        The complaints among its last lines, or else the last lines.
        """
        complaints = [line for line in self._said if COMPLAINT.match(line)]
        return " ".join(complaints or list(self._said)[-3:]) or "it said nothing"

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.called:
                waiter.callback(None)
