"""
Password hashes that are slow to guess, made in a thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

from twisted.internet.defer import DeferredSemaphore
from twisted.internet.threads import deferToThreadPool

from pbx.store.passwords import hash_of, matches

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorThreads
    from twisted.python.threadpool import ThreadPool

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 2
"""Hashes at once: each takes 19 MB and a core for some 30 ms, and strangers may ask for it."""


class SlowHashes:
    """
    The hashes of :mod:`pbx.store.passwords`, made a few at a time over a thread pool.
    """

    def __init__(self, reactor: IReactorThreads, threads: ThreadPool) -> None:
        """
        A hasher.

        Args:
            reactor: Where results come back to.
            threads: Where the work is done.
        """
        self._reactor = reactor
        self._threads = threads
        self._places = DeferredSemaphore(AT_ONCE)

    async def hash(self, password: str) -> str:
        """
        The hash of a password, with its salt and parameters.
        """
        return await self._in_thread(hash_of, password)

    async def verify(self, stored: str, password: str) -> bool:
        """
        Whether a hash is that of a password.
        """
        return await self._in_thread(matches, password, stored)

    async def _in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def run() -> Deferred[T]:
            return deferToThreadPool(self._reactor, self._threads, call, *args, **kwargs)

        return await self._places.run(run)
