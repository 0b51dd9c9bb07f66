"""
One mail to one SMTP server (RFC 5321), over STARTTLS (RFC 3207), TLS from the first byte (RFC 8314), or neither.

Twisted's mail imports the reactor: import this only where there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Final

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.mail.smtp import ESMTPSender, ESMTPSenderFactory, SMTPClientError, SMTPConnectError, SMTPDeliveryError
from twisted.python.failure import Failure

from pbx.ops.mail_server import NotSentError, SmtpServer

if TYPE_CHECKING:
    from collections.abc import Callable

TLS_PORT: Final = 465
"""The port where TLS begins with the first byte (RFC 8314 3.3)."""

CONNECT_SECONDS: Final = 20.0
"""How long the server may take to be reached."""

ANSWER_SECONDS: Final = 60
"""How long the server may take for an answer, or we to write something."""

LONGEST_SECONDS: Final = 600.0
"""How long one mail may take: less than a claim holds (:data:`pbx.store.mail.STALE_MINUTES`)."""

REASON: Final = 500
"""Characters of a reason at most."""

CONFIGURATION: Final = frozenset({530, 534, 535, 538})
"""Answers that are about us and not about the mail (RFC 4954 6): it waits until the operator has put that right."""


class _Sender(ESMTPSender):
    """
    The client's side of one session.
    """

    # Else the session, with the password in it, would stand in every error.
    debug = False

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Tell when it ended too soon.
        """
        ESMTPSender.connectionLost(self, reason)
        self.factory.lost(reason)


class _Factory(ESMTPSenderFactory):
    """
    Makes the session, and tells what came of it once.
    """

    protocol = _Sender
    noisy = False

    def lost(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        if not self.sendFinished:
            self.sendFinished = True
            self.result.errback(SMTPConnectError(-1, f"The connection was lost: {reason.getErrorMessage()}"))


async def deliver(
    reactor: Any, server: SmtpServer, sender: str, recipient: str, file: BinaryIO, taken: Callable[[], object]
) -> None:
    """
    Hand over one mail.

    Args:
        reactor: Time and connections.
        server: To whom.
        sender: The address of the envelope.
        recipient: The address it goes to.
        file: The mail, its lines ending in LF.
        taken: Called the moment the server says that it has taken the mail.

    Raises:
        NotSentError: The server refused, was not understood, or could not be reached.
    """
    try:
        await _deliver(reactor, server, sender, recipient, file, taken)
    except Exception as error:
        raise _not_sent(error) from error


async def _deliver(
    reactor: Any, server: SmtpServer, sender: str, recipient: str, file: BinaryIO, taken: Callable[[], object]
) -> None:
    context = None
    if server.use_tls:
        trust = None if server.authority is None else Certificate.loadPEM(server.authority)
        context = optionsForClientTLS(server.host, trust)
    at_once = context is not None and server.port == TLS_PORT
    result: Deferred[Any] = Deferred()
    make: Any = _Factory
    factory = make(
        server.username.encode() or None, server.password.encode() if server.username else None, sender, recipient,
        file, result, retries=0, timeout=ANSWER_SECONDS, contextFactory=None if at_once else context,
        requireAuthentication=bool(server.username), requireTransportSecurity=context is not None and not at_once,
    )
    # The first callback on it, so that nothing comes before.
    result.addCallback(lambda _: taken())
    endpoint: Any = HostnameEndpoint(reactor, server.host, server.port, timeout=CONNECT_SECONDS)
    if context is not None and at_once:
        endpoint = wrapClientTLS(context, endpoint)
    protocol = await endpoint.connect(factory)
    deadline = reactor.callLater(LONGEST_SECONDS, protocol.transport.abortConnection)
    try:
        await result
    finally:
        if deadline.active():
            deadline.cancel()
        if not factory.sendFinished:
            # Cancelled: we do not wait for it any more.
            protocol.transport.abortConnection()


def _not_sent(error: Exception) -> NotSentError:
    """
    Why a mail could not be sent, in one line, and whether it will ever be.
    """
    permanent = False
    if isinstance(error, SMTPClientError):
        said = error.resp
        if isinstance(error, SMTPDeliveryError):
            permanent = 500 <= error.code < 600 and error.code not in CONFIGURATION
            # What the server said of the recipient, instead of "No recipients accepted".
            results: Any = error.addresses
            said = b" ".join([answer for _, code, answer in results if code >= 300]) or said
        text = f"{error.code if error.code > 0 else ''} {said.decode('utf-8', 'replace')}"
    else:
        text = str(error) or type(error).__name__
    return NotSentError(" ".join(text.split())[:REASON], permanent)
