"""
The coarse clock of waiting transactions: half a second more or less, one call of the reactor for hundreds of them.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

GRANULARITY = 0.5
"""Seconds by which a wait may be longer than asked for. It only keeps late messages absorbed a little longer, and at
hundreds of transactions a second it saves as many wake-ups of the reactor."""


class Waiting(Protocol):
    """
    Something that waits for its last timer.
    """

    def wait_over(self) -> None:
        """
        The time is up.
        """


class Wheel:
    """
    The wait timers D, I, J, K, L and M of all transactions, in buckets of :data:`GRANULARITY` seconds.

    A wait can't be stopped: whoever ended early does nothing in :meth:`Waiting.wait_over`.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._buckets: dict[int, tuple[IDelayedCall, list[Waiting]]] = {}

    def wait(self, seconds: float, waiting: Waiting) -> None:
        """
        Call ``waiting.wait_over()`` in ``seconds``, or up to :data:`GRANULARITY` later.
        """
        now = self._clock.seconds()
        tick = ceil((now + seconds) / GRANULARITY)
        bucket = self._buckets.get(tick)
        if bucket is None:
            call = self._clock.callLater(max(0.0, tick * GRANULARITY - now), self._turn, tick)
            self._buckets[tick] = bucket = (call, [])
        bucket[1].append(waiting)

    def stop(self) -> None:
        """
        Forget everything.
        """
        for call, _ in self._buckets.values():
            call.cancel()
        self._buckets.clear()

    def _turn(self, tick: int) -> None:
        _, due = self._buckets.pop(tick)
        self._release(due)

    def _release(self, due: list[Waiting]) -> None:
        try:
            while due:
                due.pop().wait_over()
        finally:
            # One that raised is the reactor's to log; the others must not stay for ever.
            if due:
                for waiting in due:
                    self.wait(0, waiting)
