"""
Calls that go in circles.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.calls.loops import MOST_PAIRS, LoopWatch
from tests.calls.case import ExchangeCase


class LoopWatchTests(SynchronousTestCase):
    """
    Calls that go in circles.
    """

    def test_the_eleventh_within_two_seconds(self) -> None:
        """
        Ten beginnings of a pair within two seconds are let through, the eleventh is not, nor is another pair touched.
        """
        watch = LoopWatch()
        self.assertEqual([watch.begins("1", "2", n / 10) for n in range(11)], [False] * 10 + [True])
        self.assertFalse(watch.begins("1", "3", 1.1))
        self.assertFalse(watch.begins("1", "2", 3.5))

    def test_steady_calling(self) -> None:
        """
        Ten calls in two seconds, again and again, are let through: only the eleventh within any two seconds is not.
        """
        watch = LoopWatch()
        self.assertFalse(any(watch.begins("1", "2", n * 0.21) for n in range(200)))

    def test_pairs_are_forgotten(self) -> None:
        """
        No more pairs are watched than set, the one seen least recently goes.
        """
        watch = LoopWatch()
        for _ in range(10):
            watch.begins("1", "2", 0)
        for n in range(MOST_PAIRS):
            watch.begins("3", str(n), 0)
        self.assertEqual(len(watch._begun), MOST_PAIRS)
        self.assertFalse(watch.begins("1", "2", 0))


class LoggedTests(ExchangeCase):
    """
    What the log says of a loop.
    """

    def test_once_a_minute(self) -> None:
        """
        However many calls go in circles, the log tells once a minute.
        """
        anna = self.phone("1001")
        for minute in (1, 2):
            statuses = []
            for _ in range(14):
                invite = anna.call("1999")
                answer = anna.last("INVITE")
                anna.acknowledge_refusal(invite, answer)
                statuses.append(answer.status)
            self.assertEqual(statuses, [404] * 10 + [482] * 4)
            self.assertEqual(len(self.logged("refused as a loop")), minute)
            told = self.exchange.alerts.told
            self.assertEqual({(one.kind, one.subject) for one in told}, {("loop", "1999")})
            self.assertIn("1001 called 1999 more than 10 times within 2 s", told[0].text)
            self.network.advance(61)
