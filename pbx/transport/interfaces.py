"""
The addresses of this machine, as the kernel has them now.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from zope.interface import Interface, implementer

if TYPE_CHECKING:
    from collections.abc import Iterator

# linux/rtnetlink.h, linux/netlink.h and linux/if_addr.h
RTM_NEWADDR = 20
RTM_GETADDR = 22
NLM_F_REQUEST = 0x01
NLM_F_DUMP = 0x300
NLMSG_ERROR = 2
NLMSG_DONE = 3
IFA_ADDRESS = 1
IFA_LOCAL = 2
IFA_F_DADFAILED = 0x08
IFA_F_TENTATIVE = 0x40
RT_SCOPE_LINK = 253

HEADER = struct.Struct("=IHHII")
ADDRESS_MESSAGE = struct.Struct("=BBBBI")
ATTRIBUTE = struct.Struct("=HH")


class IInterfaces(Interface):
    """
    Who knows the addresses of this machine.
    """

    def local_addresses() -> list[str]:
        """
        Every address that can be bound to, loopback included, link-local IPv6 not.
        """

    def source_for(peer: str) -> str | None:  # noqa: N805
        """
        The address that packets to a peer leave with, or ``None`` when there is no way to it.
        """


@implementer(IInterfaces)
class KernelInterfaces:
    """
    The addresses as Linux tells them.
    """

    def local_addresses(self) -> list[str]:
        """
        Every address that can be bound to, read over rtnetlink in some 50 µs.

        Raises:
            OSError: When the kernel does not tell.
        """
        found: dict[str, None] = {}
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
            netlink.settimeout(1.0)
            request = ADDRESS_MESSAGE.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
            length = HEADER.size + len(request)
            netlink.send(HEADER.pack(length, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + request)
            done = False
            while not done:
                done = _read_addresses(netlink.recv(65_536), found)
        return list(found)

    def source_for(self, peer: str) -> str | None:
        """
        The address that packets to a peer leave with: what routing gives a socket that is connected there.
        """
        family = socket.AF_INET6 if ":" in peer else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((peer, 9))
                address: str = probe.getsockname()[0]
                return address
        except OSError:
            return None


def _read_addresses(data: bytes, found: dict[str, None]) -> bool:
    """
    Note the addresses of one piece of the kernel's answer; whether it was the last.
    """
    offset = 0
    while offset + HEADER.size <= len(data):
        length, kind, _, _, _ = HEADER.unpack_from(data, offset)
        if kind == NLMSG_DONE:
            return True
        if kind == NLMSG_ERROR or length < HEADER.size:
            raise OSError("the kernel does not tell the addresses of this machine")
        if kind == RTM_NEWADDR:
            start = offset + HEADER.size
            family, _, flags, scope, _ = ADDRESS_MESSAGE.unpack_from(data, start)
            attributes = dict(_attributes(data, start + ADDRESS_MESSAGE.size, offset + length))
            # On a point-to-point link IFA_ADDRESS is the far end's; IFA_LOCAL is then ours.
            packed = attributes.get(IFA_LOCAL) or attributes.get(IFA_ADDRESS)
            usable = not flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) and not (
                family == socket.AF_INET6 and scope == RT_SCOPE_LINK
            )
            if packed is not None and usable:
                found[socket.inet_ntop(family, packed)] = None
        offset += (length + 3) & ~3
    return False


def _attributes(data: bytes, offset: int, end: int) -> Iterator[tuple[int, bytes]]:
    while offset + ATTRIBUTE.size <= end:
        length, kind = ATTRIBUTE.unpack_from(data, offset)
        if length < ATTRIBUTE.size:
            return
        yield kind, data[offset + ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
