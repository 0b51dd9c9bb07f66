"""
A provider for tests in virtual time: a registrar that asks for a digest, answers as it is told, and remembers.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import DatagramProtocol, Protocol, ServerFactory

from pbx.sip.digest import Challenge, Credentials, ha1
from pbx.sip.message import Request, Response, response_to
from pbx.sip.parser import parse
from tests.network import Network

ACCOUNT, SECRET = "account", "s3cret"

Answer = int | tuple[int, tuple[tuple[str, str], ...]] | None
"""A status, one with header fields, or silence."""


STALE = (("stale", "true"),)
"""What stands for the header fields of a 401 that says so."""


class Provider(DatagramProtocol):
    """
    One machine of a provider's.

    Args:
        network: The network it is on.
        address: Its address.
        port: Its port, for UDP and TCP.
        secret: The password of the account; ``None`` asks for none.

    Attributes:
        script: By method, the next answers; when none is left, a REGISTER is served as it should be, and anything
            else gets 200.
        always: By method, the answer to each, where it is not to be served as it should be.
        heard: Every request, with the time.
        pings: How many empty lines have come.
        responses: The responses to its own requests.
        challenge: What it asks with.
        expires: For how long it grants a registration, ``None`` for as long as it is asked to.
        nonces: Those that are good.
        connections: Those made to it by TCP.
        bindings: Contact values, with their time.
    """

    def __init__(self, network: Network, address: str, port: int = 5060, secret: str | None = SECRET) -> None:
        self.network = network
        self.address = address
        self.secret = secret
        self.script: dict[str, list[Answer]] = {}
        self.always: dict[str, Answer] = {}
        self.heard: list[tuple[float, Request]] = []
        self.pings = 0
        self.responses: list[Response] = []
        self.challenge: dict[str, Any] = {}
        self.expires: int | None = None
        self.connections: list[Connection] = []
        self.bindings: dict[str, int] = {}
        self.nonces: set[str] = set()
        self._count = 0
        self._reactor: Any = network.reactor(address)
        self._port = port
        self._listening: Any = None
        self._accepting: Any = None
        self.listen()
        self.accept()

    # The wire.

    def listen(self) -> None:
        """
        Listen for datagrams.
        """
        self._listening = self._reactor.listenUDP(self._port, self, interface=self.address, maxPacketSize=65535)

    def accept(self) -> None:
        """
        Accept connections.
        """
        factory: Any = ServerFactory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: Connection(self)
        self._accepting = self._reactor.listenTCP(self._port, factory, interface=self.address)

    def refuse(self) -> None:
        """
        Accept no connections any more, and end those that are there.
        """
        self._accepting.stopListening()
        for connection in list(self.connections):
            connection.transport.loseConnection()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        Take a datagram.
        """
        if not datagram.strip():
            self.pings += 1
            return
        for data in self.take(datagram):
            self.say(data, addr)

    def say(self, data: bytes, addr: Any = ("10.0.0.1", 5060)) -> None:
        """
        Send a datagram.
        """
        self._listening.write(data, addr)

    def take(self, data: bytes) -> list[bytes]:
        """
        Take a message; what is to be answered.
        """
        message = parse(data)
        if isinstance(message, Response):
            self.responses.append(message)
            return []
        self.heard.append((self.network.clock.seconds(), message))
        answer = self.answer(message)
        return [] if answer is None else [answer.to_bytes()]

    # What it answers.

    def requests(self, method: str = "REGISTER") -> list[Request]:
        """
        The requests of a method that were heard, copies of one and the same left out.
        """
        found: dict[str, Request] = {}
        for _, request in self.heard:
            if request.method == method:
                found.setdefault(str(request.top_via.branch), request)
        return list(found.values())

    def times(self, method: str = "REGISTER") -> list[float]:
        """
        When each of them came first.
        """
        found: dict[str, float] = {}
        for time, request in self.heard:
            if request.method == method:
                found.setdefault(str(request.top_via.branch), time)
        return list(found.values())

    def forget(self) -> None:
        """
        Forget what was heard.
        """
        self.heard.clear()

    def answer(self, request: Request) -> Response | None:
        """
        Its answer to a request.
        """
        method = request.method
        told: Any = self.script.get(method) or ()
        if told:
            return self._as_told(request, told.pop(0))
        if method in self.always:
            return self._as_told(request, self.always[method])
        if method == "REGISTER":
            return self._register(request)
        return response_to(request, 200, to_tag="theirs")

    def _as_told(self, request: Request, told: Answer) -> Response | None:
        if told is None:
            return None
        status, headers = (told, ()) if isinstance(told, int) else told
        if status == 401 and headers in ((), STALE):
            return self.ask(request, stale=headers == STALE)
        if status == 200:
            return self._granted(request, headers)
        response = response_to(request, status, to_tag="theirs")
        for name, value in headers:
            response.headers.add(name, value)
        return response

    def ask(self, request: Request, **more: Any) -> Response:
        """
        Ask for a digest.
        """
        self._count += 1
        nonce = f"nonce{self._count} of {self.address}"
        self.nonces.add(nonce)
        asked = Challenge("provider", nonce, **{**self.challenge, **more})
        response = response_to(request, 401, to_tag="theirs")
        response.headers.add("WWW-Authenticate", str(asked))
        return response

    def proven(self, request: Request) -> bool:
        """
        Whether a request proves itself by a nonce that is still good.
        """
        value = request.headers.get("Authorization")
        if value is None or self.secret is None:
            return self.secret is None
        given = Credentials.parse(value)
        return given.nonce in self.nonces and given.verifies(
            ha1(given.username, "provider", self.secret, given.algorithm), request.method, request.body
        )

    def _register(self, request: Request) -> Response:
        return self._granted(request) if self.proven(request) else self.ask(request)

    def _granted(self, request: Request, headers: tuple[tuple[str, str], ...] = ()) -> Response:
        response = response_to(request, 200, to_tag="theirs")
        for contact in request.contacts:
            asked = int(contact.param("expires") or 0)
            granted = min(asked, self.expires) if self.expires is not None else asked
            self.bindings[str(contact.uri)] = granted
            if not granted:
                del self.bindings[str(contact.uri)]
            if not any(name in ("Contact", "Expires") for name, _ in headers):
                response.headers.add("Contact", f"<{contact.uri}>;expires={granted}")
        for name, value in headers:
            response.headers.add(name, value)
        return response


class Connection(Protocol):
    """
    One connection made to a provider; each message comes and goes in one piece.
    """

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    def connectionMade(self) -> None:
        self.provider.connections.append(self)

    def connectionLost(self, reason: Any = None) -> None:
        self.provider.connections.remove(self)

    def dataReceived(self, data: bytes) -> None:
        if not data.strip():
            self.provider.pings += 1
            return
        transport: Any = self.transport
        for answer in self.provider.take(data):
            transport.write(answer)
