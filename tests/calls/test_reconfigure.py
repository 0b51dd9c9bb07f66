"""
Other settings in the running exchange: live calls keep what they began with, the next ones go by the new.
"""

from __future__ import annotations

from pbx.calls.tools import CallSettings
from pbx.directory.decision import RouteRequest
from pbx.media.settings import MediaSettings
from pbx.registrar.authenticator import AuthenticatorSettings
from pbx.registrar.registrar import RegistrarSettings
from pbx.sip.digest import Challenge
from pbx.transport.settings import PRIVATE_NETWORKS, TransportSettings
from tests.calls.case import Conversation, ExchangeCase
from tests.calls.exchange import ADDRESS
from tests.calls.phone import PCMU
from tests.calls.test_srtp import crypto

OUTSIDE, MOVED = "203.0.113.5", "203.0.113.77"


class CallsTests(ExchangeCase):
    """
    What is decided about calls.
    """

    def test_a_live_call(self) -> None:
        """
        A call that goes on while all is decided otherwise is spoken in, held and ended as if nothing had been.
        """
        talk = Conversation(*self.pair())
        self.assertEqual(talk.speak(5), (5, 5))
        self.exchange.switchboard.reconfigure(CallSettings(no_answer_timeout=7, silence_timeout=20), {"**": "pickup"})
        self.exchange.engine.reconfigure(MediaSettings(latch="strict", tones="de"))
        self.exchange.authenticator.reconfigure(AuthenticatorSettings(("SHA-256",)))
        self.exchange.registrar.reconfigure(RegistrarSettings(default=100, longest=100))
        self.assertEqual(talk.speak(5, first=5), (5, 5))
        held = talk.ask(talk.caller, "INVITE", talk.caller.sdp(direction="sendonly"))
        self.assertEqual(held.status, 200)
        self.assertEqual(talk.hang_up(talk.callee).status, 200)
        self.assert_ended("answered", "Normal call clearing", "callee")

    def test_ringing(self) -> None:
        """
        A phone that rings already rings as long as it was to, and the next as long as is decided now.
        """
        anna, bert = self.pair()
        for began, (timeout, decided) in enumerate(((30, 7), (7, 7))):
            invite = anna.call("1002")
            bert.reply(bert.requests("INVITE")[-1], 180)
            self.exchange.switchboard.reconfigure(CallSettings(no_answer_timeout=decided), {})
            self.network.advance(timeout - 1)
            self.assertEqual(len(bert.requests("CANCEL")), began)
            self.network.advance(2)
            self.assertEqual(len(bert.requests("CANCEL")), began + 1)
            anna.acknowledge_refusal(invite, anna.last("INVITE"))
            self.network.advance(33)

    def test_star_codes(self) -> None:
        """
        A star code is dialled by what it is now.
        """
        def leads(code: str) -> str:
            return self.exchange.switchboard.router.route(RouteRequest("1001", code)).destination.kind

        self.assertEqual(leads("*551002"), "refuse")
        self.exchange.switchboard.reconfigure(CallSettings(), {"*55": "pickup"})
        self.assertEqual(leads("*551002"), "pickup")

    def test_srtp(self) -> None:
        """
        Whether keys may come in the clear is decided anew for each call.
        """
        anna, bert = self.pair()
        offer = anna.sdp(formats=(PCMU,), profile="RTP/SAVP") + crypto()
        refused = anna.call("1002", body=offer)
        self.assertEqual(anna.last("INVITE").status, 488)
        anna.acknowledge_refusal(refused, anna.last("INVITE"))
        self.exchange.switchboard.reconfigure(CallSettings(srtp_in_clear=True), {})
        talk = Conversation(anna, bert, body=offer)
        talk.hang_up(anna)

    def test_latch(self) -> None:
        """
        A session that is opened now is latched as is decided now.
        """
        talk = Conversation(*self.pair())
        before = set(self.exchange.engine._sessions)
        self.exchange.engine.reconfigure(MediaSettings(latch="strict"))
        other = Conversation(self.phone("1003"), self.phone("1004"))
        opened = set(self.exchange.engine._sessions) - before
        self.assertEqual({session.incoming.latch.strict for session in before}, {False})
        self.assertEqual({session.incoming.latch.strict for session in opened}, {True})
        for each in (talk, other):
            each.hang_up(each.caller)


class PhonesTests(ExchangeCase):
    """
    What is decided about phones.
    """

    def test_algorithms(self) -> None:
        """
        A phone that knows its nonce is asked anew in the algorithms of now, and stays registered meanwhile.
        """
        anna = self.phone("1001")
        self.exchange.authenticator.reconfigure(AuthenticatorSettings(("SHA-256", "MD5")))
        anna.send(anna.request("REGISTER", f"sip:{ADDRESS}", to=f"<sip:1001@{ADDRESS}>"))
        self.network.advance(0.01)
        asked = [Challenge.parse(value).algorithm for value in anna.last().headers.get_all("WWW-Authenticate")]
        self.assertEqual(asked, ["SHA-256", "MD5"])
        self.assertEqual(len(self.exchange.location), 1)
        self.assertEqual(anna.register().status, 200)

    def test_times(self) -> None:
        """
        A registration lasts as long as its phone was told; the next is told what is decided now.
        """
        anna = self.phone("1001")
        (before,) = self.exchange.location.all()
        self.exchange.registrar.reconfigure(RegistrarSettings(default=600, longest=600, behind_nat=600))
        self.assertEqual(self.exchange.location.all(), [before])
        self.assertIn("expires=600", anna.register(expires=7200).headers.get("Contact") or "")


class AddressTests(ExchangeCase):
    """
    An external address that changes.
    """

    options = {"transport": TransportSettings(sip_hosts=(ADDRESS,), external_ip=OUTSIDE)}

    def test_a_live_call(self) -> None:
        """
        A call that goes on names the new address from its next request on, and is ended by either side; responses to
        what was sent under the old one are still ours.
        """
        near, far = self.phone("1001"), self.phone("1002", at="198.51.100.7")
        talk = Conversation(near, far)
        told: list[int] = []
        self.exchange.transport.on_external_change(lambda: told.append(len(told)))
        self.exchange.transport.rename(MOVED, PRIVATE_NETWORKS)
        self.assertEqual(told, [0])
        near.send(talk.request(near, "BYE"))
        self.network.advance(0.01)
        bye = far.requests("BYE")[-1]
        self.assertEqual(bye.top_via.host, MOVED)
        self.assertEqual(near.last("BYE").status, 200)
        self.assertEqual(self.exchange.transport.counters["foreign_responses"], 0)

    def test_under_way(self) -> None:
        """
        A phone that rings while the address changes is answered, acknowledged and heard: to it we were the old one.
        """
        near, far = self.phone("1001"), self.phone("1002", at="198.51.100.7")
        invite = near.call("1002")
        rung = far.requests("INVITE")[-1]
        far.reply(rung, 180)
        self.exchange.transport.rename(MOVED, PRIVATE_NETWORKS)
        answered = far.reply(rung, 200, body=far.sdp())
        self.assertEqual(near.last("INVITE").status, 200)
        near.acknowledge(invite, near.last("INVITE"))
        self.network.advance(0.1)
        self.assertEqual(len(far.requests("ACK")), 1)
        self.assertIn(f"c=IN IP4 {OUTSIDE}", rung.body.decode())
        far.send(far.within_received("BYE", rung, answered))
        self.network.advance(0.1)
        self.assertEqual(len(near.requests("BYE")), 1)

    def test_the_next_call(self) -> None:
        """
        The next call names the new address in Via, Contact and description to those outside, our own to those inside.
        """
        near, far = self.phone("1001"), self.phone("1002", at="198.51.100.7")
        self.exchange.transport.rename(MOVED, PRIVATE_NETWORKS)
        talk = Conversation(near, far)
        self.assertEqual(talk.rung.top_via.host, MOVED)
        self.assertIn(f"@{MOVED}:5060>", talk.rung.headers.get("Contact") or "")
        self.assertIn(f"c=IN IP4 {MOVED}", talk.rung.body.decode())
        self.assertNotIn(OUTSIDE.encode(), talk.rung.to_bytes())
        self.assertIn(f"c=IN IP4 {ADDRESS}", talk.answer.body.decode())
        self.assertNotIn(MOVED.encode(), talk.answer.to_bytes())
        talk.hang_up(far)

    def test_other_networks(self) -> None:
        """
        Who counts as near is told our own address from the next call on; nobody is told of a change that is none.
        """
        near, far = self.phone("1001"), self.phone("1002", at="198.51.100.7")
        told: list[int] = []
        self.exchange.transport.on_external_change(lambda: told.append(len(told)))
        self.exchange.transport.rename(OUTSIDE, (*PRIVATE_NETWORKS, "198.51.100.0/24"))
        self.assertEqual(told, [])
        talk = Conversation(near, far)
        self.assertEqual(talk.rung.top_via.host, ADDRESS)
        self.assertIn(f"c=IN IP4 {ADDRESS}", talk.rung.body.decode())
        talk.hang_up(far)
