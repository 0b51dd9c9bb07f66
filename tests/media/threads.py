"""
A reactor whose threads do their work in virtual time: at once, or when a test lets them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure


class VirtualThreads:
    """
    The reactor's time and its pool of threads, on a clock; to be passed where code wants ``reactor`` for
    ``deferToThreadPool(reactor, reactor.getThreadPool(), ...)``.

    What is given to a thread is done at the clock's next step, after those given before, and its answer comes then. It
    is never done within the call that asked for it, as with real threads.

    Attributes:
        clock: The clock.
        held: Work that waits for :meth:`release`; ``None`` while threads are free.
        done: How many pieces of work were done.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.held: list[Callable[[], None]] | None = None
        self.done = 0
        self.seconds = clock.seconds
        self.callLater = clock.callLater

    def getThreadPool(self) -> VirtualThreads:  # noqa: N802 - the reactor's name for it
        """
        The pool.
        """
        return self

    def callFromThread(self, function: Callable[..., object], *args: Any, **named: Any) -> None:  # noqa: N802
        """
        Do something in the reactor.
        """
        function(*args, **named)

    def callInThreadWithCallback(  # noqa: N802
        self, on_result: Callable[[bool, Any], object], function: Callable[..., Any], *args: Any, **named: Any
    ) -> None:
        """
        Do something in a thread; the answer goes to ``on_result``.
        """

        def work() -> None:
            self.done += 1
            try:
                result = function(*args, **named)
            except Exception:  # noqa: BLE001 - as the pool does
                on_result(False, Failure())
            else:
                on_result(True, result)

        if self.held is None:
            self.clock.callLater(0, work)
        else:
            self.held.append(work)

    def hold(self) -> None:
        """
        Let no thread be free from now on.
        """
        self.held = []

    def release(self) -> None:
        """
        Do what was held up, and let threads be free.
        """
        held, self.held = self.held or [], None
        for work in held:
            work()
