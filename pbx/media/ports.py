"""
The UDP ports for media: RTP on an even one, RTCP on the odd one after it (RFC 3550 11), in an order nobody can guess.
"""

from __future__ import annotations

from collections import deque
from random import SystemRandom


class PortsExhausted(Exception):  # noqa: N818 - it says what is the case
    """
    Every pair of ports is in use, or none could be bound.
    """


class PortPool:
    """
    The pairs of ports that are free; one that was closed is handed out last, so that late packets find nobody.
    """

    def __init__(self, start: int, end: int) -> None:
        """
        Take the pairs that lie wholly in a range.

        Raises:
            ValueError: There is none, or these are no ports.
        """
        if not (0 < start <= end <= 65_535):
            raise ValueError(f"{start} to {end} is no range of ports")
        first = start + start % 2
        pairs = list(range(first, end, 2))
        # Who knows the ports of one call must not know those of the next.
        SystemRandom().shuffle(pairs)
        self._free = deque(pairs)
        self.start, self.end = start, end
        self.pairs = len(self._free)
        if not self._free:
            raise ValueError(f"no even port with the odd one after it lies in {start} to {end}")

    def __len__(self) -> int:
        return len(self._free)

    @property
    def in_use(self) -> int:
        """
        Pairs handed out.
        """
        return self.pairs - len(self._free)

    def take(self) -> int:
        """
        The even port of a free pair.

        Raises:
            PortsExhausted: There is none.
        """
        if not self._free:
            raise PortsExhausted(f"all {self.pairs} port pairs from {self.start} to {self.end} are in use")
        return self._free.popleft()

    def give_back(self, port: int) -> None:
        """
        Return the pair of an even port.
        """
        self._free.append(port)
