"""
Tests for :mod:`pbx.sdp.session`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.sdp import session
from pbx.sdp.session import Connection, MediaDescription, Origin, SDPError, SessionDescription

SMALL = b"v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n"


class SessionDescriptionTests(SynchronousTestCase):
    """
    Lines to values and back.
    """

    def refuse(self, data: bytes, words: str) -> None:
        """
        Parsing fails with a message that has these words.
        """
        error = self.assertRaises(SDPError, SessionDescription.parse, data)
        self.assertIn(words, str(error))

    def test_small(self) -> None:
        """
        The least that makes a call is read into its parts and written as it was.
        """
        found = SessionDescription.parse(SMALL)
        self.assertEqual(
            found,
            SessionDescription(
                Origin("-", "1", "2", "192.0.2.1"),
                Connection("192.0.2.1"),
                media=(MediaDescription("audio", 4000, "RTP/AVP", ("0", "8")),),
            ),
        )
        self.assertEqual(found.to_bytes(), SMALL)

    def test_everything_is_kept(self) -> None:
        """
        Lines of every kind, those that RFC 8866 does not know too, are written again where they belong.
        """
        whole = (
            "v=0\r\no=jdoe 3724394400 3724394405 IN IP6 2001:db8::1\r\ns=Call to Zoë\r\ni=An Offer\r\n"
            "u=https://www.jdoe.example.com/home.html\r\ne=Jane Doe <jane@jdoe.example.com>\r\np=+1 617 555-6011\r\n"
            "c=IN IP6 2001:db8::1\r\nb=CT:128\r\nt=3034423619 3042462419\r\nt=0 0\r\nr=604800 3600 0 90000\r\n"
            "z=2882844526 -3600\r\nx=what may come\r\na=recvonly\r\na=tool:x:y\r\na=empty:\r\n"
            "m=audio 49170/2 RTP/AVP 0\r\ni=speech\r\nc=IN IP4 192.0.2.7/127\r\nb=AS:64\r\nk=clear:x\r\n"
            "a=sendonly\r\nm=video 0 RTP/AVP 99\r\na=rtpmap:99 h263-1998/90000\r\n"
        ).encode()
        found = SessionDescription.parse(whole)
        self.assertEqual(found.to_bytes(), whole)
        self.assertEqual(found.attribute("tool"), "x:y")
        self.assertEqual(found.attribute("recvonly"), "")
        self.assertIsNone(found.attribute("sendonly"))
        self.assertEqual(found.media[0].port_count, 2)
        self.assertEqual(found.media[0].attribute("sendonly"), "")
        self.assertEqual(found.media[0].connection, Connection("192.0.2.7/127"))
        self.assertEqual(Connection("192.0.2.7/127").host, "192.0.2.7")
        self.assertEqual(found.media[0].other, ("i=speech", "b=AS:64", "k=clear:x"))

    def test_lenient_in_form(self) -> None:
        """
        Bare LF, no last line end, an empty line, no s= and t=, and sections out of order are read.
        """
        found = SessionDescription.parse(
            b"v=0\nt=0 0\nc=IN IP4 192.0.2.1\n\no=John Doe Jr 1 2 IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0 8"
        )
        self.assertEqual(found.origin.username, "John Doe Jr")
        self.assertEqual(attributes_of(found), attributes_of(SessionDescription.parse(SMALL)))
        bare = SessionDescription.parse(b"v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\n")
        self.assertEqual((bare.name, bare.times, bare.media), ("-", ("0 0",), ()))

    def test_other_encodings_pass_through(self) -> None:
        """
        A session name in Latin-1 is no error, and comes out as it went in.
        """
        data = SMALL.replace(b"s=-", b"s=B\xfcro")
        self.assertEqual(SessionDescription.parse(data).to_bytes(), data)

    def test_what_is_no_description(self) -> None:
        """
        Each way to be wrong is refused in words.
        """
        self.refuse(b"", "v=0")
        self.refuse(b"o=- 1 2 IN IP4 192.0.2.1\r\n", "v=0")
        self.refuse(b"v=1\r\n", "v=0")
        self.refuse(b"v=0\r\ns=-\r\n", "no o= line")
        self.refuse(b"v=0\r\no=- 1 2 IP4 192.0.2.1\r\n", "six fields")
        self.refuse(b"v=0\r\no=- 1 2 XX IP4 192.0.2.1\r\n", "six fields")
        self.refuse(SMALL.replace(b"c=IN IP4", b"c=IN IP5"), "c= is no address")
        self.refuse(SMALL.replace(b"c=IN IP4", b"c=IP4"), "c= is no address")
        self.refuse(SMALL + b"nonsense\r\n", "letter=value")
        self.refuse(SMALL + b"=x\r\n", "letter=value")
        self.refuse(SMALL + b"a=one\rtwo\r\n", "CR or NUL")
        self.refuse(SMALL + b"\0", "CR or NUL")
        self.refuse(SMALL.replace(b" 0 8", b""), "four fields")
        for port in (b"65536", b"-1", b"+1", b"4_0", b"", b"/2", "٤".encode(), b"999999999999"):
            self.refuse(SMALL.replace(b"4000", port), "m=")
        self.refuse(SMALL.replace(b"4000", b"4000/"), "number of ports")

    def test_ports(self) -> None:
        """
        Ports are 0 to 65535.
        """
        for port in (0, 1, 65_535):
            found = SessionDescription.parse(SMALL.replace(b"4000", str(port).encode()))
            self.assertEqual(found.media[0].port, port)

    def test_connection_to_a_host(self) -> None:
        """
        The family follows from the address.
        """
        self.assertEqual(str(Connection.to("192.0.2.1")), "IN IP4 192.0.2.1")
        self.assertEqual(str(Connection.to("2001:db8::1")), "IN IP6 2001:db8::1")

    def test_limits(self) -> None:
        """
        What is at a limit is read, what is beyond is refused.
        """
        SessionDescription.parse(SMALL + b"a=x\r\n" * (session.MAX_LINES - 7))
        self.refuse(SMALL + b"a=x\r\n" * (session.MAX_LINES - 6), "lines")
        SessionDescription.parse(SMALL + b"a=" + b"x" * (session.MAX_LINE - 2))
        self.refuse(SMALL + b"a=" + b"x" * (session.MAX_LINE - 1), "a line of")
        media = b"m=video 0 RTP/AVP 99\r\n"
        SessionDescription.parse(SMALL + media * (session.MAX_MEDIA - 1))
        self.refuse(SMALL + media * session.MAX_MEDIA, "media descriptions")
        formats = SMALL.rstrip() + b" 9" * (session.MAX_FORMATS - 2)
        SessionDescription.parse(formats)
        self.refuse(formats + b" 9", "formats")
        room = session.MAX_BYTES - len(SMALL)
        full = (b"a=" + b"x" * 1_020 + b"\r\n") * (room // 1_024) + b"a=" + b"x" * (room % 1_024 - 2)
        SessionDescription.parse(SMALL + full)
        self.refuse(SMALL + full + b"x", "bytes")
        long = b"a=" + b"x" * 1_998 + b"\r\n"
        self.refuse(SMALL + long * 17, "bytes")


def attributes_of(description: SessionDescription) -> object:
    """
    All of a description but its origin.
    """
    return description.connection, description.attributes, description.media, description.name, description.times
