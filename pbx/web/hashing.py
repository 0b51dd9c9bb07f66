"""
Password hashes that are slow to guess, made in a thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from twisted.internet.defer import DeferredSemaphore
from twisted.internet.threads import deferToThreadPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorThreads
    from twisted.python.threadpool import ThreadPool

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 2
"""Hashes at once: each takes 64 MB and a core for some 50 ms."""


class Argon2:
    """
    Argon2id with the parameters of RFC 9106 4 (second recommended option).
    """

    def __init__(self, reactor: IReactorThreads, threads: ThreadPool) -> None:
        """
        A hasher over a thread pool.

        Args:
            reactor: Where results come back to.
            threads: Where the work is done.
        """
        self._reactor = reactor
        self._threads = threads
        self._hasher = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4)
        self._places = DeferredSemaphore(AT_ONCE)

    async def hash(self, password: str) -> str:
        """
        The hash of a password, with its salt and parameters.
        """
        return await self._in_thread(self._hasher.hash, password)

    async def verify(self, stored: str, password: str) -> bool:
        """
        Whether a hash is that of a password.
        """
        return await self._in_thread(self._matches, stored, password)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def run() -> Deferred[T]:
            return deferToThreadPool(self._reactor, self._threads, call, *args, **kwargs)

        return await self._places.run(run)
