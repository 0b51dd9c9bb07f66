"""
A test with a real PostgreSQL: the bundled server, on a directory made once for each test process.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from pbx.store.database import Database
from pbx.store.embedded import EmbeddedPostgres
from pbx.store.migrate import migrate
from tests.wire.process import reactor

TABLES = ("system", "extension", "location", "cdr")

FAST = ("fsync=off", "full_page_writes=off")
"""The tests' data may perish with the machine."""

ROOM = 1_000_000_000
"""Bytes that must be free in memory for the tests to put databases there."""

_data: list[Path] = []


def new_directory() -> Path:
    """
    A new directory with a short path, in memory where there is plenty: a database is a thousand files.
    """
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp
    plenty = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM
    return Path(tempfile.mkdtemp(prefix="pbx-test-", dir=memory if plenty else None))


def data_directory() -> Path:
    """
    The data directory of this test process; removed when the process ends.
    """
    if not _data:
        _data.append(new_directory())
        atexit.register(shutil.rmtree, _data[0], ignore_errors=True)
    return _data[0]


async def data_with_database() -> Path:
    """
    The data directory of this test process, with a database in it.
    """
    if not (data_directory() / "postgres-18").exists():
        server = EmbeddedPostgres(reactor, data_directory(), FAST)
        await server.start()
        await server.stop()
    return data_directory()


class Lines:
    """
    What :class:`Database` logs during a test, at ``info`` and above.

    Attributes:
        lines: The formats of the lines.
        texts: The lines.
    """

    def __init__(self, case: TestCase) -> None:
        self.lines: list[str] = []
        self.texts: list[str] = []
        globalLogPublisher.addObserver(self)
        case.addCleanup(globalLogPublisher.removeObserver, self)

    def __call__(self, event: LogEvent) -> None:
        """
        Take an event.
        """
        if event["log_namespace"] == "pbx.store.database.Database" and event["log_level"] >= LogLevel.info:
            self.lines.append(event["log_format"])
            self.texts.append(formatEvent(event))


class DatabaseTestCase(TestCase):
    """
    A running server with every migration applied and every table empty, and a connected database.

    Attributes:
        server: The bundled server.
        dsn: Its connection string.
        database: Connected to it.
        spool: An empty directory of the test's own.
    """

    timeout = 30

    async def setUp(self) -> None:
        """
        Start the server, connect, empty the tables.
        """
        self.server = EmbeddedPostgres(reactor, data_directory(), FAST)
        self.dsn = await self.server.start()
        self.database = Database(reactor, self.dsn, prepare=migrate)
        await self.database.start()
        await self.database.execute(f"TRUNCATE {', '.join(TABLES)}")
        self.spool = Path(self.mktemp())

    async def tearDown(self) -> None:
        """
        Disconnect and stop the server.
        """
        await self.database.stop()
        await self.server.stop()

    async def second(self, **named: object) -> Database:
        """
        Another node's connection to the same database; stopped with the test.
        """
        database = Database(reactor, self.dsn, **named)  # type: ignore[arg-type]
        await database.start()
        self.addCleanup(lambda: _coroutine(database))
        return database


async def _coroutine(database: Database) -> None:
    await database.stop()
