"""
What those hear that a transfer has brought together: on other codecs, held, and with phones that refuse to be told.
"""

from __future__ import annotations

from urllib.parse import quote

from pbx.audio.g711 import ALAW_TO_MULAW
from tests.calls.case import Conversation
from tests.calls.phone import EVENTS, PCMA, PCMU, Phone
from tests.calls.test_transfer import TransferCase


class TransferredMediaTests(TransferCase):
    """
    1001 talks with 1002, which sends it to 1003.
    """

    def test_other_codecs(self) -> None:
        """
        Who shares no codec hears each other converted.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert, body=anna.sdp(formats=(PCMU, EVENTS)))
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        rung = cleo.requests("INVITE")[-1]
        answered = cleo.reply(rung, 200, body=cleo.sdp(formats=(PCMA, EVENTS)),
                              headers=(("Allow", "INVITE, ACK, BYE, UPDATE"),))
        self.network.advance(3)
        again = [invite for invite in cleo.requests("INVITE") if invite.to_tag]
        for invite in again:
            cleo.reply(invite, 488)
        for invite in anna.requests("INVITE"):
            anna.reply(invite, 488)
        self.network.advance(1)
        anna.speak(talk.answer.body, 5, payload=b"\x55" * 160, ssrc=5)
        converted = bytes([ALAW_TO_MULAW.index(0x55)]) * 160
        self.assertGreaterEqual([packet[12:] for packet in cleo.media].count(converted), 4)
        self.assertEqual({packet[1] & 0x7F for packet in cleo.media[-4:]}, {8})
        self.hang_up_received(cleo, rung, answered, cseq=2)

    def hold(self, talk: Conversation, phone: Phone, way: str = "sendonly") -> None:
        """
        Put the other party on hold.
        """
        self.assertEqual(talk.ask(phone, "INVITE", phone.sdp(direction=way, version=2)).status, 200)

    def test_both_held(self) -> None:
        """
        A phone that holds both its calls and joins them lets both hear each other.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        self.hold(talk, bert)
        second = Conversation(bert, cleo)
        self.hold(second, bert)
        answer = second.answer
        value = quote(f"{second.invite.call_id};to-tag={answer.to_tag};from-tag={second.invite.from_tag}", safe="")
        self.assertEqual(self.refer(talk, bert, f"<sip:1003@10.0.0.1?Replaces={value}>").status, 202)
        self.network.advance(3)
        self.assertGreaterEqual(self.heard(anna, talk.answer.body, cleo), 4)
        self.assertGreaterEqual(self.heard(cleo, second.rung.body, anna, ssrc=98), 4)
        self.hang_up_received(cleo, second.rung, second.answered, cseq=3)

    def test_held_and_in_vain(self) -> None:
        """
        A transfer that came to nothing leaves on hold who was on hold, to be resumed.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        self.hold(talk, bert)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        cleo.reply(cleo.requests("INVITE")[-1], 486)
        self.network.advance(1)
        heard = len(bert.media)
        anna.speak(talk.answer.body, 5, ssrc=11)
        self.assertEqual(len(bert.media), heard)
        self.hold(talk, bert, "sendrecv")
        self.assertEqual(talk.speak(), (10, 10))
        talk.hang_up(anna)

    def test_held_meanwhile(self) -> None:
        """
        A party that holds while it is sent on hears who was found when it resumes.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        cleo.reply(cleo.requests("INVITE")[-1], 180)
        self.hold(talk, anna)
        rung, answered = self.picked_up(cleo)
        self.network.advance(3)
        for invite in anna.requests("INVITE"):
            anna.reply(invite, 200, body=anna.sdp(direction="sendonly", version=2))
        self.network.advance(1)
        self.assertEqual(self.heard(cleo, rung.body, anna, ssrc=98), 0)
        self.hold(talk, anna, "sendrecv")
        self.assertGreaterEqual(self.heard(cleo, rung.body, anna, ssrc=98), 4)
        self.assertGreaterEqual(self.heard(anna, talk.answer.body, cleo), 4)
        self.hang_up_received(cleo, rung, answered)

    def refuse_to_be_told(self, allow: str, method: str, status: int) -> None:
        """
        1001 does not take that by which it is told who it talks to.
        """
        anna, bert, cleo = self.trio()
        anna.on_request = lambda request: anna.answer(request, status) if request.method == method else None
        talk = Conversation(anna, bert, headers=(("Allow", allow),))
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        rung, answered = self.picked_up(cleo)
        self.network.advance(10)
        self.assertGreaterEqual(len(anna.requests(method)), 1)
        self.assertGreaterEqual(self.heard(anna, talk.answer.body, cleo), 4)
        self.assertGreaterEqual(self.heard(cleo, rung.body, anna, ssrc=98), 4)
        self.hang_up_received(cleo, rung, answered)

    def test_update_refused(self) -> None:
        """
        405 or 501 to the UPDATE changes nothing.
        """
        self.refuse_to_be_told("INVITE, ACK, BYE, UPDATE", "UPDATE", 405)

    def test_offer_refused(self) -> None:
        """
        Nor does a refused re-INVITE.
        """
        self.refuse_to_be_told("INVITE, ACK, BYE", "INVITE", 488)


class LateOfferTests(TransferCase):
    """
    Phones that let the exchange offer.
    """

    def test_transferred(self) -> None:
        """
        A caller whose INVITE had no offer is transferred like any other.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert, body=b"", acknowledge=anna.sdp())
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        rung, answered = self.picked_up(cleo)
        self.network.advance(3)
        for invite in anna.requests("INVITE"):
            anna.reply(invite, 200, body=anna.sdp(version=3))
        self.network.advance(1)
        self.assertGreaterEqual(self.heard(anna, talk.answer.body, cleo), 4)
        self.assertGreaterEqual(self.heard(cleo, rung.body, anna, ssrc=98), 4)
        self.hang_up_received(cleo, rung, answered)

    def test_picks_up(self) -> None:
        """
        One that picks up says what it hears with its ACK; then both talk, though the caller made no offer either.
        """
        self.codes({"**": "pickup"})
        anna, bert, cleo = self.trio()
        invite = anna.call("1002", body=b"")
        bert.reply(bert.requests("INVITE")[0], 180)
        picking = cleo.call("**1002", body=b"")
        self.assertEqual(cleo.last("INVITE").status, 200)
        answer, offered = anna.last("INVITE"), cleo.last("INVITE")
        self.assertEqual(answer.status, 200)
        anna.acknowledge(invite, answer, anna.sdp(formats=(PCMU, EVENTS)))
        cleo.acknowledge(picking, offered, cleo.sdp(formats=(PCMU, EVENTS)))
        self.network.advance(1)
        self.assertGreaterEqual(self.heard(anna, answer.body, cleo), 4)
        self.assertGreaterEqual(self.heard(cleo, offered.body, anna, ssrc=98), 4)
        anna.send(anna.within("BYE", invite, answer, cseq=9))
        self.network.advance(0.1)
        self.assertEqual(len(cleo.requests("BYE")), 1)

    def test_picks_up_and_never_answers(self) -> None:
        """
        One that never says what it hears ends the call it has picked up, and nothing is left.
        """
        self.codes({"**": "pickup"})
        anna, bert, cleo = self.trio()
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 180)
        picking = cleo.call("**1002", body=b"")
        anna.acknowledge(invite, anna.last("INVITE"))
        cleo.acknowledge(picking, cleo.last("INVITE"))
        self.network.advance(1)
        self.assertEqual((len(anna.requests("BYE")), len(cleo.requests("BYE"))), (1, 1))

    def test_takes_over(self) -> None:
        """
        Likewise one that takes the place of a phone.
        """
        anna, bert, _ = self.trio()
        talk = Conversation(anna, bert)
        other = self.phone("1002")
        other.listen_for_media()
        replaces = ("Replaces", f"{talk.rung.call_id};to-tag=callee;from-tag={talk.rung.from_tag}")
        picking = other.call("1002", body=b"", headers=(replaces,))
        offered = other.last("INVITE")
        other.acknowledge(picking, offered, other.sdp(formats=(PCMA, EVENTS)))
        self.network.advance(1)
        for invite in anna.requests("INVITE"):
            anna.reply(invite, 200, body=anna.sdp(formats=(PCMA, EVENTS), version=3))
        self.network.advance(1)
        anna.speak(talk.answer.body, 5, payload=b"\x55" * 160, payload_type=8, ssrc=5)
        self.assertGreaterEqual([packet[12:] for packet in other.media].count(b"\x55" * 160), 4)
        talk.hang_up(anna)
        self.assertEqual(len(other.requests("BYE")), 1)
