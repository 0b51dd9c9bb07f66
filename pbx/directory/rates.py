"""
Rates: what a call over a trunk costs, by the longest prefix of its number.
"""

from __future__ import annotations

from decimal import Decimal

from attrs import frozen


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
