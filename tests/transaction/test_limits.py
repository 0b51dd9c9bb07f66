"""
Tests for :mod:`pbx.transaction.limits`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.transaction.limits import Admission, Limits


class AdmissionTests(SynchronousTestCase):
    """
    Strangers at the door.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.admission = Admission(self.clock, Limits(unauthenticated_per_address=2, unauthenticated=3))

    def test_slots(self) -> None:
        """
        So many from one address, so many in total; who leaves makes room.
        """
        entered = [self.admission.enter(address) for address in ("a", "a", "a", "b", "b")]
        self.assertEqual(entered, [True, True, False, True, False])
        self.admission.leave("a")
        self.assertTrue(self.admission.enter("b"))
        self.assertEqual(self.admission.total, 3)

    def test_no_trace_of_those_who_left(self) -> None:
        """
        An address without a slot takes no memory.
        """
        for number in range(100):
            self.admission.enter(str(number))
            self.admission.leave(str(number))
        self.assertEqual(self.admission._by_address, {})

    def test_default_lets_a_building_in(self) -> None:
        """
        200 phones behind one address, each with a REGISTER and a SUBSCRIBE in the same moment, are all looked at.
        """
        admission = Admission(self.clock, Limits())
        self.assertTrue(all(admission.enter("203.0.113.1") for _ in range(400)))

    def test_refusals(self) -> None:
        """
        Refusals come at the given rate, and are not saved up for longer than a second.
        """
        self.clock.advance(100)
        self.assertEqual([self.admission.may_refuse() for _ in range(21)], [True] * 20 + [False])
        self.clock.advance(0.0625)
        self.assertEqual([self.admission.may_refuse() for _ in range(2)], [True, False])
