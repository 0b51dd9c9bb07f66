"""
Tests of :mod:`pbx.calls.callbacks`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.calls.callbacks import KEPT, KEPT_TEST, MOST, Callbacks


class CallbacksTests(SynchronousTestCase):
    """
    Whom the emergency centre calls back.
    """

    def setUp(self) -> None:
        """
        Nobody has called.
        """
        self.clock = Clock()
        self.callbacks = Callbacks(self.clock.seconds)

    def add(self, extension: str, *numbers: str, test: bool = False) -> None:
        """
        Somebody calls.
        """
        self.callbacks.add(extension, numbers, since=self.clock.seconds(), test=test)

    def test_found(self) -> None:
        """
        Each number that was shown leads to the extension that called last, for some hours; however it is written.
        """
        self.assertEqual(self.callbacks.get("+4930123", "none"), "none")
        self.add("1001", "+49 30 123", "030123", "")
        self.assertEqual([self.callbacks.get(number, "") for number in ("+4930123", "4930123", "030123", "", "30123")],
                         ["1001", "1001", "1001", "", ""])
        self.clock.advance(60)
        self.add("1002", "+4930123")
        self.clock.advance(KEPT - 60)
        self.assertEqual([self.callbacks.get(number, "") for number in ("+4930123", "030123")], ["1002", ""])
        self.clock.advance(60)
        self.assertEqual(self.callbacks.get("+4930123", ""), "")

    def test_test(self) -> None:
        """
        A test does not take a number's callers away for hours.
        """
        self.add("1001", "+4930123", test=True)
        self.clock.advance(KEPT_TEST - 1)
        self.assertEqual(self.callbacks.get("+4930123", ""), "1001")
        self.clock.advance(1)
        self.assertEqual(self.callbacks.get("+4930123", ""), "")

    def test_restart(self) -> None:
        """
        What was told of a call is enough to take it up again, for the rest of its time.
        """
        self.clock.advance(KEPT)
        self.callbacks.restore({"extension": "1001", "numbers": "+4930123 030124", "test": "no"}, 60)
        self.callbacks.restore({"extension": "1002", "numbers": "+4930125", "test": "yes"}, 60)
        self.callbacks.restore({"call": "of old"}, 60)
        self.assertEqual([self.callbacks.get(number, "") for number in ("+4930123", "030124", "+4930125")],
                         ["1001", "1001", ""])
        self.clock.advance(60)
        self.assertEqual(self.callbacks.get("+4930123", ""), "")

    def test_bounded(self) -> None:
        """
        However many call, so many numbers are kept, the latest.
        """
        for number in range(MOST + 5):
            self.add("1001", str(10000 + number))
        self.assertEqual([self.callbacks.get(number, "") for number in ("10004", "10005")], ["", "1001"])
