"""
Tests for :mod:`pbx.transport.tls`, and for TLS connections on the network in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.transport.flow import Flow, FlowClosed
from pbx.transport.resolver import Target
from pbx.transport.tls import CertificateError, ServerCertificate, UncheckedClient
from tests.transport.certificates import make, serial, trust, write
from tests.transport.rig import PBX, PHONE, Rig, StreamPhone, request
from tests.transport.trunk import Trunk


class CertificateTests(SynchronousTestCase):
    """
    The certificate we show.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.paths = write(self.folder, "pbx.example")

    def test_interfaces(self) -> None:
        """
        Both sides' TLS states come from what Twisted asks for.
        """
        verifyObject(IOpenSSLServerConnectionCreator, ServerCertificate(*self.paths))
        verifyObject(IOpenSSLClientConnectionCreator, UncheckedClient("x"))

    def test_oldest_version(self) -> None:
        """
        Nothing below TLS 1.2 is spoken, even where OpenSSL itself would, as a server and as a client.
        """
        contexts = (ServerCertificate(*self.paths)._context, UncheckedClient("x")._context)
        for options in (context.set_options(0) for context in contexts):
            self.assertTrue(options & SSL.OP_NO_TLSv1)
            self.assertTrue(options & SSL.OP_NO_TLSv1_1)
            self.assertFalse(options & SSL.OP_NO_TLSv1_2)
            self.assertFalse(options & SSL.OP_NO_TLSv1_3)

    def test_bad_files(self) -> None:
        """
        What cannot be used is an error that names the file.
        """
        certificate, key = self.paths
        other = self.folder / "other.key"
        other.write_bytes(make("other.example")[1])
        garbage = self.folder / "garbage"
        garbage.write_bytes(b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
        for files, word in [
            ((self.folder / "none", key), "none: No such file"),
            ((key, key), "pbx.key: holds no PEM certificate"),
            ((garbage, key), "garbage: not a PEM certificate"),
            ((certificate, certificate), "pbx.crt: not a PEM private key"),
            ((certificate, other), "other.key: not the key of"),
        ]:
            error = self.assertRaises(CertificateError, ServerCertificate, *files)
            self.assertIn(word, str(error))

    def test_a_failed_reload_keeps_the_old(self) -> None:
        """
        When the new files cannot be used the certificate in use stays.
        """
        certificate = ServerCertificate(*self.paths)
        context = certificate._context
        self.paths[0].write_bytes(b"")
        self.assertRaises(CertificateError, certificate.prepare, *self.paths)
        self.assertIs(certificate._context, context)

    def test_prepare(self) -> None:
        """
        Other files are read at once, and shown only when they are put in place.
        """
        certificate = ServerCertificate(*self.paths)
        context = certificate._context
        moved = write(self.folder / "moved", "pbx.example", 2)
        put = certificate.prepare(*moved)
        self.assertIs(certificate._context, context)
        put()
        self.assertIsNot(certificate._context, context)


class AcceptTests(SynchronousTestCase):
    """
    Phones that come over TLS.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.certificate = ServerCertificate(*write(self.folder, "pbx.example"))
        self.rig = Rig(tls=self.certificate, tls_port=5061)
        self.addCleanup(self.rig.stop, self)

    def phone(self, **options: Any) -> StreamPhone:
        """
        A phone connected over TLS.
        """
        creator = CertificateOptions(**options)
        return self.rig.stream_phone(
            port=5061, wrap=lambda factory: TLSMemoryBIOFactory(creator, True, factory, clock=self.rig.clock)
        )

    def test_request(self) -> None:
        """
        A request over TLS is handed on with its flow, and answered over it.
        """
        phone = self.phone()
        phone.say(request(via="TLS 192.168.1.9:5061"))
        self.rig.advance()
        flow = self.rig.receiver.flow
        self.assertEqual((flow.transport, flow.reliable), ("TLS", True))
        self.assertEqual((flow.local, flow.sent_by), ((PBX, 5061), (PBX, 5061)))
        self.assertTrue(flow.name.startswith(f"tls:{PBX}:5061>{PHONE}:"))
        flow.send(b"answer")
        self.rig.advance()
        self.assertEqual(phone.heard, b"answer")
        self.assertIn(("TLS", PBX, 5061), self.rig.layer.sockets)

    def test_swap(self) -> None:
        """
        After a reload new connections get the new certificate, and open ones go on.
        """
        old = self.phone()
        self.certificate.prepare(*write(self.folder, "pbx.example", 2))()
        new = self.phone()
        transports: list[Any] = [old.transport, new.transport]
        self.assertEqual([serial(transport.getHandle()) for transport in transports], [1, 2])
        for phone in (old, new):
            phone.say(request(via="TLS 192.168.1.9:5061"))
        self.rig.advance()
        self.assertEqual(len(self.rig.receiver.got), 2)

    def test_old_versions(self) -> None:
        """
        TLS below 1.2 is refused.
        """
        old = self.phone(insecurelyLowerMinimumTo=TLSVersion.TLSv1_0, lowerMaximumSecurityTo=TLSVersion.TLSv1_1)
        self.rig.advance()
        self.assertIsNotNone(old.ended_at)
        self.assertIsInstance(old.reason.value, SSL.Error)
        self.assertIsNone(self.phone(lowerMaximumSecurityTo=TLSVersion.TLSv1_2).ended_at)

    def test_no_handshake(self) -> None:
        """
        Whoever connects and does not speak TLS, or says nothing at all, is gone after 30 s.
        """
        silent = self.rig.stream_phone(port=5061)
        plain = self.rig.stream_phone(port=5061)
        plain.say(request())
        self.rig.advance()
        self.assertIsNotNone(plain.ended_at)
        self.rig.advance(30)
        self.assertIsNotNone(silent.ended_at)
        self.assertEqual(len(self.rig.layer.connections), 0)

    def test_refused(self) -> None:
        """
        An address with too many connections is refused before any TLS.
        """
        rig = Rig(tls=self.certificate, tls_port=5061, max_connections_per_address=1)
        self.addCleanup(rig.stop, self)
        first, second = rig.stream_phone(port=5061), rig.stream_phone(port=5061)
        self.assertEqual((first.ended_at is None, second.ended_at is None), (True, False))

    def test_close_with_a_silent_peer(self) -> None:
        """
        A peer that never answers the end of TLS does not keep its connection open.
        """
        phone = self.phone()
        phone.say(request(via="TLS 192.168.1.9:5061"))
        self.rig.advance()
        transport: Any = phone.transport
        transport.transport.pauseProducing()
        done = self.rig.layer.stop()
        self.rig.advance(1)
        self.assertNoResult(done)
        self.rig.advance(2)
        self.successResultOf(done)
        transport.transport.resumeProducing()


class OpenTests(SynchronousTestCase):
    """
    TLS connections that we make.
    """

    def setUp(self) -> None:
        certificate = ServerCertificate(*write(Path(self.mktemp()), "carrier.example"))
        self.rig = Rig(trust_root=trust("carrier.example"))
        self.addCleanup(self.rig.stop, self)
        self.trunk = Trunk(
            self.rig.network, "10.0.0.5", 5061,
            wrap=lambda factory: TLSMemoryBIOFactory(certificate, False, factory, clock=self.rig.clock),
        )  # fmt: skip

    def open(self, name: str = "", **options: Any) -> Deferred[Flow]:
        """
        A connection under way, and some time.
        """
        done: Deferred[Flow] = Deferred.fromCoroutine(
            self.rig.layer.open(Target("TLS", "10.0.0.5", 5061, name, **options))
        )
        self.rig.advance(0.5)
        return done

    def test_by_name_or_address(self) -> None:
        """
        A server whose certificate bears the name, or the address when there is no name, is spoken with.
        """
        for name in ("carrier.example", ""):
            flow = self.successResultOf(self.open(name))
            flow.send(b"hello")
            self.rig.advance()
            self.assertEqual(self.trunk.connections[-1].heard, b"hello")
            self.assertIs(self.successResultOf(self.open(name)), flow)
        self.assertEqual(len(self.trunk.connections), 2)

    def test_another_name(self) -> None:
        """
        A certificate for another name, or one that nobody vouches for, is refused, and nothing was sent.
        """
        error = self.failureResultOf(self.open("other.example"), FlowClosed).value
        self.assertIn("tls:10.0.0.5:5061", str(error))
        self.rig.layer.connections._trust_root = trust("stranger.example")
        self.failureResultOf(self.open("carrier.example"), FlowClosed)
        self.assertEqual([connection.heard for connection in self.trunk.connections], [b"", b""])
        self.assertEqual(len(self.rig.layer.connections), 0)

    def test_unchecked(self) -> None:
        """
        Where the operator says so no certificate is checked; such a connection serves nobody who wants a checked one.
        """
        flow = self.successResultOf(self.open("other.example", verify=False))
        self.assertFalse(flow.closed)
        self.failureResultOf(self.open("other.example"), FlowClosed)

    def test_no_tls_there(self) -> None:
        """
        A server that never speaks TLS is given up after five seconds.
        """
        Trunk(self.rig.network, "10.0.0.6", 5061)
        done = Deferred.fromCoroutine(self.rig.layer.open(Target("TLS", "10.0.0.6", 5061)))
        self.rig.advance(4)
        self.assertNoResult(done)
        self.rig.advance(2)
        self.failureResultOf(done, FlowClosed)
