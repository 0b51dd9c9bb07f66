"""
A transport layer on a network in memory, with someone who notes what it hands on, and phones that are bare sockets.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, DatagramProtocol, Protocol
from zope.interface import implementer

from pbx.sip.message import Request, Response
from pbx.transport.flow import Flow
from pbx.transport.guard import Guard, GuardSettings
from pbx.transport.layer import TransportLayer
from pbx.transport.reception import IMessageReceiver
from pbx.transport.settings import TransportSettings
from pbx.transport.trace import ITrace, NoTrace
from tests.network import Network

PBX = "10.0.0.1"
PHONE = "10.0.0.2"


def request(
    branch: str = "z9hG4bK1", via: str = "UDP 192.168.1.9:5060", method: str = "OPTIONS", extra: str = ""
) -> bytes:
    """
    A request as a phone sends it.
    """
    return (
        f"{method} sip:{PBX} SIP/2.0\r\nVia: SIP/2.0/{via};branch={branch}\r\n"
        f"From: <sip:1005@{PBX}>;tag=a\r\nTo: <sip:1005@{PBX}>\r\nCall-ID: {branch}@phone\r\nCSeq: 1 {method}\r\n"
        f"Max-Forwards: 70\r\n{extra}Content-Length: 0\r\n\r\n"
    ).encode()


def response(sent_by: str = f"{PBX}:5060", transport: str = "UDP") -> bytes:
    """
    A response to a request that we sent.
    """
    return (
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/{transport} {sent_by};branch=z9hG4bKours\r\nFrom: <sip:a@b>;tag=a\r\n"
        "To: <sip:a@b>;tag=b\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    ).encode()


@implementer(IMessageReceiver)
class Receiver:
    """
    Notes messages and their flows; raises what it was told to.
    """

    def __init__(self) -> None:
        self.got: list[tuple[Request | Response, Flow]] = []
        self.error: Exception | None = None

    def message_received(self, message: Request | Response, flow: Flow) -> None:
        self.got.append((message, flow))
        if self.error is not None:
            raise self.error

    @property
    def last(self) -> Request | Response:
        """
        The last message.
        """
        return self.got[-1][0]

    @property
    def flow(self) -> Flow:
        """
        The flow of the last message.
        """
        return self.got[-1][1]


@implementer(ITrace)
class Trace:
    """
    Notes what it is shown.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []

    def sent(self, flow_text: str, data: bytes) -> None:
        self.seen.append(("sent", flow_text, data))

    def received(self, flow_text: str, data: bytes) -> None:
        self.seen.append(("received", flow_text, data))


class UdpPhone(DatagramProtocol):
    """
    A phone's UDP socket: it notes what it hears.
    """

    def __init__(self, network: Network, address: str = PHONE, port: int = 5060) -> None:
        self.heard: list[bytes] = []
        self.sources: list[tuple[str, int]] = []
        self.port = network.reactor(address).listenUDP(port, self, interface=address, maxPacketSize=65535)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.heard.append(datagram)
        self.sources.append(addr)

    def say(self, data: bytes, host: str = PBX, port: int = 5060) -> None:
        """
        Send a datagram to the PBX.
        """
        self.port.write(data, (host, port))


class StreamPhone(Protocol):
    """
    A phone's end of a connection: it notes what it hears and when it ended.
    """

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.heard = b""
        self.connected_at: float | None = None
        self.ended_at: float | None = None
        self.reason: Any = None

    def connectionMade(self) -> None:
        self.connected_at = self.clock.seconds()

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Any = None) -> None:
        self.ended_at = self.clock.seconds()
        self.reason = reason

    def say(self, data: bytes) -> None:
        """
        Send bytes to the PBX.
        """
        transport: Any = self.transport
        transport.write(data)


class Rig:
    """
    A network with a PBX's transport layer on it.
    """

    def __init__(self, start: bool = True, tls: Any = None, **settings: Any) -> None:
        self.network = Network(delay=0.01)
        self.clock = self.network.clock
        self.host = self.network.host(PBX)
        self.receiver = Receiver()
        guard_settings = settings.pop("guard", GuardSettings())
        trace = settings.pop("trace", NoTrace())
        trust_root = settings.pop("trust_root", None)
        self.settings = evolve(TransportSettings(sip_hosts=(PBX,)), **settings)
        self.guard = Guard(self.clock, guard_settings)
        self.layer = TransportLayer(
            self.host, self.settings, self.guard, trace, tls, interfaces=self.host, trust_root=trust_root
        )
        self.layer.receiver = self.receiver
        if start:
            self.layer.start()

    def udp_phone(self, address: str = PHONE, port: int = 5060) -> UdpPhone:
        """
        A phone that speaks UDP.
        """
        return UdpPhone(self.network, address, port)

    def stream_phone(
        self, address: str = PHONE, port: int = 5060, host: str = PBX, wrap: Any = None, wait: float = 0.1
    ) -> StreamPhone:
        """
        A phone that has connected.
        """
        phone = StreamPhone(self.clock)
        factory: Any = ClientFactory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: phone
        if wrap is not None:
            factory = wrap(factory)
        self.network.reactor(address).connectTCP(host, port, factory)
        self.advance(wait)
        return phone

    def advance(self, seconds: float = 0.1) -> None:
        """
        Let time pass.
        """
        self.network.advance(seconds)

    def stop(self, test: Any) -> None:
        """
        Stop the layer, and see that it left nothing behind.
        """
        done: Deferred[None] = self.layer.stop()
        self.advance(5)
        test.successResultOf(done)
        test.assertEqual(self.clock.getDelayedCalls(), [])
        test.assertEqual(self.host.bound, {})
        test.assertEqual(self.host.streams, set())
        test.assertEqual(len(self.layer.connections), 0)
        test.assertEqual(len(self.layer.connections._per_address), 0)
