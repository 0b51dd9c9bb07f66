"""
Tests of :mod:`pbx.directory.rates`.
"""

from __future__ import annotations

from decimal import Decimal

from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.rates import Rate, affordable, cost, rate_of

RATES = {prefix: Rate(prefix, Decimal(1)) for prefix in ("4", "49", "4930", "1")}


class RateTests(SynchronousTestCase):
    """
    What calls cost.
    """

    def test_the_longest_prefix_counts(self) -> None:
        """
        Of several rates the one that says most about the number counts.
        """
        for number, prefix in (("+493012345", "4930"), ("+498912345", "49"), ("442079460000", "4"), ("+1212", "1")):
            rate = rate_of(RATES, number)
            assert rate is not None
            self.assertEqual(rate.prefix, prefix)
        for number in ("+33142685300", "", "+"):
            self.assertIsNone(rate_of(RATES, number))

    def test_pays_what_has_begun(self) -> None:
        """
        At least the first seconds are paid, then each increment that has begun, and the connection fee.
        """
        rate = Rate("49", Decimal("0.60"), Decimal("0.10"), 30, 6)
        for seconds, paid in ((0, 30), (1, 30), (30, 30), (30.5, 36), (36, 36), (37, 42), (60, 60)):
            self.assertEqual(cost(rate, seconds), Decimal("0.10") + Decimal("0.01") * paid, seconds)

    def test_nothing_at_once(self) -> None:
        """
        A call that costs by the second from the first is free while it has not begun.
        """
        rate = Rate("49", Decimal("0.60"), Decimal(0), 0, 1)
        self.assertEqual(cost(rate, 0), 0)
        self.assertEqual(cost(rate, 2), Decimal("0.02"))
        self.assertEqual(cost(Rate("1", Decimal(1), first=-5, increment=0), 3), Decimal("0.05"))

    def test_what_money_buys(self) -> None:
        """
        No more increments than the money is enough for, but always those that are paid anyway.
        """
        rate = Rate("49", Decimal("0.60"), Decimal("0.10"), 30, 6)
        for money, seconds in (("0.70", 60), ("0.75", 60), ("0.76", 66), ("0.10", 30), ("0", 30), ("-5", 30)):
            self.assertEqual(affordable(rate, Decimal(money)), seconds, money)
        self.assertIsNone(affordable(Rate("800", Decimal(0)), Decimal(0)))
