"""
Tests of :mod:`pbx.store.leftovers`.
"""

from __future__ import annotations

import os
import signal

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from pbx.store.leftovers import clear, processes
from tests.wire.lasting import Server


class ClearTests(TestCase):
    """
    Making room for a new server.
    """

    timeout = 30

    async def setUp(self) -> None:
        """
        A server that nobody supervises.
        """
        self.server = Server()
        self.addCleanup(self.server.remove)
        await self.server.make()
        await self.server.start()
        self.said: list[object] = []

    async def check_cleared(self) -> None:
        """
        Nothing of it is left, and a new one runs.
        """
        directory = self.server.directory
        await deferToThread(clear, directory, self.said.append, patience=0.4)
        self.assertEqual(processes(directory), [])
        self.assertEqual([path.name for path in directory.glob("*.pid")], [])
        self.assertEqual(len(self.said), 1)
        await self.server.start()
        self.assertEqual(await self.server.ask("SELECT 1"), [(1,)])

    async def test_left_alone(self) -> None:
        """
        A server that was left alone is asked to end.
        """
        await self.check_cleared()

    async def test_frozen(self) -> None:
        """
        One that hears no signal but the last is ended by that one.
        """
        for pid in processes(self.server.directory):
            os.kill(pid, signal.SIGSTOP)
        await self.check_cleared()

    async def test_nothing_there(self) -> None:
        """
        After a clean end there is nothing to do, and nothing is said.
        """
        await self.server.stop()
        clear(self.server.directory, self.said.append)
        self.assertEqual(self.said, [])
