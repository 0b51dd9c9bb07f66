"""
Media on the network in memory: the engine as it is, with sockets and a poller of :mod:`tests.network`, and phones that
talk.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from pbx.media.engine import InProcessEngine
from pbx.media.poller import IRtpPoller
from pbx.media.settings import MediaSettings
from pbx.rtp.packet import Packet, is_rtcp
from pbx.sdp.audio import Audio, Format
from tests.network import Network
from tests.network_datagrams import RawSocket

if TYPE_CHECKING:
    from collections.abc import Callable


class MemorySocket(RawSocket):
    """
    A socket of the network in memory that can be disconnected again.
    """

    def disconnect(self) -> None:
        """
        Hear everybody again.
        """
        self._check()
        self._peer = None

    def handed_on(self) -> MemorySocket:
        """
        The same socket for its next user.
        """
        self._check()
        heir = MemorySocket(self.host, self._descriptor)
        heir._address, heir._peer = self._address, self._peer
        heir.arrivals, heir.options = self.arrivals, self.options
        for key in [key for key, value in self.host.bound.items() if value is self]:
            self.host.bound[key] = heir
        self._descriptor = -1
        self.on_readable = None
        return heir

    @property
    def connected(self) -> bool:
        """
        Whether it hears one peer alone.
        """
        return self._peer is not None


@implementer(IRtpPoller)
class MemoryPoller:
    """
    Calls back for sockets of the network in memory, as soon as a datagram comes.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self.watched: dict[int, RawSocket] = {}
        self._readables: dict[int, Callable[[float], object]] = {}

    def add(self, sock: Any, readable: Callable[[float], object]) -> None:
        """
        Watch a socket.
        """
        number = sock.fileno()
        self.watched[number] = sock
        self._readables[number] = readable

        def drain() -> None:
            while sock.arrivals and number in self._readables:
                self._readables[number](self._network.clock.seconds())

        sock.on_readable = drain
        # What came before is read too, but not from within this call.
        self._network.clock.callLater(0, drain)

    def change(self, sock: Any, readable: Callable[[float], object]) -> None:
        """
        Call another function for a watched socket.
        """
        if sock.fileno() in self._readables:
            self._readables[sock.fileno()] = readable

    def remove(self, sock: Any) -> None:
        """
        Watch a socket no longer.
        """
        if self.watched.pop(sock.fileno(), None) is not None:
            del self._readables[sock.fileno()]
            sock.on_readable = None

    def stop(self) -> None:
        """
        Watch nothing from now on.
        """
        for sock in list(self.watched.values()):
            self.remove(sock)


def memory_engine(
    network: Network, settings: MediaSettings | None = None, most_pairs: int = 0
) -> InProcessEngine:
    """
    An engine whose sessions live on the network's hosts: ``engine.open("10.0.0.1", ...)`` is the host of that address.
    """

    def open_socket(host: str, port: int, dscp: int) -> MemorySocket:
        if host not in network.hosts:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        raw = network.socket(host)
        sock = MemorySocket(raw.host, raw.fileno())
        sock.bind((host, port))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
        return sock

    return InProcessEngine(
        network.clock,
        settings or MediaSettings(),
        MemoryPoller(network),
        open_socket=open_socket,
        most_pairs=most_pairs,
    )


PCMU = Format(0, "PCMU")
PCMA = Format(8, "PCMA")
EVENTS = Format(101, "telephone-event")


class Phone:
    """
    The media of a phone: sends packets of 20 ms from its own address and keeps what it hears.

    Attributes:
        heard: RTP packets that came, parsed; of SRTP as they are, in ``raw``.
        reports: RTCP compounds that came, on either port, with their time.
    """

    def __init__(self, network: Network, host: str, port: int, ssrc: int, payload_type: int = 0) -> None:
        self.network = network
        self.host, self.port = host, port
        self.ssrc = ssrc
        self.payload_type = payload_type
        self.sequence, self.timestamp = 100, 8000
        self.heard: list[Packet] = []
        self.raw: list[bytes] = []
        self.reports: list[tuple[float, bytes]] = []
        self.rtp = self._bound(port)
        self.rtcp = self._bound(port + 1)
        self.protect: Callable[[bytes], bytes | None] = lambda packet: packet

    def audio(self, *formats: Format, **more: Any) -> Audio:
        """
        What its SDP says.
        """
        return Audio(self.host, self.port, formats or (PCMU, EVENTS), **more)

    def move(self, port: int) -> None:
        """
        Send from another port from now on, as when a NAT forgot it.
        """
        self.rtp = self._bound(port)

    def say(self, to: tuple[str, int], payload: bytes = b"\x55" * 160, *, marker: bool = False) -> Packet:
        """
        Send one packet now.
        """
        packet = Packet(self.payload_type, self.sequence, self.timestamp, self.ssrc, payload, marker)
        protected = self.protect(packet.to_bytes())
        assert protected is not None
        self.rtp.sendto(protected, to)
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + 160) & 0xFFFFFFFF
        return packet

    def talk(self, to: tuple[str, int], packets: int) -> None:
        """
        Send packets, 20 ms apart, letting the time go by.
        """
        for _ in range(packets):
            self.say(to)
            self.network.advance(0.02)

    def _bound(self, port: int) -> RawSocket:
        sock = self.network.socket(self.host)
        sock.bind((self.host, port))

        def arrived() -> None:
            while sock.arrivals:
                data, _ = sock.recvfrom(4096)
                if is_rtcp(data[1]):
                    self.reports.append((self.network.clock.seconds(), data))
                else:
                    self.raw.append(data)
                    self.heard.append(Packet.parse(data))

        sock.on_readable = arrived
        return sock


class Pair:
    """
    Two phones at ``10.0.0.2`` and ``10.0.0.3`` in a call over a PBX at ``10.0.0.1``.
    """

    def __init__(self, *, settings: MediaSettings | None = None, delay: float = 0.0) -> None:
        self.network = Network(delay=delay)
        self.network.host("10.0.0.1")
        self.network.host("10.0.0.2")
        self.network.host("10.0.0.3")
        self.engine = memory_engine(self.network, settings)
        self.a, self.b = (self.engine.open("10.0.0.1", "10.0.0.1", call_id=name) for name in ("call-a", "call-b"))
        self.alice = Phone(self.network, "10.0.0.2", 4000, 0xA)
        self.bob = Phone(self.network, "10.0.0.3", 5000, 0xB)
        self.to_a, self.to_b = ("10.0.0.1", self.a.port), ("10.0.0.1", self.b.port)

    def configure(self, *formats: Format) -> None:
        """
        Give both legs the same formats.
        """
        formats = formats or (PCMU, EVENTS)
        self.a.configure(self.alice.audio(*formats), formats, formats)
        self.b.configure(self.bob.audio(*formats), formats, formats)

    def talk(self, packets: int) -> None:
        """
        Both phones send packets, 20 ms apart.
        """
        for _ in range(packets):
            self.alice.say(self.to_a)
            self.bob.say(self.to_b)
            self.network.advance(0.02)

    def over(self) -> list[Any]:
        """
        Close everything; what is then still to happen.
        """
        self.engine.stop()
        self.network.advance(0.1)
        return self.network.clock.getDelayedCalls()
