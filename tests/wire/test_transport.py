"""
The transport layer on real sockets: what a network in memory cannot show.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor  # noqa: TID251  # real sockets need the real one
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from pbx.transport.guard import Guard, GuardSettings
from pbx.transport.interfaces import KernelInterfaces
from pbx.transport.layer import ListenError, TransportLayer
from pbx.transport.settings import TransportSettings
from pbx.transport.tls import ServerCertificate
from pbx.transport.trace import NoTrace
from tests.transport.certificates import write
from tests.transport.rig import Receiver, request
from tests.wire.ports import free_ports

reactor: Any = _reactor

CS3 = 24 << 2
"""The type-of-service byte of SIP packets (RFC 4594 4.2)."""


class Echo(Receiver):
    """
    Sends each message back.
    """

    def message_received(self, message: Any, flow: Any) -> None:
        super().message_received(message, flow)
        flow.send(message.to_bytes())


class WireTests(TestCase):
    """
    Sockets of the kernel's.
    """

    timeout = 30

    def layer(self, tls: ServerCertificate | None = None, **settings: Any) -> TransportLayer:
        """
        A layer that echoes, on free ports of loopback unless told otherwise.
        """
        # Free for UDP and TCP alike: a port that the kernel picks for the one may be taken for the other.
        first = free_ports(2)
        chosen = {"sip_hosts": ("127.0.0.1",), "sip_port": first, "tls_port": first + 1, **settings}
        guard = Guard(reactor, GuardSettings())
        layer = TransportLayer(reactor, TransportSettings(**chosen), guard, NoTrace(), tls)
        layer.receiver = Echo()
        layer.start()
        self.addCleanup(layer.stop)
        return layer

    def port(self, layer: TransportLayer, kind: str) -> int:
        """
        Where the layer listens.
        """
        return next(port for one, _, port in layer.sockets if one == kind)

    async def ask(self, client: socket.socket, data: bytes) -> bytes:
        """
        Send to the layer, and what comes back.
        """
        client.settimeout(5)
        await deferToThread(client.sendall, data)
        return await deferToThread(client.recv, 65_535)

    def udp(self, layer: TransportLayer, host: str = "127.0.0.1") -> socket.socket:
        """
        A phone's UDP socket.
        """
        client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(client.close)
        client.connect((host, self.port(layer, "UDP")))
        return client

    def tcp(self, port: int) -> socket.socket:
        """
        A phone's TCP socket.
        """
        client = socket.create_connection(("127.0.0.1", port))
        self.addCleanup(client.close)
        return client

    async def test_datagrams(self) -> None:
        """
        Over IPv4 and IPv6 a request is stamped with where it came from and answered, marked CS3, and SO_REUSEADDR is
        not set.
        """
        for host in ("127.0.0.1", "::1"):
            layer = self.layer(sip_hosts=(host,))
            client = self.udp(layer, host)
            answer = await self.ask(client, request())
            name, port = client.getsockname()[:2]
            for stamp in (f";received={name}", f";rport={port}"):
                self.assertIn(stamp.encode(), answer)
            raw = layer._udp[host]._port.socket
            option = (socket.IPPROTO_IPV6, socket.IPV6_TCLASS) if ":" in host else (socket.IPPROTO_IP, socket.IP_TOS)
            self.assertEqual(raw.getsockopt(*option), CS3)
            self.assertEqual(raw.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR), 0)

    async def test_largest_datagram(self) -> None:
        """
        A message that just fits into a datagram arrives whole and goes back whole; what does not fit counts as lost.
        """
        layer = self.layer()
        client = self.udp(layer)
        data = request().replace(b"Content-Length: 0", b"Content-Length: 65000")
        body = bytes(65_000)
        answer = await self.ask(client, data + body)
        self.assertTrue(answer.endswith(body))
        layer.udp_flow(client.getsockname()).send(bytes(70_000))
        self.assertEqual(layer._udp["127.0.0.1"].failures, 1)

    async def test_nobody_there(self) -> None:
        """
        Sending to a closed port, or where there is no route, harms nobody.
        """
        layer = self.layer()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            address = gone.getsockname()
        for remote in (address, address, ("203.0.113.1", 5060)):
            layer.udp_flow(remote).send(b"hello")
        await deferLater(reactor, 0.05)
        self.assertIn(b"OPTIONS", await self.ask(self.udp(layer), request()))

    async def test_second_start(self) -> None:
        """
        A second PBX on the same port fails at once, over UDP as over TCP, and says where.
        """
        port = self.port(self.layer(), "UDP")
        error = self.assertRaises(ListenError, self.layer, sip_port=port)
        self.assertIn(f"UDP 127.0.0.1:{port}: the port is taken", str(error))
        other = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(other.close)
        port = other.getsockname()[1]
        error = self.assertRaises(ListenError, self.layer, sip_port=port)
        self.assertIn(f"TCP 127.0.0.1:{port}: the port is taken", str(error))
        error = self.assertRaises(ListenError, self.layer, sip_hosts=("203.0.113.1",), sip_port=5070)
        self.assertIn("UDP 203.0.113.1:5070: this is not an address of this machine", str(error))

    async def test_every_address(self) -> None:
        """
        0.0.0.0 and :: become a socket on each address the kernel tells.
        """
        layer = self.layer(sip_hosts=("0.0.0.0", "::"))  # noqa: S104
        addresses = KernelInterfaces().local_addresses()
        self.assertIn("127.0.0.1", addresses)
        self.assertEqual({host for _, host, _ in layer.sockets}, set(addresses))
        self.assertEqual(KernelInterfaces().source_for("127.0.0.5"), "127.0.0.1")

    async def test_connection(self) -> None:
        """
        A message over TCP is answered on its connection, which is marked CS3 and has the kernel watch its peer.
        """
        layer = self.layer()
        client = self.tcp(self.port(layer, "TCP"))
        answer = await self.ask(client, request(via="TCP 127.0.0.1:9"))
        self.assertIn(f";rport={client.getsockname()[1]}".encode(), answer)
        (protocol,) = layer.connections._accepted
        raw: Any = protocol.transport.getHandle()  # type: ignore[union-attr]
        self.assertEqual(raw.getsockopt(socket.IPPROTO_IP, socket.IP_TOS), CS3)
        self.assertEqual(raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1)
        self.assertEqual(raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), 60)
        self.assertEqual(raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), 1)

    async def test_idle_crowd(self) -> None:
        """
        Hundreds of connections that say nothing are closed in time while a phone is served.
        """
        layer = self.layer(idle_timeout=1.0)
        crowd = [self.tcp(self.port(layer, "TCP")) for _ in range(300)]
        client = self.udp(layer)
        for _ in range(15):
            self.assertIn(b"OPTIONS", await self.ask(client, request()))
            await deferLater(reactor, 0.1)
        self.assertEqual(len(layer.connections), 0)
        for one in crowd:
            one.setblocking(False)
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(one.recv(1), b"")

    async def test_certificate_swap(self) -> None:
        """
        After a reload a new TLS connection is shown the new certificate, and the open one goes on.
        """
        folder = Path(self.mktemp())
        paths = write(folder, "pbx.example", 1, "127.0.0.1")
        certificate = ServerCertificate(*paths)
        layer = self.layer(certificate)
        port = self.port(layer, "TLS")

        def connect() -> ssl.SSLSocket:
            context = ssl.create_default_context(cafile=str(paths[0]))
            client = context.wrap_socket(self.tcp(port), server_hostname="pbx.example")
            self.addCleanup(client.close)
            return client

        def number(client: ssl.SSLSocket) -> int:
            shown: Any = client.getpeercert()
            return int(shown["serialNumber"], 16)

        first = await deferToThread(connect)
        certificate.prepare(*write(folder, "pbx.example", 2, "127.0.0.1"))()
        second = await deferToThread(connect)
        self.assertEqual([number(first), number(second)], [1, 2])
        for client in (first, second):
            self.assertIn(b"OPTIONS", await self.ask(client, request(via="TLS 127.0.0.1:9")))

    async def test_old_tls(self) -> None:
        """
        TLS 1.1 is refused.
        """
        certificate = ServerCertificate(*write(Path(self.mktemp()), "pbx.example", 1, "127.0.0.1"))
        layer = self.layer(certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        raw = self.tcp(self.port(layer, "TLS"))
        with self.assertRaises(ssl.SSLError):
            await deferToThread(context.wrap_socket, raw)

    async def test_stop(self) -> None:
        """
        At stop phones see their connections end, and the port is free at once.
        """
        layer = self.layer()
        port = self.port(layer, "TCP")
        client = self.tcp(port)
        await self.ask(client, request(via="TCP 127.0.0.1:9"))
        stopped: Deferred[None] = layer.stop()
        await stopped
        self.assertEqual(await deferToThread(client.recv, 1), b"")
        self.layer(sip_port=port)
