"""
Tests of :mod:`pbx.directory.switches`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.switches import Switches


class SwitchesTests(SynchronousTestCase):
    """
    Where switches stand.
    """

    def setUp(self) -> None:
        """
        Switches, with somebody who watches them.
        """
        self.switches = Switches()
        self.seen: list[tuple[str, str, str]] = []
        self.switches.on_change(lambda *change: self.seen.append(change))

    def test_moved(self) -> None:
        """
        One stands where it was put, else at what is asked for; each change is told once.
        """
        self.assertEqual((self.switches.get("office"), self.switches.get("office", "day")), ("auto", "day"))
        for position in ("night", "night", "day", "auto"):
            self.switches.put("office", position)  # type: ignore[arg-type]
            self.assertEqual(self.switches.get("office", position), position)  # type: ignore[arg-type]
        self.assertEqual(self.switches.get("office"), "auto")
        steps = [("auto", "night"), ("night", "day"), ("day", "auto")]
        self.assertEqual(self.seen, [("office", *step) for step in steps])

    def test_replaced(self) -> None:
        """
        All are replaced at once, and only those that move are told of.
        """
        self.switches.put("office", "night")
        self.switches.put("shop", "day")
        self.seen.clear()
        self.switches.replace({"office": "night", "club": "night"})
        self.assertEqual(self.switches.all(), {"office": "night", "club": "night"})
        self.assertEqual(sorted(self.seen), [("club", "auto", "night"), ("shop", "day", "auto")])

    def test_an_observer_that_fails(self) -> None:
        """
        One observer's mistake is logged, and the others are told.
        """
        switches = Switches()
        switches.on_change(lambda *change: 1 / 0)  # type: ignore[arg-type]
        switches.on_change(lambda *change: self.seen.append(change))
        switches.put("office", "night")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.seen, [("office", "auto", "night")])
