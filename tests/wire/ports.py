"""
Free ports for programs that must be told theirs.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path

FIRST, LAST = 11000, 32000
"""Below the range that the kernel hands out by itself, so that no client socket takes one before its program does."""

PLACE = Path(tempfile.gettempdir()) / f"pbx-test-ports-{os.getuid()}"
"""Where the processes of a user note how far they have come: two that test at once never get the same port."""


def free_ports(count: int = 1, host: str = "127.0.0.1", *, even: bool = False) -> int:
    """
    The first of ``count`` consecutive ports that nobody uses now, for UDP and TCP.

    Raises:
        RuntimeError: when there is no such row of ports.
    """
    with PLACE.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = file.read()
        first = int(text) if text.isdigit() and FIRST <= int(text) <= LAST else FIRST
        for _ in range(2):
            first += first % 2 if even else 0
            while first + count <= LAST:
                taken = _first_taken(first, count, host)
                if taken is None:
                    file.truncate(0)
                    file.write(str(first + count))
                    return first
                first = taken + 1
                first += first % 2 if even else 0
            first = FIRST
    raise RuntimeError(f"no {count} free ports between {FIRST} and {LAST}")


def _first_taken(first: int, count: int, host: str) -> int | None:
    """
    The first port of a row that cannot be bound.
    """
    for port in range(first, first + count):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                try:
                    probe.bind((host, port))
                except OSError:
                    return port
    return None
