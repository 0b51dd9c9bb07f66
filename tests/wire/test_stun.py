"""
An exchange that asks real STUN servers for its address outside.
"""

from __future__ import annotations

import yaml
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.wire.exchange import Exchange
from tests.wire.process import eventually
from tests.wire.stun_server import StunServer


class StunTests(TestCase):
    """
    One exchange and two servers.
    """

    timeout = 60

    async def named(self, exchange: Exchange, address: str) -> None:
        """
        Wait until the exchange says that this is its address.
        """

        async def is_named() -> bool:
            status = (await deferToThread(exchange.api, "GET", "/api/status"))[1]
            return bool(status["external_ip"] == address)

        await eventually(is_named, within=10, what=f"the address {address}")

    async def test_asked(self) -> None:
        """
        The address is asked for at the start; when another server is named and the configuration read again, of that
        one; one that is silent leaves the address as it is, which is a warning; and a fixed address counts at once.
        """
        one, other = StunServer("203.0.113.1"), StunServer("203.0.113.2")
        for server in (one, other):
            self.addCleanup(server.close)
        exchange = Exchange({"server": {"external_ip": f"stun:127.0.0.1:{one.port}", "stun_interval": 30}})
        self.addCleanup(exchange.kill)

        async def reload(external: object) -> None:
            settings = yaml.safe_load(exchange.config.read_text())
            settings["server"]["external_ip"] = external
            exchange.config.write_text(yaml.safe_dump(settings))
            status, answer = await deferToThread(exchange.api, "POST", "/api/reload")
            self.assertEqual((status, [change["key"] for change in answer["changed"]]), (200, ["server.external_ip"]))

        await deferToThread(exchange.start)
        await self.named(exchange, "203.0.113.1")
        one.says = ""
        await reload([f"stun:127.0.0.1:{one.port}", f"stun:127.0.0.1:{other.port}"])
        await self.named(exchange, "203.0.113.2")
        self.assertEqual((one.asked, other.asked), (1 + 3, 1))
        await reload("203.0.113.3")
        await self.named(exchange, "203.0.113.3")
        self.assertEqual(await deferToThread(exchange.stop), [])
