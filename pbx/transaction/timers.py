"""
The timer values of the transaction machines (RFC 3261 17.1.1.1 and its table 4).
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Timers:
    """
    The three times from which every transaction timer is made, in seconds.

    Attributes:
        t1: The round-trip estimate: the first interval of every retransmission.
        t2: The longest interval between retransmissions of a non-INVITE request and of an INVITE's final response.
        t4: How long a message may stay in the network.
    """

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def timeout(self) -> float:
        """
        The value of timers B, D, F, H, J, L and M: ``64 * T1``, 32 s by default.
        """
        return 64 * self.t1
