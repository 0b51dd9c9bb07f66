"""
Coroutines that nobody awaits: started in one place, their failures logged, cancelled when the service stops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from twisted.python.failure import Failure

T = TypeVar("T")


class Tasks:
    """
    The coroutines now under way that no other coroutine waits for.
    """

    log = Logger()

    def __init__(self) -> None:
        self._running: set[Deferred[Any]] = set()
        self._stopped = False

    def __len__(self) -> int:
        return len(self._running)

    def start(self, coroutine: Coroutine[Any, Any, T], what: str) -> Deferred[T | None]:
        """
        Run a coroutine to its end; a failure is logged with ``what`` and goes no further.

        Args:
            coroutine: What to run. After :meth:`stop` it is closed without having run.
            what: A few words for the log, such as ``"save bindings"``.

        Returns:
            A Deferred that fires with the coroutine's result, or with ``None`` when it failed or was cancelled.
        """
        if self._stopped:
            coroutine.close()
            done: Deferred[T | None] = Deferred()
            done.callback(None)
            return done
        deferred = Deferred.fromCoroutine(coroutine)
        self._running.add(deferred)
        deferred.addBoth(self._ended, deferred)
        deferred.addErrback(self._failed, what)
        return deferred  # type: ignore[return-value]  # the errback turns a failure into None

    def stop(self) -> Deferred[None]:
        """
        Cancel what is under way; nothing can be started afterwards.

        Returns:
            A Deferred that fires when all of it has ended.
        """
        self._stopped = True
        running = list(self._running)
        for deferred in running:
            deferred.cancel()
        return DeferredList(running).addCallback(lambda _: None)

    def _ended(self, result: T, deferred: Deferred[Any]) -> T:
        self._running.discard(deferred)
        return result

    def _failed(self, failure: Failure, what: str) -> None:
        if failure.check(CancelledError) is None or not self._stopped:
            self.log.failure("{what} failed", failure=failure, what=what)
