"""
Reading a busy UDP socket in batches: a wake-up for each datagram costs as much as half of what is done with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from pbx.sip.parser import MAX_MESSAGE

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

PAUSE = 0.060
"""Seconds between two looks at a busy socket at most. A call is set up a quarter of a second later for it at the worst,
only while there are more than a hundred messages a second, and it is far below T1, so that nothing is resent for it.
It halves what a message costs: the code of a call fills the processor's caches, and after a pause all of it comes from
memory again."""

WANTED = 112
"""Datagrams that a look should find: at a higher rate the pauses become shorter, since more at once gains nothing."""

BUSY = 0.008
"""Seconds between two wake-ups below which a socket is busy: more than 125 a second."""


MOST = 1000
"""Datagrams read in one go: then the reactor's other work has its turn."""


@implementer(IReadDescriptor)
class BatchedReader:
    """
    Watches a port in its place: as long as it is busy it is looked at now and then, else when something comes.

    Args:
        reactor: What watches, with its clock.
        port: Twisted's UDP port. It no longer reads by itself.
    """

    log = Logger()

    def __init__(self, reactor: Any, port: Any) -> None:
        self._reactor = reactor
        self._port = port
        self._timer: IDelayedCall | None = None
        self._woken = 0.0
        self._came = 0
        self._pause = PAUSE
        self._stopped = False
        self._buffer = bytearray(MAX_MESSAGE + 1)
        self._view = memoryview(self._buffer)
        port.stopReading()
        reactor.addReader(self)

    def stop(self) -> None:
        """
        Watch no more. What is read may be what brings this about, so that it happens in the middle of a look.
        """
        self._stopped = True
        self._reactor.removeReader(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # IReadDescriptor

    def fileno(self) -> int:
        """
        The port's.
        """
        number: int = self._port.fileno()
        return number

    def logPrefix(self) -> str:
        """
        The port's.
        """
        return "SIP"

    def connectionLost(self, reason: object) -> None:
        """
        The reactor will not watch it any more.
        """

    def doRead(self) -> None:
        """
        Something has come.
        """
        now = self._reactor.seconds()
        busy = now - self._woken < BUSY
        self._woken = now
        self._drain()
        if busy and not self._stopped:
            self._reactor.removeReader(self)
            self._pause = PAUSE
            self._timer = self._reactor.callLater(PAUSE, self._look)

    def _drain(self) -> None:
        """
        Read all that waits, as Twisted's port does, but into one buffer: it takes 64 kB anew for each datagram.
        """
        raw, protocol = self._port.socket, self._port.protocol
        for _ in range(MOST):
            try:
                length, address = raw.recvfrom_into(self._buffer)
            except OSError:
                # Nothing more; or an earlier datagram of ours was refused (RFC 1122 4.1.3.3): what waits is read next.
                return
            self._came += 1
            try:
                protocol.datagramReceived(bytes(self._view[:length]), address[:2])
            except Exception:  # noqa: BLE001 - the border: one datagram must not keep the others from being read
                self.log.failure("A datagram could not be served")
            if self._stopped:
                return

    def _look(self) -> None:
        self._timer = None
        self._came = 0
        self._drain()
        if self._stopped:
            return
        if self._came:
            self._pause = min(PAUSE, self._pause * WANTED / self._came)
            self._timer = self._reactor.callLater(self._pause, self._look)
        else:
            self._reactor.addReader(self)
