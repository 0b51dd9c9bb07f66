"""
Tests of :mod:`pbx.store.alerts` on a real server.
"""

from __future__ import annotations

from attrs import evolve

from pbx.features.mail import Mail
from pbx.store import alerts as module
from pbx.store.alerts import Alert, StoredAlerts
from tests.store.case import DatabaseTestCase
from tests.wire.process import eventually, reactor

NOW = 1_800_000_000.5
DOWN = Alert("a1", "trunk", "A", "Trunk A is down.", NOW, NOW)
CALLED = Alert("b2", "emergency", "1001", "1001 called 112.", NOW + 1, NOW + 1, detail={"callback": "+4930123456"})
LETTER = Mail("ann@example.com", "Trunk A is down", "It is.", message="alert:a1:began")


class StoredAlertsTests(DatabaseTestCase):
    """
    Alerts across restarts.
    """

    async def mails(self) -> list[str]:
        """
        What the mails are about that wait.
        """
        return [row["message"] for row in await self.database.query("SELECT message FROM mail ORDER BY queued")]

    async def test_survive_a_restart(self) -> None:
        """
        What was saved is loaded by the next run, the settled ones too.
        """
        stored = StoredAlerts(reactor, self.database)
        settled = evolve(DOWN, settled=NOW + 9, outcome="Trunk A is up.", acknowledged=NOW + 3, acknowledged_by="ann")
        stored.save(DOWN)
        stored.save(CALLED)
        stored.save(settled)
        await stored.stop()
        self.assertEqual(await StoredAlerts(reactor, self.database).load(10), [settled, CALLED])
        self.assertEqual(await StoredAlerts(reactor, self.database).load(0), [CALLED])

    async def test_one_mail(self) -> None:
        """
        Mail is queued with its alert, and once, however often both are written.
        """
        for _ in range(2):
            stored = StoredAlerts(reactor, self.database)
            stored.save(DOWN, [LETTER])
            stored.save(evolve(DOWN, text="Trunk A is still down."))
            await stored.stop()
        self.assertEqual(await self.mails(), ["alert:a1:began"])

    async def test_database_away(self) -> None:
        """
        While the database is away all wait, and both alert and mail are written when it is back.
        """
        stored = StoredAlerts(reactor, self.database)
        await self.server.kill()

        async def down() -> bool:
            return not self.database.up

        await eventually(down, within=5, what="the loss noticed", interval=0.005)
        stored.save(DOWN, [LETTER])
        stored.save(CALLED)
        self.assertEqual(stored.waiting, 2)

        async def written() -> bool:
            return stored.waiting == 0 and self.database.up

        await eventually(written, within=10, what="the writing", interval=0.01)
        await stored.stop()
        self.assertEqual(await StoredAlerts(reactor, self.database).load(10), [DOWN, CALLED])
        self.assertEqual(await self.mails(), ["alert:a1:began"])

    async def test_bounded(self) -> None:
        """
        What waits is bounded; emergencies stay.
        """
        self.patch(module, "MOST_WAITING", 3)
        stored = StoredAlerts(reactor, self.database)
        stored.save(CALLED)
        for number in range(5):
            stored.save(evolve(DOWN, id=str(number), subject=str(number)))
        self.assertEqual((stored.waiting, stored.lost), (3, 3))
        await stored.stop()
        loaded = await StoredAlerts(reactor, self.database).load(10)
        self.assertEqual([alert.id for alert in loaded if alert.kind == "emergency"], ["b2"])

    async def test_what_strangers_send(self) -> None:
        """
        Odd characters keep neither an alert nor the next from being stored.
        """
        stored = StoredAlerts(reactor, self.database)
        stored.save(evolve(DOWN, subject="a\0\udcff", text="b\0\udcff", detail={"c": "\0"}))
        stored.save(CALLED)
        await stored.stop()
        self.assertEqual(len(await StoredAlerts(reactor, self.database).load(10)), 2)
