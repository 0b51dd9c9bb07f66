"""
Requests within a call, where they may come from, and where ours go.
"""

from __future__ import annotations

from pbx.sip.message import Request, Response
from tests.calls.case import Conversation, ExchangeCase
from tests.calls.phone import Phone


class WithinACallTests(ExchangeCase):
    """
    A call between two phones, and who may change it.
    """

    def setUp(self) -> None:
        """
        Two phones in a call.
        """
        super().setUp()
        self.anna, self.bert = self.pair()
        self.talk = Conversation(self.anna, self.bert)

    def stranger(self) -> Phone:
        """
        Somebody at another address who knows the dialog.
        """
        return self.phone("1001", register=False, at="10.66.0.1")

    def from_elsewhere(self, phone: Phone, request: Request) -> Response:
        """
        Send a request of the caller's dialog from another address; the answer.
        """
        request.headers.set("Via", f"SIP/2.0/UDP {phone.address}:5060;branch=z9hG4bKelse{request.cseq.number};rport")
        phone.send(request)
        self.network.advance(0.01)
        return phone.last(request.method)

    def test_another_source_is_challenged(self) -> None:
        """
        A re-INVITE with both tags right from another address is challenged; with credentials it is taken.
        """
        thief = self.stranger()
        request = self.talk.request(self.anna, "INVITE", self.anna.sdp(direction="sendonly", version=2))
        challenge = self.from_elsewhere(thief, request)
        self.assertEqual(challenge.status, 401)
        thief.acknowledge_refusal(request, challenge)
        (shown,) = self.exchange.switchboard.list()
        self.assertEqual([leg["on_hold"] for leg in shown["legs"]], [False, False])
        self.assertEqual(self.logged("authentication failed"), [])
        again = thief.credentials(request, challenge)
        thief.send(again)
        self.network.advance(0.01)
        self.assertEqual(thief.last("INVITE").status, 200)
        thief.send(self.talk.request(self.anna, "ACK", cseq=again.cseq.number))
        self.network.advance(0.01)
        self.talk._cseq[self.anna] += 1
        self.talk.hang_up(self.anna)

    def test_media_from_another_network(self) -> None:
        """
        A phone whose re-INVITE comes from another network, with its description as before, is heard from there at once.
        """
        self.talk.speak(5)
        moved = self.stranger()
        moved.listen_for_media()
        request = self.talk.request(self.anna, "INVITE", self.anna.sdp())
        challenge = self.from_elsewhere(moved, request)
        moved.acknowledge_refusal(request, challenge)
        again = moved.credentials(request, challenge)
        moved.send(again)
        self.network.advance(0.01)
        moved.send(self.talk.request(self.anna, "ACK", cseq=again.cseq.number))
        self.network.advance(0.01)
        moved.speak(self.talk.answer.body, 1, ssrc=77)
        self.bert.speak(self.talk.rung.body, 5, first=5, ssrc=12)
        self.assertEqual(len(moved.media), 5)
        self.talk._cseq[self.anna] += 1
        self.talk.hang_up(self.bert)

    def test_a_wrong_password_within_a_call(self) -> None:
        """
        A wrong password there is a failure like any other, and the call goes on.
        """
        thief = self.stranger()
        request = self.talk.request(self.anna, "INFO")
        challenge = self.from_elsewhere(thief, request)
        thief.send(thief.credentials(request, challenge, secret="a guess"))
        self.network.advance(0.01)
        self.assertEqual(thief.last("INFO").status, 401)
        self.assertEqual(len(self.logged("authentication failed for user '1001' from 10.66.0.1:5060 (INFO)")), 1)
        self.talk._cseq[self.anna] += 1
        self.assertEqual(self.talk.speak(5), (5, 5))
        self.talk.hang_up(self.anna)

    def test_another_extension_may_not(self) -> None:
        """
        The right password of another extension opens nothing: the call is none of its own.
        """
        thief = self.stranger()
        request = self.talk.request(self.anna, "INFO")
        challenge = self.from_elsewhere(thief, request)
        thief.send(thief.credentials(request, challenge, user="1005", secret="secret of 1005"))
        self.network.advance(0.01)
        self.assertEqual(thief.last("INFO").status, 403)
        self.talk._cseq[self.anna] += 1
        self.talk.hang_up(self.anna)

    def test_bye_from_elsewhere(self) -> None:
        """
        A BYE with both tags right is taken from anywhere: a phone that has moved can still hang up.
        """
        moved = self.stranger()
        self.assertEqual(self.from_elsewhere(moved, self.talk.request(self.anna, "BYE")).status, 200)
        self.assert_ended("answered", "Normal call clearing", "caller")

    def test_bye_with_a_wrong_tag(self) -> None:
        """
        A BYE with one tag wrong is 481 and ends nothing.
        """
        moved = self.stranger()
        request = self.talk.request(self.anna, "BYE")
        request.headers.set("From", "<sip:1001@10.0.0.1>;tag=guess")
        self.assertEqual(self.from_elsewhere(moved, request).status, 481)
        self.assertEqual(self.exchange.records, [])
        self.talk.hang_up(self.anna)

    def test_another_port(self) -> None:
        """
        The port may change, as when a NAT has made a new mapping; our requests go to the new one.
        """
        moved = self.phone("1001", register=False, at=self.anna.address, port=5099)
        moved.polite = True
        self.assertEqual(self.from_elsewhere(moved, self.talk.request(self.anna, "INFO")).status, 200)
        self.talk.hang_up(self.bert)
        self.assertEqual((len(moved.requests("BYE")), len(self.anna.requests("BYE"))), (1, 0))

    def test_requests_that_are_answered(self) -> None:
        """
        INFO and OPTIONS are answered 200, what makes no sense there 405, by either phone.
        """
        for phone in (self.anna, self.bert):
            self.assertEqual(self.talk.ask(phone, "INFO").status, 200)
            self.assertEqual(self.talk.ask(phone, "OPTIONS").status, 200)
            self.assertEqual(self.talk.ask(phone, "MESSAGE").status, 405)
            self.assertEqual(self.talk.ask(phone, "PRACK").status, 481)
        self.assertEqual(self.exchange.records, [])
        self.talk.hang_up(self.anna)

    def test_target_refresh(self) -> None:
        """
        A re-INVITE with a new Contact moves the remote target: our BYE names it.
        """
        request = self.talk.request(self.anna, "INVITE", self.anna.sdp(version=2))
        request.headers.set("Contact", "<sip:moved@10.0.1.1:5060>")
        self.anna.send(request)
        self.network.advance(0.01)
        self.anna.send(self.talk.request(self.anna, "ACK", cseq=request.cseq.number))
        self.talk.hang_up(self.bert)
        self.assertEqual(self.anna.requests("BYE")[0].uri, "sip:moved@10.0.1.1:5060")

    def test_reason_of_the_peer(self) -> None:
        """
        The cause that a phone gives with its BYE is the one of the record and of the other phone's BYE.
        """
        reason = (("Reason", 'Q.850;cause=27;text="Cable pulled"'),)
        self.talk.ask(self.anna, "BYE", headers=reason)
        record = self.record
        self.assertEqual((record["reason"], record["q850"], record["hangup_by"]), ("Cable pulled", 27, "caller"))
        self.assertEqual(self.bert.requests("BYE")[0].headers.get("Reason"), reason[0][1])

    def test_no_cause_of_the_peer(self) -> None:
        """
        A number that is no cause of Q.850 is not believed.
        """
        self.talk.ask(self.anna, "BYE", headers=(("Reason", 'Q.850;cause=999;text="nonsense"'),))
        self.assertEqual((self.record["reason"], self.record["q850"]), ("Normal call clearing", 16))
        (bye,) = self.bert.requests("BYE")
        self.assertEqual(bye.headers.get("Reason"), 'Q.850;cause=16;text="Normal call clearing"')

    def test_bye_unanswered(self) -> None:
        """
        A phone that is gone does not answer our BYE: everything ends after 64*T1 all the same.
        """
        self.bert.hang_silent()
        self.talk.hang_up(self.anna)
        self.assertEqual(self.exchange.left()["media"], 0)
        self.network.advance(33)

    def test_bye_refused_for_credentials(self) -> None:
        """
        A phone that challenges our BYE is let be.
        """
        self.bert.polite = False
        self.bert.on_request = lambda request: self.bert.answer(request, 401) and None
        self.talk.hang_up(self.anna)
        self.network.advance(0.1)
        self.assertEqual(self.exchange.left()["dialogs"], 0)

    def test_shutdown(self) -> None:
        """
        When the exchange stops, both phones get BYE, with the reason.
        """
        self.exchange.switchboard.stop()
        self.network.advance(0.1)
        for phone in (self.anna, self.bert):
            (bye,) = phone.requests("BYE")
            self.assertIn("shutting down", bye.headers.get("Reason") or "")
        self.assert_ended("answered", "The exchange is shutting down", "system")


class NatTests(ExchangeCase):
    """
    Phones behind an address translation.
    """

    def test_call_through_nat(self) -> None:
        """
        Two phones behind two NATs: everything goes over the flows they opened, and both are heard.
        """
        self.network.nat("198.51.100.1", "192.168.1.10")
        self.network.nat("198.51.100.2", "192.168.2.10")
        anna, bert = self.phone("1001", at="192.168.1.10"), self.phone("1002", at="192.168.2.10")
        for phone in (anna, bert):
            phone.listen_for_media()
        talk = Conversation(anna, bert)
        self.assertEqual(talk.rung.uri, bert.contact)
        for n in range(10):
            anna.speak(talk.answer.body, 1, first=n, ssrc=11)
            bert.speak(talk.rung.body, 1, first=n, ssrc=12)
        self.assertGreaterEqual(min(len(anna.media), len(bert.media)), 9)
        talk.hang_up(bert)
        self.assertEqual(len(anna.requests("BYE")), 1)

    def test_bindings_of_the_nat_are_held_open(self) -> None:
        """
        A phone behind NAT is told to register every two minutes.
        """
        self.network.nat("198.51.100.1", "192.168.1.10")
        anna = self.phone("1001", at="192.168.1.10", register=False)
        answer = anna.register(expires=3600)
        self.assertEqual(answer.contacts[0].param("expires"), "120")
        near = self.phone("1002", register=False).register(expires=3600)
        self.assertEqual(near.contacts[0].param("expires"), "3600")
