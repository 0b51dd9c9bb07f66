"""
Datagrams over the network in memory: ports with a Twisted protocol, and bare sockets for media.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError, MessageLengthError
from twisted.internet.interfaces import IListeningPort, IUDPTransport
from zope.interface import implementer

from tests.network_addresses import Address, as_address, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.address import IPv4Address, IPv6Address
    from twisted.internet.protocol import DatagramProtocol

    from tests.network import Host

LARGEST_DATAGRAM = 65507
"""Bytes that fit into one UDP datagram over IPv4."""


@implementer(IUDPTransport, IListeningPort)
class DatagramPort:
    """
    A UDP port with a Twisted protocol.
    """

    address: Address

    def __init__(self, host: Host, protocol: DatagramProtocol, max_packet_size: int) -> None:
        self.host = host
        self.protocol = protocol
        self.max_packet_size = max_packet_size
        self.listening = True

    def arrived(self, data: bytes, source: Address) -> None:
        """
        A datagram came; what is longer than the port takes is cut off.
        """
        self.protocol.datagramReceived(data[: self.max_packet_size], source)

    def write(self, packet: bytes, addr: Address | None = None) -> None:
        """
        Send a datagram.
        """
        assert addr is not None
        if len(packet) > LARGEST_DATAGRAM:
            raise MessageLengthError("message too long")
        source = self.host.source(self.address[0], addr[0])
        if self.listening and (source in self.host.addresses or is_loopback(source)):
            self.host.network.transmit(self.host, (source, self.address[1]), addr, bytes(packet))

    def getHost(self) -> IPv4Address | IPv6Address:
        """
        The address and port that are bound.
        """
        return as_address("UDP", (self.address[0] or "0.0.0.0", self.address[1]))  # noqa: S104

    def startListening(self) -> None:  # noqa: N802
        """
        Done already.
        """

    def stopListening(self) -> Deferred[None]:  # noqa: N802
        """
        Close the port.
        """
        if self.listening:
            self.listening = False
            self.host.release(self)
            self.protocol.doStop()
        return succeed(None)


class RawSocket:
    """
    A non-blocking datagram socket, with those methods of ``socket.socket`` that media use.

    Attributes:
        arrivals: Datagrams that wait to be read, with their sources.
        on_readable: Called when a datagram has come, or ``None``.
        options: What was set with ``setsockopt``, by (level, name).
    """

    def __init__(self, host: Host, descriptor: int) -> None:
        self.host = host
        self.arrivals: deque[tuple[bytes, Address]] = deque(maxlen=1000)
        self.on_readable: Callable[[], object] | None = None
        self.options: dict[tuple[int, int], Any] = {}
        self._descriptor = descriptor
        self._address: Address | None = None
        self._peer: Address | None = None

    def bind(self, address: Address) -> None:
        """
        Take an address and port; ``OSError`` as the kernel has it.
        """
        try:
            self._address = self.host.bind("UDP", (address[0], address[1]), self)
        except CannotListenError as error:
            raise error.socketError from None

    def connect(self, address: Address) -> None:
        """
        Send to one peer from now on, and hear only that one.
        """
        self._peer = address

    def arrived(self, data: bytes, source: Address) -> None:
        """
        A datagram came.
        """
        if self._peer is None or self._peer == source:
            self.arrivals.append((data, source))
            if self.on_readable is not None:
                self.on_readable()

    def recvfrom(self, size: int) -> tuple[bytes, Address]:
        """
        The next datagram and where it is from; ``BlockingIOError`` when there is none.
        """
        self._check()
        if not self.arrivals:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        data, source = self.arrivals.popleft()
        return data[:size], source

    def recvfrom_into(self, buffer: Any, size: int = 0) -> tuple[int, Address]:
        """
        The next datagram into a buffer: its length and where it is from.
        """
        data, source = self.recvfrom(size or len(buffer))
        memoryview(buffer)[: len(data)] = data
        return len(data), source

    def recv_into(self, buffer: Any, size: int = 0) -> int:
        """
        The next datagram into a buffer: its length.
        """
        return self.recvfrom_into(buffer, size)[0]

    def recv(self, size: int) -> bytes:
        """
        The next datagram.
        """
        return self.recvfrom(size)[0]

    def sendto(self, data: Any, address: Address) -> int:
        """
        Send a datagram.
        """
        self._check()
        if self._address is None:
            self.bind(("", 0))
        assert self._address is not None
        if len(data) > LARGEST_DATAGRAM:
            raise OSError(errno.EMSGSIZE, "Message too long")
        source = self.host.source(self._address[0], address[0])
        self.host.network.transmit(self.host, (source, self._address[1]), address, bytes(data))
        return len(data)

    def send(self, data: Any, flags: int = 0) -> int:
        """
        Send a datagram to the peer that was connected to.
        """
        if self._peer is None:
            raise OSError(errno.EDESTADDRREQ, "Destination address required")
        return self.sendto(data, self._peer)

    def getsockname(self) -> Address:
        """
        The address and port that are bound.
        """
        return self._address or ("0.0.0.0", 0)  # noqa: S104

    def setsockopt(self, level: int, name: int, value: Any) -> None:
        """
        Note an option.
        """
        self.options[level, name] = value

    def getsockopt(self, level: int, name: int) -> Any:
        """
        An option that was noted.
        """
        return self.options.get((level, name), 0)

    def setblocking(self, flag: bool) -> None:
        """
        It never blocks.
        """

    def fileno(self) -> int:
        """
        A number no other socket of the network has; -1 once closed.
        """
        return self._descriptor

    def close(self) -> None:
        """
        Give the port back.
        """
        self._descriptor = -1
        self.host.release(self)

    def _check(self) -> None:
        if self._descriptor < 0:
            raise OSError(errno.EBADF, "Bad file descriptor")
