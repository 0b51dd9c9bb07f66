"""
Tests of picking up what rings elsewhere: by number, within a group, and by an INVITE with Replaces.
"""

from __future__ import annotations

from attrs import evolve

from pbx.directory.handling import Handling
from pbx.sip.message import Request
from tests.calls.case import Conversation, ExchangeCase
from tests.calls.phone import Phone


class PickupTests(ExchangeCase):
    """
    1001 calls 1002, and 1003 takes the call.
    """

    def ringing(self) -> tuple[Phone, Phone, Phone, Request]:
        """
        The caller, who is called, who will pick up, and the INVITE.
        """
        anna, bert = self.pair()
        cleo = self.phone("1003")
        cleo.listen_for_media()
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 180)
        return anna, bert, cleo, invite

    def assert_picked_up(self, anna: Phone, bert: Phone, cleo: Phone, invite: Request, picking: Request) -> None:
        """
        Both talk, the phone that rang is told why it stops, and one record has all three legs.
        """
        self.assertEqual(anna.last("INVITE").status, 200)
        self.assertEqual(cleo.last("INVITE").status, 200)
        anna.acknowledge(invite, anna.last("INVITE"))
        cleo.acknowledge(picking, cleo.last("INVITE"))
        cancel = bert.requests("CANCEL")[0]
        self.assertIn("Call completed elsewhere", cancel.headers.get("Reason") or "")
        anna.speak(anna.last("INVITE").body, 5, ssrc=11)
        cleo.speak(cleo.last("INVITE").body, 5, ssrc=12)
        self.assertGreaterEqual(len(cleo.media), 5)
        self.assertGreaterEqual(len(anna.media), 4)
        anna.send(anna.within("BYE", invite, anna.last("INVITE"), cseq=invite.cseq.number + 1))
        self.network.advance(0.1)
        self.assertEqual(len(cleo.requests("BYE")), 1)
        record = self.record
        self.assertEqual((record["caller"], record["callee"], record["disposition"]), ("1001", "1002", "answered"))
        self.assertEqual([leg["party"] for leg in record["legs"]], ["1001", "1002", "1003"])
        self.assertIn("1003 picked the call up", record["route"])
        self.assertEqual([bool(leg["answered"]) for leg in record["legs"]], [True, False, True])

    def test_directed(self) -> None:
        """
        ``**1002`` gets the call that rings at 1002; the one who picked up sees who calls.
        """
        self.codes({"**": "pickup"})
        anna, bert, cleo, invite = self.ringing()
        picking = cleo.call("**1002")
        self.assertIn("sip:1001@", cleo.last("INVITE").headers.get("P-Asserted-Identity") or "")
        self.assert_picked_up(anna, bert, cleo, invite, picking)

    def test_group(self) -> None:
        """
        ``*8`` gets what rings within one's own group.
        """
        self.codes({"*8": "pickup_group"})
        for number in ("1002", "1003"):
            extension = self.exchange.directory.extension(number)
            assert extension is not None
            self.exchange.directory.put(evolve(extension, handling=Handling(pickup_group="desk", voicemail=False)))
        anna, bert, cleo, invite = self.ringing()
        picking = cleo.call("*8")
        self.assert_picked_up(anna, bert, cleo, invite, picking)

    def test_nothing_rings(self) -> None:
        """
        Where nothing rings, whoever wants to pick up hears 404, and no record but its own is made.
        """
        self.codes({"**": "pickup"})
        cleo = self.phone("1003")
        cleo.call("**1002")
        self.assertEqual(cleo.responses("INVITE")[-1], 404)
        self.assertEqual(self.record["reason"], "Nothing to pick up")

    def test_another_group(self) -> None:
        """
        Who is in no group, or in another, gets nothing by ``*8``.
        """
        self.codes({"*8": "pickup_group"})
        anna, _, cleo, invite = self.ringing()
        cleo.call("*8")
        self.assertEqual(cleo.responses("INVITE")[-1], 404)
        anna.cancel(invite)
        anna.acknowledge_refusal(invite, anna.last("INVITE"))

    def test_replaces_early(self) -> None:
        """
        An INVITE with Replaces of the dialog that rings gets the call (RFC 3891, as a BLF key does it).
        """
        anna, bert, cleo, invite = self.ringing()
        rung = bert.requests("INVITE")[0]
        picking = cleo.call("1002", headers=(
            ("Replaces", f"{rung.call_id};to-tag=callee;from-tag={rung.from_tag};early-only"),
        ))
        self.assert_picked_up(anna, bert, cleo, invite, picking)

    def test_replaces_nothing(self) -> None:
        """
        481 where there is no such dialog.
        """
        cleo = self.phone("1003")
        cleo.call("1002", headers=(("Replaces", "nothing;to-tag=a;from-tag=b"),))
        self.assertEqual(cleo.responses("INVITE")[-1], 481)

    def test_replaces_early_only(self) -> None:
        """
        486 where the dialog is no longer early, and it was asked for nothing else.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert)
        other = self.phone("1002")
        other.call("1002", headers=(
            ("Replaces", f"{talk.rung.call_id};to-tag=callee;from-tag={talk.rung.from_tag};early-only"),
        ))
        self.assertEqual(other.responses("INVITE")[-1], 486)
        talk.hang_up(anna)

    def test_replaces_somebody_elses(self) -> None:
        """
        403 for whoever is another extension than the phone it would replace.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert)
        cleo = self.phone("1003")
        cleo.call("1002", headers=(("Replaces", f"{talk.rung.call_id};to-tag=callee;from-tag={talk.rung.from_tag}"),))
        self.assertEqual(cleo.responses("INVITE")[-1], 403)
        talk.hang_up(anna)

    def test_replaces_confirmed(self) -> None:
        """
        Another phone of the extension takes a call over that is up; the first is hung up on.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert)
        other = self.phone("1002")
        other.listen_for_media()
        picking = other.call("1002", headers=(
            ("Replaces", f"{talk.rung.call_id};to-tag=callee;from-tag={talk.rung.from_tag}"),
        ))
        other.acknowledge(picking, other.last("INVITE"))
        self.assertEqual(other.last("INVITE").status, 200)
        self.assertEqual(len(bert.requests("BYE")), 1)
        self.assertEqual(len(anna.requests("BYE")), 0)
        anna.speak(talk.answer.body, 5, ssrc=11)
        self.assertGreaterEqual(len(other.media), 4)
        talk.hang_up(anna)
        self.assertEqual(len(other.requests("BYE")), 1)
        self.assertEqual([leg["party"] for leg in self.record["legs"]], ["1001", "1002", "1002"])
