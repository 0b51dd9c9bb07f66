"""
Pairs of sockets whose session is over, kept open for the next one on their ports.

To open two sockets, watch them and close them again costs a busy exchange as much as to answer a message. Which ports
come next is the pool's business and does not depend on what is kept here: a pair waits until the pool hands out its
port again. A quiet exchange keeps none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from attrs import define

if TYPE_CHECKING:
    from pbx.media.poller import IRtpPoller
    from pbx.media.sockets import DatagramSocket

KEPT: Final = 60.0
"""Seconds that a pair is kept: within these the default range comes round at 42 calls a second."""

BUSY: Final = 100
"""Sessions that must have ended within :data:`WITHIN` for pairs to be kept."""

WITHIN: Final = 5.0
"""Seconds. Below ten calls a second, of two sessions each, it matters to nobody what opening costs."""

LATE: Final = 64
"""Packets that may come to a kept pair: more than a second of what a phone had sent when it heard that the call is
over. Whoever sends more is a stranger; then the pair is closed, so that strangers cost no more than before."""

Sockets = tuple["DatagramSocket", "DatagramSocket"]
"""RTP and RTCP."""


@define(eq=False)
class _Pair:
    host: str
    sockets: Sockets
    since: float
    late: int = 0


class KeptPairs:
    """
    The pairs that are kept, by port, the longest kept first.
    """

    def __init__(self, poller: IRtpPoller, most: int) -> None:
        """
        Keep nothing yet.

        Args:
            poller: Watches the sockets, so that what comes late does not lie in the kernel's memory.
            most: Pairs open at once, in use and kept; with 0 none is kept.
        """
        self._poller = poller
        self._most = most
        self._pairs: dict[int, _Pair] = {}
        self._ended: deque[float] = deque(maxlen=BUSY)
        # What comes late is cut to this; the sessions' buffer may hold a packet that is being served.
        self._buffer = bytearray(1)

    def __len__(self) -> int:
        return len(self._pairs)

    def keep(self, host: str, port: int, sockets: Sockets, now: float) -> None:
        """
        Keep a pair, or close it when few sessions end. Whoever still holds the sockets holds closed ones from now on.

        Args:
            host: The address they are bound to.
            port: The even one of their ports.
            sockets: RTP and RTCP, not connected.
            now: The time.
        """
        ended = self._ended
        busy = len(ended) == BUSY and now - ended[0] < WITHIN
        ended.append(now)
        if not busy or not self._most:
            self._close(sockets)
            return
        rtp, rtcp = sockets[0].handed_on(), sockets[1].handed_on()
        pair = self._pairs[port] = _Pair(host, (rtp, rtcp), now)
        self._poller.add(rtp, partial(self._came_late, port, pair, rtp))
        self._poller.add(rtcp, partial(self._came_late, port, pair, rtcp))

    def take(self, host: str, port: int) -> Sockets | None:
        """
        The pair of a port, with nothing to be read; ``None`` when there is none on this address.
        """
        pair = self._pairs.pop(port, None)
        if pair is None:
            return None
        if pair.host != host or not all(self._emptied(sock) for sock in pair.sockets):
            self._close(pair.sockets)
            return None
        for sock in pair.sockets:
            # What comes before the session reads waits in the kernel, as with a new socket.
            self._poller.add(sock, self._leaver(sock))
        return pair.sockets

    def make_room(self, in_use: int) -> None:
        """
        Close the longest kept until no more are open than there may be.

        Args:
            in_use: Pairs that are in use, or will be in a moment.
        """
        while self._pairs and len(self._pairs) + in_use > self._most:
            self._close_one(next(iter(self._pairs)))

    def expire(self, now: float) -> None:
        """
        Close those that were kept long enough.
        """
        for port, pair in list(self._pairs.items()):
            if now - pair.since < KEPT:
                return
            self._close_one(port)

    def stop(self) -> None:
        """
        Close all, and keep none from now on.
        """
        self._most = 0
        self.make_room(0)

    def _came_late(self, port: int, pair: _Pair, sock: DatagramSocket, now: float) -> None:
        self._read(sock)
        pair.late += 1
        if pair.late > LATE:
            self._close_one(port)

    def _emptied(self, sock: DatagramSocket) -> bool:
        """
        Read what came late; whether that was all of it.
        """
        return any(not self._read(sock) for _ in range(LATE))

    def _read(self, sock: DatagramSocket) -> bool:
        """
        Drop a packet; whether there may be more.
        """
        try:
            sock.recv_into(self._buffer)
        except BlockingIOError:
            return False
        except OSError:
            # An ICMP error about something that was sent in the call.
            return True
        return True

    def _leaver(self, sock: DatagramSocket) -> Callable[[float], object]:
        return lambda now: self._poller.remove(sock)

    def _close_one(self, port: int) -> None:
        self._close(self._pairs.pop(port).sockets)

    def _close(self, sockets: Sockets) -> None:
        for sock in sockets:
            self._poller.remove(sock)
            sock.close()
