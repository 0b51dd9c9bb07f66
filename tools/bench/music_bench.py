"""
What a caller on music costs, beside a bare C loop that sends as many datagrams: ``python tools/bench/music_bench.py``.

Both send to the same telephones, in turns, so that what else the machine does hits both alike. Times vary from machine
to machine and from minute to minute: the ratio counts.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

from apart import start_apart
from relay_bench import HERE, HOST, compiled, cpu_of, free_ports

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 2.0
"""The CPU a caller may cost, as a multiple of the C loop's; 1.5 is aimed at, and 1.25 to 1.75 were measured: the
less else the machine does, the less the C loop's system calls cost."""

PER_SECOND = 50
"""Datagrams a caller gets a second."""

ATTEMPTS = 5
"""Rows of ports tried: another program may take one between the look and the start."""

WARM = 0.5
"""Seconds before a measurement: the first packets find cold caches."""


class Telephones:
    """
    Sockets that are sent to; the kernel keeps what comes until it is counted.
    """

    def __init__(self, first: int, streams: int) -> None:
        self.sockets: list[socket.socket] = []
        for number in range(streams):
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            opened.bind((HOST, first + 2 * number))
            self.sockets.append(opened)

    def count(self) -> int:
        """
        How many datagrams came since the last time.
        """
        number = 0
        for opened in self.sockets:
            with contextlib.suppress(BlockingIOError):
                while opened.recv(2048):
                    number += 1
        return number

    def close(self) -> None:
        """
        Give the ports back.
        """
        for opened in self.sockets:
            opened.close()


def turn(command: Sequence[str], callers: int, seconds: float) -> tuple[float, float]:
    """
    Let a program play for a while.

    Returns:
        Microseconds of CPU a caller and second, and the part of the datagrams that came.
    """
    for _ in range(ATTEMPTS):
        theirs = free_ports(callers)
        ours = free_ports(callers, theirs)
        arguments = [*command, HOST, str(ours), str(callers), str(theirs)]
        with (
            contextlib.closing(Telephones(theirs, callers)) as telephones,
            start_apart(arguments) as process,
        ):
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            if process.stdout.readline() != "ready\n":
                # Another program took one of the ports meanwhile.
                continue
            time.sleep(WARM)
            telephones.count()
            before, began = cpu_of(process.pid), time.monotonic()
            time.sleep(seconds)
            used, lasted = cpu_of(process.pid) - before, time.monotonic() - began
            came = telephones.count()
            process.communicate(timeout=10)
            return used / lasted / callers * 1e6, came / (callers * PER_SECOND * lasted)
    raise SystemExit(f"{command[-1]} did not start")


def main() -> int:
    """
    Print the table; 1 when the limit was missed.
    """
    parser = argparse.ArgumentParser(description="CPU per caller on music beside a bare C loop.")
    parser.add_argument("--callers", type=int, default=500, help="how many hear the music")
    parser.add_argument("--seconds", type=float, default=2.0, help="of music in a turn")
    parser.add_argument("--turns", type=int, default=5, help="in which both are measured one after the other")
    options = parser.parse_args()
    theirs, ours, arrived = [], [], []
    with tempfile.TemporaryDirectory() as directory:
        loop = compiled(Path(directory), "music_loop")
        for _ in range(options.turns):
            theirs.append(turn([loop], options.callers, options.seconds)[0])
            cost, came = turn([sys.executable, str(HERE / "music_subject.py")], options.callers, options.seconds)
            ours.append(cost)
            arrived.append(came)
    ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
    missed = ratio > LIMIT or min(arrived) < 0.97
    sys.stdout.write(
        f"callers  C µs/s  ours µs/s  ratio  limit   arrived\n{options.callers:>7} {statistics.median(theirs):>7.0f} "
        f"{statistics.median(ours):>10.0f} {ratio:>6.2f} {LIMIT:>6} {100 * min(arrived):>8.2f}%"
        f"  {'MISSED' if missed else 'kept'}\n"
    )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
