"""
Tests for :mod:`pbx.sip.via`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.message import ParseError
from pbx.sip.via import Via


class ViaTests(SynchronousTestCase):
    """
    One hop.
    """

    def test_golden(self) -> None:
        """
        What phones send comes back as it was.
        """
        for text in (
            "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1;rport",
            "SIP/2.0/TLS phone.invalid;branch=z9hG4bK-1;alias",
            "SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bK-1;received=2001:db8::2;rport=5061",
            "SIP/2.0/UDP host",
            'SIP/2.0/UDP host;x="a;b"',
            "SIP/2.0/UDP host:65535",
            "SIP/2.0/UDP host:59999;branch=a",
            "SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks",
        ):
            self.assertEqual(str(Via.parse(text)), text)

    def test_parts(self) -> None:
        """
        Transport in capitals, host, port, branch, received and rport.
        """
        via = Via.parse("sip / 2.0 / udp [::1] : 5070 ;Branch=z9hG4bK-1;received=[::2];rport=6000")
        self.assertEqual((via.transport, via.host, via.port), ("UDP", "::1", 5070))
        self.assertEqual((via.branch, via.received, via.rport), ("z9hG4bK-1", "::2", 6000))

    def test_absent(self) -> None:
        """
        What is not there, or not filled in, or no number.
        """
        via = Via.parse("SIP/2.0/UDP a;rport")
        self.assertEqual((via.port, via.branch, via.received, via.rport), (None, None, None, None))
        for text in ("x", "-1", "123456", "²"):
            self.assertIsNone(Via.parse(f"SIP/2.0/UDP a;rport={text}").rport)

    def test_malformed(self) -> None:
        """
        What is no Via.
        """
        for text in (
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/3.0/UDP a",
            "HTTP/1.1 a",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP a:x",
            "SIP/2.0/UDP a:65536",
            "SIP/2.0/UDP a:",
            "SIP/2.0/UDP ::1",
            "SIP/2.0/UDP [::1",
            "SIP/2.0/UDP [1.2.3.4]",
            "SIP/2.0/UDP a;",
            "SIP/2.0/UDP a;=1",
            "SIP/2.0/UDP a;branch=",
            "SIP/2.0/UDP a;;branch=1",
            "SIP/2.0/UDP a, SIP/2.0/UDP b",
            "SIP/2.0/U\u00c4 a",
        ):
            with self.assertRaises(ParseError, msg=text):
                Via.parse(text)

    def test_received(self) -> None:
        """
        The source is noted, whether rport was asked for or not, and replaces what a peer claimed.
        """
        via = Via.parse("SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK-1")
        stamped = via.with_received("192.0.2.9", 5071)
        self.assertEqual(str(stamped), "SIP/2.0/UDP 10.0.0.1;rport=5071;branch=z9hG4bK-1;received=192.0.2.9")
        self.assertEqual((stamped.received, stamped.rport), ("192.0.2.9", 5071))
        forged = Via.parse("SIP/2.0/UDP a;received=1.1.1.1;branch=z9hG4bK-1;received=2.2.2.2")
        self.assertEqual(
            str(forged.with_received("::1", 5072)), "SIP/2.0/UDP a;received=::1;branch=z9hG4bK-1;rport=5072"
        )
