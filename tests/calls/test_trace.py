"""
The last messages of each phone.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.calls.trace import LONGEST, MOST, MOST_BYTES, CallTrace
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

    def test_bytes(self) -> None:
        """
        Of a long message the beginning is kept, and of all messages together no more than set.
        """
        for n in range(MOST):
            self.trace.received("f", b"message %06d" % n + b"x" * 50_000 + b"end")
        shown = self.trace.about(f"message {MOST - 1:06d}")
        self.assertLess(len(shown), LONGEST + 100)
        self.assertIn(f"({50_017 - LONGEST} bytes more)", shown)
        whole = self.trace.about("message")
        self.assertTrue(MOST_BYTES - 2 * LONGEST < len(whole) < MOST_BYTES * 1.1, len(whole))

    def test_keep_alives(self) -> None:
        """
        Pings of ours, what phones answer, and line breaks are not kept; a stranger cannot hide behind their mark.
        """
        self.trace.leave_out("ba5eba11")
        self.trace.sent("f", b"OPTIONS sip:x SIP/2.0\r\nCall-ID: ba5eba11\r\n\r\n")
        self.trace.received("f", b"SIP/2.0 200 OK\r\nCall-ID: ba5eba11\r\n\r\n")
        self.trace.received("f", b"\r\n\r\n")
        self.trace.sent("f", b"\r\n")
        self.assertEqual(self.trace.about(""), "")
        self.trace.received("f", b"INVITE sip:x SIP/2.0\r\nCall-ID: ba5eba11\r\n\r\n")
        self.assertIn("INVITE", self.trace.about("ba5eba11"))

    def test_spellings_of_secrets(self) -> None:
        """
        Digests and keys are not shown whatever the ends of the lines, with blanks before the colon, and folded.
        """
        for end in (b"\r\n", b"\n", b"\r"):
            rows = (
                b"REGISTER sip:x SIP/2.0", b"Authorization: Digest response=secret", b"AUTHORIZATION : secret",
                b"Proxy-Authorization\t:", b" secret", b"\tsecret", b"To: <sip:1001@x>", b" ;shown", b"",
                b"a=crypto:1 secret", b"A = Crypto:2 secret", b"k=clear:secret", b"a=ptime:20", b"",
            )
            self.trace.received("f", end.join(rows))
        shown = self.trace.about("1001")
        self.assertNotIn("secret", shown)
        self.assertEqual(shown.count("Authorization: (not shown)"), 6)
        self.assertEqual(shown.count("a=ptime:20"), 3)
        self.assertEqual(shown.count(";shown"), 3)

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
