"""
The https server: what listens, how many may connect, and how much they may send.
"""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import msgspec
from twisted.application.service import Service
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.web import server
from werkzeug.exceptions import BadHost

from pbx.transport.source import source_of
from pbx.web.app import HEADERS, shown_path
from pbx.web.problems import MEDIA_TYPE, Problem

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IAddress, IListeningPort, IOpenSSLServerConnectionCreator
    from twisted.python.failure import Failure
    from twisted.web.resource import IResource

LARGEST_BODY = 65_536
"""Bytes of a request's body: an extension has some hundred, and all of a body is kept in memory."""

DRAINED = 1_048_576
"""Bytes that are read and dropped so that a client which sends too much can read why; then it is cut off."""

IDLE = 30.0
"""Seconds that a connection may rest, and a request may take to arrive."""

MOST_PER_ADDRESS = 100
"""Connections from one source at once: an office behind one NAT, not one machine that opens them all."""


class ServerError(Exception):
    """
    The server cannot start; the text says why and what can be done.
    """


class Request(server.Request):
    """
    A request whose body is limited, and whose failures are problem documents.
    """

    _received = 0
    _is_too_large = False

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted calls it
        """
        The headers are there; ``length`` is what the body is said to have.
        """
        # Not the length: a large one would make Twisted open a temporary file.
        server.Request.gotLength(self, 0)
        if length is not None and length > DRAINED:
            self._cut_off()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted calls it
        """
        A part of the body.
        """
        self._received += len(data)
        if self._is_too_large or self._received > LARGEST_BODY:
            self._is_too_large = True
            if self._received - len(data) <= DRAINED < self._received:
                self._cut_off()
            return
        server.Request.handleContentChunk(self, data)

    def process(self) -> None:
        """
        The request is there as a whole.
        """
        if self._is_too_large:
            self._send(_too_large())
        elif not _is_utf8(unquote_to_bytes(self.path)) or not _is_utf8(server.Request.getRequestHostname(self)):
            self._send(Problem(HTTPStatus.BAD_REQUEST, "The path or the host name is not UTF-8."))
        else:
            server.Request.process(self)

    def processingFailed(self, reason: Failure) -> Failure:  # noqa: N802 - Twisted calls it
        """
        An error that no route has treated.
        """
        if reason.check(BadHost):
            self._send(Problem(HTTPStatus.BAD_REQUEST, "The Host header is not a host name."))
            return reason
        self._log.failure("{path} failed", failure=reason, path=shown_path(self))
        self._send(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Something in the exchange failed; its log says what."))
        return reason

    def _send(self, problem: Problem) -> None:
        request: Any = self  # Twisted's requests are not annotated.
        body = msgspec.json.encode(problem.document())
        request.setResponseCode(problem.status)
        for name, value in {**HEADERS, "Content-Type": MEDIA_TYPE, "Content-Length": str(len(body))}.items():
            request.setHeader(name, value)
        request.write(body)
        request.finish()

    def _cut_off(self) -> None:
        """
        Answer past the request, which is not to be read to its end, and close.
        """
        self._is_too_large = True
        body = msgspec.json.encode(_too_large().document())
        head = f"HTTP/1.1 413 Content Too Large\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
        channel: Any = self.channel
        channel.transport.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        channel.loseConnection()


def _too_large() -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body of a request may have {LARGEST_BODY} bytes at most."
    )


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class Site(server.Site):
    """
    A site that notes requests in the exchange's own log, at the level for those who look for something.
    """

    _log = Logger()
    noisy = False

    def __init__(self, resource: IResource, reactor: Any) -> None:
        server.Site.__init__(self, resource, requestFactory=Request, timeout=IDLE, reactor=reactor)

    def startFactory(self) -> None:  # noqa: N802 - Twisted calls it
        """
        Nothing to start: no log file of its own, and no timer for its time stamps.
        """

    def stopFactory(self) -> None:  # noqa: N802 - Twisted calls it
        """
        Nothing to stop.
        """

    def log(self, request: Any) -> None:
        """
        A request was answered.
        """
        self._log.debug(
            "{method} {path} from {peer}: {status}",
            method=request.method.decode("latin-1"),
            path=shown_path(request),
            peer=getattr(request.getClientAddress(), "host", "-"),
            status=request.code,
        )


class _LimitedTls(TLSMemoryBIOFactory):
    """
    TLS for a limited number of connections; those beyond are closed at once.
    """

    log = Logger()
    noisy = False
    most = 500

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """
        One more connection, or ``None`` to have it closed.
        """
        peers = Counter(source_of(getattr(each.transport.getPeer(), "host", "")) for each in self.protocols)
        host = getattr(addr, "host", "")
        if peers.total() >= self.most or peers[source_of(host)] >= MOST_PER_ADDRESS:
            self.log.debug("too many connections to the API: one from {host} is closed", host=host)
            return None
        return super().buildProtocol(addr)


class WebServer(Service):
    """
    The listening server.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        certificate: IOpenSSLServerConnectionCreator,
        resource: IResource,
        most: int = 500,
    ) -> None:
        """
        A server that does not listen yet.

        Args:
            reactor: What listens, and the clock for idle connections.
            host: The address to listen on.
            port: The port; 0 for any.
            certificate: What gives each connection its TLS state, and may change it between two.
            resource: The root of what is served.
            most: Connections at once, each with a TLS state of some 50 kB.
        """
        self._reactor = reactor
        self._host = host
        self._port = port
        self._site = Site(resource, reactor)
        self._tls = _LimitedTls(certificate, False, self._site, clock=reactor)
        self._tls.most = most
        self._listening: IListeningPort | None = None

    @property
    def port(self) -> int:
        """
        The port it listens on.
        """
        if self._listening is None:
            return self._port
        address: Any = self._listening.getHost()
        port: int = address.port
        return port

    def serve(self, resource: IResource) -> None:
        """
        Serve another root from the next request on.
        """
        self._site.resource = resource

    def startService(self) -> None:
        """
        Listen.

        Raises:
            ServerError: The address or port cannot be had.
        """
        try:
            self._listening = self._reactor.listenTCP(self._port, self._tls, interface=self._host)
        except CannotListenError as error:
            raise ServerError(
                f"The API cannot listen on {self._host} port {self._port}: {error.socketError}. "
                "Stop what has that port, or choose another by api.port in the configuration."
            )
        Service.startService(self)

    def stopService(self) -> Deferred[None] | None:
        """
        Listen no more, and close what is open.
        """
        Service.stopService(self)
        listening, self._listening = self._listening, None
        for protocol in list(self._tls.protocols):
            protocol.loseConnection()
        return listening.stopListening() if listening is not None else None
