"""
A table that is mirrored in memory: read at the start, after every notification, and when the database comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pbx.store.database import Database, DatabaseDown, DatabaseError
from pbx.store.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PAUSE = 0.02
"""Seconds from a notification to reading: many that come together are read at once."""
AGAIN = 5.0
"""Seconds until a reading that failed is tried again."""
STOP_SECONDS = 2.0
"""How long a reading may take when the program stops."""


class Mirror:
    """
    What keeps something in memory like a table, whichever node or operator changes it.

    Args:
        reactor: The clock.
        database: Where the table is.
        channel: Notified by the table's triggers with the key that changed, or nothing for "all of them".
        load: Reads all.
        reread: Reads what has one key.
        what: What it is, in the plural, for the log: ``extensions``.

    Attributes:
        loaded: Whether it was read once.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        database: Database,
        channel: str,
        load: Callable[[], Awaitable[None]],
        reread: Callable[[str], Awaitable[None]],
        what: str,
    ) -> None:
        self.loaded = False
        self._database = database
        self._channel = channel
        self._load_all = load
        self._reread = reread
        self._what = what
        self._stale: set[str] = set()
        self._worker = Worker(reactor, self._refresh, f"read changed {what}")

    async def start(self) -> None:
        """
        Read all, and keep it fresh from now on. When the database is away, it is read when it comes back.
        """
        self._database.on_recovered(self._load)
        await self._database.listen(self._channel, self._changed)
        try:
            await self._load()
        except DatabaseDown:
            self.log.warn("There are no {what} until the database can be reached", what=self._what)

    async def stop(self) -> None:
        """
        Read nothing any more.
        """
        self._worker.stop()
        await self._worker.settle(STOP_SECONDS, again=False)

    async def _load(self) -> None:
        await self._load_all()
        self.loaded = True

    def _changed(self, key: str) -> None:
        self._stale.add(key)
        self._worker.soon(PAUSE)

    async def _refresh(self) -> None:
        # One after the other: an older answer must not come after a newer one.
        while self._stale:
            stale, self._stale = self._stale, set()
            try:
                if "" in stale or len(stale) > 1:
                    await self._load()
                else:
                    (key,) = stale
                    await self._reread(key)
            except DatabaseDown:
                # Everything is read again when it is back.
                return
            except DatabaseError as error:
                self.log.warn("Changed {what} were not read, tried again: {error}", what=self._what, error=error)
                self._stale |= stale
                self._worker.soon(AGAIN)
                return
