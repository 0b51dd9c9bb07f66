"""
Tests for :mod:`pbx.dialog.offer`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.dialog.offer import offer_of
from pbx.sip.message import Headers, ProtocolError, Request

PARTS = (
    b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n"
)


class OfferTests(SynchronousTestCase):
    """
    What in a request is an offer.
    """

    def offer(self, kind: str, body: bytes) -> bytes | None:
        headers = Headers()
        if kind:
            headers.add("Content-Type", kind)
        return offer_of(Request("INVITE", "sip:a@b", headers, body))

    def test_found(self) -> None:
        """
        The description is the body, or a part of it; no body is no offer, nor is a multipart without one.
        """
        for kind, body, expected in (
            ("application/sdp", b"v=0", b"v=0"), ("Application/SDP; x=y", b"v=0", b"v=0"),
            ("multipart/mixed;boundary=b", PARTS, b"v=0"), ("", b"", None), ("application/sdp", b"", None),
            ("multipart/mixed;boundary=b", b"--b\r\n\r\nhello\r\n--b--\r\n", None),
        ):
            self.assertEqual(self.offer(kind, body), expected)

    def test_refused(self) -> None:
        """
        Any other body is 415, a multipart that can't be taken apart 400.
        """
        for kind, body, status in (("text/plain", b"x", 415), ("", b"x", 415), ("multipart/mixed", b"x", 400)):
            self.assertEqual(self.assertRaises(ProtocolError, self.offer, kind, body).status, status)
