"""
SIP over UDP: a socket, and a flow for each peer it speaks with.
"""

from __future__ import annotations

import errno
import socket
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakValueDictionary

from twisted.internet.error import MessageLengthError
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from pbx.sip.error import ParseError
from pbx.sip.parser import MAX_MESSAGE, is_keep_alive, parse
from pbx.transport.batch import BatchedReader
from pbx.transport.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorUDP

    from pbx.transport.naming import Naming
    from pbx.transport.reception import Reception
    from pbx.transport.settings import TransportSettings

RECEIVE_BUFFER = 4 * 1024 * 1024
"""Bytes the kernel may hold for us (as far as net.core.rmem_max allows): some 5,000 messages, a power cut's return."""

MOST_HELD = 64
"""Messages held back at once: one to a group of phones makes a whole bundle of them."""

LONGEST_KEEP_ALIVE = 8
"""Bytes: the keep-alives of phones have two or four, and blanks beyond that are somebody's mistake."""


class UdpFlow(Flow):
    """
    The way to one UDP peer.
    """

    __slots__ = ("_socket",)

    transport: ClassVar[str] = "UDP"

    def __init__(self, owner: UdpSocket, remote: tuple[str, int], sent_by: tuple[str, int]) -> None:
        super().__init__(owner.address, remote, sent_by)
        self._socket = owner

    def send(self, data: bytes) -> None:
        """
        Hand one message to the network.
        """
        self._socket.send(data, self)

    def on_close(self, callback: Callable[[Flow], object]) -> None:
        """
        Do nothing: a UDP flow never ends.
        """

    def off_close(self, callback: Callable[[Flow], object]) -> None:
        """
        Do nothing.
        """


class UdpSocket(DatagramProtocol):
    """
    One UDP socket, bound to one address.

    Its flows stay good when the address goes away for a while and the socket is bound anew.

    Attributes:
        address: The address and port that is bound.
        failures: Messages the kernel did not take: no route, too long, a full queue. They count as lost.
    """

    log = Logger()
    noisy = False

    def __init__(self, host: str, settings: TransportSettings, reception: Reception, naming: Naming) -> None:
        self.address = (host, settings.sip_port)
        self.failures = 0
        self._settings = settings
        self._reception = reception
        self._naming = naming
        self._sendto: Callable[[bytes, tuple[str, int]], object] | None = None
        self._port: Any = None
        self._reader: BatchedReader | None = None
        self._bundle: list[tuple[bytes, UdpFlow]] | None = None
        # Flows used of late, oldest first; and all that somebody still holds, so that a peer never has two.
        self._recent: OrderedDict[tuple[str, int], UdpFlow] = OrderedDict()
        self._held: WeakValueDictionary[tuple[str, int], UdpFlow] = WeakValueDictionary()

    @property
    def bound(self) -> bool:
        """
        Whether the socket is open.
        """
        return self._port is not None

    def bind(self, reactor: IReactorUDP) -> None:
        """
        Open the socket.

        Raises:
            CannotListenError: When the address and port cannot be had.
        """
        host, port = self.address
        # No SO_REUSEADDR: with it a second server would bind as well, and each would hear half of the phones.
        self._port = reactor.listenUDP(port, self, interface=host, maxPacketSize=MAX_MESSAGE)
        self.address = (host, self._port.getHost().port)
        self._naming.add(*self.address)
        raw: socket.socket | None = getattr(self._port, "socket", None)
        # The port's own write looks at each address again to see whether it is one; ours come from the kernel.
        self._sendto = self._port.write if raw is None else raw.sendto
        if raw is not None:
            mark(raw, self._settings.dscp)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            self._reader = BatchedReader(reactor, self._port)

    def unbind(self) -> Deferred[None] | None:
        """
        Close the socket. What is sent until it is bound again is lost, as on a network that is down.
        """
        # What was sent before is not lost.
        self.release()
        port, self._port, self._sendto = self._port, None, None
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.stop()
        if port is None:
            return None
        closed: Deferred[None] | None = port.stopListening()
        return closed

    def flow(self, remote: tuple[str, int]) -> UdpFlow:
        """
        The flow to a peer, always the same one while somebody holds it.

        Args:
            remote: The peer's address and port.
        """
        flow = self._recent.get(remote)
        if flow is not None:
            self._recent.move_to_end(remote)
            return flow
        flow = self._held.get(remote)
        if flow is None:
            flow = self._held[remote] = UdpFlow(self, remote, self._naming.sent_by(*self.address, remote[0]))
        self._recent[remote] = flow
        if len(self._recent) > self._settings.max_flows:
            self._recent.popitem(last=False)
        return flow

    def rename(self) -> None:
        """
        Name what the naming says now to every peer.
        """
        for flow in list(self._held.values()):
            flow.sent_by = self._naming.sent_by(*self.address, flow.remote[0])

    def send(self, data: bytes, flow: UdpFlow) -> None:
        """
        Send one message to the peer of a flow; whatever goes wrong, it counts as lost on the way.

        Args:
            data: The message.
            flow: A flow of this socket.
        """
        if self._reception.tracing:
            self._reception.trace.sent(flow.name, data)
        bundle = self._bundle
        if bundle is None:
            self._transmit(data, flow)
            return
        bundle.append((data, flow))
        if len(bundle) >= MOST_HELD:
            self.release()
            self.hold()

    def hold(self) -> None:
        """
        Keep what is sent from now on until :meth:`release`, which must come before the reactor goes on.
        """
        self._bundle = []

    def release(self) -> None:
        """
        Hand what was held to the network, in order, and from now on everything at once.
        """
        bundle, self._bundle = self._bundle, None
        for data, flow in bundle or ():
            try:
                self._transmit(data, flow)
            except Exception:  # noqa: BLE001 - the border: one must not keep the others from being sent
                self.log.failure("{flow}: a message could not be sent", flow=flow.name)

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """
        A datagram came.
        """
        reception = self._reception
        if not reception.guard.allowed(addr[0]):
            return
        if len(datagram) <= LONGEST_KEEP_ALIVE and is_keep_alive(datagram):
            reception.keep_alives += 1
            if datagram == b"\r\n\r\n":
                # RFC 5626 3.5.1 has this over streams; phones that send it over UDP are glad of the answer too.
                self.send(b"\r\n", self.flow(addr))
            return
        flow = self.flow(addr)
        if reception.tracing:
            reception.trace.received(flow.name, datagram)
        try:
            message = parse(datagram)
        except ParseError as error:
            reception.unreadable(error, flow)
            return
        reception.message(message, flow)

    def _transmit(self, data: bytes, flow: UdpFlow) -> None:
        if self._sendto is None:
            self.failures += 1
            return
        try:
            self._sendto(data, flow.remote)
        except (OSError, MessageLengthError) as error:
            # On UDP, ECONNREFUSED and EHOSTUNREACH tell of an earlier datagram, perhaps another's (RFC 1122 4.1.3.3).
            self.failures += 1
            if getattr(error, "errno", None) not in (errno.EAGAIN, errno.ECONNREFUSED):
                self.log.debug("{flow}: not sent: {error}", flow=flow.name, error=error)


def mark(raw: socket.socket, dscp: int) -> None:
    """
    Put a differentiated services code point on what a socket sends, and on the connections it accepts (RFC 2474 3).

    Args:
        raw: An IPv4 or IPv6 socket.
        dscp: 0 to 63.
    """
    if raw.family == socket.AF_INET6:
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
    else:
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
