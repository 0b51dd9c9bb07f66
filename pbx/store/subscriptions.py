"""
The table ``subscription``: what phones have subscribed to, kept over a restart. As with bindings, writes are gathered,
and of each subscription the latest state alone is written.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from zope.interface import implementer

from pbx.dialog.notifier import ISubscriptionStore
from pbx.store.bindings import AGAIN, BATCH, CONNECTION_BOUND, STOP_SECONDS
from pbx.store.database import Database, DatabaseError, Rejected
from pbx.store.jsonb import document
from pbx.store.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IReactorTime

PAUSE = 0.5
"""Seconds from a change to its writing: a key that blinks is written twice a second at most."""

WRITE = """
    WITH latest AS (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS l (key text, value jsonb)),
    gone AS (DELETE FROM subscription USING latest WHERE subscription.key = latest.key AND latest.value IS NULL)
    INSERT INTO subscription (key, value) SELECT key, value FROM latest WHERE value IS NOT NULL
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, written = now()
"""


@implementer(ISubscriptionStore)
class Subscriptions:
    """
    The stored subscriptions, and the ones that wait to be stored.

    While the database is away the latest state of each is kept, and written when it is back: that is no more than the
    subscriptions that there are, and the names of those that ended meanwhile.

    Args:
        clock: When to write.
        database: Where to.
        wall: The time of day in seconds since 1970, by which they expire.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, database: Database, wall: Callable[[], float]) -> None:
        self._database = database
        self._wall = wall
        self._latest: dict[str, Callable[[], dict[str, Any]] | None] = {}
        self._worker = Worker(clock, self._write, "store subscriptions")
        self.written = 0
        database.on_recovered(self._recovered)

    @property
    def waiting(self) -> int:
        """
        How many are not written yet.
        """
        return len(self._latest)

    async def load(self) -> list[dict[str, Any]]:
        """
        The subscriptions that are still good; the others are forgotten.

        Raises:
            DatabaseDown: The database is away.
        """
        now = self._wall()
        await self._database.execute(
            "DELETE FROM subscription WHERE (value ->> 'expires_at')::float <= %s OR value ->> 'transport' = ANY(%s)",
            (now, sorted(CONNECTION_BOUND)),
        )
        rows = await self._database.query("SELECT value FROM subscription ORDER BY written, key")
        return [row["value"] for row in rows]

    def save(self, key: str, row: Callable[[], dict[str, Any]]) -> None:
        """
        Store one soon, as it is then; returns at once.
        """
        self._latest[key] = row
        self._worker.soon(PAUSE)

    def remove(self, key: str) -> None:
        """
        Forget one soon; returns at once.
        """
        self._latest[key] = None
        self._worker.soon(PAUSE)

    async def stop(self) -> None:
        """
        Write what waits. What the database can't take now is lost, and the phones subscribe again.
        """
        done = await self._worker.settle(STOP_SECONDS, again=bool(self._latest))
        self._worker.stop()
        if self._latest or not done:
            self.log.warn("{n} subscriptions were not stored: the database is away", n=len(self._latest))

    def _recovered(self) -> None:
        if self._latest:
            self._worker.soon(0)

    async def _write(self) -> None:
        while self._latest and self._database.up:
            batch = dict(islice(self._latest.items(), BATCH))
            for key in batch:
                del self._latest[key]
            try:
                await self._write_batch([{"key": key, "value": _value(row)} for key, row in batch.items()])
            except DatabaseError as error:
                # What was saved meanwhile is newer.
                self._latest = {**batch, **self._latest}
                if self._database.up:
                    self.log.error("Subscriptions could not be stored, tried again: {error}", error=error)
                    self._worker.soon(AGAIN)
                return

    async def _write_batch(self, rows: list[dict[str, Any]]) -> None:
        try:
            await self._database.execute(WRITE, (document(rows).decode(),))
        except Rejected as error:
            if len(rows) > 1:
                # One of them is not acceptable: the others are.
                for row in rows:
                    await self._write_batch([row])
                return
            self.log.error("The subscription {key} can't be stored: {error}", key=rows[0]["key"], error=error)
            return
        self.written += len(rows)


def _value(row: Callable[[], dict[str, Any]] | None) -> dict[str, Any] | None:
    """
    What is written of one; ``None`` where nothing is kept: it has ended, or ends with its connection.
    """
    value = row() if row is not None else None
    return None if value is None or str(value["transport"]).upper() in CONNECTION_BOUND else value
