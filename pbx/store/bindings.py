"""
The table ``location``: where phones are registered, so that a restart forgets none of them.

A REGISTER never waits for it: what changed is written in batches, the latest state of each address of record alone.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from zope.interface import implementer

from pbx.registrar.location import IBindingStore
from pbx.store.database import Database, DatabaseError, Rejected
from pbx.store.jsonb import document
from pbx.store.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.internet.interfaces import IReactorTime

PAUSE = 0.2
"""Seconds from a change to its writing: what changes again meanwhile is written once."""
AGAIN = 5.0
"""Seconds until a write that the server refused is tried again."""
STOP_SECONDS = 2.0
"""How long the last write may take when the program stops."""
BATCH = 500
"""Addresses of record in one statement."""
CONNECTION_BOUND = frozenset({"TCP", "TLS", "WS", "WSS"})
"""Transports whose bindings live as long as their connection, and so never outlive a restart."""

WRITE = """
    WITH latest AS (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS l (aor text, bindings jsonb)),
    gone AS (DELETE FROM location USING latest WHERE location.aor = latest.aor AND latest.bindings = '[]')
    INSERT INTO location (aor, bindings) SELECT aor, bindings FROM latest WHERE bindings <> '[]'
    ON CONFLICT (aor) DO UPDATE SET bindings = excluded.bindings, written = now()
"""


@implementer(IBindingStore)
class Bindings:
    """
    The stored bindings, and the ones that wait to be stored.

    While the database is away the latest state of each address of record is kept, and written when it is back: what is
    kept is as large as the location table itself and no larger.

    Args:
        clock: When to write.
        database: Where to.
        wall: The time of day in seconds since 1970, by which stored bindings expire.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, database: Database, wall: Callable[[], float]) -> None:
        self._database = database
        self._wall = wall
        self._latest: dict[str, Sequence[dict[str, Any]]] = {}
        self._worker = Worker(clock, self._write, "store registrations")
        self.written = 0
        database.on_recovered(self._recovered)

    @property
    def waiting(self) -> int:
        """
        How many addresses of record are not written yet.
        """
        return len(self._latest)

    async def load(self) -> list[dict[str, Any]]:
        """
        The bindings that are still good: neither expired, nor of a connection that ended with the former run.

        Raises:
            DatabaseDown: The database is away.
        """
        rows = await self._database.query("SELECT aor, bindings FROM location")
        now = self._wall()
        return [
            {**binding, "aor": row["aor"]}
            for row in rows
            for binding in row["bindings"]
            if binding["expires_at"] > now and str(binding.get("transport", "")).upper() not in CONNECTION_BOUND
        ]

    def save(self, aor: str, rows: Sequence[dict[str, Any]]) -> None:
        """
        Store the bindings of an address of record, all of them, soon; returns at once.

        Args:
            aor: The address of record.
            rows: Its bindings as JSON values, never changed after this; none removes it.
        """
        self._latest[aor] = rows
        self._worker.soon(PAUSE)

    async def stop(self) -> None:
        """
        Write what waits. What the database can't take now is lost, and the phones' next REGISTERs bring it back.
        """
        done = await self._worker.settle(STOP_SECONDS, again=bool(self._latest))
        self._worker.stop()
        if self._latest or not done:
            self.log.warn("{n} registrations were not stored: the database is away", n=len(self._latest))

    def _recovered(self) -> None:
        if self._latest:
            self._worker.soon(0)

    async def _write(self) -> None:
        while self._latest and self._database.up:
            batch = dict(islice(self._latest.items(), BATCH))
            for aor in batch:
                del self._latest[aor]
            try:
                await self._write_batch(batch)
            except DatabaseError as error:
                # What was saved meanwhile is newer.
                self._latest = {**batch, **self._latest}
                if self._database.up:
                    self.log.error("Registrations could not be stored, tried again: {error}", error=error)
                    self._worker.soon(AGAIN)
                return

    async def _write_batch(self, batch: dict[str, Sequence[dict[str, Any]]]) -> None:
        text = document([{"aor": aor, "bindings": rows} for aor, rows in batch.items()]).decode()
        try:
            await self._database.execute(WRITE, (text,))
        except Rejected as error:
            if len(batch) > 1:
                # One of them is not acceptable: the others are.
                for aor, rows in batch.items():
                    await self._write_batch({aor: rows})
                return
            self.log.error("The registration of {aor} can't be stored: {error}", aor=next(iter(batch)), error=error)
            return
        self.written += len(batch)
