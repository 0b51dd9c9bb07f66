"""
Tests of :mod:`pbx.features.announcement`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.calls.destination import IDestination
from pbx.directory.decision import Destination
from pbx.features.announcement import Announcements
from tests.features.visitor import Visitor, run

MENU = Destination("menu", "500")


class AnnouncementsTests(SynchronousTestCase):
    """
    A prompt, and on.
    """

    def test_plays_and_goes_on(self) -> None:
        """
        The prompt is played; then the call goes on to the number, or ends.
        """
        announcements = Announcements({"500": MENU}.get)
        verifyObject(IDestination, announcements)
        for argument, further, note in (
            ("", None, "announcement closed is played"),
            ("500", MENU, "announcement closed: on to 500"),
            ("501", None, "announcement closed: on to 501, which leads nowhere"),
        ):
            visitor = Visitor(destination=Destination("announcement", "closed", argument))
            self.assertEqual(run(announcements.take(visitor)), further)
            self.assertEqual((visitor.answered, visitor.terminal.heard), (True, ["closed"]))
            self.assertEqual(visitor.notes[-1], note)
