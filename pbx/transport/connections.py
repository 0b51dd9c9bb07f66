"""
All TCP and TLS connections now open: how many a stranger may have, and which of ours can be used again.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.protocol import ClientFactory, ServerFactory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from pbx.transport.flow import FlowClosed, address_text
from pbx.transport.source import source_of
from pbx.transport.stream import StreamFlow, StreamProtocol
from pbx.transport.tls import client_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IAddress, IConnector, IListeningPort, IReactorTime
    from twisted.python.failure import Failure

    from pbx.transport.naming import Naming
    from pbx.transport.reception import Reception
    from pbx.transport.resolver import Target
    from pbx.transport.settings import TransportSettings
    from pbx.transport.tls import ServerCertificate

Key = tuple[str, str, int, str, bool]
"""What a connection of ours is found by: transport, address, port, name, and whether its certificate is checked."""

BACKLOG = 1024
"""Connections the kernel may accept ahead of us: a site's phones all come back at once after a power cut."""


class Connections:
    """
    Every connection, accepted or made.

    Attributes:
        refused: Connections turned away at once: their address is blocked or has too many, or there are too many.
        displaced: Connections of strangers that made room for newer ones.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: TransportSettings,
        reception: Reception,
        naming: Naming,
        trust_root: Any = None,
    ) -> None:
        """
        No connections yet.

        Args:
            reactor: Makes them, and runs their timers.
            settings: The limits.
            reception: Takes the messages.
            naming: Says what we are called.
            trust_root: Whose certificates are trusted; the system's authorities when ``None``.
        """
        self.refused = 0
        self.displaced = 0
        self._reactor = reactor
        self._settings = settings
        self._reception = reception
        self._naming = naming
        self._trust_root = trust_root
        self._ports: dict[str, int] = {}
        self._accepted: set[StreamProtocol] = set()
        self._made: dict[Key, StreamFlow] = {}
        self._making: dict[StreamProtocol, Key] = {}
        self._connectors: dict[Key, IConnector] = {}
        self._pending: dict[Key, list[Deferred[StreamFlow]]] = {}
        self._per_address: Counter[str] = Counter()
        # Accepted from peers that have not proved who they are; oldest first.
        self._strangers: dict[StreamProtocol, None] = {}
        self._endings: dict[StreamProtocol, Deferred[None]] = {}

    def __len__(self) -> int:
        return len(self._accepted) + len(self._making)

    def listen(self, kind: str, host: str, port: int, certificate: ServerCertificate | None = None) -> IListeningPort:
        """
        Accept connections at an address.

        Args:
            kind: ``"TCP"`` or ``"TLS"``.
            host: One of our addresses.
            port: The port.
            certificate: What we show, for TLS.

        Raises:
            CannotListenError: When the address and port cannot be had.
        """
        factory: Any = _Accepting(self, kind)
        if certificate is not None:
            factory = _AcceptingTls(certificate, factory, self._reactor)
        listening: IListeningPort = self._reactor.listenTCP(port, factory, backlog=BACKLOG, interface=host)
        address: Any = listening.getHost()
        self._ports[kind] = address.port
        self._naming.add(host, address.port)
        return listening

    async def open(self, target: Target) -> StreamFlow:
        """
        A flow to a place, over the connection to it that is open already, or else a new one.

        Raises:
            FlowClosed: When no connection comes about.
        """
        key = (target.transport, target.host, target.port, target.name, target.verify)
        flow = self._made.get(key)
        if flow is not None and not flow.closed:
            return flow
        under_way = key in self._pending
        waiting = self._pending.setdefault(key, [])
        done: Deferred[StreamFlow] = Deferred(waiting.remove)
        waiting.append(done)
        if not under_way:
            self._connect(target, key)
        return await done

    def rename(self) -> None:
        """
        Name what the naming says now to every peer.
        """
        for protocol in (*self._accepted, *self._making):
            protocol.rename()

    def address_blocked(self, address: str) -> None:
        """
        Close what has come from an address that was blocked.

        Args:
            address: The source address, or the IPv6 network.
        """
        source = source_of(address)
        for protocol in [one for one in self._accepted if source_of(one.flow.remote[0]) == source]:
            protocol.abort()

    def close_all(self) -> Deferred[None]:
        """
        Close every connection, so that phones notice and come back.

        Returns:
            A Deferred that fires when all have ended.
        """
        for connector in list(self._connectors.values()):
            connector.stopConnecting()
        open_now = [*self._accepted, *self._making]
        endings = [self._endings.setdefault(protocol, Deferred()) for protocol in open_now]
        for protocol in open_now:
            protocol.close()
        return DeferredList(endings).addCallback(lambda _: None)

    def accept(self, kind: str, peer: str) -> StreamProtocol | None:
        """
        The protocol for a connection that a peer makes, or ``None`` to turn it away.

        Args:
            kind: ``"TCP"`` or ``"TLS"``.
            peer: The peer's address.
        """
        settings = self._settings
        source = source_of(peer)
        guard = self._reception.guard
        if guard.blocked(peer) or self._per_address[source] >= settings.max_connections_per_address:
            self.refused += 1
            return None
        if len(self._accepted) >= settings.max_connections:
            # A stranger makes room, the oldest first: else strangers could keep every phone out by being there.
            oldest = next((one for one in self._strangers if not one.awaited), None)
            if oldest is None:
                self.refused += 1
                return None
            self.displaced += 1
            oldest.abort()
        protocol = self._protocol(kind, accepted=True)
        self._per_address[source] += 1
        self._accepted.add(protocol)
        if not guard.exempt(peer):
            self._strangers[protocol] = None
        return protocol

    def _protocol(
        self, kind: str, *, accepted: bool, established: Callable[[StreamProtocol], object] = bool
    ) -> StreamProtocol:
        return StreamProtocol(
            self._reactor,
            self._settings,
            self._reception,
            kind,
            accepted=accepted,
            sent_by=lambda host, peer: self._sent_by(kind, host, peer),
            established=established,
            trusted=lambda protocol: self._strangers.pop(protocol, None),
            ended=self._ended,
        )

    def _sent_by(self, kind: str, host: str, peer: str) -> tuple[str, int]:
        # RFC 3261 18.1.1: what comes back on a connection of its own comes to where we listen.
        port = self._ports.get(kind, self._settings.sip_port)
        self._naming.add(host, port)
        return self._naming.sent_by(host, port, peer)

    def _connect(self, target: Target, key: Key) -> None:
        factory: Any = _Making(self, key)
        if target.transport == "TLS":
            options = client_options(target.name, target.host, verify=target.verify, trust_root=self._trust_root)
            factory = TLSMemoryBIOFactory(options, True, factory, clock=self._reactor)
        connect = self._reactor.connectTCP
        self._connectors[key] = connect(target.host, target.port, factory, timeout=self._settings.connect_timeout)

    def make(self, key: Key) -> StreamProtocol:
        """
        The protocol for a connection of ours.

        Args:
            key: What it is found by.
        """
        self._connectors.pop(key, None)
        protocol = self._protocol(key[0], accepted=False, established=lambda protocol: self._established(key, protocol))
        self._making[protocol] = key
        return protocol

    def not_made(self, key: Key, reason: str) -> None:
        """
        A connection of ours did not come about.

        Args:
            key: What it was to be found by.
            reason: Why, in words.
        """
        self._connectors.pop(key, None)
        for done in self._pending.pop(key, ()):
            done.errback(FlowClosed(f"{key[0].lower()}:{address_text(key[1], key[2])}: {reason}"))

    def _established(self, key: Key, protocol: StreamProtocol) -> None:
        self._made[key] = protocol.flow
        for done in self._pending.pop(key, ()):
            done.callback(protocol.flow)

    def _ended(self, protocol: StreamProtocol, reason: str) -> None:
        if protocol.accepted:
            source = source_of(protocol.flow.remote[0])
            self._accepted.discard(protocol)
            self._strangers.pop(protocol, None)
            self._per_address[source] -= 1
            if not self._per_address[source]:
                del self._per_address[source]
        else:
            key = self._making.pop(protocol)
            if self._made.get(key) is protocol.flow:
                del self._made[key]
            else:
                self.not_made(key, reason)
        ending = self._endings.pop(protocol, None)
        if ending is not None:
            ending.callback(None)


class _Accepting(ServerFactory):
    noisy = False

    def __init__(self, connections: Connections, kind: str) -> None:
        self._connections = connections
        self._kind = kind

    def buildProtocol(self, addr: IAddress | None) -> StreamProtocol | None:
        peer: Any = addr
        return self._connections.accept(self._kind, peer.host)


class _AcceptingTls(TLSMemoryBIOFactory):
    def __init__(self, certificate: ServerCertificate, accepting: _Accepting, clock: IReactorTime) -> None:
        super().__init__(certificate, False, accepting, clock=clock)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        protocol = self.wrappedFactory.buildProtocol(addr)
        return None if protocol is None else self.protocol(self, protocol)


class _Making(ClientFactory):
    noisy = False

    def __init__(self, connections: Connections, key: Key) -> None:
        self._connections = connections
        self._key = key

    def buildProtocol(self, addr: IAddress | None) -> StreamProtocol:
        return self._connections.make(self._key)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:  # noqa: N802  # Twisted calls it
        self._connections.not_made(self._key, reason.getErrorMessage())
