"""
Tests for :mod:`pbx.sip.parser`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.message import Request
from pbx.sip.parser import parse

INVITE = (
    b"INVITE sip:1006@pbx.example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK-1;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "John" <sip:1005@pbx.example.com>;tag=a1\r\n'
    b"To: <sip:1006@pbx.example.com>\r\n"
    b"Call-ID: c1\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Contact: <sip:1005@192.0.2.1:5070>\r\n"
    b"Content-Type: application/sdp\r\n"
    b"X-Tree: oak\r\n"
    b"Content-Length: 4\r\n"
    b"\r\n"
    b"v=0\n"
)


class ParseTests(SynchronousTestCase):
    """
    Messages in datagrams.
    """

    def test_request(self) -> None:
        """
        A request's parts, and the same bytes when it is written again.
        """
        request = parse(INVITE)
        assert isinstance(request, Request)
        self.assertEqual((request.method, request.uri), ("INVITE", "sip:1006@pbx.example.com"))
        self.assertEqual(request.headers.get("x-tree"), "oak")
        self.assertEqual(request.body, b"v=0\n")
        self.assertEqual(request.to_bytes(), INVITE)
