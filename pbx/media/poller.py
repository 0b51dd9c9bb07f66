"""
The one reader of all media sockets.

A wake-up of the reactor costs more than a packet. So all sockets lie in one epoll of our own, which is the reactor's
only media reader; when there is much to read the reactor does not watch it at all, and it is asked every 2 ms.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Final

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import Interface, implementer

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.posixbase import PosixReactorBase

    from pbx.media.sockets import DatagramSocket


INTERVAL: Final = 0.002
"""Seconds between looks while polling: what it adds to a packet's delay at most, well under what a phone buffers."""

MANY: Final = 4
"""Packets at one look from which on polling costs less than being woken for each."""

MAX_ROUNDS: Final = 8
"""Looks in a row before the reactor gets its turn, whatever still waits."""


class IRtpPoller(Interface):
    """
    Calls back when a media socket has something to read.
    """

    def add(sock: DatagramSocket, readable: Callable[[float], object]) -> None:  # noqa: N805 - an interface has no self
        """
        Watch a socket.

        Args:
            sock: The socket; it stays open until it was removed.
            readable: Called with the time, in seconds of the clock, when a datagram waits. It reads one datagram,
                and is called again while there are more.
        """

    def remove(sock: DatagramSocket) -> None:  # noqa: N805 - an interface has no self
        """
        Watch a socket no longer; nothing is called for it any more. One that is not watched is ignored.
        """

    def stop() -> None:
        """
        Watch nothing from now on.
        """


@implementer(IRtpPoller, IReadDescriptor)
class RtpPoller:
    """
    All media sockets in one epoll.

    Attributes:
        polling: Whether the epoll is being asked every 2 ms instead of being watched by the reactor.
    """

    log = Logger()

    def __init__(self, reactor: PosixReactorBase) -> None:
        """
        Watch nothing yet.

        Args:
            reactor: Its ``seconds()`` is the time that callbacks get.
        """
        self._reactor = reactor
        self._seconds = reactor.seconds
        self._epoll = select.epoll()
        self._readables: dict[int, Callable[[float], object]] = {}
        self._watched = False
        self._timer: object | None = None

    @property
    def polling(self) -> bool:  # noqa: D102 - described at the class
        return self._timer is not None

    def add(self, sock: DatagramSocket, readable: Callable[[float], object]) -> None:
        """
        Watch a socket.
        """
        descriptor = sock.fileno()
        self._readables[descriptor] = readable
        self._epoll.register(descriptor, select.EPOLLIN)
        if not self._watched and self._timer is None:
            self._watch()

    def remove(self, sock: DatagramSocket) -> None:
        """
        Watch a socket no longer.
        """
        descriptor = sock.fileno()
        if self._readables.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)
            if not self._readables:
                self._unwatch()

    def stop(self) -> None:
        """
        Watch nothing from now on.
        """
        self._unwatch()
        self._readables.clear()
        self._epoll.close()

    def fileno(self) -> int:
        """
        The epoll's file descriptor, for the reactor.
        """
        return self._epoll.fileno()

    def doRead(self) -> None:
        """
        Something is to be read.
        """
        if self._read() >= MANY and self._watched:
            self._reactor.removeReader(self)
            self._watched = False
            self._timer = self._reactor.callLater(INTERVAL, self._poll)

    def connectionLost(self, reason: object) -> None:
        """
        The reactor stops, or takes the epoll for broken.
        """
        self._watched = False

    def logPrefix(self) -> str:
        """
        The name in the reactor's log.
        """
        return "RTP"

    def _poll(self) -> None:
        self._timer = None
        many = self._read() >= MANY
        if not self._readables:
            return
        if many:
            self._timer = self._reactor.callLater(INTERVAL, self._poll)
        else:
            self._watch()

    def _read(self) -> int:
        readables = self._readables
        now = self._seconds()
        count = 0
        try:
            for _ in range(MAX_ROUNDS):
                ready = self._epoll.poll(0)
                for descriptor, _events in ready:
                    readable = readables.get(descriptor)
                    if readable is not None:
                        readable(now)
                count += len(ready)
                if len(ready) < MANY:
                    break
        except Exception:  # noqa: BLE001 - one packet must not end the media of every call
            self.log.failure("reading media failed")
        return count

    def _watch(self) -> None:
        self._watched = True
        self._reactor.addReader(self)

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            self._reactor.removeReader(self)
        if self._timer is not None:
            self._timer.cancel()  # type: ignore[attr-defined]  # IDelayedCall
            self._timer = None
