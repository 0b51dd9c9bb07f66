"""
Transfers to places and from calls with places; transfers that follow each other.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pbx.calls.tools import CallSettings
from tests.calls.case import Conversation
from tests.calls.scripted import VisitCase, forever


class TransferredTests(VisitCase):
    """
    Transfers to places, and from calls with places.
    """

    def test_blind(self) -> None:
        """
        Who is sent to a room is there; who sent it is told and let go.
        """
        place = self.serve(forever)
        anna, bert, _ = self.trio()
        talk = Conversation(anna, bert, headers=(("Allow", "INVITE, ACK, BYE, UPDATE"),))
        self.assertEqual(self.refer(talk, bert, "<sip:800@10.0.0.1>").status, 202)
        self.network.advance(0.1)
        self.assertEqual(self.told(bert), ["100 Trying", "200 OK"])
        self.assertGreater(self.heard_of_us(anna, 2), 30)
        self.assertEqual(len(bert.requests("BYE")), 1)
        self.assertEqual(place.visits[0].caller.number, "1001")
        (update,) = anna.requests("UPDATE")
        self.assertIn('"Room 800" <sip:800@', update.headers.get("P-Asserted-Identity") or "")
        talk.hang_up(anna)
        self.assertEqual(place.gone, 1)

    def test_blind_to_one_that_refuses(self) -> None:
        """
        A place that refuses leaves the two talking.
        """
        async def work(visit: Any) -> None:
            visit.refuse(486, 17, "Room is full")

        self.serve(work)
        anna, bert, _ = self.trio()
        talk = Conversation(anna, bert)
        self.refer(talk, bert, "<sip:800@10.0.0.1>")
        self.network.advance(0.1)
        self.assertEqual(self.told(bert)[-1].split()[0], "486")
        self.assertEqual(talk.speak(), (10, 10))
        talk.hang_up(anna)

    def test_who_is_called_is_sent(self) -> None:
        """
        The caller sends who it has called; at the place that one is known by its own number, and ends the call as
        who was called.
        """
        place = self.serve(forever)
        anna, bert, _ = self.trio()
        talk = Conversation(anna, bert)
        self.refer(talk, anna, "<sip:800@10.0.0.1>")
        self.network.advance(3)
        self.assertEqual(place.visits[0].caller.number, "1002")
        talk.hang_up(bert)
        self.assertEqual(self.record["hangup_by"], "callee")

    def test_while_at_the_place(self) -> None:
        """
        Who is in a room and sends its other party there leaves both calls.
        """
        place = self.serve(forever)
        anna, bert, _ = self.trio()
        talk = Conversation(anna, bert)
        invite = self.enter(bert)
        answer = bert.last("INVITE")
        value = quote(f"{invite.call_id};to-tag={answer.to_tag};from-tag={invite.from_tag}", safe="")
        self.assertEqual(self.refer(talk, bert, f"<sip:800@10.0.0.1?Replaces={value}>").status, 202)
        self.network.advance(0.1)
        self.assertEqual(self.told(bert), ["100 Trying", "200 OK"])
        self.assertEqual([visit.caller.number for visit in place.visits], ["1002", "1001"])
        self.network.advance(2.1)
        self.assertEqual(len(bert.requests("BYE")), 2)
        self.assertEqual(place.gone, 1)
        talk.hang_up(anna)
        self.assertEqual(place.gone, 2)
        self.assertEqual(len(self.exchange.records), 2)

    def test_while_at_its_mailbox(self) -> None:
        """
        Nobody can be sent into somebody's mailbox by who listens to it, nor by its star code.
        """
        self.serve(forever, mailbox=forever)
        anna, bert, _ = self.trio()
        talk = Conversation(anna, bert)
        invite = self.enter(bert, "*97")
        answer = bert.last("INVITE")
        value = quote(f"{invite.call_id};to-tag={answer.to_tag};from-tag={invite.from_tag}", safe="")
        self.assertEqual(self.refer(talk, bert, f"<sip:*97@10.0.0.1?Replaces={value}>").status, 403)
        self.leave(bert, invite)
        self.assertEqual(self.refer(talk, bert, "<sip:*97@10.0.0.1>").status, 202)
        self.network.advance(0.1)
        self.assertEqual(self.told(bert)[-1].split()[0], "403")
        self.assertEqual(talk.speak(), (10, 10))
        talk.hang_up(anna)

    def test_forward_to_a_star_code(self) -> None:
        """
        A forward to a star code leads nowhere.
        """
        self.serve(forever, mailbox=forever)
        anna, bert, _ = self.trio()
        self.handle("1002", forward_always="*97")
        anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 486)
        self.assertEqual(anna.last("INVITE").status, 486)

    def test_one_after_the_other(self) -> None:
        """
        A second transfer right after the first is not disturbed by who has still to hang up from that.
        """
        anna, bert, cleo = self.trio()
        dora = self.phone("1004")
        dora.listen_for_media()
        talk = Conversation(anna, bert)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        rung, answered = self.picked_up(cleo)
        talk.hang_up(bert)
        self.network.advance(1)
        refer = cleo.within_received("REFER", rung, answered, cseq=1, headers=(("Refer-To", "<sip:1004@10.0.0.1>"),))
        cleo.send(refer)
        self.network.advance(0.1)
        self.assertEqual(cleo.last("REFER").status, 202)
        dora.reply(dora.requests("INVITE")[0], 180)
        self.network.advance(3)
        self.assertEqual(cleo.requests("BYE"), [])
        dora.reply(dora.requests("INVITE")[0], 486)
        self.assertGreaterEqual(self.heard(anna, talk.answer.body, cleo), 4)
        self.hang_up_received(cleo, rung, answered, cseq=2)

    def test_lingering_when_its_call_is_joined(self) -> None:
        """
        Who has transferred and lingers is let go, also when that call meanwhile became part of another.
        """
        anna, bert, cleo = self.trio()
        dora = self.phone("1004")
        dora.listen_for_media()
        talk = Conversation(anna, bert)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        rung, _ = self.picked_up(cleo)
        # 1003 has another call, and lets 1001 go over to that before 1002 has hung up.
        second = Conversation(cleo, dora)
        value = quote(f"{rung.call_id};to-tag={rung.from_tag};from-tag=callee", safe="")
        self.assertEqual(self.refer(second, cleo, f"<sip:1001@10.0.0.1?Replaces={value}>").status, 202)
        self.network.advance(2.5)
        self.assertEqual(len(bert.requests("BYE")), 1)
        self.assertEqual(len(cleo.requests("BYE")), 2)
        self.assertGreaterEqual(self.heard(anna, talk.answer.body, dora), 4)
        talk.hang_up(anna)
        self.assertEqual(len(dora.requests("BYE")), 1)
        self.assertEqual(len(self.record["legs"]), 5)
        self.assertTrue(all(leg["ended"] for leg in self.record["legs"]))

    def test_transferor_vanishes(self) -> None:
        """
        Who transferred and vanishes does not take the others with it.
        """
        anna, bert, cleo = self.trio()
        self.handle("1003", no_answer_timeout=120)
        talk = Conversation(anna, bert)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        cleo.reply(cleo.requests("INVITE")[-1], 180)
        bert.hang_silent()
        for n in range(100):
            anna.speak(talk.answer.body, 1, first=n, ssrc=11)
            self.network.advance(1)
        self.assertEqual(len(anna.requests("BYE")), 0)
        rung, answered = self.picked_up(cleo)
        self.assertGreaterEqual(self.heard(anna, talk.answer.body, cleo), 4)
        self.hang_up_received(cleo, rung, answered)

    def test_is_not_left_in_silence(self) -> None:
        """
        Who is sent on hears something from the beginning, a tone once it rings, and both again after a forward.
        """
        anna, bert, cleo = self.trio()
        dora = self.phone("1004")
        self.handle("1003", forward_busy="1004", voicemail=False)
        talk = Conversation(anna, bert)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        self.assertGreater(self.heard_of_us(anna, 1), 45)
        cleo.reply(cleo.requests("INVITE")[-1], 180)
        self.network.advance(0.1)
        anna.media.clear()
        self.assertGreater(self.heard_of_us(anna, 4), 190)
        loud = [packet for packet in anna.media if len(set(packet[12:])) > 3]
        self.assertTrue(50 < len(loud) < 150, len(loud))
        cleo.reply(cleo.requests("INVITE")[-1], 486)
        self.assertGreater(self.heard_of_us(anna, 1), 45)
        dora.reply(dora.requests("INVITE")[-1], 180)
        self.assertGreater(self.heard_of_us(anna, 1), 45)
        talk.hang_up(anna)
        self.assertEqual(self.heard_of_us(anna, 1), 0)

    def test_recall_rings_for_its_own_time(self) -> None:
        """
        Who is called back rings for as long as the operator has set, whatever it wants otherwise.
        """
        self.options = {"calls": CallSettings(recall_timeout=15.0)}
        self.serve(forever, "voicemail")
        anna, bert, cleo = self.trio()
        self.handle("1003", voicemail=False)
        talk = Conversation(anna, bert)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        talk.hang_up(bert)
        cleo.reply(cleo.requests("INVITE")[-1], 486)
        bert.reply(bert.requests("INVITE")[-1], 180)
        self.network.advance(14.5)
        self.assertEqual(bert.requests("CANCEL"), [])
        self.network.advance(1)
        self.assertEqual(len(bert.requests("CANCEL")), 1)
        self.assertEqual(self.exchange.switchboard.list()[0]["place"], "voicemail 1002")
        talk.hang_up(anna)
