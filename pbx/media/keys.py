"""
The keys a caller presses: kept until somebody wants them, so that who knows the way can type ahead.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import CancelledError, Deferred

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall, IReactorTime

MAX_WAITING: Final = 32
"""Keys kept: a mailbox, a PIN and some choices; a stuck key must not fill the memory. The oldest go first."""

SAME_KEY: Final = 0.6
"""Seconds within which the same key told in another way is the same press: some phones send SIP INFO and RFC 4733."""


class Keys:
    """
    What one caller has pressed and nobody has taken yet.

    Attributes:
        watcher: Asked about each key before it is kept; whether it took it.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.watcher: Callable[[str], bool] | None = None
        self._clock = clock
        self._pressed: deque[str] = deque(maxlen=MAX_WAITING)
        self._unmatched: deque[tuple[str, str, float]] = deque(maxlen=MAX_WAITING)
        self._waiting: Deferred[str] | None = None

    def __len__(self) -> int:
        return len(self._pressed)

    def press(self, key: str, source: str) -> None:
        """
        Take a key that was pressed.

        Args:
            key: ``0`` to ``9``, ``*``, ``#``, or ``A`` to ``D``.
            source: How it came to us: ``rtp`` or ``info``.
        """
        now = self._clock.seconds()
        for other in self._unmatched:
            if other[0] == key and other[1] != source and now - other[2] <= SAME_KEY:
                self._unmatched.remove(other)
                return
        self._unmatched.append((key, source, now))
        if self.watcher is not None and self.watcher(key):
            return
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(key)
        else:
            self._pressed.append(key)

    def take(self, wanted: str) -> str:
        """
        The first key kept that is one of those wanted, nothing when there is none.

        Keys before it are dropped: they meant nothing to who now asks. Without a wanted one all stay.
        """
        for place, key in enumerate(self._pressed):
            if key in wanted:
                for _ in range(place + 1):
                    self._pressed.popleft()
                return key
        return ""

    def clear(self) -> None:
        """
        Forget what was pressed so far.
        """
        self._pressed.clear()

    async def next(self, timeout: float) -> str:
        """
        The next key, which may have been pressed already; nothing when none comes in time.

        Args:
            timeout: Seconds.

        Raises:
            ValueError: Somebody waits for a key already.
        """
        if self._pressed:
            return self._pressed.popleft()
        if self._waiting is not None:
            raise ValueError("somebody waits for a key already")
        waiting: Deferred[str] = Deferred()
        self._waiting = waiting
        late: IDelayedCall = self._clock.callLater(timeout, self._give_up, waiting)
        try:
            return await waiting
        finally:
            if self._waiting is waiting:
                self._waiting = None
            if late.active():
                late.cancel()

    def abandon(self) -> None:
        """
        Cancel whoever waits for a key.
        """
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(CancelledError())

    def _give_up(self, waiting: Deferred[str]) -> None:
        self._waiting = None
        waiting.callback("")
