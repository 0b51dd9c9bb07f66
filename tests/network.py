"""
A network in memory, in virtual time: hosts, datagrams that are late, lost, doubled and overtaken, streams, and NATs.

Everything happens on one clock, which :meth:`Network.advance` moves from one due call to the next, so that each runs
at its own time. What chance decides is drawn from one seeded generator: a test that failed fails again.

A host is what code under test is given as its reactor (``network.reactor("10.0.0.1")``); media take their sockets
from ``network.socket("10.0.0.1")``. Beside it lie
:mod:`tests.network_datagrams` (ports and sockets), :mod:`tests.network_streams` and :mod:`tests.network_addresses`.
"""

from __future__ import annotations

import errno
import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorTCP, IReactorTime, IReactorUDP
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock
from zope.interface import implementer

from tests.network_addresses import WILDCARDS, Address, is_loopback
from tests.network_datagrams import DatagramPort, RawSocket
from tests.network_streams import Connector, StreamPort


class SteppingClock(Clock):
    """
    A clock that, when advanced, stops at each due call: the call sees the time it was due at.

    Calls due at one time run in the order they were made. Unlike its parent it does not sort all calls for each one,
    so that tests may have thousands.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, DelayedCall]] = []
        self._live: dict[DelayedCall, None] = {}
        self._order = itertools.count()

    @property
    def calls(self) -> list[DelayedCall]:  # type: ignore[override]
        """
        What is to run, soonest first.
        """
        return sorted(self._live, key=DelayedCall.getTime)

    def getDelayedCalls(self) -> list[DelayedCall]:
        """
        What is to run, soonest first.
        """
        return self.calls

    def callLater(self, delay: float, function: Callable[..., object], *args: Any, **kwargs: Any) -> DelayedCall:
        """
        Run a function later.
        """
        time = self.seconds() + delay
        call = DelayedCall(time, function, args, kwargs, self._cancelled, self._push, self.seconds)
        self._live[call] = None
        self._push(call)
        return call

    def advance(self, amount: float = 0.0) -> None:
        """
        Move on by some seconds, running what becomes due on the way, each at its time.
        """
        end = self.rightNow + amount
        while self._heap and self._heap[0][0] <= end:
            time, _, call = heapq.heappop(self._heap)
            if call not in self._live:
                continue
            if call.getTime() > time:
                # It was put off since.
                self._push(call)
                continue
            self.rightNow = max(self.rightNow, time)
            del self._live[call]
            call.called = 1
            call.func(*call.args, **call.kw)
        self.rightNow = end

    def _push(self, call: DelayedCall) -> None:
        heapq.heappush(self._heap, (call.getTime(), next(self._order), call))

    def _cancelled(self, call: DelayedCall) -> None:
        del self._live[call]


class Network:
    """
    Hosts that reach each other.

    Attributes:
        clock: The one clock of all hosts.
        delay: Seconds a packet takes.
        jitter: A datagram takes up to this many seconds more, so that one may overtake another.
        loss: The part of datagrams that is lost, 0 to 1.
        duplication: The part of datagrams that arrives twice, 0 to 1.
        drop: Asked for each datagram with (source, destination, data); it is lost when the answer is true.
        unreachable: Addresses that nothing comes to or from; packets there vanish silently.
        taps: Called for each datagram that is sent, with (source, destination, data), as the receiver sees them.
    """

    def __init__(self, seed: int = 1, delay: float = 0.0) -> None:
        self.clock = SteppingClock()
        self.delay = delay
        self.jitter = 0.0
        self.loss = 0.0
        self.duplication = 0.0
        self.drop: Callable[[Address, Address, bytes], bool] | None = None
        self.unreachable: set[str] = set()
        self.taps: list[Callable[[Address, Address, bytes], object]] = []
        self.hosts: dict[str, Host] = {}
        self.nats: dict[str, Nat] = {}
        self._chance = random.Random(seed)  # noqa: S311  # chance, no secret
        self._descriptors = itertools.count(100_000)

    def host(self, *addresses: str) -> Host:
        """
        The host with these addresses: the one that has the first of them already, else a new one.
        """
        host = self.hosts.get(addresses[0]) or Host(self)
        for address in addresses:
            host.add_address(address)
        return host

    def reactor(self, address: str) -> Host:
        """
        The host that has this address, to be used as a reactor.
        """
        return self.host(address)

    def socket(self, address: str) -> RawSocket:
        """
        An unbound datagram socket of the host that has this address.
        """
        return RawSocket(self.host(address), next(self._descriptors))

    def nat(self, outside: str, *inside: str) -> Nat:
        """
        A NAT box with the address ``outside``; the hosts that have the ``inside`` addresses sit behind it.
        """
        box = self.nats[outside] = Nat(self.clock, outside)
        for address in inside:
            self.host(address).nat = box
        return box

    def advance(self, seconds: float = 0.0) -> None:
        """
        Let time pass, delivering on the way what is under way.
        """
        self.clock.advance(seconds)

    def transmit(self, sender: Host, source: Address, destination: Address, data: bytes) -> None:
        """
        Carry a datagram, as well as this network does.
        """
        source = sender.seen_as(source, destination)
        for tap in self.taps:
            tap(source, destination, data)
        if self.cut(source[0], destination[0]) or (self.drop is not None and self.drop(source, destination, data)):
            return
        if self.loss and self._chance.random() < self.loss:
            return
        copies = 2 if self.duplication and self._chance.random() < self.duplication else 1
        for _ in range(copies):
            delay = self.delay + (self._chance.uniform(0, self.jitter) if self.jitter else 0.0)
            self.clock.callLater(delay, self._arrive, sender, source, destination, data)

    def cut(self, *addresses: str) -> bool:
        """
        Whether one of these addresses is unreachable.
        """
        return not self.unreachable.isdisjoint(addresses)

    def locate(self, sender: Host, source: Address, destination: Address) -> tuple[Host | None, Address]:
        """
        The host that a packet comes to and the address it comes to there, once a NAT on the way has had its say.
        """
        if is_loopback(destination[0]):
            return sender, destination
        box = self.nats.get(destination[0])
        if box is not None:
            inside = box.inward(source, destination)
            if inside is None:
                return None, destination
            destination = inside
        return self.hosts.get(destination[0]), destination

    def _arrive(self, sender: Host, source: Address, destination: Address, data: bytes) -> None:
        host, destination = self.locate(sender, source, destination)
        endpoint = host and host.endpoint("UDP", destination)
        if endpoint and not self.cut(source[0], destination[0]):
            endpoint.arrived(data, source)


@implementer(IReactorTime, IReactorUDP, IReactorTCP)
class Host:
    """
    One machine on the network, and the reactor of the program that runs on it.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.addresses: list[str] = []
        self.nat: Nat | None = None
        self.bound: dict[tuple[str, str, int], Any] = {}
        """What listens: (``"UDP"`` or ``"TCP"``, address or ``""``, port) to its port or socket."""
        self.streams: set[Any] = set()
        """The open ends of connections."""
        self._ephemeral = itertools.count(49152)

    def add_address(self, address: str) -> None:
        """
        Give the host one more address.
        """
        other = self.network.hosts.get(address)
        if other is not None and other is not self:
            raise ValueError(f"{address} belongs to another host")
        if address not in self.addresses:
            self.addresses.append(address)
        if not is_loopback(address) or address not in self.network.hosts:
            self.network.hosts[address] = self

    def remove_address(self, address: str) -> None:
        """
        Take an address away; what is bound to it hears and sends nothing any more.
        """
        self.addresses.remove(address)
        del self.network.hosts[address]

    def local_addresses(self) -> list[str]:
        """
        Every address of the host, loopback included (``IInterfaces`` of ``pbx.transport``).
        """
        return list(dict.fromkeys(["127.0.0.1", *self.addresses]))

    def source_for(self, peer: str) -> str | None:
        """
        The address that packets to a peer leave with, or ``None`` when there is no way to it.
        """
        source = self.source("", peer)
        return source if source in self.local_addresses() else None

    def seconds(self) -> float:
        """
        The time.
        """
        return self.network.clock.seconds()

    def callLater(self, delay: float, function: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
        """
        Run a function later, on the network's clock.
        """
        return self.network.clock.callLater(delay, function, *args, **kwargs)

    def getDelayedCalls(self) -> list[Any]:
        """
        What is to run later, on any host, packets under way included.
        """
        return self.network.clock.getDelayedCalls()

    def callFromThread(self, function: Callable[..., object], *args: Any, **kwargs: Any) -> None:  # noqa: N802
        """
        Run a function soon.
        """
        self.callLater(0, function, *args, **kwargs)

    def listenUDP(
        self, port: int, protocol: DatagramProtocol, interface: str = "", maxPacketSize: int = 8192  # noqa: N803
    ) -> DatagramPort:
        """
        A bound UDP port with its protocol, as a reactor makes it.
        """
        listening = DatagramPort(self, protocol, maxPacketSize)
        listening.address = self.bind("UDP", (interface, port), listening)
        protocol.makeConnection(listening)
        return listening

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> StreamPort:
        """
        A listening TCP port, as a reactor makes it.
        """
        listening = StreamPort(self, factory)
        listening.address = self.bind("TCP", (interface, port), listening)
        factory.doStart()
        return listening

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None  # noqa: N803
    ) -> Connector:
        """
        A TCP connection under way, as a reactor makes it.
        """
        connector = Connector(self, (host, port), factory, timeout, bindAddress)
        connector.connect()
        return connector

    def bind(self, kind: str, address: Address, endpoint: Any) -> Address:
        """
        Take an address and port, or any free port for port 0.

        Raises:
            CannotListenError: When it is taken or not this host's, as the kernel would say.
        """
        host, port = address
        if host not in WILDCARDS and host not in self.addresses and not is_loopback(host):
            raise CannotListenError(host, port, OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"))
        while port == 0:
            free = next(self._ephemeral)
            port = 0 if self._taken(kind, host, free) else free
        if self._taken(kind, host, port):
            raise CannotListenError(host, port, OSError(errno.EADDRINUSE, "Address already in use"))
        self.bound[kind, "" if host in WILDCARDS else host, port] = endpoint
        return host, port

    def release(self, endpoint: Any) -> None:
        """
        Give back what this endpoint was bound to.
        """
        for key in [key for key, value in self.bound.items() if value is endpoint]:
            del self.bound[key]

    def endpoint(self, kind: str, address: Address) -> Any:
        """
        What listens at an address of this host, or ``None``.
        """
        host, port = address
        if host not in self.addresses and not is_loopback(host):
            return None
        return self.bound.get((kind, host, port)) or self.bound.get((kind, "", port))

    def source(self, bound: str, destination: str) -> str:
        """
        The address a packet leaves with from a socket bound to ``bound``.
        """
        if bound not in WILDCARDS:
            return bound
        if is_loopback(destination):
            return destination
        near = destination.rpartition(":" if ":" in destination else ".")[0]
        for ip in self.addresses:
            # The hosts of one /24 (or /112) are neighbours.
            if ip.rpartition(":" if ":" in ip else ".")[0] == near:
                return ip
        return next((ip for ip in self.addresses if (":" in ip) == (":" in destination)), destination)

    def seen_as(self, source: Address, destination: Address) -> Address:
        """
        What the receiver takes for the source: the NAT's outside where one is on the way.
        """
        peer = self.network.hosts.get(destination[0])
        if self.nat is None or is_loopback(destination[0]) or (peer is not None and peer.nat is self.nat):
            return source
        return self.nat.outward(source, destination)

    def _taken(self, kind: str, host: str, port: int) -> bool:
        if host in WILDCARDS:
            return any(key[0] == kind and key[2] == port for key in self.bound)
        return (kind, host, port) in self.bound or (kind, "", port) in self.bound


class Nat:
    """
    A NAT box that, like those at home, gives each inside address and port one outside port, and lets in only answers.

    Attributes:
        outside: The address the outside sees.
        timeout: Seconds after which a mapping that carried nothing is forgotten, or ``None`` for never.
        mappings: Inside address and port to outside port.
    """

    def __init__(self, clock: Clock, outside: str) -> None:
        self.outside = outside
        self.timeout: float | None = None
        self.mappings: dict[Address, int] = {}
        self._clock = clock
        self._used: dict[int, float] = {}
        self._allowed: dict[int, set[Address]] = {}
        self._ports = itertools.count(20000)

    def flush(self) -> None:
        """
        Forget every mapping, as a box does that is switched off and on.
        """
        self.mappings.clear()
        self._used.clear()
        self._allowed.clear()

    def outward(self, source: Address, destination: Address) -> Address:
        """
        What an inside source looks like outside.
        """
        self._expire()
        port = self.mappings.setdefault(source, 0) or next(self._ports)
        self.mappings[source] = port
        self._used[port] = self._clock.seconds()
        self._allowed.setdefault(port, set()).add(destination)
        return self.outside, port

    def inward(self, source: Address, destination: Address) -> Address | None:
        """
        Where a packet from outside goes, or ``None`` when it is not let in.
        """
        self._expire()
        port = destination[1]
        if source not in self._allowed.get(port, ()):
            return None
        self._used[port] = self._clock.seconds()
        return next(inside for inside, outside in self.mappings.items() if outside == port)

    def _expire(self) -> None:
        if self.timeout is None:
            return
        oldest = self._clock.seconds() - self.timeout
        for inside, port in list(self.mappings.items()):
            if self._used[port] < oldest:
                del self.mappings[inside], self._used[port], self._allowed[port]
