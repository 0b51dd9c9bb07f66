"""
Tests for :mod:`tests.wire.kamailio`: a phone in place of the exchange.
"""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.wire.baresip import Account, Phone
from tests.wire.kamailio import ACCOUNT, PASSWORD, Kamailio


class ProviderTests(TestCase):
    """
    A phone has the account, another one is the world.
    """

    timeout = 40

    async def _world(self) -> Phone:
        world = Phone(Account("world", "127.0.0.1", register=0), voice=1)
        self.addCleanup(world.stop)
        await world.start()
        return world

    async def _account(self, kamailio: Kamailio, password: str = PASSWORD) -> Phone:
        phone = Phone(Account(ACCOUNT, kamailio.server, password), voice=2)
        self.addCleanup(phone.stop)
        await phone.start()
        return phone

    async def _provider(self, world: int) -> Kamailio:
        kamailio = Kamailio(world=world)
        self.addCleanup(kamailio.remove)
        await kamailio.start()
        return kamailio

    async def test_calls(self) -> None:
        """
        The account is in the location table; calls go both ways, with audio.
        """
        world = await self._world()
        kamailio = await self._provider(world.sip_port)
        phone = await self._account(kamailio)
        await phone.registered()
        (contact,) = await kamailio.contacts()
        self.assertIn(f"@127.0.0.1:{phone.sip_port}", contact)
        await phone.dial("+4930123456")
        await world.event("CALL_ESTABLISHED")
        await world.hears(phone.said)
        await phone.hang_up()
        await world.event("CALL_CLOSED")
        await world.dial(f"sip:+4930654321@{kamailio.server}")
        await phone.event("CALL_ESTABLISHED", count=2)
        await phone.hears(world.said)
        await world.hang_up()
        await phone.event("CALL_CLOSED", count=2)

    async def test_wrong_password(self) -> None:
        """
        Nobody else is registered, and nobody else's calls are taken; nor are calls to an account that is not there.
        """
        world = await self._world()
        kamailio = await self._provider(world.sip_port)
        phone = await self._account(kamailio, "wrong")
        await phone.event("REGISTER_FAIL")
        self.assertEqual(await kamailio.contacts(), [])
        await phone.dial("+4930123456")
        await phone.event("CALL_CLOSED")
        await world.dial(f"sip:+4930654321@{kamailio.server}")
        self.assertIn("480", (await world.event("CALL_CLOSED")).param)
        self.assertNotIn("CALL_INCOMING", {event.type for event in world.events})

    async def test_again(self) -> None:
        """
        Stopped and started again it has forgotten who was registered.
        """
        kamailio = await self._provider(9)
        phone = await self._account(kamailio)
        await phone.registered()
        await kamailio.stop()
        await kamailio.start()
        self.assertEqual(await kamailio.contacts(), [])
