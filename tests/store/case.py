"""
A test with a real PostgreSQL: the bundled server, on a directory made once for each test process.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from pbx.store.database import Database
from pbx.store.embedded import EmbeddedPostgres
from pbx.store.migrate import migrate
from tests.wire.process import ROOT, eventually, reactor

TABLES = (
    "system", "extension", "location", "cdr", "place", "mailbox", "voicemail", "mail", "subscription", "alert", "plan",
    "rate_list", "rate", "night_switch",
)

FAST = ("fsync=off", "full_page_writes=off")
"""The tests' data may perish with the machine."""

KEEP_UP = """
import sys
from pathlib import Path
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from pbx.store import embedded
# However often other tests have killed it just now, it is back at once.
embedded.STEADY_SECONDS = 0
server = embedded.EmbeddedPostgres(reactor, Path(sys.argv[1]), sys.argv[2:])
def until_the_tests_have_ended():
    sys.stdin.read()
    reactor.callFromThread(reactor.stop)
async def main():
    print(await server.start(), flush=True)
reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(server.stop()))
reactor.callWhenRunning(lambda: Deferred.fromCoroutine(main()))
reactor.callInThread(until_the_tests_have_ended)
reactor.run()
"""

ROOM = 1_000_000_000
"""Bytes that must be free in memory for the tests to put databases there."""

_data: list[Path] = []
_untouched: list[Path] = []


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


async def untouched_database() -> Path:
    """
    A data directory with a database in it that nobody has ever used: for copies.
    """
    if not _untouched:
        directory = new_directory()
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        server = EmbeddedPostgres(reactor, directory, FAST)
        await server.start()
        await server.stop()
        _untouched.append(directory)
    return _untouched[0]


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


class SharedServer:
    """
    One bundled server for all tests of this process that only use it: a program of its own keeps it up, also when a
    test kills it, and ends with this process.

    Attributes:
        dsn: Its connection string.
    """

    def __init__(self, data: Path) -> None:
        self._program = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-c", KEEP_UP, str(data), *FAST],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
        )
        assert self._program.stdout is not None
        self.dsn = self._program.stdout.readline().strip()
        self._lock = data / "postgres-18" / "postmaster.pid"

    async def pid(self) -> int:
        """
        Its process. One that was killed a moment ago is waited for.
        """
        what = "the server that was killed before back"
        return await eventually(self._running, within=15, what=what, interval=0.01)

    async def kill(self) -> None:
        """
        Kill it, as the kernel does for want of memory.
        """
        os.kill(await self.pid(), signal.SIGKILL)

    async def _running(self) -> int:
        return self._pid()

    def _pid(self) -> int:
        """
        Its process, 0 while it is down.
        """
        try:
            pid = int(self._lock.read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return 0
        # One that was killed leaves its file behind.
        return pid if Path(f"/proc/{pid}").exists() else 0

    def end(self) -> None:
        """
        Stop it.
        """
        self._program.communicate(timeout=10)


_shared: list[SharedServer] = []


async def shared_server() -> SharedServer:
    """
    The shared server, started when it is first wanted.
    """
    if not _shared:
        data = new_directory()
        atexit.register(shutil.rmtree, data, ignore_errors=True)
        shutil.copytree(await untouched_database() / "postgres-18", data / "postgres-18")
        _shared.append(SharedServer(data))
        atexit.register(_shared[0].end)
    return _shared[0]


class DatabaseTestCase(TestCase):
    """
    A running server with every migration applied and every table empty, and a connected database.

    Attributes:
        own_server: The class starts and stops its server itself; else it is the shared one, which may be killed.
        server: The server.
        dsn: Its connection string.
        database: Connected to it.
        spool: An empty directory of the test's own.
    """

    timeout = 30
    own_server = False
    server: Any

    async def setUp(self) -> None:
        """
        Have a server, connect, empty the tables.
        """
        if self.own_server:
            self.server = EmbeddedPostgres(reactor, data_directory(), FAST)
            self.dsn = await self.server.start()
        else:
            self.server = await shared_server()
            self.dsn = self.server.dsn
        self.database = Database(reactor, self.dsn, prepare=migrate)
        await self.database.start()
        await self.database.execute(f"TRUNCATE {', '.join(TABLES)}")
        self.spool = Path(self.mktemp())

    async def tearDown(self) -> None:
        """
        Disconnect, and stop the server if it is the test's own.
        """
        await self.database.stop()
        if self.own_server:
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
