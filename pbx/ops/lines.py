"""
Lines on their way to a file or a terminal: queued, and written by a thread, so that nobody waits for a disk.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUEUED = 20_000
"""
Lines that wait at most. A stalled disk then costs some megabytes; what comes after is counted and dropped.
"""

PAUSE = 0.05
"""
Seconds between two writes, so that a busy exchange wakes the thread 20 times a second and not once a line.
"""


class Target(Protocol):
    """
    Where lines end up.
    """

    def write(self, text: str) -> None:
        """
        Write whole lines; may wait, may raise ``OSError``.
        """

    def close(self) -> None:
        """
        Nothing more will be written.
        """


class Stream:
    """
    An open file descriptor, such as the terminal's.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, text: str) -> None:
        """
        Write all of it.
        """
        _write_all(self._descriptor, text)

    def close(self) -> None:
        """
        Leave the descriptor to whoever opened it.
        """


class AppendedFile:
    """
    A file that is appended to, and opened anew when logrotate has moved it away.
    """

    def __init__(self, path: Path) -> None:
        """
        Open the file, making its folder when that is not there.

        Raises:
            OSError: It cannot be written.
        """
        self._path = path
        self._descriptor: int | None = None
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._open()

    def write(self, text: str) -> None:
        """
        Append, to the file that has the path now.
        """
        if not self._is_in_place():
            self.close()
        if self._descriptor is None:
            self._open()
        assert self._descriptor is not None  # noqa: S101 - for the type checker
        _write_all(self._descriptor, text)

    def close(self) -> None:
        """
        Close the file; a later write opens it again.
        """
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def _is_in_place(self) -> bool:
        if self._descriptor is None:
            return False
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return False
        opened = os.fstat(self._descriptor)
        return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)


class QueuedLines:
    """
    The queue and the thread in front of a target.

    Lines may be added before :meth:`start`, and are written then: a thread does not survive the fork of a daemon.
    """

    def __init__(self, target: Target, limit: int = QUEUED, pause: float = PAUSE) -> None:
        self._target = target
        self._pause = pause
        self._limit = limit
        self._queue: deque[str | Callable[[], str]] = deque()
        self._stopping = threading.Event()
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None
        self._complained = False
        self._next: Target | None = None
        self.dropped = 0

    def turn_to(self, target: Target) -> None:
        """
        Write to another target, beginning with what is queued now. The thread closes the one of before.
        """
        self._next = target

    def add(self, line: str | Callable[[], str]) -> None:
        """
        Queue a line; it is dropped and counted when the queue is full. Never waits.

        Args:
            line: The text with its line end, or what makes it: that is called in the thread, many at a time, which
                costs half of what it would where the line comes up.
        """
        if len(self._queue) < self._limit:
            self._queue.append(line)
        else:
            self.dropped += 1
        if not self._wanted.is_set():
            self._wanted.set()

    def start(self) -> None:
        """
        Start the thread.
        """
        if self._thread is None:
            self._stopping.clear()
            # A daemon thread: a disk that hangs must not keep the process from ending.
            self._thread = threading.Thread(target=self._run, name="log lines", daemon=True)
            self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """
        Write what is queued and end the thread.

        Args:
            timeout: Seconds after which a target that hangs is given up.
        """
        thread, self._thread = self._thread, None
        self._stopping.set()
        self._wanted.set()
        if thread is None:
            self._write_queued()
        else:
            thread.join(timeout)
        if thread is None or not thread.is_alive():
            self._target.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wanted.wait()
            self._wanted.clear()
            self._write_queued()
            self._stopping.wait(self._pause)
        self._write_queued()

    def _write_queued(self) -> None:
        following, self._next = self._next, None
        if following is not None:
            self._target.close()
            self._target = following
        lines = []
        while self._queue:
            line = self._queue.popleft()
            lines.append(line if isinstance(line, str) else line())
        dropped, self.dropped = self.dropped, 0
        if dropped:
            lines.append(f"... {dropped} lines were dropped here, because they could not be written fast enough\n")
        if not lines:
            return
        try:
            self._target.write("".join(lines))
            self._complained = False
        except OSError as error:
            self.dropped += len(lines)
            if not self._complained:
                self._complained = True
                self._complain(error)

    def _complain(self, error: OSError) -> None:
        # The log is what cannot be written: only the terminal or the journal is left to say so.
        if sys.__stderr__ is not None:
            sys.__stderr__.write(f"The log cannot be written: {error}\n")


def _write_all(descriptor: int, text: str) -> None:
    rest = memoryview(text.encode("utf-8", "backslashreplace"))
    while rest:
        rest = rest[os.write(descriptor, rest) :]
