"""
Tests of :mod:`pbx.store.plan` on a real server.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import LogEvent, formatEvent

from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.plan import Kind, Piece, PlanBook
from pbx.directory.time_condition import Holiday, Hours, TimeCondition
from pbx.directory.trunk import Trunk
from pbx.store import plan as module
from pbx.store.database import Database, Duplicate
from pbx.store.plan import StoredPlan, UnknownPieceError
from pbx.store.secrets import SecretKey
from tests.calls.lines import Told
from tests.store.case import DatabaseTestCase
from tests.store.logged import logged
from tests.wire.process import eventually, reactor

PASSWORD = "SecurePassword123!"
PROVIDER = Trunk("provider", "sip.example.com", 5061, "tls", "493012345", password=PASSWORD, failover_on=(403,))
ABROAD = OutboundRoute("abroad", ("+.", "00."), call_class="international", trunks=("provider",), least_cost=True)
MAIN = InboundRoute("main", Target("menu", "500"), "+493012345", time="office", closed=Target("voicemail", "1001"),
                    spend_per_day=Decimal("12.50"))
OFFICE = TimeCondition("office", hours=(Hours(start="08:30", end="17:00"),), holidays=(Holiday("12-25"),), switch="1")
PIECES: list[tuple[Kind, Piece]] = [
    ("trunk", PROVIDER), ("outbound_route", ABROAD), ("inbound_route", MAIN), ("time_condition", OFFICE),
]
run = Deferred.fromCoroutine


class StoredPlanTests(DatabaseTestCase):
    """
    Pieces in the table, and the plan in memory like it.
    """

    async def setUp(self) -> None:
        """
        A started store.
        """
        await DatabaseTestCase.setUp(self)
        self.key = Path(self.mktemp()) / "secret.key"
        self.events: list[LogEvent] = logged(self, "pbx.store.plan.StoredPlan")
        self.book = PlanBook()
        self.stored = await self.node(self.database, self.book)
        self.assertTrue(self.stored.loaded)

    async def node(self, database: Database, book: PlanBook, key: Path | None = None) -> StoredPlan:
        """
        A store of one node.
        """
        secret = SecretKey(key or self.key)
        secret.load()
        # Each node tells by itself.
        self.alerts = Told()
        stored = StoredPlan(reactor, database, book, secret, self.alerts)
        await stored.start()
        self.addCleanup(lambda: run(stored.stop()))
        return stored

    async def names(self, kind: Kind = "outbound_route") -> list[str]:
        """
        The names of a kind, in order.
        """
        return [piece.name for piece in await self.stored.list(kind)]

    async def test_every_kind_comes_back_as_it_was(self) -> None:
        """
        What was added is in the plan at once and read back the same, a trunk without its password.
        """
        for kind, piece in PIECES:
            await self.stored.add(kind, piece)
            shown = attrs.evolve(piece, password="") if isinstance(piece, Trunk) else piece
            self.assertEqual(await self.stored.get(kind, piece.name), shown)
            self.assertEqual(await self.stored.list(kind), [shown])
        self.assertIsNone(await self.stored.get("trunk", "office"))
        plan = self.book.plan
        self.assertEqual((dict(plan.trunks), plan.outbound), ({"provider": PROVIDER}, (ABROAD,)))
        self.assertEqual((plan.inbound, dict(plan.conditions)), ((MAIN,), {"office": OFFICE}))

    async def test_the_password_is_nowhere(self) -> None:
        """
        Nothing of the table has a password in plain text, whether it was added, changed, or its trunk was.
        """
        await self.stored.add("trunk", PROVIDER)
        await self.stored.update("trunk", attrs.evolve(PROVIDER, password="Another1Password"), password=True)
        self.assertEqual(self.book.plan.trunks["provider"].password, "Another1Password")
        await self.stored.update("trunk", attrs.evolve(PROVIDER, port=5060))
        rows = await self.database.query("SELECT plan::text AS whole, secret FROM plan")
        self.assertNotIn("Password", rows[0]["whole"])
        self.assertGreater(len(rows[0]["secret"]), 40)
        wanted = attrs.evolve(PROVIDER, port=5060, password="Another1Password")
        self.assertEqual(self.book.plan.trunks["provider"], wanted)
        await self.stored.update("trunk", attrs.evolve(PROVIDER, password=""), password=True)
        self.assertEqual(self.book.plan.trunks["provider"].password, "")

    async def test_a_lost_key(self) -> None:
        """
        A trunk whose password was encrypted with another key is left unused with a line that says what to do; the
        others work, and a new password makes it work again.
        """
        await self.stored.add("trunk", PROVIDER)
        await self.stored.add("trunk", Trunk("branch", "192.0.2.7", register=False))
        book = PlanBook()
        other = await self.node(self.database, book, self.key.with_name("other.key"))
        self.assertEqual(book.plan.trunks["provider"], attrs.evolve(PROVIDER, password="", enabled=False))
        self.assertTrue(book.plan.trunks["branch"].enabled)
        self.assertEqual(list(other.lost), ["provider"])
        (said,) = self.alerts.open.values()
        self.assertIn("The password of trunk provider can't be read: it was encrypted with key", said)
        self.assertIn('pbxctl trunks password "provider"', said)
        # Whoever is told may have begun anew.
        self.alerts.open.clear()
        other.tell()
        self.assertEqual([*self.alerts.open], [("trunk_password", "provider")])
        self.alerts.history.pop()
        # Kept, in case the key is found again.
        await other.update("trunk", attrs.evolve(PROVIDER, port=5070, password=""))
        self.assertEqual(book.plan.trunks["provider"].enabled, False)
        self.assertEqual([what for what, *_ in self.alerts.history], ["alert"])
        await other.update("trunk", PROVIDER, password=True)
        self.assertEqual((book.plan.trunks["provider"], other.lost, self.alerts.open), (PROVIDER, {}, {}))
        self.assertNotIn(PASSWORD, str(self.alerts.history))

    async def test_update(self) -> None:
        """
        One is replaced by one of its kind and name; there must be one. Its place in the order stays.
        """
        for name in ("a", "b", "c"):
            await self.stored.add("outbound_route", OutboundRoute(name))
        await self.stored.update("outbound_route", OutboundRoute("b", ("0.",)))
        self.assertEqual(self.book.plan.outbound, (OutboundRoute("a"), OutboundRoute("b", ("0.",)), OutboundRoute("c")))
        for kind, piece in (("outbound_route", OutboundRoute("d")), ("trunk", PROVIDER)):
            await self.assertFailure(run(self.stored.update(kind, piece)), UnknownPieceError)  # type: ignore[arg-type]

    async def test_names_are_taken(self) -> None:
        """
        A name is that of one of its kind.
        """
        await self.stored.add("trunk", PROVIDER)
        await self.stored.add("outbound_route", OutboundRoute("provider"))
        await self.assertFailure(run(self.stored.add("trunk", Trunk("provider", "x"))), Duplicate)
        self.assertEqual(self.book.plan.trunks["provider"], PROVIDER)

    async def test_order(self) -> None:
        """
        Routes are asked in the order that they were given, wherever they are put, also after some were removed.
        """
        for name in ("a", "b", "c", "d"):
            await self.stored.add("outbound_route", OutboundRoute(name))
        moves: list[tuple[str, int, str]] = [("d", 0, "dabc"), ("d", 2, "abdc"), ("a", 9, "bdca"), ("b", 0, "bdca")]
        for name, position, wanted in moves:
            await self.stored.move("outbound_route", name, position)
            self.assertEqual("".join(await self.names()), wanted)
            self.assertEqual("".join(route.name for route in self.book.plan.outbound), wanted)
        await self.stored.remove("outbound_route", "b")
        await self.stored.add("outbound_route", OutboundRoute("A"))
        await self.stored.add("outbound_route", OutboundRoute("z"))
        await self.stored.move("outbound_route", "z", 1)
        self.assertEqual("".join(await self.names()), "dzcaA")
        self.assertEqual([route.name for route in self.book.plan.outbound], list("dzcaA"))
        await self.assertFailure(run(self.stored.move("outbound_route", "x", 0)), UnknownPieceError)

    async def test_many_at_once(self) -> None:
        """
        Routes that come together all get a place of their own.
        """
        await gatherResults([run(self.stored.add("inbound_route", attrs.evolve(MAIN, name=f"r{i}"))) for i in range(8)])
        rows = await self.database.query("SELECT position FROM plan ORDER BY position")
        self.assertEqual([row["position"] for row in rows], list(range(1, 9)))

    async def test_pages(self) -> None:
        """
        Many are read some at a time; of those that are as they were, the plan keeps what it has.
        """
        self.patch(module, "AT_ONCE", 3)
        for name in "hcabgdfe":
            await self.stored.add("outbound_route", OutboundRoute(name))
        before = self.book.plan.outbound
        self.assertEqual("".join(route.name for route in before), "hcabgdfe")
        self.assertEqual("".join(await self.names()), "hcabgdfe")
        await self.stored.move("outbound_route", "e", 0)
        after = self.book.plan.outbound
        self.assertEqual("".join(route.name for route in after), "ehcabgdf")
        self.assertIs(after[1], before[0])
        await self.database.execute("UPDATE plan SET value = '{\"strip\": 2}' WHERE name = 'a'")
        await self.stored.move("outbound_route", "e", 7)
        after = self.book.plan.outbound
        self.assertEqual([route.strip for route in after], [0, 0, 2, 0, 0, 0, 0, 0])
        self.assertIs(after[0], before[0])

    async def test_remove(self) -> None:
        """
        One is removed by its kind and name, with the rates or the switch that were its own; one that is not there is
        told apart.
        """
        for kind, piece in PIECES:
            await self.stored.add(kind, piece)
        await self.database.execute("INSERT INTO rate_list (trunk, rates) VALUES ('provider', 1), ('other', 1)")
        await self.database.execute(
            "INSERT INTO rate VALUES ('provider', '1', 1, 0, 60, 60), ('other', '1', 1, 0, 60, 60)"
        )
        await self.database.execute("INSERT INTO night_switch (condition, position) VALUES ('office', 'night')")
        self.assertFalse(await self.stored.remove("trunk", "office"))
        for kind, piece in PIECES:
            self.assertTrue(await self.stored.remove(kind, piece.name))
            self.assertFalse(await self.stored.remove(kind, piece.name))
        self.assertEqual(self.book.plan, PlanBook().plan)
        self.assertEqual(await self.database.query("SELECT trunk FROM rate_list"), [{"trunk": "other"}])
        self.assertEqual(await self.database.query("SELECT trunk FROM rate"), [{"trunk": "other"}])
        self.assertEqual(await self.database.query("SELECT * FROM night_switch"), [])

    async def test_other_nodes_hear_of_it(self) -> None:
        """
        What one node or an operator with SQL changes, every node has soon: added, changed, moved, removed, all.
        """
        book = PlanBook()
        await self.node(await self.second(), book)

        async def soon(wanted: Any) -> None:
            async def has() -> bool:
                return [(route.name, route.strip) for route in book.plan.outbound] == wanted

            await eventually(has, within=5, what=f"{wanted} in the plan", interval=0.005)

        await self.stored.add("outbound_route", OutboundRoute("a: one"))
        await self.stored.add("outbound_route", OutboundRoute("b"))
        await soon([("a: one", 0), ("b", 0)])
        await self.stored.move("outbound_route", "b", 0)
        await soon([("b", 0), ("a: one", 0)])
        await self.database.execute("UPDATE plan SET value = '{\"strip\": 2}' WHERE name = 'a: one'")
        await soon([("b", 0), ("a: one", 2)])
        await self.database.execute("UPDATE plan SET name = 'c' WHERE name = 'a: one'")
        await soon([("b", 0), ("c", 2)])
        await self.database.execute("DELETE FROM plan WHERE name = 'b'")
        await soon([("c", 2)])
        await self.database.execute("TRUNCATE plan")
        await soon([])

    async def test_leaves_out_what_it_cannot_read(self) -> None:
        """
        A row with a value that none can have is left out and logged.
        """
        await self.stored.add("outbound_route", ABROAD)
        await self.database.execute(
            "INSERT INTO plan (kind, name, position, value) VALUES ('outbound_route', 'x', 0, '{\"strip\": \"two\"}'),"
            " ('outbound_route', 'y', 0, '[]')"
        )
        self.assertEqual(await self.stored.list("outbound_route"), [ABROAD])
        book = PlanBook()
        await self.node(self.database, book)
        self.assertEqual(book.plan.outbound, (ABROAD,))
        self.assertIn("The outbound route x is left out", formatEvent(self.events[0]))
