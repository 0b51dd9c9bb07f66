"""
Whether a business is open at a moment, and why.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from attrs import frozen

from pbx.directory.time_condition import DAYS

if TYPE_CHECKING:
    from pbx.directory.situation import Situation
    from pbx.directory.time_condition import Holiday, Hours, SwitchPosition, TimeCondition

DAY = dt.timedelta(days=1)


@frozen
class Opening:
    """
    Whether it is open.

    Attributes:
        is_open: It is.
        reason: Why, in words.
    """

    is_open: bool
    reason: str


def opening(condition: TimeCondition, now: dt.datetime, site_zone: str, position: SwitchPosition = "auto") -> Opening:
    """
    Tell whether a time condition is open.

    Args:
        condition: When it is.
        now: The moment, of any time zone.
        site_zone: The zone of a condition that names none.
        position: Where its switch stands.
    """
    name = condition.name
    if position != "auto":
        is_open = position == "day"
        return Opening(is_open, f"{name} is {'open' if is_open else 'closed'}: switched to {position} by hand")
    local = now.astimezone(zone(condition.zone or site_zone))
    today = local.date()
    said = f"{DAYS[today.weekday()]} {local:%Y-%m-%d %H:%M} {condition.zone or site_zone}"
    holiday = _holiday(condition, today)
    if holiday is not None:
        return Opening(False, f"{name} is closed: {said} is a holiday{_named(holiday)}")
    if not condition.hours:
        return Opening(True, f"{name} is open: it has no hours")
    clock = f"{local:%H:%M}"
    yesterday = today - DAY
    for hours in condition.hours:
        overnight = hours.end <= hours.start
        if DAYS[today.weekday()] in hours.days and hours.start <= clock and (overnight or clock < hours.end):
            return Opening(True, f"{name} is open: {said} is within {_shown(hours)}")
        if (
            overnight and DAYS[yesterday.weekday()] in hours.days and clock < hours.end
            and _holiday(condition, yesterday) is None
        ):
            return Opening(True, f"{name} is open: {said} is within {_shown(hours)} of the day before")
    return Opening(False, f"{name} is closed: {said} is outside of its hours")


def opening_of(name: str, situation: Situation) -> Opening | None:
    """
    Tell whether a time condition is open now; ``None`` when there is none of this name.
    """
    condition = situation.plan.conditions.get(name)
    if condition is None:
        return None
    position = situation.switches.get(name, "auto")
    return opening(condition, situation.now(), situation.plan.site.time_zone, position)


def zone(name: str) -> dt.tzinfo:
    """
    A time zone; UTC for one that there is not.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return dt.UTC


def _holiday(condition: TimeCondition, day: dt.date) -> Holiday | None:
    written = day.isoformat()
    for holiday in condition.holidays:
        first, last = holiday.date, holiday.until or holiday.date
        if len(first) != len(last):
            # One of them has no year: then neither has.
            first, last = first[-5:], last[-5:]
        today = written[-len(first):]
        if first <= last:
            if first <= today <= last:
                return holiday
        elif len(first) == 5 and (today >= first or today <= last):
            # Each year, over the new year.
            return holiday
    return None


def _named(holiday: Holiday) -> str:
    return f", {holiday.name}" if holiday.name else ""


def _shown(hours: Hours) -> str:
    return f"{' '.join(hours.days)} {hours.start}-{hours.end}"
