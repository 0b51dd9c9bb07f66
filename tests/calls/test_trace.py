"""
The last messages of each phone.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.calls.trace import MOST, CallTrace
from pbx.transport.trace import ITrace
from tests.calls.case import Conversation, ExchangeCase


class CallTraceTests(SynchronousTestCase):
    """
    A ring of messages.
    """

    def setUp(self) -> None:
        """
        A trace on a clock that stands.
        """
        self.trace = CallTrace(lambda: 1.5)

    def test_interface(self) -> None:
        """
        It is what the transports show their messages to.
        """
        verifyObject(ITrace, self.trace)

    def test_about(self) -> None:
        """
        What contains a text is shown with its time, direction and flow, oldest first.
        """
        self.trace.received("udp:a>b", b"REGISTER sip:x SIP/2.0\r\nTo: <sip:1001@x>\r\n\r\n")
        self.trace.sent("udp:a>b", b"SIP/2.0 200 OK\r\nTo: <sip:1001@x>\r\n\r\n")
        self.trace.sent("udp:a>c", b"SIP/2.0 200 OK\r\nTo: <sip:1002@x>\r\n\r\n")
        self.assertEqual(
            self.trace.about("1001").splitlines(),
            [
                "1.500 from udp:a>b", "    REGISTER sip:x SIP/2.0", "    To: <sip:1001@x>", "    ", "    ",
                "1.500 to udp:a>b", "    SIP/2.0 200 OK", "    To: <sip:1001@x>", "    ", "    ",
            ],
        )
        self.assertEqual(self.trace.about("1003"), "")

    def test_ring(self) -> None:
        """
        No more than set are kept.
        """
        for n in range(MOST + 5):
            self.trace.sent("f", b"message %06d" % n)
        self.assertEqual(self.trace.about("message 000004"), "")
        self.assertIn("message 000005", self.trace.about("message 000005"))

    def test_bytes_of_strangers(self) -> None:
        """
        What is no text is shown all the same.
        """
        self.trace.received("f", b"OPTIONS \xff\xfe\r\n\r\n")
        self.assertIn("OPTIONS", self.trace.about("OPTIONS"))


class SecretsTests(ExchangeCase):
    """
    What a trace does not show.
    """

    def test_no_digest_and_no_key(self) -> None:
        """
        Of a whole call neither digests nor SRTP keys can be read, in any spelling of the header.
        """
        anna, bert = self.phone("1001"), self.phone("1002")
        body = anna.sdp() + b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNl\r\n"
        talk = Conversation(anna, bert, body=body)
        talk.hang_up(anna)
        shown = self.exchange.trace.about("1001")
        self.assertIn("INVITE sip:1002@10.0.0.1 SIP/2.0", shown)
        self.assertIn("Authorization: (not shown)", shown)
        for secret in ("response=", "inline:", "cnonce"):
            self.assertNotIn(secret, shown)
