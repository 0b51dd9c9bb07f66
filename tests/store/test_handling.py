"""
Tests of :mod:`pbx.store.handling` on a real server.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from pbx.directory.directory import Directory
from pbx.directory.handling import Handling
from pbx.features.star import IHandling, NotChangedError
from pbx.store.database import DatabaseDown
from pbx.store.extensions import Extensions
from pbx.store.handling import KeptHandling
from tests.store.case import DatabaseTestCase
from tests.wire.process import reactor


class KeptHandlingTests(DatabaseTestCase):
    """
    What star codes change, in the table.
    """

    async def test_changes_and_fails(self) -> None:
        """
        A change holds when it returns; what can't be kept is said in the words of star codes.
        """
        directory = Directory()
        extensions = Extensions(reactor, self.database, directory, "realm")
        kept = KeptHandling(extensions)
        verifyObject(IHandling, kept)
        await extensions.add("1005", "John", "SecurePassword123!")
        await kept.change("1005", dnd=True, forward_busy="1001")
        extension = directory.extension("1005")
        assert extension is not None
        self.assertEqual(extension.handling, Handling(dnd=True, forward_busy="1001"))
        await self.assertFailure(Deferred.fromCoroutine(kept.change("1006", dnd=True)), NotChangedError)

        async def down(sql: str, args: tuple[object, ...] = ()) -> object:
            raise DatabaseDown("away")

        self.patch(self.database, "query", down)
        await self.assertFailure(Deferred.fromCoroutine(kept.change("1005", dnd=False)), NotChangedError)
