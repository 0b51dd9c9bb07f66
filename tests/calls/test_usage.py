"""
Tests of :mod:`pbx.calls.usage`.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.calls.events import CallBegan, CallEnded, CallsMerged, LegAnswered, LegBegan, LegEnded
from pbx.calls.record import record_of, stamp
from pbx.calls.usage import TollWatch, UsageCounters
from pbx.directory.decision import Limited
from pbx.directory.permissions import NOTHING_USED, Usage
from pbx.directory.plan import Plan, PlanBook, Site
from pbx.directory.rates import Rate, cost
from tests.calls.alerted import Alerted

BERLIN = ZoneInfo("Europe/Berlin")
RATES = {
    "A": {
        "49": Rate("49", Decimal("0.60"), Decimal("0.10"), first=60, increment=60),
        "4930": Rate("4930", Decimal("0.12"), first=1, increment=1),
    }
}


class UsageCase(SynchronousTestCase):
    """
    Counters of a site in Berlin, at 22:00 there on a day in March.
    """

    def setUp(self) -> None:
        """
        Nobody has called yet.
        """
        self.clock = Clock()
        self.start = dt.datetime(2026, 3, 2, 22, 0, tzinfo=BERLIN).timestamp()
        self.book = PlanBook(Plan(site=Site(country="DE", time_zone="Europe/Berlin"), rates=RATES))
        self.usage = self.again()
        self.events: dict[str, list[Any]] = {}

    def again(self) -> UsageCounters:
        """
        The counters of another run.
        """
        return UsageCounters(self.clock, self.wall, self.book)

    def wall(self) -> float:
        """
        The time of day.
        """
        return self.start + self.clock.seconds()

    def tell(self, event: Any) -> None:
        """
        Let something happen.
        """
        self.events.setdefault(event.call, []).append(event)
        self.usage.event(event)

    def dial(self, call: str = "c", leg: int = 2, *, payer: str = "1001", number: str = "+49891", **more: Any) -> None:
        """
        Begin a call beyond the house.
        """
        if call not in self.events:
            self.tell(CallBegan(call, self.wall(), self.clock.seconds(), payer, "", number, "x", ()))
        facts: dict[str, Any] = {"direction": "out", "trunk": "A", "payer": payer, **more}
        direction = facts.pop("direction")
        self.tell(LegBegan(call, self.wall(), leg, direction, number, "UDP", "y", **facts))

    def answer(self, call: str = "c", leg: int = 2) -> None:
        """
        Have it picked up.
        """
        self.tell(LegAnswered(call, self.wall(), leg, "PCMU"))

    def end(self, call: str = "c", leg: int = 2) -> None:
        """
        End it.
        """
        self.tell(LegEnded(call, self.wall(), leg, None, "over", None))
        self.tell(CallEnded(call, self.wall(), self.clock.seconds(), "answered", None, 16, "over", "caller"))

    def used(self, payer: str = "1001") -> Usage:
        """
        What was used.
        """
        return self.usage.get(payer, NOTHING_USED)


class UsageTests(UsageCase):
    """
    What is counted.
    """

    def test_concurrent(self) -> None:
        """
        A call counts from its beginning to its end, answered or not.
        """
        self.dial("a")
        self.dial("b")
        self.dial("c", payer="1002")
        self.clock.advance(30)
        self.assertEqual(self.used(), Usage(2, 0))
        self.answer("a")
        self.end("b")
        self.assertEqual(self.used(), Usage(1, 0, Decimal("0.70")))
        self.end("a")
        self.assertEqual(self.used().concurrent, 0)
        self.assertEqual(self.used("1003"), NOTHING_USED)

    def test_not_counted(self) -> None:
        """
        Calls in, calls within the house and emergency calls are nobody's.
        """
        self.dial("a", direction="in", payer="")
        self.dial("b", trunk="", payer="")
        self.dial("c", emergency=True)
        for call in "abc":
            self.answer(call)
        self.clock.advance(60)
        self.assertEqual(self.used(), NOTHING_USED)

    def test_minutes(self) -> None:
        """
        Minutes count from the answer on, while the call still lasts, and stay when it is over.
        """
        self.dial()
        self.clock.advance(20)
        self.answer()
        self.clock.advance(90)
        self.assertEqual(self.used().seconds, 90)
        self.end()
        self.clock.advance(1000)
        self.assertEqual(self.used(), Usage(0, 90, Decimal("1.30")))

    def test_spend(self) -> None:
        """
        The longest prefix has the price: the fee once, then what was begun of its increments.
        """
        self.assertEqual(cost(RATES["A"]["49"], 0), Decimal("0.70"))
        self.assertEqual(cost(RATES["A"]["49"], 61), Decimal("1.30"))
        self.dial("a", number="+493012")
        self.dial("b", number="+493112")
        self.dial("c", number="+12125550100")
        self.dial("d", number="493012@A")
        for call in "abcd":
            self.answer(call)
        self.clock.advance(100)
        self.assertEqual(self.used().spent, Decimal("0.20") * 2 + Decimal("1.30"))

    def test_spend_behind_an_order_to_the_provider(self) -> None:
        """
        Who hides its number from whoever is called pays the same.
        """
        self.dial(number="*31#030123456")
        self.answer()
        self.clock.advance(50)
        self.assertEqual(self.used().spent, Decimal("0.10"))
        self.end()

    def test_midnight(self) -> None:
        """
        The day begins at midnight where the site is; a call over it is shared by the two days.
        """
        days: list[float] = []
        self.usage.on_new_day(lambda: days.append(self.wall()))
        self.dial("a")
        self.answer("a")
        self.clock.advance(3600)
        self.end("a")
        self.dial("b")
        self.clock.advance(1800)
        self.answer("b")
        self.clock.advance(1790)
        self.assertEqual(self.used().seconds, 3600 + 1790)
        self.clock.advance(20)
        self.assertEqual(self.used(), Usage(1, 10, Decimal("0.60")))
        self.assertEqual(days, [self.wall()])
        self.clock.advance(110)
        self.end("b")
        self.assertEqual(self.used().seconds, 120)
        self.clock.advance(24 * 3600)
        self.assertEqual(self.used(), NOTHING_USED)

    def test_clock_set(self) -> None:
        """
        A clock of the day that is set changes nobody's minutes.
        """
        self.dial()
        self.answer()
        self.clock.advance(100)
        self.start -= 3600
        self.assertEqual(self.used().seconds, 100)
        self.start += 2 * 3600
        self.assertEqual(self.used().seconds, 100)

    def test_merged(self) -> None:
        """
        A leg that has become part of another call is still its payer's, until it ends there.
        """
        self.dial("a", 2)
        self.dial("b", 2, payer="1002")
        self.answer("a", 2)
        self.tell(CallsMerged("a", self.wall(), "b", 2))
        self.clock.advance(60)
        self.assertEqual(self.used().concurrent, 1)
        self.tell(LegEnded("b", self.wall(), 4, None, "over", None))
        self.assertEqual(self.used(), Usage(0, 60, Decimal("0.70")))
        self.tell(CallEnded("b", self.wall(), self.clock.seconds(), "answered", None, 16, "over", "caller"))
        self.assertEqual(self.used("1002"), NOTHING_USED)

    def test_restart(self) -> None:
        """
        What the records of the day say counts after a restart as it did before.
        """
        self.dial("a")
        self.answer("a")
        self.clock.advance(90)
        self.end("a")
        self.dial("b", number="+493012")
        self.clock.advance(5)
        self.end("b")
        self.dial("c", emergency=True)
        self.answer("c")
        self.clock.advance(5)
        self.end("c")
        before = self.used()
        self.assertEqual(before, Usage(0, 90, Decimal("1.30")))
        again = self.again()
        again.restore(leg for events in self.events.values() for leg in record_of(events)["legs"])
        self.assertEqual(again.get("1001", NOTHING_USED), before)

    def test_restart_after_midnight(self) -> None:
        """
        Of a record of yesterday only what is today's counts.
        """
        self.clock.advance(2.5 * 3600)
        midnight = self.start + 7200
        leg = {"trunk": "A", "payer": "1001", "party": "+49891", "answered": stamp(midnight - 60)}
        again = self.again()
        again.restore([{**leg, "ended": stamp(midnight + 30)}, {**leg, "ended": stamp(midnight - 5)}])
        self.assertEqual(again.get("1001", NOTHING_USED), Usage(0, 30, Decimal("0.60")))

    def test_no_such_zone(self) -> None:
        """
        A time zone that this machine does not know is UTC.
        """
        self.book.configure(evolve(self.book.configured, site=Site(time_zone="Mars/Olympus")))
        self.dial()
        self.assertEqual(self.usage.day_began % 86400, 0)


class TollWatchTests(UsageCase):
    """
    Who hears of calls that were refused.
    """

    def test_told(self) -> None:
        """
        A refused call is alerted and audited, once a minute for each limit of an extension; a new day settles it.
        """
        alerted = Alerted()
        watch = TollWatch(self.clock, alerted, self.usage)
        for _ in range(100):
            watch.refused(Limited("1001", "concurrent", "+49891", "4 calls at once are allowed"))
            self.clock.advance(0.7)
        watch.refused(Limited("1002", "minutes", "+49891", "600 minutes a day are allowed"))
        watch.refused(Limited("1002", "classes", "+49900", "1002 may not call premium numbers"))
        self.assertEqual([(told.what, told.kind, told.subject) for told in alerted.told], [
            ("alert", "toll_limit", "1001"), ("alert", "toll_limit", "1001"), ("alert", "toll_limit", "1002"),
            ("alert", "toll_limit", "1002"),
        ])
        self.assertIn("1001 was refused a call to +49891: 4 calls at once are allowed.", alerted.told[0].text)
        self.clock.advance(7200)
        self.used()
        self.assertEqual([(told.what, told.subject) for told in alerted.told[4:]],
                         [("settled", "1001"), ("settled", "1002")])
