"""
What we call ourselves towards each peer (RFC 3261 18.1.1).
"""

from __future__ import annotations

from collections import deque
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.sip.via import Via
    from pbx.transport.settings import TransportSettings

DEFAULT_PORTS = {"UDP": 5060, "TCP": 5060, "TLS": 5061}
"""The port that is meant where a Via or URI gives none (RFC 3261 18.2.2, 19.1.2)."""

NEAR_NETWORKS = ("127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10")
"""Loopback and link-local: no router, so no NAT, can lie between."""


EARLIER = 8
"""External addresses of before that are still known: a line of the provider's that changes daily needs one."""


class Naming:
    """
    Our own addresses as peers know them.
    """

    def __init__(self, settings: TransportSettings) -> None:
        """
        The naming that the operator's settings ask for.

        Raises:
            ValueError: When an address or network in the settings is none.
        """
        self._external: str | None = None
        self._version = 0
        self._local: list[IPv4Network | IPv6Network] = []
        self._listening: dict[tuple[str, int], None] = {}
        # Answers to what was sent under an earlier address may still come.
        self._earlier: deque[str] = deque(maxlen=EARLIER)
        self._ours: set[tuple[str, int]] = set()
        self.change(settings.external_ip, settings.local_networks)

    def add(self, host: str, port: int) -> None:
        """
        We listen at this address: responses may name it.

        Args:
            host: One of our addresses.
            port: The port.
        """
        self._listening[host, port] = None
        self._reckon()

    @property
    def external(self) -> str | None:
        """
        The address that peers outside the local networks are told; ``None`` for our own.
        """
        return self._external

    def change(self, external_ip: str | None, local_networks: Sequence[str]) -> None:
        """
        Be called otherwise from now on.

        Args:
            external_ip: The address that peers outside the local networks are told, or ``None`` for our own.
            local_networks: Networks whose hosts are told our own.

        Raises:
            ValueError: When an address or network is none; then nothing changes.
        """
        version = 0 if external_ip is None else ip_address(external_ip).version
        local = [ip_network(network, strict=False) for network in (*NEAR_NETWORKS, *local_networks)]
        if self._external not in (None, external_ip):
            self._earlier.append(str(self._external))
        self._external, self._version, self._local = external_ip, version, local
        self._reckon()

    def _reckon(self) -> None:
        self._ours = set(self._listening)
        for external in (self._external, *self._earlier):
            if external is not None:
                self._ours.update((external, port) for _, port in self._listening)

    def sent_by(self, host: str, port: int, peer: str) -> tuple[str, int]:
        """
        What Via, Contact and SDP name towards a peer.

        Args:
            host: The address of our socket, never a wildcard.
            port: The port we listen on with that transport.
            peer: The peer's address.
        """
        if self._external is None or self.is_local(peer):
            return host, port
        # Over IPv6 there is no address translation to speak of: an external IPv4 address is no use to that peer.
        return (self._external if (":" in peer) == (self._version == 6) else host), port

    def is_local(self, peer: str) -> bool:
        """
        Whether a peer reaches us under our own address.

        Args:
            peer: The peer's address.
        """
        ip = ip_address(peer.partition("%")[0])
        return any(ip in network for network in self._local if network.version == ip.version)

    def is_ours(self, via: Via) -> bool:
        """
        Whether a Via was put there by us.

        Args:
            via: The top Via of a response.
        """
        return (via.host, via.port or DEFAULT_PORTS.get(via.transport, 5060)) in self._ours
