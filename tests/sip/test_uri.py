"""
Tests for :mod:`pbx.sip.uri`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.message import ParseError
from pbx.sip.uri import URI, host_part, user_part


class ParseTests(SynchronousTestCase):
    """
    Text to URI and back.
    """

    def test_whole(self) -> None:
        """
        Every part that a SIP URI can have.
        """
        text = "sips:alice;day=tue:se%20cret@[2001:db8::1]:5061;transport=tcp;lr?subject=a%20b&priority=urgent"
        uri = URI.parse(text)
        self.assertEqual(
            uri,
            URI(
                "sips",
                "alice;day=tue",
                "se%20cret",
                "2001:db8::1",
                5061,
                (("transport", "tcp"), ("lr", None)),
                (("subject", "a%20b"), ("priority", "urgent")),
            ),
        )
        self.assertEqual(str(uri), text)

    def test_forms(self) -> None:
        """
        What is met comes back as it was.
        """
        for text in (
            "sip:example.com",
            "sip:example.com:5060",
            "sip:1005@192.0.2.1",
            "sip:*72#@pbx",
            "sip:+1(201)555-0123@pbx;user=phone",
            "sip:a@pbx_1.docker",
            "sip:a:@pbx",
            "sip:pbx;x=",
            "sip:pbx?Subject=",
            "tel:+1-201-555-0123;ext=5",
            "mailto:bob@example.com?subject=x",
            "urn:service:sos",
        ):
            self.assertEqual(str(URI.parse(text)), text)

    def test_scheme_case(self) -> None:
        """
        The scheme is told without case.
        """
        self.assertEqual(URI.parse("SIP:a@b").scheme, "sip")

    def test_malformed(self) -> None:
        """
        What is no URI.
        """
        for text in (
            "",
            "sip",
            "sip:",
            "sip:@host",
            "sip:a@",
            "sip:a@b@c",
            "sip:a b@c",
            "sip:a@b c",
            "sip:a@host:",
            "sip:a@host:x",
            "sip:a@host:-1",
            "sip:a@host:65536",
            "sip:a@host:\N{SUPERSCRIPT TWO}",
            "sip:a@[::1",
            "sip:a@[::1]x",
            "sip:a@::1",
            "sip:a@[1.2.3.4]",
            "sip:a@h;",
            "sip:a@h;;x",
            "sip:a@h;=x",
            "sip:a@h?",
            "sip:a@h?x",
            "sip:a@h\r\nVia: x",
            "sip:a@h>",
            "sip:\N{LATIN SMALL LETTER U WITH DIAERESIS}@h",
            "1sip:a",
            "tel:",
            "tel:;x",
        ):
            with self.assertRaises(ParseError, msg=text):
                URI.parse(text)
            with self.assertRaises(ParseError, msg=text):
                # The same beyond the length that is remembered.
                URI.parse(text + "\r\n" + "x" * 128)


class ParameterTests(SynchronousTestCase):
    """
    Parameters of a URI.
    """

    def test_param(self) -> None:
        """
        A value, the empty string for none, None for absent; names without case.
        """
        uri = URI.parse("sip:a@b;Transport=TCP;lr")
        self.assertEqual((uri.param("transport"), uri.param("lr"), uri.param("ob")), ("TCP", "", None))


class EquivalenceTests(SynchronousTestCase):
    """
    RFC 3261 19.1.4, with its own examples.
    """

    def test_equivalent(self) -> None:
        """
        Pairs that name the same.
        """
        for one, other in (
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("sip:a@[2001:db8::0:1]", "sip:a@[2001:DB8::1]"),
            ("sip:a@b?SUBJECT=x", "sip:a@b?subject=x"),
        ):
            self.assertTrue(URI.parse(one).equivalent(URI.parse(other)), one)
            self.assertTrue(URI.parse(other).equivalent(URI.parse(one)), one)

    def test_different(self) -> None:
        """
        Pairs that do not.
        """
        for one, other in (
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:a@b", "sips:a@b"),
            ("sip:a@b", "sip:b"),
            ("sip:a:x@b", "sip:a@b"),
        ):
            self.assertFalse(URI.parse(one).equivalent(URI.parse(other)), one)
            self.assertFalse(URI.parse(other).equivalent(URI.parse(one)), one)


class PartTests(SynchronousTestCase):
    """
    Parts for URIs that are put together.
    """

    def test_user(self) -> None:
        """
        What a URI can't hold is escaped, so that nothing of it ends the user part or the header; the rest stays.
        """
        for text, part in (
            ("+49(30)123-45", "+49(30)123-45"),
            ("*72#", "*72%23"),
            ("a@b", "a%40b"),
            ("a:b", "a%3Ab"),
            ("J\u00f6rg> \r\n", "J%C3%B6rg%3E%20%0D%0A"),
        ):
            self.assertEqual(user_part(text), part)

    def test_host(self) -> None:
        """
        IPv6 stands in brackets, once.
        """
        hosts = ("192.0.2.1", "pbx.example.com", "2001:db8::1", "[2001:db8::1]")
        parts = ["192.0.2.1", "pbx.example.com", "[2001:db8::1]", "[2001:db8::1]"]
        self.assertEqual([host_part(host) for host in hosts], parts)
