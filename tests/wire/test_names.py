"""
Tests for :mod:`tests.wire.names`: asked by our own resolver.
"""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from pbx.sip.uri import URI
from pbx.transport.lookup import Lookup, system_resolver
from pbx.transport.resolver import Resolver
from tests.wire.names import NameServer
from tests.wire.process import reactor


class NameServerTests(TestCase):
    """
    One domain with two servers.
    """

    timeout = 20

    async def test_services(self) -> None:
        """
        The servers come in the order of their priority.
        """
        services = {"_sip._udp": [(20, "b", 5070), (10, "a", 5060)]}
        names = NameServer("provider.test", services, {"a": "127.0.0.2", "b": "127.0.0.3"})
        self.addCleanup(names.stop)
        await names.start()
        host, port = names.server.split(":")
        lookup = Lookup(system_resolver(reactor, servers=[(host, int(port))]), reactor)
        targets = await Resolver(lookup, ipv6=lambda: False).resolve(URI.parse("sip:provider.test"))
        found = [(target.transport, target.host, target.port) for target in targets]
        self.assertEqual(found, [("UDP", "127.0.0.2", 5060), ("UDP", "127.0.0.3", 5070)])
