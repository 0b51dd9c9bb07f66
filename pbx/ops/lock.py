"""
One exchange a data directory: a lock that ends with the process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class AlreadyRunningError(Exception):
    """
    Another process has the lock; the text names it and says what can be done.
    """


class Lock:
    """
    The lock file of a data directory, ``pbx.lock``.

    It is an advisory lock of the kernel (``flock``), so that nothing is left behind by a process that was killed;
    the number inside the file is only for people.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._file: int | None = None

    def acquire(self) -> None:
        """
        Take the lock, making the data directory when it is not there.

        Raises:
            AlreadyRunningError: Another process has it.
            OSError: The directory cannot be made or written to.
        """
        try:
            self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(self._data / "pbx.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OSError(
                f"The data directory {self._data} cannot be used: {error.strerror}. Make it writable for the "
                "exchange's user, or choose another by --data or paths.data in the configuration."
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            process = os.pread(file, 20, 0).decode("ascii", "replace").strip()
            os.close(file)
            named = f" (process {process})" if process.isdigit() else ""
            raise AlreadyRunningError(
                f"An exchange is already running on {self._data}{named}.\n"
                "Stop that one first, or start this one with another --data directory and other ports."
            )
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file

    def release(self) -> None:
        """
        Give the lock back; without it, nothing happens.
        """
        if self._file is not None:
            os.close(self._file)
            self._file = None
