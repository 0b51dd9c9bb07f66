"""
Tests for :mod:`pbx.transaction.hop_by_hop`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.transaction.hop_by_hop import ack, cancel
from tests.transaction.playbook import request, response

ACK = b"""ACK sip:1002@pbx.example SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport\r
Max-Forwards: 70\r
Route: <sip:edge.example;lr>\r
From: <sip:1001@pbx.example>;tag=from-1\r
To: <sip:1002@pbx.example>;tag=to-1\r
Call-ID: call-1\r
CSeq: 1 ACK\r
Content-Length: 0\r
\r
"""


class HopByHopTests(SynchronousTestCase):
    """
    What is made of an INVITE.
    """

    def setUp(self) -> None:
        self.invite = request(Route="<sip:edge.example;lr>", Require="100rel", Contact="<sip:1001@192.0.2.1>")
        self.invite.headers.add("Via", "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKbelow")

    def test_ack(self) -> None:
        """
        An ACK has the INVITE's top Via alone, its Route and its number, and the To of the refusal.
        """
        self.assertEqual(ack(self.invite, response(486)).to_bytes(), ACK)

    def test_cancel(self) -> None:
        """
        A CANCEL has the INVITE's own To, and nothing that asks for an extension (RFC 3261 9.1).
        """
        expected = ACK.replace(b"ACK", b"CANCEL").replace(b";tag=to-1", b"")
        self.assertEqual(cancel(self.invite).to_bytes(), expected)

    def test_cancel_with_reason(self) -> None:
        """
        And the user's Reason, when it has one.
        """
        self.assertEqual(cancel(self.invite, "SIP;cause=200").headers.get("Reason"), "SIP;cause=200")
