"""
The latch: whose packets are taken, and so where ours are sent (symmetric RTP, RFC 4961, with an eye on strangers).

A phone behind NAT sends from another address than its SDP says, and so does someone who wants to listen in. Packets
from the expected addresses are taken at once; others only when the expected ones are silent, and only until these
speak again: whoever sprays the ports of a call in its first seconds of silence does not keep it.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from attrs import define

if TYPE_CHECKING:
    from pbx.media.sockets import Address

QUIET: Final = 2.0
"""Seconds without a packet from the expected addresses before another is listened to."""

IN_A_ROW: Final = 5
"""Packets of one SSRC, one after another, that another address has to send."""

SILENCE: Final = 3.0
"""Seconds of silence after which a latched stream may go on from another address."""

MAX_SKIP: Final = 3000
"""How far its sequence numbers may have gone on meanwhile: a minute of 20 ms packets (RFC 3550 A.1)."""


class Verdict(Enum):
    """
    What to do with a packet from an address that is not the latched one.
    """

    DROP = "drop"
    TAKE = "take"
    """From where it was expected."""
    MOVE = "move"
    """From elsewhere; worth a line in the log."""


@define(eq=False)
class Latch:
    """
    The address a session's packets are expected from.

    Attributes:
        strict: Take packets from the SDP's address only.
        sdp: Where the SDP says, host and port.
        peer_host: The address the peer's signalling comes from, ``None`` when unknown: its media are expected from
            there too, whatever the port.
        source: Where the packets come from, ``None`` until latched. Kept while a re-INVITE makes it unsure.
        latched: Whether ``source`` holds.
        firm: Whether it holds and is of a host that was expected, so that nobody else needs to be listened to.
        since: When the waiting began.
    """

    strict: bool = False
    sdp: tuple[str, int] = ("", 0)
    peer_host: str | None = None
    source: Address | None = None
    latched: bool = False
    firm: bool = False
    since: float = 0.0
    _candidate: tuple[Address, int] | None = None
    _count: int = 0

    def expect(self, host: str, port: int, peer_host: str | None, now: float, *, relearn: bool) -> None:
        """
        Take a new description of the peer.

        A session that is described anew with another address forgets what it learned. With the same address it goes
        on sending to where the packets came from, but with ``relearn`` they may come from elsewhere now.
        """
        moved = (host, port) != self.sdp
        self.sdp = (host, port)
        self.peer_host = peer_host
        if moved:
            self.source = None
        if moved or relearn:
            self.latched = False
            self.since = now
            self._candidate = None
        self.firm = self.latched and self._near()

    def judge(self, source: Address, ssrc: int, now: float, heard: float, ahead: int | None) -> Verdict:
        """
        Decide about a packet that does not come from the latched address; :attr:`source` follows.

        Args:
            source: Where it came from.
            ssrc: Its SSRC.
            now: The time.
            heard: When the last packet came from the latched address.
            ahead: How far its sequence number goes on from the latched stream's, ``None`` when its SSRC is another.
        """
        expected = self._expected(source)
        if not self.latched and (expected or (source == self.source and not self.strict)):
            return self._take(source, Verdict.TAKE)
        if self.latched and not self.firm and expected:
            return self._take(source, Verdict.MOVE)
        if self.strict:
            return Verdict.DROP
        if self.latched:
            goes_on = expected or (ahead is not None and 0 < ahead < MAX_SKIP)
            return self._take(source, Verdict.MOVE) if goes_on and now - heard >= SILENCE else Verdict.DROP
        if now - max(heard, self.since) < QUIET:
            return Verdict.DROP
        if self._candidate != (source, ssrc):
            self._candidate = (source, ssrc)
            self._count = 0
        self._count += 1
        return self._take(source, Verdict.MOVE) if self._count >= IN_A_ROW else Verdict.DROP

    def _expected(self, source: Address) -> bool:
        if source[:2] == self.sdp:
            return True
        return not self.strict and source[0] == self.peer_host

    def _near(self) -> bool:
        # Another port of the same host is no stranger: a NAT made a new mapping.
        return self.source is not None and self.source[0] in (self.sdp[0], self.peer_host)

    def _take(self, source: Address, verdict: Verdict) -> Verdict:
        self.source = source
        self.latched = True
        self.firm = self._near()
        self._candidate = None
        return verdict
