"""
Tests for :mod:`pbx.features.blf` and :mod:`pbx.features.presence`: what a lamp is told of calls, step by step.
"""

from __future__ import annotations

from zope.interface.verify import verifyObject

from pbx.dialog.notifier import IEventPackage
from pbx.sip.replaces import Replaces
from tests.calls.case import Conversation
from tests.features.lamps import NAMES, Lamp, LampCase


class LampTests(LampCase):
    """
    The lamp of 1002 on the phone of 1003.
    """

    def test_interface(self) -> None:
        """
        Each package is one.
        """
        for package in (self.blf, self.pidf, self.mwi):
            self.assertTrue(verifyObject(IEventPackage, package))

    def test_call(self) -> None:
        """
        Idle, ringing, talking, ended, idle; full states, versions without gaps, tags as the phone has them.
        """
        anna, bert = self.pair()
        lamp = Lamp(self.phone("1003"), "1002")
        self.assertEqual((lamp.answer.status, lamp.answer.headers.get("Expires")), (200, "600"))
        self.assertEqual((lamp.dialogs, lamp.state.state, lamp.state.expires), ([], "active", 600))
        self.assertEqual(lamp.last.headers.get("Content-Type"), "application/dialog-info+xml")
        self.wait(2)
        invite = anna.call("1002")
        rung = bert.requests("INVITE")[-1]
        bert.reply(rung, 180)
        self.wait(1)
        self.assertEqual(lamp.dialogs, [("recipient", "early")])
        (dialog,) = lamp.elements
        told = (dialog.get("call-id"), dialog.get("local-tag"), dialog.get("remote-tag"))
        self.assertEqual(told, (rung.call_id, "callee", rung.from_tag))
        self.assertEqual(dialog.findtext("d:remote/d:identity", None, NAMES), "sip:1001@10.0.0.1")
        self.assertEqual(dialog.find("d:remote/d:identity", NAMES).get("display"), "Phone 1001")
        self.assertEqual(dialog.find("d:local/d:target", NAMES).get("uri"), "sip:1002@10.0.0.1")
        bert.reply(rung, 200, body=bert.sdp())
        answer = anna.last("INVITE")
        anna.acknowledge(invite, answer)
        self.wait(1)
        self.assertEqual(lamp.dialogs, [("recipient", "confirmed")])
        anna.send(anna.within("BYE", invite, answer, cseq=3))
        self.wait(1)
        self.assertEqual(lamp.dialogs, [(None, "terminated")])
        self.assertEqual(lamp.elements[0].get("id"), dialog.get("id"))
        self.assertEqual(lamp.versions, list(range(4)))
        self.assertEqual([r.cseq.number for r in lamp.notified], [1, 2, 3, 4])

    def test_unregistered_otherwise(self) -> None:
        """
        When it is decided otherwise how an extension without a phone shows, its lamps are told at once, and no others.
        """
        self.phone("1002")
        gone, there = Lamp(self.phone("1003"), "1004"), Lamp(self.phone("1003"), "1002")
        self.wait(2)
        self.blf.reconfigure("busy")
        self.wait(2)
        self.assertEqual((gone.dialogs, len(there.notified)), ([(None, "confirmed")], 1))
        self.blf.reconfigure("busy")
        self.wait(2)
        self.assertEqual(len(gone.notified), 2)
        self.blf.reconfigure("idle")
        self.wait(2)
        self.assertEqual(gone.dialogs, [(None, "terminated")])

    def test_caller(self) -> None:
        """
        Who calls is busy from the first moment, and talks to who has picked up.
        """
        anna, bert = self.pair()
        lamp = Lamp(self.phone("1003"), "1001")
        self.wait(2)
        talk = Conversation(anna, bert)
        self.wait(2)
        self.assertEqual(lamp.dialogs, [("initiator", "confirmed")])
        (dialog,) = lamp.elements
        told = (dialog.get("call-id"), dialog.get("local-tag"), dialog.get("remote-tag"))
        self.assertEqual(told, (talk.invite.call_id, talk.invite.from_tag, talk.answer.to_tag))
        self.assertEqual(dialog.findtext("d:remote/d:identity", None, NAMES), "sip:1002@10.0.0.1")
        talk.hang_up(anna)

    def test_pace(self) -> None:
        """
        At most one NOTIFY a second, with the newest state; nothing at all for what came and went between two.
        """
        anna, bert = self.pair()
        lamp = Lamp(self.phone("1003"), "1002")
        self.wait(0.2)
        for _ in range(4):
            Conversation(anna, bert).hang_up(anna)
        began = self.network.clock.seconds()
        self.wait(3)
        self.assertEqual(lamp.dialogs, [])
        for one, other in zip(lamp.times, lamp.times[1:], strict=False):
            self.assertGreater(other - one, 0.99)
        self.assertLessEqual(len(lamp.notified), 3)
        self.assertLess(lamp.times[-1], began + 1.5)
        self.assertEqual(lamp.versions, list(range(len(lamp.notified))))

    def test_anonymous(self) -> None:
        """
        Who does not want to be known is not shown to others either.
        """
        anna, bert = self.pair()
        lamp = Lamp(self.phone("1003"), "1002")
        self.wait(2)
        talk = Conversation(anna, bert, headers=(("Privacy", "id"),))
        self.wait(2)
        self.assertNotIn(b"1001", lamp.last.body)
        self.assertIn(b"sip:anonymous@anonymous.invalid", lamp.last.body)
        talk.hang_up(bert)

    def test_two_phones(self) -> None:
        """
        Each phone that rings has a dialog; when one is picked up, the other's ends.
        """
        anna, bert = self.pair()
        other = self.phone("1002")
        lamp = Lamp(self.phone("1003"), "1002")
        self.wait(2)
        invite = anna.call("1002")
        for phone in (bert, other):
            phone.reply(phone.requests("INVITE")[-1], 180, tag=phone.address)
        self.wait(1)
        self.assertEqual(lamp.dialogs, [("recipient", "early")] * 2)
        bert.reply(bert.requests("INVITE")[-1], 200, tag=bert.address, body=bert.sdp())
        anna.acknowledge(invite, anna.last("INVITE"))
        self.wait(1)
        self.assertEqual(sorted(state or "" for _, state in lamp.dialogs), ["confirmed", "terminated"])
        anna.send(anna.within("BYE", invite, anna.last("INVITE"), cseq=3))
        self.wait(1)

    def test_pickup(self) -> None:
        """
        What a lamp is told while the phone rings is enough to pick up: INVITE with Replaces.
        """
        anna, bert = self.pair()
        carl = self.phone("1003")
        lamp = Lamp(carl, "1002")
        self.wait(2)
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[-1], 180)
        self.wait(1)
        (dialog,) = lamp.elements
        replaces = Replaces(
            dialog.get("call-id"), dialog.get("local-tag"), dialog.get("remote-tag"), early_only=True
        )
        uri = dialog.find("d:local/d:target", NAMES).get("uri")
        carl.listen_for_media()
        took = carl.authenticated(carl.request("INVITE", uri, body=carl.sdp(), headers=(("Replaces", str(replaces)),)))
        answer = carl.last("INVITE")
        self.assertEqual(answer.status, 200)
        carl.acknowledge(took, answer)
        anna.acknowledge(invite, anna.last("INVITE"))
        self.wait(2)
        self.assertEqual(lamp.dialogs, [(None, "terminated")])
        presence = self.presence.of("1003")
        assert presence is not None
        peers = [line.peer.number for line in self.presence.lines("1003")]
        self.assertEqual((presence.state, peers), ("busy", ["1001"]))
        carl.send(carl.within("BYE", took, answer, cseq=4))
        self.wait(1)

    def test_do_not_disturb(self) -> None:
        """
        Whoever does not want to be disturbed shows as busy, until that is over.
        """
        self.phone("1002")
        lamp = Lamp(self.phone("1003"), "1002")
        self.wait(2)
        self.handle("1002", dnd=True)
        self.wait(0.1)
        self.assertEqual(lamp.dialogs, [(None, "confirmed")])
        self.handle("1002")
        self.wait(1)
        self.assertEqual(lamp.dialogs, [(None, "terminated")])
        self.handle("1002", forward_busy="1004")
        self.wait(2)
        self.assertEqual(lamp.versions, [0, 1, 2])

    def test_removed(self) -> None:
        """
        When the extension is removed, so is the subscription.
        """
        lamp = Lamp(self.phone("1003"), "1002")
        self.exchange.directory.remove("1002")
        self.wait(0.1)
        self.assertEqual((lamp.state.state, lamp.state.reason), ("terminated", "noresource"))
        self.assertEqual(len(self.notifier), 0)
        self.assertEqual(Lamp(lamp.phone, "1002").answer.status, 404)

    def test_unregistered(self) -> None:
        """
        An extension that nobody has registered shows as idle.
        """
        lamp = Lamp(self.phone("1003"), "1002")
        self.assertEqual(lamp.dialogs, [])
        presence = self.presence.of("1002")
        assert presence is not None
        self.assertEqual((presence.state, presence.registered), ("unregistered", False))


class UnregisteredTests(LampCase):
    """
    Where what nobody has registered shows as busy.
    """

    unregistered = "busy"

    def test_shows_as_busy(self) -> None:
        """
        Until a phone registers; a refresh tells nothing new.
        """
        lamp = Lamp(self.phone("1003"), "1002")
        self.assertEqual(lamp.dialogs, [(None, "confirmed")])
        self.wait(2)
        phone = self.phone("1002")
        self.wait(0.1)
        self.assertEqual(lamp.dialogs, [(None, "terminated")])
        phone.register(expires=7200)
        self.wait(2)
        self.assertEqual(lamp.versions, [0, 1])
        phone.register(expires=0)
        self.wait(0.1)
        self.assertEqual(lamp.dialogs, [(None, "confirmed")])


class PidfTests(LampCase):
    """
    The same for contact lists.
    """

    def test_states(self) -> None:
        """
        Closed, open, on the phone, do not disturb.
        """
        lamp = Lamp(self.phone("1003"), "1002", "presence")
        self.assertIn(b"<basic>closed</basic>", lamp.last.body)
        self.assertEqual(lamp.last.headers.get("Content-Type"), "application/pidf+xml")
        anna, bert = self.pair()
        self.wait(1)
        self.assertIn(b"<basic>open</basic>", lamp.last.body)
        self.wait(1)
        talk = Conversation(anna, bert)
        self.wait(1)
        self.assertIn(b"<rpid:on-the-phone/>", lamp.last.body)
        talk.hang_up(anna)
        self.handle("1002", dnd=True)
        self.wait(1)
        self.assertIn(b"<note>Do not disturb</note>", lamp.last.body)
        self.assertEqual([p.state for p in self.presence.all()[:3]], ["available", "dnd", "available"])
