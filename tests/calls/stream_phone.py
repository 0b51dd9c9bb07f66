"""
A telephone that speaks over TCP.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import ClientFactory, Protocol

from pbx.sip.message import Request, Response
from pbx.sip.parser import KeepAlive, StreamParser
from tests.calls.phone import Phone


class Line(Protocol):
    """
    One end of a connection: everything that comes is given to its phone.
    """

    def __init__(self, phone: StreamPhone | None = None) -> None:
        self.phone = phone
        self.parser = StreamParser()
        self.open = False

    def connectionMade(self) -> None:
        """
        The connection is there.
        """
        self.open = True

    def dataReceived(self, data: bytes) -> None:
        """
        Take what the bytes complete.
        """
        for message in self.parser.feed(data):
            if not isinstance(message, KeepAlive) and self.phone is not None:
                self.phone.heard(message)

    def connectionLost(self, reason: Any = None) -> None:
        """
        It has gone.
        """
        self.open = False


def dial(reactor: Any, exchange: tuple[str, int], line: Line) -> None:
    """
    Connect a line to an exchange.
    """
    factory = ClientFactory()
    factory.noisy = False
    factory.buildProtocol = lambda address: line  # type: ignore[method-assign,assignment]
    reactor.connectTCP(*exchange, factory)


class StreamPhone(Phone):
    """
    A phone that connects to the exchange over TCP.

    Attributes:
        line: Its connection.
    """

    kind = "TCP"
    line: Line

    def connect(self) -> None:
        """
        Connect.
        """
        self.line = Line(self)
        dial(self.reactor, self.exchange, self.line)
        self.network.advance(0.02)

    def send(self, message: Request | Response) -> None:
        """
        Send a message as it is.
        """
        self.send_bytes(message.to_bytes())

    def send_bytes(self, data: bytes) -> None:
        """
        Send anything.
        """
        assert self.line.transport is not None
        self.line.transport.write(data)

    def close(self) -> None:
        """
        Close the connection.
        """
        assert self.line.transport is not None
        self.line.transport.loseConnection()
        self.network.advance(0.02)

    @property
    def contact(self) -> str:
        """
        Its Contact URI.
        """
        return f"{super().contact};transport=tcp"
