"""
A 2xx to INVITE, sent again until its ACK comes (RFC 3261 13.3.1.4), or a reliable 1xx until its PRACK (RFC 3262 3).
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

    Args:
        clock: For the repetitions.
        timers: T1 and T2.
        resend: Sends the response once more.
        missing: Called when nothing has come for 64*T1.
        cseq: The CSeq number of what is waited for.
        most: The longest time between two repetitions in seconds, T2 when not given.
    """

    __slots__ = ("_clock", "_deadline", "_interval", "_missing", "_most", "_resend", "_timer", "cseq")

    def __init__(
        self,
        clock: IReactorTime,
        timers: Timers,
        resend: Callable[[], None],
        missing: Callable[[], None],
        *,
        cseq: int = 0,
        most: float | None = None,
    ) -> None:
        self.cseq = cseq
        self._clock = clock
        self._most = timers.t2 if most is None else most
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
        self._interval = min(2 * self._interval, self._most)
        self._timer = self._clock.callLater(min(self._interval, left), self._fired)
        self._resend()
