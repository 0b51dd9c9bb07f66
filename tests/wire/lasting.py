"""
An exchange that is stopped, killed and started again on the same data, and a PostgreSQL server beside it.

What they keep lies in memory, and the database is a copy of one that was made once: a test of restarts would otherwise
wait for the disk most of its time.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import ssl
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import psycopg2
from twisted.internet.threads import deferToThread

from pbx.store.account import account_for
from pbx.store.embedded import binaries
from pbx.store.leftovers import processes
from tests.store.case import new_directory, untouched_database
from tests.wire.agent import Agent
from tests.wire.case import ExchangeTestCase
from tests.wire.exchange import Exchange
from tests.wire.process import Child

WRONG = re.compile(r" (ERROR|CRITICAL) |Traceback|Unhandled")
"""What does not stand in the log of an exchange to which nothing happens."""


class LastingExchange(Exchange):
    """
    One exchange over several runs.

    Attributes:
        expected: What lines of trouble in the log say that belong to the test.
    """

    def __init__(
        self, settings: Mapping[str, Mapping[str, Any]] | None = None, host: str = "127.0.0.1", calls: int = 10
    ) -> None:
        before, tempfile.tempdir = tempfile.tempdir, str(new_directory())
        self._room = Path(tempfile.tempdir)
        try:
            super().__init__(settings, host, calls=calls)
        finally:
            tempfile.tempdir = before
        self.expected: re.Pattern[str] | None = None

    @property
    def postgres(self) -> Path:
        """
        The directory of its embedded database.
        """
        return self.data / "postgres-18"

    @property
    def runs(self) -> bool:
        """
        Whether it runs.
        """
        return self._process is not None and self._process.poll() is None

    def seed(self, template: Path) -> None:
        """
        Give it the copy of an empty database, before its first start.
        """
        self.data.mkdir(parents=True, exist_ok=True)
        shutil.copytree(template / "postgres-18", self.postgres)

    def page(self, path: str) -> str:
        """
        A page of the API's server, which is no JSON.
        """
        context = ssl.create_default_context(cafile=str(self.certificate))
        with urllib.request.urlopen(f"https://localhost:{self.api_port}{path}", context=context, timeout=5) as page:
            return str(page.read().decode())

    def end(self, number: int = signal.SIGTERM, within: float = 10) -> tuple[int, float]:
        """
        Send it a signal and wait for its end.

        Returns:
            Its exit status (negative: the signal that ended it), and how long it took.

        Raises:
            subprocess.TimeoutExpired: It did not end in time.
        """
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(number)
        return self._process.wait(within), time.monotonic() - began

    def troubles(self) -> list[str]:
        """
        The lines of its log and its output that tell of a trouble no test wanted.
        """
        written = [*self.log(), *self.output.read_text(errors="replace").splitlines()]
        return [
            line for line in written if WRONG.search(line) and not (self.expected and self.expected.search(line))
        ]

    def finish(self) -> list[str]:
        """
        End it if it runs, and remove all it has; gives what was not as it should be.
        """
        complaints = []
        if self.runs:
            status, seconds = self.end()
            if status != 0 or seconds > 5 or "The exchange has stopped" not in "".join(self.log()[-6:]):
                complaints.append(f"it ended with {status} after {seconds:.1f} s:\n{self.said()}")
        if self._process is not None:
            complaints += self.troubles() + [f"still there: {words}" for words in self._left()]
        self.kill()
        shutil.rmtree(self._room, ignore_errors=True)
        return complaints


class LastingTestCase(ExchangeTestCase):
    """
    Tests that have an exchange each, and may do with it what they want.
    """

    #: What lines of trouble in the log belong to the test.
    expected: ClassVar[str] = ""

    async def setUp(self) -> None:
        """
        Nothing runs yet.
        """
        self.exchange = self.new_exchange()

    def new_exchange(self, settings: Mapping[str, Mapping[str, Any]] | None = None, **more: Any) -> Any:
        """
        One that was never started; it is removed with the test, and may not have complained.
        """
        exchange = LastingExchange(settings or self.settings, **more)
        exchange.expected = re.compile(self.expected) if self.expected else None
        self.addCleanup(self._removed, exchange)
        self._calls_before: set[str] = set()
        self._dialogs_before = 0
        return exchange

    async def _removed(self, exchange: LastingExchange) -> None:
        self.assertEqual(await deferToThread(exchange.finish), [])

    async def begin(self, *numbers: str) -> None:
        """
        Start the exchange for the first time, with these extensions.
        """
        self.exchange.seed(await untouched_database())
        await self.start()
        for number in numbers:
            await deferToThread(self.exchange.add_extension, number)

    async def start(self) -> float:
        """
        Start the exchange; gives the seconds it took.
        """
        return await deferToThread(self.exchange.start)

    async def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """
        Send the exchange a signal; its status, and the seconds it took.
        """
        return await deferToThread(self.exchange.end, number)


    @staticmethod
    async def seen(agent: Agent, method: str) -> bool:
        """
        Whether a request of this method has come to an agent.
        """
        return any(message.method == method and not message.status for message in agent.received)


class Server:
    """
    A PostgreSQL server that belongs to nobody's exchange, on a directory that it makes or is given.

    Attributes:
        directory: Its directory, where its socket is as well.
        dsn: How to reach it.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._room = None if directory else new_directory()
        self.directory = directory or self._room / "postgres-18"
        self.dsn = f"postgresql://pbx@/pbx_system?host={self.directory}"
        self._child: Child | None = None

    async def make(self) -> None:
        """
        Make an empty database.
        """
        shutil.copytree(await untouched_database() / "postgres-18", self.directory)

    async def start(self) -> None:
        """
        Run it until it can be asked.
        """
        (self.directory / "postmaster.pid").unlink(missing_ok=True)
        prefix = account_for(self.directory).prefix
        command = [*prefix, str(binaries() / "postgres"), "-D", str(self.directory), "-k", str(self.directory)]
        self._child = Child([*command, "-clisten_addresses=", "-cfsync=off"], cwd="/")
        await self._child.line("ready to accept connections")

    async def stop(self, number: int = signal.SIGINT) -> None:
        """
        Stop it (SIGINT: throwing everybody out; SIGKILL: without a word).
        """
        if self._child is not None:
            await self._child.stop(number)
            while number == signal.SIGKILL and processes(self.directory):
                await deferToThread(time.sleep, 0.02)

    async def remove(self) -> None:
        """
        Leave nothing of it.
        """
        await self.stop(signal.SIGQUIT)
        if self._room is not None:
            shutil.rmtree(self._room, ignore_errors=True)

    async def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """
        The rows of one statement.
        """
        return await deferToThread(asked, self.dsn, sql)


def asked(dsn: str, sql: str) -> list[tuple[Any, ...]]:
    """
    The rows of one statement on a server.
    """
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def kill_all(directory: Path) -> None:
    """
    Kill every process of the server on a directory, without a word.
    """
    for pid in processes(directory):
        os.kill(pid, signal.SIGKILL)
