"""
SIP over one TCP or TLS connection (RFC 3261 18.3, RFC 5626 3.5.1).

A stranger who connects costs a file and a timer, so a connection earns its keep: it must bring its first whole message
soon, each message must end soon after it began, one that nobody waits for is closed when it falls silent, and a peer
that does not read is cut off.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, ClassVar

from OpenSSL import SSL
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from zope.interface import implementer

from pbx.sip.error import ParseError
from pbx.sip.parser import KeepAlive, StreamParser
from pbx.transport.flow import Flow, FlowClosed
from pbx.transport.udp import mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.python.failure import Failure

    from pbx.transport.reception import Reception
    from pbx.transport.settings import TransportSettings

LINGER = 2.0
"""Seconds a connection that we close may take to deliver what was sent."""

PAUSE = 1.0
"""Seconds for which a peer that sends too much is not read from."""

KEEP_ALIVE_OPTIONS = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4), ("TCP_USER_TIMEOUT", 30_000))
"""A phone that was unplugged is noticed after two minutes, and 30 s after something was sent to it (RFC 5482)."""


class StreamFlow(Flow):
    """
    The way to the peer at the other end of a connection.
    """

    __slots__ = ("_protocol", "waiting")

    reliable: ClassVar[bool] = True

    def __init__(
        self, protocol: StreamProtocol, local: tuple[str, int], remote: tuple[str, int], sent_by: tuple[str, int]
    ) -> None:
        super().__init__(local, remote, sent_by)
        self._protocol = protocol
        self.waiting: list[Callable[[Flow], object]] = []

    def send(self, data: bytes) -> None:
        """
        Hand one message to the connection.
        """
        self._protocol.send(data)

    def on_close(self, callback: Callable[[Flow], object]) -> None:
        """
        Have ``callback(flow)`` called once when the connection ends.
        """
        if self.closed:
            callback(self)
        else:
            self.waiting.append(callback)

    def off_close(self, callback: Callable[[Flow], object]) -> None:
        """
        Take back :meth:`on_close`.
        """
        if callback in self.waiting:
            self.waiting.remove(callback)

    def trust(self) -> None:
        """
        Keep the connection open when strangers take all places.
        """
        self._protocol.trust()

    def give_up(self) -> None:
        """
        End the connection at once.
        """
        if not self.closed:
            self._protocol.abort()


class TcpFlow(StreamFlow):
    """
    A flow over TCP.
    """

    __slots__ = ()

    transport: ClassVar[str] = "TCP"


class TlsFlow(StreamFlow):
    """
    A flow over TLS.
    """

    __slots__ = ()

    transport: ClassVar[str] = "TLS"


FLOWS: dict[str, type[StreamFlow]] = {"TCP": TcpFlow, "TLS": TlsFlow}


@implementer(IHandshakeListener)
class StreamProtocol(Protocol):
    """
    One connection, accepted or made.

    Attributes:
        flow: The flow over it; made when it is connected.
        accepted: Whether the peer made it.
        silent: Whether it has not yet brought a whole message.
    """

    log = Logger()
    flow: StreamFlow

    def __init__(
        self,
        clock: IReactorTime,
        settings: TransportSettings,
        reception: Reception,
        kind: str,
        *,
        accepted: bool,
        sent_by: Callable[[str, str], tuple[str, int]],
        established: Callable[[StreamProtocol], object],
        trusted: Callable[[StreamProtocol], object],
        ended: Callable[[StreamProtocol, str], object],
    ) -> None:
        """
        A connection about to be.

        Args:
            clock: Runs its timer.
            settings: The limits.
            reception: Takes the messages.
            kind: ``"TCP"`` or ``"TLS"``.
            accepted: Whether the peer made it.
            sent_by: From our address and the peer's to what we are called.
            established: Called when messages can be sent: over TLS once the peer's certificate was found good.
            trusted: Called when the peer has proved who it is.
            ended: Called when it has ended, with the reason in words.
        """
        self.accepted = accepted
        self.silent = True
        self._clock = clock
        self._settings = settings
        self._reception = reception
        self._kind = kind
        self._sent_by = sent_by
        self._established = established
        self._trusted = trusted
        self._ended = ended
        # Shown as it came: what is malformed is what one looks for.
        self._parser = StreamParser(seen=self._show if reception.tracing else None)
        self._due: float | None = None
        self._last = 0.0
        self._timer: IDelayedCall | None = None
        self._resume: IDelayedCall | None = None
        self._clogged = False
        self._unsent = 0

    @property
    def awaited(self) -> bool:
        """
        Whether somebody waits for what comes over it.
        """
        return bool(self.flow.waiting)

    def rename(self) -> None:
        """
        Name to the peer what we are called now.
        """
        if hasattr(self, "flow"):
            self.flow.sent_by = self._sent_by(self.flow.local[0], self.flow.remote[0])

    def trust(self) -> None:
        """
        The peer is no stranger any more.
        """
        self._trusted(self)

    def connectionMade(self) -> None:
        """
        The connection is there; over TLS the handshake is still to come.
        """
        transport: Any = self.transport
        here, peer = transport.getHost(), transport.getPeer()
        sent_by = self._sent_by(here.host, peer.host)
        self.flow = FLOWS[self._kind](self, (here.host, here.port), (peer.host, peer.port), sent_by)
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
        set_options(transport, self._settings.dscp)
        # A streaming producer is told when too much waits to be sent; nothing else tells.
        transport.registerProducer(self, True)
        self._last = self._clock.seconds()
        # A connection that never says anything is nobody's phone; one of ours must get through its handshake.
        wait = self._settings.idle_timeout if self.accepted else self._settings.connect_timeout
        self._due = self._last + wait
        self._timer = self._clock.callLater(wait, self._check)
        if self._kind != "TLS":
            self._ready()

    def handshakeCompleted(self) -> None:  # noqa: N802  # Twisted calls it
        """
        The TLS handshake is done, and the certificates were found good.
        """
        self._ready()

    def dataReceived(self, data: bytes) -> None:
        """
        Bytes came.
        """
        flow = self.flow
        blank = not data.strip(b"\r\n")
        produced = False
        while not flow.closed:
            try:
                items = self._parser.feed(data)
                if not items:
                    break
            except ParseError as error:
                items = []
                self._malformed(error)
            produced = True
            for item in items:
                if flow.closed:
                    return
                self._received(item)
            # What stands behind an error, or an error behind a message, comes with the next call.
            data = b""
        self._note_progress(produced=produced, blank=blank)

    def send(self, data: bytes) -> None:
        """
        Send one message.

        Args:
            data: The message.

        Raises:
            FlowClosed: When the connection has ended.
        """
        flow = self.flow
        transport: Any = self.transport
        if flow.closed:
            raise FlowClosed(f"{flow.name} is closed")
        if self._reception.tracing:
            self._reception.trace.sent(flow.name, data)
        if self._clogged:
            self._unsent += len(data)
            if self._unsent > self._settings.max_unsent:
                self.log.warn("{flow}: cut off: the peer does not read", flow=flow.name)
                self.abort()
                raise FlowClosed(f"{flow.name} does not read")
        transport.write(data)

    def close(self) -> None:
        """
        Close the connection when what was sent is on its way, but soon.
        """
        if not self.flow.closed:
            transport: Any = self.transport
            self._closed()
            transport.unregisterProducer()
            transport.loseConnection()
            # A peer that neither reads nor answers the end of TLS would keep it open for ever.
            self._timer = self._clock.callLater(LINGER, self.abort)

    def abort(self) -> None:
        """
        Close the connection at once.
        """
        transport: Any = self.transport
        self._closed()
        transport.unregisterProducer()
        transport.abortConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """
        The connection has ended.
        """
        self._closed()
        self._ended(self, "" if reason is None else reason_text(reason))

    def pauseProducing(self) -> None:
        """
        The peer reads too slowly: count what waits from now on.
        """
        self._clogged = True
        self._unsent = 0

    def resumeProducing(self) -> None:
        """
        The peer has read.
        """
        self._clogged = False

    def stopProducing(self) -> None:
        """
        The transport has ended; :meth:`connectionLost` is to come.
        """

    def _received(self, item: Any) -> None:
        reception, flow = self._reception, self.flow
        if not reception.guard.allowed(flow.remote[0]):
            self._held_back()
        if isinstance(item, KeepAlive):
            reception.keep_alives += 1
            self._last = self._clock.seconds()
            transport: Any = self.transport
            transport.write(b"\r\n")
            return
        self._due = None
        self._last = self._clock.seconds()
        self.silent = False
        reception.message(item, flow)

    def _show(self, data: bytes) -> None:
        self._reception.trace.received(self.flow.name, data)

    def _malformed(self, error: ParseError) -> None:
        self._reception.unreadable(error, self.flow)
        if not self._reception.guard.allowed(self.flow.remote[0]):
            self._held_back()
        if self._parser.broken:
            # RFC 3261 18.3: without its length nobody knows where the next message begins.
            self.close()

    def _held_back(self) -> None:
        # A blocked address has had its connections closed; what another sends meanwhile waits in its own kernel.
        if self._resume is None:
            transport: Any = self.transport
            transport.pauseProducing()
            self._resume = self._clock.callLater(PAUSE, self._read_on)

    def _read_on(self) -> None:
        self._resume = None
        transport: Any = self.transport
        transport.resumeProducing()

    def _note_progress(self, *, produced: bool, blank: bool) -> None:
        if self.flow.closed or (self.silent and self.accepted):
            # The time of the first message began when the peer connected.
            return
        if produced and not len(self._parser):
            self._due = None
        elif self._due is None and (len(self._parser) or not (produced or blank)):
            # Bytes wait for the rest of their message, or the head was taken and waits for its body.
            self._due = self._clock.seconds() + self._settings.idle_timeout
            if self._timer is not None:
                self._timer.reset(self._settings.idle_timeout)

    def _check(self) -> None:
        """
        See whether the connection may go on; the timer's call.
        """
        self._timer = None
        now = self._clock.seconds()
        if self._due is not None and now >= self._due:
            self.log.debug("{flow}: closed: no whole message in time", flow=self.flow.name)
            self.abort()
            return
        end_of_use = self._last + self._settings.unused_timeout
        if now >= end_of_use:
            if not self.flow.waiting:
                self.log.debug("{flow}: closed: unused", flow=self.flow.name)
                self.close()
                return
            end_of_use = now + self._settings.unused_timeout
        wait = (end_of_use if self._due is None else min(self._due, end_of_use)) - now
        self._timer = self._clock.callLater(wait, self._check)

    def _ready(self) -> None:
        if not self.accepted:
            self._due = None
            self._established(self)

    def _closed(self) -> None:
        for call in (self._timer, self._resume):
            if call is not None and call.active():
                call.cancel()
        self._timer = self._resume = None
        flow = self.flow
        if flow.closed:
            return
        flow.closed = True
        waiting, flow.waiting = flow.waiting, []
        for callback in waiting:
            try:
                callback(flow)
            except Exception:  # noqa: BLE001  # the border: the others must hear of it too
                self.log.failure("a closed connection could not be dealt with")


def set_options(transport: Any, dscp: int) -> None:
    """
    Mark the packets of a connection, and have the kernel find out when its peer is gone.

    Args:
        transport: A TCP transport, or TLS over one; one without a socket is left alone.
        dscp: 0 to 63.
    """
    raw: socket.socket | None = getattr(transport, "socket", None)
    if raw is None:
        return
    mark(raw, dscp)
    for name, value in KEEP_ALIVE_OPTIONS:
        option = getattr(socket, name, None)
        if option is not None:
            raw.setsockopt(socket.IPPROTO_TCP, option, value)


def reason_text(reason: Failure) -> str:
    """
    Why a connection ended, in words for the log.

    Args:
        reason: What Twisted says.
    """
    error = reason.value
    if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
        return "TLS: " + ", ".join(str(part[-1]) for part in error.args[0]) if error.args[0] else "TLS failed"
    return reason.getErrorMessage()
