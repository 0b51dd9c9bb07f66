"""
Tests for :mod:`pbx.dialog.session_timer`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.dialog.session_timer import (
    Agreement,
    IntervalTooSmall,
    SessionTimer,
    answer_to,
    answered_by,
    asked_for,
    fields,
    minimum,
)
from pbx.sip.message import Headers, ParseError, Request, Response
from pbx.transaction.timer_queue import TimerQueue


def headers(asked: str | None = None, supported: bool = False, min_se: str | None = None) -> Headers:
    """
    The header fields of RFC 4028.
    """
    made = Headers()
    if asked is not None:
        made.add("Session-Expires", asked)
    if supported:
        made.add("Supported", "100rel, Timer")
    if min_se is not None:
        made.add("Min-SE", min_se)
    return made


def request(*args: Any, **options: Any) -> Request:
    """
    An INVITE with them.
    """
    return Request("INVITE", "sip:a@b", headers(*args, **options))


def response(*args: Any, **options: Any) -> Response:
    """
    A 200 with them.
    """
    return Response(200, "OK", headers(*args, **options))


class AnswerTests(SynchronousTestCase):
    """
    The decision of the side that answers (RFC 4028 9).
    """

    def test_table(self) -> None:
        """
        Table 2 of the RFC, and the interval: never longer than asked, never shorter than either side's minimum.
        """
        ours = 1800
        for asked, supported, min_se, expected in (
            # Nobody asked: we refresh.
            (None, False, None, Agreement(ours, "uas", required=False)),
            (None, True, None, Agreement(ours, "uas", required=True)),
            (None, True, "3600", Agreement(3600, "uas", required=True)),
            # A proxy asked, for a peer that can't refresh.
            ("600", False, None, Agreement(600, "uas", required=False)),
            ("600;refresher=uac", False, None, Agreement(600, "uas", required=False)),
            ("60", False, None, Agreement(90, "uas", required=False)),
            # The peer asked without a refresher: it may as well be the one.
            ("600", True, None, Agreement(600, "uac", required=True)),
            ("600;refresher=someone", True, None, Agreement(600, "uac", required=True)),
            # The caller's choice stands.
            ("600;refresher=uac", True, None, Agreement(600, "uac", required=True)),
            ("600;refresher=uas", True, None, Agreement(600, "uas", required=True)),
            ("600 ; Refresher = UAS", True, None, Agreement(600, "uas", required=True)),
            # Longer than we like is cut, but not below the Min-SE on the way.
            ("7200", True, None, Agreement(ours, "uac", required=True)),
            ("7200", True, "3600", Agreement(3600, "uac", required=True)),
            ("90", True, None, Agreement(90, "uac", required=True)),
        ):
            with self.subTest(asked=asked, supported=supported, min_se=min_se):
                self.assertEqual(answer_to(request(asked, supported, min_se), ours, 90), expected)

    def test_too_small(self) -> None:
        """
        Less than we take is 422 with our Min-SE, for a peer that can read it.
        """
        for asked, min_se in (("89", 90), ("119;refresher=uac", 120), ("0", 90)):
            error = self.assertRaises(IntervalTooSmall, answer_to, request(asked, True), 1800, min_se)
            self.assertEqual((error.status, error.min_se), (422, min_se))

    def test_malformed(self) -> None:
        """
        What is no number is 400.
        """
        for asked in ("", "soon", "-1", "1e3", "9" * 10, "²", "1 2"):
            error = self.assertRaises(ParseError, answer_to, request(asked, True), 1800)
            self.assertEqual(error.status, 400)

    def test_fields(self) -> None:
        """
        The answer tells who refreshes and how often, and requires it where it is shared.
        """
        self.assertEqual(
            fields(Agreement(600, "uac", required=True)),
            (("Supported", "timer"), ("Session-Expires", "600;refresher=uac"), ("Require", "timer")),
        )
        self.assertEqual(len(fields(Agreement(600, "uas", required=False))), 2)


class AnsweredTests(SynchronousTestCase):
    """
    The decision as the side that asked reads it (RFC 4028 7.2).
    """

    def test_table(self) -> None:
        """
        The peer's word holds, though not below 90 s; where it says nothing that can be read, we refresh.
        """
        for answer, expected in (
            (None, (1800, "uac")), ("600;refresher=uas", (600, "uas")), ("600;refresher=uac", (600, "uac")),
            ("600", (600, "uac")), ("1;refresher=uac", (90, "uac")), ("never", (1800, "uac")),
        ):
            found = answered_by(response(answer), 1800)
            self.assertEqual((found.interval, found.refresher), expected)

    def test_asked_for(self) -> None:
        """
        The bare reading.
        """
        self.assertIsNone(asked_for(response()))
        self.assertEqual(asked_for(response("300;x;refresher=uas;y=1")), (300, "uas"))

    def test_minimum(self) -> None:
        """
        Min-SE is at least 90 s, and 90 where it is missing or can't be read.
        """
        for text, expected in (("120;a=b", 120), ("1", 90), (None, 90), ("x", 90), ("²", 90), ("9" * 10, 90)):
            self.assertEqual(minimum(response(min_se=text)), expected)


class ClockTests(SynchronousTestCase):
    """
    The clock of a session (RFC 4028 10).
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.heard: list[str] = []
        self.timer = SessionTimer(
            TimerQueue(self.clock), lambda: self.heard.append("refresh"), lambda: self.heard.append("expired")
        )

    def test_who_refreshes(self) -> None:
        """
        The one that the agreement names, whichever side asked; it does so at half the interval.
        """
        for refresher, we_asked, ours in (("uac", True, True), ("uas", True, False), ("uac", False, False),
                                          ("uas", False, True)):
            self.heard.clear()
            self.timer.start(Agreement(600, refresher, required=True), we_asked=we_asked)
            self.assertEqual(self.timer.ours, ours)
            self.clock.advance(299)
            self.assertEqual(self.heard, [])
            self.clock.advance(1)
            self.assertEqual(self.heard, ["refresh"] if ours else [])
            self.timer.stop()

    def test_expiry(self) -> None:
        """
        The other side's refresh is missed 32 s before the end, or a third of a short interval.
        """
        for interval, at in ((600, 568), (90, 60)):
            self.heard.clear()
            self.timer.start(Agreement(interval, "uac", required=True), we_asked=False)
            self.clock.advance(at - 0.1)
            self.assertEqual(self.heard, [])
            self.clock.advance(0.2)
            self.assertEqual(self.heard, ["expired"])

    def test_begins_again(self) -> None:
        """
        Each refresh begins the interval anew; after stop nothing comes.
        """
        agreement = Agreement(90, "uac", required=True)
        for _ in range(5):
            self.timer.start(agreement, we_asked=False)
            self.clock.advance(59)
        self.timer.stop()
        self.timer.stop()
        self.assertEqual((self.heard, self.clock.getDelayedCalls()), ([], []))
