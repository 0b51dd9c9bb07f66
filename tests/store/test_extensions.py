"""
Tests of :mod:`pbx.store.extensions` on a real server.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.handling import PLAIN, FollowMe, Handling
from pbx.directory.permissions import USUAL, Permissions
from pbx.sip.digest import ha1
from pbx.store import mirror as module
from pbx.store.database import Database, DatabaseDown, DatabaseTimeout, Duplicate, Rejected
from pbx.store.extensions import Extensions, UnknownExtensionError
from tests.store.case import DatabaseTestCase
from tests.wire.process import eventually, reactor

REALM = "pbx-00c0ffee"
PASSWORD = "SecurePassword123!"
run = Deferred.fromCoroutine


class ExtensionsTests(DatabaseTestCase):
    """
    Subscriber lines in the table, and the directory like it.
    """

    async def setUp(self) -> None:
        """
        A started store with an empty directory.
        """
        await DatabaseTestCase.setUp(self)
        self.directory = Directory()
        self.extensions = await self.node(self.database, self.directory)
        self.assertTrue(self.extensions.loaded)

    async def node(self, database: Database, directory: Directory, **named: bool) -> Extensions:
        """
        A store of one node.
        """
        extensions = Extensions(reactor, database, directory, REALM, **named)
        await extensions.start()
        self.addCleanup(lambda: run(extensions.stop()))
        return extensions

    async def soon(self, directory: Directory, number: str, wanted: Extension | None) -> None:
        """
        Wait until a directory has this extension.
        """

        async def has() -> bool:
            return directory.extension(number) == wanted

        await eventually(has, within=5, what=f"{wanted} in the directory", interval=0.005)

    async def test_added_and_known_at_once(self) -> None:
        """
        An extension that was added is in the directory at once, and its phone can register; the password is nowhere.
        """
        added = await self.extensions.add("1005", "John Doe", PASSWORD, email="john@company.com", allow_external=True)
        self.assertEqual(self.directory.extension("1005"), added)
        self.assertEqual(
            added,
            Extension(
                number="1005",
                name="John Doe",
                email="john@company.com",
                allow_external=True,
                digests={algorithm: ha1("1005", REALM, PASSWORD, algorithm) for algorithm in ("MD5", "SHA-256")},
            ),
        )
        self.assertEqual(await self.extensions.get("1005"), added)
        self.assertIsNone(await self.extensions.get("1006"))
        rows = await self.database.query("SELECT extension::text AS row FROM extension")
        self.assertNotIn(PASSWORD, rows[0]["row"])

    async def test_taken_number(self) -> None:
        """
        A number that is taken is refused, and the one who has it stays as it was; also when both came at once.
        """
        results = await gatherResults(
            [
                run(self.extensions.add("1005", name, PASSWORD)).addErrback(lambda failure: failure.trap(Duplicate))
                for name in ("John", "Jane")
            ]
        )
        self.assertEqual(results.count(Duplicate), 1)
        (winner,) = (result for result in results if result is not Duplicate)
        self.assertEqual(self.directory.all(), [winner])

    async def test_update(self) -> None:
        """
        Only what was named changes; a new password changes the digests; nobody can be changed who is not there.
        """
        before = await self.extensions.add("1005", "John", PASSWORD, email="john@company.com")
        renamed = await self.extensions.update("1005", name="Johnny", email=None, enabled=False)
        self.assertEqual((renamed.name, renamed.email, renamed.enabled), ("Johnny", None, False))
        self.assertEqual(renamed.digests, before.digests)
        changed = await self.extensions.update("1005", password="AnotherPassword9")
        self.assertEqual(changed.digests["MD5"], ha1("1005", REALM, "AnotherPassword9"))
        self.assertEqual(changed.name, "Johnny")
        self.assertEqual(self.directory.extension("1005"), changed)
        self.assertEqual(await self.extensions.update("1005"), changed)
        await self.assertFailure(run(self.extensions.update("1006", name="x")), UnknownExtensionError)
        await self.assertFailure(run(self.extensions.update("1005", digests={})), ValueError)

    async def test_permissions(self) -> None:
        """
        What an extension may call is kept with it; of one that says nothing it is as usual, and one whose permissions
        nobody can read calls nobody beyond the house.
        """
        await self.extensions.add("1005", "John", "SecurePassword123!", allow_external=True)
        self.assertIs((await self.extensions.get("1005")).permissions, USUAL)  # type: ignore[union-attr]
        wanted = Permissions(("local", "mobile"), "+493012345", 2, 30, Decimal("1.50"), "office", "HQ")
        changed = await self.extensions.update("1005", permissions=wanted)
        self.assertEqual(changed.permissions, wanted)
        extension = self.directory.extension("1005")
        self.assertIs(extension, changed)
        self.assertEqual((await self.extensions.get("1005")).permissions, wanted)  # type: ignore[union-attr]
        self.assertEqual((await self.extensions.update("1005", name="J")).permissions, wanted)
        self.assertIs((await self.extensions.update("1005", permissions=Permissions())).permissions, USUAL)
        await self.database.execute("UPDATE extension SET permissions = '{\"classes\": 5}'")
        self.assertEqual((await self.extensions.get("1005")).permissions.classes, ())  # type: ignore[union-attr]

    async def test_handling(self) -> None:
        """
        How calls are handled is kept whole or attribute by attribute, and what can't be read does no harm.
        """
        await self.extensions.add("1005", "John", PASSWORD)
        handling = Handling(dnd=True, follow_me=(FollowMe("1002", 5),), blocked=("0900*",), voicemail=False)
        changed = await self.extensions.update("1005", handling=handling)
        self.assertEqual(changed.handling, handling)
        self.assertEqual(await self.extensions.get("1005"), changed)
        first = run(self.extensions.change_handling("1005", dnd=False, forward_busy="1002"))
        await run(self.extensions.change_handling("1005", follow_me=(FollowMe("1003", confirm=False),)))
        await first
        wanted = evolve(handling, dnd=False, forward_busy="1002", follow_me=(FollowMe("1003", confirm=False),))
        extension = self.directory.extension("1005")
        assert extension is not None
        self.assertEqual(extension.handling, wanted)
        self.assertIs((await self.extensions.update("1005", handling=Handling())).handling, PLAIN)
        await self.assertFailure(run(self.extensions.change_handling("1006", dnd=True)), UnknownExtensionError)
        await self.assertFailure(run(self.extensions.change_handling("1005", mood="bad")), TypeError)
        await self.database.execute("UPDATE extension SET handling = '{\"dnd\": 5}'")
        (read,) = await self.extensions.list()
        self.assertEqual((read.name, read.handling), ("John", PLAIN))

    async def test_answers_that_cross(self) -> None:
        """
        Of two changes at once the directory has the later one in the end, whichever answer comes first.
        """
        await self.extensions.add("1005", "John", PASSWORD)
        # What the database notifies of would put it right a moment later.
        await self.extensions.stop()
        ask, asked = self.database.query, []

        async def slow_at_first(*arguments: Any) -> Any:
            asked.append(arguments)
            is_first = len(asked) == 1
            answer = await ask(*arguments)
            if is_first:
                await deferLater(reactor, 0.1)
            return answer

        self.patch(self.database, "query", slow_at_first)
        first = run(self.extensions.update("1005", name="Jane"))
        await run(self.extensions.update("1005", name="Joan"))
        await first
        (extension,) = self.directory.all()
        self.assertEqual((len(asked), extension.name), (2, "Joan"))

    async def test_remove(self) -> None:
        """
        One that was removed is gone from table and directory; one that is not there is told apart.
        """
        await self.extensions.add("1005", "John", PASSWORD)
        self.assertTrue(await self.extensions.remove("1005"))
        self.assertFalse(await self.extensions.remove("1005"))
        self.assertEqual((self.directory.all(), list(await self.extensions.list())), ([], []))

    async def test_values_the_table_does_not_take(self) -> None:
        """
        A name with NUL in it is refused as a value, and is no failure of the database.
        """
        await self.assertFailure(run(self.extensions.add("1005", "a\0b", PASSWORD)), Rejected, ValueError)
        self.assertTrue(self.database.up)

    async def test_fips(self) -> None:
        """
        In FIPS mode there is no MD5.
        """
        extensions = await self.node(self.database, Directory(), fips=True)
        added = await extensions.add("1005", "John", PASSWORD)
        self.assertEqual(list(added.digests), ["SHA-256"])

    async def test_other_nodes_hear_of_it(self) -> None:
        """
        What one node or an operator with SQL changes, every node's directory has soon: added, changed, removed, all.
        """
        directory = Directory()
        await self.node(await self.second(), directory)
        john = await self.extensions.add("1005", "John", PASSWORD)
        await self.soon(directory, "1005", john)
        await self.soon(directory, "1005", await self.extensions.update("1005", name="Johnny"))
        await self.database.execute("UPDATE extension SET number = '1007'")
        await self.soon(directory, "1005", None)
        await self.soon(self.directory, "1005", None)
        self.assertEqual([extension.number for extension in directory.all()], ["1007"])
        await self.database.execute("TRUNCATE extension")
        await self.soon(directory, "1007", None)
        await self.soon(self.directory, "1007", None)

    async def test_reading_that_failed_is_tried_again(self) -> None:
        """
        A change that could not be read (the server was too slow) is read a little later.
        """
        self.patch(module, "AGAIN", 0.01)
        query = self.database.query
        failures = [DatabaseTimeout("too slow"), DatabaseTimeout("too slow")]

        async def slow(sql: str, args: tuple[object, ...] = ()) -> object:
            if failures:
                raise failures.pop()
            return await query(sql, args)

        other = await self.second()
        await self.extensions.add("1005", "John", PASSWORD)
        self.patch(self.database, "query", slow)
        await other.execute("DELETE FROM extension")
        await self.soon(self.directory, "1005", None)
        self.assertEqual(failures, [])

    async def test_what_was_missed_while_the_server_was_away(self) -> None:
        """
        The directory stays as it was while the server is away, changes fail at once, and what was changed behind our
        back meanwhile is read when it is back.
        """
        john = await self.extensions.add("1005", "John", PASSWORD)
        other = await self.second()
        await self.database.execute("ALTER TABLE extension DISABLE TRIGGER extension_changed")
        await other.execute("UPDATE extension SET name = 'Johnny'")
        await self.database.execute("ALTER TABLE extension ENABLE TRIGGER extension_changed")
        await self.server.kill()

        async def down() -> bool:
            return not self.database.up

        await eventually(down, within=5, what="the loss noticed", interval=0.005)
        self.assertEqual(self.directory.all(), [john])
        await self.assertFailure(run(self.extensions.remove("1005")), DatabaseDown)
        self.assertEqual(self.directory.all(), [john])

        async def renamed() -> bool:
            extension = self.directory.extension("1005")
            return extension is not None and extension.name == "Johnny"

        await eventually(renamed, within=10, what="the change read", interval=0.01)
        self.assertEqual(self.flushLoggedErrors(), [])
