"""
Certificates for tests, made once a run.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import crypto
from twisted.internet.ssl import Certificate, trustRootFromCertificates

if TYPE_CHECKING:
    from pathlib import Path


@cache
def make(name: str, serial: int = 1, address: str = "10.0.0.5") -> tuple[bytes, bytes]:
    """
    A self-signed certificate for a name and an address, and its key, both PEM.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=10))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address(address))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write(folder: Path, name: str, serial: int = 1, address: str = "10.0.0.5") -> tuple[Path, Path]:
    """
    A certificate and its key in files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "pbx.crt", folder / "pbx.key"
    for path, pem in zip(paths, make(name, serial, address), strict=True):
        path.write_bytes(pem)
    return paths


def trust(*names: str, address: str = "10.0.0.5") -> Any:
    """
    Trust in the certificates of these names, and in no others.
    """
    return trustRootFromCertificates([Certificate.loadPEM(make(name, 1, address)[0]) for name in names])


def serial(connection: Any) -> int:
    """
    The serial number of the certificate that the peer of a TLS connection showed.
    """
    certificate: crypto.X509 = connection.get_peer_certificate()
    return certificate.get_serial_number()
