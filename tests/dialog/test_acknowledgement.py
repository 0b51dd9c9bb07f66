"""
Tests for :mod:`pbx.dialog.acknowledgement`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.dialog.acknowledgement import Acknowledgement
from pbx.transaction.timer_queue import TimerQueue
from pbx.transaction.timers import Timers


class AcknowledgementTests(SynchronousTestCase):
    """
    A 2xx until its ACK (RFC 3261 13.3.1.4).
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.queue = TimerQueue(self.clock)
        self.heard: list[tuple[float, str]] = []

    def begin(self, **options: Any) -> Acknowledgement:
        def note(what: str) -> None:
            self.heard.append((round(self.clock.seconds(), 3), what))

        return Acknowledgement(self.queue, Timers(), lambda: note("again"), lambda: note("missing"), **options)

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.25] * int(seconds * 4))

    def test_repeats(self) -> None:
        """
        Sent again after T1, then ever more slowly up to T2; after 64*T1 it is missing.
        """
        self.begin()
        self.wait(40)
        self.assertEqual(
            self.heard, [(at, "again") for at in (0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)]
            + [(32.0, "missing")],
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_a_bound(self) -> None:
        """
        A reliable 1xx doubles its interval to the end (RFC 3262 3).
        """
        self.begin(most=32)
        self.wait(40)
        self.assertEqual(self.heard, [(at, "again") for at in (0.5, 1.5, 3.5, 7.5, 15.5, 31.5)] + [(32.0, "missing")])

    def test_stops(self) -> None:
        """
        Once the ACK has come nothing more is sent; to stop twice harms nothing.
        """
        wait = self.begin(cseq=4)
        self.wait(1)
        wait.stop()
        wait.stop()
        self.wait(40)
        self.assertEqual((self.heard, wait.cseq), ([(0.5, "again")], 4))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped_by_its_own_repetition(self) -> None:
        """
        The peer's ACK may be there before the repetition has returned.
        """
        found: list[Acknowledgement] = []

        def resend() -> None:
            found[0].stop()

        found.append(Acknowledgement(self.queue, Timers(), resend, self.fail))
        self.wait(40)
        self.assertEqual(self.clock.getDelayedCalls(), [])
