"""
Tests of :mod:`pbx.store.switches` on a real server.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pbx.directory.switches import Switches
from pbx.store.database import Database
from pbx.store.switches import StoredSwitches
from tests.store.case import DatabaseTestCase
from tests.wire.process import eventually, reactor

run = Deferred.fromCoroutine


class StoredSwitchesTests(DatabaseTestCase):
    """
    Switches in the table, and those in memory like it.
    """

    async def setUp(self) -> None:
        """
        A started store.
        """
        await DatabaseTestCase.setUp(self)
        self.switches = Switches()
        self.stored = await self.node(self.database, self.switches)

    async def node(self, database: Database, switches: Switches) -> StoredSwitches:
        """
        A store of one node.
        """
        stored = StoredSwitches(reactor, database, switches)
        await stored.start()
        self.addCleanup(lambda: run(stored.stop()))
        return stored

    async def soon(self, switches: Switches, wanted: Any) -> None:
        """
        Wait until memory has these moved.
        """

        async def has() -> bool:
            return switches.all() == wanted

        await eventually(has, within=5, what=f"{wanted} in memory", interval=0.005)

    async def test_moved(self) -> None:
        """
        A switch stands where it was moved at once, on other nodes soon, and after a restart; ``auto`` forgets it.
        """
        other = Switches()
        await self.node(await self.second(), other)
        self.stored.move("office", "night", "extension 1001")
        self.stored.move("shop", "day", "local:root")
        self.assertEqual(self.switches.all(), {"office": "night", "shop": "day"})
        await self.soon(other, {"office": "night", "shop": "day"})
        rows = await self.database.query("SELECT condition, moved_by FROM night_switch ORDER BY condition")
        self.assertEqual([(row["condition"], row["moved_by"]) for row in rows],
                         [("office", "extension 1001"), ("shop", "local:root")])
        later = Switches()
        await self.node(self.database, later)
        self.assertEqual(later.all(), {"office": "night", "shop": "day"})
        self.stored.move("office", "auto", "extension 1001")
        await self.soon(other, {"shop": "day"})

    async def test_moved_many_times(self) -> None:
        """
        Of many moves the last one counts, in memory and in the table.
        """
        for position in ("night", "day", "auto", "night", "auto", "day"):
            self.stored.move("office", position, "x")  # type: ignore[arg-type]
        await self.stored.stop()
        self.assertEqual(await self.database.query("SELECT position FROM night_switch"), [{"position": "day"}])
        self.assertEqual(self.switches.all(), {"office": "day"})

    async def test_without_a_database(self) -> None:
        """
        While the database is away a switch is moved all the same; what it says when it is back comes after that.
        """
        away = Database(reactor, "postgresql://nobody@127.0.0.1:1/none")
        await away.start()
        self.addCleanup(lambda: run(away.stop()))
        switches = Switches()
        stored = StoredSwitches(reactor, away, switches)
        await stored.start()
        stored.move("office", "night", "x")
        self.assertEqual(switches.get("office"), "night")
        await stored.stop()
        # As when it came back: another node has moved both meanwhile.
        await self.database.execute("INSERT INTO night_switch VALUES ('office', 'day'), ('shop', 'day')")
        stored._database = self.database
        await stored._load()
        self.assertEqual(switches.all(), {"office": "night", "shop": "day"})
