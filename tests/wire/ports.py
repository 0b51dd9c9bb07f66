"""
Free ports for programs that must be told theirs.
"""

from __future__ import annotations

import os
import socket

FIRST, LAST = 11000, 32000
"""Below the range that the kernel hands out by itself, so that no client socket takes one before its program does."""

_next = FIRST + os.getpid() * 137 % (LAST - FIRST - 1000)


def free_ports(count: int = 1, host: str = "127.0.0.1", *, even: bool = False) -> int:
    """
    The first of ``count`` consecutive ports that nobody uses now, for UDP and TCP; this process gets each only once.

    Raises:
        RuntimeError: when there is no such row of ports.
    """
    global _next  # noqa: PLW0603 - where this process has come to
    for _ in range(2):
        first = _next + _next % 2 if even else _next
        while first + count <= LAST:
            taken = _first_taken(first, count, host)
            if taken is None:
                _next = first + count
                return first
            first = taken + 1
            first += first % 2 if even else 0
        _next = FIRST
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
