"""
Tests for :mod:`pbx.transport.stun`, on the network in memory.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import DatagramProtocol
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.names import dns
from twisted.trial.unittest import SynchronousTestCase

from pbx.transport.lookup import LookupFailed
from pbx.transport.stun import AGAIN, External, ExternalSettings
from tests.stun.test_binding import answer
from tests.transport.rig import PBX, Rig

SERVER, OTHER = "203.0.113.100", "203.0.113.101"
PORT = 3478
NETWORKS = ("10.0.0.0/8",)


class StunServer(DatagramProtocol):
    """
    A server that says whatever address a test gave it.

    Attributes:
        says: The address; empty for no answer.
        asked: When it was asked, by whom.
    """

    def __init__(self, rig: Rig, address: str, says: str) -> None:
        self.says = says
        self.kind = 0x0101
        self.asked: list[tuple[float, Any]] = []
        self.questions: list[bytes] = []
        self._clock = rig.clock
        self.port = rig.network.reactor(address).listenUDP(PORT, self, interface=address, maxPacketSize=65535)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.asked.append((round(self._clock.seconds(), 1), addr))
        self.questions.append(datagram)
        if self.says:
            self.port.write(self.answer(datagram), addr)

    def answer(self, question: bytes) -> bytes:
        """
        The answer to a question.
        """
        value = b"\0\1\x13\xc4" + bytes(int(part) for part in self.says.split("."))
        return answer((1, value), kind=self.kind, transaction=question[8:20])


class FakeLookup:
    """
    Knows the hosts a test gave it; raises what it was told to.
    """

    def __init__(self) -> None:
        self.hosts: dict[str, str] = {}
        self.error: Exception | None = None

    async def records(self, name: str, kind: int) -> list[Any]:
        """
        The records of a name.
        """
        if self.error is not None:
            raise self.error
        assert kind == dns.A
        return [dns.Record_A(self.hosts[name])] if name in self.hosts else []


class StunCase(SynchronousTestCase):
    """
    An exchange that asks, and two servers.
    """

    def setUp(self) -> None:
        self.rig = Rig()
        self.lookup = FakeLookup()
        self.server = StunServer(self.rig, SERVER, "198.51.100.1")
        self.other = StunServer(self.rig, OTHER, "198.51.100.2")
        self.lines: list[tuple[LogLevel, str]] = []
        globalLogPublisher.addObserver(self.logged)
        self.changes: list[str | None] = []
        self.rig.layer.on_external_change(lambda: self.changes.append(self.rig.layer.external))

    def tearDown(self) -> None:
        """
        No socket and no timer is left.
        """
        globalLogPublisher.removeObserver(self.logged)
        self.external.stop()
        for server in (self.server, self.other):
            server.port.stopListening()
        self.rig.stop(self)

    def logged(self, event: Any) -> None:
        """
        Keep a line of the log.
        """
        if event["log_namespace"].startswith("pbx.transport.stun"):
            self.lines.append((event["log_level"], formatEvent(event)))

    def ask(self, *servers: str, **more: Any) -> None:
        """
        Begin to ask servers.
        """
        settings = self.settings(*servers, **more)
        self.external = External(self.rig.host, self.rig.layer, self.lookup, settings)  # type: ignore[arg-type]
        self.external.start()
        self.rig.advance()

    def settings(self, *servers: str, **more: Any) -> ExternalSettings:
        """
        Settings with these servers.
        """
        hosts = [(host, PORT) for host in servers]
        return ExternalSettings(**{"servers": hosts, "local_networks": NETWORKS, "source": PBX, **more})


class AskTests(StunCase):
    """
    Our address outside, asked.
    """

    def test_answer(self) -> None:
        """
        The address is named from then on, and logged; it is asked for once.
        """
        flow = self.rig.layer.udp_flow(("192.0.2.7", 5060))
        self.ask(SERVER)
        self.assertEqual((flow.sent_by, self.changes), (("198.51.100.1", 5060), ["198.51.100.1"]))
        self.assertEqual([addr[0] for _, addr in self.server.asked], [PBX])
        self.assertEqual(len(self.lines), 1)
        self.assertIn(f"198.51.100.1, says {SERVER}:{PORT}; it was not known", self.lines[0][1])

    def test_asked_again(self) -> None:
        """
        After the interval it is asked for again, from another socket and with another identifier; a change is followed,
        and told to who wants to know, once.
        """
        self.ask(SERVER, interval=300)
        self.rig.advance(300)
        self.assertEqual((len(self.server.asked), self.changes), (2, ["198.51.100.1"]))
        self.server.says = "198.51.100.77"
        self.rig.advance(300)
        self.assertEqual(self.changes, ["198.51.100.1", "198.51.100.77"])
        self.assertEqual(len({question[8:20] for question in self.server.questions}), 3)
        self.assertEqual(len({addr[1] for _, addr in self.server.asked}), 3)
        self.assertIn("it was 198.51.100.1", self.lines[-1][1])

    def test_schedule(self) -> None:
        """
        A question without an answer is sent again twice as slowly each time, with the same identifier, and given up 16
        times the first wait after the last (RFC 8489 6.2.1); all begins again soon.
        """
        self.server.says = ""
        self.ask(SERVER)
        self.rig.advance(39.0)
        self.assertEqual([when for when, _ in self.server.asked], [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5])
        self.assertEqual(len(set(self.server.questions)), 1)
        self.assertEqual(self.lines, [])
        self.rig.advance(1.0)
        ((level, line),) = self.lines
        self.assertIs(level, LogLevel.warn)
        self.assertIn(f"{SERVER}:{PORT}: no answer", line)
        self.assertIn("server.external_ip", line)
        self.assertIsNone(self.rig.layer.external)
        self.server.says = "198.51.100.1"
        self.rig.advance(AGAIN)
        self.assertEqual(self.changes, ["198.51.100.1"])

    def test_lost(self) -> None:
        """
        A question or an answer that is lost on the way costs half a second.
        """
        self.server.says = ""
        self.ask(SERVER)
        self.server.says = "198.51.100.1"
        self.rig.advance(0.5)
        self.assertEqual(self.changes, ["198.51.100.1"])

    def test_last_known(self) -> None:
        """
        Servers that fall silent leave the last known address as it is; that is said once, and so is that they answer
        again.
        """
        self.ask(SERVER, interval=300)
        self.server.says = ""
        self.rig.advance(1000)
        self.assertEqual((self.rig.layer.external, self.changes), ("198.51.100.1", ["198.51.100.1"]))
        (warning,) = [line for level, line in self.lines if level is LogLevel.warn]
        self.assertIn("198.51.100.1 stays", warning)
        self.server.says = "198.51.100.1"
        self.rig.advance(100)
        self.assertIn("answers again", self.lines[-1][1])
        self.assertEqual(len(self.lines), 3)

    def test_next_server(self) -> None:
        """
        When the first of several is silent the next is asked, without waiting for the end; one that refuses, at once.
        """
        self.server.says = ""
        self.ask(SERVER, OTHER)
        self.rig.advance(3.6)
        self.assertEqual((len(self.server.asked), self.changes), (3, ["198.51.100.2"]))
        self.server.says, self.server.kind = "198.51.100.1", 0x0111
        self.rig.advance(300.1)
        self.assertEqual((len(self.server.asked), len(self.other.asked)), (4, 2))

    def test_strangers(self) -> None:
        """
        Answers from elsewhere, with another identifier, or after the first are nobody's.
        """
        self.server.says = ""
        self.ask(SERVER)
        (_, ours) = self.server.asked[0]
        question, self.other.says = self.server.questions[0], "192.0.2.66"
        self.other.port.write(self.other.answer(question), ours)
        self.server.says = "192.0.2.67"
        self.server.port.write(self.server.answer(bytes(20)), ours)
        self.rig.advance(0.1)
        self.assertEqual(self.changes, [])
        self.server.says = "198.51.100.1"
        for _ in range(2):
            self.server.port.write(self.server.answer(question), ours)
        self.rig.advance(0.1)
        self.assertEqual(self.changes, ["198.51.100.1"])

    def test_names(self) -> None:
        """
        Servers are found by their names each time; one that cannot be found is left out, with the reason.
        """
        self.lookup.hosts["stun.example"] = SERVER
        self.ask("gone.example", "stun.example", interval=60)
        self.assertEqual(self.changes, ["198.51.100.1"])
        self.lookup.hosts["stun.example"] = OTHER
        self.rig.advance(61)
        self.assertEqual(self.changes, ["198.51.100.1", "198.51.100.2"])
        self.lookup.error = LookupFailed("stun.example cannot be looked up: ServFail")
        self.rig.advance(60)
        self.assertIn("cannot be looked up", self.lines[-1][1])
        self.lookup.error, self.lookup.hosts = None, {}
        self.rig.advance(60)
        self.assertEqual(self.rig.layer.external, "198.51.100.2")

    def test_stopped_while_asking(self) -> None:
        """
        Who stops while a question is under way is not told anything any more (and nothing is left).
        """
        self.server.says = ""
        self.ask(SERVER)
        self.external.stop()
        self.rig.advance(60)
        self.assertEqual((len(self.server.asked), self.lines), (1, []))


class ReconfigureTests(StunCase):
    """
    Other settings meanwhile.
    """

    def go_over(self, settings: ExternalSettings) -> None:
        """
        Go over to settings.
        """
        self.external.reconfigure(settings)
        self.rig.advance(0.1)

    def test_other_servers(self) -> None:
        """
        Other servers are asked at once, and a question to the old ones is given up; until they answer the known address
        stays.
        """
        self.ask(SERVER)
        self.other.says = ""
        self.go_over(self.settings(OTHER))
        self.assertEqual((self.rig.layer.external, len(self.other.asked)), ("198.51.100.1", 1))
        self.go_over(self.settings(SERVER, interval=60))
        self.rig.advance(50)
        self.assertEqual((len(self.other.asked), len(self.server.asked)), (1, 2))

    def test_fixed_and_back(self) -> None:
        """
        A fixed address counts at once and nobody is asked any more; without either our own is told.
        """
        self.ask(SERVER)
        self.go_over(self.settings(fixed="192.0.2.1"))
        self.rig.advance(1000)
        self.assertEqual((self.rig.layer.external, len(self.server.asked)), ("192.0.2.1", 1))
        self.server.says = ""
        self.go_over(self.settings(SERVER))
        self.assertEqual(self.rig.layer.external, "192.0.2.1")
        self.go_over(self.settings())
        self.assertIsNone(self.rig.layer.external)
        self.rig.advance(1000)
        self.assertEqual(len(self.server.asked), 2)

    def test_networks(self) -> None:
        """
        Other local networks count at once.
        """
        self.ask(SERVER)
        flow = self.rig.layer.udp_flow(("192.0.2.7", 5060))
        self.assertEqual(flow.sent_by[0], "198.51.100.1")
        self.go_over(self.settings(SERVER, local_networks=("192.0.2.0/24",)))
        self.assertEqual((flow.sent_by[0], self.rig.layer.external), (PBX, "198.51.100.1"))

    def test_the_same(self) -> None:
        """
        The same settings ask nobody.
        """
        self.ask(SERVER)
        self.go_over(self.settings(SERVER))
        self.assertEqual(len(self.server.asked), 1)
