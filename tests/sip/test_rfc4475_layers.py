"""
The messages of RFC 4475 3.2 to 3.4: well-formed, and for the layers above to judge; what they are told is right.
"""

from __future__ import annotations

from pbx.sip.digest import Credentials
from pbx.sip.message import ParseError
from pbx.sip.multipart import sdp_of
from tests.sip.test_rfc4475_invalid import options
from tests.sip.torture import TortureCase, wire


def register(**changes: str) -> bytes:
    """
    A plain REGISTER with header values changed.
    """
    headers = {
        "To": "sip:watson@example.com",
        "From": "sip:watson@example.com;tag=DkfVgjkrtMwaerKKpe",
        "Max-Forwards": "70",
        "Call-ID": "torture.sndkfls29skdl2sdlkfj",
        "CSeq": "2 REGISTER",
        "Via": "SIP/2.0/TCP saturn.example.com:5060;branch=z9hG4bKkdjuw",
        "Contact": "<sip:watson@saturn.example.com>",
        "l": "0",
    }
    headers.update({name.replace("_", "-"): value for name, value in changes.items()})
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return wire("\n".join(["REGISTER sip:example.com SIP/2.0", *lines]))


class LayerTests(TortureCase):
    """
    RFC 4475 3.2 transaction layer, 3.3 application layer, 3.4 older versions.
    """

    def test_badbranch(self) -> None:
        """
        3.2.1: the branch is the magic cookie and nothing else.
        """
        request = self.request(options(Via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK"))
        self.assertEqual(request.top_via.branch, "z9hG4bK")

    def test_insuf(self) -> None:
        """
        3.3.1: headers that every request has are missing: 400.
        """
        data = wire(
            """
            INVITE sip:user@example.com SIP/2.0
            CSeq: 193942 INVITE
            Via: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf
            Content-Type: application/sdp
            l: {length}
            """,
            b"v=0\r\n",
        )
        self.assertEqual(self.refused(data).reason, "Missing Call-ID")

    def test_unkscm(self) -> None:
        """
        3.3.2: a Request-URI of a scheme that nobody knows: 416.
        """
        self.assertUnsupported("nobodyKnowsThisScheme:totallyopaquecontent")

    def test_novelsc(self) -> None:
        """
        3.3.3: a Request-URI of a known scheme that is not ours: 416.
        """
        self.assertUnsupported("soap.beep://192.0.2.103:3002")

    def assertUnsupported(self, uri: str) -> None:
        """
        The Request-URI is answered 416, though nothing else is wrong with the request.
        """
        request = self.request(options(line=f"OPTIONS {uri} SIP/2.0"))
        with self.assertRaises(ParseError) as caught:
            request.target  # noqa: B018
        self.assertEqual(caught.exception.status, 416)

    def test_unksm2(self) -> None:
        """
        3.3.4: To, From and Contact of other schemes are well-formed.
        """
        request = self.request(
            register(
                To="isbn:2983792873", From="<http://www.example.com>;tag=3234233", Contact="<name:John_Smith>"
            )
        )
        self.assertEqual(str(request.to), "<isbn:2983792873>")
        self.assertEqual(str(request.from_), "<http://www.example.com>;tag=3234233")
        self.assertEqual((request.contacts[0].uri.scheme, request.contacts[0].uri.user), ("name", "John_Smith"))

    def test_bext01(self) -> None:
        """
        3.3.5: extensions that nobody supports are named, for 420.
        """
        request = self.request(
            options(
                Require="nothingSupportsThis, nothingSupportsThisEither",
                Proxy_Require="noProxiesSupportThis, norDoAnyProxiesSupportThis",
            )
        )
        self.assertEqual(request.option_tags("Require"), ["nothingsupportsthis", "nothingsupportsthiseither"])
        self.assertEqual(len(request.option_tags("Proxy-Require")), 2)

    def test_invut(self) -> None:
        """
        3.3.6: a body of a type that nobody knows holds no session description, for 415.
        """
        data = options(Content_Type="application/unknownformat", l="40")
        request = self.request(data + b"<audio>\r\n <pcmu port='443'/>\r\n</audio>\r\n")
        self.assertEqual((request.content_type, sdp_of(request)), ("application/unknownformat", None))

    def test_regaut01(self) -> None:
        """
        3.3.7: credentials of another scheme are none, for 401.
        """
        request = self.request(register(Authorization="NoOneKnowsThisScheme opaque-data=here"))
        self.assertRaises(ParseError, Credentials.parse, request.headers.get("Authorization"))

    def test_multi01(self) -> None:
        """
        3.3.8: headers that may stand once stand twice: 400 for each of them.
        """
        lines = {
            "CSeq": "59 OPTIONS",
            "Call-ID": "multi01.98asdh@192.0.2.2",
            "From": "sip:caller@example.com;tag=34525",
            "To": "sip:user2@example.com",
            "Max-Forwards": "70",
        }
        for name, value in lines.items():
            data = options().replace(b"\r\n\r\n", f"\r\n{name}: {value}\r\n\r\n".encode())
            self.assertEqual(self.refused(data).reason, f"Several {name} headers")

    def test_mcl01(self) -> None:
        """
        3.3.9: two Content-Lengths that differ: 400.
        """
        error = self.refused(options(Content_Length="13"))
        self.assertEqual(error.reason, "Several Content-Length headers")
        self.assertIsNotNone(error.partial)

    def test_bcast(self) -> None:
        """
        3.3.10: a response with a broadcast address in its second Via is well-formed; the top Via is not ours.
        """
        response = self.response(
            wire(
                """
                SIP/2.0 200 OK
                Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923
                Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23
                Call-ID: bcast.0384840201234ksdfak3j2erwedfsASdf
                CSeq: 35 INVITE
                From: sip:user@example.com;tag=11141343
                To: sip:user@example.edu;tag=2229
                Content-Length: {length}
                Content-Type: application/sdp
                Contact: <sip:user@host28.example.com>
                """,
                b"v=0\r\n",
            )
        )
        self.assertEqual(response.top_via.host, "192.0.2.198")

    def test_zeromf(self) -> None:
        """
        3.3.11: Max-Forwards 0 is a value.
        """
        self.assertEqual(self.request(options(Max_Forwards="0")).max_forwards, 0)

    def test_cparam01(self) -> None:
        """
        3.3.12: without brackets a parameter is the Contact's.
        """
        contact = self.request(register(Contact="sip:+19725552222@gw1.example.net;unknownparam")).contacts[0]
        self.assertEqual((contact.uri.params, contact.param("unknownparam")), ((), ""))

    def test_cparam02(self) -> None:
        """
        3.3.13: within brackets it is the URI's.
        """
        contact = self.request(register(Contact="<sip:+19725552222@gw1.example.net;unknownparam>")).contacts[0]
        self.assertEqual((contact.params, contact.uri.param("unknownparam")), ((), ""))

    def test_regescrt(self) -> None:
        """
        3.3.14: escaped headers in a Contact's URI are kept with it.
        """
        text = "<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"
        contact = self.request(register(Contact=text)).contacts[0]
        self.assertEqual(contact.uri.headers, (("Route", "%3Csip:sip.example.com%3E"),))
        self.assertEqual(str(contact), text)

    def test_sdp01(self) -> None:
        """
        3.3.15: an Accept without what we send can be read, for 406.
        """
        request = self.request(options(Accept="text/nobodyKnowsThis"))
        self.assertEqual(request.option_tags("Accept"), ["text/nobodyknowsthis"])

    def test_inv2543(self) -> None:
        """
        3.4.1: an INVITE of RFC 2543: no branch, no tag, no Max-Forwards, and still a request.
        """
        request = self.request(
            wire(
                """
                INVITE sip:UserB@example.com SIP/2.0
                Via: SIP/2.0/UDP iftgw.example.com
                From: <sip:+13035551111@ift.client.example.net;user=phone>
                Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>
                To: sip:+16505552222@ss1.example.net;user=phone
                Call-ID: inv2543.1717@ift.client.example.com
                CSeq: 56 INVITE
                Content-Type: application/sdp

                """,
            ).removesuffix(b"\r\n\r\n")
            + b"\r\n\r\nv=0\r\n"
        )
        self.assertEqual((request.top_via.branch, request.from_tag, request.max_forwards), (None, None, None))
        self.assertEqual(request.to.param("user"), "phone")
        self.assertEqual(request.record_routes[0].uri.param("maddr"), "ss1.example.com")
        self.assertEqual(request.body, b"v=0\r\n")
