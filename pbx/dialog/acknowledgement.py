"""
A 2xx to INVITE, sent again until its ACK comes (RFC 3261 13.3.1.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from pbx.transaction.timers import Timers


class Acknowledgement:
    """
    The wait for one ACK: ``resend`` is called at T1, doubling up to T2, on any transport; ``missing`` after 64*T1.
    """

    __slots__ = ("_clock", "_deadline", "_interval", "_missing", "_resend", "_timer", "_timers")

    def __init__(
        self, clock: IReactorTime, timers: Timers, resend: Callable[[], None], missing: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._resend = resend
        self._missing = missing
        self._interval = timers.t1
        self._deadline = clock.seconds() + 64 * timers.t1
        self._timer: IDelayedCall | None = clock.callLater(self._interval, self._fired)

    def stop(self) -> None:
        """
        The ACK has come, or nobody waits for it any more.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fired(self) -> None:
        self._timer = None
        left = self._deadline - self._clock.seconds()
        if left <= 0:
            self._missing()
            return
        self._interval = min(2 * self._interval, self._timers.t2)
        self._timer = self._clock.callLater(min(self._interval, left), self._fired)
        self._resend()
