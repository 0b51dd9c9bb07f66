"""
A timer that an epoll can wait for beside its sockets (timerfd_create(2)).

With it a wait needs no time limit of its own. Setting one for each wait is a good part of what a wake-up costs.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

_MONOTONIC: Final = 1
_libc = ctypes.CDLL(None, use_errno=True)


class _Setting(ctypes.Structure):
    """
    ``struct itimerspec``: the interval, which stays zero, and the time until it goes off.
    """

    _fields_ = [
        ("interval_seconds", ctypes.c_long),
        ("interval_nanoseconds", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("nanoseconds", ctypes.c_long),
    ]


class Alarm:
    """
    A file descriptor that becomes readable after a time.
    """

    def __init__(self) -> None:
        self._descriptor = _libc.timerfd_create(_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self._setting = _Setting(0, 0, 0, 0)

    def fileno(self) -> int:
        """
        The file descriptor.
        """
        return int(self._descriptor)

    def set(self, seconds: float) -> None:
        """
        Go off after some seconds, and not before; what was set or went off before is forgotten.
        """
        # All zero would mean never.
        whole = int(seconds)
        self._setting.seconds = whole
        self._setting.nanoseconds = max(1, int((seconds - whole) * 1e9))
        _libc.timerfd_settime(self._descriptor, 0, ctypes.byref(self._setting), None)

    def close(self) -> None:
        """
        Give the file descriptor back.
        """
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
