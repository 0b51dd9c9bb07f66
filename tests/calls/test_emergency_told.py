"""
Emergency calls: who in the house is told, and whom the emergency centre calls back.
"""

from __future__ import annotations

from attrs import evolve

from pbx.audio.phrases import digits, phrases, telephone
from pbx.calls import emergency, notification
from pbx.calls.emergency import place_of
from pbx.calls.notification import announcement
from pbx.directory.emergency import Location
from pbx.directory.handling import Handling
from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.outside import EmergencyCall
from pbx.directory.permissions import Permissions
from pbx.ops.alerts import Alerts
from tests.calls.carrier import MAIN, MOBILE
from tests.calls.emergency import FLOOR, EmergencyCase


class ToldTests(EmergencyCase):
    """
    Who in the house is told.
    """

    def test_rung_at_once(self) -> None:
        """
        Phones ring before the call is answered, also one that does not want to be disturbed, and show what it is about.
        """
        guard, floor = self.phone("1002"), self.phone("1003")
        extension = self.exchange.directory.extension("1002")
        assert extension is not None
        handling = Handling(dnd=True, forward_always="1009")
        self.exchange.directory.put(evolve(extension, handling=handling))
        self.dial()
        self.assertEqual(len(self.a.invites), 1)
        for phone in (guard, floor):
            (rung,) = phone.requests("INVITE")
            self.assertEqual(rung.from_.display, "EMERGENCY 112: Phone 1005")
            self.assertEqual(rung.from_.uri.user, "1005")
            phone.reply(rung, 486)
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        self.exchange.emergencies.stop()

    def test_heard(self) -> None:
        """
        Whoever picks up hears it again and again, until a key confirms it or it was said often enough.
        """
        self.patch(notification, "TOLD", 2)
        guard = self.phone("1002")
        guard.listen_for_media()
        self.dial()
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        rung = guard.requests("INVITE")[0]
        guard.reply(rung, 180)
        guard.reply(rung, 200, body=guard.sdp())
        self.network.advance(20)
        once = len(guard.media)
        self.assertGreater(once, 500)
        self.assertEqual(guard.requests("BYE"), [])
        self.network.advance(60)
        self.assertGreater(len(guard.media), 1.5 * once)
        self.assertEqual(len(guard.requests("BYE")), 1)
        record = self.exchange.records[-1]
        self.assertEqual((record["callee"], record["disposition"]), ("1002", "answered"))

    def test_records(self) -> None:
        """
        In the records those calls are the exchange's own: by whoever calls for help there is that call alone.
        """
        for phone in (self.phone("1002"), self.phone("1003")):
            phone.on_request = lambda request, phone=phone: phone.answer(request, 486) and None
        self.dial()
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        self.exchange.emergencies.stop()
        called = {(record["caller"], record["caller_name"], record["callee"]) for record in self.exchange.records}
        self.assertEqual(called, {
            ("1005", "Phone 1005", "112"), ("exchange", "EMERGENCY 112: Phone 1005", "1002"),
            ("exchange", "EMERGENCY 112: Phone 1005", "1003"),
        })
        told = [record["route"] for record in self.exchange.records if record["caller"] == "exchange"]
        self.assertEqual(told, [["the exchange tells of the emergency call of 1005"]] * 2)

    def test_nobody_picks_up(self) -> None:
        """
        Who does not pick up is rung again, some times; who has gone home does not keep the others from hearing of it.
        """
        guard = self.phone("1002")
        guard.on_request = lambda request: request.method == "INVITE" and guard.answer(request, 180) and None
        self.dial()
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        self.network.advance(3 * (notification.PATIENCE + notification.AGAIN) + 30)
        self.assertEqual(len({request.call_id for request in guard.requests("INVITE")}), notification.TRIES)
        self.assertEqual(len(self.exchange.emergencies.notifications), 0)
        self.assertEqual(len(self.logged("1002 did not pick up")), notification.TRIES)

    def test_again(self) -> None:
        """
        Who calls for help again before anybody picked up lets no phone ring twice; another emergency does.
        """
        guard = self.phone("1002")
        for caller, number in (("1006", "112"), ("1006", "112"), ("1006", "110"), ("1007", "112")):
            self.dial(number, caller=caller)
            self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        self.assertEqual(len(self.alerts()), 4)
        rung = {request.call_id: request for request in guard.requests("INVITE")}
        self.assertEqual(len(rung), 3)
        for request in rung.values():
            guard.reply(request, 486)
        self.exchange.emergencies.stop()

    def test_alert(self) -> None:
        """
        The alert and its mail say who, where, the number to call back and when; each call has its own.
        """
        for caller in ("1007", "1006"):
            self.dial(caller=caller)
            self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        first, second = (told for told in self.exchange.alerts.told if told.kind == "emergency")
        self.assertNotEqual(first.subject, second.subject)
        self.assertEqual(first.mail, ("guard@example.com",))
        self.assertEqual(first.text.splitlines()[:3], [
            "EMERGENCY: 1007 (Phone 1007) called the emergency number 112",
            "Where: Second floor: floor 2, Lange Stra\N{LATIN SMALL LETTER SHARP S}e, 7, Berlin, DE",
            "Call back: +4930123999",
        ])
        self.assertRegex(first.text.splitlines()[3], r"^When: 2023-11-14 23:1\d:\d\d CET$")
        self.assertEqual(first.detail["extension"], "1007")

    def test_one_line(self) -> None:
        """
        In the log it is one line, an error, by the call.
        """
        self.exchange.emergencies._alerts = Alerts(self.network.clock, self.exchange.wall)
        self.dial(caller="1007")
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        (line,) = self.logged("EMERGENCY: 1007 (Phone 1007) called the emergency number 112; Where:")
        call = self.exchange.records[-1]["id"]
        self.assertTrue(line.startswith(f"{call}: Alert emergency 1007 "), line)
        self.assertEqual([line for line in self.loud if "112" in line], [line])

    def test_test_number(self) -> None:
        """
        The test number goes the whole way, and everybody is told that it is a test.
        """
        guard = self.phone("1002")
        self.dial("933")
        (invite,) = self.a.invites
        self.assertEqual(invite.uri, "sip:933@10.9.0.1")
        self.assertIn("Geolocation", invite.headers)
        (rung,) = guard.requests("INVITE")
        self.assertEqual(rung.from_.display, "TEST 933: Phone 1005")
        guard.reply(rung, 486)
        said = "TEST, no emergency: 1005 (Phone 1005) called the number that tests emergency calls 933"
        self.assertEqual(self.alerts()[0].splitlines()[0], said)
        self.assertEqual(self.exchange.callbacks.get("+4930123999", ""), "1005")
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        self.exchange.emergencies.stop()

    def test_words(self) -> None:
        """
        What is said: who, which number, where, and the number to call back.
        """
        call = EmergencyCall("112", location=FLOOR, callback="+4930123999")
        self.assertEqual(announcement("1005", call, "en"), [
            "emergency-called", *digits("1005"), "emergency-number", *digits("112"), "emergency-location",
            *phrases("en").letters("Second floor"), "emergency-call-back", *telephone("+4930123999"),
            "emergency-confirm",
        ])
        spoken = EmergencyCall("112", location=evolve(FLOOR, prompt="second-floor"))
        self.assertEqual(announcement("1005", spoken, "en")[-3:],
                         ["emergency-location", "second-floor", "emergency-confirm"])
        test = announcement("1005", EmergencyCall("933", test=True), "en")
        self.assertEqual((test[0], test[-2:]), ("emergency-test", ["emergency-no-location", "emergency-confirm"]))
        self.assertEqual(place_of(Location("Yard")), "Yard")


class CallBackTests(EmergencyCase):
    """
    The emergency centre calls back.
    """

    trunks = {"A": {"max_channels": 1}}
    inbound = (InboundRoute("main", Target("extension", "1008")),)

    def test_rings_both(self) -> None:
        """
        The phone that called and the desk ring, though neither wants to be disturbed and the trunk is full.
        """
        desk, other = self.phone("1004"), self.phone("1008")
        self.dial()
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        for number in ("1004", "1005"):
            extension = self.exchange.directory.extension(number)
            assert extension is not None
            handling = Handling(dnd=True, forward_always="1008", blocked=("anonymous", "*"))
            self.exchange.directory.put(evolve(extension, handling=handling))
        busy = self.phone("1006")
        self.allow("1006")
        busy_invite = busy.call(MOBILE)
        talk = self.talk(busy, busy_invite, self.a)
        invite = self.a.offer_call("+4930123999", "112")
        self.assertEqual([len(phone.requests("INVITE")) for phone in (self.anna, desk, other)], [1, 1, 0])
        desk.reply(desk.requests("INVITE")[0], 180)
        self.anna.reply(self.anna.requests("INVITE")[0], 200, body=self.anna.sdp())
        answer = self.a.last("INVITE")
        self.assertEqual(answer.status, 200)
        self.a.acknowledge(invite, answer)
        self.assertEqual(len(desk.requests("CANCEL")), 1)
        self.end(self.a, invite, answer)
        self.end(busy, busy_invite, talk)

    def test_stays(self) -> None:
        """
        It gives way to no emergency call: that goes beside it.
        """
        self.dial()
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        back = self.a.offer_call("+4930123999", "112")
        self.anna.reply(self.anna.requests("INVITE")[-1], 200, body=self.anna.sdp())
        answer = self.a.last("INVITE")
        self.a.acknowledge(back, answer)
        # Else it would be told of the other call.
        self.anna.register(expires=0)
        self.dial(caller="1006")
        # The one BYE is that of the first call.
        self.assertEqual((self.channels(), len(self.a.requests("BYE"))), ({"A": 2}, 1))
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        self.end(self.a, back, answer)

    def test_flood(self) -> None:
        """
        Anybody may call that number: no limit holds for a few calls at a time, but for more the trunk is full.
        """
        self.patch(emergency, "MOST_BACK", 2)
        self.dial()
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        for place in range(4):
            self.a.offer_call("+4930123999", f"+4930110{place}")
        self.assertEqual(self.channels(), {"A": 2})
        for rung in {invite.call_id: invite for invite in self.anna.requests("INVITE")}.values():
            self.anna.reply(rung, 486)
        self.network.advance(1)
        came = [record["status"] for record in self.exchange.records if record["direction"] == "inbound"]
        self.assertEqual(sorted(came), [486, 486, 503, 503])
        self.a.offer_call("+4930123999")
        self.assertEqual(self.channels(), {"A": 1})
        self.anna.reply(self.anna.requests("INVITE")[-1], 486)
        self.network.advance(1)

    def test_nobody_to_ring(self) -> None:
        """
        Where neither the phone nor the desk can be rung, who calls the number gets where it leads otherwise.
        """
        other = self.phone("1008")
        self.dial()
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        self.anna.register(expires=0)
        self.a.offer_call("+4930123999")
        self.assertEqual(len(other.requests("INVITE")), 1)
        other.reply(other.requests("INVITE")[0], 486)
        self.network.advance(1)

    def test_number_of_its_own(self) -> None:
        """
        Where the place has a number for it, those of the house and of the extension go on leading where they do.
        """
        other = self.phone("1008")
        self.allow("1005", permissions=Permissions(caller_id="+4930123005"))
        self.dial()
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        self.assertEqual(self.a.invites[0].from_.uri.user, "+4930123999")
        for place, called in enumerate((MAIN, "+4930123005"), 1):
            self.a.offer_call(called, "112")
            rung = {invite.call_id: invite for invite in other.requests("INVITE")}
            self.assertEqual((len(self.anna.requests("INVITE")), len(rung)), (0, place))
            other.reply([*rung.values()][-1], 486)
            self.network.advance(1)

    def test_later(self) -> None:
        """
        After some hours the number is everybody's again.
        """
        other = self.phone("1008")
        self.dial()
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        self.network.advance(3 * 3600 + 1)
        for phone in (self.anna, other):
            phone.register(expires=600)
        self.a.offer_call("+4930123999", "112")
        self.assertEqual([len(phone.requests("INVITE")) for phone in (self.anna, other)], [0, 1])
        other.reply(other.requests("INVITE")[0], 486)
        self.network.advance(1)

    def test_nobody_answers(self) -> None:
        """
        When nobody answers, somebody is told.
        """
        self.dial()
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        self.a.offer_call("+4930123999", "112")
        self.anna.reply(self.anna.requests("INVITE")[0], 486)
        self.assertIn("The emergency centre called back, and nobody answered.", self.alerts()[-1])
        self.network.advance(1)
