"""
Programs that run beside a test, and the real reactor they report to.

The only file of the tests that takes hold of the reactor: ring 5 is where real time and real sockets are.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet import reactor as _reactor  # noqa: TID251 - ring 5 runs on the real one
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
"""The checkout: where the package and the tests are imported from."""

reactor: Any = _reactor
"""The real reactor."""


def sleep(seconds: float) -> Deferred[None]:
    """
    A Deferred that fires after this much real time.
    """
    return deferLater(reactor, seconds)


async def eventually(ask: Callable[[], Awaitable[T]], within: float, what: str, interval: float = 0.1) -> T:
    """
    The first true answer of ``ask``, which is repeated until ``within`` seconds have passed.

    Raises:
        TimeoutError: when there was none, naming ``what`` and the last answer.
    """
    end = reactor.seconds() + within
    while True:
        answer = await ask()
        if answer:
            return answer
        if reactor.seconds() > end:
            raise TimeoutError(f"{what}: not within {within} s, last seen {answer!r}")
        await sleep(interval)


class Child(ProcessProtocol):
    """
    One program under way: its output by line, its end as a Deferred. It is killed by the kernel should the test die.

    Attributes:
        lines: what it has written so far to standard output and error.
        status: its exit status once it has ended (negative: the signal), else ``None``.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        when_orphaned: str = "KILL",
    ) -> None:
        """
        Args:
            argv: the command.
            env: its environment, the test's own by default.
            cwd: where it runs.
            when_orphaned: the signal that the kernel ends it by; one with children of its own needs a moment for them.
        """
        self.argv = list(argv)
        self.lines: list[str] = []
        self.status: int | None = None
        self._rest = b""
        self._waiting_end: list[Deferred[int]] = []
        self._waiting_line: list[tuple[re.Pattern[str], Deferred[str]]] = []
        command = ["/usr/bin/setpriv", "--pdeathsig", when_orphaned, "--", *self.argv]
        environment = dict(os.environ if env is None else env) | {"PYTHONPATH": str(ROOT)}
        self._process = reactor.spawnProcess(self, command[0], command, env=environment, path=cwd)

    @property
    def pid(self) -> int:
        """
        Its process id.
        """
        return int(self._process.pid)

    def outReceived(self, data: bytes) -> None:
        """
        Cut the output into lines and wake who waits for one.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for raw in lines:
            line = re.sub(r"\x1b\[[0-9;]*m", "", raw.decode("utf-8", "replace")).rstrip()
            self.lines.append(line)
            for pattern, waiting in self._waiting_line[:]:
                if pattern.search(line):
                    self._waiting_line.remove((pattern, waiting))
                    waiting.callback(line)

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        """
        Note the status and tell everyone who waits.
        """
        value: Any = reason.value
        self.status = -value.signal if getattr(value, "signal", None) else int(value.exitCode or 0)
        for _, waiting in self._waiting_line:
            waiting.errback(RuntimeError(f"{self.argv[0]} ended with {self.status}:\n" + self.tail()))
        self._waiting_line.clear()
        ended, self._waiting_end = self._waiting_end, []
        for one in ended:
            one.callback(self.status)

    def tail(self, count: int = 40) -> str:
        """
        The last lines of its output.
        """
        return "\n".join(self.lines[-count:])

    def line(self, pattern: str, timeout: float = 10) -> Deferred[str]:
        """
        The first line, past or to come, that the regular expression is found in.

        Raises:
            TimeoutError: when none came within ``timeout`` seconds.
            RuntimeError: when the program ended before.
        """
        sought = re.compile(pattern)
        waiting: Deferred[str] = Deferred()
        for line in self.lines:
            if sought.search(line):
                waiting.callback(line)
                return waiting
        if self.status is not None:
            raise RuntimeError(f"{self.argv[0]} ended with {self.status}:\n" + self.tail())
        entry = (sought, waiting)
        self._waiting_line.append(entry)

        def late(_: Any, __: float) -> None:
            if entry in self._waiting_line:
                self._waiting_line.remove(entry)
            raise TimeoutError(f"{self.argv[0]}: no line like {pattern!r} in {timeout} s:\n" + self.tail())

        return waiting.addTimeout(timeout, reactor, onTimeoutCancel=late)

    def ended(self, timeout: float = 30) -> Deferred[int]:
        """
        Its exit status, once it has ended.
        """
        waiting: Deferred[int] = Deferred()
        if self.status is not None:
            waiting.callback(self.status)
            return waiting
        self._waiting_end.append(waiting)

        def late(_: Any, __: float) -> None:
            if waiting in self._waiting_end:
                self._waiting_end.remove(waiting)
            raise TimeoutError(f"{self.argv[0]} still runs after {timeout} s:\n" + self.tail())

        return waiting.addTimeout(timeout, reactor, onTimeoutCancel=late)

    def write(self, text: str) -> None:
        """
        Give it this on its standard input.
        """
        self._process.write(text.encode())

    def send(self, number: int) -> None:
        """
        Send it a signal; nothing happens when it has ended.
        """
        try:
            self._process.signalProcess(number)
        except ProcessExitedAlready:
            return

    async def stop(self, number: int = signal.SIGTERM, within: float = 5) -> int:
        """
        End it and give its status; it is killed when it does not end in time.
        """
        self.send(number)
        try:
            return await self.ended(within)
        except TimeoutError:
            self.send(signal.SIGKILL)
            return await self.ended(within)
