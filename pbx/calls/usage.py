"""
What each extension has used of its limits today, counted from what happens to calls; and who is told when a limit has
kept a call from being made.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attrs import define
from twisted.logger import Logger

from pbx.calls.events import CallEnded, CallsMerged, LegAnswered, LegBegan, LegEnded
from pbx.directory.numbering import dialled
from pbx.directory.opening import zone
from pbx.directory.permissions import NOTHING_USED, Usage
from pbx.directory.rates import cost, rate_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from twisted.internet.interfaces import IReactorTime

    from pbx.calls.alerts import IAlerts
    from pbx.calls.events import CallEvent
    from pbx.directory.decision import Limited
    from pbx.directory.plan import PlanBook
    from pbx.directory.rates import Rate

COUNTED = (LegBegan, LegAnswered, LegEnded, CallsMerged, CallEnded)
"""The events that :meth:`UsageCounters.event` takes."""

TOLD_AGAIN = 60.0
"""Seconds between two lines of the audit about one limit of one extension: a stolen password tries on."""


@define(eq=False)
class _Leg:
    payer: str
    rate: Rate | None
    answered: float | None = None


@define(eq=False)
class _Day:
    seconds: float = 0.0
    spent: Decimal = Decimal(0)


class UsageCounters:
    """
    What each extension uses beyond the house: a mapping by its number, always as it is now.

    A call counts from when it is begun until its leg has ended, its minutes from the answer on; of one that lasts over
    midnight, what comes after that is the new day's. Emergency calls do not count. Whoever pays is an extension or an
    inbound route, so that there are no more entries than those.

    Args:
        clock: The time that nobody sets: how long a call lasts.
        wall: The time of day in seconds since 1970, to know when a day begins.
        book: The plan: the site's time zone, and the rates.
    """

    def __init__(self, clock: IReactorTime, wall: Callable[[], float], book: PlanBook) -> None:
        self._clock = clock
        self._wall = wall
        self._book = book
        self._legs: dict[tuple[str, int], _Leg] = {}
        self._by_payer: dict[str, list[_Leg]] = {}
        self._searching: dict[str, int] = {}
        self._today: dict[str, _Day] = {}
        self._observers: list[Callable[[], object]] = []
        self._zone = ""
        self.day_began, self._day_ends = self._day()

    def on_new_day(self, observer: Callable[[], object]) -> None:
        """
        Have ``observer()`` called when a day has begun, as soon as that is noticed.
        """
        self._observers.append(observer)

    def get(self, number: str, default: Usage, /) -> Usage:
        """
        What an extension, or an inbound route, has used.
        """
        self._turn()
        day, legs = self._today.get(number), self._by_payer.get(number, ())
        searching = self._searching.get(number, 0)
        if day is None and not legs and not searching:
            return default
        seconds, spent = (0.0, Decimal(0)) if day is None else (day.seconds, day.spent)
        for leg in legs:
            more, cost = self._of(leg)
            seconds += more
            spent += cost
        return Usage(len(legs) + searching, int(seconds), spent)

    def all(self) -> dict[str, Usage]:
        """
        What everybody has used who has used anything.
        """
        self._turn()
        payers = {*self._today, *self._by_payer, *self._searching}
        return {payer: self.get(payer, NOTHING_USED) for payer in sorted(payers)}

    def searching(self, payer: str, by: int) -> None:
        """
        Count a call for which a trunk is looked for: many that begin at once must not all find that there is none yet.

        Args:
            payer: Who pays; nobody for an emergency call.
            by: 1 when it begins, -1 when a trunk was found, or none.
        """
        if payer:
            left = self._searching.get(payer, 0) + by
            if left:
                self._searching[payer] = left
            else:
                del self._searching[payer]

    def event(self, event: CallEvent) -> None:
        """
        Take what has happened to a call: one of :data:`COUNTED`.
        """
        if type(event) is LegBegan:
            if event.trunk:
                self._began(event)
        elif not self._legs:
            return
        elif type(event) is LegAnswered:
            leg = self._legs.get((event.call, event.leg))
            if leg is not None:
                leg.answered = self._clock.seconds()
        elif type(event) is LegEnded:
            self._ended((event.call, event.leg))
        elif type(event) is CallsMerged:
            for call, number in [key for key in self._legs if key[0] == event.call]:
                self._legs[event.into, number + event.offset] = self._legs.pop((call, number))
        elif type(event) is CallEnded:
            for key in [key for key in self._legs if key[0] == event.call]:
                self._ended(key)

    def restore(self, legs: Iterable[Mapping[str, Any]]) -> None:
        """
        Count what the records of today's calls say: a restart is no new day.

        Args:
            legs: As call records have them; those within the house, calls in and emergency calls are left out.
        """
        for leg in legs:
            payer, answered, ended = leg.get("payer"), leg.get("answered"), leg.get("ended")
            if not payer or leg.get("emergency") or not answered or not ended:
                continue
            began, over = _seconds(answered), _seconds(ended)
            rate = self._rate(leg.get("trunk", ""), leg.get("party", ""))
            self._add(payer, rate, over - began, over - self.day_began)

    # Inside

    def _began(self, event: LegBegan) -> None:
        if not event.payer or event.direction != "out" or event.emergency:
            return
        self._turn()
        leg = _Leg(event.payer, self._rate(event.trunk, event.party))
        self._legs[event.call, event.leg] = leg
        self._by_payer.setdefault(event.payer, []).append(leg)

    def _ended(self, key: tuple[str, int]) -> None:
        leg = self._legs.pop(key, None)
        if leg is None:
            return
        self._turn()
        legs = self._by_payer[leg.payer]
        legs.remove(leg)
        if not legs:
            del self._by_payer[leg.payer]
        if leg.answered is not None:
            now = self._clock.seconds()
            self._add(leg.payer, leg.rate, now - leg.answered, self._wall() - self.day_began)

    def _add(self, payer: str, rate: Rate | None, lasted: float, today: float) -> None:
        seconds, cost = share(rate, lasted, today)
        if seconds > 0:
            day = self._today.setdefault(payer, _Day())
            day.seconds += seconds
            day.spent += cost

    def _of(self, leg: _Leg) -> tuple[float, Decimal]:
        if leg.answered is None:
            return 0.0, Decimal(0)
        return share(leg.rate, self._clock.seconds() - leg.answered, self._wall() - self.day_began)

    def _rate(self, trunk: str, number: str) -> Rate | None:
        """
        The price of calls to a number: that of the longest prefix.
        """
        plan, number = self._book.plan, number.partition("@")[0]
        return rate_of(plan.rates.get(trunk, {}), dialled(number, plan.site).priced or number)

    def _turn(self) -> None:
        """
        Begin a new day when it is time, or when the site was moved to another time zone.
        """
        if self.day_began <= self._wall() < self._day_ends and self._zone == self._book.plan.site.time_zone:
            return
        before = self.day_began
        self.day_began, self._day_ends = self._day()
        if self.day_began > before:
            self._today.clear()
            for observer in self._observers:
                observer()

    def _day(self) -> tuple[float, float]:
        self._zone = self._book.plan.site.time_zone
        here = zone(self._zone)
        today = dt.datetime.fromtimestamp(self._wall(), here).date()
        began, ends = (
            dt.datetime.combine(day, dt.time(), here).timestamp() for day in (today, today + dt.timedelta(days=1))
        )
        return began, ends


def share(rate: Rate | None, lasted: float, today: float) -> tuple[float, Decimal]:
    """
    How much of a call that was answered is today's: its seconds, and what they cost.

    Args:
        rate: The price, ``None`` where it is not known.
        lasted: Seconds since the answer.
        today: Seconds since the day began, at the same moment.
    """
    seconds = max(0.0, min(lasted, today))
    before = lasted - seconds
    if rate is None:
        return seconds, Decimal(0)
    return seconds, cost(rate, lasted) - (cost(rate, before) if before > 0 else 0)


class TollWatch:
    """
    Tells people of calls that a toll-fraud limit has kept from being made.

    Args:
        clock: The time.
        alerts: Whom to tell.
        usage: Says when a day begins: with it, what was used up is there again.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, alerts: IAlerts, usage: UsageCounters) -> None:
        self._clock = clock
        self._alerts = alerts
        self._told: dict[tuple[str, str], float] = {}
        usage.on_new_day(self._new_day)

    def refused(self, limited: Limited) -> None:
        """
        A call was not let through.
        """
        now, payer = self._clock.seconds(), limited.payer
        key = payer, limited.limit
        told = self._told.get(key)
        if told is not None and now - told < TOLD_AGAIN:
            return
        self._told[key] = now
        self.log.info(
            "audit: {payer} was refused a call to {number} by its limits ({limit}): {text}",
            payer=payer, number=limited.number, limit=limited.limit, text=limited.text,
        )
        self._alerts.alert(
            "toll_limit", payer,
            f"{payer} was refused a call to {limited.number}: {limited.text}. If nobody made it, a phone's password "
            f"is in wrong hands: change it. Else allow it in the extension's permissions, in the inbound route, or "
            "under limits.",
            detail={"limit": limited.limit, "number": limited.number},
        )

    def _new_day(self) -> None:
        told, self._told = self._told, {}
        for payer in dict.fromkeys(payer for payer, _ in told):
            self._alerts.settled("toll_limit", payer, "A new day has begun.")


def _seconds(stamp: str) -> float:
    return dt.datetime.fromisoformat(stamp).timestamp()
