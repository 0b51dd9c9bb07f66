"""
The https server: what listens, how many may connect, and how much they may send.
"""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote_to_bytes

import msgspec
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.web import server
from werkzeug.exceptions import BadHost

from pbx.transport.source import source_of
from pbx.web.app import HEADERS, shown_path
from pbx.web.problems import MEDIA_TYPE, Problem, too_large, unauthorized
from pbx.web.routes import LARGEST_BODY

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress, IListeningPort, IOpenSSLServerConnectionCreator
    from twisted.python.failure import Failure
    from twisted.web.resource import IResource

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


class Gate(Protocol):
    """
    What is asked before a large body is read.
    """

    def largest(self, method: str, path: str) -> int:
        """
        The most bytes that the body of a request may have.
        """

    async def may_upload(self, request: Any) -> bool:
        """
        Whether more than :data:`LARGEST_BODY` is taken from who sends a request, of which the headers are there.
        """


class Request(server.Request):
    """
    A request whose body is limited, and whose failures are problem documents.
    """

    _received = 0
    _most = LARGEST_BODY
    _is_refused = False
    _is_cut_off = False
    _is_asked = False
    _is_whole = False

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted calls it
        """
        The headers are there; ``length`` is what the body is said to have.
        """
        # Not the length: a large one would make Twisted open a temporary file.
        server.Request.gotLength(self, 0)
        channel: Any = self.channel
        gate = channel.site.gate
        if gate is not None:
            # Twisted tells the request what it asks for only when its body is there.
            path = unquote_to_bytes(channel._path.partition(b"?")[0])
            self._most = gate.largest(channel._command.decode("latin-1"), path.decode("utf-8", "replace"))
        if length is not None and length > max(self._most, DRAINED):
            self._cut_off(too_large(self._most))

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted calls it
        """
        A part of the body.
        """
        self._received += len(data)
        if self._is_refused or self._received > self._most:
            self._is_refused = True
            drained = max(self._most, DRAINED)
            if self._received - len(data) <= drained < self._received:
                self._cut_off(too_large(self._most))
            return
        server.Request.handleContentChunk(self, data)
        if self._received > LARGEST_BODY and not self._is_asked:
            self._ask()

    def process(self) -> None:
        """
        The request is there as a whole.
        """
        self._is_whole = True
        if self._is_refused:
            self._send(too_large(self._most))
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

    def _ask(self) -> None:
        """
        Read no further until it is known that this is no stranger: strangers may not fill the memory.
        """
        self._is_asked = True
        channel: Any = self.channel
        channel.transport.pauseProducing()
        answer = Deferred.fromCoroutine(channel.site.gate.may_upload(self))
        answer.addErrback(lambda failure: self._log.failure("who uploads cannot be told", failure=failure))
        answer.addCallback(self._answered)

    def _answered(self, may_upload: bool | None) -> None:
        channel: Any = self.channel
        # What came as a whole meanwhile is asked about again, as any request.
        if channel is None or channel.transport is None or self._is_whole:
            may_upload = True
        if not may_upload:
            self._cut_off(unauthorized())
        if channel is not None and channel.transport is not None:
            channel.transport.resumeProducing()

    def _cut_off(self, problem: Problem) -> None:
        """
        Answer past the request, which is not to be read to its end, and close.
        """
        if self._is_cut_off:
            return
        self._is_refused = self._is_cut_off = True
        body = msgspec.json.encode(problem.document())
        status = HTTPStatus(problem.status)
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {MEDIA_TYPE}\r\n"
        lines = {**problem.headers, "Content-Length": str(len(body)), "Connection": "close"}
        head += "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        channel: Any = self.channel
        channel.transport.write(head.encode() + b"\r\n" + body)
        channel.loseConnection()


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

    def __init__(self, resource: IResource, reactor: Any, gate: Gate | None = None) -> None:
        """
        A site.

        Args:
            resource: Its root.
            reactor: The clock for idle connections.
            gate: What tells how large a body may be; without it none may be large.
        """
        server.Site.__init__(self, resource, requestFactory=Request, timeout=IDLE, reactor=reactor)
        self.gate = gate

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

    def serve(self, resource: IResource, gate: Gate | None = None) -> None:
        """
        Serve another root from the next request on.
        """
        self._site.resource = resource
        self._site.gate = gate

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
