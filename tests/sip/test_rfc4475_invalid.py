"""
The invalid messages of RFC 4475 3.1.2, each with what becomes of it.
"""

from __future__ import annotations

from pbx.sip.message import ParseError, response_to
from tests.sip.torture import TortureCase, wire


def options(**changes: str) -> bytes:
    """
    A plain OPTIONS with lines changed: ``line`` is the request line, others are header values.
    """
    headers = {
        "To": "sip:user@example.com",
        "From": "sip:caller@example.net;tag=34525",
        "Max-Forwards": "6",
        "Call-ID": "torture.0ha0isndaksdjadsfij34n23d",
        "CSeq": "8 OPTIONS",
        "Via": "SIP/2.0/UDP host.example.com;branch=z9hG4bKkdjuw",
        "l": "0",
    }
    line = changes.pop("line", "OPTIONS sip:user@example.com SIP/2.0")
    headers.update({name.replace("_", "-"): value for name, value in changes.items()})
    return wire("\n".join([line, *[f"{name}: {value}" for name, value in headers.items()]]))


class InvalidTests(TortureCase):
    """
    RFC 4475 3.1.2: wrong in one place.
    """

    def test_badinv01(self) -> None:
        """
        3.1.2.1: separators with nothing between them: 400.
        """
        data = wire(
            """
            INVITE sip:user@example.com SIP/2.0
            To: sip:j.user@example.com
            From: sip:caller@example.net;tag=134161461246
            Max-Forwards: 7
            Call-ID: badinv01.0ha0isndaksdjasdf3234nas
            CSeq: 8 INVITE
            Via: SIP/2.0/UDP 192.0.2.15;;,;,,
            Contact: "Joe" <sip:joe@example.org>;;;;
            Content-Length: 0
            """
        )
        self.assertEqual(self.refused(data).reason, "Malformed Via")
        request = self.request(data.replace(b";;,;,,", b";branch=z9hG4bK1"))
        with self.assertRaises(ParseError):
            request.contacts  # noqa: B018

    def test_clerr(self) -> None:
        """
        3.1.2.2: a Content-Length beyond the datagram: 400, and enough is known to send it.
        """
        error = self.refused(
            wire(
                """
                INVITE sip:user@example.com SIP/2.0
                Max-Forwards: 80
                To: sip:j.user@example.com
                From: sip:caller@example.net;tag=93942939o2
                Contact: <sip:caller@hungry.example.net>
                Call-ID: clerr.0ha0isndaksdjweiafasdk3
                CSeq: 8 INVITE
                Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bK-39234-23523
                Content-Type: application/sdp
                Content-Length: 9999
                """,
                b"v=0\r\n",
            )
        )
        assert error.partial is not None
        self.assertIn(b"clerr.0ha0isndaksdjweiafasdk3", response_to(error.partial, 400, to_tag="x").to_bytes())

    def test_ncl(self) -> None:
        """
        3.1.2.3: a negative Content-Length: 400.
        """
        error = self.refused(
            wire(
                """
                INVITE sip:user@example.com SIP/2.0
                Max-Forwards: 254
                To: sip:j.user@example.com
                From: sip:caller@example.net;tag=32394234
                Call-ID: ncl.0ha0isndaksdj2193423r542w35
                CSeq: 0 INVITE
                Via: SIP/2.0/UDP 192.0.2.53;branch=z9hG4bKkdjuw
                Contact: <sip:caller@example53.example.net>
                Content-Type: application/sdp
                Content-Length: -999
                """
            )
        )
        self.assertEqual(error.reason, "Malformed Content-Length")
        self.assertIsNotNone(error.partial)

    def test_scalar02(self) -> None:
        """
        3.1.2.4: numbers beyond their range in a request: 400 for each of them.
        """
        data = wire(
            """
            REGISTER sip:example.com SIP/2.0
            Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bK342sdfoi3
            To: <sip:user@example.com>
            From: <sip:user@example.com>;tag=239232jh3
            CSeq: 36893488147419103232 REGISTER
            Call-ID: scalar02.23o0pd9vanlq3wnrlnewofjas9ui32
            Max-Forwards: 300
            Expires: 10000000000000000000000000000000
            Contact: <sip:user@host129.example.com>;expires=280297596632815
            Content-Length: 0
            """
        )
        self.assertEqual(self.refused(data).reason, "Malformed CSeq")
        data = data.replace(b"36893488147419103232", b"1")
        self.assertEqual(self.refused(data).reason, "Malformed Max-Forwards")
        request = self.request(data.replace(b"300", b"70"))
        with self.assertRaises(ParseError):
            request.expires  # noqa: B018
        self.assertEqual(request.contacts[0].param("expires"), "280297596632815")

    def test_scalarlg(self) -> None:
        """
        3.1.2.5: numbers beyond their range in a response: it is dropped.
        """
        error = self.refused(
            wire(
                """
                SIP/2.0 503 Service Unavailable
                Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bKzzxdiwo34sw;received=192.0.2.129
                To: <sip:user@example.com>
                From: <sip:other@example.net>;tag=2easdjfejw
                CSeq: 9292394834772304023312 OPTIONS
                Call-ID: scalarlg.noase0of0234hn2qofoaf0232aewf2394r
                Retry-After: 949302838503028349304023988
                Warning: 1812 overture "In Progress"
                Content-Length: 0
                """
            )
        )
        self.assertIsNone(error.partial)

    def test_quotbal(self) -> None:
        """
        3.1.2.6: a quote that is never closed: 400.
        """
        data = options(To='"Mr. J. User <sip:j.user@example.com>')
        self.assertEqual(self.refused(data).reason, "Malformed To")

    def test_ltgtruri(self) -> None:
        """
        3.1.2.7: a Request-URI in brackets: 400.
        """
        request = self.request(options(line="OPTIONS <sip:user@example.com> SIP/2.0"))
        with self.assertRaises(ParseError):
            request.target  # noqa: B018

    def test_lwsruri(self) -> None:
        """
        3.1.2.8: a blank in the Request-URI: 400, not a guess, and enough is known to send it.
        """
        error = self.refused(options(line="OPTIONS sip:user@example.com; lr SIP/2.0"))
        self.assertIsNotNone(error.partial)

    def test_lwsstart(self) -> None:
        """
        3.1.2.9: more than one blank between the parts of the request line: 400.
        """
        error = self.refused(options(line="OPTIONS  sip:user@example.com  SIP/2.0"))
        self.assertIsNotNone(error.partial)

    def test_trws(self) -> None:
        """
        3.1.2.10: blanks at the end of the request line: 400.
        """
        data = options(
            line="OPTIONS sip:remote-target@example.com SIP/2.0  ",
            Via="SIP/2.0/TCP host1.example.com;branch=z9hG4bK299342093",
        )
        self.assertIsNotNone(self.refused(data).partial)

    def test_escruri(self) -> None:
        """
        3.1.2.11: headers in the Request-URI: 400.
        """
        request = self.request(options(line="OPTIONS sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0"))
        with self.assertRaises(ParseError) as caught:
            request.target  # noqa: B018
        self.assertEqual(caught.exception.status, 400)

    def test_baddate(self) -> None:
        """
        3.1.2.12: a Date in another time zone than GMT is ignored, as we read no Date.
        """
        request = self.request(options(Date="Fri, 01 Jan 2010 16:00:00 EST"))
        self.assertEqual(request.headers.get("Date"), "Fri, 01 Jan 2010 16:00:00 EST")

    def test_regbadct(self) -> None:
        """
        3.1.2.13: a Contact whose question mark needs brackets: 400.
        """
        request = self.request(
            wire(
                """
                REGISTER sip:example.com SIP/2.0
                To: sip:user@example.com
                From: sip:user@example.com;tag=998332
                Max-Forwards: 70
                Call-ID: regbadct.k345asrl3fdbv@10.0.0.1
                CSeq: 1 REGISTER
                Via: SIP/2.0/UDP 135.180.130.133:5060;branch=z9hG4bKkdjuw
                Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E
                l: 0
                """
            )
        )
        with self.assertRaises(ParseError) as caught:
            request.contacts  # noqa: B018
        self.assertEqual(caught.exception.reason, "Malformed Contact")

    def test_badaspec(self) -> None:
        """
        3.1.2.14: blanks within the brackets: 400.
        """
        data = options(
            From='"Bell, Alexander" <sip:a.g.bell@example.com>;tag=433423',
            To='"Watson, Thomas" < sip:t.watson@example.org >',
        )
        self.assertEqual(self.refused(data).reason, "Malformed To")

    def test_baddn(self) -> None:
        """
        3.1.2.15: a comma in a display name without quotes: 400.
        """
        data = options(From="Bell, Alexander <sip:a.g.bell@example.com>;tag=43")
        self.assertEqual(self.refused(data).reason, "Malformed From")

    def test_badvers(self) -> None:
        """
        3.1.2.16: another version: 505.
        """
        error = self.refused(options(line="OPTIONS sip:t.watson@example.org SIP/7.0"), 505)
        assert error.partial is not None
        self.assertEqual(response_to(error.partial, 505).headers.get("CSeq"), "8 OPTIONS")

    def test_mismatch01(self) -> None:
        """
        3.1.2.17: CSeq names another method: 400.
        """
        self.assertEqual(self.refused(options(CSeq="8 INVITE")).reason, "CSeq names another method")

    def test_mismatch02(self) -> None:
        """
        3.1.2.18: the same with a method that nobody knows: 400.
        """
        self.refused(options(line="NEWMETHOD sip:user@example.com SIP/2.0", CSeq="8 INVITE"))

    def test_bigcode(self) -> None:
        """
        3.1.2.19: a status beyond all statuses: it is dropped.
        """
        error = self.refused(
            wire(
                """
                SIP/2.0 4294967301 better not break the receiver
                Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe
                Call-ID: bigcode.asdof3uj203asdnf3429uasdhfas3ehjasdfas9i
                CSeq: 353494 INVITE
                From: <sip:user@example.com>;tag=39ansfi3
                To: <sip:user@example.edu>;tag=902jndnke3
                Content-Length: 0
                Contact: <sip:user@host105.example.com>
                """
            )
        )
        self.assertIsNone(error.partial)
