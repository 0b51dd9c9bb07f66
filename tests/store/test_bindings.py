"""
Tests of :mod:`pbx.store.bindings` on a real server.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.store.bindings import AGAIN, PAUSE, STOP_SECONDS, Bindings
from pbx.store.database import DatabaseError
from tests.store.case import DatabaseTestCase
from tests.wire.process import eventually, reactor

NOW = 1_800_000_000.0


def binding(contact: str, *, transport: str = "UDP", expires_at: float = NOW + 60) -> dict[str, Any]:
    """
    A binding's row.
    """
    return {
        "contact": contact,
        "transport": transport,
        "local_host": "192.0.2.9",
        "local_port": 5060,
        "remote_host": "192.0.2.1",
        "remote_port": 5060,
        "expires_at": expires_at,
        "call_id": "abc",
        "cseq": 7,
        "instance": None,
        "user_agent": "phone",
        "registered_at": NOW,
    }


class SlowDatabase:
    """
    A database whose statements end when the test says so.
    """

    def __init__(self) -> None:
        self.up = True
        self.statements: list[tuple[dict[str, int], Deferred[int]]] = []

    def on_recovered(self, callback: object) -> None:
        """
        It never is away.
        """

    def execute(self, sql: str, args: tuple[str]) -> Deferred[int]:
        """
        Take a statement: the number of bindings of each address of record.
        """
        ended: Deferred[int] = Deferred()
        self.statements.append(({row["aor"]: len(row["bindings"]) for row in json.loads(args[0])}, ended))
        return ended


class OrderTests(SynchronousTestCase):
    """
    What changes while a statement is under way.
    """

    def setUp(self) -> None:
        """
        Bindings before a slow database.
        """
        self.clock = Clock()
        self.database = SlowDatabase()
        self.bindings = Bindings(self.clock, self.database, lambda: NOW)  # type: ignore[arg-type]

    def end(self, error: Exception | None = None) -> None:
        """
        End the statement under way.
        """
        ended = self.database.statements[-1][1]
        if error is None:
            ended.callback(1)
        else:
            ended.errback(error)

    def test_newer_state_is_never_overwritten(self) -> None:
        """
        When a statement failed, what was saved meanwhile is written, and the rest of what it held.
        """
        self.bindings.save("1001", [binding("sip:a")])
        self.bindings.save("1002", [binding("sip:b")])
        self.clock.advance(PAUSE)
        self.bindings.save("1001", [])
        self.end(DatabaseError("no room"))
        self.clock.advance(AGAIN)
        written = [rows for rows, _ in self.database.statements]
        self.assertEqual(written, [{"1001": 1, "1002": 1}, {"1001": 0, "1002": 1}])
        self.end()
        self.assertEqual((self.bindings.waiting, self.clock.getDelayedCalls()), (0, []))

    def test_one_statement_at_a_time(self) -> None:
        """
        What is saved while a statement is under way is written after it, never beside it.
        """
        self.bindings.save("1001", [binding("sip:a")])
        self.clock.advance(PAUSE)
        self.bindings.save("1001", [])
        self.clock.advance(10 * PAUSE)
        self.assertEqual(len(self.database.statements), 1)
        self.end()
        self.clock.advance(PAUSE)
        self.assertEqual([rows for rows, _ in self.database.statements], [{"1001": 1}, {"1001": 0}])
        self.end()

    def test_stop_waits_two_seconds_at_most(self) -> None:
        """
        A statement that does not end holds the stop up for two seconds.
        """
        self.bindings.save("1001", [binding("sip:a")])
        stopping = Deferred.fromCoroutine(self.bindings.stop())
        self.clock.advance(STOP_SECONDS)
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class BindingsTests(DatabaseTestCase):
    """
    Where phones are registered, across restarts.
    """

    async def setUp(self) -> None:
        """
        An empty table.
        """
        await DatabaseTestCase.setUp(self)
        self.bindings = self.restarted()

    def restarted(self) -> Bindings:
        """
        The bindings of another run.
        """
        return Bindings(reactor, self.database, lambda: NOW)

    async def stored(self) -> dict[str, list[str]]:
        """
        What the table has: address of record to contacts.
        """
        rows = await self.database.query("SELECT aor, bindings FROM location ORDER BY aor")
        return {row["aor"]: [item["contact"] for item in row["bindings"]] for row in rows}

    async def test_survive_a_restart(self) -> None:
        """
        What was saved is loaded by the next run as it was saved.
        """
        rows = [binding("sip:a"), binding("sip:b")]
        self.bindings.save("1001", rows)
        await self.bindings.stop()
        self.assertEqual(await self.restarted().load(), [{**row, "aor": "1001"} for row in rows])

    async def test_connections_and_expired_ones_do_not(self) -> None:
        """
        A binding whose connection ended with the former run, and one that has expired, are not loaded.
        """
        rows = [binding(f"sip:{name}", transport=name) for name in ("UDP", "TCP", "TLS", "tls")]
        self.bindings.save("1001", [*rows, binding("sip:old", expires_at=NOW)])
        await self.bindings.stop()
        self.assertEqual([row["contact"] for row in await self.restarted().load()], ["sip:UDP"])

    async def test_latest_state_alone_is_written(self) -> None:
        """
        What changes several times in a moment is written once, and what has no bindings any more is removed.
        """
        self.bindings.save("1001", [binding("sip:a")])
        self.bindings.save("1002", [binding("sip:b")])
        self.bindings.save("1001", [binding("sip:c")])
        self.assertEqual(self.bindings.waiting, 2)

        async def written() -> bool:
            return self.bindings.waiting == 0 and self.bindings.written == 2

        await eventually(written, within=5, what="the writing", interval=0.01)
        self.assertEqual(await self.stored(), {"1001": ["sip:c"], "1002": ["sip:b"]})
        self.bindings.save("1002", ())
        self.bindings.save("1003", [binding("sip:d")])
        await self.bindings.stop()
        self.assertEqual(await self.stored(), {"1001": ["sip:c"], "1003": ["sip:d"]})

    async def test_what_strangers_send_does_not_block_the_others(self) -> None:
        """
        Odd bytes in a Contact do not keep it, nor the ones written with it, from being stored.
        """
        self.bindings.save("1001", [binding("sip:a\0b"), binding("sip:\udcffx")])
        self.bindings.save("1002", [binding("sip:c")])
        await self.bindings.stop()
        self.assertEqual(len(await self.restarted().load()), 3)

    async def test_database_away(self) -> None:
        """
        While the database is away the latest state is kept; it is written when the database is back.
        """
        self.bindings.save("1001", [binding("sip:a")])
        await self.bindings.stop()
        bindings = self.restarted()
        await self.server.kill()
        for contact in ("sip:b", "sip:c"):
            bindings.save("1001", [binding(contact)])
        bindings.save("1002", [binding("sip:d")])

        async def down() -> bool:
            return not self.database.up

        await eventually(down, within=5, what="the loss noticed", interval=0.005)
        bindings.save("1002", ())
        bindings.save("1003", [binding("sip:e")])

        async def written() -> bool:
            return bindings.waiting == 0 and self.database.up

        await eventually(written, within=10, what="the writing", interval=0.01)
        await bindings.stop()
        self.assertEqual(await self.stored(), {"1001": ["sip:c"], "1003": ["sip:e"]})

    async def test_many_phones(self) -> None:
        """
        More than fit in one statement are all written.
        """
        for number in range(1100):
            self.bindings.save(str(number), [binding("sip:a")])
        await self.bindings.stop()
        self.assertEqual(len(await self.restarted().load()), 1100)
