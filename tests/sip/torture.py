"""
What the tests of torture messages share: text to the bytes on the wire, and a verdict on them.
"""

from __future__ import annotations

from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.message import ParseError, Request, Response
from pbx.sip.parser import parse


def wire(text: str, body: bytes = b"") -> bytes:
    """
    A message as bytes: indentation taken off, lines ended by CRLF, an empty line, and the body.

    Args:
        text: Start line and headers; ``{length}`` becomes that of the body.
        body: As it is.
    """
    lines = dedent(text.strip("\n")).replace("{length}", str(len(body))).strip("\n")
    return lines.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body


class TortureCase(SynchronousTestCase):
    """
    A test of messages as they stand in an RFC.
    """

    def request(self, data: bytes) -> Request:
        """
        The request that is found in the bytes; whatever every request must have is well-formed.
        """
        message = parse(data)
        assert isinstance(message, Request)
        message.check()
        return message

    def response(self, data: bytes) -> Response:
        """
        The response that is found in the bytes, likewise.
        """
        message = parse(data)
        assert isinstance(message, Response)
        message.check()
        return message

    def refused(self, data: bytes, status: int = 400) -> ParseError:
        """
        The error that the bytes, or the headers every message must have, are refused with.
        """
        with self.assertRaises(ParseError) as caught:
            parse(data).check()
        self.assertEqual(caught.exception.status, status)
        return caught.exception
