"""
Media on the network in memory: the engine as it is, with sockets and a poller of :mod:`tests.network`.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from pbx.media.engine import InProcessEngine
from pbx.media.poller import IRtpPoller
from pbx.media.settings import MediaSettings
from tests.network_datagrams import RawSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.network import Network


@implementer(IRtpPoller)
class MemoryPoller:
    """
    Calls back for sockets of the network in memory, as soon as a datagram comes.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self.watched: dict[int, RawSocket] = {}

    def add(self, sock: Any, readable: Callable[[float], object]) -> None:
        """
        Watch a socket.
        """
        self.watched[sock.fileno()] = sock

        def drain() -> None:
            while sock.arrivals and sock.on_readable is drain:
                readable(self._network.clock.seconds())

        sock.on_readable = drain
        # What came before is read too, but not from within this call.
        self._network.clock.callLater(0, drain)

    def remove(self, sock: Any) -> None:
        """
        Watch a socket no longer.
        """
        if self.watched.pop(sock.fileno(), None) is not None:
            sock.on_readable = None

    def stop(self) -> None:
        """
        Watch nothing from now on.
        """
        for sock in list(self.watched.values()):
            self.remove(sock)


def memory_engine(network: Network, settings: MediaSettings | None = None) -> InProcessEngine:
    """
    An engine whose sessions live on the network's hosts: ``engine.open("10.0.0.1", ...)`` is the host of that address.
    """

    def open_socket(host: str, port: int, dscp: int) -> RawSocket:
        if host not in network.hosts:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        sock = network.socket(host)
        sock.bind((host, port))
        sock.setsockopt(0, 1, dscp << 2)
        return sock

    return InProcessEngine(
        network.clock,
        settings or MediaSettings(),
        MemoryPoller(network),
        open_socket=open_socket,
    )
