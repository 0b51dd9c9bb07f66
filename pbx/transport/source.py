"""
Who a sender is counted as: one IPv4 address, or one IPv6 network of 64 bits.

A host chooses the lower half of its IPv6 address itself, and may take another for each packet (RFC 7421, RFC 8981):
counted one by one, a single machine would have more addresses than could ever be remembered.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network

NETWORK = 64
"""Bits of an IPv6 address that its host cannot choose."""


def source_of(address: str) -> str:
    """
    What the sender at an address is counted as: the address itself, or its network such as ``2001:db8:0:7::/64``.

    Args:
        address: An IPv4 or IPv6 address, with or without a zone; or what this function gave.
    """
    return _network_of(address) if ":" in address else address


@lru_cache(4096)
def _network_of(address: str) -> str:
    ip = IPv6Address(address.partition("%")[0].partition("/")[0])
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(IPv6Network((ip, NETWORK), strict=False))
