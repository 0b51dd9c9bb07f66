"""
Tests of calls that go on elsewhere: forwards of an extension, several numbers rung for one.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from pbx.directory.handling import FollowMe, Handling
from tests.calls.case import ExchangeCase


class ForwardTests(ExchangeCase):
    """
    1001 calls 1002, whose calls are handled.
    """

    def handle(self, number: str, **handling: Any) -> None:
        """
        Set what an extension wants.
        """
        extension = self.exchange.directory.extension(number)
        assert extension is not None
        self.exchange.directory.put(evolve(extension, handling=Handling(**handling)))

    def talk(self, caller: Any, callee: Any, invite: Any) -> None:
        """
        Pick up, talk, hang up.
        """
        rung = callee.requests("INVITE")[-1]
        callee.reply(rung, 200, body=callee.sdp())
        answer = caller.last("INVITE")
        self.assertEqual(answer.status, 200)
        caller.acknowledge(invite, answer)
        caller.speak(answer.body, 3, ssrc=11)
        self.assertGreaterEqual(len(callee.media), 3)
        caller.send(caller.within("BYE", invite, answer, cseq=invite.cseq.number + 1))
        self.network.advance(0.1)

    def trio(self) -> Any:
        """
        Three phones that hear.
        """
        phones = [self.phone(number) for number in ("1001", "1002", "1003")]
        for phone in phones:
            phone.listen_for_media()
        return phones

    def test_always(self) -> None:
        """
        All calls of 1002 ring at 1003 alone; the caller's phone shows who it is, the record says why.
        """
        anna, bert, cleo = self.trio()
        self.handle("1002", forward_always="1003")
        invite = anna.call("1002")
        self.assertEqual(bert.requests("INVITE"), [])
        cleo.reply(cleo.requests("INVITE")[0], 180)
        self.assertIn("sip:1003@", anna.last("INVITE").headers.get("P-Asserted-Identity") or "")
        self.talk(anna, cleo, invite)
        record = self.record
        self.assertEqual((record["callee"], record["disposition"]), ("1002", "answered"))
        self.assertIn("1002 forwards all calls to 1003", record["route"])

    def test_busy(self) -> None:
        """
        What is busy at 1002 goes on to 1003.
        """
        anna, bert, cleo = self.trio()
        self.handle("1002", forward_busy="1003")
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 486)
        self.talk(anna, cleo, invite)
        self.assertEqual([leg["party"] for leg in self.record["legs"]], ["1001", "1002", "1003"])
        self.assertEqual([leg["status"] for leg in self.record["legs"]], [None, 486, None])

    def test_no_answer(self) -> None:
        """
        What nobody picks up at 1002 goes on to 1003, after as long as 1002 wants to ring.
        """
        anna, bert, cleo = self.trio()
        self.handle("1002", forward_no_answer="1003", no_answer_timeout=12)
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 180)
        self.network.advance(11)
        self.assertEqual(cleo.requests("INVITE"), [])
        self.network.advance(1.1)
        self.assertEqual(len(bert.requests("CANCEL")), 1)
        self.talk(anna, cleo, invite)

    def test_unregistered(self) -> None:
        """
        While 1002 has no phone its calls go to 1003.
        """
        anna = self.phone("1001")
        cleo = self.phone("1003")
        cleo.listen_for_media()
        anna.listen_for_media()
        self.handle("1002", forward_unregistered="1003")
        invite = anna.call("1002")
        self.talk(anna, cleo, invite)

    def test_by_a_phone_that_rings_along(self) -> None:
        """
        A phone of an extension that rings for another forwards on behalf of its own.
        """
        anna, bert, cleo = self.trio()
        dora = self.phone("1004")
        dora.listen_for_media()
        self.handle("1002", simultaneous=("1003",), voicemail=False)
        invite = anna.call("1002")
        cleo.reply(cleo.requests("INVITE")[0], 302, headers=(("Contact", "<sip:1004@elsewhere.example>"),))
        bert.reply(bert.requests("INVITE")[0], 486)
        (call,) = self.exchange.switchboard.calls.values()
        assert call.journey is not None
        self.assertEqual([step.number for step in call.journey.diversions], ["1003"])
        self.talk(anna, dora, invite)
        self.assertIn("a phone of 1003 sends its callers on to 1004", self.record["route"])

    def test_forward_after_early_media(self) -> None:
        """
        The caller that has heard something of 1002 hears 1003 under the same description.
        """
        anna, bert, cleo = self.trio()
        self.handle("1002", forward_busy="1003")
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 183, body=bert.sdp())
        early = anna.last("INVITE")
        self.assertEqual(early.status, 183)
        bert.reply(bert.requests("INVITE")[0], 486)
        anna.media.clear()
        cleo.reply(cleo.requests("INVITE")[0], 180)
        self.network.advance(1)
        # Ringback, which a phone that has a description does not make itself.
        self.assertGreater(len(anna.media), 40)
        self.assertGreater(len({packet[12:] for packet in anna.media}), 4)
        self.talk(anna, cleo, invite)
        self.assertEqual(anna.last("INVITE").body, early.body)

    def test_at_the_phone(self) -> None:
        """
        A phone that sends its callers on by 302 is heeded, on behalf of its extension.
        """
        anna, bert, cleo = self.trio()
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 302, headers=(("Contact", "<sip:1003@10.0.0.1>"),))
        self.talk(anna, cleo, invite)
        self.assertIn("a phone of 1002 sends its callers on to 1003", self.record["route"])

    def test_at_the_phone_in_a_circle(self) -> None:
        """
        Phones that send callers on to each other, or to themselves, end with the caller told that nobody is there.
        """
        anna, bert, cleo = self.trio()
        anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 302, headers=(("Contact", "<sip:1003@10.0.0.1>"),))
        cleo.reply(cleo.requests("INVITE")[0], 302, headers=(("Contact", "<sip:1002@10.0.0.1>"),))
        self.assertEqual(anna.last("INVITE").status, 480)
        self.assertEqual(len(bert.requests("INVITE")), 1)

    def test_at_the_phone_to_nowhere(self) -> None:
        """
        Where it sends them nowhere, the caller hears that nobody is there.
        """
        anna, bert, _ = self.trio()
        for contact in ("<sip:4711@10.0.0.1>", "<sip:*78@10.0.0.1>", "<sip:10.0.0.1>"):
            anna.call("1002")
            bert.reply(bert.requests("INVITE")[-1], 302, headers=(("Contact", contact),))
            self.assertEqual(anna.last("INVITE").status, 480)

    def test_circle(self) -> None:
        """
        Forwards in a circle end, and the caller hears how.
        """
        anna, bert, cleo = self.trio()
        self.handle("1002", forward_busy="1003", voicemail=False)
        self.handle("1003", forward_busy="1002", voicemail=False)
        anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 486)
        cleo.reply(cleo.requests("INVITE")[0], 486)
        self.assertEqual(anna.last("INVITE").status, 486)
        self.assertEqual(self.record["disposition"], "busy")

    def test_cancelled_after_a_forward(self) -> None:
        """
        The caller gives up while the second phone rings.
        """
        anna, bert, cleo = self.trio()
        self.handle("1002", forward_busy="1003")
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 486)
        cleo.reply(cleo.requests("INVITE")[0], 180)
        anna.cancel(invite)
        self.network.advance(0.1)
        self.assertEqual(len(cleo.requests("CANCEL")), 1)
        anna.acknowledge_refusal(invite, anna.last("INVITE"))
        self.assert_ended("cancelled", "Cancelled by the caller", "caller")

    def test_simultaneous(self) -> None:
        """
        1003 rings together with 1002; the first to answer has the call.
        """
        anna, bert, cleo = self.trio()
        self.handle("1002", simultaneous=("1003",))
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 180)
        self.talk(anna, cleo, invite)
        self.assertEqual(len(bert.requests("CANCEL")), 1)

    def test_decline_speaks_for_one_extension(self) -> None:
        """
        603 of one extension leaves the other ringing.
        """
        anna, bert, cleo = self.trio()
        self.handle("1002", simultaneous=("1003",))
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 603)
        self.assertEqual(cleo.requests("CANCEL"), [])
        self.talk(anna, cleo, invite)

    def test_follow_me(self) -> None:
        """
        1003 rings ten seconds after 1002, for five.
        """
        anna, bert, cleo = self.trio()
        self.handle("1002", follow_me=(FollowMe("1003", 10, 5, confirm=False),), voicemail=False)
        anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 180)
        self.network.advance(9.5)
        self.assertEqual(cleo.requests("INVITE"), [])
        self.network.advance(1)
        cleo.reply(cleo.requests("INVITE")[0], 180)
        self.network.advance(4)
        self.assertEqual(cleo.requests("CANCEL"), [])
        self.network.advance(1)
        self.assertEqual(len(cleo.requests("CANCEL")), 1)
        self.assertEqual(bert.requests("CANCEL"), [])
        self.network.advance(16)
        self.assertEqual(anna.last("INVITE").status, 480)
        self.assertEqual(self.record["disposition"], "no answer")

    def test_follow_me_alone(self) -> None:
        """
        A branch that still has to begin keeps the call waiting when the others have failed.
        """
        anna, bert, cleo = self.trio()
        self.handle("1002", follow_me=(FollowMe("1003", 10, None, confirm=False),), voicemail=False)
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 486)
        self.network.advance(10)
        self.talk(anna, cleo, invite)
