"""
One mail to one SMTP server (RFC 5321), over STARTTLS (RFC 3207), TLS from the first byte (RFC 8314), or neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Final

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.mail.smtp import ESMTPSender, ESMTPSenderFactory, SMTPClientError, SMTPConnectError, SMTPDeliveryError
from twisted.python.failure import Failure

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


@frozen
class SmtpServer:
    """
    Where mail goes.

    Attributes:
        host: Its name; the certificate must be for it.
        port: 465 for TLS from the first byte.
        username: As whom; empty when it does not ask.
        password: That user's.
        use_tls: Nothing goes unencrypted.
        authority: The certificate, PEM, that the server's must be signed by, instead of those that the machine trusts.
    """

    host: str
    port: int = 587
    username: str = ""
    password: str = field(default="", repr=False)
    use_tls: bool = True
    authority: bytes | None = None


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
        SMTPClientError: The server refused, or was not understood.
        Exception: It could not be reached.
    """
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


def reason_of(error: BaseException) -> str:
    """
    Why a mail could not be sent, in one line.
    """
    if isinstance(error, SMTPClientError):
        said = error.resp
        if isinstance(error, SMTPDeliveryError):
            # What the server said of the recipient, instead of "No recipients accepted".
            results: Any = error.addresses
            said = b" ".join([answer for _, code, answer in results if code >= 300]) or said
        text = f"{error.code if error.code > 0 else ''} {said.decode('utf-8', 'replace')}"
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())[:REASON]
