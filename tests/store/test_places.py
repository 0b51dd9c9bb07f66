"""
Tests of :mod:`pbx.store.places` on a real server.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, gatherResults

from pbx.directory.decision import Destination
from pbx.directory.directory import Directory
from pbx.directory.places import Choice, Member, Menu, Place, RingGroup, Room
from pbx.directory.places import Places as PlacesInMemory
from pbx.store.database import Database, Duplicate
from pbx.store.extensions import Extensions
from pbx.store.places import Places, UnknownPlaceError
from tests.store.case import DatabaseTestCase
from tests.wire.process import eventually, reactor

SALES = RingGroup("600", "Sales", "in turn", (Member("1001", 0, 10), Member("1002")), 40, Destination("menu", "500"))
MAIN = Menu("500", "Main", ("hello",), (Choice("1", Destination("ring_group", "600")), Choice("2", language="de")))
TEAM = Room("700", "Team", pin="1234", record=True)
run = Deferred.fromCoroutine


class PlacesTests(DatabaseTestCase):
    """
    Places in the table, and those in memory like it.
    """

    async def setUp(self) -> None:
        """
        A started store.
        """
        await DatabaseTestCase.setUp(self)
        self.memory = PlacesInMemory()
        self.places = await self.node(self.database, self.memory)
        self.assertTrue(self.places.loaded)

    async def node(self, database: Database, memory: PlacesInMemory) -> Places:
        """
        A store of one node.
        """
        places = Places(reactor, database, memory)
        await places.start()
        self.addCleanup(lambda: run(places.stop()))
        return places

    async def soon(self, memory: PlacesInMemory, number: str, wanted: Place | None) -> None:
        """
        Wait until memory has this place.
        """

        async def has() -> bool:
            return memory.place(number) == wanted

        await eventually(has, within=5, what=f"{wanted} in memory", interval=0.005)

    async def test_every_kind_comes_back_as_it_was(self) -> None:
        """
        What was added is in memory at once, and is read back the same, by its kind.
        """
        for place in (SALES, MAIN, TEAM):
            await self.places.add(place)
            self.assertIs(self.memory.place(place.number), place)
            self.assertEqual(await self.places.get(place.kind, place.number), place)
            self.assertEqual(await self.places.list(place.kind), [place])
        self.assertIsNone(await self.places.get("menu", "600"))

    async def test_update(self) -> None:
        """
        A place is replaced by one of its kind and number; there must be one.
        """
        await self.places.add(SALES)
        other = RingGroup("600", "Sellers")
        await self.places.update(other)
        self.assertEqual(await self.places.get("ring_group", "600"), other)
        self.assertIs(self.memory.place("600"), other)
        await self.assertFailure(run(self.places.update(Room("600", "Team"))), UnknownPlaceError)
        await self.assertFailure(run(self.places.update(MAIN)), UnknownPlaceError)
        self.assertIs(self.memory.place("600"), other)

    async def test_remove(self) -> None:
        """
        A place is removed by its kind and number; one that is not there is told apart.
        """
        await self.places.add(SALES)
        self.assertFalse(await self.places.remove("menu", "600"))
        self.assertIs(self.memory.place("600"), SALES)
        self.assertTrue(await self.places.remove("ring_group", "600"))
        self.assertFalse(await self.places.remove("ring_group", "600"))
        self.assertEqual(self.memory.all(), [])

    async def test_a_number_belongs_to_one(self) -> None:
        """
        A number is that of one place, or of an extension: also when both came at once.
        """
        extensions = Extensions(reactor, self.database, Directory(), "realm")
        await self.places.add(SALES)
        with self.assertRaises(Duplicate) as place:
            await self.places.add(Room("600", "Team"))
        self.assertEqual(place.exception.constraint, "place_pkey")
        with self.assertRaises(Duplicate) as taken:
            await extensions.add("600", "Six", "SecurePassword123!")
        self.assertEqual(taken.exception.constraint, "number_of_place")
        await extensions.add("700", "Seven", "SecurePassword123!")
        with self.assertRaises(Duplicate) as extension:
            await self.places.add(TEAM)
        self.assertEqual(extension.exception.constraint, "number_of_extension")
        self.assertEqual(self.memory.all(), [SALES])
        other = await self.second()

        def refused(database: Database, table: str) -> Deferred[object]:
            sql = {
                "place": "INSERT INTO place (number, kind, value) VALUES ('800', 'menu', '{}')",
                "extension": "INSERT INTO extension (number, name, digests, password) VALUES ('800', 'x', '{}', 'x')",
            }[table]
            done: Deferred[object] = run(database.execute(sql))
            return done.addErrback(lambda failure: failure.trap(Duplicate))

        results = await gatherResults([refused(self.database, "place"), refused(other, "extension")])
        self.assertEqual(results.count(Duplicate), 1)

    async def test_other_nodes_hear_of_it(self) -> None:
        """
        What one node or an operator with SQL changes, every node has soon: added, changed, removed, all.
        """
        memory = PlacesInMemory()
        await self.node(await self.second(), memory)
        await self.places.add(SALES)
        await self.soon(memory, "600", SALES)
        await self.database.execute("UPDATE place SET value = value || '{\"name\": \"Sellers\", \"timeout\": 10}'")
        changed = RingGroup("600", "Sellers", "in turn", SALES.members, 10, SALES.otherwise)
        await self.soon(memory, "600", changed)
        await self.soon(self.memory, "600", changed)
        await self.database.execute("UPDATE place SET number = '601'")
        await self.soon(memory, "600", None)
        self.assertIn("601", memory)
        await self.database.execute("TRUNCATE place")
        await self.soon(memory, "601", None)

    async def test_leaves_out_what_it_cannot_read(self) -> None:
        """
        A place of a kind that nobody knows, or with a value that none can have, is left out and logged.
        """
        await self.places.add(MAIN)
        await self.database.execute(
            "INSERT INTO place (number, kind, value) VALUES ('800', 'teapot', '{}'), ('801', 'menu', '[]'),"
            " ('802', 'menu', '{\"name\": 5}')"
        )
        self.assertEqual(await self.places.list("menu"), [MAIN])
        other = PlacesInMemory()
        await self.node(self.database, other)
        self.assertEqual(other.all(), [MAIN])
