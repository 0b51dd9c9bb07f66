"""
Tests of :mod:`pbx.store.database` with a real server that goes away and comes back.
"""

from __future__ import annotations

import os
import signal
import socket

import psycopg2
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.trial.unittest import TestCase

from pbx.store import database as module
from pbx.store.database import (
    Database,
    DatabaseDown,
    DatabaseError,
    DatabaseTimeout,
    Duplicate,
    Rejected,
    Transaction,
)
from pbx.store.embedded import EmbeddedPostgres
from tests.store.case import FAST, DatabaseTestCase, Lines, data_with_database
from tests.wire.process import eventually, reactor, sleep

run = Deferred.fromCoroutine


async def is_up(database: Database) -> bool:
    """
    Whether the database answers.
    """
    return database.up


class StatementTests(DatabaseTestCase):
    """
    Statements while the server is there.
    """

    async def setUp(self) -> None:
        """
        An empty table to write to.
        """
        await DatabaseTestCase.setUp(self)
        await self.database.execute(
            "DROP TABLE IF EXISTS thing; CREATE TABLE thing (id integer PRIMARY KEY, word text NOT NULL)"
        )

    async def test_rows_and_counts(self) -> None:
        """
        A query gives rows by column name; a statement tells how many rows it touched.
        """
        count = await self.database.execute("INSERT INTO thing VALUES (%s, %s), (2, '100%%')", (1, "o'ne"))
        self.assertEqual(count, 2)
        rows = await self.database.query("SELECT * FROM thing ORDER BY id")
        self.assertEqual(rows, [{"id": 1, "word": "o'ne"}, {"id": 2, "word": "100%"}])

    async def test_errors_have_types(self) -> None:
        """
        A taken key, values the table does not take, and mistakes are told apart; the connections stay usable.
        """
        await self.database.execute("INSERT INTO thing VALUES (1, 'one')")
        error = await self.assertFailure(run(self.database.execute("INSERT INTO thing VALUES (1, 'x')")), Duplicate)
        self.assertEqual(error.constraint, "thing_pkey")
        for sql in ("INSERT INTO thing VALUES (2, NULL)", "SELECT 'x'::integer"):
            await self.assertFailure(run(self.database.execute(sql)), Rejected)
        error = await self.assertFailure(run(self.database.execute("SELECT nothing")), DatabaseError)
        self.assertIs(type(error), DatabaseError)
        self.assertEqual(len(await self.database.query("SELECT * FROM thing")), 1)

    async def test_interaction_commits_or_rolls_back(self) -> None:
        """
        What an interaction did is there when it returns, and undone when it raises.
        """

        async def add(transaction: Transaction) -> int:
            await transaction.execute("INSERT INTO thing VALUES (1, 'one')")
            return len(await transaction.query("SELECT * FROM thing"))

        async def fail(transaction: Transaction) -> None:
            await transaction.execute("INSERT INTO thing VALUES (2, 'two')")
            raise ZeroDivisionError

        self.assertEqual(await self.database.interact(add), 1)
        await self.assertFailure(run(self.database.interact(fail)), ZeroDivisionError)
        self.assertEqual([row["id"] for row in await self.database.query("SELECT id FROM thing")], [1])

    async def test_more_at_once_than_connections(self) -> None:
        """
        Statements beyond the number of connections wait for their turn.
        """
        asked = [run(self.database.query("SELECT %s::int AS n, pg_sleep(0.01)", (n,))) for n in range(20)]
        answers = await gatherResults(asked)
        self.assertEqual([rows[0]["n"] for rows in answers], list(range(20)))

    async def test_slow_statements_and_locks_time_out(self) -> None:
        """
        A statement that takes too long, and one that waits too long for a lock, fail as timeouts and change nothing.
        """
        self.patch(module, "STATEMENT_SECONDS", 0.2)
        impatient = await self.second()
        await self.assertFailure(run(impatient.query("SELECT pg_sleep(5)")), DatabaseTimeout)
        self.assertTrue(impatient.up)
        await self.database.execute("INSERT INTO thing VALUES (1, 'one')")

        async def meet(transaction: Transaction) -> None:
            await transaction.execute("UPDATE thing SET word = 'mine'")
            await transaction.execute("SET LOCAL lock_timeout = '50ms'")
            await self.assertFailure(run(locked()), DatabaseTimeout)

        async def locked() -> None:
            async def wait(transaction: Transaction) -> None:
                await transaction.execute("SET LOCAL lock_timeout = '50ms'")
                await transaction.execute("UPDATE thing SET word = 'theirs'")

            await self.database.interact(wait)

        await self.database.interact(meet)
        self.assertEqual(await self.database.query("SELECT word FROM thing"), [{"word": "mine"}])

    async def test_cancelling_the_waiter_cancels_no_statement(self) -> None:
        """
        Who waits may be cancelled; the transaction is finished all the same, and the connection is good.
        """

        async def slow(transaction: Transaction) -> None:
            await transaction.execute("INSERT INTO thing VALUES (1, 'one')")
            await transaction.execute("SELECT pg_sleep(0.1)")

        waiting = run(self.database.interact(slow))
        await sleep(0.02)
        waiting.cancel()
        await self.assertFailure(waiting, CancelledError)

        async def there() -> bool:
            return bool(await self.database.query("SELECT * FROM thing"))

        await eventually(there, within=5, what="the row", interval=0.02)

    async def test_stop_waits_for_what_is_under_way(self) -> None:
        """
        A statement under way when the program stops is finished; one that comes later is refused.
        """
        other = await self.second()
        under_way = run(other.query("SELECT 1 AS one, pg_sleep(0.1)"))
        await other.stop()
        self.assertEqual((await under_way)[0]["one"], 1)
        await self.assertFailure(run(other.query("SELECT 1")), DatabaseDown)

    async def test_notifications(self) -> None:
        """
        What one node notifies another one hears, also of a channel that was asked for before it connected.
        """
        heard: list[str] = []
        other = Database(reactor, self.dsn)
        await other.listen("early", heard.append)
        await other.start()
        self.addCleanup(lambda: run(other.stop()))
        await other.listen("Late", heard.append)
        await self.database.execute("SELECT pg_notify('early', 'a'), pg_notify('Late', 'b')")

        async def both() -> bool:
            return sorted(heard) == ["a", "b"]

        await eventually(both, within=5, what="both notifications", interval=0.01)


class LossTests(DatabaseTestCase):
    """
    The server goes away and comes back.
    """

    own_server = True

    async def setUp(self) -> None:
        """
        Watch the log.
        """
        await DatabaseTestCase.setUp(self)
        self.log = Lines(self)

    async def test_killed_server(self) -> None:
        """
        When the server is killed, statements fail at once until it is back; there is one line of its loss and one of
        its return, notifications are heard again, and whoever asked is told to read again.
        """
        told: list[str] = []
        heard: list[str] = []
        self.database.on_recovered(lambda: told.append("recovered"))
        await self.database.listen("channel", heard.append)
        under_way = run(self.database.query("SELECT pg_sleep(3)"))
        pid = self.server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await self.assertFailure(under_way, DatabaseDown)
        await eventually(lambda: _not(is_up(self.database)), within=5, what="the loss noticed", interval=0.005)
        began = reactor.seconds()
        await self.assertFailure(run(self.database.query("SELECT 1")), DatabaseDown)
        self.assertLess(reactor.seconds() - began, 0.05)
        await eventually(lambda: is_up(self.database), within=10, what="the server back", interval=0.01)
        await self.database.execute("SELECT pg_notify('channel', 'again')")
        await eventually(lambda: _is(bool(heard)), within=5, what="a notification", interval=0.01)
        await eventually(lambda: _is(bool(told)), within=5, what="the call back", interval=0.01)
        self.assertEqual(told, ["recovered"])
        self.assertEqual([line.split()[1] for line in self.log.lines], ["not", "reachable"])
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_one_connection_ended_by_an_administrator(self) -> None:
        """
        Connections that an administrator ends are made again, without a word and without a failed statement after
        that.
        """
        await self.database.query("SELECT 1")
        ended = psycopg2.connect(self.dsn)
        ended.autocommit = True
        ended.cursor().execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid IN"
            " (SELECT pid FROM pg_stat_activity WHERE application_name = 'pbx' AND pid <> pg_backend_pid() LIMIT 1)"
        )
        ended.close()
        await sleep(0.05)
        for _ in range(10):
            await self.database.query("SELECT 1")
        self.assertEqual(self.log.lines, [])
        rows = await self.database.query("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pbx'")
        self.assertEqual(rows[0]["count"], 4)

    async def test_stop_while_the_server_is_away(self) -> None:
        """
        Stopping while the server is away takes no time and leaves no timer.
        """
        await self.server.stop()
        await eventually(lambda: _not(is_up(self.database)), within=5, what="the loss noticed", interval=0.01)
        await sleep(0.25)
        began = reactor.seconds()
        await self.database.stop()
        self.assertLess(reactor.seconds() - began, 0.1)

    async def test_hung_server(self) -> None:
        """
        A server that says nothing any more is taken for dead, and does not hold up the caller for ever.
        """
        self.patch(module, "ANSWER_SECONDS", 0.1)
        self.patch(module, "CONNECT_SECONDS", 0.1)
        rows = await self.database.query("SELECT pg_backend_pid() AS pid")
        os.kill(rows[0]["pid"], signal.SIGSTOP)
        try:
            await self.assertFailure(run(self.database.query("SELECT 1")), DatabaseDown)
        finally:
            os.kill(rows[0]["pid"], signal.SIGCONT)
        await eventually(lambda: is_up(self.database), within=5, what="another connection", interval=0.01)
        self.assertEqual(len(await self.database.query("SELECT 1")), 1)


class StartTests(TestCase):
    """
    Starting with a server that is there later, or never.
    """

    timeout = 30

    async def test_server_comes_later(self) -> None:
        """
        The program starts while the server is down; when it comes the tables are brought up to date first, and then
        whoever asked is told.
        """
        server = EmbeddedPostgres(reactor, await data_with_database(), FAST)
        order: list[str] = []
        log = Lines(self)
        database = Database(reactor, server.dsn, prepare=lambda dsn: order.append("prepared"))
        database.on_recovered(lambda: order.append("recovered"))
        await database.start()
        try:
            self.assertFalse(database.up)
            # The driver says why in two lines.
            self.assertRegex(log.texts[0], r"^Database not reachable: [ -~]+[?]; calls go on from memory$")
            await self.assertFailure(run(database.query("SELECT 1")), DatabaseDown)
            await server.start()
            await eventually(lambda: is_up(database), within=5, what="the server", interval=0.01)
            self.assertEqual(order[0], "prepared")
            await eventually(lambda: _is(order == ["prepared", "recovered"]), within=2, what="both", interval=0.01)
        finally:
            await database.stop()
            await server.stop()

    async def test_what_prepare_raises_stops_the_start(self) -> None:
        """
        What the migrations refuse is raised by the start, and nothing is left open.
        """
        server = EmbeddedPostgres(reactor, await data_with_database(), FAST)
        await server.start()

        def refuse(dsn: str) -> None:
            raise ZeroDivisionError

        try:
            await self.assertFailure(run(Database(reactor, server.dsn, prepare=refuse).start()), ZeroDivisionError)
        finally:
            await server.stop()

    async def test_cancelled(self) -> None:
        """
        A start that is cancelled while it connects ends so, and is not taken for one without a server.
        """
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        database = Database(reactor, f"postgresql://u@127.0.0.1:{listening.getsockname()[1]}/x")
        starting = run(database.start())
        await sleep(0.05)
        starting.cancel()
        await self.assertFailure(starting, CancelledError)
        self.assertFalse(database.up)

    async def test_silent_host(self) -> None:
        """
        A host that takes the connection and says nothing is given up.
        """
        self.patch(module, "CONNECT_SECONDS", 0.05)
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        database = Database(reactor, f"postgresql://u@localhost:{listening.getsockname()[1]}/x")
        await database.start()
        self.assertFalse(database.up)
        await database.stop()

    def test_nonsense(self) -> None:
        """
        A connection string that is none is refused at once.
        """
        self.assertRaises(ValueError, Database, reactor, "nonsense")


async def _is(value: bool) -> bool:
    return value


async def _not(asked: object) -> bool:
    return not await asked  # type: ignore[misc]
