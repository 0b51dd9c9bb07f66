"""
What is measured, on a CPU of its own.

Telephones are other machines in life. Here they share this one, and where the scheduler puts them decides what a packet
costs: beside its telephones, on the same CPU, a relay finds it awake and half as cheap again. So the measured, ours and
the reference alike, get the last CPU, and whoever measures them goes, with all the telephones, to the others.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_ALL: Final = frozenset(os.sched_getaffinity(0))
_OWN: Final = {max(_ALL)}


def start_apart(command: Sequence[str]) -> subprocess.Popen[str]:
    """
    Start a program that is measured; from then on this process, and what else it starts, keeps off its CPU.

    Args:
        command: The program and its arguments.

    Returns:
        The process, with pipes at its standard input and output. On a machine with one CPU all share that.
    """
    # A process begins where the one that starts it may run.
    os.sched_setaffinity(0, _OWN)
    try:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    finally:
        os.sched_setaffinity(0, (_ALL - _OWN) or _OWN)
