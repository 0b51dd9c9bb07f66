"""
Tests for :mod:`pbx.web.plan` on a real server, and for what stands for it in other tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.plan import Plan, PlanBook
from pbx.directory.trunk import Trunk
from pbx.store.plan import StoredPlan
from pbx.store.secrets import SecretKey
from pbx.web.plan import IPlan, KeptPlan, NoSecretKeyError, PieceExistsError, PieceGoneError
from tests.calls.lines import Told
from tests.store.case import DatabaseTestCase
from tests.web.memory_plan import MemoryPlan
from tests.wire.process import reactor

run = Deferred.fromCoroutine
CONFIGURED = Plan(trunks={"branch": Trunk("branch", "192.0.2.7")})
PROVIDER = Trunk("provider", "sip.example.com", password="SecurePassword123!")


class Contract(TestCase):
    """
    What whoever keeps a plan must do.
    """

    plan: Any
    book: PlanBook

    async def test_interface(self) -> None:
        """
        It has what the interface says.
        """
        verifyObject(IPlan, self.plan)
        self.assertIs(self.plan.configured, CONFIGURED)
        self.assertEqual(dict(self.plan.lost), {})

    async def test_kept(self) -> None:
        """
        What is added is in the plan at once, and read without a password; a name is taken once.
        """
        await self.plan.add("trunk", PROVIDER)
        self.assertEqual(dict(self.plan.plan.trunks), {**CONFIGURED.trunks, "provider": PROVIDER})
        self.assertEqual(await self.plan.get("trunk", "provider"), attrs.evolve(PROVIDER, password=""))
        self.assertIsNone(await self.plan.get("trunk", "branch"))
        await self.assertFailure(run(self.plan.add("trunk", PROVIDER)), PieceExistsError)

    async def test_changed(self) -> None:
        """
        A change leaves the password as it is unless it is said to be another.
        """
        await self.plan.add("trunk", PROVIDER)
        changed = Trunk("provider", "sip.example.org", password="x")
        await self.plan.update("trunk", changed)
        self.assertEqual(self.plan.plan.trunks["provider"], attrs.evolve(changed, password=PROVIDER.password))
        await self.plan.update("trunk", changed, password=True)
        self.assertEqual(self.plan.plan.trunks["provider"], changed)
        gone = run(self.plan.update("trunk", Trunk("x", "y")))
        await self.assertFailure(gone, PieceGoneError)

    async def test_moved(self) -> None:
        """
        A route goes behind so many others, those not counted that nobody sees.
        """
        for name in "abcd":
            await self.plan.add("outbound_route", OutboundRoute(name))
        for hidden, moves in (
            ("", (("d", 0, "dabc"), ("d", 2, "abdc"), ("a", 3, "bdca"), ("b", 1, "dbca"))),
            ("d", (("a", 0, "dabc"), ("a", 1, "dbac"), ("b", 2, "dacb"))),
            ("ac", (("d", 1, "bd"), ("d", 0, "db"))),
        ):
            names = [OutboundRoute(name) for name in hidden]
            self.book.configure(attrs.evolve(CONFIGURED, outbound=tuple(names)))
            for name, position, wanted in moves:
                await self.plan.move("outbound_route", name, position)
                seen = [route.name for route in self.plan.plan.outbound[len(hidden):]]
                self.assertEqual(seen, [each for each in wanted if each not in hidden], (hidden, name, position))
        await self.assertFailure(run(self.plan.move("outbound_route", "x", 0)), PieceGoneError)

    async def test_removed(self) -> None:
        """
        What is removed is gone; what is not there is told apart.
        """
        await self.plan.add("trunk", PROVIDER)
        self.assertTrue(await self.plan.remove("trunk", "provider"))
        self.assertFalse(await self.plan.remove("trunk", "provider"))
        self.assertEqual(self.plan.plan, CONFIGURED)


class MemoryPlanTests(Contract):
    """
    That of the tests.
    """

    def setUp(self) -> None:
        """
        One with something configured.
        """
        self.plan = MemoryPlan(CONFIGURED)
        self.book = self.plan.book


class KeptPlanTests(DatabaseTestCase, Contract):
    """
    That of the exchange.
    """

    async def setUp(self) -> None:
        """
        One with something configured.
        """
        await DatabaseTestCase.setUp(self)
        self.book = PlanBook(CONFIGURED)
        self.path = Path(self.mktemp()) / "secret.key"
        key = SecretKey(self.path)
        key.load()
        self.plan = await self.kept(key)

    async def kept(self, key: SecretKey) -> KeptPlan:
        """
        One that was started.
        """
        stored = StoredPlan(reactor, self.database, self.book, key, Told())
        await stored.start()
        self.addCleanup(lambda: run(stored.stop()))
        return KeptPlan(self.book, stored)

    async def test_no_key(self) -> None:
        """
        Without a key no password is kept, and nothing is half done.
        """
        await self.plan.add("trunk", PROVIDER)
        plan = await self.kept(SecretKey(self.path))
        self.assertIn("it was encrypted with key", plan.lost["provider"])
        for work in (plan.add("trunk", Trunk("x", "y", password="z")), plan.update("trunk", PROVIDER, password=True)):
            failed = await self.assertFailure(run(work), NoSecretKeyError)
            self.assertIn("no usable key", str(failed))
        self.assertIsNone(await plan.get("trunk", "x"))


del Contract
