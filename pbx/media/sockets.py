"""
The sockets that media flows through.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

Address = tuple[Any, ...]
"""Host and port; the kernel adds flow label and scope for IPv6."""


class DatagramSocket(Protocol):
    """
    What media needs of a non-blocking UDP socket; ``socket.socket`` has it.
    """

    def recvfrom_into(self, buffer: bytearray, /) -> tuple[int, Address]:
        """
        Read a datagram: its length and source.
        """

    def sendto(self, data: bytes | bytearray | memoryview, address: Any, /) -> int:
        """
        Send a datagram.
        """

    def fileno(self) -> int:
        """
        The file descriptor.
        """

    def close(self) -> None:
        """
        Give the port back.
        """


if TYPE_CHECKING:
    OpenSocket = Callable[[str, int, int], DatagramSocket]


def open_socket(host: str, port: int, dscp: int) -> DatagramSocket:
    """
    A UDP socket of the kernel, bound and not blocking.

    Without ``SO_REUSEADDR``, which would let a second program take the same port silently.

    Args:
        host: A numeric address of this machine.
        port: The port to bind.
        dscp: The mark on what is sent (RFC 2474).

    Raises:
        OSError: The port is taken, or the address is not ours.
    """
    six = ":" in host
    family = socket.AF_INET6 if six else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        opened.bind((host, port))
        if six:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
        else:
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
    except OSError:
        opened.close()
        raise
    return opened
