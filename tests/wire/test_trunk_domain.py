"""
A provider with a domain of several servers, of which one fails.
"""

from __future__ import annotations

from tests.wire.names import NameServer
from tests.wire.trunks import TrunkTestCase, account

DOMAIN = "provider.test"


class DomainTests(TrunkTestCase):
    """
    Two registrars, of which the first is preferred.
    """

    timeout = 60
    extensions = ("1001",)
    faults = ("provider",)

    async def test_next_server(self) -> None:
        """
        The trunk registers with the first; when that is gone, with the second, over which it then calls.
        """
        world = await self.world()
        first = await self.kamailio(world, host="127.0.0.2")
        second = await self.kamailio(world, host="127.0.0.3")
        services = {"_sip._udp": [(10, "a", first.port), (20, "b", second.port)]}
        names = NameServer(DOMAIN, services, {"a": first.host, "b": second.host})
        self.addCleanup(names.stop)
        await names.start()
        await self.begin(account("provider", DOMAIN, options_interval=1), server={"dns": [names.server]})
        await first.registered()
        self.assertEqual(await second.contacts(), [])
        caller = await self.phone("1001")
        await self.until("provider", "up")
        await first.stop()
        await second.registered(20)
        self.assertTrue((await self.state("provider"))["registered"])
        await caller.dial("030987654")
        await world.event("CALL_ESTABLISHED")
        await self.assert_talking(caller, world)
        await caller.hang_up()
        await world.event("CALL_CLOSED")
        await self.nothing_left()
