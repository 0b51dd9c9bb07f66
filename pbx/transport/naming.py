"""
What we call ourselves towards each peer (RFC 3261 18.1.1).
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pbx.sip.via import Via
    from pbx.transport.settings import TransportSettings

DEFAULT_PORTS = {"UDP": 5060, "TCP": 5060, "TLS": 5061}
"""The port that is meant where a Via or URI gives none (RFC 3261 18.2.2, 19.1.2)."""

NEAR_NETWORKS = ("127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10")
"""Loopback and link-local: no router, so no NAT, can lie between."""


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
        self._external = settings.external_ip
        self._version = 0 if settings.external_ip is None else ip_address(settings.external_ip).version
        self._local = [ip_network(network, strict=False) for network in (*NEAR_NETWORKS, *settings.local_networks)]
        self._ours: set[tuple[str, int]] = set()

    def add(self, host: str, port: int) -> None:
        """
        We listen at this address: responses may name it.

        Args:
            host: One of our addresses.
            port: The port.
        """
        self._ours.add((host, port))
        if self._external is not None:
            self._ours.add((self._external, port))

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
