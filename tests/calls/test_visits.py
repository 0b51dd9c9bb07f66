"""
Callers at places: what becomes of them there in every order of events.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pbx.calls.destination import Branch
from pbx.directory.decision import Destination
from pbx.media.settings import MediaSettings
from tests.calls.phone import EVENTS, PCMA, PCMU
from tests.calls.scripted import Scripted, VisitCase, forever, unanswered

ILBC = (96, "iLBC/8000")


class LeavingTests(VisitCase):
    """
    A caller goes, or is made to go.
    """

    def test_hangs_up(self) -> None:
        """
        The place is left at once.
        """
        place = self.serve(forever)
        anna, _, _ = self.trio()
        invite = self.enter(anna)
        self.assertEqual(self.exchange.switchboard.list()[0]["place"], "conference 800")
        self.leave(anna, invite)
        self.assertEqual(place.gone, 1)
        self.assert_ended("answered", "Normal call clearing", "caller")

    def test_cancels(self) -> None:
        """
        Likewise by who was not answered yet.
        """
        place = self.serve(unanswered)
        anna, _, _ = self.trio()
        invite = anna.call("800")
        anna.cancel(invite)
        anna.acknowledge_refusal(invite, anna.last("INVITE"))
        self.assertEqual(place.gone, 1)
        self.assert_ended("cancelled", "Cancelled by the caller", "caller")

    def test_cancels_what_it_hears_early(self) -> None:
        """
        Likewise while the place is heard before it answers.
        """
        async def early(visit: Any) -> None:
            terminal = visit.early()
            while True:
                await terminal.play(["vm-goodbye"])

        place = self.serve(early)
        anna, _, _ = self.trio()
        invite = anna.call("800")
        self.assertEqual(anna.last("INVITE").status, 183)
        self.assertGreater(self.heard_of_us(anna), 20)
        anna.cancel(invite)
        anna.acknowledge_refusal(invite, anna.last("INVITE"))
        self.assertEqual(self.heard_of_us(anna), 0)
        self.assertEqual(place.gone, 1)

    def test_operator(self) -> None:
        """
        The operator can end it; the place is told.
        """
        place = self.serve(forever)
        anna, _, _ = self.trio()
        self.enter(anna)
        (call,) = self.exchange.switchboard.calls
        self.exchange.switchboard.hang_up(call)
        self.network.advance(0.1)
        self.assertEqual((place.gone, len(anna.requests("BYE"))), (1, 1))
        self.assert_ended("answered", "Ended by the operator", "system")

    def test_operator_before_the_answer(self) -> None:
        """
        Likewise before it has answered.
        """
        place = self.serve(unanswered)
        anna, _, _ = self.trio()
        invite = anna.call("800")
        (call,) = self.exchange.switchboard.calls
        self.exchange.switchboard.hang_up(call)
        self.network.advance(0.1)
        anna.acknowledge_refusal(invite, anna.last("INVITE"))
        self.assertEqual((place.gone, anna.last("INVITE").status), (1, 480))

    def test_vanishes(self) -> None:
        """
        A phone that has vanished is noticed at a place too.
        """
        place = self.serve(forever)
        anna, _, _ = self.trio()
        self.enter(anna)
        anna.hang_silent()
        self.network.advance(120)
        self.assertEqual(place.gone, 1)
        self.assert_ended("answered", "media lost", "system")

    def test_changes_codec_and_holds(self) -> None:
        """
        A re-INVITE at a place is answered, and what is played follows.
        """
        self.serve(forever)
        anna, _, _ = self.trio()
        invite = self.enter(anna)
        for cseq, (formats, way, codec) in enumerate((
            ((PCMA, EVENTS), "sendrecv", 8), ((PCMU,), "sendonly", None), ((PCMU,), "sendrecv", 0),
        ), invite.cseq.number + 1):
            again = anna.within("INVITE", invite, anna.last("INVITE"), cseq=cseq,
                                body=anna.sdp(formats=formats, direction=way, version=cseq))
            anna.send(again)
            self.network.advance(0.01)
            self.assertEqual(anna.last("INVITE").status, 200)
            anna.acknowledge(again, anna.last("INVITE"))
            self.network.advance(0.1)
            anna.media.clear()
            self.network.advance(3)
            self.assertEqual({packet[1] & 0x7F for packet in anna.media}, set() if codec is None else {codec})
        self.leave(anna, invite)

    def test_late_offer(self) -> None:
        """
        A caller that lets us offer is served once its answer has come with the ACK.
        """
        heard: list[bool] = []

        async def work(visit: Any) -> None:
            terminal = await visit.answer()
            heard.append(True)
            await terminal.play(["vm-goodbye"])

        self.serve(work)
        anna, _, _ = self.trio()
        invite = anna.call("800", body=b"")
        self.network.advance(0.1)
        self.assertEqual(heard, [])
        anna.acknowledge(invite, anna.last("INVITE"), anna.sdp())
        self.assertEqual(heard, [True])
        self.assertGreater(self.heard_of_us(anna), 20)
        self.network.advance(5)
        self.assertEqual(len(anna.requests("BYE")), 1)

    def test_late_offer_without_an_answer(self) -> None:
        """
        One that never says what it hears is not kept.
        """
        place = self.serve(forever)
        anna, _, _ = self.trio()
        anna.call("800", body=b"")
        self.network.advance(33)
        self.assertEqual(place.gone, 1)
        self.assertEqual(self.record["reason"], "No ACK")

    def test_acknowledged_provisionals(self) -> None:
        """
        A caller that wants provisional responses acknowledged hears the place early, and is answered.
        """
        async def work(visit: Any) -> None:
            await visit.early().play(["vm-goodbye"])
            await (await visit.answer()).play(["vm-goodbye"])

        self.serve(work)
        anna, _, _ = self.trio()
        invite = anna.call("800", headers=(("Require", "100rel"),))
        early = anna.last("INVITE")
        self.assertEqual(early.status, 183)
        rack = ("RAck", f"{early.headers.get('RSeq')} {invite.cseq.number} INVITE")
        anna.send(anna.within("PRACK", invite, early, cseq=invite.cseq.number + 1, headers=(rack,)))
        self.network.advance(3)
        self.assertEqual(anna.last("INVITE").status, 200)
        anna.acknowledge(invite, anna.last("INVITE"))
        self.network.advance(5)
        self.assertEqual(len(anna.requests("BYE")), 1)

    def test_late_offer_and_acknowledged_provisionals(self) -> None:
        """
        A caller that lets us offer in a reliable 180 hears a tone from when it has answered that; a place answers it.
        """
        self.serve(forever)
        anna, bert, _ = self.trio()
        invite = anna.call("1002", body=b"", headers=(("Require", "100rel"),))
        bert.reply(bert.requests("INVITE")[0], 180)
        ringing = anna.last("INVITE")
        self.assertEqual((ringing.status, bool(ringing.body)), (180, True))
        rack = ("RAck", f"{ringing.headers.get('RSeq')} {invite.cseq.number} INVITE")
        anna.send(anna.within("PRACK", invite, ringing, cseq=invite.cseq.number + 1, headers=(rack,), body=anna.sdp()))
        self.assertGreater(self.heard_of_us(anna, 1), 45)
        anna.cancel(invite)
        anna.acknowledge_refusal(invite, anna.last("INVITE"))
        self.assertEqual(self.heard_of_us(anna, 1), 0)
        invite = anna.call("800", body=b"", headers=(("Require", "100rel"),))
        self.assertEqual(anna.last("INVITE").status, 200)
        anna.acknowledge(invite, anna.last("INVITE"), anna.sdp())
        self.assertGreater(self.heard_of_us(anna, 3), 10)
        self.leave(anna, invite)

    def test_no_codec(self) -> None:
        """
        A caller with no codec of ours is refused with 488.
        """
        self.serve(forever)
        anna, _, _ = self.trio()
        anna.call("800", body=anna.sdp(formats=(ILBC,)))
        self.assertEqual(anna.last("INVITE").status, 488)

    def test_fails(self) -> None:
        """
        A place that fails refuses its caller with 500, or hangs up on one that it has answered; the log says why.
        """
        async def work(visit: Any) -> None:
            if visit.caller.number == "1002":
                await visit.answer()
            raise RuntimeError("out of order")

        self.serve(work)
        anna, bert, _ = self.trio()
        anna.call("800")
        self.assertEqual(anna.last("INVITE").status, 500)
        self.enter(bert)
        self.assertEqual(len(bert.requests("BYE")), 1)
        self.assertEqual(len(self.logged("conference 800 failed")), 2)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)

    def test_refuses(self) -> None:
        """
        One that refuses gives the caller its status.
        """
        async def work(visit: Any) -> None:
            visit.refuse(486, 17, "Room is full")

        self.serve(work)
        anna, _, _ = self.trio()
        anna.call("800")
        self.assertEqual(anna.last("INVITE").status, 486)
        self.assertEqual((self.record["disposition"], self.record["reason"]), ("busy", "Room is full"))

    def test_no_port(self) -> None:
        """
        Without a port the caller gets 503, and comes again later.
        """
        self.options = {"media": MediaSettings(port_range_start=20_000, port_range_end=20_001)}
        self.serve(forever)
        anna, bert, _ = self.trio()
        invite = self.enter(anna)
        bert.call("800")
        self.assertEqual(bert.last("INVITE").status, 503)
        self.assertEqual(bert.last("INVITE").headers.get("Retry-After"), "10")
        self.leave(anna, invite)

    def test_no_port_for_another(self) -> None:
        """
        Without a port for the phone that is to be rung the caller hears the busy tone, or gets 503.
        """
        self.options = {"media": MediaSettings(port_range_start=20_000, port_range_end=20_001)}

        async def work(visit: Any) -> Destination:
            await visit.answer()
            return Destination("extension", "1002")

        self.serve(work)
        anna, bert, _ = self.trio()
        self.handle("1002", voicemail=False)
        self.enter(anna)
        self.network.advance(5)
        self.assertEqual((len(anna.requests("BYE")), bert.requests("INVITE")), (1, []))
        self.assertEqual(self.record["reason"], "No media port free")
        bert.call("1003")
        self.assertEqual(bert.last("INVITE").status, 503)


class RingingTests(VisitCase):
    """
    A place rings 1002 for its caller.
    """

    def ring(self, *, answer: bool = False, early: bool = False, **branch: Any) -> Scripted:
        """
        A place that rings, and says what came of it.
        """
        self.outcome: list[Any] = []

        async def work(visit: Any) -> Destination | None:
            if answer:
                await visit.answer()
            if early:
                visit.early()
            rung = await visit.ring([Branch("1002", **branch)], 20)
            self.outcome.append(rung)
            if not rung.answered and answer:
                await visit.terminal.play(["vm-goodbye"])
            if not rung.answered:
                visit.refuse(rung.status, 16, rung.text)
            return None

        return self.serve(work)

    def test_cancelled_while_it_rings(self) -> None:
        """
        The phone stops ringing when the caller gives up.
        """
        place = self.ring()
        anna, bert, _ = self.trio()
        invite = anna.call("800")
        bert.reply(bert.requests("INVITE")[0], 180)
        anna.cancel(invite)
        anna.acknowledge_refusal(invite, anna.last("INVITE"))
        self.assertEqual((len(bert.requests("CANCEL")), place.gone), (1, 1))
        self.assert_ended("cancelled", "Cancelled by the caller", "caller")

    def test_hangs_up_while_it_rings(self) -> None:
        """
        Likewise when it was answered already.
        """
        place = self.ring(answer=True)
        anna, bert, _ = self.trio()
        invite = self.enter(anna)
        bert.reply(bert.requests("INVITE")[0], 180)
        self.assertGreater(self.heard_of_us(anna, 2), 80)
        self.leave(anna, invite)
        self.assertEqual((len(bert.requests("CANCEL")), place.gone), (1, 1))

    def test_answered(self) -> None:
        """
        Who picks up has the caller; the answer names it.
        """
        self.ring()
        anna, bert, _ = self.trio()
        invite = anna.call("800")
        rung, answered = self.picked_up(bert)
        answer = anna.last("INVITE")
        self.assertIn("sip:1002@", answer.headers.get("P-Asserted-Identity") or "")
        anna.acknowledge(invite, answer)
        self.assertTrue(self.outcome[0].answered)
        self.assertGreaterEqual(self.heard(anna, answer.body, bert), 4)
        self.hang_up_received(bert, rung, answered)
        self.assert_ended("answered", "Normal call clearing", "callee")

    def test_goes_on_after_early_sound(self) -> None:
        """
        A caller that hears the place early hears a tone while the phone rings, not what that plays; then the place.
        """
        self.ring(early=True)
        anna, bert, _ = self.trio()
        anna.call("800")
        self.assertEqual(anna.last("INVITE").status, 183)
        rung = bert.requests("INVITE")[0]
        bert.reply(rung, 183, body=bert.sdp())
        self.assertGreater(self.heard_of_us(anna, 1), 45)
        self.assertEqual(self.heard(bert, rung.body, anna), 0)
        bert.reply(rung, 486)
        self.assertEqual(anna.last("INVITE").status, 486)

    def test_hears_the_place_again(self) -> None:
        """
        After a phone whose early sound it heard has refused, the place hears the caller's keys.
        """
        keys: list[str] = []

        async def work(visit: Any) -> None:
            await visit.ring([Branch("1002")], 20)
            terminal = await visit.answer()
            keys.append(await terminal.digit(5))

        self.serve(work)
        anna, bert, _ = self.trio()
        invite = anna.call("800")
        rung = bert.requests("INVITE")[0]
        bert.reply(rung, 183, body=bert.sdp())
        bert.reply(rung, 486)
        answer = anna.last("INVITE")
        anna.acknowledge(invite, answer)
        for n in range(8):
            event = bytes([5, 0x0A | (0x80 if n > 4 else 0)]) + (160 * (min(n, 5) + 1)).to_bytes(2, "big")
            anna.speak(answer.body, 1, first=n, payload=event, payload_type=101 | (0x80 if n == 0 else 0))
        self.network.advance(0.5)
        self.assertEqual(len(keys), 1)
        self.network.advance(6)

    def test_confirmation(self) -> None:
        """
        A caller that gives up while somebody is asked ends the question; so does who is asked and hangs up.
        """
        asked: list[str] = []

        async def confirm(terminal: Any) -> bool:
            asked.append("begun")
            try:
                await Deferred()
            finally:
                asked.append("ended")
            return True

        self.ring(confirm=confirm)
        anna, bert, _ = self.trio()
        invite = anna.call("800")
        self.picked_up(bert)
        self.assertEqual(asked, ["begun"])
        anna.cancel(invite)
        anna.acknowledge_refusal(invite, anna.last("INVITE"))
        self.assertEqual(asked, ["begun", "ended"])
        self.assertEqual(len(bert.requests("BYE")), 1)
        anna.call("800")
        rung, answered = self.picked_up(bert)
        self.hang_up_received(bert, rung, answered)
        self.assertEqual(asked, ["begun", "ended"] * 2)
        self.assertEqual(anna.last("INVITE").status, 480)

    def test_confirmation_takes_too_long(self) -> None:
        """
        The time to ring is over while somebody is asked: nobody has answered.
        """
        async def confirm(terminal: Any) -> bool:
            await Deferred()
            return True

        self.ring(confirm=confirm)
        anna, bert, _ = self.trio()
        anna.call("800")
        self.picked_up(bert)
        self.network.advance(19)
        self.assertEqual(self.outcome, [])
        self.network.advance(2)
        self.assertEqual(anna.last("INVITE").status, 480)
        self.assertEqual(len(bert.requests("BYE")), 1)
        self.assertEqual([rung.text for rung in self.outcome], ["No answer"])

    def test_confirmation_in_the_last_moment(self) -> None:
        """
        Who picks up just before the time to ring is over may still hear the question out and take the call, which no
        other phone takes any more.
        """
        answer: Deferred[bool] = Deferred()
        self.serve(lambda visit: self.ringing_two(visit, answer))
        anna, bert, cleo = self.trio()
        invite = anna.call("800")
        for phone in (bert, cleo):
            phone.reply(phone.requests("INVITE")[0], 180)
        self.network.advance(18)
        rung, answered = self.picked_up(bert)
        self.network.advance(5)
        self.assertEqual(len(cleo.requests("CANCEL")), 1)
        self.assertNotIn(480, anna.responses("INVITE"))
        answer.callback(True)
        self.network.advance(0.1)
        self.assertEqual(anna.last("INVITE").status, 200)
        anna.acknowledge(invite, anna.last("INVITE"))
        self.hang_up_received(bert, rung, answered)

    async def ringing_two(self, visit: Any, answer: Deferred[bool]) -> None:
        """
        Ring 1002, which is asked, and 1003.
        """
        async def confirm(terminal: Any) -> bool:
            return await answer

        await visit.ring([Branch("1002", confirm=confirm), Branch("1003")], 20)

    def test_picked_up_elsewhere(self) -> None:
        """
        Who picks up what a place rings has its caller, and the place is left.
        """
        place = self.ring(answer=True)
        anna, bert, cleo = self.trio()
        invite = self.enter(anna)
        bert.reply(bert.requests("INVITE")[0], 180)
        picking = cleo.call("**1002")
        cleo.acknowledge(picking, cleo.last("INVITE"))
        self.assertEqual((len(bert.requests("CANCEL")), place.gone), (1, 1))
        self.assertGreaterEqual(self.heard(anna, anna.last("INVITE").body, cleo), 4)
        anna.send(anna.within("BYE", invite, anna.last("INVITE"), cseq=30))
        self.network.advance(0.1)
        self.assertEqual(len(cleo.requests("BYE")), 1)
