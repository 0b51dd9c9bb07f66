"""
The messages of RFC 5118: IPv6 wherever an address can stand.
"""

from __future__ import annotations

from pbx.sip.message import ParseError, Request
from pbx.sip.via import Via
from tests.sip.torture import TortureCase, wire

REGISTER = """
    REGISTER {uri} SIP/2.0
    To: sip:user@example.com
    From: sip:user@example.com;tag=81x2
    Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
    Call-ID: SSG9559905523997077@hlau_4100
    Max-Forwards: 70
    Contact: "Caller" <sip:caller@[2001:db8::1]>
    CSeq: 98176 REGISTER
    Content-Length: 0
    """

BYE = """
    BYE sip:user@host.example.net SIP/2.0
    Via: SIP/2.0/UDP [2001:db8::9:1];received={received};branch=z9hG4bKas3-111
    Call-ID: SSG9559905523997077@hlau_4100
    Max-Forwards: 70
    From: sip:user@example.com;tag=81x2
    To: sip:user@host.example.net;tag=81x2-1
    CSeq: 98176 BYE
    Content-Length: 0
    """

INVITE = """
    INVITE sip:user@[2001:db8::10] SIP/2.0
    To: sip:user@[2001:db8::10]
    From: sip:user@example.com;tag=81x2
    Via: SIP/2.0/UDP [2001:db8::20];branch=z9hG4bKas3-111
    Call-ID: SSG9559905523997077@hlau_4100
    Contact: "Caller" <sip:caller@[2001:db8::20]>
    CSeq: 8612 INVITE
    Max-Forwards: 70
    Content-Type: application/sdp
    Content-Length: {length}
    """


class IPv6Tests(TortureCase):
    """
    RFC 5118 4.
    """

    def register(self, uri: str) -> Request:
        """
        The REGISTER to a URI.
        """
        return self.request(wire(REGISTER.replace("{uri}", uri)))

    def test_reference(self) -> None:
        """
        4.1: an address in brackets.
        """
        request = self.register("sip:[2001:db8::10]")
        self.assertEqual((request.target.host, request.target.port), ("2001:db8::10", None))
        self.assertEqual(request.top_via.host, "2001:db8::9:1")
        self.assertEqual(str(request.contacts[0]), '"Caller" <sip:caller@[2001:db8::1]>')

    def test_without_brackets(self) -> None:
        """
        4.2: without brackets: 400.
        """
        with self.assertRaises(ParseError):
            self.register("sip:2001:db8::10").target  # noqa: B018

    def test_port_ambiguous(self) -> None:
        """
        4.3: all within the brackets is address.
        """
        target = self.register("sip:[2001:db8::10:5070]").target
        self.assertEqual((target.host, target.port), ("2001:db8::10:5070", None))

    def test_port_unambiguous(self) -> None:
        """
        4.4: what follows the brackets is port.
        """
        target = self.register("sip:[2001:db8::10]:5070").target
        self.assertEqual((target.host, target.port), ("2001:db8::10", 5070))

    def test_received(self) -> None:
        """
        4.5: ``received`` with brackets, as many write it, and without, as the grammar has it.
        """
        for received in ("[2001:db8::9:255]", "2001:db8::9:255"):
            request = self.request(wire(BYE.replace("{received}", received)))
            self.assertEqual(request.top_via.received, "2001:db8::9:255")

    def test_session_description(self) -> None:
        """
        4.6: an IPv6 session description is a body like any other.
        """
        body = b"v=0\r\no=assistant 971731711378798081 0 IN IP6 2001:db8::20\r\ns=Live video feed\r\n"
        self.assertEqual(self.request(wire(INVITE, body)).body, body)

    def test_several_addresses(self) -> None:
        """
        4.7: IPv6 and IPv4 in the Vias of one message.
        """
        request = self.request(
            wire(
                """
                BYE sip:user@host.example.net SIP/2.0
                Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111
                Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144
                Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200
                Call-ID: 997077@lau_4100
                Max-Forwards: 70
                CSeq: 89187 BYE
                To: sip:user@example.net;tag=9817--94
                From: sip:user@example.com;tag=81x2
                Content-Length: 0
                """
            )
        )
        vias = [Via.parse(text) for text in request.headers.get_all("Via")]
        self.assertEqual([(via.host, via.port) for via in vias][:2], [("2001:db8::9:1", 6050), ("192.0.2.1", None)])
        self.assertEqual(vias[2].received, "192.0.2.200")

    def test_several_addresses_in_session_description(self) -> None:
        """
        4.8: addresses of both kinds in one session description.
        """
        audio = b"v=0\r\nm=audio 22334 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n"
        body = audio + b"m=video 6024 RTP/AVP 107\r\nc=IN IP6 2001:db8::1\r\n"
        self.assertEqual(self.request(wire(INVITE, body)).body, body)

    def test_mapped(self) -> None:
        """
        4.9: IPv4 addresses written as IPv6.
        """
        request = self.request(
            wire(
                """
                INVITE sip:user@example.com SIP/2.0
                To: sip:user@example.com
                From: sip:user@east.example.com;tag=81x2
                Via: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19
                Via: SIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bKas3-111
                Call-ID: SSG9559905523997077@hlau_4100
                Contact: "T. desk phone" <sip:ted@[::ffff:192.0.2.2]>
                CSeq: 612 INVITE
                Max-Forwards: 70
                Content-Length: 0
                """
            )
        )
        self.assertEqual((request.top_via.host, request.top_via.port), ("::ffff:192.0.2.10", 19823))
        self.assertEqual(request.contacts[0].uri.host, "::ffff:192.0.2.2")

    def test_three_colons(self) -> None:
        """
        4.10: the three colons that the grammar of RFC 3261 asks for are taken, and only where it does.
        """
        for host in ("2001:db8:::192.0.2.1", "2001:db8::192.0.2.1"):
            target = self.register(f"sip:user@[{host}]").target
            self.assertEqual(target.host, "2001:db8::192.0.2.1")
        for host in ("2001:db8:::1", "2001:db8::::192.0.2.1", "1::2:::192.0.2.1", "fe80::1%eth0", "::g", ""):
            with self.assertRaises(ParseError, msg=host):
                self.register(f"sip:user@[{host}]").target  # noqa: B018
