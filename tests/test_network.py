"""
Tests for :mod:`tests.network`: what other tests stand on must itself be true.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import CannotListenError, ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IConnector, IListeningPort, ITCPTransport
from twisted.internet.protocol import ClientFactory, DatagramProtocol, Protocol, ServerFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.network import Network, SteppingClock
from tests.network_streams import BUFFER


class ClockTests(SynchronousTestCase):
    """
    The clock of the network.
    """

    def test_each_call_at_its_time(self) -> None:
        """
        Calls run at their own times, those of one time in order; put off, brought forward and cancelled ones too.
        """
        clock = SteppingClock()
        ran: list[tuple[str, float]] = []

        def note(name: str) -> None:
            ran.append((name, clock.seconds()))

        clock.callLater(2, note, "b")
        clock.callLater(2, note, "c")
        clock.callLater(1, lambda: clock.callLater(0.5, note, "a"))
        clock.callLater(1, note, "put off").reset(7)
        early = clock.callLater(9, note, "brought forward")
        early.reset(3)
        clock.callLater(4, note, "cancelled").cancel()
        twice = clock.callLater(5, note, "twice")
        twice.delay(1)
        twice.reset(2.5)
        last = clock.callLater(100, note, "last")
        self.assertEqual(len(clock.getDelayedCalls()), 7)
        clock.advance(50)
        self.assertEqual(ran, [("a", 1.5), ("b", 2.0), ("c", 2.0), ("twice", 2.5), ("brought forward", 3.0),
                               ("put off", 7.0)])
        self.assertEqual((clock.seconds(), clock.getDelayedCalls(), clock.calls), (50.0, [last], [last]))


class Ear(DatagramProtocol):
    """
    Notes the datagrams it hears, and when.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.heard: list[tuple[float, bytes, tuple[str, int]]] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.heard.append((self.network.clock.seconds(), datagram, addr))


class Party(Protocol):
    """
    One end of a stream that notes what happens to it.
    """

    def __init__(self) -> None:
        self.data = b""
        self.ended: Any = None

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        self.ended = reason.type


class DatagramTests(SynchronousTestCase):
    """
    Datagrams between hosts.
    """

    def setUp(self) -> None:
        self.network = Network(delay=0.02)
        self.ear = Ear(self.network)
        self.network.reactor("10.0.0.2").listenUDP(5060, self.ear, interface="10.0.0.2", maxPacketSize=65535)
        self.mouth = Ear(self.network)
        self.port = self.network.reactor("10.0.0.1").listenUDP(5060, self.mouth, interface="10.0.0.1")

    def say(self, data: bytes = b"x") -> None:
        self.port.write(data, ("10.0.0.2", 5060))

    def test_arrives_late_with_its_source(self) -> None:
        """
        A datagram arrives after the delay, at that very time, though the clock was moved further at once.
        """
        self.say(b"hello")
        self.network.advance(10)
        self.assertEqual(self.ear.heard, [(0.02, b"hello", ("10.0.0.1", 5060))])
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_loss_duplication_and_reordering(self) -> None:
        """
        The chosen parts of the datagrams are lost, doubled and overtaken, the same ones for the same seed.
        """
        self.network.loss, self.network.duplication, self.network.jitter = 0.1, 0.2, 0.05
        for number in range(1000):
            self.say(number.to_bytes(2, "big"))
        self.network.advance(1)
        order = [int.from_bytes(data, "big") for _, data, _ in self.ear.heard]
        self.assertTrue(860 < len(set(order)) < 940, len(set(order)))
        self.assertTrue(130 < len(order) - len(set(order)) < 230)
        self.assertNotEqual(order, sorted(order))

    def test_drop_and_cut(self) -> None:
        """
        A test can choose which datagrams vanish, and cut a host off.
        """
        self.network.drop = lambda source, destination, data: data == b"2"
        for data in (b"1", b"2", b"3"):
            self.say(data)
        self.network.unreachable.add("10.0.0.2")
        self.say(b"4")
        self.network.unreachable.clear()
        self.network.advance(1)
        self.assertEqual([data for _, data, _ in self.ear.heard], [b"1", b"3"])

    def test_taken_and_foreign_addresses(self) -> None:
        """
        A taken port and an address that is not the host's are refused as by the kernel.
        """
        host = self.network.reactor("10.0.0.1")
        for interface in ("10.0.0.1", ""):
            error = self.assertRaises(CannotListenError, host.listenUDP, 5060, self.ear, interface)
            self.assertIn("already in use", str(error))
        self.assertRaises(CannotListenError, host.listenUDP, 5061, self.ear, "10.0.0.2")
        self.successResultOf(self.port.stopListening())
        host.listenUDP(5060, Ear(self.network))

    def test_several_addresses(self) -> None:
        """
        A host of several addresses hears at each; a socket on all of them answers from the first that fits.
        """
        host = self.network.host("10.0.0.3", "10.1.0.3", "2001:db8::3")
        port = host.listenUDP(7, Ear(self.network))
        port.write(b"a", ("10.0.0.2", 5060))
        host.remove_address("10.0.0.3")
        port.write(b"b", ("10.0.0.2", 5060))
        self.network.advance(1)
        self.assertEqual([addr for _, _, addr in self.ear.heard], [("10.0.0.3", 7), ("10.1.0.3", 7)])

    def test_bare_sockets(self) -> None:
        """
        A bare socket reads what came, in place, and says when there is nothing.
        """
        one, two = self.network.socket("10.0.0.1"), self.network.socket("10.0.0.2")
        one.bind(("10.0.0.1", 4000))
        two.bind(("10.0.0.2", 4000))
        self.assertNotEqual(one.fileno(), two.fileno())
        one.sendto(memoryview(b"rtp"), ("10.0.0.2", 4000))
        buffer = bytearray(100)
        self.assertRaises(BlockingIOError, two.recvfrom_into, buffer)
        self.network.advance(1)
        self.assertEqual(two.recvfrom_into(buffer), (3, ("10.0.0.1", 4000)))
        self.assertEqual(buffer[:3], b"rtp")
        self.assertRaises(OSError, self.network.socket("10.0.0.2").bind, ("10.0.0.2", 4000))
        two.close()
        self.assertEqual(two.fileno(), -1)
        self.assertRaises(OSError, two.recv, 1)
        self.network.socket("10.0.0.2").bind(("10.0.0.2", 4000))

    def test_nat(self) -> None:
        """
        A NAT shows its own address, lets only answers in, and after a flush none at all.
        """
        nat = self.network.nat("203.0.113.1", "192.168.0.2")
        inside = Ear(self.network)
        port = self.network.reactor("192.168.0.2").listenUDP(5060, inside)
        port.write(b"out", ("10.0.0.2", 5060))
        self.network.advance(1)
        seen = self.ear.heard[0][2]
        self.assertEqual(seen[0], "203.0.113.1")
        answer = self.network.reactor("10.0.0.2").listenUDP(9, Ear(self.network))
        answer.write(b"stranger", seen)
        self.port.write(b"stranger", seen)
        self.network.reactor("10.0.0.2").endpoint("UDP", ("10.0.0.2", 5060)).write(b"in", seen)
        self.network.advance(1)
        self.assertEqual([data for _, data, _ in inside.heard], [b"in"])
        nat.flush()
        self.network.reactor("10.0.0.2").endpoint("UDP", ("10.0.0.2", 5060)).write(b"late", seen)
        port.write(b"again", ("10.0.0.2", 5060))
        self.network.advance(1)
        self.assertEqual(len(inside.heard), 1)
        self.assertNotEqual(self.ear.heard[-1][2], seen)


class StreamTests(SynchronousTestCase):
    """
    Connections between hosts.
    """

    def setUp(self) -> None:
        self.network = Network(delay=0.02)
        self.server = ServerFactory.forProtocol(Party)
        self.accepted: list[Party] = []
        build = self.server.buildProtocol
        self.server.buildProtocol = lambda addr: self.accepted.append(build(addr)) or self.accepted[-1]
        self.port = self.network.reactor("10.0.0.2").listenTCP(5060, self.server, interface="10.0.0.2")
        self.failures: list[Any] = []

    def connect(self, port: int = 5060, host: str = "10.0.0.2") -> Party:
        """
        Our end of a connection to the server.
        """
        party = Party()
        factory = ClientFactory()
        factory.buildProtocol = lambda addr: party
        factory.clientConnectionFailed = lambda connector, reason: self.failures.append(reason.type)
        self.connector = self.network.reactor("10.0.0.1").connectTCP(host, port, factory, timeout=4)
        self.network.advance(0.04)
        return party

    def test_both_ways_in_order(self) -> None:
        """
        What is written arrives in order, after the delay; the ends know each other's address.
        """
        party = self.connect()
        for number in range(10):
            party.transport.write(b"%d" % number)
        self.accepted[0].transport.write(b"welcome")
        self.network.advance(0.02)
        self.assertEqual((self.accepted[0].data, party.data), (b"0123456789", b"welcome"))
        self.assertEqual(self.accepted[0].transport.getPeer(), party.transport.getHost())
        self.assertEqual(party.transport.getPeer().port, 5060)
        verifyObject(ITCPTransport, party.transport)
        verifyObject(IListeningPort, self.port)
        verifyObject(IConnector, self.connector)

    def test_close_delivers_first(self) -> None:
        """
        What was written before a close arrives before it; both ends are told it ended cleanly.
        """
        party = self.connect()
        party.transport.write(b"bye")
        party.transport.loseConnection()
        party.transport.write(b"too late")
        self.network.advance(1)
        self.assertEqual(self.accepted[0].data, b"bye")
        self.assertEqual((party.ended, self.accepted[0].ended), (ConnectionDone, ConnectionDone))
        self.assertEqual(self.network.hosts["10.0.0.2"].streams, set())

    def test_abort(self) -> None:
        """
        An abort is an unclean end for the other side.
        """
        party = self.connect()
        party.transport.abortConnection()
        self.network.advance(1)
        self.assertEqual(self.accepted[0].ended, ConnectionLost)

    def test_refused_and_timed_out(self) -> None:
        """
        Nobody listening is refused at once; a host that is not there, after the timeout.
        """
        self.connect(port=1)
        self.assertEqual(self.failures, [ConnectionRefusedError])
        self.connect(host="10.9.9.9")
        self.assertEqual(len(self.failures), 1)
        self.network.advance(4)
        self.assertEqual(len(self.failures), 2)

    def test_slow_reader_pauses_the_producer(self) -> None:
        """
        A producer is paused while the other end does not read, and resumed when it does.
        """
        party = self.connect()
        told = []

        class Producer:
            def pauseProducing(self) -> None:
                told.append("pause")

            def resumeProducing(self) -> None:
                told.append("resume")

        self.accepted[0].transport.pauseProducing()
        party.transport.registerProducer(Producer(), True)
        party.transport.write(bytes(BUFFER + 1))
        self.network.advance(1)
        self.assertEqual((told, self.accepted[0].data), (["pause"], b""))
        self.accepted[0].transport.resumeProducing()
        self.network.advance(1)
        self.assertEqual((told, len(self.accepted[0].data)), (["pause", "resume"], BUFFER + 1))

    def test_loopback_is_the_host_itself(self) -> None:
        """
        127.0.0.1 is the host that says it.
        """
        self.network.reactor("10.0.0.1").listenTCP(7, self.server)
        self.connect(port=7, host="127.0.0.1")
        self.assertEqual(self.accepted[0].transport.getHost().host, "127.0.0.1")
