"""
The valid messages of RFC 4475 3.1.1, each of which must be understood.
"""

from __future__ import annotations

from pbx.sip.dialled import dialled_number
from pbx.sip.message import response_to
from pbx.sip.parser import parse
from tests.sip.torture import TortureCase, wire

UNUSUAL = "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com"
METHOD = "!interesting-Method0123456789_*+`.%indeed'~"


class ValidTests(TortureCase):
    """
    RFC 4475 3.1.1: odd, and right.
    """

    def test_wsinv(self) -> None:
        """
        3.1.1.1: folding all over, short forms, blanks between everything, unknown headers and parameters.
        """
        request = self.request(
            wire(
                r"""
                INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
                TO :
                 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
                from   : "J Rosenberg \\\""       <sip:jdrosen@example.com>
                  ;
                  tag = 98asjd8
                MaX-fOrWaRdS: 0068
                Call-ID: wsinv.ndaksdj@192.0.2.1
                Content-Length   : {length}
                cseq: 0009
                  INVITE
                Via  : SIP  /   2.0
                 /UDP
                    192.0.2.2;branch=390skdjuw
                s :
                NewFangledHeader:   newfangled value
                 continued newfangled value
                UnknownHeaderWithUnusualValue: ;;,,;;,;
                Content-Type: application/sdp
                Route:
                 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
                v:  SIP  / 2.0  / TCP     spindle.example.com   ;
                  branch  =   z9hG4bK9ikj8  ,
                 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
                 z9hG4bK30239
                m:"Quoted string \"\"" <sip:jdrosen@example.com> ; newparam =
                      newvalue ;
                  secondparam ; q = 0.33
                """,
                b"v=0\r\n",
            )
        )
        self.assertEqual(str(request.to), "<sip:vivekg@chair-dnrc.example.com>;tag=1918181833n")
        self.assertEqual((request.from_.display, request.from_tag), ('J Rosenberg \\"', "98asjd8"))
        self.assertEqual((request.max_forwards, request.cseq.number, request.cseq.method), (68, 9, "INVITE"))
        self.assertEqual(str(request.top_via), "SIP/2.0/UDP 192.0.2.2;branch=390skdjuw")
        self.assertEqual(len(request.headers.get_all("Via")), 2)
        self.assertEqual(request.headers.get("Subject"), "")
        self.assertEqual(request.headers.get("newfangledheader"), "newfangled value continued newfangled value")
        self.assertEqual(request.headers.get("UnknownHeaderWithUnusualValue"), ";;,,;;,;")
        self.assertEqual(request.routes[0].uri.param("unknown-no-value"), "")
        self.assertEqual(request.contacts[0].display, 'Quoted string ""')
        self.assertEqual(request.contacts[0].param("q"), "0.33")
        self.assertEqual(request.body, b"v=0\r\n")
        self.assertEqual(parse(request.to_bytes()), request)

    def test_intmeth(self) -> None:
        """
        3.1.1.2: every character that each place allows.
        """
        data = wire(
            f"""
            {METHOD} {UNUSUAL} SIP/2.0
            Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~
            To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <{UNUSUAL}>
            From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%="работающий";tag=_token~1'+`*%!-.
            Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/"][?}}{{
            CSeq: 139122385 {METHOD}
            Max-Forwards: 255
            extensionHeader-!.%*+_`'~:大停電
            Content-Length: 0
            """  # noqa: E501
        )
        request = self.request(data)
        self.assertEqual(request.method, METHOD)
        self.assertEqual(request.target.password, "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)")
        self.assertEqual(request.to.display, "BEL: NUL: DEL:")
        self.assertEqual(request.from_.display, "token1~` token2'+_ token3*%!.-")
        self.assertEqual(request.from_.param("fromparam''~+*_!.-%"), "работающий")
        self.assertEqual(request.from_tag, "_token~1'+`*%!-.")
        self.assertEqual(request.headers.get("extensionheader-!.%*+_`'~"), "大停電")
        self.assertEqual(request.top_via.branch, "z9hG4bK-.!%66*_+`'~")
        self.assertEqual(parse(request.to_bytes()), request)

    def test_esc01(self) -> None:
        """
        3.1.1.3: escapes in user parts and in parameter names.
        """
        request = self.request(
            wire(
                """
                INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0
                To: sip:%75se%72@example.com
                From: <sip:I%20have%20spaces@example.net>;tag=938
                Max-Forwards: 87
                i: esc01.239409asdfakjkn23onasd0-3234
                CSeq: 234234 INVITE
                Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bKkdjuw
                C: application/sdp
                Contact:
                  <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>
                Content-Length: {length}
                """,
                b"v=0\r\n",
            )
        )
        self.assertEqual(dialled_number(request.target), "sips:user@example.com")
        self.assertEqual(dialled_number(request.to.uri), "user")
        contact = request.contacts[0].uri
        self.assertEqual((contact.user, contact.param("lr")), ("cal%6Cer", ""))
        self.assertTrue(contact.equivalent(type(contact).parse("sip:caller@host5.example.net;lr;name=value%25%34%31")))

    def test_escnull(self) -> None:
        """
        3.1.1.4: escaped NULs stay escaped.
        """
        request = self.request(
            wire(
                """
                REGISTER sip:example.com SIP/2.0
                To: sip:null-%00-null@example.com
                From: sip:null-%00-null@example.com;tag=839923423
                Max-Forwards: 70
                Call-ID: escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd
                CSeq: 14398234 REGISTER
                Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw
                Contact: <sip:%00@host5.example.com>
                Contact: <sip:%00%00@host5.example.com>
                L:0
                """
            )
        )
        self.assertEqual(dialled_number(request.to.uri), "null-%00-null")
        first, second = request.contacts
        self.assertFalse(first.uri.equivalent(second.uri))

    def test_esc02(self) -> None:
        """
        3.1.1.5: a percent sign that is no escape: methods and header names have none.
        """
        request = self.request(
            wire(
                """
                RE%47IST%45R sip:registrar.example.com SIP/2.0
                To: "%Z%45" <sip:resource@example.com>
                From: "%Z%45" <sip:resource@example.com>;tag=f232jadfj23
                Call-ID: esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf
                Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK209%fzsnel234
                CSeq: 29344 RE%47IST%45R
                Max-Forwards: 70
                Contact: <sip:alias1@host1.example.com>
                C%6Fntact: <sip:alias2@host2.example.com>
                Contact: <sip:alias3@host3.example.com>
                l: 0
                """
            )
        )
        self.assertEqual(request.method, "RE%47IST%45R")
        self.assertEqual(request.to.display, "%Z%45")
        self.assertEqual([contact.uri.user for contact in request.contacts], ["alias1", "alias3"])
        self.assertEqual(request.headers.get("C%6Fntact"), "<sip:alias2@host2.example.com>")

    def test_lwsdisp(self) -> None:
        """
        3.1.1.6: no blank between display name and bracket.
        """
        request = self.request(
            wire(
                """
                OPTIONS sip:user@example.com SIP/2.0
                To: sip:user@example.com
                From: caller<sip:caller@example.com>;tag=323
                Max-Forwards: 70
                Call-ID: lwsdisp.1234abcd@funky.example.com
                CSeq: 60 OPTIONS
                Via: SIP/2.0/UDP funky.example.com;branch=z9hG4bKkdjuw
                l: 0
                """
            )
        )
        self.assertEqual((request.from_.display, request.from_tag), ("caller", "323"))

    def test_longreq(self) -> None:
        """
        3.1.1.7: long values everywhere.
        """
        user = "amazinglylong" * 30
        vias = "\n".join([f"Via: SIP/2.0/TCP sip{n}.example.com" for n in range(33, 0, -1)])
        text = f"""
INVITE sip:user@example.com SIP/2.0
To: "I have a user name of {"extreme " * 40}proportion" <sip:{user}:{user}@example.com>
F: sip:amazinglylongcallername{user}@example.net;tag=12{"982" * 50}424;{"unknown" * 30}=long{"value" * 30}
Call-ID: longreq.one{"really" * 20}longcallid
CSeq: 3882340 INVITE
Unknown-{"Long" * 20}-Name: unknown-{"long" * 20}-value;unknown-{"long" * 20}-parameter-name=value
{vias}
v: SIP/2.0/TCP host.example.com;received=192.0.2.5;branch=very{"long" * 50}branchvalue
Max-Forwards: 70
Contact: <sip:amazinglylongcallername{user}@host5.example.net>
Content-Type: application/sdp
l: {{length}}
"""
        request = self.request(wire(text, b"v=0\r\n"))
        self.assertEqual(request.to.uri.password, user)
        self.assertEqual(len(request.headers.get_all("Via")), 34)
        self.assertEqual(request.from_tag, "12" + "982" * 50 + "424")
        self.assertEqual(parse(request.to_bytes()), request)

    def test_dblreq(self) -> None:
        """
        3.1.1.8: what follows the message in its datagram is not there.
        """
        first = wire(
            """
            REGISTER sip:example.com SIP/2.0
            To: sip:j.user@example.com
            From: sip:j.user@example.com;tag=43251j3j324
            Max-Forwards: 8
            I: dblreq.0ha0isndaksdj99sdfafnl3lk233412
            Contact: sip:j.user@host.example.com
            CSeq: 8 REGISTER
            Via: SIP/2.0/UDP 192.0.2.125;branch=z9hG4bKkdjuw23492
            Content-Length: 0
            """
        )
        request = self.request(first + b"\r\n" + first.replace(b"REGISTER", b"INVITE"))
        self.assertEqual((request.method, request.body), ("REGISTER", b""))

    def test_semiuri(self) -> None:
        """
        3.1.1.9: a semicolon in the user part is part of it.
        """
        request = self.request(
            wire(
                """
                OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0
                To: sip:j_user@example.com
                From: sip:caller@example.org;tag=33242
                Max-Forwards: 3
                Call-ID: semiuri.0ha0isndaksdj
                CSeq: 8 OPTIONS
                Accept: application/sdp, application/pkcs7-mime,
                        multipart/mixed, multipart/signed,
                        message/sip, message/sipfrag
                Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw
                l: 0
                """
            )
        )
        self.assertEqual(request.target.user, "user;par=u%40example.net")
        self.assertEqual((request.target.params, request.target.host), ((), "example.com"))
        self.assertEqual(len(request.option_tags("Accept")), 6)

    def test_transports(self) -> None:
        """
        3.1.1.10: a transport that nobody knows is carried along.
        """
        request = self.request(
            wire(
                """
                OPTIONS sip:user@example.com SIP/2.0
                To: sip:user@example.com
                From: <sip:caller@example.com>;tag=323
                Max-Forwards: 70
                Call-ID:  transports.kijh4akdnaqjkwendsasfdj
                Accept: application/sdp
                CSeq: 60 OPTIONS
                Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw
                Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf
                Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj
                Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en
                Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee
                l: 0
                """
            )
        )
        via = type(request.top_via)
        transports = [via.parse(text).transport for text in request.headers.get_all("Via")]
        self.assertEqual(transports, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"])
        self.assertEqual(response_to(request, 200).headers.get_all("Via"), request.headers.get_all("Via"))

    def test_mpart01(self) -> None:
        """
        3.1.1.11: a multipart body with binary content is kept byte for byte.
        """
        body = (
            b"--7a9cbec02ceef655\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\nHello"
            b"\r\n--7a9cbec02ceef655\r\nContent-Type: application/octet-stream\r\n\r\n"
            + bytes(range(256))
            + b"\r\n\r\n\x00\r\n--7a9cbec02ceef655--"
        )
        request = self.request(
            wire(
                """
                MESSAGE sip:kumiko@example.org SIP/2.0
                Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543-;rport
                Max-Forwards: 70
                Route: <sip:127.0.0.1:5080>
                Identity: r5mwreLuyDRYBi/0TiPwEsY3rEVsk/G2WxhgTV1PF7hHuLIK0YWVKZhKv9Mj8UeXqkMVbnVq37CD+8=
                Identity-Info: <https://127.0.0.1/cert>
                Contact: <sip:fluffy@127.0.0.1:5070>
                To: <sip:kumiko@example.org>
                From: <sip:fluffy@example.com>;tag=2fb0dcc9
                Call-ID: 3d9485ad0c49859b@Zmx1ZmZ5LW1hYy0xNi5sb2NhbA..
                CSeq: 1 MESSAGE
                Content-Transfer-Encoding: binary
                Content-Type: multipart/mixed;boundary=7a9cbec02ceef655
                Date: Sat, 15 Oct 2005 04:44:56 GMT
                User-Agent: SIPimp.org/0.2.5 (curses)
                Content-Length: {length}
                """,
                body,
            )
        )
        self.assertEqual((request.content_type, request.body), ("multipart/mixed", body))

    def test_unreason(self) -> None:
        """
        3.1.1.12: a reason phrase in another script.
        """
        response = self.response(
            wire(
                """
                SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое
                Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923
                Call-ID: unreason.1234ksdfak3j2erwedfsASdf
                CSeq: 35 INVITE
                From: sip:user@example.com;tag=11141343
                To: sip:user@example.edu;tag=2229
                Content-Length: {length}
                Content-Type: application/sdp
                Contact: <sip:user@host198.example.com>
                """,
                b"v=0\r\n",
            )
        )
        self.assertEqual((response.status, response.reason), (200, "= 2**3 * 5**2 но сто девяносто девять - простое"))
        self.assertEqual(parse(response.to_bytes()), response)

    def test_noreason(self) -> None:
        """
        3.1.1.13: an empty reason phrase.
        """
        text = """
            SIP/2.0 100{blank}
            Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe
            Call-ID: noreason.asndj203insdf99223ndf
            CSeq: 35 INVITE
            From: <sip:user@example.com>;tag=39ansfi3
            To: <sip:user@example.edu>;tag=902jndnke3
            Content-Length: 0
            Contact: <sip:user@host105.example.com>
            """
        for blank in (" ", ""):
            response = self.response(wire(text.replace("{blank}", blank)))
            self.assertEqual((response.status, response.reason), (100, ""))
