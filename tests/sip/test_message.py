"""
Tests for :mod:`pbx.sip.message`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.address import NameAddr
from pbx.sip.message import CSeq, Headers, ParseError, ProtocolError, Request, Response, response_to
from pbx.sip.via import Via

ROWS = [
    ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-1, SIP/2.0/TCP 192.0.2.2"),
    ("Via", "SIP/2.0/TLS 192.0.2.3"),
    ("Record-Route", "<sip:p1;lr>, <sip:p2;lr>"),
    ("Record-Route", "<sip:p3;lr>"),
    ("Timestamp", "54"),
    ("Max-Forwards", "70"),
    ("From", '"A" <sip:a@x>;tag=f1'),
    ("To", "<sip:b@x>"),
    ("Call-ID", "c1"),
    ("CSeq", "7 INVITE"),
    ("Contact", "<sip:a@192.0.2.1>;expires=60, <sip:a@192.0.2.2>"),
    ("Contact", "<sip:a@192.0.2.3>"),
    ("Supported", "100REL,timer, ,"),
    ("Supported", "Path"),
    ("Allow", "INVITE, ACK,bye"),
    ("Expires", "3600"),
    ("Content-Type", "Application/SDP ; charset=utf-8"),
]


def request(method: str = "INVITE", **changes: str | None) -> Request:
    """
    A request with every header that is read by type; a change to ``None`` takes the header out.
    """
    message = Request(method, "sip:b@x", Headers(list(ROWS)), b"v=0")
    if method != "INVITE":
        message.headers.set("CSeq", f"7 {method}")
    for name, value in changes.items():
        header = name.replace("_", "-")
        if value is None:
            message.headers.remove(header)
        else:
            message.headers.set(header, value)
    return message


class AccessTests(SynchronousTestCase):
    """
    Headers by type.
    """

    def test_values(self) -> None:
        """
        Each header as what it is.
        """
        message = request()
        self.assertEqual(message.call_id, "c1")
        self.assertEqual(message.cseq, CSeq(7, "INVITE"))
        self.assertEqual(message.from_, NameAddr.parse('"A" <sip:a@x>;tag=f1'))
        self.assertEqual(str(message.to), "<sip:b@x>")
        self.assertEqual((message.from_tag, message.to_tag), ("f1", None))
        self.assertEqual(message.top_via, Via("UDP", "192.0.2.1", None, (("branch", "z9hG4bK-1"),)))
        self.assertEqual([contact.uri.host for contact in message.contacts], ["192.0.2.1", "192.0.2.2", "192.0.2.3"])
        self.assertFalse(message.star_contact)
        self.assertEqual([route.uri.host for route in message.record_routes], ["p1", "p2", "p3"])
        self.assertEqual(message.routes, [])
        self.assertEqual((message.max_forwards, message.expires), (70, 3600))
        self.assertEqual(message.option_tags("Supported"), ["100rel", "timer", "path"])
        self.assertEqual(message.option_tags("Require"), [])
        self.assertEqual(message.option_tags("Allow"), ["INVITE", "ACK", "bye"])
        self.assertEqual(message.content_type, "application/sdp")
        self.assertEqual(str(message.target), "sip:b@x")
        message.check()

    def test_absent(self) -> None:
        """
        What may be missing is None, or empty.
        """
        message = request(Max_Forwards=None, Expires=None, Content_Type=None, Contact=None)
        self.assertEqual((message.max_forwards, message.expires), (None, None))
        self.assertEqual((message.content_type, message.contacts), ("", []))

    def test_missing(self) -> None:
        """
        What every message has and this one lacks is named.
        """
        for name in ("Call-ID", "CSeq", "From", "To", "Via"):
            with self.assertRaises(ParseError) as caught:
                request(**{name: None}).check()
            self.assertEqual((caught.exception.status, caught.exception.reason), (400, f"Missing {name}"))

    def test_malformed(self) -> None:
        """
        What is malformed is named.
        """
        for name, value in (
            ("CSeq", "x INVITE"),
            ("CSeq", "7"),
            ("CSeq", "7 INVITE x"),
            ("CSeq", "2147483648 INVITE"),
            ("CSeq", "-1 INVITE"),
            ("CSeq", "1_0 INVITE"),
            ("CSeq", "9" * 5000 + " INVITE"),
            ("From", "nobody"),
            ("To", "<>"),
            ("Via", "SIP/2.0/UDP"),
            ("Via", "SIP/2.0/UDP a,"),
            ("Max-Forwards", "256"),
            ("Max-Forwards", "+1"),
            ("Max-Forwards", ""),
        ):
            with self.assertRaises(ParseError, msg=value) as caught:
                request(**{name: value}).check()
            self.assertEqual(caught.exception.reason, f"Malformed {name}")
            self.assertIsInstance(caught.exception, ProtocolError)

    def test_malformed_when_read(self) -> None:
        """
        What not every message has is malformed only for who reads it.
        """
        message = request(Expires="soon", Contact="<sip:a@b>, nobody", Route="<", Record_Route="x")
        message.check()
        for name in ("expires", "contacts", "routes", "record_routes"):
            with self.assertRaises(ParseError, msg=name):
                getattr(message, name)

    def test_twice(self) -> None:
        """
        A header that may stand once and stands twice.
        """
        for name in ("Call-ID", "CSeq", "From", "To", "Max-Forwards"):
            message = request()
            message.headers.add(name, message.headers.get(name) or "")
            with self.assertRaises(ParseError) as caught:
                message.check()
            self.assertEqual(caught.exception.reason, f"Several {name} headers")

    def test_cseq_of_another_method(self) -> None:
        """
        A request's CSeq names its method; a response's names the request's, which it does not know.
        """
        with self.assertRaises(ParseError):
            request(CSeq="7 BYE").cseq  # noqa: B018
        self.assertEqual(Response(200, "OK", Headers([("CSeq", "7 BYE")])).cseq, CSeq(7, "BYE"))

    def test_star(self) -> None:
        """
        A Contact of ``*`` alone is all bindings; beside others it is malformed.
        """
        message = request(Contact="*")
        self.assertTrue(message.star_contact)
        self.assertEqual(message.contacts, [])
        message.headers.add("Contact", "<sip:a@b>")
        self.assertFalse(message.star_contact)
        with self.assertRaises(ParseError):
            message.contacts  # noqa: B018

    def test_tags(self) -> None:
        """
        The tag of To in the forms that are met.
        """
        for value, tag in (
            ("<sip:b@x>", None),
            ("<sip:b@x>;tag=1", "1"),
            ("<sip:b@x;tag=no>", None),
            ("<sip:b@x>;x=y;TAG=1", "1"),
            ("<sip:b@x> ;tag = 1", "1"),
            ('"; tag=no" <sip:b@x>;tag=1', "1"),
            ("sip:b@x;tag=1", "1"),
            ("sip:b@x", None),
            ("<sip:b@x>;tag", None),
        ):
            self.assertEqual(request(To=value).to_tag, tag, value)

    def test_change(self) -> None:
        """
        A header that is changed is read again, and a list that was given away is not ours.
        """
        message = request()
        message.check()
        message.contacts.clear()
        self.assertEqual(len(message.contacts), 3)
        message.headers.set("CSeq", "8 INVITE")
        message.headers.set("To", "<sip:c@x>;tag=t")
        message.headers.prepend("Via", "SIP/2.0/UDP 192.0.2.9")
        self.assertEqual((message.cseq.number, message.to_tag, message.top_via.host), (8, "t", "192.0.2.9"))

    def test_set_top_via(self) -> None:
        """
        Only the first Via changes, in its row as in those below.
        """
        message = request()
        message.set_top_via(message.top_via.with_received("198.51.100.1", 5070))
        self.assertEqual(
            message.headers.get_all("Via"),
            [
                "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-1;rport=5070;received=198.51.100.1, SIP/2.0/TCP 192.0.2.2",
                "SIP/2.0/TLS 192.0.2.3",
            ],
        )
        self.assertEqual(message.top_via.rport, 5070)
        message.headers.remove("Via")
        with self.assertRaises(KeyError):
            message.set_top_via(Via("UDP", "a"))


class WriteTests(SynchronousTestCase):
    """
    Messages to bytes.
    """

    def test_golden(self) -> None:
        """
        A request and a response, byte for byte.
        """
        message = Request("BYE", "sip:b@x", Headers([("To", "<sip:jörg@x>")]), b"\x00\xff")
        self.assertEqual(
            message.to_bytes(),
            b"BYE sip:b@x SIP/2.0\r\nTo: <sip:j\xc3\xb6rg@x>\r\nContent-Length: 2\r\n\r\n\x00\xff",
        )
        self.assertEqual(
            Response(486, "Busy Here", Headers([("Call-ID", "c")])).to_bytes(),
            b"SIP/2.0 486 Busy Here\r\nCall-ID: c\r\nContent-Length: 0\r\n\r\n",
        )

    def test_line_breaks(self) -> None:
        """
        A line break anywhere would start another header: it is refused.
        """
        for bad in ("x\r\nVia: y", "x\ny", "x\ry", "\r\n", "x\r\n y"):
            for message in (
                Request("BYE", "sip:b@x", Headers([("Subject", bad)])),
                Request("BYE", "sip:b@x", Headers([(bad, "x")])),
                Request(bad, "sip:b@x", Headers()),
                Request("BYE", bad, Headers()),
                Response(200, bad, Headers()),
            ):
                with self.assertRaises(ValueError):
                    message.to_bytes()

    def test_space_in_uri(self) -> None:
        """
        A Request-URI with a space would be read as something else.
        """
        with self.assertRaises(ValueError):
            Request("BYE", "sip:b@x SIP/2.0", Headers()).to_bytes()

    def test_equality(self) -> None:
        """
        Messages are equal when all of them is.
        """
        self.assertEqual(request(), request())
        self.assertNotEqual(request(), request(Expires="1"))
        self.assertNotEqual(request(), Request("BYE", "sip:b@x", Headers(list(ROWS)), b"v=0"))
        self.assertNotEqual(Response(200, "OK", Headers()), Response(200, "OK", Headers(), b"x"))
        self.assertNotEqual(Response(200, "OK", Headers()), Request("OK", "x", Headers()))
        self.assertIn("INVITE", repr(request()))
        self.assertIn("486", repr(Response(486, "Busy", Headers())))


class ResponseToTests(SynchronousTestCase):
    """
    RFC 3261 8.2.6.
    """

    def test_copies(self) -> None:
        """
        Vias, From, To, Call-ID and CSeq come back in order, the tag on To, and nothing else.
        """
        response = response_to(request("OPTIONS"), 486, to_tag="t1")
        self.assertEqual(
            response.to_bytes(),
            b"SIP/2.0 486 Busy Here\r\n"
            b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-1, SIP/2.0/TCP 192.0.2.2\r\n"
            b"Via: SIP/2.0/TLS 192.0.2.3\r\n"
            b'From: "A" <sip:a@x>;tag=f1\r\n'
            b"To: <sip:b@x>;tag=t1\r\n"
            b"Call-ID: c1\r\n"
            b"CSeq: 7 OPTIONS\r\n"
            b"Content-Length: 0\r\n\r\n",
        )

    def test_reason(self) -> None:
        """
        A reason of one's own.
        """
        self.assertEqual(response_to(request(), 488, "No Codec").reason, "No Codec")

    def test_record_route(self) -> None:
        """
        Record-Route comes back where a dialog is made, and Timestamp in the 100.
        """
        for method, status, expected in (
            ("INVITE", 180, True),
            ("INVITE", 200, True),
            ("INVITE", 100, False),
            ("INVITE", 300, False),
            ("INVITE", 486, False),
            ("SUBSCRIBE", 200, True),
            ("BYE", 200, False),
        ):
            response = response_to(request(method), status)
            self.assertEqual("Record-Route" in response.headers, expected, (method, status))
            self.assertEqual("Timestamp" in response.headers, status == 100)

    def test_tag(self) -> None:
        """
        A To that has a tag keeps it, whatever its form; one that can't be read is left alone.
        """
        for value, expected in (
            ("<sip:b@x>", "<sip:b@x>;tag=new"),
            ("sip:b@x", "sip:b@x;tag=new"),
            ("<sip:b@x>;tag=old", "<sip:b@x>;tag=old"),
            ("<sip:b@x> ; TAG = old", "<sip:b@x> ; TAG = old"),
            ("sip:b@x;tag=old", "sip:b@x;tag=old"),
            ("<sip:b@x;tag=no>", "<sip:b@x;tag=no>;tag=new"),
            ('"tag=no" <sip:b@x>;vintage=1', '"tag=no" <sip:b@x>;vintage=1;tag=new'),
            ('"<tag', '"<tag'),
        ):
            self.assertEqual(response_to(request(To=value), 200, to_tag="new").headers.get("To"), expected)
        self.assertEqual(response_to(request(), 100).headers.get("To"), "<sip:b@x>")

    def test_malformed_request(self) -> None:
        """
        A request of which nothing can be read is answered all the same; its own headers stay.
        """
        message = request(From="?", To="?", CSeq="?", Via="?")
        self.assertIn(b"From: ?\r\n", response_to(message, 400, to_tag="t").to_bytes())
        self.assertEqual(message.headers.get("To"), "?")
