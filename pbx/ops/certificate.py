"""
The certificate that the exchange makes for itself, until the operator brings a better one.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from typing import TYPE_CHECKING, TypeAlias

import attrs
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

VALID = dt.timedelta(days=825)
"""For how long: what Apple's systems accept at most."""

RENEWED = dt.timedelta(days=30)
"""How long before its end a certificate of ours is made anew."""

Key: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
"""What phones understand; we make RSA, which the oldest of them do too."""

LOCAL_NAMES = ("localhost",)
LOCAL_ADDRESSES = ("127.0.0.1", "::1")


class ForeignCertificateError(Exception):
    """
    Files stand in the way that the exchange did not make, and that it therefore leaves alone.
    """


@attrs.frozen
class OwnCertificate:
    """
    A self-signed certificate and its key as two files (RFC 5280, PEM).

    Attributes:
        cert_file: The certificate.
        key_file: Its private key, readable by its owner only.
        server_name: The host name it stands for.
        addresses: By which addresses it is reached besides; ``0.0.0.0`` and ``::`` are none.
    """

    cert_file: Path
    key_file: Path
    server_name: str
    addresses: Sequence[str] = ()

    log = Logger()

    def is_current(self, now: dt.datetime) -> bool:
        """
        Whether the certificate that is there needs nothing, as far as it can be told without its key, which takes long
        to look at.

        Args:
            now: The wall clock's time, with its zone.
        """
        certificate = _certificate(self.cert_file)
        return certificate is not None and (not _is_self_signed(certificate) or self._fits(certificate, now))

    def ensure(self, now: dt.datetime, *, is_checked: bool = False) -> bool:
        """
        Make what is missing, half-written, without a name or address it should bear, or about to end. The key is kept
        where it can be.

        Making a key takes a tenth of a second or two, and so does to check one: this is for the start, not for the
        running exchange, but where :meth:`is_current` says so and the key has been checked.

        Args:
            now: The wall clock's time, with its zone.
            is_checked: Whether it is known that the key is whole and the certificate's.

        Returns:
            Whether anything was written.

        Raises:
            ForeignCertificateError: The certificate was signed by somebody else and its key is missing, or the key
            there cannot be used.
            OSError: The files cannot be written.
        """
        certificate, key = _certificate(self.cert_file), _key(self.key_file, is_checked)
        if certificate is not None and not _is_self_signed(certificate):
            if key is None or key.public_key() != certificate.public_key():
                raise ForeignCertificateError(
                    f"{self.cert_file} was issued by {certificate.issuer.rfc4514_string()}, but {self.key_file} does "
                    "not hold its key.\nPut the key there, or remove both files to have a self-signed pair made."
                )
            return False
        if certificate is not None and key is not None and self._serves(certificate, key, now):
            self.key_file.chmod(0o600)
            return False
        if key is None:
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            pem = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            _write(self.key_file, pem, 0o600)
        self.key_file.chmod(0o600)
        made = self._signed(key, now)
        _write(self.cert_file, made.public_bytes(serialization.Encoding.PEM), 0o644)
        self.log.info("A certificate for {name} was made: {file}", name=self.server_name, file=str(self.cert_file))
        return True

    def _serves(self, certificate: x509.Certificate, key: Key, now: dt.datetime) -> bool:
        return certificate.public_key() == key.public_key() and self._fits(certificate, now)

    def _fits(self, certificate: x509.Certificate, now: dt.datetime) -> bool:
        if certificate.not_valid_after_utc < now + RENEWED:
            return False
        wanted = x509.SubjectAlternativeName(self._alternatives())
        return _texts(wanted) <= names_of(certificate)

    def _signed(self, key: Key, now: dt.datetime) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.server_name[:64])])
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            # A phone whose clock is a little behind accepts it too.
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + VALID)
            .add_extension(x509.SubjectAlternativeName(self._alternatives()), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(key, hashes.SHA256())
        )

    def _alternatives(self) -> list[x509.GeneralName]:
        """
        What the certificate stands for (RFC 5280 4.2.1.6, RFC 5922 7.1), each once.
        """
        found: dict[object, x509.GeneralName] = {}
        for text in (self.server_name, *self.addresses, *LOCAL_NAMES, *LOCAL_ADDRESSES):
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                found.setdefault(text.lower(), x509.DNSName(text))
            else:
                if not address.is_unspecified:
                    found.setdefault(address, x509.IPAddress(address))
        return list(found.values())


def names_of(certificate: x509.Certificate) -> set[str]:
    """
    The host names and addresses that a certificate stands for, in small letters.
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return _texts(extension)


def _texts(names: x509.SubjectAlternativeName) -> set[str]:
    hosts: Iterable[str] = names.get_values_for_type(x509.DNSName)
    addresses = names.get_values_for_type(x509.IPAddress)
    return {host.lower() for host in hosts} | {str(address) for address in addresses}


def _certificate(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _key(path: Path, is_checked: bool = False) -> Key | None:
    """
    The key in a file, or ``None`` when there is no whole one.

    Args:
        path: The file.
        is_checked: Whether the numbers of an RSA key need not be looked at once more, which stops the process for a
            seventh of a second.

    Raises:
        ForeignCertificateError: It is whole, but of no use to us: somebody else put it there.
    """
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None, unsafe_skip_rsa_key_validation=is_checked)
    except (FileNotFoundError, ValueError):
        return None
    except TypeError:
        raise ForeignCertificateError(f"{path} needs a passphrase; the exchange takes keys without.")
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ForeignCertificateError(f"{path} is neither an RSA nor an EC key, which phones could not use.")
    return key


def _is_self_signed(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _write(path: Path, content: bytes, mode: int) -> None:
    """
    Write a file so that it is there as a whole or not at all, and never readable to others for a moment.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    half = path.with_name(path.name + ".new")
    half.unlink(missing_ok=True)
    with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123 - with its mode
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.rename(path)
