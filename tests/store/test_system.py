"""
Tests of :mod:`pbx.store.system`.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, gatherResults

from pbx.store.system import System
from tests.store.case import DatabaseTestCase


class SystemTests(DatabaseTestCase):
    """
    Single values of the whole exchange.
    """

    async def test_kept(self) -> None:
        """
        A value is what it was last set to, and nothing before that.
        """
        system = System(self.database)
        self.assertIsNone(await system.get("colour"))
        await system.set("colour", "red")
        await system.set("colour", {"r": [255, 0]})
        self.assertEqual(await System(await self.second()).get("colour"), {"r": [255, 0]})

    async def test_one_realm_for_ever(self) -> None:
        """
        The realm is random, made by the first who asks, and the same for every node and after every restart.
        """
        other = await self.second()
        asked = [Deferred.fromCoroutine(System(database).realm()) for database in (self.database, other) * 3]
        (realm,) = set(await gatherResults(asked))
        self.assertRegex(realm, r"^pbx-[0-9a-f]{8}$")
        self.assertEqual(await System(self.database).realm(), realm)
        await self.database.execute("TRUNCATE system")
        self.assertNotEqual(await System(self.database).realm(), realm)
