"""
Our address outside, asked of STUN servers (RFC 8489 6.2): who is behind a NAT can't know it otherwise.
"""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger
from twisted.names import dns

from pbx.stun.binding import TRANSACTION, StunError, binding_request, mapped_address
from pbx.tasks import Tasks
from pbx.transport.flow import address_text
from pbx.transport.lookup import LookupFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.interfaces import IDelayedCall

    from pbx.transport.layer import TransportLayer
    from pbx.transport.lookup import Lookup

WAITS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 8.0)
"""Seconds after each sending: twice as long each time, and at last 16 times the first (RFC 8489 6.2.1)."""

FEWER: Final = WAITS[:3]
"""The same while there is another server that can be asked."""

AGAIN: Final = 30.0
"""Seconds until all are asked again when none has answered, where the interval is longer."""


@frozen
class ExternalSettings:
    """
    Where our address outside is known from.

    Attributes:
        fixed: The address itself, or ``None``.
        servers: STUN servers as (host, port), asked in this order; only where there is no fixed address.
        interval: Seconds between two questions.
        local_networks: Networks whose hosts are told our own address.
        source: The address that is asked from; empty for any.
    """

    fixed: str | None = None
    servers: Sequence[tuple[str, int]] = ()
    interval: float = 300.0
    local_networks: Sequence[str] = ()
    source: str = ""


class Inquiry(DatagramProtocol):
    """
    One Binding transaction: a question, sent again until it is answered.

    Attributes:
        answered: Fires with the address, or fails with :class:`StunError`; to cancel it ends the transaction.
    """

    noisy = False

    def __init__(self, clock: Any, server: tuple[str, int], waits: Sequence[float]) -> None:
        self._clock = clock
        self._server = server
        self._waits = list(waits)
        self._transaction = urandom(TRANSACTION)
        self._timer: IDelayedCall | None = None
        self.answered: Deferred[str] = Deferred(lambda _: self._end())

    def startProtocol(self) -> None:
        """
        The socket is open.
        """
        self._send()

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """
        Something came; only from the server, and with our identifier, is it an answer.
        """
        if self.answered.called or addr[:2] != self._server:
            return
        try:
            mapped = mapped_address(datagram, self._transaction)
        except StunError as error:
            self._end()
            self.answered.errback(error)
            return
        if mapped is not None:
            self._end()
            self.answered.callback(mapped[0])

    def _send(self) -> None:
        self._timer = None
        if not self._waits:
            self._end()
            self.answered.errback(StunError("no answer"))
            return
        self._timer = self._clock.callLater(self._waits.pop(0), self._send)
        transport: Any = self.transport
        try:
            transport.write(binding_request(self._transaction), self._server)
        except OSError:
            # No route at the moment: as if it had been lost on the way.
            return

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        transport: Any = self.transport
        if transport is not None:
            transport.stopListening()


class External:
    """
    Sees to it that peers outside are told the right address.

    Args:
        reactor: Sockets and timers.
        transport: Is told the address.
        lookup: Finds the servers.
        settings: Where it is known from.
    """

    log = Logger()

    def __init__(self, reactor: Any, transport: TransportLayer, lookup: Lookup, settings: ExternalSettings) -> None:
        self._reactor = reactor
        self._transport = transport
        self._lookup = lookup
        self._settings = settings
        self._tasks = Tasks()
        self._asking: Deferred[None] | None = None
        self._next: IDelayedCall | None = None
        self._running = False
        # Whether the last question was answered; None before it.
        self._answered: bool | None = None

    def start(self) -> None:
        """
        Ask for the first time.
        """
        self._running = True
        self._go()

    def stop(self) -> Deferred[None]:
        """
        Ask no more.
        """
        self._running = False
        self._rest()
        return self._tasks.stop()

    def reconfigure(self, settings: ExternalSettings) -> None:
        """
        Know it from elsewhere. What was known stays until there is an answer.
        """
        if settings == self._settings:
            return
        asked_anew = settings.servers != self._settings.servers or settings.fixed != self._settings.fixed
        self._settings = settings
        known = self._transport.external if settings.fixed is None and settings.servers else settings.fixed
        self._transport.rename(known, settings.local_networks)
        if asked_anew:
            self._answered = None
        if self._running:
            self._rest()
            self._go()

    def _go(self) -> None:
        if self._settings.fixed is None and self._settings.servers:
            self._next = None
            self._asking = self._tasks.start(self._ask(), "ask for our external address")

    def _rest(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    async def _ask(self) -> None:
        settings = self._settings
        wait = settings.interval
        try:
            address, server = await self._address(settings)
        except CancelledError:
            # Other settings came, or the end.
            return
        except StunError as error:
            self._unanswered(error)
            wait = min(AGAIN, wait)
        else:
            self._named(address, server)
        self._asking = None
        self._next = self._reactor.callLater(wait, self._go)

    async def _address(self, settings: ExternalSettings) -> tuple[str, str]:
        """
        What the first server says that says anything.

        Raises:
            StunError: None does; what each said.
        """
        reasons = []
        for index, (host, port) in enumerate(settings.servers):
            name = address_text(host, port)
            waits = WAITS if index == len(settings.servers) - 1 else FEWER
            try:
                inquiry = Inquiry(self._reactor, (await self._resolved(host), port), waits)
                self._reactor.listenUDP(0, inquiry, interface=settings.source)
                return await inquiry.answered, name
            except StunError as error:
                reasons.append(f"{name}: {error}")
            except CannotListenError as error:
                reasons.append(f"{name}: no socket to ask from ({error.socketError})")
        raise StunError("; ".join(reasons))

    async def _resolved(self, host: str) -> str:
        if host.replace(".", "").isdigit():
            return host
        try:
            # Over IPv6 there is no address translation to speak of.
            records = await self._lookup.records(host, dns.A)
        except LookupFailed as error:
            raise StunError(str(error)) from error
        if not records:
            raise StunError("there is no such host")
        address: str = records[0].dottedQuad()
        return address

    def _named(self, address: str, server: str) -> None:
        before = self._transport.external
        if address != before:
            self.log.info(
                "Our external address is {address}, says {server}; it was {before}",
                address=address, server=server, before=before or "not known",
            )
            self._transport.rename(address, self._settings.local_networks)
        elif self._answered is False:
            self.log.info("{server} answers again: our external address is still {address}",
                          server=server, address=address)
        self._answered = True

    def _unanswered(self, error: StunError) -> None:
        if self._answered is False:
            return
        self._answered = False
        known = self._transport.external
        if known is not None:
            self.log.warn(
                "No STUN server says what our external address is; {known} stays ({error})", known=known, error=error
            )
            return
        self.log.warn(
            "No STUN server says what our external address is ({error}): phones and providers outside are told our own "
            "address, and may neither reach us nor be heard. Let UDP out to these servers, name others, or write the "
            "address itself in server.external_ip.",
            error=error,
        )
