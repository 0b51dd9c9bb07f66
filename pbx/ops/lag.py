"""
How late the event loop is: the difference between when a timer was due and when it ran.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

INTERVAL = 0.5
"""Seconds between two measurements: often enough to meet a stall that a caller would hear, rare enough to be free."""

WINDOW = 120
"""Measurements looked back upon: one minute."""


class LoopLag:
    """
    Measures the lag of the reactor.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._lags: list[float] = []
        self._due = 0.0
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        """
        Begin to measure.
        """
        self._due = self._clock.seconds() + INTERVAL
        self._timer = self._clock.callLater(INTERVAL, self._measure)

    def stop(self) -> None:
        """
        End it.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def figures(self) -> dict[str, float]:
        """
        The last minute in milliseconds: ``mean_ms`` and ``max_ms``.
        """
        lags = self._lags or [0.0]
        return {"mean_ms": round(1000 * sum(lags) / len(lags), 2), "max_ms": round(1000 * max(lags), 2)}

    def _measure(self) -> None:
        now = self._clock.seconds()
        self._lags.append(max(0.0, now - self._due))
        del self._lags[:-WINDOW]
        self._due = now + INTERVAL
        self._timer = self._clock.callLater(INTERVAL, self._measure)
