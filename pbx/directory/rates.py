"""
Rates: what a call over a trunk costs, by the longest prefix of its number.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 15
"""Digits of the longest number of E.164."""


@frozen
class Rate:
    """
    The price of calls to the numbers with one prefix.

    Attributes:
        prefix: Digits of E.164 without ``+``: ``4930``.
        rate: The price of a minute.
        connection_fee: What is paid once when it is answered.
        first: Seconds that are paid at least.
        increment: Seconds by which it is paid after that.
    """

    prefix: str
    rate: Decimal
    connection_fee: Decimal = Decimal(0)
    first: int = 60
    increment: int = 60


def rate_of(rates: Mapping[str, Rate], e164: str) -> Rate | None:
    """
    The rate of calls to a number, ``None`` where there is none.

    Args:
        rates: The rates of a trunk by prefix.
        e164: The number, with or without ``+``.
    """
    digits = e164.removeprefix("+")
    for length in range(min(len(digits), LONGEST), 0, -1):
        rate = rates.get(digits[:length])
        if rate is not None:
            return rate
    return None


def cost(rate: Rate, seconds: float) -> Decimal:
    """
    What a call costs that was answered and lasted so long.
    """
    paid = max(rate.first, 0)
    if seconds > paid:
        step = max(rate.increment, 1)
        paid += math.ceil((seconds - paid) / step) * step
    return rate.connection_fee + rate.rate * paid / 60


def affordable(rate: Rate, money: Decimal) -> int | None:
    """
    How many seconds of talk some money buys, at least those that are paid anyway; ``None`` for any number.
    """
    if rate.rate <= 0:
        return None
    seconds = int(max(money - rate.connection_fee, Decimal(0)) * 60 / rate.rate)
    step = max(rate.increment, 1)
    return max(rate.first, rate.first + (seconds - rate.first) // step * step, 1)
