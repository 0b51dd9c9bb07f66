"""
From a URI to the places it can be sent to, best first (RFC 3263).
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Target:
    """
    One place a request can be sent to.

    Attributes:
        transport: ``"UDP"``, ``"TCP"`` or ``"TLS"``.
        host: An IPv4 or IPv6 address, never a name.
        port: The port.
        name: The name that was asked for, which a TLS certificate must bear (RFC 5922 4); empty for an address.
        verify: Whether the TLS certificate is checked at all.
    """

    transport: str
    host: str
    port: int
    name: str = ""
    verify: bool = True
