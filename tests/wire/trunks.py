"""
What the tests of trunks have in common: an exchange of their own for each, with the trunks of the test in its
configuration, and providers that run before it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from twisted.internet.threads import deferToThread

from tests.wire.baresip import Account, Phone
from tests.wire.carrier import Carrier
from tests.wire.ears import ListeningTestCase
from tests.wire.exchange import Exchange
from tests.wire.kamailio import ACCOUNT, PASSWORD, Kamailio
from tests.wire.process import eventually

DID = "+493012345678"
"""A number that reaches us over a trunk."""

OUTSIDE = "+4930987654"
"""Somebody's number beyond the house."""

SITE = {"country": "DE", "area_code": "30"}


def trunk(name: str, server: str, **more: Any) -> dict[str, Any]:
    """
    A trunk of the configuration to ``host:port``, without an account.
    """
    host, _, port = server.partition(":")
    return {"name": name, "host": host, **({"port": int(port)} if port else {}), **more}


def account(name: str, server: str, **more: Any) -> dict[str, Any]:
    """
    A trunk with the account of :mod:`tests.wire.kamailio`.
    """
    return trunk(name, server, **{"username": ACCOUNT, "password": PASSWORD, **more})


def inbound(number: str, did: str = DID, **more: Any) -> dict[str, Any]:
    """
    An inbound route that leads to an extension.
    """
    return {"name": f"{did} to {number}", "did": did, "destination": {"kind": "extension", "target": number}, **more}


class TrunkTestCase(ListeningTestCase):
    """
    Tests that begin with :meth:`begin`.

    Attributes:
        faults: what stands in lines of the log that tell of a fault the test has made.
    """

    extensions = ("1001", "1002")
    faults: tuple[str, ...] = ()

    def setUp(self) -> None:
        """
        Nothing runs yet.
        """
        self._voice = 0
        self._exchanges: list[Exchange] = []

    async def begin(
        self, *trunks: dict[str, Any], first: bool = True, host: str = "127.0.0.1", sip_port: int | None = None,
        environment: Mapping[str, str] | None = None, extensions: Iterable[str] | None = None, **sections: Any,
    ) -> Exchange:
        """
        An exchange with these trunks, running.

        Args:
            trunks: sections of the configuration.
            first: whether it is the one that the test's methods mean.
            host: its address.
            sip_port: its port, a free one by default.
            environment: what its environment has besides ours.
            extensions: the extensions it has; by default those of the class.
            sections: others.
        """
        configuration = {"site": SITE, "sip_trunks": list(trunks), **sections}
        exchange = Exchange(configuration, host, sip_port=sip_port, environment=environment)
        self._exchanges.append(exchange)
        self.addCleanup(self.end, exchange)
        await deferToThread(exchange.start)
        for number in self.extensions if extensions is None else extensions:
            await deferToThread(exchange.add_extension, number)
        if first:
            self.exchange = exchange
            self._calls_before: set[str] = set()
            self._dialogs_before = 0
        return exchange

    async def end(self, exchange: Exchange) -> None:
        """
        Stop an exchange, unless that was done, and see that all was well.
        """
        if exchange not in self._exchanges:
            return
        self._exchanges.remove(exchange)
        complaints = await deferToThread(exchange.stop, 10, self.faults)
        self.assertEqual(complaints, [], "\n".join(complaints))

    async def world(self, **more: Any) -> Phone:
        """
        A telephone beyond the house, behind a provider.
        """
        self._voice += 1
        phone = Phone(Account("world", "127.0.0.1", register=0, **more), voice=100 + self._voice)
        self.addCleanup(phone.stop)
        await phone.start()
        return phone

    async def kamailio(self, world: Phone | int = 9, **more: Any) -> Kamailio:
        """
        A provider with a registrar, running.
        """
        kamailio = Kamailio(world=world if isinstance(world, int) else world.sip_port, **more)
        self.addCleanup(kamailio.remove)
        await kamailio.start()
        return kamailio

    def carrier(self, name: str, **more: Any) -> Carrier:
        """
        A provider by a scenario of SIPp, running.
        """
        carrier = Carrier(name, self.mktemp(), **more)
        carrier.start()
        self.addCleanup(carrier.stop)
        return carrier

    async def state(self, name: str) -> dict[str, Any]:
        """
        What the API says of a trunk.
        """
        status, answer = await self.api("GET", "/api/trunks")
        self.assertEqual(status, 200, answer)
        return next(each["state"] for each in answer["trunks"] if each["name"] == name)

    async def until(self, name: str, health: str, within: float = 10) -> dict[str, Any]:
        """
        What the API says of a trunk, once it is up, degraded or down.
        """
        seen: dict[str, Any] = {}

        async def ask() -> bool:
            seen.clear()
            seen.update(await self.state(name))
            return bool(seen["health"] == health)

        try:
            await eventually(ask, within, f"{name} {health}")
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {seen}") from error
        return seen
