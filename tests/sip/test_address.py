"""
Tests for :mod:`pbx.sip.address`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.address import NameAddr, parse_list
from pbx.sip.message import ParseError
from pbx.sip.uri import URI

BOB = URI("sip", "bob", host="b.example")


class NameAddrTests(SynchronousTestCase):
    """
    One address.
    """

    def test_forms(self) -> None:
        """
        The forms that are met, and the one that is written for each.
        """
        for text, written in (
            ("<sip:bob@b.example>", "<sip:bob@b.example>"),
            ("sip:bob@b.example", "<sip:bob@b.example>"),
            ("sip:bob@b.example;tag=1", "<sip:bob@b.example>;tag=1"),
            ("sip:bob@b.example ; tag = 1", "<sip:bob@b.example>;tag=1"),
            ("<sip:bob@b.example;lr>;tag=1", "<sip:bob@b.example;lr>;tag=1"),
            ("Bob <sip:bob@b.example>", '"Bob" <sip:bob@b.example>'),
            ("Bob de Bouwer<sip:bob@b.example>", '"Bob de Bouwer" <sip:bob@b.example>'),
            ('"Bob" <sip:bob@b.example>', '"Bob" <sip:bob@b.example>'),
            ('"Bob"<sip:bob@b.example> ;x;tag=1', '"Bob" <sip:bob@b.example>;x;tag=1'),
            ('"" <sip:bob@b.example>', "<sip:bob@b.example>"),
            (r'"a \"b\" \\c" <sip:bob@b.example>', r'"a \"b\" \\c" <sip:bob@b.example>'),
            ('"<a>, b;c" <sip:bob@b.example>', '"<a>, b;c" <sip:bob@b.example>'),
            ('<sip:bob@b.example>;x="a;b,c"', '<sip:bob@b.example>;x="a;b,c"'),
            ('sip:bob@b.example;+sip.instance="<urn:uuid:1>"', '<sip:bob@b.example>;+sip.instance="<urn:uuid:1>"'),
            ("Jörg <sip:bob@b.example>", '"Jörg" <sip:bob@b.example>'),
            ("Bob (home) <sip:bob@b.example>", '"Bob (home)" <sip:bob@b.example>'),
        ):
            self.assertEqual(str(NameAddr.parse(text)), written)
            self.assertEqual(str(NameAddr.parse(written)), written)

    def test_control_characters(self) -> None:
        """
        None of them comes into a display name.
        """
        for text in ('"a\x00b\x07\x7f" <sip:b@c>', '"a\\\x00b" <sip:b@c>', "a\x1b\u2028b <sip:b@c>"):
            self.assertEqual(NameAddr.parse(text).display, "ab")

    def test_malformed(self) -> None:
        """
        What is no address; the error names the header.
        """
        for text in (
            "",
            "Bob",
            "<sip:bob@b.example",
            "sip:bob@b.example>",
            '"Bob <sip:bob@b.example>',
            '"Bob" sip:bob@b.example',
            'Bob" <sip:bob@b.example>',
            "<sip:bob@b.example>tag=1",
            "<sip:bob@b.example>;",
            "<sip:bob@b.example>;;tag=1",
            "<sip:bob@b.example>;tag=",
            '<sip:bob@b.example>;x="',
            "<sip:bob@b.example> <sip:x@y>",
            "<bob>",
            "sip:bob@b.example?x=y",
            "<sip:a@b>, <sip:c@d>",
        ):
            with self.assertRaises(ParseError, msg=text) as caught:
                NameAddr.parse(text, "Refer-To")
            self.assertEqual((caught.exception.status, caught.exception.reason), (400, "Malformed Refer-To"))

    def test_tag(self) -> None:
        """
        The tag is found without case, set, and replaced; the address it came from stays.
        """
        address = NameAddr.parse("<sip:bob@b.example>;x=1;TAG=old;y")
        self.assertEqual(address.tag, "old")
        self.assertEqual(str(address.with_tag("new")), "<sip:bob@b.example>;x=1;tag=new;y")
        self.assertIsNone(NameAddr("", BOB).tag)
        self.assertEqual(NameAddr("", BOB).with_tag("t").tag, "t")
        self.assertEqual(address.tag, "old")

    def test_param(self) -> None:
        """
        A value without its quotes, the empty string for none, None for absent.
        """
        address = NameAddr.parse(r'<sip:a@b>;+sip.instance="<urn:uuid:\"1\">";ob;q=0.5')
        self.assertEqual(address.param("+sip.instance"), '<urn:uuid:"1">')
        self.assertEqual((address.param("ob"), address.param("q"), address.param("z")), ("", "0.5", None))

    def test_line_break(self) -> None:
        """
        A display name with a line break is never written.
        """
        for name in ("a\r\nVia: x", "a\nb", "a\rb"):
            with self.assertRaises(ValueError):
                str(NameAddr(name, BOB))


class ListTests(SynchronousTestCase):
    """
    Several addresses in one value.
    """

    def test_commas(self) -> None:
        """
        Commas in quotes and brackets divide nothing.
        """
        text = '"a, b" <sip:x,y@b.example>;q=1 ,sip:z@b.example;m="1,2", <sip:w@b.example>'
        self.assertEqual([address.uri.user for address in parse_list(text)], ["x,y", "z", "w"])
        self.assertEqual([address.uri.user for address in parse_list("<sip:x,y@b>,sip:z@b")], ["x,y", "z"])

    def test_malformed(self) -> None:
        """
        Empty elements, and quotes or brackets that are never closed.
        """
        for text in ("", ",", "<sip:a@b>,", ",<sip:a@b>", "<sip:a@b>,,<sip:c@d>", '<sip:a@b>,"c', "<sip:a@b>,<sip:c@d"):
            with self.assertRaises(ParseError, msg=text):
                parse_list(text)
