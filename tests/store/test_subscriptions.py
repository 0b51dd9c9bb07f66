"""
Tests of :mod:`pbx.store.subscriptions` on a real server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zope.interface.verify import verifyObject

from pbx.dialog.notifier import ISubscriptionStore
from pbx.store.subscriptions import Subscriptions
from tests.store.case import DatabaseTestCase
from tests.wire.process import eventually, reactor

NOW = 1_800_000_000.0


def row(resource: str, *, transport: str = "UDP", expires_at: float = NOW + 60, **more: Any) -> Callable[[], Any]:
    """
    What gives a subscription's row.
    """
    return lambda: {
        "package": "dialog", "event_id": None, "resource": resource, "party": "1003", "user_agent": "phone",
        "since": NOW, "expires_at": expires_at, "version": 3, "call_id": "abc", "local_tag": "l", "remote_tag": "r",
        "local": "<sip:1002@192.0.2.9>;tag=l", "remote": "<sip:1003@192.0.2.9>;tag=r",
        "remote_target": "sip:1003@192.0.2.1", "route_set": ["<sip:p;lr>"], "local_cseq": 4, "remote_cseq": 2,
        "contact": "<sip:1002@192.0.2.9:5060>", "transport": transport, "local_host": "192.0.2.9", "local_port": 5060,
        "remote_host": "192.0.2.1", "remote_port": 5060, **more,
    }


class SubscriptionsTests(DatabaseTestCase):
    """
    What phones have subscribed to, across restarts.
    """

    async def setUp(self) -> None:
        """
        An empty table.
        """
        await DatabaseTestCase.setUp(self)
        self.subscriptions = self.restarted()

    def restarted(self) -> Subscriptions:
        """
        The subscriptions of another run.
        """
        return Subscriptions(reactor, self.database, lambda: NOW)

    async def stored(self) -> list[str]:
        """
        The keys in the table.
        """
        return [row["key"] for row in await self.database.query("SELECT key FROM subscription ORDER BY key")]

    async def loaded(self) -> list[str]:
        """
        What another run loads: whose state each is about.
        """
        return sorted(found["resource"] for found in await self.restarted().load())

    async def test_interface(self) -> None:
        """
        It is the notifier's store.
        """
        self.assertTrue(verifyObject(ISubscriptionStore, self.subscriptions))
        await self.subscriptions.stop()

    async def test_survive_a_restart(self) -> None:
        """
        What was saved is loaded by the next run as it was saved.
        """
        self.subscriptions.save("a", row("1001"))
        self.subscriptions.save("b", row("1002", event_id="7"))
        await self.subscriptions.stop()
        found = sorted(await self.restarted().load(), key=lambda item: item["resource"])
        self.assertEqual(found, [row("1001")(), row("1002", event_id="7")()])

    async def test_as_it_is_when_written(self) -> None:
        """
        What changes between is written once, as it is then; what has ended is removed.
        """
        version = 1

        def changing() -> Any:
            return row("1001", version=version)()

        self.subscriptions.save("a", changing)
        self.subscriptions.save("b", row("1002"))
        version = 9
        self.assertEqual(self.subscriptions.waiting, 2)

        async def written() -> bool:
            return self.subscriptions.waiting == 0 and self.subscriptions.written == 2

        await eventually(written, within=5, what="the writing", interval=0.01)
        self.assertEqual([item["version"] for item in await self.restarted().load()], [9, 3])
        self.subscriptions.remove("a")
        self.subscriptions.remove("never there")
        await self.subscriptions.stop()
        self.assertEqual(await self.stored(), ["b"])

    async def test_connections_and_expired_ones_do_not(self) -> None:
        """
        What ended with its connection or has expired is neither loaded nor kept.
        """
        for name in ("UDP", "TCP", "TLS"):
            self.subscriptions.save(name, row(name, transport=name))
        self.subscriptions.save("old", row("old", expires_at=NOW))
        await self.subscriptions.stop()
        self.assertEqual(await self.stored(), ["UDP", "old"])
        self.assertEqual(await self.loaded(), ["UDP"])
        self.assertEqual(await self.stored(), ["UDP"])

    async def test_moved_to_a_connection(self) -> None:
        """
        A phone that goes on over a connection is no longer kept.
        """
        self.subscriptions.save("a", row("1001"))
        await self.subscriptions.stop()
        again = self.restarted()
        again.save("a", row("1001", transport="TCP"))
        await again.stop()
        self.assertEqual(await self.stored(), [])

    async def test_what_strangers_send_does_not_block_the_others(self) -> None:
        """
        Odd bytes do not keep one, nor the ones written with it, from being stored.
        """
        self.subscriptions.save("a\0b", row("1001", remote="\udcff\0"))
        self.subscriptions.save("c", row("1002"))
        await self.subscriptions.stop()
        self.assertEqual(await self.loaded(), ["1001", "1002"])

    async def test_database_away(self) -> None:
        """
        While the database is away the latest state is kept; it is written when the database is back.
        """
        self.subscriptions.save("a", row("1001"))
        await self.subscriptions.stop()
        subscriptions = self.restarted()
        await self.server.kill()
        subscriptions.save("b", row("1002"))

        async def down() -> bool:
            return not self.database.up

        await eventually(down, within=5, what="the loss noticed", interval=0.005)
        subscriptions.remove("a")
        subscriptions.save("c", row("1003"))

        async def written() -> bool:
            return subscriptions.waiting == 0 and self.database.up

        await eventually(written, within=10, what="the writing", interval=0.01)
        await subscriptions.stop()
        self.assertEqual(await self.stored(), ["b", "c"])

    async def test_many(self) -> None:
        """
        More than fit in one statement are all written.
        """
        for number in range(1100):
            self.subscriptions.save(str(number), row(str(number)))
        await self.subscriptions.stop()
        self.assertEqual(len(await self.restarted().load()), 1100)
