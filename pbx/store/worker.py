"""
Work that is done soon, one run at a time: how changes are gathered into batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from pbx.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Worker:
    """
    A piece of work that is asked for more often than it is done; it never runs twice at once.

    Args:
        clock: When to do it.
        work: Does all there is to do.
        what: A few words for the log, should it fail.
    """

    def __init__(self, clock: IReactorTime, work: Callable[[], Awaitable[None]], what: str) -> None:
        self._clock = clock
        self._work = work
        self._what = what
        self._tasks = Tasks()
        self._timer: IDelayedCall | None = None
        self._again: float | None = None
        self._running = False
        self._stopped = False
        self._waiting: list[Deferred[None]] = []

    def soon(self, seconds: float) -> None:
        """
        Have the work done within some seconds from now, or from the end of the run under way.
        """
        if self._stopped:
            return
        if self._running:
            self._again = seconds if self._again is None else min(self._again, seconds)
        elif self._timer is None:
            self._timer = self._clock.callLater(seconds, self._start)
        elif self._timer.getTime() > self._clock.seconds() + seconds:
            self._timer.reset(seconds)

    async def settle(self, limit: float, *, again: bool) -> bool:
        """
        Wait for the run under way.

        Args:
            limit: Seconds to wait at most; the work itself goes on.
            again: Do the work once more after that, at once, and wait for it too.

        Returns:
            Whether it ended in time.
        """
        deadline = self._clock.seconds() + limit
        if not await self._end(deadline):
            return False
        if again and not self._running:
            self._drop_timer()
            self._start()
        return await self._end(deadline)

    def stop(self) -> None:
        """
        Do nothing any more.
        """
        self._stopped = True
        self._drop_timer()

    async def _end(self, deadline: float) -> bool:
        while self._running:
            left = deadline - self._clock.seconds()
            if left <= 0:
                return False
            waiter: Deferred[None] = Deferred()
            self._waiting.append(waiter)
            limit = self._clock.callLater(left, self._tell)
            await waiter
            if limit.active():
                limit.cancel()
        return True

    def _start(self) -> None:
        self._timer = None
        self._running = True
        self._tasks.start(self._run(), self._what)

    async def _run(self) -> None:
        try:
            await self._work()
        finally:
            self._running = False
            again, self._again = self._again, None
            if again is not None:
                self.soon(again)
            self._tell()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)

    def _drop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
