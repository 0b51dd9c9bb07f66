"""
Callers that places send on, and pickups that do not work out.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred

from pbx.calls.destination import Branch
from pbx.directory.decision import Destination
from pbx.media.terminal import Terminal
from tests.calls.case import Conversation
from tests.calls.phone import Phone
from tests.calls.scripted import Scripted, VisitCase, Work, forever

ILBC = (96, "iLBC/8000")


class SentOnTests(VisitCase):
    """
    A place sends its caller on.
    """

    def to(self, kind: str, target: str = "", *, answer: bool = True, **others: Work) -> Scripted:
        """
        A place that sends everybody to the same destination.
        """
        async def work(visit: Any) -> Destination:
            if answer:
                await visit.answer()
            return Destination(kind, target)

        return self.serve(work, **others)

    def assert_busy_tone(self, anna: Phone) -> None:
        """
        It hears for four seconds that it leads nowhere, and is hung up on.
        """
        self.assertGreater(self.heard_of_us(anna, 3), 100)
        self.assertEqual(anna.requests("BYE"), [])
        self.network.advance(1.5)
        self.assertEqual(len(anna.requests("BYE")), 1)
        self.assertEqual((self.record["disposition"], self.record["hangup_by"]), ("answered", "system"))

    def test_which_tone(self) -> None:
        """
        Who is busy sounds so; all else that leads nowhere sounds like the reorder tone, upon which nobody tries again.
        """
        heard: list[str] = []
        play = Terminal.hold_music

        def hold_music(terminal: Terminal, name: str | Path = "default") -> None:
            heard.append(str(name))
            play(terminal, name)

        self.patch(Terminal, "hold_music", hold_music)
        busy, reorder = "tone:busy", "tone:reorder"
        for target, status, tone in (("1002", 486, busy), ("1002", 500, reorder), ("4711", 0, reorder)):
            self.exchange.records.clear()
            heard.clear()
            self.to("extension", target)
            anna, bert, _ = self.trio()
            self.enter(anna)
            if status:
                bert.reply(bert.requests("INVITE")[-1], status)
            self.assertEqual(heard[-1:], [tone], (target, status))
            self.network.advance(5)

    def test_to_who_is_busy(self) -> None:
        """
        Busy: the tone, then the end.
        """
        self.to("extension", "1002")
        anna, bert, _ = self.trio()
        self.enter(anna)
        bert.reply(bert.requests("INVITE")[0], 486)
        self.assert_busy_tone(anna)
        self.assertEqual(self.record["reason"], "Busy Here")

    def test_to_who_is_not_there(self) -> None:
        """
        Not registered: likewise.
        """
        self.to("extension", "1005")
        anna, _, _ = self.trio()
        self.enter(anna)
        self.assert_busy_tone(anna)
        self.assertEqual(self.record["reason"], "Not registered")

    def test_to_nobody(self) -> None:
        """
        No such extension: likewise.
        """
        self.to("extension", "4711")
        anna, _, _ = self.trio()
        self.enter(anna)
        self.assert_busy_tone(anna)

    def test_to_nobody_unanswered(self) -> None:
        """
        A caller that was not answered gets the status.
        """
        self.to("extension", "4711", answer=False)
        anna, _, _ = self.trio()
        anna.call("800")
        self.assertEqual(anna.last("INVITE").status, 404)

    def test_hangs_up_during_the_busy_tone(self) -> None:
        """
        Who does not wait for the end of the tone leaves nothing behind.
        """
        self.to("extension", "4711")
        anna, _, _ = self.trio()
        invite = self.enter(anna)
        self.leave(anna, invite)
        self.assertEqual(self.record["hangup_by"], "caller")

    def test_operator_during_the_busy_tone(self) -> None:
        """
        Likewise when the operator ends it, or the exchange stops.
        """
        self.to("extension", "4711")
        anna, _, _ = self.trio()
        self.enter(anna)
        (call,) = self.exchange.switchboard.calls
        self.exchange.switchboard.hang_up(call)
        self.network.advance(5)
        self.assertEqual(len(anna.requests("BYE")), 1)

    def test_nowhere(self) -> None:
        """
        Hang up, refuse, an unknown kind, pick up: each ends the call.
        """
        for kind, status in (("hangup", 480), ("nothing", 404), ("pickup", 404)):
            self.to(kind, answer=False)
            anna = self.phone("1001")
            anna.call("800")
            self.assertEqual(anna.last("INVITE").status, status, kind)
            anna.hang_silent()

    def test_mailbox_hears_no_ringing(self) -> None:
        """
        After ringing in vain the caller goes to the mailbox, where nothing rings any more.
        """
        async def silent(visit: Any) -> None:
            await visit.answer()
            await Deferred()

        self.to("extension", "1002", voicemail=silent)
        anna, bert, _ = self.trio()
        invite = self.enter(anna)
        bert.reply(bert.requests("INVITE")[0], 180)
        self.assertGreater(self.heard_of_us(anna, 2), 90)
        bert.reply(bert.requests("INVITE")[0], 486)
        self.assertEqual(self.exchange.switchboard.list()[0]["place"], "voicemail 1002")
        self.network.advance(0.1)
        self.assertEqual(self.heard_of_us(anna, 6), 0)
        self.leave(anna, invite)

    def test_mailbox_by_itself(self) -> None:
        """
        A plain call that nobody takes goes to the mailbox, by why it was not taken.
        """
        self.serve(forever, "voicemail")
        anna, bert, _ = self.trio()
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 180)
        self.network.advance(30.1)
        self.assertEqual(anna.last("INVITE").status, 200)
        anna.acknowledge(invite, anna.last("INVITE"))
        self.leave(anna, invite)
        record = self.record
        self.assertEqual(record["disposition"], "answered")
        self.assertLess(record["billable"], 2)
        self.assertGreater(record["duration"], 30)
        self.assertEqual([leg["status"] for leg in record["legs"]], [None, 487])


class ImpatientTests(VisitCase):
    """
    A place that does not wait for what it has begun, or does not notice that its caller has gone.
    """

    def test_rings_no_longer_than_it_waits(self) -> None:
        """
        When it no longer waits for an answer the phone stops ringing, and the caller is still there.
        """
        async def work(visit: Any) -> None:
            await visit.answer()
            ringing = Deferred.fromCoroutine(visit.ring([Branch("1002")], 20))
            self.network.clock.callLater(5, ringing.cancel)
            with contextlib.suppress(CancelledError):
                await ringing
            await visit.terminal.play(["vm-goodbye"])

        self.serve(work)
        anna, bert, _ = self.trio()
        self.enter(anna)
        bert.reply(bert.requests("INVITE")[0], 180)
        self.network.advance(5)
        self.assertEqual(len(bert.requests("CANCEL")), 1)
        self.assertEqual(anna.requests("BYE"), [])
        self.network.advance(5)
        self.assertEqual(len(anna.requests("BYE")), 1)

    def test_goes_while_it_rings(self) -> None:
        """
        When it is done with its caller before anybody has answered nothing rings on, wherever the caller goes.
        """
        for onward in (None, Destination("extension", "1003")):
            async def work(visit: Any, onward: Any = onward) -> Any:
                Deferred.fromCoroutine(visit.ring([Branch("1002")], 20)).addErrback(lambda failure: None)
                with self.assertRaises(ValueError):
                    await visit.ring([Branch("1003")], 20)
                return onward

            self.serve(work)
            anna, bert, cleo = (self.phone(number) for number in ("1001", "1002", "1003"))
            invite = anna.call("800")
            self.network.advance(1)
            bert.reply(bert.requests("INVITE")[0], 180)
            self.assertEqual(len(bert.requests("CANCEL")), 1)
            if onward is not None:
                cleo.reply(cleo.requests("INVITE")[0], 180)
                anna.cancel(invite)
            anna.acknowledge_refusal(invite, anna.last("INVITE"))
            for phone in (anna, bert, cleo):
                phone.hang_silent()

    def test_speaks_to_who_has_gone(self) -> None:
        """
        Who has got its caller away is not disturbed by it.
        """
        caught: list[str] = []

        async def work(visit: Any) -> None:
            rung = await visit.ring([Branch("1002")], 20)
            self.assertTrue(rung.answered)
            for what in (visit.answer, lambda: visit.ring([Branch("1003")], 20)):
                try:
                    await what()
                except CancelledError:
                    caught.append("gone")
            await visit.terminal.play(["vm-goodbye"])

        place = self.serve(work)
        anna, bert, cleo = self.trio()
        invite = anna.call("800")
        rung, answered = self.picked_up(bert)
        anna.acknowledge(invite, anna.last("INVITE"))
        self.assertEqual((caught, place.gone, cleo.requests("INVITE")), (["gone", "gone"], 1, []))
        self.assertEqual(self.heard_of_us(anna), 0)
        self.assertGreaterEqual(self.heard(anna, anna.last("INVITE").body, bert), 4)
        self.hang_up_received(bert, rung, answered)


class UnwillingTests(VisitCase):
    """
    Those whom a place would ring do not want to, or can't be asked.
    """

    def ring_both(self, **branch: Any) -> list[Any]:
        """
        A place that rings 1002 and 1003; what came of it.
        """
        outcome: list[Any] = []

        async def work(visit: Any) -> None:
            rung = await visit.ring([Branch("1002", **branch), Branch("1003", **branch)], 20)
            outcome.append(rung)
            visit.refuse(rung.status, 16, rung.text)

        self.serve(work)
        return outcome

    def test_do_not_disturb(self) -> None:
        """
        Neither who does not want to be disturbed is rung, nor an extension that was switched off.
        """
        self.ring_both()
        anna, bert, cleo = self.trio()
        self.handle("1002", dnd=True)
        extension = self.exchange.directory.extension("1003")
        assert extension is not None
        self.exchange.directory.put(evolve(extension, enabled=False))
        anna.call("800")
        self.assertEqual(anna.last("INVITE").status, 480)
        self.assertEqual(bert.requests("INVITE") + cleo.requests("INVITE"), [])

    def test_question_that_fails(self) -> None:
        """
        A phone that can't be asked is let go, and the others ring on.
        """
        async def confirm(terminal: Any) -> bool:
            raise RuntimeError("out of order")

        self.ring_both(confirm=confirm)
        anna, bert, cleo = self.trio()
        invite = anna.call("800")
        cleo.reply(cleo.requests("INVITE")[0], 180)
        self.picked_up(bert)
        self.assertEqual((len(bert.requests("BYE")), cleo.requests("CANCEL")), (1, []))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        anna.cancel(invite)
        anna.acknowledge_refusal(invite, anna.last("INVITE"))


class PickupTests(VisitCase):
    """
    Pickups that do not work out.
    """

    def test_no_codec_in_common(self) -> None:
        """
        Who has no codec for the caller is refused, and the phone rings on.
        """
        self.serve(forever)
        anna, bert, cleo = self.trio()
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 180)
        cleo.call("**1002", body=cleo.sdp(formats=(ILBC,)))
        self.assertEqual(cleo.last("INVITE").status, 488)
        self.assertEqual(bert.requests("CANCEL"), [])
        rung, answered = self.picked_up(bert)
        anna.acknowledge(invite, anna.last("INVITE"))
        self.hang_up_received(bert, rung, answered)

    def test_taken_over_without_a_codec(self) -> None:
        """
        Likewise who would take the place of a phone: the two talk on.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert)
        other = self.phone("1002")
        replaces = ("Replaces", f"{talk.rung.call_id};to-tag=callee;from-tag={talk.rung.from_tag}")
        other.call("1002", body=other.sdp(formats=(ILBC,)), headers=(replaces,))
        self.assertEqual(other.last("INVITE").status, 488)
        self.assertEqual(talk.speak(), (10, 10))
        talk.hang_up(anna)

    def test_ones_own_call(self) -> None:
        """
        Nobody picks up the call that it makes itself.
        """
        self.serve(forever)
        anna, bert, _ = self.trio()
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 180)
        anna.call("**1002")
        self.assertEqual(anna.last("INVITE").status, 404)
        anna.cancel(invite)
        anna.acknowledge_refusal(invite, anna.last("INVITE"))

    def test_malformed_replaces(self) -> None:
        """
        A Replaces that can't be read is 400, and leaves nothing.
        """
        cleo = self.phone("1003")
        cleo.call("1002", headers=(("Replaces", "nothing"),))
        self.assertEqual(cleo.last("INVITE").status, 400)
        cleo.call("1002", headers=(("Replaces", "a;to-tag=b;from-tag=c"),) * 2)
        self.assertEqual(cleo.last("INVITE").status, 400)
        self.assertEqual(self.exchange.records, [])
