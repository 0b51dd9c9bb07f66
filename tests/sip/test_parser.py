"""
Tests for :mod:`pbx.sip.parser`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.message import ParseError, Request, Response, response_to
from pbx.sip.parser import (
    MAX_HEADER,
    MAX_HEADERS,
    MAX_LINE,
    MAX_MESSAGE,
    KeepAlive,
    StreamParser,
    is_keep_alive,
    parse,
)

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

OPTIONS = (
    b"OPTIONS sip:pbx SIP/2.0\r\n"
    b"v: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK-2\r\n"
    b"f: <sip:1005@pbx>;tag=a1\r\n"
    b"To: <sip:pbx>\r\n"
    b"i: o1\r\n"
    b"CSeq: 1 OPTIONS\r\n"
    b"l: 0\r\n"
    b"\r\n"
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

    def test_response(self) -> None:
        """
        A response's parts.
        """
        response = parse(b"sip/2.0 486 Busy Here\r\nv: SIP/2.0/UDP a\r\n\r\n")
        assert isinstance(response, Response)
        self.assertEqual((response.status, response.reason), (486, "Busy Here"))
        self.assertEqual(response.headers.items(), [("Via", "SIP/2.0/UDP a")])

    def test_rows(self) -> None:
        """
        Every way to write a row, and the row it makes.
        """
        for line, row in (
            (b"Subject: a", ("Subject", "a")),
            (b"Subject:a", ("Subject", "a")),
            (b"subject :  a \t", ("Subject", "a")),
            (b"s\t:a", ("Subject", "a")),
            (b"S: a: b", ("Subject", "a: b")),
            (b"Subject:a: b", ("Subject", "a: b")),
            (b"Subject:", ("Subject", "")),
            (b"Subject: ", ("Subject", "")),
            (b"Subject:\r\n a", ("Subject", "a")),
            (b"Subject: a\r\n\t b: c \r\n  d", ("Subject", "a b: c d")),
            (b"X-A:b", ("X-A", "b")),
            (b"x-A : b: c", ("x-A", "b: c")),
            (b"X-A: b\r\n c", ("X-A", "b c")),
            (b"Subject: J\xc3\xb6rg", ("Subject", "Jörg")),
            (b"Subject: \xc2\xa0J\xc3\xb6rg\xc2\x85 ", ("Subject", "\xa0Jörg\x85")),
            (b"Subject: a\x00b", ("Subject", "a\x00b")),
        ):
            message = parse(b"BYE sip:a SIP/2.0\r\n" + line + b"\r\nTo: t\r\n\r\n")
            self.assertEqual(message.headers.items(), [row, ("To", "t")], line)

    def test_latin_1(self) -> None:
        """
        Names of older phones come in Latin-1, and leave in UTF-8.
        """
        message = parse(b'BYE sip:a SIP/2.0\r\nFrom: "J\xf6rg" <sip:a@b>\r\n\r\n')
        self.assertEqual(message.from_.display, "Jörg")
        self.assertIn(b'"J\xc3\xb6rg"', message.to_bytes())

    def test_body(self) -> None:
        """
        The body ends with Content-Length, or with the datagram where there is none.
        """
        head = b"BYE sip:a SIP/2.0\r\n"
        self.assertEqual(parse(head + b"l: 2\r\n\r\nabcd").body, b"ab")
        self.assertEqual(parse(head + b"l: 2\r\nTo: t\r\nContent-Length: 2\r\n\r\nabcd").body, b"ab")
        self.assertEqual(parse(head + b"To: t\r\n\r\nabcd").body, b"abcd")
        self.assertEqual(parse(head + b"l: 0\r\n\r\nabcd").body, b"")
        self.assertEqual(parse(head + b"Content-Length:\r\n 2\r\n\r\nabcd").body, b"ab")

    def test_no_empty_line(self) -> None:
        """
        A message without a body may lack the empty line, but not the end of its last row.
        """
        message = parse(b"BYE sip:a SIP/2.0\r\nTo: t\r\n")
        self.assertEqual(message.headers.items(), [("To", "t")])
        with self.assertRaises(ParseError):
            parse(b"BYE sip:a SIP/2.0\r\nTo: t")

    def test_leading_line_breaks(self) -> None:
        """
        Line breaks before the start line are ignored.
        """
        self.assertEqual(parse(b"\r\n\r\n\n" + INVITE), parse(INVITE))

    def test_malformed(self) -> None:
        """
        What is no message, and with which status it is refused.
        """
        for data, status in (
            (b"", 400),
            (b"\r\n\r\n", 400),
            (b"\x00\x01\x02\x03", 400),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"BYE sip:a\r\n\r\n", 400),
            (b" BYE sip:a SIP/2.0\r\n\r\n", 400),
            (b"BYE  SIP/2.0\r\n\r\n", 400),
            (b"B(E sip:a SIP/2.0\r\n\r\n", 400),
            (b"BYE sip:a SIP/3.0\r\n\r\n", 505),
            (b"SIP/2.0 099 x\r\n\r\n", 400),
            (b"SIP/2.0 700 x\r\n\r\n", 400),
            (b"SIP/2.0 20 x\r\n\r\n", 400),
            (b"SIP/2.0 2000 x\r\n\r\n", 400),
            (b"SIP/2.0  200 OK\r\n\r\n", 400),
            (b"SIP/2.0 \xc2\xb2\xc2\xb2\xc2\xb2 OK\r\n\r\n", 400),
            (b"BYE sip:a SIP/2.0\nTo: t\n\n", 400),
            (b"BYE sip:a SIP/2.0\r\nSubject: a\nVia: b\r\n\r\n", 400),
            (b"BYE sip:a SIP/2.0\r\nSubject: a\rVia: b\r\n\r\n", 400),
            (b"BYE sip:a SIP/2.0\r\nSubject: a\r\r\n\r\n", 400),
            (b"BYE sip:a SIP/2.0\r\nX-A\r\n\r\n", 400),
            (b"BYE sip:a SIP/2.0\r\n: a\r\n\r\n", 400),
            (b"BYE sip:a SIP/2.0\r\nX A: a\r\n\r\n", 400),
            (b"BYE sip:a SIP/2.0\r\nX\xc3\xb6: a\r\n\r\n", 400),
            (b"BYE sip:a SIP/2.0\r\n Via: a\r\n\r\n", 400),
            (b"BYE sip:a SIP/2.0\r\nl: x\r\n\r\n", 400),
            (b"BYE sip:a SIP/2.0\r\nl: +1\r\n\r\na", 400),
            (b"BYE sip:a SIP/2.0\r\nl: 1_0\r\n\r\naaaaaaaaaa", 400),
            (b"BYE sip:a SIP/2.0\r\nl: 1\r\nl: 2\r\n\r\nab", 400),
            (b"BYE sip:a SIP/2.0\r\nl: 1\r\nTo: t\r\nl: 2\r\n\r\nab", 400),
            (b"BYE sip:a SIP/2.0\r\nl: 1, 1\r\n\r\nab", 400),
            (b"BYE sip:a SIP/2.0\r\nl: " + b"9" * 5000 + b"\r\n\r\nab", 400),
        ):
            with self.assertRaises(ParseError, msg=data) as caught:
                parse(data)
            self.assertEqual(caught.exception.status, status, data)
            self.assertIsNone(caught.exception.partial)

    def test_limits(self) -> None:
        """
        The last size that is taken, and the first that is not.
        """
        head = b"BYE sip:a SIP/2.0\r\n"
        parse(head + b"X: y\r\n" * MAX_HEADERS + b"\r\n")
        parse(head + b"X: " + b"y" * (MAX_LINE - 3) + b"\r\n\r\n")
        parse((head + b"X: y\r\n\r\n").ljust(MAX_MESSAGE, b"z"))
        for data in (
            head + b"X: y\r\n" * (MAX_HEADERS + 1) + b"\r\n",
            head + b"X: y\r\n" + b" y\r\n" * MAX_HEADERS + b"\r\n",
            head + b"X: " + b"y" * (MAX_LINE - 2) + b"\r\n\r\n",
            (head + b"X: y\r\n\r\n").ljust(MAX_MESSAGE + 1, b"z"),
        ):
            with self.assertRaises(ParseError) as caught:
                parse(data)
            self.assertEqual(caught.exception.status, 513)

    def test_partial(self) -> None:
        """
        A request that can't be understood but answered is there, with the rows that could be read.
        """
        for broken in (
            INVITE.replace(b"X-Tree: oak", b"X Tree: oak"),
            INVITE.replace(b"Content-Length: 4", b"Content-Length: 40"),
            INVITE.replace(b"Content-Length: 4", b"Content-Length: many"),
            INVITE.replace(b"SIP/2.0\r\nVia", b"SIP/2.1\r\nVia"),
            INVITE.replace(b"1006@pbx.example.com SIP", b"10 06@pbx.example.com SIP"),
            INVITE.replace(b"X-Tree: oak", b"X: y\r\n" * MAX_HEADERS + b"X: y"),
            INVITE.replace(b"oak", b"o" * MAX_LINE),
        ):
            with self.assertRaises(ParseError) as caught:
                parse(broken)
            partial = caught.exception.partial
            assert partial is not None, broken
            self.assertEqual((partial.method, partial.call_id, partial.from_tag), ("INVITE", "c1", "a1"))
            self.assertNotIn("Content-Length", partial.headers)
            self.assertIn(b"CSeq: 1 INVITE\r\n", response_to(partial, caught.exception.status, to_tag="t").to_bytes())

    def test_partial_with_continued_rows(self) -> None:
        """
        A row that goes on in the next line is there whole; what continues a malformed row is not.
        """
        broken = INVITE.replace(b"X-Tree: oak", b"X Tree: oak\r\n and: elm")
        broken = broken.replace(b";tag=a1", b"\r\n ;tag=a1\r\n\t;x")
        with self.assertRaises(ParseError) as caught:
            parse(broken)
        assert caught.exception.partial is not None
        rows = caught.exception.partial.headers.items()
        self.assertIn(("From", '"John" <sip:1005@pbx.example.com> ;tag=a1 ;x'), rows)
        self.assertEqual([name for name, _ in rows][-2:], ["Contact", "Content-Type"])
        self.assertIn(("Content-Type", "application/sdp"), rows)

    def test_no_partial(self) -> None:
        """
        Nothing answers an ACK, a response, or a request that does not say who asked.
        """
        for broken in (
            INVITE.replace(b"INVITE", b"ACK").replace(b"X-Tree", b"X Tree"),
            INVITE.replace(b"X-Tree", b"X Tree").replace(b"Via:", b"Vier:"),
            INVITE.replace(b"X-Tree", b"X Tree").replace(b"INVITE sip:1006@pbx.example.com SIP/2.0", b"SIP/2.0 200 OK"),
        ):
            with self.assertRaises(ParseError) as caught:
                parse(broken)
            self.assertIsNone(caught.exception.partial)

    def test_keep_alive(self) -> None:
        """
        What phones send to keep a NAT's mapping open, and what is none.
        """
        for data in (b"", b"\r\n", b"\r\n\r\n", b"\x00", b"\x00\x00\x00\x00", b" "):
            self.assertTrue(is_keep_alive(data))
        self.assertFalse(is_keep_alive(b"\r\n\r\nBYE"))


class StreamTests(SynchronousTestCase):
    """
    Messages in a stream.
    """

    def test_pieces(self) -> None:
        """
        However the stream is cut, the same messages and keep-alives come out of it.
        """
        stream = INVITE + b"\r\n\r\n" + OPTIONS + b"\r\n" + OPTIONS + b"\r\n\r\n\r\n\r\n" + INVITE
        expected = [parse(INVITE), KeepAlive(), parse(OPTIONS), parse(OPTIONS), KeepAlive(), KeepAlive(), parse(INVITE)]
        self.assertEqual(StreamParser().feed(stream), expected)
        for size in (1, 2, 3, 5, 64, 500):
            parser = StreamParser()
            found = []
            for at in range(0, len(stream), size):
                found += parser.feed(stream[at : at + size])
            self.assertEqual(found, expected, size)
            self.assertEqual(len(parser), 0)

    def test_seen(self) -> None:
        """
        The bytes of each message are shown as they came, however they are cut, and the head of a malformed one.
        """
        wrong = OPTIONS.replace(b"To:", b"T o:")
        for size in (1, 7, 5000):
            seen: list[bytes] = []
            parser = StreamParser(seen=seen.append)
            stream = INVITE + b"\r\n\r\n" + OPTIONS + wrong
            with self.assertRaises(ParseError):
                for at in range(0, len(stream) + 1, size):
                    parser.feed(stream[at : at + size])
                parser.feed(b"")
            self.assertEqual(seen, [INVITE, OPTIONS, wrong.removesuffix(b"\r\n\r\n")], size)
        seen = []
        with self.assertRaises(ParseError):
            StreamParser(max_header=10, seen=seen.append).feed(b"x" * 20)
        self.assertEqual(seen, [b"x" * 10])

    def test_waits(self) -> None:
        """
        A message is given when its last byte is there.
        """
        parser = StreamParser()
        self.assertEqual(parser.feed(INVITE[:-1]), [])
        self.assertFalse(parser.broken)
        self.assertEqual(len(parser), 3)
        self.assertEqual(parser.feed(INVITE[-1:]), [parse(INVITE)])

    def test_malformed(self) -> None:
        """
        After a malformed message nothing comes any more.
        """
        for data, status in (
            (OPTIONS.replace(b"l: 0\r\n", b""), 400),
            (OPTIONS.replace(b"l: 0", b"l: x"), 400),
            (OPTIONS.replace(b"l: 0", b"l: 0\r\nl: 1"), 400),
            (OPTIONS.replace(b"l: 0", b"l: 65536"), 513),
            (OPTIONS.replace(b"To:", b"T o:"), 400),
            (b"x" * (MAX_HEADER + 1), 513),
            (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (b"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n", 400),
        ):
            parser = StreamParser()
            for more in (data, b"", OPTIONS):
                with self.assertRaises(ParseError, msg=data) as caught:
                    parser.feed(more)
                self.assertEqual(caught.exception.status, status, data)
                self.assertIs(parser.error, caught.exception)
                self.assertTrue(parser.broken)
                self.assertEqual(len(parser), 0)

    def test_before_a_malformed_message(self) -> None:
        """
        The messages before it are given first, and it can be answered.
        """
        parser = StreamParser()
        self.assertEqual(parser.feed(OPTIONS + INVITE.replace(b"X-Tree", b"X Tree") + OPTIONS), [parse(OPTIONS)])
        assert parser.error is not None
        assert parser.error.partial is not None
        self.assertEqual(parser.error.partial.call_id, "c1")
        with self.assertRaises(ParseError):
            parser.feed(OPTIONS)

    def test_header_limit(self) -> None:
        """
        Headers that never end are refused as soon as they are too long, not when they end.
        """
        parser = StreamParser(max_header=100)
        parser.feed(b"OPTIONS sip:a SIP/2.0\r\nX: ".ljust(100, b"x"))
        with self.assertRaises(ParseError):
            parser.feed(b"x")

    def test_body_limit(self) -> None:
        """
        A body that is too long is refused before it comes, and can be answered.
        """
        parser = StreamParser(max_body=10)
        self.assertEqual(len(parser.feed(OPTIONS.replace(b"l: 0", b"l: 10") + b"x" * 10)), 1)
        with self.assertRaises(ParseError) as caught:
            parser.feed(OPTIONS.replace(b"l: 0", b"l: 11"))
        assert caught.exception.partial is not None
        self.assertEqual((caught.exception.status, caught.exception.partial.method), (513, "OPTIONS"))
