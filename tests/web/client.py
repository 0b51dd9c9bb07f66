"""
A client on an in-memory connection to the site, for tests of resources.
"""

from __future__ import annotations

import json
from typing import Any

import attrs
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.python.failure import Failure
from zope.interface import implementer

from pbx.tasks import Tasks
from pbx.web.app import WebApp
from pbx.web.identity import IAudit, IIdentity
from pbx.web.routes import Route
from pbx.web.server import Site


@attrs.frozen
class Answer:
    """
    One HTTP answer.
    """

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """
        The body, read as JSON.
        """
        return json.loads(self.content)


@implementer(IIdentity)
class FakeIdentity:
    """
    Knows everyone by the same name, or nobody.
    """

    def __init__(self, name: str | None = "local:root") -> None:
        self.name = name

    async def who(self, request: Any) -> str | None:
        """
        The name.
        """
        return self.name


@implementer(IAudit)
class FakeAudit:
    """
    Keeps what was audited.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []

    def wrote(self, actor: str, action: str, subject: str, before: Any, after: Any) -> None:
        """
        Keep it.
        """
        self.rows.append((actor, action, subject, before, after))


class Client:
    """
    Connections to an application, one a request.
    """

    def __init__(self, routes: list[Route], identity: Any = None, unavailable: Any = ()) -> None:
        self.tasks = Tasks()
        self.identity = identity or FakeIdentity()
        self.clock = Clock()
        self.app = WebApp(routes, self.identity, self.tasks, unavailable)
        self.site = Site(self.app.resource(), self.clock, self.app)

    def connect(self) -> tuple[Any, StringTransportWithDisconnection]:
        """
        Open a connection: the server's protocol, and what it writes.
        """
        here, there = IPv4Address("TCP", "127.0.0.1", 8080), IPv4Address("TCP", "127.0.0.1", 40000)
        protocol = self.site.buildProtocol(there)
        transport = StringTransportWithDisconnection(hostAddress=here, peerAddress=there)
        transport.protocol = protocol
        protocol.makeConnection(transport)
        return protocol, transport

    def send(self, method: str, path: str, body: Any = None, headers: Any = None) -> tuple[Any, Any]:
        """
        Send a request and return the connection, whether it was answered or not.
        """
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        lines = {"Host": "localhost:8080", "Connection": "close", "Content-Length": str(len(content))}
        if body is not None:
            lines["Content-Type"] = "application/json"
        lines.update(headers or {})
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        protocol, transport = self.connect()
        protocol.dataReceived(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content)
        return protocol, transport

    def ask(self, method: str, path: str, body: Any = None, headers: Any = None) -> Answer:
        """
        Send a request that is answered at once.
        """
        protocol, transport = self.send(method, path, body, headers)
        answer = parsed(transport.value())
        if transport.connected:
            protocol.connectionLost(Failure(ConnectionDone()))
        return answer


def parsed(data: bytes) -> Answer:
    """
    An answer from its bytes.
    """
    head, _, content = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(first.split(" ")[1]), headers, content)
