"""
What relaying a packet costs, beside a bare C loop that does the same: ``python tools/bench/relay_bench.py``.

Both are driven by the same telephones (``relay_generator.c``), in turns, so that what else the machine does hits both
alike. Times vary from machine to machine and from minute to minute: the ratio counts, the middle one of all turns.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from apart import start_apart
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
PORTS = range(20_000, 32_000, 1_000)
"""Where a row of free ports is looked for; above lie those that the kernel hands out."""

LIMITS = {10: 1.6, 150: 1.1}
"""Calls and the CPU a packet may cost, as a multiple of the C loop's."""


@frozen
class Turn:
    """
    What one turn of a relay came to.

    Attributes:
        cpu: Seconds of user and system time.
        sent: Packets the telephones sent.
        received: Packets they got back.
        p50: Median delay in microseconds.
        p99: 99th percentile of the delay in microseconds.
    """

    cpu: float
    sent: int
    received: int
    p50: int
    p99: int

    @property
    def cost(self) -> float:
        """
        Microseconds of CPU a packet.
        """
        return self.cpu / max(1, self.sent) * 1e6


@frozen
class Row:
    """
    The C loop and our relay in turns; one turn that the machine disturbed does not decide.

    Attributes:
        reference: The turns of the C loop.
        ours: Our own, each right after the C loop's.
    """

    reference: Sequence[Turn]
    ours: Sequence[Turn]

    @property
    def ratios(self) -> list[float]:
        """
        What a packet cost us in each turn, as a multiple of the C loop's.
        """
        return [ours.cost / theirs.cost for theirs, ours in zip(self.reference, self.ours, strict=True)]

    @property
    def arrived(self) -> float:
        """
        Packets that came through us in all turns, in percent.
        """
        return 100.0 * sum(turn.received for turn in self.ours) / max(1, sum(turn.sent for turn in self.ours))

    def added(self, percentile: str) -> float:
        """
        Milliseconds by which our delay is longer at a percentile, ``p50`` or ``p99``.
        """
        pairs = zip(self.reference, self.ours, strict=True)
        return median(getattr(ours, percentile) - getattr(theirs, percentile) for theirs, ours in pairs) / 1000.0


def cpu_of(pid: int) -> float:
    """
    Seconds a process has been on a CPU, all its threads together, from the scheduler's own count.
    """
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def compiled(directory: Path, name: str) -> str:
    """
    The program of a C source beside this file.
    """
    program = directory / name
    subprocess.run(["cc", "-O2", "-o", program, HERE / f"{name}.c"], check=True)
    return str(program)


def free_ports(streams: int, taken: int = 0) -> int:
    """
    The first of a row of ports that nobody has, two a stream.
    """
    for first in PORTS:
        try:
            for port in range(first, first + 2 * streams):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.bind((HOST, port))
        except OSError:
            continue
        if first != taken:
            return first
    raise SystemExit("no row of free ports")


def measure(relay: Sequence[str], generator: str, calls: int, seconds: float) -> Turn:
    """
    Run a relay for a while.
    """
    streams = 2 * calls
    ours = free_ports(streams)
    theirs = free_ports(streams, ours)
    command = [*relay, HOST, str(ours), str(streams), str(theirs)]
    phones = [generator, HOST, str(theirs), str(streams), str(ours)]
    with start_apart(command) as process:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        if process.stdout.readline() != "ready\n":
            raise SystemExit(f"{relay[0]} did not start")
        # The first packets find cold caches.
        subprocess.run([*phones, "0.5"], check=True, capture_output=True)
        before = cpu_of(process.pid)
        heard = subprocess.run([*phones, str(seconds)], check=True, capture_output=True, text=True)
        cpu = cpu_of(process.pid) - before
        process.communicate(timeout=10)
    return Turn(cpu, *(int(word) for word in heard.stdout.split()))


def compare(calls: int, seconds: float, turns: int, programs: tuple[str, str]) -> Row:
    """
    The C loop and our relay with a number of calls.
    """
    loop, generator = programs
    relays = [loop], [sys.executable, str(HERE / "relay_subject.py")]
    pairs = [[measure(relay, generator, calls, seconds / turns) for relay in relays] for _ in range(turns)]
    return Row([theirs for theirs, _ in pairs], [ours for _, ours in pairs])


def main() -> int:
    """
    Print the table; 1 when a limit was missed.
    """
    parser = argparse.ArgumentParser(description="CPU per relayed packet beside a bare C loop.")
    parser.add_argument("--calls", type=int, nargs="*", default=sorted(LIMITS), help="how many calls, several times")
    parser.add_argument("--seconds", type=float, default=7.0, help="of traffic for each relay")
    parser.add_argument("--turns", type=int, default=7, help="in which each relay is measured; the median counts")
    options = parser.parse_args()
    missed = False
    out = sys.stdout
    out.write("calls    C µs  ours µs  ratio  (least to most)  limit   arrived  p50 ms  p99 ms\n")
    with tempfile.TemporaryDirectory() as directory:
        programs = compiled(Path(directory), "relay_loop"), compiled(Path(directory), "relay_generator")
        for calls in options.calls:
            row = compare(calls, options.seconds, options.turns, programs)
            ratio = median(row.ratios)
            limit = LIMITS.get(calls, max(LIMITS.values()))
            missed |= ratio > limit or row.arrived < 99 or row.added("p99") > 5.0
            theirs, ours = (median(turn.cost for turn in turns) for turns in (row.reference, row.ours))
            figures = f"{calls:>5} {theirs:>7.2f} {ours:>8.2f} {ratio:>6.2f}"
            spread = f"({min(row.ratios):.2f} to {max(row.ratios):.2f})"
            delay = f"{row.added('p50'):>7.2f} {row.added('p99'):>7.2f}"
            out.write(f"{figures}  {spread:<15} {limit:>6} {row.arrived:>8.2f}% {delay}\n")
            out.flush()
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
