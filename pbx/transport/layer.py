"""
The transport layer: every socket SIP uses, and the way from bytes to messages and back (RFC 3261 18).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from pbx.transport.connections import Connections
from pbx.transport.flow import Flow, FlowClosed, address_text
from pbx.transport.interfaces import IInterfaces, KernelInterfaces
from pbx.transport.naming import Naming
from pbx.transport.reception import IMessageReceiver as IMessageReceiver
from pbx.transport.reception import Reception
from pbx.transport.settings import TransportSettings as TransportSettings
from pbx.transport.udp import UdpSocket, mark

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.internet.interfaces import IDelayedCall, IListeningPort

    from pbx.transport.guard import Guard
    from pbx.transport.resolver import Target
    from pbx.transport.tls import ServerCertificate
    from pbx.transport.trace import ITrace

WILDCARDS = {"0.0.0.0": 4, "::": 6}  # noqa: S104
"""What stands for every address of a family."""


class ListenError(Exception):
    """
    An address and port that cannot be listened on, and why, in words for the operator.

    Attributes:
        number: The kernel's error number, or ``None``.
    """

    def __init__(self, text: str, number: int | None = None) -> None:
        super().__init__(text)
        self.number = number


class TransportLayer:
    """
    Every socket SIP uses.

    Each local address has a UDP socket, a TCP port and, with a certificate, a TLS port of its own, so that an answer
    leaves from the address the request came to.

    Attributes:
        reception: What became of the messages that arrived; its counters are for statistics.
        connections: The TCP and TLS connections; its counters are for statistics.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: TransportSettings,
        guard: Guard,
        trace: ITrace,
        tls: ServerCertificate | None = None,
        interfaces: IInterfaces | None = None,
        trust_root: Any = None,
    ) -> None:
        """
        A layer that does not listen yet.

        Args:
            reactor: Makes the sockets and runs the timers.
            settings: What the operator decided.
            guard: Asked before a message is parsed; its ``on_blocked`` is taken.
            trace: Shown every message.
            tls: What we show on the TLS port; without it there is none.
            interfaces: Knows the addresses of this machine; the kernel when ``None``.
            trust_root: Whose certificates are trusted, as for ``optionsForClientTLS``; the system's authorities when
                ``None``.

        Raises:
            ValueError: When an address or network in the settings is none.
        """
        self._reactor = reactor
        self._settings = settings
        self._tls = tls
        self._interfaces: IInterfaces = KernelInterfaces() if interfaces is None else interfaces
        self._naming = Naming(settings)
        self.reception = Reception(guard, trace, self._naming)
        self.connections = Connections(reactor, settings, self.reception, self._naming, trust_root)
        guard.on_blocked = self.connections.address_blocked
        # All that were ever bound, by address: the flows of one that went away are good again when it is back.
        self._udp: dict[str, UdpSocket] = {}
        self._ports: dict[tuple[str, str], IListeningPort] = {}
        self._reread: IDelayedCall | None = None
        self._complained: set[str] = set()
        self._external_observers: list[Callable[[], object]] = []

    @property
    def receiver(self) -> IMessageReceiver | None:
        """
        Who is handed each message; set once.
        """
        return self.reception.receiver

    @receiver.setter
    def receiver(self, receiver: IMessageReceiver) -> None:
        self.reception.receiver = receiver

    @property
    def sockets(self) -> list[tuple[str, str, int]]:
        """
        What is listened on: transport, address and port.
        """
        found = [("UDP", *udp.address) for udp in self._udp.values() if udp.bound]
        for (kind, host), port in self._ports.items():
            address: Any = port.getHost()
            found.append((kind, host, address.port))
        return found

    @property
    def counters(self) -> dict[str, int]:
        """
        What was counted since the start, by name.
        """
        reception, connections, guard = self.reception, self.connections, self.reception.guard
        return {
            "messages": reception.messages,
            "keep_alives": reception.keep_alives,
            "malformed": reception.malformed,
            "foreign_responses": reception.foreign,
            "not_sent": sum(udp.failures for udp in self._udp.values()),
            "connections": len(connections),
            "connections_refused": connections.refused,
            "connections_displaced": connections.displaced,
            "blocked": guard.refused,
            "held_back": guard.held_back,
        }

    def start(self) -> None:
        """
        Open every socket; when one cannot be had, none is.

        Raises:
            ListenError: Names the address and port that is taken or is not ours.
        """
        hosts = self._hosts()
        if not hosts:
            raise ListenError(f"this machine has no address that {', '.join(self._settings.sip_hosts)} stands for")
        for host in hosts:
            try:
                self._listen(host)
            except ListenError as error:
                if error.number == errno.EADDRNOTAVAIL and host not in self._settings.sip_hosts:
                    # It went, or is still being looked at for a double (RFC 4862 5.4), since it was listed.
                    continue
                self._close_ports()
                raise
        if any(host in WILDCARDS for host in self._settings.sip_hosts):
            self._reread = self._reactor.callLater(self._settings.addresses_interval, self._look_again)

    def stop(self) -> Deferred[None]:
        """
        Close every socket and connection, so that phones on connections notice and come back.

        Returns:
            A Deferred that fires when all are closed.
        """
        if self._reread is not None:
            self._reread.cancel()
            self._reread = None
        ended: list[Deferred[Any]] = [self.connections.close_all(), *self._close_ports()]
        return DeferredList(ended).addCallback(lambda _: None)

    def rename(self, external_ip: str | None, local_networks: Sequence[str]) -> None:
        """
        Be called otherwise towards every peer, also over the flows that are there: from the next message on Via,
        Contact and a new call's SDP name the new address. Whatever is under way is answered as it was asked.

        Args:
            external_ip: The address that peers outside the local networks are told, or ``None`` for our own.
            local_networks: Networks whose hosts are told our own.

        Raises:
            ValueError: When an address or network is none; then nothing changes.
        """
        before = self._naming.external
        self._naming.change(external_ip, local_networks)
        for udp in self._udp.values():
            udp.rename()
        self.connections.rename()
        if external_ip == before:
            return
        for callback in self._external_observers:
            try:
                callback()
            except Exception:  # noqa: BLE001 - the border: one observer's mistake must not keep the others uninformed
                self.log.failure("an observer of the external address failed")

    @property
    def external(self) -> str | None:
        """
        The address that peers outside the local networks are told; ``None`` for our own.
        """
        return self._naming.external

    def on_external_change(self, callback: Callable[[], object]) -> None:
        """
        Have ``callback()`` called each time after our external address has changed: what named the old one to a peer
        that calls back, such as a registration, is to be said again.
        """
        self._external_observers.append(callback)

    async def open(self, target: Target) -> Flow:
        """
        A flow to a place: at once over UDP, else over a connection that is made or used again.

        Args:
            target: The place.

        Raises:
            FlowClosed: When no connection comes about, with the reason.
        """
        if target.transport == "UDP":
            return self.udp_flow((target.host, target.port))
        return await self.connections.open(target)

    def udp_flow(self, remote: tuple[str, int], local: tuple[str, int] | None = None) -> Flow:
        """
        The flow to a UDP peer.

        Args:
            remote: The peer's address and port.
            local: Our socket's address and port, or ``None`` for the one that routing chooses.

        Raises:
            FlowClosed: When we have no socket for it.
        """
        if local is not None:
            udp = self._udp.get(local[0])
            if udp is None or udp.address != local:
                raise FlowClosed(f"there is no UDP socket at {address_text(*local)}")
            return udp.flow(remote)
        fitting = [udp for host, udp in self._udp.items() if udp.bound and (":" in host) == (":" in remote[0])]
        if not fitting:
            raise FlowClosed(f"there is no UDP socket that reaches {address_text(*remote)}")
        if len(fitting) > 1:
            source = self._interfaces.source_for(remote[0])
            fitting = [udp for udp in fitting if udp.address[0] == source] or fitting
        return fitting[0].flow(remote)

    def _hosts(self) -> list[str]:
        hosts: dict[str, None] = {}
        for host in self._settings.sip_hosts:
            if host in WILDCARDS:
                for address in self._interfaces.local_addresses():
                    if (":" in address) == (WILDCARDS[host] == 6):
                        hosts[address] = None
            else:
                hosts[host] = None
        return list(hosts)

    def _listen(self, host: str) -> None:
        """
        Open what is not open yet at an address.
        """
        settings = self._settings
        udp = self._udp.get(host)
        if udp is None:
            udp = UdpSocket(host, settings, self.reception, self._naming)
        if not udp.bound:
            with _Plainly("UDP", *udp.address):
                udp.bind(self._reactor)
            self._udp[host] = udp
        self._accept("TCP", host, udp.address[1], None)
        if self._tls is not None and settings.tls_port is not None:
            self._accept("TLS", host, settings.tls_port, self._tls)

    def _accept(self, kind: str, host: str, port: int, certificate: ServerCertificate | None) -> None:
        if (kind, host) in self._ports:
            return
        with _Plainly(kind, host, port):
            listening = self.connections.listen(kind, host, port, certificate)
        self._ports[kind, host] = listening
        raw = getattr(listening, "socket", None)
        if raw is not None:
            mark(raw, self._settings.dscp)

    def _close_ports(self, hosts: list[str] | None = None) -> list[Deferred[Any]]:
        ended: list[Any] = [
            udp.unbind() for host, udp in self._udp.items() if udp.bound and (hosts is None or host in hosts)
        ]
        closing = [key for key in self._ports if hosts is None or key[1] in hosts]
        ended.extend(self._ports.pop(key).stopListening() for key in closing)
        return [deferred for deferred in ended if isinstance(deferred, Deferred)]

    def _look_again(self) -> None:
        """
        Follow the addresses of the machine.
        """
        self._reread = self._reactor.callLater(self._settings.addresses_interval, self._look_again)
        try:
            wanted = self._hosts()
        except OSError:
            self.log.failure("the addresses of this machine could not be read")
            return
        listening = {socket[1] for socket in self.sockets}
        gone = [host for host in listening if host not in wanted]
        if gone:
            self.log.warn("no longer listening on {hosts}: not an address of this machine any more", hosts=gone)
            self._close_ports(gone)
        self._complained.intersection_update(wanted)
        for host in wanted:
            try:
                self._listen(host)
            except ListenError as error:
                if host not in self._complained:
                    self._complained.add(host)
                    self.log.error("{error}", error=error)
            else:
                self._complained.discard(host)
                if host not in listening:
                    self.log.info("now listening on {host} too", host=host)


class _Plainly:
    """
    Turns a refusal by the kernel into words that name the address, the port and what to do.
    """

    def __init__(self, kind: str, host: str, port: int) -> None:
        self._where = f"{kind} {address_text(host, port)}"

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, CannotListenError):
            return
        number = getattr(error.socketError, "errno", None)
        if number == errno.EADDRINUSE:
            why = "the port is taken: another program, or another PBX, is listening there"
        elif number == errno.EADDRNOTAVAIL:
            why = "this is not an address of this machine"
        elif number == errno.EACCES:
            why = "ports below 1024 need a privilege this program does not have"
        else:
            why = str(getattr(error.socketError, "strerror", None) or error.socketError)
        raise ListenError(f"cannot listen on {self._where}: {why}", number) from error
