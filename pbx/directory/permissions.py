"""
What an extension may call beyond the house, how much of it, and how it is shown there.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal, TypeAlias

from attrs import frozen

CallClass: TypeAlias = Literal["free", "local", "national", "mobile", "international", "premium", "unknown"]
"""
What kind of number is called: ``free`` costs the caller nothing, ``premium`` pays whoever is called (shared cost,
personal numbers, directory enquiries and satellites as well), and ``unknown`` is no number of the public network (a
short code, a number of another exchange).
"""

CLASSES: Final[tuple[CallClass, ...]] = (
    "free", "local", "national", "mobile", "international", "premium", "unknown",
)

USUAL_CLASSES: Final[tuple[CallClass, ...]] = ("free", "local", "national", "mobile", "unknown")
"""What ``allow_external`` allows where nobody says otherwise: the rest costs most, and is what thieves call."""


@frozen
class Permissions:
    """
    What one extension may do beyond the house; ``None`` leaves it to the whole site.

    Attributes:
        classes: What it may call.
        caller_id: The number that it shows, E.164 or as the trunk wants it.
        concurrent: Calls at once.
        minutes_per_day: Minutes a day.
        spend_per_day: Cost a day, in the currency of the rates.
        hours: The time condition outside of which it calls nobody beyond the house.
        location: The place where it stands, for emergency calls (:class:`~pbx.directory.emergency.Location`).
    """

    classes: tuple[CallClass, ...] | None = None
    caller_id: str | None = None
    concurrent: int | None = None
    minutes_per_day: int | None = None
    spend_per_day: Decimal | None = None
    hours: str | None = None
    location: str | None = None


USUAL = Permissions()
"""What an extension has that says nothing: always this very object."""


@frozen
class TollLimits:
    """
    What holds for every extension that says nothing else: a stolen password must not cost a house.

    Attributes:
        classes: What may be called with ``allow_external``.
        concurrent: Calls at once of one extension.
        minutes_per_day: Minutes a day of one extension.
        spend_per_day: Cost a day of one extension, where a rate table is loaded; ``None`` for any.
        hours: The time condition outside of which nobody calls beyond the house; ``None`` for none.
        blocked: Prefixes in E.164 (``+882``) that nobody calls whatever its classes.
        allowed: Prefixes in E.164 that are called in spite of class and block list.
        longest: Minutes after which a call is ended.
    """

    classes: tuple[CallClass, ...] = USUAL_CLASSES
    concurrent: int = 4
    minutes_per_day: int = 600
    spend_per_day: Decimal | None = Decimal(50)
    hours: str | None = None
    blocked: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    longest: int = 240


@frozen
class Usage:
    """
    What an extension has used of its limits.

    Attributes:
        concurrent: Its calls beyond the house now.
        seconds: Seconds it has talked there today, calls under way included.
        spent: What that has cost.
    """

    concurrent: int = 0
    seconds: int = 0
    spent: Decimal = Decimal(0)


NOTHING_USED = Usage()
