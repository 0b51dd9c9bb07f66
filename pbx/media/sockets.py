"""
The sockets that media flows through.
"""

from __future__ import annotations

import ctypes
import os
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

    def connect(self, address: Any, /) -> None:
        """
        Hear one peer alone, and send to it without saying so each time.
        """

    def disconnect(self) -> None:
        """
        Hear everybody again.
        """

    def recv_into(self, buffer: bytearray, /) -> int:
        """
        Read a datagram of the peer: its length.
        """

    def send(self, data: bytes | bytearray | memoryview, flags: int = 0, /) -> int:
        """
        Send a datagram to the peer.
        """

    def handed_on(self) -> DatagramSocket:
        """
        The same socket for its next user; this one is closed from now on.
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


class KernelSocket(socket.SocketType):
    """
    A UDP socket of the kernel that can be disconnected again, which Python's own can't.
    """

    def disconnect(self) -> None:
        """
        Hear everybody again; address and port stay bound, when they were bound by number.

        Raises:
            OSError: The socket is closed.
        """
        # connect(2): an address of family AF_UNSPEC dissolves the association.
        if _libc.connect(self.fileno(), _UNSPECIFIED, len(_UNSPECIFIED)) < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def handed_on(self) -> KernelSocket:
        """
        The same socket for its next user, with the same descriptor; this one is closed from now on.
        """
        return KernelSocket(self.family, self.type, self.proto, self.detach())


_libc = ctypes.CDLL(None, use_errno=True)
_UNSPECIFIED = bytes(16)


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
    opened = KernelSocket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
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
