"""
A carrier's end: it accepts connections and notes what it hears.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import ServerFactory

from tests.network import Network
from tests.transport.rig import StreamPhone


class Trunk:
    """
    A host that listens for connections.
    """

    def __init__(self, network: Network, address: str, port: int = 5060, wrap: Any = None) -> None:
        self.connections: list[Any] = []
        factory: Any = ServerFactory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: self._accept(network)
        self.port = network.reactor(address).listenTCP(
            port, factory if wrap is None else wrap(factory), interface=address
        )

    def _accept(self, network: Network) -> StreamPhone:
        self.connections.append(StreamPhone(network.clock))
        return self.connections[-1]
