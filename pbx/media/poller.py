"""
The one reader of all media sockets.

A wake-up costs more than a packet, and a turn of the reactor costs more than either. So all sockets lie in one epoll of
our own, the reactor's only media reader. Woken by it, we stay for as long as nothing but media happens: we wait
ourselves, for media and for the reactor's own epoll, and go back as soon as that has something or a timer is due. When
there is much to read, by the packets of the last 20 ms, we look every 2 ms only.
"""

from __future__ import annotations

import select
from time import monotonic
from typing import TYPE_CHECKING, Final

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import Interface, implementer

from pbx.media.alarm import Alarm

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall
    from twisted.internet.posixbase import PosixReactorBase

    from pbx.media.sockets import DatagramSocket


INTERVAL: Final = 0.002
"""Seconds between looks while polling: what it adds to a packet's delay at most, well under what a phone buffers."""

FRAME: Final = 0.02
"""Seconds over which packets are counted: nearly every stream sends one in that time."""

MANY: Final = 32
"""Packets in that time, those of sixteen calls, from which on looking costs less than being woken for each. With ten
calls it does only where nothing else keeps our CPU awake."""

MOST: Final = 256
"""Sockets told of at one look while polling: more than a tick of the largest PBX brings."""

FEW: Final = 16
"""Sockets told of at one look while waiting: the kernel's answer is made in a buffer of this size."""

LONGEST: Final = 3600.0
"""Seconds to wait at most."""


class IRtpPoller(Interface):
    """
    Calls back when a media socket has something to read.
    """

    def add(sock: DatagramSocket, readable: Callable[[float], object]) -> None:  # noqa: N805 - an interface has no self
        """
        Watch a socket; for one that is watched already, call another function from now on.

        Args:
            sock: The socket; it stays open until it was removed.
            readable: Called with the time, in seconds of the clock, when a datagram waits. It reads one datagram,
                and is called again while there are more. When what it did may have started a timer it returns true.
        """

    def change(sock: DatagramSocket, readable: Callable[[float], object]) -> None:  # noqa: N805 - an interface has no self
        """
        Call another function for a watched socket from now on; for one that is not watched, nothing.
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
        busy: Whether there is so much to read that we look every 2 ms only.
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
        self._timer: IDelayedCall | None = None
        self._alarm = Alarm()
        self._epoll.register(self._alarm.fileno(), select.EPOLLIN)
        self.busy = False
        self._came = 0
        self._counted = 0.0

    def add(self, sock: DatagramSocket, readable: Callable[[float], object]) -> None:
        """
        Watch a socket.
        """
        descriptor = sock.fileno()
        known = descriptor in self._readables
        self._readables[descriptor] = readable
        if known:
            return
        self._epoll.register(descriptor, select.EPOLLIN)
        if not self._watched and self._timer is None and len(self._readables) == 1:
            self._watch()

    def change(self, sock: DatagramSocket, readable: Callable[[float], object]) -> None:
        """
        Call another function for a watched socket.
        """
        descriptor = sock.fileno()
        if descriptor in self._readables:
            self._readables[descriptor] = readable

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
        self._alarm.close()

    def fileno(self) -> int:
        """
        The epoll's file descriptor, for the reactor.
        """
        return self._epoll.fileno()

    def doRead(self) -> None:
        """
        Something is to be read.
        """
        # Twisted does not give its epoll away otherwise; on another reactor there is none.
        others = getattr(self._reactor, "_poller", None)
        if self._watched and isinstance(others, select.epoll):
            self._stay(others.fileno())
        else:
            self._read()
            if self.busy and self._watched:
                self._unwatch()
                self._timer = self._reactor.callLater(INTERVAL, self._look)

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

    def _stay(self, others: int) -> None:
        """
        Read media until something else is to be done.

        Args:
            others: The file descriptor of the reactor's epoll.
        """
        self._unwatch()
        poll, readable_of = self._epoll.poll, self._readables.get
        timeout = self._reactor.timeout()
        now = self._seconds()
        # Reading the reactor's clock takes twice as long as reading this one.
        ahead = now - monotonic()
        self._alarm.set(LONGEST if timeout is None else timeout)
        waiter = select.poll()
        waiter.register(others, select.POLLIN)
        waiter.register(self._alarm.fileno(), select.POLLIN)
        self._epoll.register(others, select.EPOLLIN)
        busy, came, count_again = self.busy, self._came, self._counted + FRAME
        over = not self._readables
        ready: list[tuple[int, int]] = []
        # In a small exchange this is run cold between a packet and the next: every step counts.
        try:
            while not over:
                # Nothing at the last look: a wake-up costs less than looks in vain, as between bursts of packets.
                if busy and ready:
                    over = bool(waiter.poll(INTERVAL * 1000))
                    ready = poll(0, MOST)
                else:
                    ready = poll(None, FEW)
                now = monotonic() + ahead
                for descriptor, _events in ready:
                    if readable_of(descriptor, _others_turn)(now):
                        over = True
                came += len(ready)
                if now >= count_again:
                    busy = self._count(came, now)
                    came, count_again = 0, now + FRAME
        except Exception:  # noqa: BLE001 - one packet must not end the media of every call
            self.log.failure("reading media failed")
        finally:
            self._came = came
            self._epoll.unregister(others)
            if self._readables:
                self._watch()

    def _count(self, came: int, now: float) -> bool:
        """
        Decide by the packets that came since the last count whether we are busy.
        """
        self.busy = came * FRAME >= MANY * (now - self._counted)
        self._came, self._counted = 0, now
        return self.busy

    def _look(self) -> None:
        self._timer = None
        self._read()
        if not self._readables:
            return
        if self.busy:
            self._timer = self._reactor.callLater(INTERVAL, self._look)
        else:
            self._watch()

    def _read(self) -> None:
        now = self._seconds()
        ready = self._epoll.poll(0, MOST)
        try:
            for descriptor, _events in ready:
                self._readables.get(descriptor, _others_turn)(now)
        except Exception:  # noqa: BLE001 - one packet must not end the media of every call
            self.log.failure("reading media failed")
        self._came += len(ready)
        if now >= self._counted + FRAME:
            self._count(self._came, now)

    def _watch(self) -> None:
        self._watched = True
        self._reactor.addReader(self)

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            self._reactor.removeReader(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _others_turn(_now: float) -> bool:
    """
    What is called for the alarm and for the reactor's own epoll: it is the reactor's turn.
    """
    return True
