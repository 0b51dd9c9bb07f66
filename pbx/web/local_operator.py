"""
The local operator: whoever asks over loopback and is root, the exchange's own user, or in the group ``pbx-admin``.

The kernel's socket table says whose the other end of a connection is, as PostgreSQL's ident does it, but by
NETLINK_SOCK_DIAG (sock_diag(7)). A browser never counts, since any page in it can send requests to loopback.
"""

from __future__ import annotations

import errno
import grp
import ipaddress
import os
import pwd
import re
import socket
import struct
from typing import TYPE_CHECKING, Any

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from pbx.web.identity import IIdentity

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from twisted.web.iweb import IRequest

ADMIN_GROUP = "pbx-admin"

BROWSER_HEADERS = ("origin", "referer", "cookie")
"""What only a browser sends, besides those that begin with ``Sec-Fetch-`` (W3C Fetch Metadata)."""

PROXY_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
"""What a proxy adds: then the socket is the proxy's, and the person is elsewhere."""

_SOCK_DIAG_BY_FAMILY = 20
_NLMSG_ERROR = 2
_NLM_F_REQUEST = 1
_NETLINK_SOCK_DIAG = 4
_ESTABLISHED = 1
_NO_COOKIE = b"\xff" * 8

_HEADER = struct.Struct("=IHHII")
"""``struct nlmsghdr``: length, type, flags, sequence, port."""

_REQUEST = struct.Struct("=BBBxI")
"""The head of ``struct inet_diag_req_v2``: family, protocol, extensions, wanted states; the identity follows."""

_ANSWER = struct.Struct("=BBBB48xIIIII")
"""``struct inet_diag_msg``: family, state, timer, retransmissions, the identity, expiry, two queues, uid, inode."""


@attrs.frozen
class Owner:
    """
    Whose a socket is.

    Attributes:
        uid: The user.
        inode: Of the socket; 0 when no process has it any more.
        state: 1 is ESTABLISHED (``net/tcp_states.h``).
    """

    uid: int
    inode: int
    state: int

    @property
    def is_certain(self) -> bool:
        """
        Whether a living process has the socket.

        The socket of a client that has closed already is an orphan, and an orphan's uid reads 0, as root's.
        """
        return self.state == _ESTABLISHED and self.inode != 0


def socket_owner(local: tuple[str, int], remote: tuple[str, int]) -> Owner | None:
    """
    Whose the TCP socket with these two ends is, asked from the kernel in some 12 microseconds.

    Args:
        local: Its own address and port.
        remote: The address and port it is connected to.

    Returns:
        The owner, or ``None`` when there is no such socket on this machine.
    """
    family, ends = _identity(local, remote)
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 1 << _ESTABLISHED) + ends
    message = _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_SOCK_DIAG) as kernel:
        kernel.send(message)
        # The kernel answers before send returns; were it otherwise, this would raise and not wait.
        answer = kernel.recv(4096)
    _, kind, _, _, _ = _HEADER.unpack_from(answer)
    if kind == _NLMSG_ERROR:
        (code,) = struct.unpack_from("=i", answer, _HEADER.size)
        if -code == errno.ENOENT:
            return None
        raise OSError(-code, os.strerror(-code))
    _, state, _, _, _, _, _, uid, inode = _ANSWER.unpack_from(answer, _HEADER.size)
    return Owner(uid, inode, state)


def _identity(local: tuple[str, int], remote: tuple[str, int]) -> tuple[int, bytes]:
    """
    ``struct inet_diag_sockid`` of a socket, and its family.
    """
    ours, theirs = ipaddress.ip_address(local[0]), ipaddress.ip_address(remote[0])
    family = socket.AF_INET if ours.version == 4 else socket.AF_INET6
    ports = struct.pack("!HH", local[1], remote[1])
    return family, ports + ours.packed.ljust(16, b"\0") + theirs.packed.ljust(16, b"\0") + bytes(4) + _NO_COOKIE


def unmapped(host: str) -> str:
    """
    An address as it is without the IPv6 dress of a dual-stack socket (``::ffff:127.0.0.1``) or a zone.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def is_loopback_host(value: str) -> bool:
    """
    Whether a ``Host`` header names this machine's loopback: a page on a rebound name elsewhere names that.
    """
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::\d{1,5})?", value)
    if match is None:
        return False
    name = match[1].strip("[]").rstrip(".").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def account(uid: int) -> tuple[str, bool]:
    """
    The name of a user, and whether the user is in the group ``pbx-admin``. May ask a directory server, and wait.
    """
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return str(uid), False
    try:
        group = grp.getgrnam(ADMIN_GROUP)
    except KeyError:
        return entry.pw_name, False
    return entry.pw_name, group.gr_gid == entry.pw_gid or entry.pw_name in group.gr_mem


@implementer(IIdentity)
class LocalOperator:
    """
    Tells whether a request comes from the local operator.
    """

    log = Logger()

    def __init__(
        self,
        in_thread: Callable[[Callable[[int], tuple[str, bool]], int], Awaitable[tuple[str, bool]]],
        look_up: Callable[[int], tuple[str, bool]] = account,
        own_uid: int | None = None,
    ) -> None:
        """
        For the machine it runs on.

        Args:
            in_thread: Calls a function in a thread, since users may be kept in a directory server.
            look_up: The name of a uid, and whether it may administer.
            own_uid: The uid of the exchange.
        """
        self._in_thread = in_thread
        self._look_up = look_up
        self._own_uid = os.getuid() if own_uid is None else own_uid

    async def who(self, request: IRequest) -> str | None:
        """
        ``local:<user>`` when the request is the local operator's, otherwise ``None``.
        """
        owner = self._owner(request)
        if owner is None or not owner.is_certain:
            return None
        name, is_admin = await self._in_thread(self._look_up, owner.uid)
        return f"local:{name}" if owner.uid in (0, self._own_uid) or is_admin else None

    def _owner(self, request: Any) -> Owner | None:
        headers = request.requestHeaders
        names = {name.decode("latin-1").lower() for name, _ in headers.getAllRawHeaders()}
        if not names.isdisjoint((*BROWSER_HEADERS, *PROXY_HEADERS)) or any(n.startswith("sec-fetch-") for n in names):
            return None
        hosts = headers.getRawHeaders("host") or []
        if len(hosts) != 1 or not is_loopback_host(hosts[0]):
            return None
        peer, host = request.getClientAddress(), request.getHost()
        try:
            client, server = unmapped(peer.host), unmapped(host.host)
            if not ipaddress.ip_address(client).is_loopback or not ipaddress.ip_address(server).is_loopback:
                return None
            return socket_owner((client, peer.port), (server, host.port))
        except (AttributeError, ValueError):
            # Not a connection between two addresses.
            return None
        except OSError as error:
            self.log.error("Whose a local request is cannot be told: {error}", error=str(error))
            return None
