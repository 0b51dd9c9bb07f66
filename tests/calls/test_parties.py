"""
Who is shown to whom when the parties of a call change: by transfer, pickup, ring groups; and who stays unknown.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from attrs import evolve

from pbx.directory.handling import Handling
from pbx.features.presence import Presence
from tests.calls.case import Conversation
from tests.calls.phone import Phone, said
from tests.calls.test_transfer import TransferCase

ANONYMOUS = (("Privacy", "id"),)


def replaces(call_id: str, to_tag: str, from_tag: str) -> str:
    """
    A Refer-To with Replaces.
    """
    return f"<sip:1003@10.0.0.1?Replaces={quote(f'{call_id};to-tag={to_tag};from-tag={from_tag}', safe='')}>"


def shown(message: Any) -> str:
    """
    Who a message says is at the other end.
    """
    return message.headers.get("P-Asserted-Identity") or ""


class AnonymousTests(TransferCase):
    """
    1001 calls 1002 and does not want to be known.
    """

    def assert_never_told(self, *phones: Phone) -> None:
        """
        Nothing that they were sent has the number or name.
        """
        for phone in phones:
            for message in phone.received:
                self.assertNotIn(b"1001", said(message))

    def test_blind_transfer(self) -> None:
        """
        Sent on by who it has called, it stays unknown, and a block list knows it as such.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert, headers=ANONYMOUS)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        rung, answered = self.picked_up(cleo)
        self.network.advance(3)
        self.assert_never_told(bert, cleo)
        self.hang_up_received(cleo, rung, answered)
        self.assertEqual(self.record["caller"], "1001")

    def test_blocked_after_a_transfer(self) -> None:
        """
        Who refuses anonymous callers need not take one that is sent on.
        """
        anna, bert, cleo = self.trio()
        extension = self.exchange.directory.extension("1003")
        assert extension is not None
        self.exchange.directory.put(evolve(extension, handling=Handling(blocked=("anonymous",), voicemail=False)))
        talk = Conversation(anna, bert, headers=ANONYMOUS)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        self.network.advance(0.05)
        self.assertEqual(cleo.requests("INVITE"), [])
        self.assertEqual(self.told(bert)[-1].split()[0], "486")
        talk.hang_up(anna)

    def attended(self, *, turned: bool) -> None:
        """
        Its call and another of 1002 are joined, by a REFER in the one or in the other.
        """
        anna, bert, cleo = self.trio()
        presence = Presence(self.exchange.directory, self.exchange.location, self.exchange.wall)
        self.exchange.switchboard.on_event(presence.event)
        talk = Conversation(anna, bert, headers=ANONYMOUS)
        self.network.advance(5)
        second = Conversation(bert, cleo)
        if turned:
            value = replaces(talk.rung.call_id, talk.rung.from_tag or "", "callee")
            answer = self.refer(second, bert, value)
        else:
            value = replaces(second.invite.call_id, second.answer.to_tag or "", second.invite.from_tag or "")
            answer = self.refer(talk, bert, value)
        self.assertEqual(answer.status, 202)
        self.network.advance(3)
        self.assert_never_told(bert, cleo)
        (line,) = presence.lines("1003")
        self.assertTrue(line.peer.anonymous)
        self.hang_up_received(cleo, second.rung, second.answered, cseq=9)
        self.network.advance(1)
        record = self.record
        # It is the record of the first call, whichever of the two the REFER came in.
        self.assertEqual([leg["party"] for leg in record["legs"]], ["1001", "1002", "1002", "1003"])
        self.assertEqual((record["caller"], record["callee"]), ("1001", "1002"))
        self.assertEqual(min(leg["started"] for leg in record["legs"]), record["started"])
        self.assertTrue(all(leg["ended"] for leg in record["legs"]))

    def test_attended_transfer(self) -> None:
        """
        It stays unknown to the second party, and to who watches that.
        """
        self.attended(turned=False)

    def test_attended_transfer_the_other_way_round(self) -> None:
        """
        Also when the REFER comes in the second call.
        """
        self.attended(turned=True)

    def test_picked_up(self) -> None:
        """
        Who picks its call up learns as little.
        """
        self.codes({"**": "pickup"})
        anna, bert, cleo = self.trio()
        presence = Presence(self.exchange.directory, self.exchange.location, self.exchange.wall)
        self.exchange.switchboard.on_event(presence.event)
        invite = anna.call("1002", headers=ANONYMOUS)
        bert.reply(bert.requests("INVITE")[0], 180)
        picking = cleo.call("**1002")
        cleo.acknowledge(picking, cleo.last("INVITE"))
        anna.acknowledge(invite, anna.last("INVITE"))
        self.assert_never_told(bert, cleo)
        (line,) = presence.lines("1003")
        self.assertTrue(line.peer.anonymous)
        anna.send(anna.within("BYE", invite, anna.last("INVITE"), cseq=9))
        self.network.advance(0.1)

    def test_an_anonymous_one_picks_up(self) -> None:
        """
        Who picks up and does not want to be known is not.
        """
        self.codes({"**": "pickup"})
        anna, bert, cleo = self.trio()
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 180)
        picking = cleo.call("**1002", headers=ANONYMOUS)
        cleo.acknowledge(picking, cleo.last("INVITE"))
        answer = anna.last("INVITE")
        anna.acknowledge(invite, answer)
        self.assertNotIn(b"1003", b"".join(said(m) for m in anna.received))
        anna.send(anna.within("BYE", invite, answer, cseq=9))
        self.network.advance(0.1)


class ConnectedTests(TransferCase):
    """
    A caller is shown who it really talks to.
    """

    def test_picked_up(self) -> None:
        """
        The answer names who picked the call up.
        """
        self.codes({"**": "pickup"})
        anna, bert, cleo = self.trio()
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 180)
        picking = cleo.call("**1002")
        cleo.acknowledge(picking, cleo.last("INVITE"))
        answer = anna.last("INVITE")
        anna.acknowledge(invite, answer)
        self.assertIn("sip:1003@", shown(answer))
        anna.send(anna.within("BYE", invite, answer, cseq=9))
        self.network.advance(0.1)

    def test_another_number_that_rings_along(self) -> None:
        """
        The answer names the extension whose phone was picked up.
        """
        anna, _, cleo = self.trio()
        extension = self.exchange.directory.extension("1002")
        assert extension is not None
        self.exchange.directory.put(evolve(extension, handling=Handling(simultaneous=("1003",))))
        invite = anna.call("1002")
        rung, answered = self.picked_up(cleo)
        answer = anna.last("INVITE")
        self.assertIn("sip:1003@", shown(answer))
        anna.acknowledge(invite, answer)
        self.hang_up_received(cleo, rung, answered)

    def test_no_more_than_needed(self) -> None:
        """
        Who was rung for a transferred party knows already who that is, and is told nothing again.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        rung, answered = self.picked_up(cleo)
        self.network.advance(3)
        self.assertEqual(len(cleo.requests("INVITE")) + len(cleo.requests("UPDATE")), 1)
        self.hang_up_received(cleo, rung, answered)

    def test_referred_by(self) -> None:
        """
        The phone that is rung is told who has sent the party on, where that was said (RFC 3892).
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        self.refer(talk, bert, "<sip:1003@10.0.0.1>")
        rung, answered = self.picked_up(cleo)
        self.assertIn("sip:1002@10.0.0.1", rung.headers.get("Referred-By") or "")
        self.network.advance(3)
        self.hang_up_received(cleo, rung, answered)

    def reaches(self, target: str) -> None:
        """
        A Refer-To means 1003.
        """
        anna, bert, cleo = self.trio()
        talk = Conversation(anna, bert)
        self.assertEqual(self.refer(talk, bert, target).status, 202)
        rung, answered = self.picked_up(cleo)
        self.network.advance(3)
        self.hang_up_received(cleo, rung, answered)

    def test_another_host(self) -> None:
        """
        The host of a Refer-To is ignored.
        """
        self.reaches("<sip:1003@elsewhere.example>")

    def test_telephone_number(self) -> None:
        """
        A tel URI is a number.
        """
        self.reaches("<tel:1003>")

    def test_bare_address(self) -> None:
        """
        Without angle brackets the parameters are the header's.
        """
        self.reaches("sip:1003@10.0.0.1:5060;user=phone")
