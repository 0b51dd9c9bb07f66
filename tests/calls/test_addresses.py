"""
Which addresses a call names towards whom.
"""

from __future__ import annotations

from pbx.sip.message import Request, Response
from pbx.transport.settings import TransportSettings
from tests.calls.carrier import TrunkCase
from tests.calls.case import Conversation, ExchangeCase
from tests.calls.exchange import ADDRESS
from tests.calls.phone import Phone
from tests.calls.stream_phone import StreamPhone

SIX = "2001:db8::1"
OUTSIDE = "203.0.113.5"


class VersionSixTests(ExchangeCase):
    """
    A call over IPv6.
    """

    options = {"address": SIX}

    def test_call(self) -> None:
        """
        Two phones over IPv6 talk: Via, Contact and description name the address as they should.
        """
        pair = []
        for n, number in enumerate(("1001", "1002")):
            phone = self.phone(number, at=f"2001:db8:0:{n + 1}::5", exchange=SIX)
            phone.listen_for_media()
            pair.append(phone)
        talk = Conversation(*pair)
        self.assertEqual(talk.speak(10), (10, 10))
        self.assertIn(f"c=IN IP6 {SIX}", talk.answer.body.decode())
        self.assertIn(f"@[{SIX}]:5060>", talk.answer.headers.get("Contact") or "")
        self.assertIn(f"[{SIX}]:5060", talk.rung.headers.get("Via") or "")
        self.assertEqual(talk.rung.uri, pair[1].contact)
        self.assertEqual(talk.hang_up(pair[1]).status, 200)
        self.assertEqual(len(pair[0].requests("BYE")), 1)


class ExternalAddressTests(ExchangeCase):
    """
    An exchange behind a router, with an address that the outside knows.
    """

    options = {"transport": TransportSettings(sip_hosts=(ADDRESS,), external_ip=OUTSIDE)}

    def test_each_side_is_told_its_own(self) -> None:
        """
        A phone outside is told the external address, one on the local network our own; no message mixes them.
        """
        near, far = self.phone("1001"), self.phone("1002", at="198.51.100.7")
        talk = Conversation(near, far)
        for message in (talk.rung, far.requests("ACK")[0]):
            self.assertNotIn(ADDRESS.encode(), message.to_bytes())
        self.assertIn(f"c=IN IP4 {OUTSIDE}", talk.rung.body.decode())
        self.assertIn(f"@{OUTSIDE}:5060>", talk.rung.headers.get("Contact") or "")
        self.assertNotIn(OUTSIDE.encode(), talk.answer.to_bytes())
        self.assertIn(f"c=IN IP4 {ADDRESS}", talk.answer.body.decode())
        talk.hang_up(near)


class TransportTests(ExchangeCase):
    """
    A call from one transport to another.
    """

    def both_ways(self, caller: Phone, callee: Phone) -> None:
        """
        A call with media, ended by the callee.
        """
        for phone in (caller, callee):
            phone.listen_for_media()
        talk = Conversation(caller, callee)
        self.assertEqual(talk.speak(5), (5, 5))
        for phone, message in ((caller, talk.answer), (callee, talk.rung)):
            self.assertEqual(";transport=tcp" in (message.headers.get("Contact") or ""), phone.kind == "TCP")
        self.assertEqual(talk.rung.top_via.transport, callee.kind)
        talk.hang_up(callee)
        self.assertEqual(caller.requests("BYE")[0].top_via.transport, caller.kind)

    def test_tcp_to_udp(self) -> None:
        """
        From TCP to UDP.
        """
        caller = self.phone("1001", kind=StreamPhone)
        self.both_ways(caller, self.phone("1002"))
        caller.close()

    def test_udp_to_tcp(self) -> None:
        """
        From UDP to TCP.
        """
        callee = self.phone("1002", kind=StreamPhone)
        self.both_ways(self.phone("1001"), callee)
        callee.close()


class TrunkTests(TrunkCase):
    """
    Providers beyond the router: they are told the external address, the phones of the house our own.
    """

    options = {
        "transport": TransportSettings(
            sip_hosts=(ADDRESS,), external_ip=OUTSIDE, local_networks=("10.0.0.0/16", "192.168.0.0/16")
        )
    }

    def assert_told(self, message: Request | Response, host: str, other: str) -> None:
        """
        A message with a description names one of our addresses, and never the other.
        """
        contact = message.contacts[0].uri
        self.assertEqual((contact.host, contact.port), (host, 5060))
        self.assertIn(f"c=IN IP4 {host}\r\n".encode(), message.body)
        # In To of a response stands what the provider has written there itself.
        ours = [line for line in message.to_bytes().split(b"\r\n") if not line.startswith(b"To:")]
        self.assertNotIn(other.encode(), b"\r\n".join(ours))

    def test_out(self) -> None:
        """
        A call out.
        """
        anna = self.phone("1001")
        invite = anna.call("017612345678")
        (out,) = self.a.invites
        self.assertEqual(out.top_via.host, OUTSIDE)
        self.assert_told(out, OUTSIDE, ADDRESS)
        self.a.reply(out, 200, body=self.a.sdp())
        answer = anna.last("INVITE")
        self.assert_told(answer, ADDRESS, OUTSIDE)
        anna.acknowledge(invite, answer)
        anna.send(anna.within("BYE", invite, answer, cseq=9))
        self.network.advance(0.1)
        for method in ("ACK", "BYE"):
            self.assertEqual(self.a.requests(method)[0].top_via.host, OUTSIDE)

    def test_in(self) -> None:
        """
        A call in, and the provider hangs up by the Contact that it was told.
        """
        anna = self.phone("1001")
        invite = self.a.offer_call()
        rung = anna.requests("INVITE")[-1]
        self.assertEqual(rung.top_via.host, ADDRESS)
        self.assert_told(rung, ADDRESS, OUTSIDE)
        anna.reply(rung, 200, body=anna.sdp())
        answer = self.a.last("INVITE")
        self.assert_told(answer, OUTSIDE, ADDRESS)
        self.a.acknowledge(invite, answer)
        bye = self.a.within("BYE", invite, answer, cseq=9)
        self.assertEqual(bye.target.host, OUTSIDE)
        self.a.send(bye)
        self.network.advance(0.1)
        self.assertEqual(len(anna.requests("BYE")), 1)


class BothVersionsTests(ExchangeCase):
    """
    An external address of IPv4, and a phone outside that speaks IPv6.
    """

    options = {"address": SIX, "transport": TransportSettings(sip_hosts=(SIX,), external_ip=OUTSIDE)}

    def test_call(self) -> None:
        """
        It is told our own address of its kind, since no router translates that.
        """
        near, far = (self.phone(number, at=at, exchange=SIX) for number, at in
                     (("1001", "2001:db8:0:1::5"), ("1002", "2001:db8:ffff::7")))
        talk = Conversation(near, far)
        for message in (talk.rung, talk.answer):
            self.assertNotIn(OUTSIDE.encode(), message.to_bytes())
            self.assertIn(f"c=IN IP6 {SIX}".encode(), message.body)
        talk.hang_up(near)
