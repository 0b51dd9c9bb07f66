"""
Phones behind address translation: Linux network namespaces joined by routers that masquerade.

Each :class:`Household` is two namespaces, a room with the phone in it and a router whose nftables rule gives every
mapping a port of its own (a symmetric NAT, the hardest kind). All routers hang on one bridge of the root namespace;
there the exchange listens, at :attr:`Town.address`. Needs root. Everything carries the process id in its name and is
removed by name.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)

RULES = """
table ip household {
    chain outgoing {
        type nat hook postrouting priority srcnat;
        oifname "street" masquerade fully-random;
    }
}
"""


def _run(*argv: str, text: str | None = None) -> None:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")


@contextmanager
def inside(name: str) -> Iterator[None]:
    """
    Makes the sockets that are created within belong to a namespace; they stay there for good.
    """
    # A thread's network namespace is what new sockets take; os.setns comes only with Python 3.12.
    with Path("/proc/thread-self/ns/net").open() as home, Path(f"/run/netns/{name}").open() as there:
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Household:
    """
    One room behind one router.

    Attributes:
        room: the name of the namespace the phone runs in.
        router: the name of the namespace that masquerades.
        inner: the phone's address, which nobody outside can reach.
        outer: the address the phone seems to have outside.
    """

    def __init__(self, name: str, inner: str, gateway: str, outer: str) -> None:
        self.room = f"{name}-room"
        self.router = f"{name}-router"
        self.inner = inner
        self.gateway = gateway
        self.outer = outer

    @property
    def command(self) -> list[str]:
        """
        What to put before a command that shall run in the room.
        """
        return ["/usr/sbin/ip", "netns", "exec", self.room]

    def build(self, bridge: str, link: str) -> None:
        """
        Lay the cables: room to router, router to the bridge (``link`` names the end that stays in the root namespace).
        """
        for name in (self.room, self.router):
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        _run("ip", "link", "add", link, "type", "veth", "peer", "name", "street", "netns", self.router)
        _run("ip", "link", "set", link, "master", bridge, "up")
        _run("ip", "-n", self.router, "address", "add", f"{self.outer}/24", "dev", "street")
        _run("ip", "-n", self.router, "link", "set", "street", "up")
        _run("ip", "-n", self.router, "link", "add", "home", "type", "veth", "peer", "name", "wall", "netns", self.room)
        _run("ip", "-n", self.router, "address", "add", f"{self.gateway}/24", "dev", "home")
        _run("ip", "-n", self.router, "link", "set", "home", "up")
        _run("ip", "-n", self.room, "address", "add", f"{self.inner}/24", "dev", "wall")
        _run("ip", "-n", self.room, "link", "set", "wall", "up")
        _run("ip", "-n", self.room, "route", "add", "default", "via", self.gateway)
        _run("ip", "netns", "exec", self.router, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        _run("ip", "netns", "exec", self.router, "nft", "-f", "-", text=RULES)

    def remove(self) -> None:
        """
        Take both namespaces away, and with them the cables that end there.
        """
        for name in (self.room, self.router):
            if Path(f"/run/netns/{name}").exists():
                _run("ip", "netns", "del", name)

    def connect(self, port: int) -> socket.socket:
        """
        A TCP connection to a port of the room's loopback interface.
        """
        with inside(self.room):
            return socket.create_connection(("127.0.0.1", port))

    def udp(self) -> socket.socket:
        """
        A UDP socket in the room.
        """
        with inside(self.room):
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.bind((self.inner, 0))
        return opened

    def forget_mappings(self) -> None:
        """
        Flush the router's table of connections, as a restart of the router would.
        """
        # What `conntrack -F` sends (linux/netfilter/nfnetlink_conntrack.h): IPCTNL_MSG_CT_DELETE without a filter.
        subsystem, delete, request_and_ack = 1, 2, 0x5
        with inside(self.router), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netfilter:
            family = struct.pack("=BBH", socket.AF_INET, 0, 0)
            header = struct.pack("=IHHII", 16 + len(family), subsystem << 8 | delete, request_and_ack, 1, 0)
            netfilter.send(header + family)
            answer = netfilter.recv(4096)
        error = struct.unpack_from("=i", answer, 16)[0]
        if error:
            raise OSError(-error, os.strerror(-error))


class Town:
    """
    Households on one street, and the exchange's address on it.

    Attributes:
        address: where the exchange listens, in the root namespace.
        households: as many as were asked for.
    """

    def __init__(self, count: int = 2) -> None:
        # 198.18.0.0/15 is kept for tests between networks (RFC 2544); one /24 a process.
        self._name = f"pbx{os.getpid()}"
        street = f"198.18.{os.getpid() % 250}"
        self.address = f"{street}.1"
        # Both rooms have the same address, as two homes with the same make of router do.
        self.households = [
            Household(f"{self._name}-{number}", "192.168.178.20", "192.168.178.1", f"{street}.{11 + number}")
            for number in range(count)
        ]

    def build(self) -> None:
        """
        Make all of it; what was made is taken away again when a part fails.
        """
        try:
            _run("ip", "link", "add", "name", self._name, "type", "bridge")
            _run("ip", "address", "add", f"{self.address}/24", "dev", self._name)
            _run("ip", "link", "set", self._name, "up")
            for number, household in enumerate(self.households):
                household.build(self._name, f"{self._name}v{number}")
        except BaseException:
            self.remove()
            raise

    def move_in(self, number: int) -> str:
        """
        One more address in the root namespace, for somebody on the street without a router; its number is 100 to 250.
        """
        address = f"{self.address.rpartition('.')[0]}.{number}"
        _run("ip", "address", "add", f"{address}/24", "dev", self._name)
        return address

    def remove(self) -> None:
        """
        Take all of it away.
        """
        # The cables first: those in a namespace that is removed go only when the kernel comes round to it.
        for name in [*(f"{self._name}v{number}" for number in range(len(self.households))), self._name]:
            if Path(f"/sys/class/net/{name}").exists():
                _run("ip", "link", "del", name)
        for household in self.households:
            household.remove()
