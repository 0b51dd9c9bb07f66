"""
The exact clock of retransmissions, timeouts and patience: any number of timers, one call of the reactor.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twisted.internet.interfaces import IDelayedCall, IReactorTime

SWEEP_ABOVE = 1000
"""Stopped timers kept before a sweep is thought of: fewer cost less than the sweep."""


class Timed(Protocol):
    """
    Something that has timers.
    """

    def timer_fired(self, name: str) -> None:
        """
        The timer of that name has run out.
        """


Entry = list[Any]
"""One timer: when it fires, its number among equals, whose it is (``None`` once stopped or fired), its name."""


class TimerQueue:
    """
    Timers that mostly never fire, since the answer comes first.

    A reactor's own timer costs some microseconds to make and to cancel. Here starting is a push on a heap, stopping
    clears the entry where it lies, and the reactor has one delayed call, for the earliest entry; none when no timer
    runs. Entries that were stopped are swept out when they are more than half.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._heap: list[Entry] = []
        self._numbers: Iterator[int] = count()
        self._running = 0
        self._call: IDelayedCall | None = None
        self._due = 0.0
        self._firing = False

    def __len__(self) -> int:
        return self._running

    def seconds(self) -> float:
        """
        The time by the clock that it goes by.
        """
        return self._clock.seconds()

    def start(self, seconds: float, timed: Timed, name: str) -> Entry:
        """
        Call ``timed.timer_fired(name)`` in ``seconds``.

        Returns:
            What :meth:`stop` takes.
        """
        due = self._clock.seconds() + seconds
        entry: Entry = [due, next(self._numbers), timed, name]
        heappush(self._heap, entry)
        self._running += 1
        if not self._firing:
            self._call_at(due, seconds)
        return entry

    def stop(self, entry: Entry) -> None:
        """
        Stop a timer; one that has fired or was stopped before is no error.
        """
        if entry[2] is None:
            return
        entry[2] = None
        self._running -= 1
        if not self._running:
            self.clear()
        elif len(self._heap) > SWEEP_ABOVE and self._running * 2 < len(self._heap):
            self._heap = [kept for kept in self._heap if kept[2] is not None]
            heapify(self._heap)

    def clear(self) -> None:
        """
        Forget all timers.
        """
        for entry in self._heap:
            entry[2] = None
        self._heap.clear()
        self._running = 0
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _call_at(self, due: float, seconds: float) -> None:
        if self._call is None:
            self._due = due
            self._call = self._clock.callLater(seconds, self._fire)
        elif due < self._due:
            self._due = due
            self._call.reset(seconds)

    def _fire(self) -> None:
        self._call = None
        self._firing = True
        now = self._clock.seconds()
        try:
            while self._heap and (self._heap[0][0] <= now or self._heap[0][2] is None):
                entry = heappop(self._heap)
                timed = entry[2]
                if timed is not None:
                    entry[2] = None
                    self._running -= 1
                    timed.timer_fired(entry[3])
        finally:
            # Also when one of them raised, which is the reactor's to log.
            self._firing = False
            if self._heap:
                due = self._heap[0][0]
                self._call_at(due, max(0.0, due - now))
