"""
How many requests of strangers are looked at together, and what is done beyond that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from pbx.transport.source import source_of

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime


@frozen
class Limits:
    """
    The caps on server transactions whose sender has not been authenticated.

    Attributes:
        unauthenticated_per_address: Unanswered ones from one address. 200 phones behind one NAT that all come back
            with a REGISTER and a SUBSCRIBE in the same moment make 400.
        unauthenticated: Unanswered ones in total. Each holds its request, some 3 kB: about 15 MB.
        answered: Answered ones that wait for retransmissions. Each keeps its answer for 32 s, about 1 kB: 20 MB.
            Beyond it the oldest is forgotten early; its request, should it come again, is answered anew.
        refusals_per_second: Answers 503 to INVITEs beyond the caps, so that a flood does not draw a flood.
        retry_after: Seconds that such an answer asks to wait.
    """

    unauthenticated_per_address: int = 500
    unauthenticated: int = 5_000
    answered: int = 20_000
    refusals_per_second: int = 20
    retry_after: int = 10


class Admission:
    """
    Counts the strangers' unanswered transactions, by source (an address, or an IPv6 network) and in total.
    """

    def __init__(self, clock: IReactorTime, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._by_address: dict[str, int] = {}
        self._refusals = float(limits.refusals_per_second)
        self._refused_at = clock.seconds()
        self.total = 0

    def enter(self, address: str) -> bool:
        """
        Take a slot, unless none is left.
        """
        address = source_of(address)
        here = self._by_address.get(address, 0)
        if here >= self._limits.unauthenticated_per_address or self.total >= self._limits.unauthenticated:
            return False
        self._by_address[address] = here + 1
        self.total += 1
        return True

    def leave(self, address: str) -> None:
        """
        Give a slot back.
        """
        address = source_of(address)
        here = self._by_address[address] - 1
        if here:
            self._by_address[address] = here
        else:
            del self._by_address[address]
        self.total -= 1

    def may_refuse(self) -> bool:
        """
        Whether one more 503 may be sent now.
        """
        now = self._clock.seconds()
        rate = self._limits.refusals_per_second
        self._refusals = min(float(rate), self._refusals + (now - self._refused_at) * rate)
        self._refused_at = now
        if self._refusals < 1:
            return False
        self._refusals -= 1
        return True
