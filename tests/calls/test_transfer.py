"""
Tests of transfer by REFER, blind and attended: who hears whom after it, what is told, and what the record says.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pbx.calls.tools import CallSettings
from pbx.sip.message import Response
from tests.calls.case import Conversation, ExchangeCase
from tests.calls.phone import Phone


class TransferCase(ExchangeCase):
    """
    1001 talks with 1002; 1003 is there.
    """

    options = {"calls": CallSettings(recall_timeout=30.0)}

    def trio(self) -> tuple[Phone, Phone, Phone]:
        """
        Three phones that hear.
        """
        phones = self.phone("1001"), self.phone("1002"), self.phone("1003")
        for phone in phones:
            phone.listen_for_media()
            phone.on_request = lambda request, phone=phone: self.notified(phone, request)
        return phones

    def notified(self, phone: Phone, request: Any) -> None:
        """
        A NOTIFY and an UPDATE are answered 200.
        """
        if request.method in ("NOTIFY", "UPDATE"):
            phone.answer(request, 200)

    def refer(self, talk: Conversation, phone: Phone, to: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
        """
        Ask for a transfer; the answer.
        """
        by = f"<sip:{phone.number}@pbx>"
        return talk.ask(phone, "REFER", headers=(("Refer-To", to), ("Referred-By", by), *headers))

    def told(self, phone: Phone) -> list[str]:
        """
        The status lines of the NOTIFYs, each as it came.
        """
        return [n.body.decode().split("\r\n")[0].split(" ", 1)[1] for n in phone.requests("NOTIFY")]

    def heard(self, speaker: Phone, body: bytes, listener: Phone, packets: int = 5, ssrc: int = 99) -> int:
        """
        How many packets of a speaker a listener hears, of so many.
        """
        before = [packet for packet in listener.media if packet[12:] == b"\x55" * 160]
        speaker.speak(body, packets, payload=b"\x55" * 160, ssrc=ssrc)
        after = [packet for packet in listener.media if packet[12:] == b"\x55" * 160]
        return len(after) - len(before)

    def picked_up(self, phone: Phone) -> Any:
        """
        Pick up what rings last; the INVITE and the answer.
        """
        rung = phone.requests("INVITE")[-1]
        return rung, phone.reply(rung, 200, body=phone.sdp(), headers=(("Allow", "INVITE, ACK, BYE, UPDATE"),))

    def hang_up_received(self, phone: Phone, rung: Any, answered: Any, cseq: int = 1) -> None:
        """
        Hang up a call that was received.
        """
        phone.send(phone.within_received("BYE", rung, answered, cseq=cseq))
        self.network.advance(0.05)


class BlindTests(TransferCase):
    """
    REFER to a number.
    """

    def test_by_the_callee(self) -> None:
        """
        The two others hear each other and only they, who transferred is told and let go, one record has it all.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert, headers=(("Allow", "INVITE, ACK, BYE, UPDATE"),))
        self.network.advance(10)
        self.assertEqual(self.refer(talk, bert, "<sip:1003@10.0.0.1>").status, 202)
        rung = cleo.requests("INVITE")[-1]
        self.assertIn("sip:1001@", rung.headers.get("From") or "")
        cleo.reply(rung, 180)
        rung, answered = self.picked_up(cleo)
        self.network.advance(0.05)
        self.assertEqual(self.told(bert), ["100 Trying", "180 Ringing", "200 OK"])
        self.assertIn("terminated", bert.requests("NOTIFY")[-1].headers.get("Subscription-State") or "")
        self.assertEqual(talk.hang_up(bert).status, 200)
        self.assertGreaterEqual(self.heard(anna, talk.answer.body, cleo), 4)
        self.assertGreaterEqual(self.heard(cleo, rung.body, anna, ssrc=98), 4)
        self.assertEqual(self.heard(bert, talk.rung.body, anna, ssrc=97), 0)
        # The caller's phone shows who it talks to now.
        update = anna.requests("UPDATE")[-1]
        self.assertIn("sip:1003@", update.headers.get("P-Asserted-Identity") or "")
        self.network.advance(20)
        self.hang_up_received(cleo, rung, answered)
        self.assertEqual(len(anna.requests("BYE")), 1)
        record = self.record
        self.assertEqual((record["caller"], record["callee"], record["disposition"]), ("1001", "1002", "answered"))
        self.assertEqual([leg["party"] for leg in record["legs"]], ["1001", "1002", "1003"])
        self.assertIn("1002 transferred 1001 to 1003", record["route"])
        self.assertGreater(record["billable"], 30)
        self.assertEqual(record["hangup_by"], "callee")

    def test_by_the_caller(self) -> None:
        """
        Who has called can send on the one it called as well; the phone rung sees that one calling.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        self.assertEqual(self.refer(talk, anna, "<sip:1003@10.0.0.1>").status, 202)
        talk.hang_up(anna)
        self.assertIn("sip:1002@", cleo.requests("INVITE")[-1].headers.get("From") or "")
        rung, answered = self.picked_up(cleo)
        self.network.advance(0.05)
        self.assertGreaterEqual(self.heard(bert, talk.rung.body, cleo), 4)
        self.assertGreaterEqual(self.heard(cleo, rung.body, bert, ssrc=98), 4)
        self.hang_up_received(cleo, rung, answered)
        self.assertEqual(len(bert.requests("BYE")), 1)

    def test_lingering(self) -> None:
        """
        Who does not hang up after its transfer is hung up on.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        rung, answered = self.picked_up(cleo)
        self.network.advance(2.1)
        self.assertEqual(len(bert.requests("BYE")), 1)
        self.hang_up_received(cleo, rung, answered)

    def test_failing(self) -> None:
        """
        Who transferred in vain is told why, and its call goes on.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        cleo.reply(cleo.requests("INVITE")[-1], 486)
        self.network.advance(0.05)
        self.assertEqual(self.told(bert)[-1], "486 Busy Here")
        self.assertEqual(talk.speak(), (10, 10))
        talk.hang_up(anna)
        self.assertEqual(len(bert.requests("BYE")), 1)
        self.assertEqual(self.record["disposition"], "answered")

    def test_nowhere(self) -> None:
        """
        A number that is none is told so, and the call goes on.
        """
        anna, bert, _ = self.trio()
        talk = Conversation(anna, bert)
        self.assertEqual(self.refer(talk, bert, "<sip:4711@10.0.0.1>").status, 202)
        self.network.advance(0.05)
        self.assertEqual(self.told(bert)[-1].split()[0], "404")
        self.assertEqual(talk.speak(), (10, 10))
        talk.hang_up(anna)

    def test_recall(self) -> None:
        """
        Who has transferred in vain and gone is called back; the two talk again.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        talk.hang_up(bert)
        cleo.reply(cleo.requests("INVITE")[-1], 180)
        self.network.advance(30)
        self.assertEqual(len(cleo.requests("CANCEL")), 1)
        self.assertEqual(len(bert.requests("INVITE")), 2)
        rung, answered = self.picked_up(bert)
        self.assertGreaterEqual(self.heard(anna, talk.answer.body, bert), 4)
        self.hang_up_received(bert, rung, answered)
        self.assertEqual(len(anna.requests("BYE")), 1)
        self.assertEqual([leg["party"] for leg in self.record["legs"]], ["1001", "1002", "1003", "1002"])

    def test_recall_in_vain(self) -> None:
        """
        When nobody takes the party back either, its call ends.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        talk.hang_up(bert)
        cleo.reply(cleo.requests("INVITE")[-1], 486)
        bert.reply(bert.requests("INVITE")[-1], 486)
        self.network.advance(5)
        self.assertEqual(len(anna.requests("BYE")), 1)
        self.assertEqual(self.record["disposition"], "answered")

    def test_transferee_hangs_up(self) -> None:
        """
        Who is sent on and hangs up meanwhile ends it all.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        cleo.reply(cleo.requests("INVITE")[-1], 180)
        talk.hang_up(anna)
        self.network.advance(0.05)
        self.assertEqual(len(cleo.requests("CANCEL")), 1)
        self.assertEqual(len(bert.requests("BYE")), 1)
        self.assertEqual(self.told(bert)[-1].split()[0], "487")

    def test_twice(self) -> None:
        """
        A second REFER while the first is under way is refused, and harms nothing.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        self.assertEqual(self.refer(talk, bert, "<sip:1003@10.0.0.1>").status, 403)
        rung, answered = self.picked_up(cleo)
        self.network.advance(3)
        self.hang_up_received(cleo, rung, answered)

    def test_to_oneself(self) -> None:
        """
        A transfer to the party's own number rings its other phone, or comes back as busy or unanswered.
        """
        anna, bert, _ = self.trio()
        talk = Conversation(anna, bert)
        self.refer(talk, bert, "<sip:1001@10.0.0.1>")
        anna.reply(anna.requests("INVITE")[-1], 486)
        self.network.advance(0.05)
        self.assertEqual(self.told(bert)[-1], "486 Busy Here")
        self.assertEqual(talk.speak(), (10, 10))
        talk.hang_up(anna)


class AttendedTests(TransferCase):
    """
    REFER with Replaces: first ask, then transfer.
    """

    def replaces(self, phone: Phone, answer: Any, invite: Any) -> str:
        """
        The Refer-To of a call that a phone has made.
        """
        to_tag = answer.to_tag
        value = quote(f"{invite.call_id};to-tag={to_tag};from-tag={invite.from_tag}", safe="")
        return f"<sip:1003@10.0.0.1?Replaces={value}>"

    def test_talking(self) -> None:
        """
        The two others hear each other, both calls of who asked end, and one record has all four legs.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        self.network.advance(5)
        second = Conversation(bert, cleo)
        self.network.advance(5)
        answer = self.refer(talk, bert, self.replaces(bert, second.answer, second.invite))
        self.assertEqual(answer.status, 202)
        self.network.advance(0.05)
        self.assertEqual(self.told(bert), ["100 Trying", "200 OK"])
        self.assertEqual(len([b for b in bert.requests("BYE") if b.call_id == second.invite.call_id]), 1)
        talk.hang_up(bert)
        self.assertGreaterEqual(self.heard(anna, talk.answer.body, cleo), 4)
        self.assertGreaterEqual(self.heard(cleo, second.rung.body, anna, ssrc=98), 4)
        self.network.advance(10)
        self.hang_up_received(cleo, second.rung, second.answered)
        self.assertEqual(len(anna.requests("BYE")), 1)
        record = self.record
        self.assertEqual([leg["party"] for leg in record["legs"]], ["1001", "1002", "1002", "1003"])
        self.assertGreater(record["billable"], 19)
        self.assertEqual(record["callee"], "1002")

    def test_the_other_way_round(self) -> None:
        """
        The REFER may as well come within the second call, with the first to be replaced.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        second = Conversation(bert, cleo)
        value = quote(f"{talk.rung.call_id};to-tag={talk.rung.from_tag};from-tag=callee", safe="")
        self.assertEqual(self.refer(second, bert, f"<sip:1001@10.0.0.1?Replaces={value}>").status, 202)
        self.network.advance(0.05)
        self.assertGreaterEqual(self.heard(anna, talk.answer.body, cleo), 4)
        self.assertGreaterEqual(self.heard(cleo, second.rung.body, anna, ssrc=98), 4)
        self.network.advance(3)
        self.hang_up_received(cleo, second.rung, second.answered)
        self.assertEqual(len(anna.requests("BYE")), 1)
        self.assertEqual(len(bert.requests("BYE")), 2)

    def test_while_it_rings(self) -> None:
        """
        Who is asked may still be ringing: the first party waits in the place of the second call.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        invite = bert.call("1003")
        rung = cleo.requests("INVITE")[-1]
        cleo.reply(rung, 180)
        ringing = bert.last("INVITE")
        self.assertEqual(self.refer(talk, bert, self.replaces(bert, ringing, invite)).status, 202)
        self.network.advance(0.05)
        self.assertEqual(bert.last("INVITE").status, 487)
        bert.acknowledge_refusal(invite, bert.last("INVITE"))
        rung, answered = self.picked_up(cleo)
        self.network.advance(0.05)
        self.assertEqual(self.told(bert)[-1], "200 OK")
        talk.hang_up(bert)
        self.assertGreaterEqual(self.heard(anna, talk.answer.body, cleo), 4)
        self.assertIn("sip:1001@", cleo.requests("UPDATE")[-1].headers.get("P-Asserted-Identity") or "")
        self.hang_up_received(cleo, rung, answered)
        self.assertEqual([leg["party"] for leg in self.record["legs"]], ["1001", "1002", "1002", "1003"])
        self.assertEqual([bool(leg["answered"]) for leg in self.record["legs"]], [True, True, False, True])
        self.assertTrue(all(leg["ended"] for leg in self.record["legs"]))

    def test_while_it_rings_in_vain(self) -> None:
        """
        Who then does not answer leaves the first two talking again.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        invite = bert.call("1003")
        cleo.reply(cleo.requests("INVITE")[-1], 180)
        self.refer(talk, bert, self.replaces(bert, bert.last("INVITE"), invite))
        self.network.advance(0.05)
        bert.acknowledge_refusal(invite, bert.last("INVITE"))
        cleo.reply(cleo.requests("INVITE")[-1], 486)
        self.network.advance(0.05)
        self.assertEqual(self.told(bert)[-1], "486 Busy Here")
        self.assertEqual(talk.speak(), (10, 10))
        talk.hang_up(anna)

    def test_somebody_elses(self) -> None:
        """
        The call of another extension can't be named.
        """
        anna, bert, cleo = self.trio()
        dora = self.phone("1004")
        dora.listen_for_media()
        talk = Conversation(anna, bert)
        second = Conversation(cleo, dora)
        answer = self.refer(talk, bert, self.replaces(bert, second.answer, second.invite))
        self.assertEqual(answer.status, 403)
        self.assertEqual(talk.speak(), (10, 10))
        talk.hang_up(anna)
        second.hang_up(cleo)

    def test_gone(self) -> None:
        """
        A call that is no more makes it a blind transfer to the same number.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        to = "<sip:1003@10.0.0.1?Replaces=x%3Bto-tag%3Da%3Bfrom-tag%3Db>"
        self.assertEqual(self.refer(talk, bert, to).status, 202)
        rung, answered = self.picked_up(cleo)
        self.network.advance(3)
        self.hang_up_received(cleo, rung, answered)


class OperatorTests(TransferCase):
    """
    Transfers that the API asks for.
    """

    def test_blind(self) -> None:
        """
        The call is sent on, and the extension that gave it away is let go.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        (call_id,) = self.exchange.switchboard.calls
        self.assertFalse(self.exchange.switchboard.transfer(call_id, "1005", "1003"))
        self.assertFalse(self.exchange.switchboard.transfer("nothing", "1002", "1003"))
        self.assertTrue(self.exchange.switchboard.transfer(call_id, "1002", "1003"))
        self.network.advance(0.05)
        rung, answered = self.picked_up(cleo)
        self.network.advance(3)
        self.assertEqual(len(bert.requests("BYE")), 1)
        self.assertGreaterEqual(self.heard(anna, talk.answer.body, cleo), 4)
        self.hang_up_received(cleo, rung, answered)

    def test_attended(self) -> None:
        """
        Two calls of one extension become one.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        second = Conversation(bert, cleo)
        one, other = self.exchange.switchboard.calls
        self.assertFalse(self.exchange.switchboard.join(one, other, "1001"))
        self.assertTrue(self.exchange.switchboard.join(one, other, "1002"))
        self.network.advance(3)
        self.assertEqual(len(bert.requests("BYE")), 2)
        self.assertGreaterEqual(self.heard(anna, talk.answer.body, cleo), 4)
        self.hang_up_received(cleo, second.rung, second.answered)
