"""
Digest authentication of what phones send (RFC 3261 22, RFC 7616, RFC 8760).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen
from twisted.logger import Logger

from pbx.dialog.useragent import new_tag
from pbx.registrar.nonces import Nonces, Verdict
from pbx.sip.digest import Challenge, Credentials
from pbx.sip.message import ParseError, response_to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.internet.interfaces import IReactorTime

    from pbx.directory.directory import Directory
    from pbx.directory.extension import Extension
    from pbx.sip.message import Request
    from pbx.transaction.server_transaction import ServerTransaction
    from pbx.transport.guard import Guard

NOBODY = {"MD5": "0" * 32, "SHA-256": "0" * 64}
"""What an unknown user's answer is reckoned with, so that it takes as long as a known one's."""


@frozen
class AuthenticatorSettings:
    """
    How phones prove who they are.

    Attributes:
        algorithms: The digest algorithms offered, in order of preference.
        without_qop: Whether an answer in the form of RFC 2069, without qop, is taken. It is the same each time, so
            whoever overhears it may send it too, as long as the nonce lasts.
    """

    algorithms: Sequence[str] = ("MD5",)
    without_qop: bool = False


class Authenticator:
    """
    Tells which extension sent a request, or challenges it.

    Args:
        directory: The extensions with their H(A1).
        realm: The realm of this exchange, the same for its whole life.
        clock: The time by which nonces age.
        guard: Counts the failures.
        settings: The algorithms.
    """

    log = Logger()

    def __init__(
        self, directory: Directory, realm: str, clock: IReactorTime, guard: Guard, settings: AuthenticatorSettings
    ) -> None:
        self._directory = directory
        self._realm = realm
        # Who answers without qop has no count, and so sends the same answer as long as the nonce lasts.
        self._nonces = Nonces(clock, repeat_without_qop=settings.without_qop)
        self._guard = guard
        self._settings = settings
        self.challenged = 0
        self.failures = 0

    def reconfigure(self, settings: AuthenticatorSettings) -> None:
        """
        Ask otherwise from now on; who answers an algorithm that is not offered any more is asked anew.
        """
        self._settings = settings
        self._nonces.repeat_without_qop = settings.without_qop

    def identify(
        self, transaction: ServerTransaction, request: Request, also_disabled: Callable[[Request], bool] | None = None
    ) -> Extension | None:
        """
        Find out who sent a request.

        Args:
            transaction: The request's.
            request: The request.
            also_disabled: Asked whether an extension that was disabled is known by its credentials all the same, for
                this request alone; ``None`` for never.

        Returns:
            The extension; ``None`` when the request was challenged, which is done then.
        """
        address, port = transaction.flow.remote
        credentials = self._credentials(request)
        if credentials is None:
            self._challenge(transaction, request, stale=False)
            return None
        verdict = self._nonces.check(credentials, address)
        if verdict is not Verdict.FRESH:
            # Old, foreign or replayed: no look at the answer, and no failure (the phone asks again with the new one).
            self._challenge(transaction, request, stale=True)
            return None
        if self._guard.blocked(address, credentials.username):
            # It has guessed too often: from here not even the right password is told apart, nor by an emergency call.
            self._challenge(transaction, request, stale=False)
            return None
        extension = self._directory.extension(credentials.username)
        algorithm = credentials.algorithm
        known = None
        if extension is not None and (extension.enabled or (also_disabled is not None and also_disabled(request))):
            known = extension.digests.get(algorithm)
        # With the URI as sent: SIPp and some gateways write another one than the Request-URI.
        right = credentials.verifies(known or NOBODY[algorithm], request.method, request.body)
        if not right or known is None or extension is None:
            self.failures += 1
            self.log.warn(
                "authentication failed for user {user!r} from {address}:{port} ({method})",
                user=credentials.username[:64], address=address, port=port, method=request.method,
            )
            self._guard.failed(address, credentials.username)
            self._challenge(transaction, request, stale=False)
            return None
        self._nonces.used(credentials)
        self._guard.succeeded(address, credentials.username)
        transaction.authenticated()
        return extension

    def _credentials(self, request: Request) -> Credentials | None:
        """
        Read the credentials that are meant for our realm, in an algorithm and form that we take.
        """
        for name in ("Authorization", "Proxy-Authorization"):
            for value in request.headers.get_all(name):
                try:
                    credentials = Credentials.parse(value)
                except ParseError:
                    continue
                if (
                    credentials.realm == self._realm
                    and credentials.algorithm in self._settings.algorithms
                    # RFC 7616 3.4: only what was offered; auth-int was not.
                    and (credentials.qop == "auth" or (credentials.qop is None and self._settings.without_qop))
                ):
                    return credentials
        return None

    def _challenge(self, transaction: ServerTransaction, request: Request, *, stale: bool) -> None:
        self.challenged += 1
        nonce = self._nonces.make(transaction.flow.remote[0])
        response = response_to(request, 401, None, new_tag())
        for algorithm in self._settings.algorithms:
            challenge = Challenge(self._realm, nonce, algorithm, "auth", None, stale)
            response.headers.add("WWW-Authenticate", str(challenge))
        transaction.respond(response)
