"""
Tests for :mod:`pbx.sip.multipart`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip import multipart
from pbx.sip.error import ParseError
from pbx.sip.message import Headers, Request
from pbx.sip.multipart import MAX_PARTS, Part, sdp_of

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n"


def message(content_type: str | None, body: bytes) -> Request:
    """
    An INVITE with a body.
    """
    headers = Headers()
    if content_type is not None:
        headers.add("Content-Type", content_type)
    return Request("INVITE", "sip:a@b", headers, body)


def mixed(*parts: bytes, boundary: bytes = b"b1") -> bytes:
    """
    A multipart body of parts, each with its own headers.
    """
    return b"".join([b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts]) + b"--" + boundary + b"--\r\n"


class SdpTests(SynchronousTestCase):
    """
    The session description in a body.
    """

    def test_whole_body(self) -> None:
        """
        The body itself, whatever the case and parameters of its type.
        """
        self.assertEqual(sdp_of(message("Application/SDP;charset=utf-8", SDP)), SDP)

    def test_none(self) -> None:
        """
        No body, no type, another type.
        """
        self.assertIsNone(sdp_of(message("application/sdp", b"")))
        self.assertIsNone(sdp_of(message(None, SDP)))
        self.assertIsNone(sdp_of(message("text/plain", SDP)))

    def test_part(self) -> None:
        """
        The part of that type, byte for byte, among others.
        """
        isup = b"Content-Type: application/isup;version=x\r\n\r\n\x00\x01\r\n\r\n"
        body = mixed(isup, b"content-type:application/sdp\r\n\r\n" + SDP)
        self.assertEqual(sdp_of(message('multipart/mixed;boundary="b1"', body)), SDP)
        self.assertEqual(sdp_of(message("multipart/mixed; boundary=b1", b"preamble\r\n" + body + b"epilogue")), SDP)

    def test_nested(self) -> None:
        """
        Alternative within mixed.
        """
        inner = mixed(b"\r\nwords", b"Content-Type: application/sdp\r\n\r\n" + SDP, boundary=b"in")
        body = mixed(b"Content-Type: multipart/alternative;\r\n boundary=in\r\n\r\n" + inner)
        self.assertEqual(sdp_of(message("multipart/mixed;boundary=b1", body)), SDP)

    def test_too_deep(self) -> None:
        """
        The third level is looked at, the fourth is not.
        """
        body = b"Content-Type: application/sdp\r\n\r\n" + SDP
        for level, found in enumerate((SDP, SDP, SDP, None)):
            name = b"l%d" % level
            content = mixed(body, boundary=name)
            self.assertEqual(sdp_of(message(f"multipart/mixed;boundary={name.decode()}", content)), found)
            body = b"Content-Type: multipart/mixed;boundary=" + name + b"\r\n\r\n" + content

    def test_early_session(self) -> None:
        """
        A part about another session is not the call's.
        """
        part = b"Content-Type: application/sdp\r\nContent-Disposition: early-session\r\n\r\nother"
        call = b"Content-Type: application/sdp\r\nContent-Disposition: session; handling=required\r\n\r\n" + SDP
        self.assertEqual(sdp_of(message("multipart/mixed;boundary=b1", mixed(part, call))), SDP)

    def test_no_such_part(self) -> None:
        """
        Parts, but none of that type.
        """
        self.assertIsNone(sdp_of(message("multipart/mixed;boundary=b1", mixed(b"Content-Type: text/plain\r\n\r\nx"))))

    def test_malformed(self) -> None:
        """
        No boundary, never closed, or more parts than anyone sends.
        """
        part = b"Content-Type: text/plain\r\n\r\nx"
        for content_type, body in (
            ("multipart/mixed", mixed(part)),
            ("multipart/mixed;boundary=" + "b" * 71, mixed(part)),
            ("multipart/mixed;boundary=b1", b"--b1\r\n" + part),
            ("multipart/mixed;boundary=b1", b"--b1x\r\n" + part + b"\r\n--b1--"),
            ("multipart/mixed;boundary=b1", mixed(*[part] * (MAX_PARTS + 1))),
        ):
            with self.assertRaises(ParseError):
                sdp_of(message(content_type, body))


class MixedTests(SynchronousTestCase):
    """
    Bodies of several parts.
    """

    def test_read_again(self) -> None:
        """
        Whoever looks for the description finds it beside what else there is, byte for byte.
        """
        location = Part("application/pidf+xml", b"<presence/>\n", "where@pbx.example.com")
        kind, body = multipart.mixed([Part("application/sdp", SDP), location])
        self.assertEqual(sdp_of(message(kind, body)), SDP)
        self.assertIn(
            b"Content-Type: application/pidf+xml\r\nContent-ID: <where@pbx.example.com>\r\n\r\n<presence/>\n\r\n--",
            body,
        )

    def test_boundary(self) -> None:
        """
        What divides the parts stands in none of them.
        """
        boundaries = ["a" * 32, "b" * 32]
        self.patch(multipart, "random_hex", lambda length: boundaries.pop(0))
        kind, body = multipart.mixed([Part("application/sdp", b"a" * 64)])
        self.assertEqual(kind, f'multipart/mixed;boundary="{"b" * 32}"')
        self.assertEqual(sdp_of(message(kind, body)), b"a" * 64)
