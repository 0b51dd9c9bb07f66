"""
What a participant of a conference costs, beside a bare C loop that adds up the same packets:
``python tools/bench/conference_bench.py``.

Both are driven by the same telephones (``conference_generator.c``), in turns, so that what else the machine does hits
both alike. Times vary from machine to machine and from minute to minute: the ratio counts.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

from apart import start_apart
from relay_bench import HERE, HOST, compiled, cpu_of, free_ports

if TYPE_CHECKING:
    from collections.abc import Sequence

SHAPES = {"1 x 50": (50, 50), "10 x 5": (50, 5)}
"""The rows: how many take part, and how many of them in a room."""

LIMIT = 5.0
"""The CPU a participant may cost, as a multiple of the C loop's, which has no jitter buffer and measures nothing."""

TRIES = 3
"""How often a program is started, each time with other ports, before that is an error."""

WARM = "0.7"
"""Seconds before a measurement: the first packets find cold caches, and empty jitter buffers."""


def turn(command: Sequence[str], generator: str, streams: int, size: int, seconds: float) -> tuple[float, float, int]:
    """
    Let a program mix for a while.

    Returns:
        Microseconds of CPU a participant and second; the part of the packets that came; how many heard a voice.
    """
    for _ in range(TRIES):
        theirs = free_ports(streams)
        ours = free_ports(streams, theirs)
        arguments = [*command, HOST, str(ours), str(streams), str(theirs), str(size)]
        phones = [generator, HOST, str(theirs), str(streams), str(ours)]
        with start_apart(arguments) as process:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            if process.stdout.readline() != "ready\n":
                # Somebody else has taken one of the ports meanwhile.
                continue
            subprocess.run([*phones, WARM, str(size)], check=True, capture_output=True)
            before = cpu_of(process.pid)
            heard = subprocess.run([*phones, str(seconds), str(size)], check=True, capture_output=True, text=True)
            used = cpu_of(process.pid) - before
            process.communicate(timeout=10)
        sent, received, voices = (int(word) for word in heard.stdout.split())
        return used / seconds / streams * 1e6, received / max(1, sent), voices
    raise SystemExit(f"{command[-1]} did not start")


def main() -> int:
    """
    Print the table; 1 when a limit was missed.
    """
    parser = argparse.ArgumentParser(description="CPU per participant of a conference beside a bare C loop.")
    parser.add_argument("--seconds", type=float, default=3.0, help="of talk in a turn")
    parser.add_argument("--turns", type=int, default=4, help="in which both are measured one after the other")
    options = parser.parse_args()
    missed = False
    out = sys.stdout
    out.write("rooms      C µs/s  ours µs/s  ratio  limit   arrived  hear the voice\n")
    with tempfile.TemporaryDirectory() as directory:
        loop, generator = (compiled(Path(directory), f"conference_{name}") for name in ("loop", "generator"))
        subject = [sys.executable, str(HERE / "conference_subject.py")]
        for name, (streams, size) in SHAPES.items():
            theirs, ours, arrived, voices = [], [], [], []
            for _ in range(options.turns):
                theirs.append(turn([loop], generator, streams, size, options.seconds)[0])
                cost, part, hearing = turn(subject, generator, streams, size, options.seconds)
                ours.append(cost)
                arrived.append(part)
                voices.append(hearing)
            ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
            listeners = streams - streams // size
            failed = ratio > LIMIT or min(arrived) < 0.97 or set(voices) != {listeners}
            missed |= failed
            out.write(
                f"{name:<9} {statistics.median(theirs):>7.0f} {statistics.median(ours):>10.0f} {ratio:>6.2f} {LIMIT:>6}"
                f" {100 * min(arrived):>8.2f}%  {min(voices)} of {listeners}  {'MISSED' if failed else 'kept'}\n"
            )
            out.flush()
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
