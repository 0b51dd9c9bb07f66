"""
Tests for :mod:`pbx.sip.refer`, :mod:`pbx.sip.replaces` and :mod:`pbx.sip.sipfrag`.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.message import Headers, ParseError, Request
from pbx.sip.refer import ReferTo, refer_to, referred_by
from pbx.sip.replaces import Replaces
from pbx.sip.sipfrag import StatusLine
from pbx.sip.uri import URI
from tests.sip.test_properties import CALM, tokens

call_ids = st.text("abcXYZ019-.!%*_+`'~()<>:\\\"/[]?{}@", min_size=1, max_size=12)
replacing = st.builds(Replaces, call_ids, tokens, tokens, st.booleans())


def refer(*rows: tuple[str, str]) -> Request:
    """
    A REFER with these headers.
    """
    return Request("REFER", "sip:pbx@192.0.2.1", Headers(list(rows)))


class ReplacesTests(SynchronousTestCase):
    """
    The header and its form in a URI.
    """

    def test_header(self) -> None:
        """
        The examples of RFC 3891 6.1.
        """
        self.assertEqual(
            Replaces.parse("98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff"),
            Replaces("98732@sip.example.com", "ff87ff", "r33th4x0r"),
        )
        self.assertEqual(
            Replaces.parse("12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only"),
            Replaces("12adf2f34456gs5", "12345", "54321", early_only=True),
        )
        self.assertEqual(str(Replaces("a@b", "1", "2", early_only=True)), "a@b;to-tag=1;from-tag=2;early-only")

    def test_refused(self) -> None:
        """
        Without a Call-ID or exactly one tag of each side it names no dialog.
        """
        for text in (
            "", ";to-tag=1;from-tag=2", "a", "a;to-tag=1", "a;from-tag=1", "a;to-tag=1;from-tag=",
            "a b;to-tag=1;from-tag=2",
            "a;to-tag=1;to-tag=3;from-tag=2", "a;to-tag=1;from-tag=2;from-tag=3", "a;to-tag=1;from-tag=2,b",
            'a;to-tag="x y";from-tag=2', "a\r\nX: y;to-tag=1;from-tag=2",
        ):
            self.assertRaises(ParseError, Replaces.parse, text)

    @CALM
    @given(replacing)
    def test_round_trips(self, replaces: Replaces) -> None:
        """
        As a header and as a URI's header it is read as it was written.
        """
        self.assertEqual(Replaces.parse(str(replaces)), replaces)
        uri = URI.parse(str(URI("sip", "1002", host="h", headers=(("Replaces", replaces.escaped),))))
        self.assertEqual(Replaces.within(uri), replaces)

    @settings(CALM)
    @given(st.text(max_size=40))
    def test_noise(self, text: str) -> None:
        """
        Whatever comes in, only the documented error comes out.
        """
        for read in (Replaces.parse, ReferTo.parse):
            try:
                read(text)
            except ParseError:
                continue


class ReferToTests(SynchronousTestCase):
    """
    Whom to call, and on whose word.
    """

    def test_blind(self) -> None:
        """
        With or without brackets, a URI's method and headers are told apart from whom it names.
        """
        for text in ("sip:1003@pbx.example", "<sip:1003@pbx.example>", '"Carl" <sip:1003@pbx.example>;x=y'):
            found = ReferTo.parse(text)
            self.assertEqual(str(found.target), "sip:1003@pbx.example")
            self.assertEqual((found.method, found.replaces), ("INVITE", None))
        other = ReferTo.parse("<sip:1003@pbx.example;transport=tcp;method=BYE?Subject=a%20b>")
        self.assertEqual(str(other.target), "sip:1003@pbx.example;transport=tcp")
        self.assertEqual((other.method, other.headers), ("BYE", (("Subject", "a b"),)))

    def test_attended(self) -> None:
        """
        The dialog to be replaced is in the URI, escaped (RFC 3891 6.2), whatever the case of its name.
        """
        value = "12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994"
        text = f"<sip:1003@192.0.2.3?replaces={value}&Require=replaces>"
        found = ReferTo.parse(text)
        self.assertEqual(found.replaces, Replaces("12345@192.168.118.3", "12345", "5FFE-3994"))
        self.assertEqual((str(found.target), found.headers), ("sip:1003@192.0.2.3", (("Require", "replaces"),)))
        twice = text.replace("Require=replaces", "Replaces=1")
        self.assertRaises(ParseError, ReferTo.parse, twice)

    def test_how_many(self) -> None:
        """
        There is one Refer-To and at most one Referred-By.
        """
        one, by = ("Refer-To", "<sip:1003@h>"), ("Referred-By", '<sip:1002@h>;cid="x@y"')
        self.assertEqual(str(refer_to(refer(one)).target), "sip:1003@h")
        self.assertRaises(ParseError, refer_to, refer())
        self.assertRaises(ParseError, refer_to, refer(one, one))
        who = referred_by(refer(one, by))
        assert who is not None
        self.assertEqual((who.uri.user, who.param("cid")), ("1002", "x@y"))
        self.assertIs(referred_by(refer(one)), None)
        self.assertRaises(ParseError, referred_by, refer(one, by, by))


class StatusLineTests(SynchronousTestCase):
    """
    How a call is getting on.
    """

    def test_bytes(self) -> None:
        """
        One line, with its line break.
        """
        self.assertEqual(StatusLine.of(100).to_bytes(), b"SIP/2.0 100 Trying\r\n")
        self.assertEqual(StatusLine.of(486, "Busy").to_bytes(), b"SIP/2.0 486 Busy\r\n")
        self.assertRaises(ValueError, StatusLine.of(200, "a\r\nb").to_bytes)

    def test_parse(self) -> None:
        """
        Headers after it are left alone, the line break may lack; anything else is none.
        """
        self.assertEqual(StatusLine.parse(b"SIP/2.0 200 OK\r\nTo: x\r\n"), StatusLine(200, "OK"))
        self.assertEqual(StatusLine.parse(b"SIP/2.0 603 Declined"), StatusLine(603, "Declined"))
        for body in (b"", b"INVITE sip:a SIP/2.0\r\n", b"SIP/2.0 700 x", b"SIP/2.0 20 x", b"SIP/2.0 200 a\nb"):
            self.assertRaises(ParseError, StatusLine.parse, body)

    @CALM
    @given(st.integers(100, 699), tokens)
    def test_round_trip(self, status: int, reason: str) -> None:
        """
        It is read as it was written.
        """
        line = StatusLine(status, reason)
        self.assertEqual(StatusLine.parse(line.to_bytes()), line)
