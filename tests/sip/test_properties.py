"""
Properties of everything that :mod:`pbx.sip` reads and writes: what is written is read the same, and whatever comes in,
only :class:`ParseError` comes out.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.address import NameAddr, parse_list
from pbx.sip.dialled import dialled_number
from pbx.sip.digest import Challenge, Credentials
from pbx.sip.headers import spelling
from pbx.sip.message import CSeq, Headers, Message, ParseError, Request, Response, response_to
from pbx.sip.multipart import sdp_of
from pbx.sip.parser import KeepAlive, StreamParser, parse
from pbx.sip.reasons import Reason, parse_reasons
from pbx.sip.uri import URI
from pbx.sip.via import Via

CALM = settings(derandomize=True, database=None, deadline=None, max_examples=150)

TOKEN = "abcXYZ019-.!%*_+`'~"
tokens = st.text(TOKEN, min_size=1, max_size=8)
words = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Cf", "Zl", "Zp", "Zs", "Co", "Cn")), max_size=8)
texts = st.lists(words, max_size=3).map(" ".join).map(str.strip)
line_texts = texts.filter(lambda text: text == text.strip())
quoted = texts.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
hosts = st.one_of(
    st.from_regex(r"[a-z0-9_]([a-z0-9\-.]{0,8}[a-z0-9])?", fullmatch=True), st.ip_addresses().map(str)
)
ports = st.none() | st.integers(0, 65535)
params = st.lists(st.tuples(tokens, st.none() | tokens | quoted), max_size=4).map(tuple)
uri_params = st.lists(st.tuples(tokens, st.none() | tokens), max_size=3).map(tuple)
users = st.text("abz019-_.!~*'()&=+$,;?/%#", min_size=1, max_size=10)
sip_uris = st.builds(
    URI,
    st.sampled_from(["sip", "sips"]),
    users,
    st.none() | st.text("abz019&=+$,", max_size=5),
    hosts,
    ports,
    uri_params,
    st.lists(st.tuples(tokens, st.text("abz019%+", max_size=4)), max_size=2).map(tuple),
)
host_uris = st.builds(URI, st.just("sip"), st.none(), st.none(), hosts, ports, uri_params)
tel_uris = st.builds(URI, st.just("tel"), st.text("+0123456789-.()", min_size=1, max_size=9), params=uri_params)
other_uris = st.builds(URI, st.sampled_from(["http", "urn"]), st.text("abz/:;?@=", min_size=1, max_size=9))
uris = st.one_of(sip_uris, host_uris, tel_uris, other_uris)
addresses = st.builds(NameAddr, texts, uris, params)
vias = st.builds(Via, st.sampled_from(["UDP", "TCP", "TLS", "WSS", "X-1"]), hosts, ports, params)
challenges = st.builds(
    Challenge, texts, texts, st.sampled_from(["MD5", "SHA-256", "MD5-sess"]), st.none() | texts, st.none() | texts,
    st.booleans(),
)  # fmt: skip
credentials = st.builds(
    Credentials, texts, texts, texts, texts, texts, st.sampled_from(["MD5", "SHA-512-256"]),
    st.just("auth"), st.integers(0, 0xFFFFFFFF).map(lambda count: f"{count:08x}"), texts, st.none() | texts,
) | st.builds(Credentials, texts, texts, texts, texts, texts, opaque=st.none() | texts)  # fmt: skip
rows = st.lists(
    st.tuples(
        st.one_of(tokens, st.sampled_from(["Via", "To", "Subject", "X-Tree", "Contact"]))
        .map(spelling)
        .filter(lambda name: name != "Content-Length"),
        line_texts,
    ),
    max_size=8,
)
messages = st.one_of(
    st.builds(
        lambda method, uri, rows, body: Request(method, str(uri), Headers(rows), body),
        tokens, uris, rows, st.binary(),
    ),
    st.builds(
        lambda status, reason, rows, body: Response(status, reason, Headers(rows), body),
        st.integers(100, 699), line_texts, rows, st.binary(),
    ),
)  # fmt: skip

INVITE = (
    b"INVITE sip:1006;a=b@pbx.example.com:5060;transport=udp?x=y SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bK-1;rport, SIP/2.0/TCP a;x=\"y\"\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "John \\"J\\"" <sip:1005@pbx.example.com>;tag=a1\r\n'
    b"t: Bob <sip:1006@pbx.example.com;user=phone>;x\r\n"
    b"Call-ID: c1\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Contact: <sip:1005@192.0.2.1:5070>;+sip.instance=\"<urn:uuid:1>\",\r\n <tel:+1>\r\n"
    b"Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n"
    b"Expires: 60\r\n"
    b'Authorization: Digest username="1005",realm="r", nonce="n\\"",uri="sip:x",response="00"\r\n'
    b'WWW-Authenticate: Digest realm="r",nonce="n",qop="auth,auth-int"\r\n'
    b'Reason: Q.850;cause=16;text="x", SIP;cause=200\r\n'
    b"Content-Type: multipart/mixed;boundary=b\r\n"
    b"X-Tree: o\xc3\xa4k\r\n"
    b"Content-Length: 57\r\n"
    b"\r\n"
    b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--\r\n"
)


def read_everything(message: Message) -> None:
    """
    Read each header of a message by its type, as the whole program would; only ParseError may come of it.
    """
    reads: list[Callable[[], object]] = [
        lambda name=name: getattr(message, name)  # type: ignore[misc]
        for name in (
            "call_id", "cseq", "from_", "to", "from_tag", "to_tag", "top_via", "contacts", "star_contact", "routes",
            "record_routes", "max_forwards", "expires", "content_type",
        )
    ]  # fmt: skip
    reads += [message.check, lambda: sdp_of(message), lambda: message.option_tags("Supported")]
    reads.append(lambda: message.set_top_via(message.top_via.with_received("192.0.2.1", 1)))
    reads.append(lambda: [str(contact) for contact in message.contacts])
    reads.append(lambda: Credentials.parse(message.headers.get("Authorization") or "").verifies("", "INVITE"))
    reads.append(lambda: Challenge.parse(message.headers.get("WWW-Authenticate") or ""))
    reads.append(lambda: parse_reasons(message.headers.get_all("Reason")))
    if isinstance(message, Request):
        request = message
        reads.append(lambda: dialled_number(request.target))
        reads.append(lambda: request.target.equivalent(request.to.uri))
        reads.append(lambda: response_to(request, 200, to_tag="t").to_bytes())
    for read in reads:
        try:
            read()
        except ParseError as error:
            assert error.reason.isprintable()


class RoundTripTests(SynchronousTestCase):
    """
    ``parse(serialise(x)) == x``.
    """

    @CALM
    @given(uris)
    def test_uri(self, uri: URI) -> None:
        """
        Any URI; and it is equivalent to itself.
        """
        assume(uri.scheme != "tel" or uri.user)
        again = URI.parse(str(uri))
        self.assertEqual(again, uri)
        self.assertTrue(again.equivalent(uri))

    @CALM
    @given(addresses)
    def test_address(self, address: NameAddr) -> None:
        """
        Any name with address, alone and in a list.
        """
        self.assertEqual(NameAddr.parse(str(address)), address)
        self.assertEqual(parse_list(f"{address},{address} , {address}"), [address] * 3)

    @CALM
    @given(vias)
    def test_via(self, via: Via) -> None:
        """
        Any Via.
        """
        self.assertEqual(Via.parse(str(via)), via)

    @CALM
    @given(st.builds(CSeq, st.integers(0, 0x7FFFFFFF), tokens))
    def test_cseq(self, cseq: CSeq) -> None:
        """
        Any CSeq.
        """
        self.assertEqual(CSeq.parse(str(cseq)), cseq)

    @CALM
    @given(challenges)
    def test_challenge(self, challenge: Challenge) -> None:
        """
        Any challenge.
        """
        self.assertEqual(Challenge.parse(str(challenge)), challenge)

    @CALM
    @given(credentials)
    def test_credentials(self, answer: Credentials) -> None:
        """
        Any credentials.
        """
        self.assertEqual(Credentials.parse(str(answer)), answer)

    @CALM
    @given(st.builds(Reason, tokens, st.none() | st.integers(0, 999), texts))
    def test_reason(self, reason: Reason) -> None:
        """
        Any reason.
        """
        self.assertEqual(parse_reasons([f"{reason}, {reason}"]), [reason, reason])

    @CALM
    @given(messages)
    def test_message(self, message: Request | Response) -> None:
        """
        Any message, from a datagram and from a stream.
        """
        data = message.to_bytes()
        self.assertEqual(parse(data), message)
        self.assertEqual(StreamParser().feed(data), [message])


class HostileTests(SynchronousTestCase):
    """
    Only ParseError, whatever the bytes.
    """

    def survive(self, data: bytes) -> None:
        """
        Read bytes as a message; what is read can be written, and is then read the same.
        """
        try:
            message = parse(data)
        except ParseError as error:
            assert error.reason.isprintable()
            if error.partial is None:
                return
            message = error.partial
            response_to(error.partial, error.status, to_tag="t").to_bytes()
        else:
            self.assertEqual(parse(message.to_bytes()), message)
        read_everything(message)

    @CALM
    @given(st.binary(max_size=200))
    def test_bytes(self, data: bytes) -> None:
        """
        Any bytes.
        """
        self.survive(data)

    @settings(CALM, max_examples=600)
    @given(st.data())
    def test_damaged(self, data: st.DataObject) -> None:
        """
        A whole message with a few places overwritten, cut out or doubled.
        """
        message = INVITE
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(message)))
            end = min(len(message), at + data.draw(st.integers(0, 12)))
            alphabet = st.sampled_from([*b'\r\n \t:;,<>"\\@=?[]%*/0aA', 0, 0x80, 0xC3, 0xFF])
            patch = bytes(data.draw(st.lists(alphabet, max_size=4)))
            message = message[:at] + patch + message[end:]
        self.survive(message)

    @CALM
    @given(st.text(max_size=40) | st.text('\r\n \t:;,<>"\\@=?[]%*/.0aAsip', max_size=40))
    def test_values(self, text: str) -> None:
        """
        Any text as a value of each type; what is read can be written, and is then read the same.
        """
        for kind in (URI, NameAddr, Via, CSeq, Challenge, Credentials, Reason):
            for prefix in ("", "sip:", "<sip:", '"', "SIP/2.0/UDP ", "Digest ", "1 ", "SIP;"):
                try:
                    value = kind.parse(prefix + text)
                    written = str(value)
                except (ParseError, ValueError) as error:
                    # A line break can't come in by a message, and never goes out.
                    assert isinstance(error, ParseError) or "\r" in text or "\n" in text
                    continue
                self.assertEqual(kind.parse(written), value)


class StreamTests(SynchronousTestCase):
    """
    A stream in any pieces.
    """

    @CALM
    @given(st.lists(messages | st.just(KeepAlive()), min_size=1, max_size=4), st.data())
    def test_pieces(self, items: list[Request | Response | KeepAlive], data: st.DataObject) -> None:
        """
        The same comes out, however it is cut.
        """
        stream = b"".join([b"\r\n\r\n" if isinstance(item, KeepAlive) else item.to_bytes() for item in items])
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
        parser = StreamParser()
        found: list[Request | Response | KeepAlive] = []
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            found += parser.feed(stream[start:end])
        self.assertEqual(found, items)
        self.assertEqual(len(parser), 0)

    @CALM
    @given(st.lists(st.binary(max_size=60) | st.sampled_from([INVITE, INVITE[:100], b"\r\n", b"\r\n\r\n"]), max_size=5))
    def test_bytes(self, pieces: list[bytes]) -> None:
        """
        Any bytes: messages, keep-alives or ParseError.
        """
        parser = StreamParser()
        for piece in pieces:
            try:
                for item in parser.feed(piece):
                    assert isinstance(item, Request | Response | KeepAlive)
            except ParseError:
                self.assertIsNotNone(parser.error)
