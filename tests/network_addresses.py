"""
Addresses on the network in memory.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address

Address = tuple[str, int]

WILDCARDS = ("", "0.0.0.0", "::")  # noqa: S104
"""Addresses to bind to that mean every address of a host."""


def is_loopback(address: str) -> bool:
    """
    Whether an address means the very host that uses it.
    """
    return address.startswith("127.") or address == "::1"


def as_address(kind: str, address: Address) -> IPv4Address | IPv6Address:
    """
    An address as Twisted's transports give it.
    """
    return (IPv6Address if ":" in address[0] else IPv4Address)(kind, *address)  # type: ignore[arg-type]  # "TCP" or "UDP"
