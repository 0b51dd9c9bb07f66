"""
Tests for :mod:`pbx.ops.certificate`.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from twisted.trial.unittest import SynchronousTestCase

from pbx.ops.certificate import VALID, ForeignCertificateError, OwnCertificate, names_of
from pbx.transport.tls import ServerCertificate

NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


class OwnCertificateTests(SynchronousTestCase):
    """
    The pair of files, from nothing to renewal.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute() / "ssl"
        self.own = self.named("pbx.example.org")

    def named(self, name: str) -> OwnCertificate:
        """
        The pair of files for a server name.
        """
        return OwnCertificate(self.folder / "pbx.crt", self.folder / "pbx.key", name, ["192.0.2.10", "0.0.0.0"])  # noqa: S104

    def certificate(self) -> x509.Certificate:
        """
        The certificate in the file.
        """
        return x509.load_pem_x509_certificate(self.own.cert_file.read_bytes())

    def key(self) -> bytes:
        """
        The key in the file.
        """
        return self.own.key_file.read_bytes()

    def test_first(self) -> None:
        """
        The first start makes a pair for the server's name, the machine's addresses and loopback; the key is private.
        """
        self.assertTrue(self.own.ensure(NOW))
        names = {"pbx.example.org", "localhost", "192.0.2.10", "127.0.0.1", "::1"}
        self.assertEqual(names_of(self.certificate()), names)
        self.assertEqual(self.own.key_file.stat().st_mode & 0o777, 0o600)
        ServerCertificate(self.own.cert_file, self.own.key_file)

    def test_kept(self) -> None:
        """
        Later starts change nothing, but put the key's mode right.
        """
        self.own.ensure(NOW)
        before = self.own.cert_file.read_bytes(), self.key()
        self.own.key_file.chmod(0o644)
        self.assertFalse(self.own.ensure(NOW + dt.timedelta(days=300)))
        self.assertEqual((self.own.cert_file.read_bytes(), self.key()), before)
        self.assertEqual(self.own.key_file.stat().st_mode & 0o777, 0o600)

    def test_is_current(self) -> None:
        """
        Without a look at the key it is told whether the certificate bears its names, and lasts; one that is there is
        made anew with the same key.
        """
        self.assertFalse(self.own.is_current(NOW))
        self.own.ensure(NOW)
        key = self.key()
        self.own.key_file.chmod(0)
        self.assertTrue(self.own.is_current(NOW + dt.timedelta(days=300)))
        self.assertFalse(self.own.is_current(NOW + VALID))
        other = self.named("pbx.example.com")
        self.assertFalse(other.is_current(NOW))
        self.own.key_file.chmod(0o600)
        self.assertTrue(other.ensure(NOW, is_checked=True))
        self.assertTrue(other.is_current(NOW))
        self.assertEqual(self.key(), key)
        ServerCertificate(self.own.cert_file, self.own.key_file)

    def test_half_written(self) -> None:
        """
        Whatever a start that was cut short left behind, the next one ends with a pair that fits.
        """
        self.own.ensure(NOW)
        whole = self.key()
        for cut, name in ((b"", "pbx.crt"), (whole[:100], "pbx.key"), (None, "pbx.crt"), (None, "pbx.key")):
            path = self.folder / name
            path.unlink() if cut is None else path.write_bytes(cut)
            (self.folder / "pbx.key.new").write_bytes(b"left over")
            self.assertTrue(self.own.ensure(NOW))
            ServerCertificate(self.own.cert_file, self.own.key_file)

    def test_renewed(self) -> None:
        """
        Less than a month before its end it is made anew with the same key.
        """
        self.own.ensure(NOW)
        key = self.key()
        later = NOW + VALID - dt.timedelta(days=20)
        self.assertTrue(self.own.ensure(later))
        self.assertEqual(self.key(), key)
        self.assertEqual(self.certificate().not_valid_after_utc, later + VALID)

    def test_renamed(self) -> None:
        """
        Another server name means another certificate, with the same key.
        """
        self.own.ensure(NOW)
        key = self.key()
        self.assertTrue(self.named("tel.example.org").ensure(NOW))
        self.assertIn("tel.example.org", names_of(self.certificate()))
        self.assertEqual(self.key(), key)

    def test_another_address(self) -> None:
        """
        An address that is new gets a certificate that bears it, with the same key; one that went away changes nothing.
        """
        self.own.ensure(NOW)
        key = self.key()
        moved = attrs.evolve(self.own, addresses=("192.0.2.10", "2001:DB8:0::11"))
        self.assertTrue(moved.ensure(NOW))
        self.assertLess({"192.0.2.10", "2001:db8::11"}, names_of(self.certificate()))
        self.assertFalse(moved.ensure(NOW))
        self.assertFalse(self.own.ensure(NOW))
        self.assertEqual(self.key(), key)

    def test_of_an_authority(self) -> None:
        """
        A certificate that somebody else signed is never replaced; without its key that is an error.
        """
        self.own.ensure(NOW)
        authority = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        theirs = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(x509.Name.from_rfc4514_string("CN=Authority"))
            .public_key(self.certificate().public_key())
            .serial_number(1)
            .not_valid_before(NOW)
            .not_valid_after(NOW + dt.timedelta(days=1))
            .sign(authority, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )
        self.own.cert_file.write_bytes(theirs)
        self.assertFalse(self.own.ensure(NOW))
        self.own.key_file.unlink()
        error = self.assertRaises(ForeignCertificateError, self.own.ensure, NOW)
        self.assertIn("CN=Authority", str(error))
        self.assertEqual(self.own.cert_file.read_bytes(), theirs)

    def test_foreign_key(self) -> None:
        """
        An EC key is used; one with a passphrase or of another kind is never overwritten.
        """
        self.folder.mkdir(parents=True)
        locked = serialization.BestAvailableEncryption(b"secret")
        none = serialization.NoEncryption()
        elliptic = ec.generate_private_key(ec.SECP256R1())
        for key, encryption in ((elliptic, locked), (ed25519.Ed25519PrivateKey.generate(), none)):
            pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
            self.own.key_file.write_bytes(pem)
            self.assertRaises(ForeignCertificateError, self.own.ensure, NOW)
            self.assertEqual(self.key(), pem)
        pem = elliptic.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)
        self.own.key_file.write_bytes(pem)
        self.assertTrue(self.own.ensure(NOW))
        self.assertEqual(self.key(), pem)
        ServerCertificate(self.own.cert_file, self.own.key_file)
