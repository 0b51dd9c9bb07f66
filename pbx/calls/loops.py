"""
Calls that go in circles: the same caller and number, begun again and again (RFC 3261 16.3 names the danger).
"""

from __future__ import annotations

from collections import OrderedDict, deque

WINDOW = 2.0
"""Seconds in which the beginnings of one pair are counted."""

MOST = 10
"""Beginnings of one pair in :data:`WINDOW`: a person with a redial key stays far below."""

MOST_PLACES = 100
"""Places that one party is sent on from: menus that name each other must not keep one for ever that presses nothing."""

MOST_AT_ONCE = 10
"""Of these, how many within a second: ring groups that name each other would send it round without end at once."""

MOST_PAIRS = 5000
"""Pairs watched at once; the one seen least recently goes."""


class LoopWatch:
    """
    Counts how often each caller has begun a call to each number lately.
    """

    def __init__(self) -> None:
        self._begun: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def begins(self, caller: str, number: str, now: float) -> bool:
        """
        Count one beginning; tell whether it is one too many.

        Args:
            caller: Who calls.
            number: What was dialled.
            now: The time in seconds.
        """
        key = (caller, number)
        times = self._begun.get(key)
        if times is None:
            times = self._begun[key] = deque(maxlen=MOST)
            if len(self._begun) > MOST_PAIRS:
                self._begun.popitem(last=False)
        else:
            self._begun.move_to_end(key)
        if len(times) == MOST and now - times[0] <= WINDOW:
            return True
        times.append(now)
        return False


class Rounds:
    """
    Counts how often one party is sent on, from place to place.
    """

    __slots__ = ("_count", "_latest")

    def __init__(self) -> None:
        self._count = 0
        self._latest: deque[float] = deque(maxlen=MOST_AT_ONCE)

    def goes_round(self, now: float) -> bool:
        """
        Count one time; tell whether it is one too many.

        Args:
            now: The time in seconds.
        """
        self._count += 1
        self._latest.append(now)
        at_once = len(self._latest) == MOST_AT_ONCE and now - self._latest[0] < 1.0
        return at_once or self._count >= MOST_PLACES
