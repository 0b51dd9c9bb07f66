"""
What the operator decides about transports.
"""

from __future__ import annotations

from attrs import frozen

PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
"""Networks whose hosts see this machine under its own address (RFC 1918, RFC 4193)."""


@frozen(kw_only=True)
class TransportSettings:
    """
    Where the PBX listens, what it calls itself, and how much strangers may hold open.

    Attributes:
        sip_hosts: Addresses to listen on. ``0.0.0.0`` is every IPv4 address of the machine, ``::`` every IPv6
            address, each with a socket of its own.
        sip_port: The port for UDP and TCP.
        tls_port: The port for TLS, or ``None`` for no TLS.
        external_ip: The address that peers outside ``local_networks`` are told, or ``None`` when there is no NAT.
        local_networks: Networks whose hosts are told our own address. Loopback and link-local always are.
        dscp: The mark on SIP packets (RFC 4594 4.2: CS3 is 24).
        idle_timeout: Seconds within which a connection must bring its first whole message, and any message its end.
        unused_timeout: Seconds without a message after which a connection that nobody waits for is closed.
        connect_timeout: Seconds for a connection of ours to be made.
        max_connections: Accepted connections in total. Each costs a file and some 20 kB with TLS.
        max_connections_per_address: Accepted connections from one address: an office behind one NAT has hundreds.
        max_flows: UDP peers whose flow is remembered though nobody holds it.
        max_unsent: Bytes that may wait in a connection whose peer does not read.
        addresses_interval: Seconds between looks at the addresses of the machine.
    """

    sip_hosts: tuple[str, ...] = ("0.0.0.0",)  # noqa: S104  # one socket per address is what the default is to do
    sip_port: int = 5060
    tls_port: int | None = None
    external_ip: str | None = None
    local_networks: tuple[str, ...] = PRIVATE_NETWORKS
    dscp: int = 24
    idle_timeout: float = 30.0
    unused_timeout: float = 600.0
    connect_timeout: float = 5.0
    max_connections: int = 10_000
    max_connections_per_address: int = 4_000
    max_flows: int = 16_384
    max_unsent: int = 1_048_576
    addresses_interval: float = 5.0
