"""
Tests for :mod:`pbx.media.poller` and :mod:`pbx.media.sockets`: on real sockets, and the same on the network in memory.
"""

from __future__ import annotations

import errno
import socket
import time
from pathlib import Path
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.selectreactor import SelectReactor
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.media.poller import FRAME, MANY, IRtpPoller, RtpPoller
from pbx.media.sockets import open_socket
from tests.media.memory import MemoryPoller, MemorySocket
from tests.network import Network

HOST = "127.0.0.1"


class ContractTests:
    """
    What every poller does; ``setUp`` brings ``poller``, ``open()`` and ``run(until)``.
    """

    def reader(self, sock: Any, got: list[bytes]) -> Any:
        def readable(now: float) -> bool:
            self.assertIsInstance(now, float)
            buffer = bytearray(100)
            length, _ = sock.recvfrom_into(buffer)
            got.append(bytes(buffer[:length]))
            return False

        return readable

    def test_interface(self) -> None:
        """
        It is a poller.
        """
        self.assertTrue(verifyObject(IRtpPoller, self.poller))

    def test_reads(self) -> None:
        """
        Every datagram is read once, those that came before the socket was watched too.
        """
        one, other = self.open(), self.open()
        got: list[bytes] = []
        other.sendto(b"before", one.getsockname())
        self.run_until(lambda: False, 0.02)
        self.poller.add(one, self.reader(one, got))
        for number in range(20):
            other.sendto(b"%d" % number, one.getsockname())
        self.run_until(lambda: len(got) >= 21)
        self.assertEqual(got, [b"before", *[b"%d" % number for number in range(20)]])

    def test_changed_and_removed(self) -> None:
        """
        A changed function is called in place of the one before; after removing nothing is, also by a call in between.
        """
        one, other = self.open(), self.open()
        first: list[bytes] = []
        second: list[bytes] = []
        self.poller.change(one, self.reader(one, second))
        self.poller.add(one, self.reader(one, first))
        other.sendto(b"1", one.getsockname())
        self.run_until(lambda: len(first) == 1)
        self.poller.change(one, self.reader(one, second))
        other.sendto(b"2", one.getsockname())
        self.run_until(lambda: len(second) == 1)
        self.poller.remove(one)
        self.poller.remove(one)
        other.sendto(b"3", one.getsockname())
        self.run_until(lambda: False, 0.02)
        self.assertEqual((first, second), ([b"1"], [b"2"]))

    def test_handed_on(self) -> None:
        """
        A watched socket in new hands is added again and read by those: the old one is closed, address and port stay.
        """
        one, other = self.open(), self.open()
        first: list[bytes] = []
        second: list[bytes] = []
        address, descriptor = one.getsockname(), one.fileno()
        self.poller.add(one, self.reader(one, first))
        heir = one.handed_on()
        self.addCleanup(heir.close)
        self.poller.add(heir, self.reader(heir, second))
        other.sendto(b"1", address)
        self.run_until(lambda: len(second) == 1)
        self.assertEqual((first, second), ([], [b"1"]))
        self.assertEqual((heir.getsockname(), heir.fileno(), one.fileno()), (address, descriptor, -1))
        self.assertRaises(OSError, one.sendto, b"2", address)
        heir.sendto(b"3", other.getsockname())
        heir.disconnect()
        self.poller.remove(heir)

    def test_connected(self) -> None:
        """
        A connected socket hears its peer alone; disconnected it hears everybody again, at the same port.
        """
        one, other, third = self.open(), self.open(), self.open()
        got: list[bytes] = []
        self.poller.add(one, self.reader(one, got))
        address = one.getsockname()
        one.connect(other.getsockname())
        third.sendto(b"third", address)
        other.sendto(b"other", address)
        self.run_until(lambda: len(got) == 1)
        one.disconnect()
        third.sendto(b"again", address)
        self.run_until(lambda: len(got) == 2)
        self.assertEqual((got, one.getsockname()), ([b"other", b"again"], address))


class MemoryPollerTests(ContractTests, SynchronousTestCase):
    """
    The poller of the network in memory.
    """

    def setUp(self) -> None:
        self.network = Network()
        self.host = self.network.host(HOST)
        self.poller = MemoryPoller(self.network)

    def open(self) -> MemorySocket:
        raw = self.network.socket(HOST)
        sock = MemorySocket(raw.host, raw.fileno())
        sock.bind((HOST, 0))
        return sock

    def run_until(self, done: Any, seconds: float = 1.0) -> None:
        self.network.advance(seconds)
        self.assertTrue(done() or seconds < 1)


class RealPollerTests(ContractTests, SynchronousTestCase):
    """
    The epoll, in a reactor of its own.
    """

    make_reactor: Any = EPollReactor

    def setUp(self) -> None:
        self.reactor = self.make_reactor()
        self.reactor.installed = False
        self.poller = RtpPoller(self.reactor)
        self.addCleanup(self.poller.stop)

    def tearDown(self) -> None:
        # Its own waker, which would otherwise stay open.
        for reader in list(self.reactor._internalReaders):
            reader.connectionLost(None)
        getattr(self.reactor, "_poller", self.open()).close()

    def open(self) -> Any:
        # A port that is asked for by number stays bound when the socket is disconnected, as media's are.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind((HOST, 0))
            port = free.getsockname()[1]
        sock = open_socket(HOST, port, 46)
        self.addCleanup(sock.close)
        return sock

    def run_until(self, done: Any, seconds: float = 5.0) -> None:
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            # So that it does not wait for longer than the test, whatever is read.
            nudge = self.reactor.callLater(0.01, lambda: None)
            self.reactor.iterate(0.01)
            if nudge.active():
                nudge.cancel()
        self.assertTrue(done() or seconds < 5)

    def test_goes_back_for_a_timer(self) -> None:
        """
        While media come without end timers are still on time.
        """
        one, other = self.open(), self.open()
        got: list[float] = []

        def readable(now: float) -> bool:
            one.recvfrom_into(bytearray(100))
            got.append(now)
            other.sendto(b"x", one.getsockname())
            return False

        self.poller.add(one, readable)
        other.sendto(b"x", one.getsockname())
        fired: list[float] = []
        begun = self.reactor.seconds()
        self.reactor.callLater(0.05, lambda: fired.append(self.reactor.seconds()))
        self.run_until(lambda: bool(fired))
        self.assertLess(fired[0] - begun, 1.0)
        self.assertGreater(len(got), 10)

    def test_goes_back_for_other_readers(self) -> None:
        """
        While media come without end other sockets are still read, and so are calls from threads.
        """
        one, other = self.open(), self.open()

        def readable(now: float) -> bool:
            one.recvfrom_into(bytearray(100))
            other.sendto(b"x", one.getsockname())
            return False

        self.poller.add(one, readable)
        other.sendto(b"x", one.getsockname())
        here, there = socket.socketpair()
        self.addCleanup(here.close)
        self.addCleanup(there.close)
        heard: list[str] = []

        class Reader:
            def fileno(self) -> int:
                return here.fileno()

            def doRead(self) -> None:
                heard.append(here.recv(10).decode())

            def connectionLost(self, reason: object) -> None:
                pass

            def logPrefix(self) -> str:
                return "test"

        reader = Reader()
        self.reactor.addReader(reader)
        self.reactor.callLater(0.02, there.send, b"hello")
        self.run_until(lambda: bool(heard))
        self.reactor.removeReader(reader)
        self.assertEqual(heard, ["hello"])

    def test_busy(self) -> None:
        """
        While many packets come it looks every 2 ms only, reads all of them, and stops that when they are few again.
        """
        pairs = [(self.open(), self.open()) for _ in range(2 * MANY)]
        got: list[bytes] = []
        sent = 0
        for one, _ in pairs:
            self.poller.add(one, self.reader(one, got))

        def flooded() -> bool:
            nonlocal sent
            for _, other in pairs:
                other.send(b"x")
            sent += len(pairs)
            return bool(self.poller.busy)

        for one, other in pairs:
            other.connect(one.getsockname())
        self.run_until(flooded)
        self.run_until(lambda: len(got) == sent)
        self.run_until(lambda: not self.poller.busy)
        pairs[0][1].send(b"last")
        self.run_until(lambda: len(got) == sent + 1)
        self.assertEqual((got[-1], self.poller.busy), (b"last", False))

    def test_few(self) -> None:
        """
        A few packets are read as they come, whatever came before.
        """
        one, other = self.open(), self.open()
        got: list[bytes] = []
        self.poller.add(one, self.reader(one, got))
        for number in range(3):
            other.sendto(b"x", one.getsockname())
            self.run_until(lambda number=number: len(got) == number + 1)
            self.run_until(lambda: False, FRAME)
            self.assertFalse(self.poller.busy)

    def test_failure_is_logged(self) -> None:
        """
        A packet that raises ends neither the others nor the poller.
        """
        one, other = self.open(), self.open()
        got: list[bytes] = []
        read = self.reader(one, got)

        def readable(now: float) -> bool:
            read(now)
            if len(got) == 1:
                raise ZeroDivisionError
            return False

        self.poller.add(one, readable)
        other.sendto(b"1", one.getsockname())
        other.sendto(b"2", one.getsockname())
        self.run_until(lambda: len(got) == 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class OtherReactorTests(RealPollerTests):
    """
    The same in a reactor without an epoll.
    """

    make_reactor = SelectReactor


class SocketTests(SynchronousTestCase):
    """
    The kernel's sockets.
    """

    def test_marked(self) -> None:
        """
        What is sent is marked, over IPv4 and IPv6.
        """
        four = open_socket(HOST, 0, 46)
        self.addCleanup(four.close)
        self.assertEqual(four.getsockopt(socket.IPPROTO_IP, socket.IP_TOS), 184)
        six = open_socket("::1", 0, 46)
        self.addCleanup(six.close)
        self.assertEqual(six.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS), 184)

    def test_taken(self) -> None:
        """
        A port that is taken is an error, and no file is left open.
        """
        first = open_socket(HOST, 0, 46)
        self.addCleanup(first.close)
        files = len(list(Path("/proc/self/fd").iterdir()))
        error = self.assertRaises(OSError, open_socket, HOST, first.getsockname()[1], 46)
        self.assertEqual(error.errno, errno.EADDRINUSE)
        self.assertEqual(len(list(Path("/proc/self/fd").iterdir())), files)

    def test_closed(self) -> None:
        """
        A closed socket can't be disconnected.
        """
        sock = open_socket(HOST, 0, 46)
        sock.close()
        self.assertRaises(OSError, sock.disconnect)
