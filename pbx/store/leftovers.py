"""
What a PostgreSQL server that died, or was left alone, leaves in its directory: processes and a lock file.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

GOODBYE_SECONDS = 8.0
"""How long a server that was left alone may take to end: it writes out what it has in memory."""


class LeftoverServerError(Exception):
    """
    A server that was left alone on the directory does not end.
    """


def clear(directory: Path, log: Callable[[str], object], *, patience: float = GOODBYE_SECONDS) -> None:
    """
    Make a database directory free for a new server. Waits: run it in a thread.

    Whoever calls this holds the lock that keeps a second exchange out, so a server that still runs here was left alone
    by one that was killed. It is asked to end, and made to if it does not; its lock files are removed only when no
    process of it is left at all, as a surviving backend beside a new server would ruin the data.

    Args:
        directory: The database directory.
        log: Called with a line for the operator when there was something to clear.
        patience: Seconds to wait for a server to end.

    Raises:
        LeftoverServerError: It did not end in time.
    """
    lock = directory / "postmaster.pid"
    if not lock.exists():
        return
    deadline = time.monotonic() + patience
    alone = processes(directory)
    if alone:
        log(f"A database server of an earlier run is still there (process {alone[0]}): it is asked to end")
    # Killed as a last resort, all of them: the next start recovers, as after a power failure.
    for sent in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        for pid in alone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sent)
        while alone and time.monotonic() < deadline:
            time.sleep(0.02)
            alone = processes(directory)
        deadline += patience / 4
    if alone:
        raise LeftoverServerError(
            f"A database server of an earlier run still holds {directory} (process {alone[0]}) and does not end. "
            "It waits for something in the kernel, most likely the disk: look there (dmesg), then start again."
        )
    # The socket's lock file as well: a process number in it may be alive again, or be a zombie that nobody collects.
    for path in (lock, *directory.glob(".s.PGSQL.*")):
        path.unlink(missing_ok=True)


def processes(directory: Path) -> list[int]:
    """
    The server processes whose working directory this is, the first of them the one that started the others.
    """
    place = str(directory.resolve())
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        # A process that ended meanwhile, or that is not ours to look at.
        with contextlib.suppress(OSError):
            if str((entry / "cwd").readlink()) == place and (entry / "comm").read_text().strip() == "postgres":
                found.append(int(entry.name))
    return sorted(found)
