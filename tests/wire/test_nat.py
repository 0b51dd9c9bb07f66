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
        return Exchange(host=cls.town.address)

    def setUp(self) -> None:
        """
        The town is there for the test alone.
        """
        self.addCleanup(self._leave)
        super().setUp()

    def _leave(self) -> None:
        complaints = self.stop_exchange()
        self.town.remove()
        self.assertEqual(complaints, [])

    async def _move_in(self, number: str, household: Household) -> Phone:
        return await self.phone(number, host=household.inner, inside=household.command, connect=household.connect)

    async def _talk(self, caller: Phone, callee: Phone, call: int) -> None:
        await caller.dial(callee.account.user)
        await callee.event("CALL_ESTABLISHED", count=call)
        await caller.event("CALL_ESTABLISHED", count=call)
        await caller.hears(callee.said)
        await callee.hears(caller.said)

    async def test_calls(self) -> None:
        """
        Both ways with audio; again after the routers forgot everything and the phones registered anew; BYE from
        either side arrives.
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
        await self._talk(bob, ann, 2)
        # In the middle of a call: the audio that goes on comes from other ports now, and so does the BYE.
        for household in self.town.households:
            household.forget_mappings()
        await ann.hang_up()
        await bob.event("CALL_CLOSED", count=2, within=20)
        for phone in (ann, bob):
            await phone.register_again()
        await self._talk(ann, bob, 3)
        await bob.hang_up()
        await ann.event("CALL_CLOSED", count=3)
        records = await self.new_records(3)
        self.assertEqual([record["hangup_by"] for record in records], ["caller", "callee", "callee"])
        await self.nothing_left()
