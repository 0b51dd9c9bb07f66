"""
Tests of :mod:`pbx.store.bindings` on a real server.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from pbx.store.bindings import Bindings
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
        "path": [],
        "registered_at": NOW,
    }


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
        self.bindings.remove("1002")
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
        os.kill(self.server.pid or 0, signal.SIGKILL)
        for contact in ("sip:b", "sip:c"):
            bindings.save("1001", [binding(contact)])
        bindings.save("1002", [binding("sip:d")])

        async def down() -> bool:
            return not self.database.up

        await eventually(down, within=5, what="the loss noticed", interval=0.005)
        bindings.remove("1002")
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
