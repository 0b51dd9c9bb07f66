"""
TLS: our certificate, which can be exchanged while connections are open, and how we check that of others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.internet.ssl import CertificateOptions, TLSVersion, optionsForClientTLS
from zope.interface import implementer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from twisted.protocols.tls import TLSMemoryBIOProtocol

BEGIN = b"-----BEGIN CERTIFICATE-----"


class CertificateError(Exception):
    """
    A certificate or key that cannot be used, and why, in words for the operator.
    """


@implementer(IOpenSSLServerConnectionCreator)
class ServerCertificate:
    """
    The certificate we show to whoever connects, with its key; TLS 1.2 or newer.

    It serves SIP and the web alike. Connections made after another was put in place (:meth:`prepare`) get that one,
    those there are go on with the one they began with.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        """
        A certificate from two files.

        Args:
            certificate: PEM, our own certificate first, then those between it and the authority.
            key: PEM, without a passphrase.

        Raises:
            CertificateError: Names the file that cannot be read or does not fit.
        """
        self._context = _load(certificate, key)

    def prepare(self, certificate: Path, key: Path) -> Callable[[], None]:
        """
        Read a certificate that takes the place of this one, from the same files or from others.

        Args:
            certificate: PEM, as at the beginning.
            key: Its key.

        Returns:
            What puts it in place, which cannot fail.

        Raises:
            CertificateError: The one in use is kept.
        """
        context = _load(certificate, key)

        def put() -> None:
            self._context = context

        return put

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802  # Twisted calls it
        """
        The TLS state of one connection.
        """
        return SSL.Connection(self._context, None)


@implementer(IOpenSSLClientConnectionCreator)
class UncheckedClient:
    """
    The TLS state of connections to a peer whose certificate the operator chose not to check.
    """

    def __init__(self, name: str) -> None:
        """
        Connections to one peer.

        Args:
            name: The server name to ask for; empty for none.
        """
        self._name = name
        self._context: SSL.Context = CertificateOptions(insecurelyLowerMinimumTo=TLSVersion.TLSv1_2).getContext()

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802  # Twisted calls it
        """
        The TLS state of one connection.
        """
        connection = SSL.Connection(self._context, None)
        if self._name:
            connection.set_tlsext_host_name(self._name.encode("idna"))
        return connection


def client_options(name: str, host: str, *, verify: bool, trust_root: Any = None) -> Any:
    """
    How the certificate of a server that we connect to is checked.

    Args:
        name: The name the certificate must bear; empty when only the address is known (RFC 5922 7.1).
        host: The address, which the certificate must bear when there is no name.
        verify: Whether it is checked at all.
        trust_root: Whom to trust, as for ``optionsForClientTLS``; the system's authorities when ``None``.

    Returns:
        A provider of ``IOpenSSLClientConnectionCreator``.
    """
    if not verify:
        return UncheckedClient(name)
    return optionsForClientTLS(
        name or host, trustRoot=trust_root, extraCertificateOptions={"insecurelyLowerMinimumTo": TLSVersion.TLSv1_2}
    )


def _load(certificate_path: Path, key_path: Path) -> SSL.Context:
    pem = _read(certificate_path)
    try:
        chain = [crypto.load_certificate(crypto.FILETYPE_PEM, BEGIN + part) for part in pem.split(BEGIN)[1:]]
    except (crypto.Error, ValueError) as error:
        raise CertificateError(f"{certificate_path}: not a PEM certificate") from error
    if not chain:
        raise CertificateError(f"{certificate_path}: holds no PEM certificate")
    try:
        key = crypto.load_privatekey(crypto.FILETYPE_PEM, _read(key_path), b"")
    except (crypto.Error, ValueError, TypeError) as error:
        raise CertificateError(f"{key_path}: not a PEM private key without passphrase") from error
    options = CertificateOptions(
        privateKey=key,
        certificate=chain[0],
        extraCertChain=chain[1:],
        insecurelyLowerMinimumTo=TLSVersion.TLSv1_2,
    )
    try:
        context: SSL.Context = options.getContext()
    except SSL.Error as error:
        raise CertificateError(f"{key_path}: not the key of {certificate_path}") from error
    return context


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"{path}: {error.strerror}") from error
