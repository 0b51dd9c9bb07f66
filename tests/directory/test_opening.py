"""
Tests of :mod:`pbx.directory.opening`, besides the routing cases about hours.
"""

from __future__ import annotations

import datetime as dt

from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.directory import Directory
from pbx.directory.opening import opening, opening_of, zone
from pbx.directory.plan import Plan, Site
from pbx.directory.situation import Situation
from pbx.directory.time_condition import Holiday, Hours, TimeCondition

MONDAY = dt.datetime(2026, 11, 30, 9, 0, tzinfo=dt.UTC)
SHOP = TimeCondition("Shop", hours=(Hours(start="09:00", end="18:00"),), switch="1")


class OpeningTests(SynchronousTestCase):
    """
    When it is open.
    """

    def test_says_why(self) -> None:
        """
        The reason says what time it is where the business is.
        """
        found = opening(SHOP, MONDAY, "Europe/Berlin")
        self.assertTrue(found.is_open)
        self.assertEqual(
            found.reason,
            "Shop is open: mon 2026-11-30 10:00 Europe/Berlin is within mon tue wed thu fri 09:00-18:00",
        )
        self.assertFalse(opening(SHOP, MONDAY, "America/New_York").is_open)

    def test_a_zone_that_there_is_not(self) -> None:
        """
        A zone that nobody knows is UTC, and no reason to lose a call.
        """
        for name in ("Moon/Crater", "", "../etc/passwd", "/etc/localtime", "a\0b"):
            self.assertIs(zone(name), dt.UTC)
        self.assertTrue(opening(SHOP, MONDAY, "Moon/Crater").is_open)

    def test_a_range_with_a_year_on_one_side_only(self) -> None:
        """
        Then it is one of each year.
        """
        condition = TimeCondition("Shop", holidays=(Holiday("2026-12-24", until="12-26"),))
        at = dt.datetime(2028, 12, 25, 12, tzinfo=dt.UTC)
        self.assertFalse(opening(condition, at, "UTC").is_open)

    def test_a_leap_day(self) -> None:
        """
        A holiday on 29 February is one in leap years.
        """
        condition = TimeCondition("Shop", holidays=(Holiday("02-29"),))
        for year, month, day, is_open in ((2028, 2, 29, False), (2027, 2, 28, True), (2027, 3, 1, True)):
            at = dt.datetime(year, month, day, 12, tzinfo=dt.UTC)
            self.assertEqual(opening(condition, at, "UTC").is_open, is_open)

    def test_as_things_are(self) -> None:
        """
        The situation says the time, the zone of the site, and where the switch stands.
        """
        plan = Plan(Site(time_zone="Europe/Berlin"), conditions={"Shop": SHOP})
        here = Situation(Directory(), {}, plan=plan, now=lambda: MONDAY, switches={"Shop": "night"})
        found = opening_of("Shop", here)
        assert found is not None
        self.assertEqual(found.reason, "Shop is closed: switched to night by hand")
        self.assertIsNone(opening_of("Gone", here))
