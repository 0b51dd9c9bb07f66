"""
Who calls: a provider of ours, from whatever address of its domain and whatever port, or a stranger.
"""

from __future__ import annotations

from tests.wire.baresip import Phone
from tests.wire.names import NameServer
from tests.wire.namespaces import Town
from tests.wire.ports import free_ports
from tests.wire.scenario import Scenario
from tests.wire.trunks import DID, TrunkTestCase, account, inbound

DOMAIN = "provider.test"
CALLER = "+4915112345678"


class RecognitionTests(TrunkTestCase):
    """
    A provider whose domain has servers on two addresses; it registers with the first. Neither is on loopback, where a
    trunk is known by its port as well.
    """

    timeout = 60

    def setUp(self) -> None:
        """
        The street is there for the test alone.
        """
        super().setUp()
        self.town = Town(0)
        self.town.build()
        self.addCleanup(self.town.remove)
        self.first, self.second, self.elsewhere = (self.town.move_in(number) for number in (102, 103, 104))

    async def _begin(self) -> Phone:
        kamailio = await self.kamailio(host=self.first)
        services = {"_sip._udp": [(10, "a", kamailio.port), (20, "b", free_ports(1, self.second))]}
        names = NameServer(DOMAIN, services, {"a": self.first, "b": self.second})
        self.addCleanup(names.stop)
        await names.start()
        await self.begin(
            account("provider", DOMAIN), host=self.town.address, inbound_routes=[inbound("1002")],
            server={"dns": [names.server]},
        )
        await kamailio.registered()
        return await self.phone("1002", host=self.town.address)

    def _call(self, host: str, scenario: str = "call_trunk") -> Scenario:
        """
        A call from a port that nobody knows; the account is in the Request-URI, the DID in To alone.
        """
        rows = [(CALLER, DID, "company")]
        return Scenario(scenario, self.mktemp(), server=self.exchange.server, rows=rows, host=host)

    async def test_other_address(self) -> None:
        """
        Calls from either address and another port reach the extension of the DID.
        """
        callee = await self._begin()
        for number, host in enumerate((self.second, self.first), 1):
            made = await self._call(host).outcome()
            self.assertEqual((made.successful, made.failed), (1, 0), made.errors)
            answered = await callee.event("CALL_ESTABLISHED", count=number)
            self.assertIn("015112345678", str(answered.fields))
        for record in await self.new_records(2):
            self.assertEqual((record["direction"], record["trunk"]), ("inbound", "provider"))
            self.assertEqual((record["caller"], record["disposition"]), (CALLER, "answered"))
        await self.nothing_left()

    async def test_stranger(self) -> None:
        """
        The same call from an address that is not the provider's is challenged like a phone's, and rings nobody.
        """
        callee = await self._begin()
        made = await self._call(self.elsewhere, "call_stranger").outcome()
        self.assertEqual((made.successful, made.failed), (1, 0), made.errors)
        self.assertNotIn("CALL_ESTABLISHED", {event.type for event in callee.events})
        await self.nothing_left()
