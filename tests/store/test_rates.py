"""
Tests of :mod:`pbx.store.rates` on a real server.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from twisted.internet.defer import Deferred

from pbx.directory.plan import PlanBook
from pbx.directory.rates import Rate
from pbx.store import rates as module
from pbx.store.database import Database, Rejected
from pbx.store.rates import StoredRates
from tests.store.case import DatabaseTestCase
from tests.wire.process import eventually, reactor

run = Deferred.fromCoroutine


def rates(*found: Rate) -> dict[str, Rate]:
    """
    Rates by prefix.
    """
    return {rate.prefix: rate for rate in found}


BERLIN = Rate("4930", Decimal("0.0123"), Decimal("0.05"), 60, 1)
WORLD = rates(*(Rate(str(number), Decimal(number) / 1000) for number in range(1000, 1025)), BERLIN)


class StoredRatesTests(DatabaseTestCase):
    """
    Rates in the table, and those in memory like them.
    """

    async def setUp(self) -> None:
        """
        A started store that reads and writes ten rates at a time.
        """
        await DatabaseTestCase.setUp(self)
        self.patch(module, "AT_ONCE", 10)
        self.book = PlanBook()
        self.stored = await self.node(self.database, self.book)

    async def node(self, database: Database, book: PlanBook) -> StoredRates:
        """
        A store of one node.
        """
        stored = StoredRates(reactor, database, book)
        await stored.start()
        self.addCleanup(lambda: run(stored.stop()))
        return stored

    async def soon(self, book: PlanBook, wanted: Mapping[str, Any]) -> None:
        """
        Wait until a plan has these rates.
        """

        async def has() -> bool:
            return dict(book.plan.rates) == wanted

        await eventually(has, within=5, what=f"{wanted} in the plan", interval=0.005)

    async def test_comes_back_as_it_was(self) -> None:
        """
        A list is in the plan at once, is read back in the order of prefixes, and is there after a restart.
        """
        self.assertEqual((await self.stored.get("provider"), await self.stored.imported("provider")), ([], None))
        await self.stored.replace("provider", WORLD)
        self.assertEqual(dict(self.book.plan.rates), {"provider": WORLD})
        self.assertEqual(await self.stored.get("provider"), [WORLD[prefix] for prefix in sorted(WORLD)])
        self.assertIsNotNone(await self.stored.imported("provider"))
        later = PlanBook()
        await self.node(self.database, later)
        self.assertEqual(dict(later.plan.rates), {"provider": WORLD})

    async def test_replaced_as_a_whole(self) -> None:
        """
        A list takes the place of the one before; one that can't be kept leaves that as it is.
        """
        await self.stored.replace("provider", WORLD)
        await self.stored.replace("other", rates(BERLIN))
        await self.stored.replace("provider", rates(BERLIN))
        self.assertEqual(await self.stored.get("provider"), [BERLIN])
        wrong = rates(*WORLD.values(), Rate("9", Decimal(1), first=2**40))
        await self.assertFailure(run(self.stored.replace("provider", wrong)), Rejected)
        self.assertEqual(await self.stored.get("provider"), [BERLIN])
        self.assertEqual(dict(self.book.plan.rates), {"provider": rates(BERLIN), "other": rates(BERLIN)})

    async def test_removed(self) -> None:
        """
        A list is removed with all its rates; one that is not there is told apart.
        """
        await self.stored.replace("provider", WORLD)
        self.assertTrue(await self.stored.remove("provider"))
        self.assertFalse(await self.stored.remove("provider"))
        self.assertEqual(dict(self.book.plan.rates), {})
        self.assertEqual(await self.database.query("SELECT * FROM rate"), [])

    async def test_other_nodes_hear_of_it(self) -> None:
        """
        What one node or an operator with SQL changes, every node has soon; what it has already is not read again.
        """
        book = PlanBook()
        await self.node(await self.second(), book)
        await self.stored.replace("provider", WORLD)
        kept = self.book.plan.rates["provider"]
        await self.soon(book, {"provider": WORLD})
        await self.stored.replace("other", rates(BERLIN))
        await self.soon(book, {"provider": WORLD, "other": rates(BERLIN)})
        self.assertIs(self.book.plan.rates["provider"], kept)
        await self.database.execute("DELETE FROM rate WHERE trunk = 'other'")
        await self.database.execute("UPDATE rate_list SET version = gen_random_uuid() WHERE trunk = 'other'")
        await self.soon(book, {"provider": WORLD, "other": {}})
        await self.database.execute("TRUNCATE rate_list")
        await self.soon(book, {})
        await self.soon(self.book, {})
