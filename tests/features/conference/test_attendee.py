"""
Tests for :mod:`pbx.features.conference.attendee`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from pbx.features.conference.attendee import Attendee
from tests.features.conference.case import Guest
from tests.media.members import Hall, Person


class AttendeeTests(SynchronousTestCase):
    """
    One who takes part.
    """

    def setUp(self) -> None:
        self.hall = Hall()
        self.attendee = Attendee("a", Guest(self.hall, Person()))

    def start(self) -> Deferred[Any]:
        """
        Wait for a key.
        """
        return Deferred.fromCoroutine(self.attendee.key(10))

    def test_called(self) -> None:
        """
        Being called ends the waiting for a key, being hung up on goes on upwards; neither leaves a timer.
        """
        waiting = self.start()
        self.attendee.call()
        self.assertEqual(self.successResultOf(waiting), "")
        waiting = self.start()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        waiting = self.start()
        self.hall.clock.advance(10)
        self.assertEqual(self.successResultOf(waiting), "")
        self.assertEqual(self.hall.clock.getDelayedCalls(), [])

    def test_first_reason(self) -> None:
        """
        Who is sent away goes for the first reason there was.
        """
        self.attendee.dismiss("kicked")
        self.attendee.dismiss("ended")
        self.assertEqual(self.attendee.leaving, "kicked")
