"""
Streams over the network in memory: ports, connectors and the two ends of a connection.

What is written arrives in order, whole and after the network's delay; an end that does not read holds the other up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    TimeoutError,
    UserError,
)
from twisted.internet.interfaces import IConnector, IConsumer, IListeningPort, ITCPTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.network_addresses import Address, as_address

if TYPE_CHECKING:
    from twisted.internet.address import IPv4Address, IPv6Address

    from tests.network import Host

BUFFER = 65536
"""Bytes that may wait in one direction before a registered producer is told to pause."""


@implementer(IListeningPort)
class StreamPort:
    """
    A listening TCP port.
    """

    address: Address

    def __init__(self, host: Host, factory: Any) -> None:
        self.host = host
        self.factory = factory
        self.listening = True

    def getHost(self) -> IPv4Address | IPv6Address:
        """
        The address and port that are bound.
        """
        return as_address("TCP", (self.address[0] or "0.0.0.0", self.address[1]))  # noqa: S104

    def startListening(self) -> None:  # noqa: N802
        """
        Done already.
        """

    def stopListening(self) -> Deferred[None]:  # noqa: N802
        """
        Take no more connections; those there are go on.
        """
        if self.listening:
            self.listening = False
            self.host.release(self)
            self.factory.doStop()
        return succeed(None)


@implementer(IConnector)
class Connector:
    """
    A connection that one host makes to another.
    """

    def __init__(self, host: Host, destination: Address, factory: Any, timeout: float | None, bind: Any) -> None:
        self.host = host
        self.destination = destination
        self.factory = factory
        self.timeout = timeout
        self.bind = bind
        self.state = "disconnected"
        self.transport: Stream | None = None
        self._call: Any = None

    def getDestination(self) -> IPv4Address | IPv6Address:  # noqa: N802
        """
        Where to.
        """
        return as_address("TCP", self.destination)

    def connect(self) -> None:
        """
        Set out.
        """
        network = self.host.network
        self.state = "connecting"
        self.factory.doStart()
        self.factory.startedConnecting(self)
        if self.state != "connecting":
            return
        bound = self.bind[0] if self.bind else ""
        port = self.bind[1] if self.bind else 0
        local = self.host.bind("TCP", (self.host.source(bound or "", self.destination[0]), port), self)
        self.host.release(self)
        seen = self.host.seen_as(local, self.destination)
        host, destination = network.locate(self.host, seen, self.destination)
        if host is None or network.cut(seen[0], destination[0]):
            if self.timeout is not None:
                self._call = network.clock.callLater(self.timeout, self._failed, TimeoutError())
            return
        self._call = network.clock.callLater(network.delay * 2, self._connected, host, local, seen, destination)

    def stopConnecting(self) -> None:  # noqa: N802
        """
        Give up.
        """
        self._call = self._call and self._call.cancel()
        self._failed(UserError())

    def disconnect(self) -> None:
        """
        Give up, or close what was made.
        """
        if self.state == "connecting":
            self.stopConnecting()
        elif self.transport is not None:
            self.transport.loseConnection()

    def ended(self, reason: Failure) -> None:
        """
        The connection that was made has ended.
        """
        self.state = "disconnected"
        self.factory.clientConnectionLost(self, reason)
        self.factory.doStop()

    def _failed(self, error: Exception) -> None:
        self.state = "disconnected"
        self.factory.clientConnectionFailed(self, Failure(error))
        self.factory.doStop()

    def _connected(self, host: Host, local: Address, seen: Address, destination: Address) -> None:
        port = host.endpoint("TCP", destination)
        if not isinstance(port, StreamPort):
            self._failed(ConnectionRefusedError())
            return
        ours = self.transport = Stream(self.host, local, self.destination)
        theirs = Stream(host, destination, seen)
        ours.peer, theirs.peer = theirs, ours
        self.state = "connected"
        ours.connector = self
        protocol = self.factory.buildProtocol(as_address("TCP", self.destination))
        accepted = port.factory.buildProtocol(as_address("TCP", seen))
        # As over a real network, the accepting end may speak before the other has been told.
        for stream, made in ((theirs, accepted), (ours, protocol)):
            if made is None:
                stream.abortConnection()
            else:
                stream.attach(made)


@implementer(ITCPTransport, IConsumer)
class Stream:
    """
    One end of a connection: the transport of its protocol.
    """

    def __init__(self, host: Host, local: Address, remote: Address) -> None:
        self.host = host
        self.local = local
        self.remote = remote
        self.peer: Stream | None = None
        self.protocol: Any = None
        self.connector: Connector | None = None
        self.connected = True
        self.disconnecting = False
        self.paused = False
        self.producer: Any = None
        self.unread = 0
        """Bytes written here that the other end has not read."""
        self._streaming = False
        self._producer_paused = False
        self._held: list[bytes] = []
        self._end: Failure | None = None
        host.streams.add(self)

    def attach(self, protocol: Any) -> None:
        """
        Hand the transport to its protocol.
        """
        self.protocol = protocol
        protocol.makeConnection(self)
        if self._held or self._end:
            self._hand_over()

    def getHost(self) -> IPv4Address | IPv6Address:
        """
        This end.
        """
        return as_address("TCP", self.local)

    def getPeer(self) -> IPv4Address | IPv6Address:
        """
        The other end, as it is seen from here.
        """
        return as_address("TCP", self.remote)

    def write(self, data: bytes) -> None:
        """
        Send bytes.
        """
        if not self.connected or self.disconnecting or not data:
            return
        self.unread += len(data)
        if self.producer is not None and self._streaming and self.unread > BUFFER and not self._producer_paused:
            self._producer_paused = True
            self.producer.pauseProducing()
        self._later(self._arrived, bytes(data))

    def writeSequence(self, data: Any) -> None:  # noqa: N802
        """
        Send pieces.
        """
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """
        Close when what was written is on its way, as Twisted does: a paused producer is first let go on.
        """
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            if not self._producer_paused:
                self._close()

    def loseWriteConnection(self) -> None:  # noqa: N802
        """
        Close; this network knows no half-closed connections.
        """
        self.loseConnection()

    def abortConnection(self) -> None:  # noqa: N802
        """
        Close at once.
        """
        if self.connected:
            self.disconnecting = True
            self._later(self._ended, ConnectionLost())
            self.host.network.clock.callLater(0, self.finish, Failure(ConnectionAborted()))

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: N802
        """
        Tell a producer when too much waits to be read.
        """
        self.producer, self._streaming, self._producer_paused = producer, streaming, False
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:  # noqa: N802
        """
        Tell it no more.
        """
        self.producer = None
        if self._producer_paused:
            self._producer_paused = False
            if self.connected and self.disconnecting:
                self._close()

    def pauseProducing(self) -> None:
        """
        Read no more for now.
        """
        self.paused = True

    def resumeProducing(self) -> None:
        """
        Read on.
        """
        self.paused = False
        self.host.network.clock.callLater(0, self._hand_over)

    def stopProducing(self) -> None:
        """
        Close.
        """
        self.loseConnection()

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802
        """
        Nothing is delayed here.
        """

    def getTcpNoDelay(self) -> bool:  # noqa: N802
        """
        Nothing is delayed here.
        """
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:  # noqa: N802
        """
        Nobody vanishes here.
        """

    def getTcpKeepAlive(self) -> bool:  # noqa: N802
        """
        Nobody vanishes here.
        """
        return False

    def finish(self, reason: Failure) -> None:
        """
        This end is closed; its protocol is told.
        """
        if not self.connected:
            return
        self.connected = False
        self.host.streams.discard(self)
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.connectionLost(reason)
        if self.connector is not None:
            self.connector.ended(reason)

    def _close(self) -> None:
        self._later(self._ended, ConnectionDone())
        self.host.network.clock.callLater(0, self.finish, Failure(ConnectionDone()))

    def _later(self, function: Any, argument: Any) -> None:
        # Calls of one time run in the order they were made, so the stream keeps its order.
        network = self.host.network
        if not network.cut(self.local[0], self.remote[0]):
            network.clock.callLater(network.delay, function, argument)

    def _arrived(self, data: bytes) -> None:
        peer = self.peer
        assert peer is not None
        peer._held.append(data)
        peer._hand_over()

    def _ended(self, error: Exception) -> None:
        peer = self.peer
        assert peer is not None
        peer._end = Failure(error)
        peer._hand_over()

    def _hand_over(self) -> None:
        while self._held and self.connected and self.protocol is not None and not self.paused:
            data = self._held.pop(0)
            if self.peer is not None:
                self.peer._was_read(len(data))
            self.protocol.dataReceived(data)
        if self._end is not None and not self._held:
            self.finish(self._end)

    def _was_read(self, size: int) -> None:
        self.unread -= size
        if self._producer_paused and self.unread <= BUFFER // 2 and self.producer is not None:
            self._producer_paused = False
            self.producer.resumeProducing()
            if self.disconnecting:
                self._close()
