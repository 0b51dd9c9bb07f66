"""
Tests of :mod:`pbx.store.migrate` on a real server.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import psycopg2
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from pbx.store.database import Database
from pbx.store.embedded import EmbeddedPostgres
from pbx.store.migrate import FOLDER, DatabaseTooNew, MigrationError, migrate
from tests.store.case import FAST, TABLES, data_with_database
from tests.wire.process import ROOT, reactor

ALL = sorted(path.stem for path in FOLDER.glob("*.sql"))

IN_ANOTHER_PROGRAM = "import sys; from pbx.store.migrate import migrate; print(*migrate(sys.argv[1]))"


class MigrateTests(TestCase):
    """
    Tables brought up to date, in an empty database of the test's own.
    """

    timeout = 30

    async def setUp(self) -> None:
        """
        An empty database, and a copy of the migrations that can be added to.
        """
        self.server = EmbeddedPostgres(reactor, await data_with_database(), FAST)
        dsn = await self.server.start()
        self.execute(dsn, "CREATE DATABASE empty STRATEGY file_copy")
        self.dsn = dsn.replace("/pbx_system?", "/empty?")
        self.folder = Path(self.mktemp())
        shutil.copytree(FOLDER, self.folder)

    async def tearDown(self) -> None:
        """
        Drop the database.
        """
        self.execute(self.server.dsn, "DROP DATABASE empty WITH (FORCE)")
        await self.server.stop()

    def execute(self, dsn: str, sql: str) -> list[tuple[object, ...]]:
        """
        Run a statement over a connection of its own.
        """
        connection = psycopg2.connect(dsn)
        connection.autocommit = True
        try:
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def tables(self) -> set[object]:
        """
        The tables there are, yoyo's own aside.
        """
        rows = self.execute(self.dsn, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in rows if "yoyo" not in str(name)}

    def test_applies_each_once(self) -> None:
        """
        A new database gets every migration in order, and none a second time.
        """
        self.assertEqual(migrate(self.dsn), ALL)
        self.assertEqual(self.tables(), set(TABLES))
        self.assertEqual(migrate(self.dsn), [])

    def test_numbered_without_gaps(self) -> None:
        """
        The files are numbered from 1 on, each number once: their order is never in doubt.
        """
        self.assertEqual([int(name.split("-")[0]) for name in ALL], list(range(1, len(ALL) + 1)))

    def test_later_ones_are_added(self) -> None:
        """
        A database of an older version gets what it lacks.
        """
        migrate(self.dsn, self.folder)
        (self.folder / "0099-more.sql").write_text("CREATE TABLE more ();")
        self.assertEqual(migrate(self.dsn, self.folder), ["0099-more"])
        self.assertIn("more", self.tables())

    async def test_database_of_a_newer_version_is_refused(self) -> None:
        """
        A database with migrations this program lacks is refused, by the start too, and is left as it is.
        """
        (self.folder / "0099-more.sql").write_text("CREATE TABLE more ();")
        migrate(self.dsn, self.folder)
        error = self.assertRaises(DatabaseTooNew, migrate, self.dsn)
        self.assertIn("used by a newer version of this program: it has 0099-more", str(error))
        database = Database(reactor, self.dsn, prepare=migrate)
        await self.assertFailure(Deferred.fromCoroutine(database.start()), DatabaseTooNew)
        self.assertFalse(database.up)
        self.assertIn("more", self.tables())

    def test_failing_one_leaves_nothing_of_itself(self) -> None:
        """
        A migration that fails leaves nothing behind, is named, and is applied when it was mended.
        """
        broken = self.folder / "0099-broken.sql"
        broken.write_text("CREATE TABLE half ();\nCREATE TABLE half ();")
        error = self.assertRaises(MigrationError, migrate, self.dsn, self.folder)
        self.assertIn('0099-broken failed: relation "half" already exists', str(error))
        self.assertEqual(self.tables(), set(TABLES))
        broken.write_text("CREATE TABLE half ();")
        self.assertEqual(migrate(self.dsn, self.folder), ["0099-broken"])

    async def test_several_programs_at_once(self) -> None:
        """
        Of several programs that start at once, one migrates and the others wait for it.
        """
        applied = await gatherResults([deferToThread(self.other_program) for _ in range(3)])
        self.assertEqual(sorted(applied), ["", "", " ".join(ALL)])

    def other_program(self) -> str:
        """
        Migrate in a program of its own.
        """
        command = [sys.executable, "-c", IN_ANOTHER_PROGRAM, self.dsn]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
        return done.stdout.strip()

    def test_killed_while_migrating(self) -> None:
        """
        What a program that was killed while migrating left locked does not hold up the next.
        """
        migrate(self.dsn)
        self.execute(self.dsn, "INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 1)")
        self.execute(self.dsn, "CREATE SCHEMA kept; ALTER TABLE yoyo_lock SET SCHEMA kept; DROP SCHEMA public CASCADE")
        self.execute(self.dsn, "ALTER SCHEMA kept RENAME TO public")
        self.assertEqual(migrate(self.dsn), ALL)
