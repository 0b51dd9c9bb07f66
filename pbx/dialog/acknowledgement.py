"""
A 2xx to INVITE, sent again until its ACK comes (RFC 3261 13.3.1.4), or a reliable 1xx until its PRACK (RFC 3262 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.transaction.timer_queue import Entry, TimerQueue
    from pbx.transaction.timers import Timers


class Acknowledgement:
    """
    The wait for one ACK: ``resend`` is called at T1, doubling up to T2, on any transport; ``missing`` after 64*T1.

    Args:
        queue: For the repetitions.
        timers: T1 and T2.
        resend: Sends the response once more.
        missing: Called when nothing has come for 64*T1.
        cseq: The CSeq number of what is waited for.
        most: The longest time between two repetitions in seconds, T2 when not given.
    """

    __slots__ = ("_deadline", "_interval", "_missing", "_most", "_queue", "_resend", "_timer", "cseq")

    def __init__(
        self,
        queue: TimerQueue,
        timers: Timers,
        resend: Callable[[], None],
        missing: Callable[[], None],
        *,
        cseq: int = 0,
        most: float | None = None,
    ) -> None:
        self.cseq = cseq
        self._queue = queue
        self._most = timers.t2 if most is None else most
        self._resend = resend
        self._missing = missing
        self._interval = timers.t1
        self._deadline = queue.seconds() + 64 * timers.t1
        self._timer: Entry | None = queue.start(self._interval, self, "")

    def stop(self) -> None:
        """
        The ACK has come, or nobody waits for it any more.
        """
        if self._timer is not None:
            self._queue.stop(self._timer)
            self._timer = None

    def timer_fired(self, name: str) -> None:
        """
        Send it again, or give it up.
        """
        self._timer = None
        left = self._deadline - self._queue.seconds()
        if left <= 0:
            self._missing()
            return
        self._interval = min(2 * self._interval, self._most)
        self._timer = self._queue.start(min(self._interval, left), self, name)
        self._resend()
