"""
Time conditions: when a business is open, as a value.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from attrs import frozen

Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of :meth:`datetime.date.weekday`."""

SwitchPosition: TypeAlias = Literal["auto", "day", "night"]
"""Where a night switch stands: as the clock says, open, or closed whatever the clock says."""


@frozen
class Hours:
    """
    Opening hours on some days of the week.

    Attributes:
        days: The days on which they begin.
        start: ``HH:MM``, from which on it is open.
        end: ``HH:MM``, from which on it is not any more; ``24:00`` for midnight. Not later than :attr:`start`, it is
            that time of the next day.
    """

    days: tuple[Day, ...] = DAYS[:5]
    start: str = "00:00"
    end: str = "24:00"


@frozen
class Holiday:
    """
    A day on which it is closed.

    Attributes:
        date: ``YYYY-MM-DD`` for one day, ``MM-DD`` for the same day each year.
        name: What it is called.
        until: The last day of several, in the same form; ``None`` for one.
    """

    date: str
    name: str = ""
    until: str | None = None


@frozen
class TimeCondition:
    """
    When it is open: within the hours, on no holiday, unless its night switch says otherwise.

    Attributes:
        name: How routes name it; unique.
        zone: The time zone (``Europe/Berlin``), ``None`` for the site's.
        hours: When it is open; empty for always.
        holidays: When it is not, in spite of the hours.
        switch: The digits behind the star code of the night switch that move this one by hand, ``None`` where it has
            no switch; a BLF key for star code and digits shows it.
    """

    name: str
    zone: str | None = None
    hours: tuple[Hours, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    switch: str | None = None
