"""
Tests for :mod:`pbx.web.local_operator`, on real loopback sockets.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from zope.interface.verify import verifyObject

from pbx.web.identity import IIdentity
from pbx.web.local_operator import LocalOperator, Owner, account, is_loopback_host, socket_owner, unmapped

OTHER = 65534 if os.getuid() == 0 else None
"""Another user, where we may act as one; else it is another process of our own."""


def connected(family: int, host: str) -> tuple[socket.socket, socket.socket]:
    """
    Both ends of a loopback connection: the client's and the server's.
    """
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.bind((host, 0))
        listening.listen()
        client = socket.create_connection(listening.getsockname()[:2])
        return client, listening.accept()[0]


class SocketOwnerTests(SynchronousTestCase):
    """
    What the kernel says of a socket.
    """

    def ends(self, family: int = socket.AF_INET, host: str = "127.0.0.1") -> tuple[socket.socket, socket.socket]:
        """
        A connection that is closed after the test.
        """
        pair = connected(family, host)
        for each in pair:
            self.addCleanup(each.close)
        return pair

    def owner(self, client: tuple[Any, ...], server: tuple[Any, ...]) -> Owner | None:
        """
        Whose the client's end is.
        """
        return socket_owner((unmapped(client[0]), client[1]), (unmapped(server[0]), server[1]))

    def test_own(self) -> None:
        """
        Our own socket is ours, over IPv4, over IPv6, and over IPv4 to a server that listens on both.
        """
        both = (socket.AF_INET6, "::ffff:127.0.0.1")
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), both):
            client, server = self.ends(family, host)
            owner = self.owner(server.getpeername(), server.getsockname())
            self.assertIsNotNone(owner, host)
            self.assertEqual((owner.uid, owner.inode), (os.getuid(), os.fstat(client.fileno()).st_ino), host)
            self.assertTrue(owner.is_certain)

    def test_another_user(self) -> None:
        """
        The socket of another user's process is that user's.
        """
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            port = listening.getsockname()[1]
            script = f"exec 3<>/dev/tcp/127.0.0.1/{port}; read -u 3"
            other = subprocess.Popen(["bash", "-c", script], user=OTHER)  # noqa: S603, S607 - a fixed command
            self.addCleanup(other.wait)
            server, _ = listening.accept()
            self.addCleanup(server.close)
            owner = self.owner(server.getpeername(), server.getsockname())
        self.assertEqual((owner.uid, owner.is_certain), (os.getuid() if OTHER is None else OTHER, True))

    def test_orphan(self) -> None:
        """
        The socket of a client that sent and closed is nobody's any more, although its uid would read as root's.
        """
        client, server = self.ends()
        ends = server.getpeername(), server.getsockname()
        client.sendall(b"GET /api/extensions HTTP/1.1\r\n")
        client.close()
        owner = self.owner(*ends)
        self.assertFalse(owner is not None and owner.is_certain, owner)

    def test_no_such_socket(self) -> None:
        """
        For a connection that does not exist there is no owner.
        """
        self.assertIsNone(socket_owner(("127.0.0.1", 1), ("127.0.0.1", 2)))

    def test_certain(self) -> None:
        """
        Only an established socket with an inode counts.
        """
        self.assertTrue(Owner(0, 5, 1).is_certain)
        self.assertFalse(Owner(0, 0, 1).is_certain)
        self.assertFalse(Owner(0, 5, 4).is_certain)


class HostTests(SynchronousTestCase):
    """
    Names of this machine.
    """

    def test_loopback(self) -> None:
        """
        Loopback names with or without a port are; all others, and what only looks so, are not.
        """
        for value in ("localhost", "localhost:8080", "LOCALHOST.", "127.0.0.1:8080", "127.1.2.3", "[::1]:80", "[::1]"):
            self.assertTrue(is_loopback_host(value), value)
        others = ("pbx.example.org", "localhost.example.org:8080", "192.0.2.1", "[2001:db8::1]:1", "", "::1:x", "a:b:c")
        for value in others:
            self.assertFalse(is_loopback_host(value), value)

    def test_account(self) -> None:
        """
        Users have names; a uid without one is its number, and no administrator.
        """
        self.assertEqual(account(0)[0], "root")
        self.assertEqual(account(4_000_000), ("4000000", False))


@attrs.define
class FakeRequest:
    """
    A request on a real connection.
    """

    server: socket.socket
    requestHeaders: Headers  # noqa: N815 - Twisted's name

    def getClientAddress(self) -> Any:  # noqa: N802
        """
        The other end.
        """
        return attrs.make_class("Address", ["host", "port"])(*self.server.getpeername()[:2])

    def getHost(self) -> Any:
        """
        Our end.
        """
        return attrs.make_class("Address", ["host", "port"])(*self.server.getsockname()[:2])


class LocalOperatorTests(SynchronousTestCase):
    """
    Who counts as the local operator.
    """

    def setUp(self) -> None:
        self.client, self.server = connected(socket.AF_INET, "127.0.0.1")
        self.addCleanup(self.client.close)
        self.addCleanup(self.server.close)

    def who(self, headers: dict[str, str] | None = None, own_uid: int = 4_000_000, **accounts: bool) -> str | None:
        """
        The name by which a request is known, on our own connection.
        """
        names = {os.getuid(): ("ada", accounts.get("is_admin", False))}
        operator = LocalOperator(lambda call, uid: succeed(call(uid)), names.__getitem__, own_uid)
        lines = {"Host": "localhost:8080", **(headers or {})}
        request = FakeRequest(self.server, Headers({name: [value] for name, value in lines.items()}))
        return self.successResultOf(Deferred.fromCoroutine(operator.who(request)))

    def as_user(self, uid: int) -> None:
        """
        Let the kernel say that the connection is another user's.
        """
        self.patch(sys.modules["pbx.web.local_operator"], "socket_owner", lambda *_: Owner(uid, 5, 1))

    def test_interface(self) -> None:
        """
        It is a way to know who asks.
        """
        verifyObject(IIdentity, LocalOperator(lambda call, uid: succeed(call(uid))))

    def test_ours(self) -> None:
        """
        The exchange's own user is the local operator.
        """
        self.assertEqual(self.who(own_uid=os.getuid()), "local:ada")

    def test_members(self) -> None:
        """
        Any other user is by being in the group only; root always.
        """
        uid = os.getuid()
        self.patch(os, "getuid", lambda: 1234)
        self.as_user(1234)
        self.assertIsNone(self.who())
        self.assertEqual(self.who(is_admin=True), "local:ada")
        self.patch(os, "getuid", lambda: 0)
        self.as_user(0)
        self.assertEqual(self.who(), "local:ada")
        self.patch(os, "getuid", lambda: uid)

    def test_browser(self) -> None:
        """
        What a browser sends never is, whoever started it; nor what comes through a proxy or for another host.
        """
        own = os.getuid()
        for name, value in (
            ("Origin", "https://evil.example"),
            ("Origin", "null"),
            ("Referer", "https://localhost:8080/"),
            ("Cookie", "a=b"),
            ("Sec-Fetch-Site", "none"),
            ("Sec-Fetch-Storage-Access", "none"),
            ("X-Forwarded-For", "192.0.2.1"),
            ("Forwarded", "for=192.0.2.1"),
            ("Host", "rebound.example:8080"),
        ):
            self.assertIsNone(self.who({name: value}, own_uid=own), name)

    def test_orphan(self) -> None:
        """
        A client that has closed already is not.
        """
        self.client.close()
        self.assertIsNone(self.who(own_uid=0))

    def test_not_loopback(self) -> None:
        """
        A connection from elsewhere is not, even if its socket is ours.
        """
        self.patch(FakeRequest, "getClientAddress", lambda _: attrs.make_class("A", ["host", "port"])("192.0.2.1", 5))
        self.as_user(0)
        self.assertIsNone(self.who(own_uid=0))
