"""
The tables ``rate_list`` and ``rate``: what calls over a trunk cost, and the rates in memory kept like them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import DeferredLock

from pbx.directory.rates import Rate
from pbx.store.jsonb import document
from pbx.store.mirror import Mirror

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from pbx.directory.plan import PlanBook
    from pbx.store.database import Database, Transaction

CHANNEL = "rate_list"
"""Notified by the table's triggers with the trunk whose list changed, or nothing for "all of them"."""

AT_ONCE = 2_000
"""Rates that are read or written at once: some milliseconds, in which nothing else is done."""

INSERT = """
    INSERT INTO rate (trunk, prefix, rate, connection_fee, first, increment)
    SELECT %s, prefix, rate, connection_fee, first, increment FROM jsonb_to_recordset(%s::jsonb)
    AS list (prefix text, rate numeric, connection_fee numeric, first integer, increment integer)
"""

PAGE = """
    SELECT prefix, rate, connection_fee, first, increment FROM rate
    WHERE trunk = %s AND prefix > %s ORDER BY prefix LIMIT %s
"""


class StoredRates:
    """
    The rates in the database, and the plan in memory that has the same.

    Args:
        reactor: The clock.
        database: Where they are kept.
        book: The plan that is kept fresh with them, whichever node or operator changes them.
    """

    def __init__(self, reactor: Any, database: Database, book: PlanBook) -> None:
        self._database = database
        self._book = book
        self._versions: dict[str, str] = {}
        self._rates: dict[str, Mapping[str, Rate]] = {}
        self._in_turn = DeferredLock()
        self._mirror = Mirror(reactor, database, CHANNEL, self._load, self._reread, "rates")

    async def start(self) -> None:
        """
        Read all rates, and keep them fresh. When the database is away, they are read when it comes back.
        """
        await self._mirror.start()

    async def stop(self) -> None:
        """
        Read nothing any more.
        """
        await self._mirror.stop()

    async def imported(self, trunk: str) -> dt.datetime | None:
        """
        Since when a trunk's rates hold, ``None`` when it has none.
        """
        rows = await self._database.query("SELECT imported FROM rate_list WHERE trunk = %s", (trunk,))
        return rows[0]["imported"] if rows else None

    async def get(self, trunk: str) -> Sequence[Rate]:
        """
        A trunk's rates, in the order of their prefixes.
        """
        rates: list[Rate] = []
        while True:
            page = await self._database.query(PAGE, (trunk, rates[-1].prefix if rates else "", AT_ONCE))
            rates += (Rate(**row) for row in page)
            if len(page) < AT_ONCE:
                return rates

    async def replace(self, trunk: str, rates: Mapping[str, Rate]) -> None:
        """
        Have a trunk cost this from now on: all of it, or when it fails, what it was.

        Args:
            trunk: The trunk.
            rates: Its rates by prefix.

        Raises:
            DatabaseDown: The database is away.
        """
        values = list(rates.values())

        async def work(transaction: Transaction) -> str:
            await transaction.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"rates {trunk}",))
            await forget(transaction, trunk)
            sql = "INSERT INTO rate_list (trunk, rates) VALUES (%s, %s) RETURNING version::text AS version"
            rows = await transaction.query(sql, (trunk, len(values)))
            for start in range(0, len(values), AT_ONCE):
                await transaction.execute(INSERT, (trunk, _document(values[start:start + AT_ONCE])))
            return str(rows[0]["version"])

        async with self._in_turn:
            version = await self._database.interact(work)
            # What it notifies of is known already: it need not be read.
            self._put(trunk, version, rates)

    async def remove(self, trunk: str) -> bool:
        """
        Forget what a trunk costs; ``False`` when nobody knew.
        """
        removed = await self._database.interact(lambda transaction: forget(transaction, trunk))
        await self._reread(trunk)
        return removed

    # The mirror

    async def _load(self) -> None:
        async with self._in_turn:
            rows = await self._database.query("SELECT trunk, version::text AS version FROM rate_list")
            versions = {row["trunk"]: row["version"] for row in rows}
            for trunk in self._versions.keys() | versions.keys():
                await self._refresh(trunk, versions.get(trunk))

    async def _reread(self, trunk: str) -> None:
        async with self._in_turn:
            sql = "SELECT version::text AS version FROM rate_list WHERE trunk = %s"
            rows = await self._database.query(sql, (trunk,))
            await self._refresh(trunk, rows[0]["version"] if rows else None)

    async def _refresh(self, trunk: str, version: str | None) -> None:
        if version != self._versions.get(trunk):
            # Replaced while it is read, page by page, it is notified of, and read once more.
            rates = {} if version is None else {rate.prefix: rate for rate in await self.get(trunk)}
            self._put(trunk, version, rates)

    def _put(self, trunk: str, version: str | None, rates: Mapping[str, Rate]) -> None:
        if version is None:
            self._versions.pop(trunk, None)
            self._rates.pop(trunk, None)
        else:
            self._versions[trunk] = version
            self._rates[trunk] = rates
        self._book.keep_rates(dict(self._rates))


async def forget(transaction: Transaction, trunk: str) -> bool:
    """
    Remove a trunk's rates; ``False`` when it had none.
    """
    await transaction.execute("DELETE FROM rate WHERE trunk = %s", (trunk,))
    return await transaction.execute("DELETE FROM rate_list WHERE trunk = %s", (trunk,)) > 0


def _document(rates: Sequence[Rate]) -> str:
    return document([
        {
            "prefix": rate.prefix, "rate": rate.rate, "connection_fee": rate.connection_fee, "first": rate.first,
            "increment": rate.increment,
        }
        for rate in rates
    ]).decode()
