"""
Reading a busy UDP socket in batches: a wake-up for each datagram costs as much as half of what is done with it.

What is sent meanwhile leaves in batches too. The way through the kernel fills the processor's caches as the code of a
call does, and wakes whoever is there to read: one after the other, both are paid for only once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from pbx.sip.parser import MAX_MESSAGE

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

PAUSE = 0.056
"""Seconds between two looks at a busy socket at most; with the 4 ms that answers are held, 60 ms. A call is set up a
quarter of a second later for it at the worst, only while there are more than a hundred messages a second, and it is far
below T1, so that nothing is resent for it. It halves what a message costs: the code of a call fills the processor's
caches, and after a pause all of it comes from memory again."""

WANTED = 112
"""Datagrams that a look should find: at a higher rate the pauses become shorter, since more at once gains nothing."""

BUSY = 0.008
"""Seconds between two wake-ups below which a socket is busy: more than 125 a second."""

TOGETHER: Final = 40
"""Datagrams read before the first of them is served, and after which answers leave: some 4 ms of work. It takes a tenth
off a message's cost, and five times as many together take off no more."""

MOST = 25 * TOGETHER
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
        Serve all that waits, and hold the answers of those read together until all of these are served.
        """
        protocol = self._port.protocol
        for _ in range(MOST // TOGETHER):
            waiting = self._read()
            if not waiting:
                return
            self._came += len(waiting)
            protocol.hold()
            try:
                for datagram, address in waiting:
                    try:
                        protocol.datagramReceived(datagram, address)
                    except Exception:  # noqa: BLE001 - the border: one must not keep the others from being served
                        self.log.failure("A datagram could not be served")
                    if self._stopped:
                        return
            finally:
                protocol.release()

    def _read(self) -> list[tuple[bytes, tuple[str, int]]]:
        """
        What waits, as Twisted's port reads it, but into one buffer: it takes 64 kB anew for each datagram.
        """
        receive, buffer, view = self._port.socket.recvfrom_into, self._buffer, self._view
        waiting: list[tuple[bytes, tuple[str, int]]] = []
        try:
            while len(waiting) < TOGETHER:
                length, address = receive(buffer)
                waiting.append((bytes(view[:length]), address[:2]))
        except OSError:
            # Nothing more; or an earlier datagram of ours was refused (RFC 1122 4.1.3.3): what waits is read next.
            pass
        return waiting

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
