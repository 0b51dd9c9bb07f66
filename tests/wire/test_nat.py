"""
Phones behind routers that translate addresses, the exchange outside.
"""

from __future__ import annotations

from typing import ClassVar

from tests.wire.baresip import Phone
from tests.wire.case import ExchangeTestCase
from tests.wire.exchange import Exchange
from tests.wire.namespaces import Household, Town


class NatTests(ExchangeTestCase):
    """
    A phone in each of two households, whose routers give every flow another port.
    """

    timeout = 90
    town: ClassVar[Town]

    @classmethod
    def make(cls) -> Exchange:
        """
        An exchange on the street, to which the street is no local network.
        """
        cls.town = Town()
        cls.town.build()
        # Phones that register again within seconds make for a short test.
        return Exchange({"registration": {"min_expires": 5}}, host=cls.town.address)

    def setUp(self) -> None:
        """
        The town is there for the test alone.
        """
        self.addCleanup(self._leave)
        super().setUp()

    def _leave(self) -> None:
        try:
            self.assertEqual(self.stop_exchange(), [])
        finally:
            self.town.remove()

    async def _move_in(self, number: str, household: Household) -> Phone:
        place = {"host": household.inner, "inside": household.command, "connect": household.connect}
        return await self.phone(number, register=6, **place)

    async def _talk(self, caller: Phone, callee: Phone, call: int) -> None:
        await caller.dial(callee.account.user)
        await callee.event("CALL_ESTABLISHED", count=call)
        await caller.event("CALL_ESTABLISHED", count=call)
        await caller.hears(callee.said)
        await callee.hears(caller.said)

    async def test_calls(self) -> None:
        """
        Each calls the other, with audio both ways; the second time after the routers forgot everything and the phones
        registered anew. BYE from either side arrives.
        """
        ann = await self._move_in("1005", self.town.households[0])
        bob = await self._move_in("1006", self.town.households[1])
        _, seen = await self.api("GET", "/api/registrations")
        addresses = str(seen)
        for household in self.town.households:
            self.assertIn(household.outer, addresses)
        await self._talk(ann, bob, 1)
        await ann.hang_up()
        await bob.event("CALL_CLOSED")
        for household in self.town.households:
            household.forget_mappings()
        for phone in (ann, bob):
            await phone.register_again()
        await self._talk(bob, ann, 2)
        await ann.hang_up()
        await bob.event("CALL_CLOSED", count=2)
        records = await self.new_records(2)
        self.assertEqual([record["hangup_by"] for record in records], ["caller", "callee"])
        await self.nothing_left()

    async def test_forgotten_in_a_call(self) -> None:
        """
        When the routers forget everything in the middle of a call, the audio comes from other ports and goes on.
        """
        ann = await self._move_in("1005", self.town.households[0])
        bob = await self._move_in("1006", self.town.households[1])
        await self._talk(ann, bob, 1)
        for household in self.town.households:
            household.forget_mappings()
        passed = ann.heard_seconds(), bob.heard_seconds()
        await ann.hears(bob.said, after=passed[0] + 1, within=15)
        await bob.hears(ann.said, after=passed[1] + 1, within=15)
        await ann.hang_up()
        # What the exchange sends to the other's old port is lost; it hangs up by itself.
        await bob.hang_up()
        (record,) = await self.new_records()
        self.assertEqual((record["disposition"], record["hangup_by"]), ("answered", "caller"))
        await self.nothing_left(dialogs=False)
