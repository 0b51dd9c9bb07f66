"""
Tests for :mod:`pbx.sip.reasons`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.error import ParseError
from pbx.sip.reasons import (
    CAUSES,
    PHRASES,
    Reason,
    cause_of_status,
    parse_reasons,
    phrase,
    reason_header,
)


class PhraseTests(SynchronousTestCase):
    """
    What a status is called.
    """

    def test_phrases(self) -> None:
        """
        The registered one, else that of the class, else something still.
        """
        self.assertEqual(phrase(486), "Busy Here")
        self.assertEqual(phrase(499), "Request Failure")
        self.assertEqual(phrase(999), "Unknown")


class CauseTests(SynchronousTestCase):
    """
    SIP statuses and Q.850 causes.
    """

    def test_every_status_has_a_cause(self) -> None:
        """
        Every registered failure gives a cause with a name.
        """
        for status in PHRASES:
            self.assertIn(cause_of_status(status), CAUSES, status)

    def test_those_that_matter(self) -> None:
        """
        Busy, nobody there, no such number, declined, ended.
        """
        self.assertEqual([cause_of_status(status) for status in (486, 404, 603, 200)], [17, 1, 21, 16])


class ReasonTests(SynchronousTestCase):
    """
    The Reason header.
    """

    def test_golden(self) -> None:
        """
        As RFC 3326 writes it.
        """
        self.assertEqual(reason_header(17), 'Q.850;cause=17;text="User busy"')
        elsewhere = "Call completed elsewhere"
        self.assertEqual(reason_header(200, elsewhere), f'SIP;cause=200;text="{elsewhere}"')
        self.assertEqual(reason_header(126), "Q.850;cause=126")

    def test_rows(self) -> None:
        """
        Several values in several rows; what is malformed is passed over.
        """
        rows = ['SIP ;cause=580 ;text="Precondition Failure", Q.850;cause=16', "Q.850;cause=x", "preemption"]
        self.assertEqual(
            parse_reasons(rows),
            [Reason("SIP", 580, "Precondition Failure"), Reason("Q.850", 16), Reason("preemption")],
        )

    def test_malformed(self) -> None:
        """
        No protocol, or a cause beyond all protocols.
        """
        for text in ("", ";cause=1", "SIP;cause=1000", "S I P"):
            with self.assertRaises(ParseError, msg=text):
                Reason.parse(text)

    def test_line_break(self) -> None:
        """
        Words with a line break are never written.
        """
        with self.assertRaises(ValueError):
            reason_header(17, "x\nVia: y")
