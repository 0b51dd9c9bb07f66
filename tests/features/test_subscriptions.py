"""
Tests for :mod:`pbx.dialog.notifier` and :mod:`pbx.dialog.subscriber`, with lamps as what is subscribed to.
"""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from pbx.calls.switchboard import ISubscriptions
from pbx.dialog.notifier import ISubscriptionStore, NotifierSettings
from pbx.features.presence import ExtensionPresence
from tests.calls.case import Conversation
from tests.calls.stream_phone import StreamPhone
from tests.features.lamps import KeptSubscriptions, Lamp, LampCase


class SubscribeTests(LampCase):
    """
    SUBSCRIBE and what answers it.
    """

    def test_interfaces(self) -> None:
        """
        The notifier serves the switchboard, the tests' store the notifier.
        """
        self.assertTrue(verifyObject(ISubscriptions, self.notifier, tentative=True))
        self.assertTrue(verifyObject(ISubscriptionStore, KeptSubscriptions()))

    def test_nothing_without_credentials(self) -> None:
        """
        Who has not proved itself is told nothing.
        """
        phone = self.phone("1003")
        phone.send(phone.request("SUBSCRIBE", "sip:1002@10.0.0.1", headers=(("Event", "dialog"),)))
        self.wait(0.1)
        self.assertEqual((phone.responses(), phone.requests("NOTIFY")), ([401], []))

    def test_refused(self) -> None:
        """
        489 with the packages there are, 406 for another form, 404 for nobody, 423 for too short a time.
        """
        phone = self.phone("1003")
        answer = Lamp(phone, "1002", "foo").answer
        self.assertEqual(
            (answer.status, answer.headers.get("Allow-Events")), (489, "dialog, message-summary, presence")
        )
        self.assertEqual(Lamp(phone, "1002", headers=(("Accept", "application/pidf+xml"),)).answer.status, 406)
        self.assertEqual(Lamp(phone, "2000").answer.status, 404)
        answer = Lamp(phone, "1002", expires=59).answer
        self.assertEqual((answer.status, answer.headers.get("Min-Expires")), (423, "60"))
        self.assertEqual((phone.requests("NOTIFY"), len(self.notifier)), ([], 0))
        for accept in ("application/dialog-info+xml", "*/*", "application/*, x/y", "x/y, application/Dialog-Info+xml"):
            self.assertEqual(Lamp(phone, "1002", headers=(("Accept", accept),)).answer.status, 200)

    def test_duration(self) -> None:
        """
        An hour unless it asks for less; the event's id comes back.
        """
        phone = self.phone("1003")
        lamp = Lamp(phone, "1002", "dialog;id=7", expires=None)
        self.assertEqual((lamp.answer.headers.get("Expires"), lamp.last.headers.get("Event")), ("3600", "dialog;id=7"))
        self.assertEqual(Lamp(phone, "1001", expires=86400).answer.headers.get("Expires"), "3600")

    def test_fetch(self) -> None:
        """
        0 seconds: the state once.
        """
        lamp = Lamp(self.phone("1003"), "1002", expires=0)
        self.assertEqual((lamp.answer.status, lamp.answer.headers.get("Expires")), (200, "0"))
        self.assertEqual((lamp.state.state, lamp.dialogs, len(lamp.notified)), ("terminated", [], 1))
        self.assertEqual(len(self.notifier), 0)

    def test_refresh(self) -> None:
        """
        A refresh is 200, and tells the whole state at once, whatever the pace.
        """
        lamp = Lamp(self.phone("1003"), "1002")
        for expires in (300, 120):
            answer = lamp.refresh(expires)
            self.assertEqual((answer.status, answer.headers.get("Expires")), (200, str(expires)))
            self.assertEqual(lamp.state.expires, expires)
        self.assertEqual(lamp.versions, [0, 1, 2])
        self.assertEqual(lamp.refresh(30).status, 423)

    def test_target(self) -> None:
        """
        A refresh may bring another Contact, to which NOTIFYs go from then on.
        """
        phone = self.phone("1003")
        lamp = Lamp(phone, "1002")
        lamp.cseq += 1
        request = phone.within("SUBSCRIBE", lamp.request, lamp.answer, cseq=lamp.cseq, headers=(("Event", "dialog"),))
        request.headers.set("Contact", f"<{phone.contact};x=y>")
        phone.send(request)
        self.wait(0.1)
        self.assertEqual([r.uri for r in lamp.notified], [phone.contact, f"{phone.contact};x=y"])

    def test_end(self) -> None:
        """
        Ended by the phone, or by time; then it is 481.
        """
        phone = self.phone("1003")
        lamp = Lamp(phone, "1002")
        self.assertEqual(lamp.refresh(0).headers.get("Expires"), "0")
        self.assertEqual((lamp.state.state, lamp.state.reason, len(self.notifier)), ("terminated", "timeout", 0))
        self.assertEqual(lamp.refresh(600).status, 481)
        lamp = Lamp(phone, "1002", expires=60)
        self.wait(59.9)
        self.assertEqual(lamp.state.state, "active")
        self.wait(0.3)
        self.assertEqual((lamp.state.state, lamp.state.reason), ("terminated", "timeout"))

    def test_from_elsewhere(self) -> None:
        """
        A refresh from another address needs credentials; NOTIFYs go where it came from.
        """
        lamp = Lamp(self.phone("1003"), "1002")
        other = self.phone("1003")
        lamp.cseq += 1
        request = other.within("SUBSCRIBE", lamp.request, lamp.answer, cseq=lamp.cseq,
                               headers=(("Event", "dialog"), ("Expires", "600")))
        other.authenticated(request)
        self.assertEqual(other.last("SUBSCRIBE").status, 200)
        self.assertEqual(len(other.requests("NOTIFY")), 1)

    def test_started_anew(self) -> None:
        """
        A phone that has forgotten its subscription makes another in its place.
        """
        phone = self.phone("1003")
        for _ in range(3):
            Lamp(phone, "1002")
        self.assertEqual(len(self.notifier), 1)
        self.assertEqual(len(self.kept.rows), 1)


class TroubleTests(LampCase):
    """
    Phones that are gone, and networks that are bad.
    """

    def change(self, on: bool) -> None:
        """
        Let there be something to tell.
        """
        self.handle("1002", dnd=on)
        self.wait(1.1)

    def test_refused_notify(self) -> None:
        """
        481, 408, 489 and silence end a subscription; 500 does not, and the newest state comes later.
        """
        phone = self.phone("1003")
        for status in (481, 408, 489):
            lamp = Lamp(phone, "1002")
            lamp.answers = status
            self.change(True)
            self.assertEqual(len(self.notifier), 0)
            self.change(False)
        lamp = Lamp(phone, "1002")
        self.wait(1)
        lamp.answers = 0
        self.change(True)
        self.wait(32)
        self.assertEqual(len(self.notifier), 0)
        self.change(False)
        lamp = Lamp(phone, "1002")
        lamp.answers = 500
        self.change(True)
        lamp.answers = 200
        self.wait(6)
        self.assertEqual((lamp.versions, lamp.dialogs, len(self.notifier)), ([0, 1, 2], [(None, "confirmed")], 1))

    def test_slow_phone(self) -> None:
        """
        While a phone does not answer, nothing piles up: then it is told the newest state.
        """
        lamp = Lamp(self.phone("1003"), "1002")
        self.wait(1)
        lamp.answers = 0
        for on in (True, False) * 5:
            self.change(on)
        self.assertEqual(len(lamp.notified), 2)
        lamp.answers = 200
        self.wait(5)
        self.assertEqual((lamp.versions, lamp.dialogs), ([0, 1, 2], [(None, "terminated")]))

    def test_bad_network(self) -> None:
        """
        Over a network that loses a third and doubles some, the lamp is right in the end, and no version is left out.
        """
        anna, bert = self.pair()
        lamp = Lamp(self.phone("1003"), "1002")
        for seed in range(6):
            self.network.loss, self.network.duplication = 0.3, 0.2
            for on in (True, False, True, False):
                self.change(on)
            self.wait(30)
            self.network.loss = self.network.duplication = 0.0
            self.wait(5)
            talk = Conversation(anna, bert)
            self.wait(2)
            self.assertEqual(lamp.dialogs, [("recipient", "confirmed")], seed)
            talk.hang_up(anna)
            self.wait(2)
            self.assertEqual(lamp.dialogs, [(None, "terminated")])
        self.assertEqual(lamp.versions, list(range(len(lamp.versions))))
        self.assertGreater(lamp.copies, 0)

    def test_connection(self) -> None:
        """
        Over TCP it lives as long as there is a way to the phone: the connection that it has registered over last.
        """
        phone = self.phone("1003", kind=StreamPhone)
        lamp = Lamp(phone, "1002")
        self.assertEqual(lamp.dialogs, [])
        phone.close()
        phone.connect()
        self.wait(0.1)
        phone.register()
        self.change(True)
        self.assertEqual(lamp.dialogs, [(None, "confirmed")])
        phone.close()
        self.wait(0.1)
        self.change(False)
        self.wait(1)
        self.assertEqual(len(self.notifier), 0)


class LimitTests(LampCase):
    """
    How much may be subscribed to.
    """

    limits = NotifierSettings(per_party=2, total=3)

    def test_limits(self) -> None:
        """
        Beyond what an extension may have, and all together, it is 503; a fetch is served all the same.
        """
        phone = self.phone("1003")
        for number, status in (("1001", 200), ("1002", 200), ("1003", 503)):
            lamp = Lamp(phone, number)
            self.assertEqual(lamp.answer.status, status)
        self.assertEqual(lamp.answer.headers.get("Retry-After"), "300")
        other = self.phone("1004")
        self.assertEqual([Lamp(other, number).answer.status for number in ("1001", "1002")], [200, 503])
        self.assertEqual(Lamp(other, "1002", expires=0).answer.status, 200)
        self.assertEqual((self.notifier.refused, len(self.notifier)), (2, 3))
        self.assertEqual(len(self.logged("SUBSCRIBE of 1003 refused: there are 2 subscriptions of one extension")), 1)


class RestartTests(LampCase):
    """
    Subscriptions over a restart of the exchange.
    """

    def restart(self) -> int:
        """
        Forget everything but what is stored, and start again.
        """
        rows = [row() for row in self.kept.rows.values()]
        kept = self.kept.rows
        self.kept.rows = {}
        self.notifier.stop()
        self.kept.rows = kept
        self.assertEqual(self.exchange.core.subscriptions, {})
        self.build()
        return self.notifier.restore(rows, self.exchange.transport.udp_flow)

    def test_taken_up(self) -> None:
        """
        Each is told the whole state within 5 s, and a refresh is 200.
        """
        phone, other = self.phone("1003"), self.phone("1004")
        lamps = [Lamp(phone, "1002"), Lamp(phone, "1001", "presence"), Lamp(other, "1002", "dialog;id=x")]
        self.wait(100)
        self.assertEqual(self.restart(), 3)
        self.assertEqual([len(lamp.notified) for lamp in lamps], [1, 1, 1])
        self.wait(5)
        for lamp in lamps:
            self.assertEqual((len(lamp.notified), lamp.state.state), (2, "active"))
            self.assertIn(lamp.state.expires, range(494, 501))
            self.assertGreater(lamp.last.cseq.number, lamp.notified[0].cseq.number)
            self.assertEqual(lamp.refresh(600).status, 200)
            self.assertEqual(len(lamp.notified), 3)
        self.assertGreater(lamps[0].versions[1], lamps[0].versions[0])
        self.handle("1002", dnd=True)
        self.wait(1.1)
        self.assertEqual(lamps[0].dialogs, [(None, "confirmed")])

    def test_refresh_comes_first(self) -> None:
        """
        Who refreshes before its turn is told at once, and not twice.
        """
        lamp = Lamp(self.phone("1003"), "1002")
        self.restart()
        self.assertEqual(lamp.refresh().status, 200)
        self.assertEqual(len(lamp.notified), 2)
        self.wait(10)
        self.assertEqual(len(lamp.notified), 2)

    def test_stale(self) -> None:
        """
        What was told after it was last stored has lower versions and numbers than what comes after the restart.
        """
        lamp = Lamp(self.phone("1003"), "1002")
        ((key, row),) = self.kept.rows.items()
        stored = row()
        for on in (True, False, True):
            self.handle("1002", dnd=on)
            self.wait(1.1)
        self.kept.rows = {key: lambda: stored}
        self.assertEqual(self.restart(), 1)
        self.wait(5)
        self.assertEqual(lamp.versions[:4], [0, 1, 2, 3])
        self.assertGreater(lamp.versions[4], 3)
        self.assertGreater(lamp.notified[4].cseq.number, lamp.notified[3].cseq.number)

    def test_ended(self) -> None:
        """
        What has ended is not stored any more, whether or not the phone heard of it.
        """
        lamp = Lamp(self.phone("1003"), "1002")
        lamp.answers = 0
        lamp.refresh(0)
        self.assertEqual((len(self.notifier), self.kept.rows), (1, {}))
        self.wait(33)

    def test_left_out(self) -> None:
        """
        What has expired, came over a connection, is about somebody who is no more, or came to an address that is no
        longer ours, is not taken up.
        """
        phone = self.phone("1003")
        Lamp(phone, "1002")
        Lamp(phone, "1004", expires=60)
        Lamp(phone, "1005")
        stream = self.phone("1006", kind=StreamPhone)
        Lamp(stream, "1002")
        rows = {row()["resource"] + row()["transport"]: row() for row in self.kept.rows.values()}
        rows["1001UDP"] = {**rows["1002UDP"], "local_host": "10.9.9.9", "local_tag": "x"}
        for subscriber in self.notifier.all():
            subscriber.subscription.drop()
        stream.close()
        self.wait(61)
        self.exchange.directory.remove("1005")
        self.assertEqual(self.notifier.restore(rows.values(), self.exchange.transport.udp_flow), 1)

    def test_stored(self) -> None:
        """
        What is stored is JSON, and all that a dialog has.
        """
        Lamp(self.phone("1003"), "1002")
        ((key, row),) = self.kept.rows.items()
        found: dict[str, Any] = row()
        self.assertEqual(key, f"{found['local_tag']} {found['call_id']}")
        self.assertEqual((found["version"], found["local_cseq"], found["party"]), (0, 1, "1003"))
        self.assertEqual(found["expires_at"], self.exchange.wall_offset + round(self.network.clock.seconds() + 600, 2))


class PresenceTests(LampCase):
    """
    The one model.
    """

    def test_since(self) -> None:
        """
        Since when an extension does what it does.
        """
        anna, bert = self.pair()
        self.wait(100)
        talk = Conversation(anna, bert)
        began = self.exchange.wall()
        self.wait(50)
        found = self.presence.of("1002")
        assert isinstance(found, ExtensionPresence)
        self.assertEqual((found.state, found.calls, found.name), ("busy", 1, "Phone 1002"))
        self.assertAlmostEqual(found.since or 0, began, 1)
        talk.hang_up(bert)
        found = self.presence.of("1002")
        assert isinstance(found, ExtensionPresence)
        self.assertEqual((found.state, found.calls), ("available", 0))
        self.assertIs(self.presence.of("2000"), None)

    def test_attended_transfer(self) -> None:
        """
        When two calls become one, those who are left see each other.
        """
        anna, bert = self.pair()
        carl = self.phone("1003")
        first, second = Conversation(anna, bert), Conversation(bert, carl)
        replaces = f"{second.invite.call_id};to-tag={second.answer.to_tag};from-tag={second.invite.from_tag}"
        escaped = replaces.replace(";", "%3B").replace("=", "%3D")
        refer = first.ask(bert, "REFER", headers=(("Refer-To", f"<sip:1003@10.0.0.1?Replaces={escaped}>"),))
        self.assertEqual(refer.status, 202)
        self.wait(5)
        self.assertEqual(self.presence.lines("1002"), [])
        self.assertEqual([line.peer.number for line in self.presence.lines("1001")], ["1003"])
        self.assertEqual([line.peer.number for line in self.presence.lines("1003")], ["1001"])
        first.hang_up(anna)
        self.wait(1)
        self.assertEqual([self.presence.lines(number) for number in ("1001", "1003")], [[], []])
