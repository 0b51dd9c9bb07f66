"""
Tests for :mod:`pbx.media.ports`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.media.ports import PortPool, PortsExhausted


class PortPoolTests(SynchronousTestCase):
    """
    Pairs of ports.
    """

    def test_even_and_whole(self) -> None:
        """
        Only even ports are handed out, and only where the odd one after them is in the range too.
        """
        pool = PortPool(10001, 10006)
        self.assertEqual({pool.take(), pool.take()}, {10002, 10004})
        self.assertRaises(PortsExhausted, pool.take)
        self.assertEqual(PortPool(10000, 10001).take(), 10000)

    def test_closed_port_is_last(self) -> None:
        """
        A port that was given back is handed out after all others.
        """
        pool = PortPool(10000, 10005)
        first = pool.take()
        pool.give_back(first)
        taken = [pool.take() for _ in range(3)]
        self.assertEqual((set(taken), taken[2]), ({10000, 10002, 10004}, first))
        self.assertEqual((pool.in_use, len(pool)), (3, 0))

    def test_nobody_can_guess(self) -> None:
        """
        The order differs each time: the port of one call does not tell that of the next.
        """
        orders = []
        for _ in range(3):
            pool = PortPool(10000, 19999)
            orders.append(tuple(pool.take() for _ in range(len(pool))))
        self.assertEqual({len(set(order)) for order in orders}, {5000})
        self.assertEqual(len(set(orders)), 3)

    def test_no_range(self) -> None:
        """
        A range without a pair is an error at once.
        """
        for start, end in ((10000, 10000), (10001, 10002), (5, 4), (0, 10), (65000, 70000)):
            self.assertRaises(ValueError, PortPool, start, end)
