"""
What relaying a packet costs, beside a bare C loop that does the same: ``python tools/bench/relay_bench.py``.

Both are driven by the same telephones (``relay_generator.c``), in turns, so that what else the machine does hits both
alike. Times vary from machine to machine and from minute to minute: the ratio counts.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
PORTS = range(20_000, 32_000, 1_000)
"""Where a row of free ports is looked for; above lie those that the kernel hands out."""

LIMITS = {10: 1.6, 150: 1.1}
"""Calls and the CPU a packet may cost, as a multiple of the C loop's."""


@define
class Measured:
    """
    What several turns of one relay came to.

    Attributes:
        cpu: Seconds of user and system time.
        sent: Packets the telephones sent.
        received: Packets they got back.
        p50: Median delay in microseconds, the worst turn's.
        p99: 99th percentile of the delay in microseconds, the worst turn's.
    """

    cpu: float = 0.0
    sent: int = 0
    received: int = 0
    p50: int = 0
    p99: int = 0

    @property
    def cost(self) -> float:
        """
        Microseconds of CPU a packet.
        """
        return self.cpu / max(1, self.sent) * 1e6

    @property
    def arrived(self) -> float:
        """
        Packets that came through, in percent.
        """
        return 100.0 * self.received / max(1, self.sent)


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


def turn(relay: Sequence[str], generator: str, calls: int, seconds: float, measured: Measured) -> str:
    """
    Run a relay for a while, and add what it came to; the relay's own last words.
    """
    streams = 2 * calls
    ours = free_ports(streams)
    theirs = free_ports(streams, ours)
    command = [*relay, HOST, str(ours), str(streams), str(theirs)]
    phones = [generator, HOST, str(theirs), str(streams), str(ours)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        if process.stdout.readline() != "ready\n":
            raise SystemExit(f"{relay[0]} did not start")
        # The first packets find cold caches.
        subprocess.run([*phones, "0.5"], check=True, capture_output=True)
        before = cpu_of(process.pid)
        heard = subprocess.run([*phones, str(seconds)], check=True, capture_output=True, text=True)
        measured.cpu += cpu_of(process.pid) - before
        words, _ = process.communicate(timeout=10)
    sent, received, p50, p99 = (int(word) for word in heard.stdout.split())
    measured.sent += sent
    measured.received += received
    measured.p50 = max(measured.p50, p50)
    measured.p99 = max(measured.p99, p99)
    return words.strip()


def compare(calls: int, seconds: float, turns: int, programs: tuple[str, str]) -> tuple[Measured, Measured]:
    """
    The C loop and our relay with a number of calls.
    """
    loop, generator = programs
    reference, ours = Measured(), Measured()
    for _ in range(turns):
        turn([loop], generator, calls, seconds / turns, reference)
        turn([sys.executable, str(HERE / "relay_subject.py")], generator, calls, seconds / turns, ours)
    return reference, ours


def main() -> int:
    """
    Print the table; 1 when a limit was missed.
    """
    parser = argparse.ArgumentParser(description="CPU per relayed packet beside a bare C loop.")
    parser.add_argument("--calls", type=int, nargs="*", default=sorted(LIMITS), help="how many calls, several times")
    parser.add_argument("--seconds", type=float, default=6.0, help="of traffic for each relay")
    parser.add_argument("--turns", type=int, default=3, help="in which each relay is measured")
    options = parser.parse_args()
    missed = False
    out = sys.stdout
    out.write("calls    C µs  ours µs  ratio  limit   arrived  p50 ms  p99 ms\n")
    with tempfile.TemporaryDirectory() as directory:
        programs = compiled(Path(directory), "relay_loop"), compiled(Path(directory), "relay_generator")
        for calls in options.calls:
            reference, ours = compare(calls, options.seconds, options.turns, programs)
            ratio = ours.cost / reference.cost
            limit = LIMITS.get(calls, max(LIMITS.values()))
            missed |= ratio > limit or ours.arrived < 99 or ours.p99 - reference.p99 > 5000
            out.write(
                f"{calls:>5} {reference.cost:>7.2f} {ours.cost:>8.2f} {ratio:>6.2f} {limit:>6} {ours.arrived:>8.2f}% "
                f"{(ours.p50 - reference.p50) / 1000:>7.2f} {(ours.p99 - reference.p99) / 1000:>7.2f}\n"
            )
            out.flush()
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
