"""
The small user agent with IPv6 addresses, and on a TCP or TLS connection.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.internet import ssl
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from tests.wire.agent import Agent, sdp
from tests.wire.process import reactor


def bracketed(host: str) -> str:
    """
    A host as it stands in a URI.
    """
    return f"[{host}]" if ":" in host else host


def offer(host: str, port: int) -> bytes:
    """
    A plain offer or answer of PCMU with an address of either family.
    """
    family = b"IP6" if ":" in host else b"IP4"
    return sdp(host, port).replace(b"IN IP4", b"IN " + family)


class AddressedAgent(Agent):
    """
    An agent with an address of either family.

    Attributes:
        address: The address it is at, without brackets.
    """

    def __init__(self, user: str, password: str, server: tuple[str, int], host: str = "127.0.0.1") -> None:
        super().__init__(user, password, (bracketed(server[0]), server[1]), bracketed(host))
        self.address = host

    def start(self) -> None:
        """
        Open the socket.
        """
        self._port = reactor.listenUDP(0, self, interface=self.address, maxPacketSize=65535)
        self.port = int(self._port.getHost().port)
        self.transport: Any = _Unbracketed(self.transport)


class _Unbracketed:
    """
    A UDP transport that takes hosts as URIs have them.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def write(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.write(data, (addr[0].strip("[]"), addr[1]))


class StreamAgent(AddressedAgent):
    """
    An agent with one connection to the exchange.

    Attributes:
        kind: ``tcp`` or ``tls``.
        closed: Fires when the connection has ended.
    """

    kind = "tcp"

    async def connect(self, kind: str = "tcp", certificate: bytes = b"") -> None:
        """
        Connect; takes the place of :meth:`start`.

        Args:
            kind: ``tcp`` or ``tls``.
            certificate: The one the exchange is to show over TLS, PEM.
        """
        self.kind = kind
        self._sent: set[bytes] = set()
        self.closed: Deferred[None] = Deferred()
        endpoint: Any = HostnameEndpoint(reactor, self.server[0].strip("[]"), self.server[1])
        if kind == "tls":
            trusted = ssl.Certificate.loadPEM(certificate)
            endpoint = wrapClientTLS(ssl.optionsForClientTLS("localhost", trusted), endpoint)
        self._stream = await connectProtocol(endpoint, _Stream(self))
        self.port = int(self._stream.transport.getHost().port)
        self.transport: Any = self

    @property
    def contact(self) -> str:
        """
        The URI it is reached at.
        """
        return f"sip:{self.user}@{self.host}:{self.port};transport={self.kind}"

    def write(self, data: bytes, addr: object) -> None:
        """
        Send a message; where to is settled. RFC 3261 17: nothing is repeated on a connection.
        """
        if data in self._sent:
            return
        self._sent.add(data)
        self._stream.transport.write(data.replace(b"SIP/2.0/UDP", f"SIP/2.0/{self.kind.upper()}".encode(), 1))

    async def stop(self) -> None:
        """
        Close the connection.
        """
        self._stream.transport.loseConnection()
        if not self.closed.called:
            await self.closed


class _Stream(Protocol):
    """
    Cuts a connection into messages.
    """

    def __init__(self, agent: StreamAgent) -> None:
        self._agent = agent
        self._rest = b""

    def dataReceived(self, data: bytes) -> None:
        self._rest += data
        while b"\r\n\r\n" in (rest := self._rest.lstrip(b"\r\n")):
            head = rest.index(b"\r\n\r\n") + 4
            length = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)", rest[:head])
            end = head + (int(length[1]) if length else 0)
            if len(rest) < end:
                return
            self._rest = rest[end:]
            self._agent.datagramReceived(rest[:end], self._agent.server)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # ours has no default
        if not self._agent.closed.called:
            self._agent.closed.callback(None)
