"""
Emergency calls: that they go out whatever stands in their way.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

from attrs import evolve

from pbx.calls import emergency
from pbx.calls.inbound import InboundLeg
from pbx.calls.tools import CallSettings
from pbx.directory.handling import Handling
from pbx.directory.permissions import Permissions, TollLimits
from pbx.directory.time_condition import Hours, TimeCondition
from pbx.media.ports import PortsExhausted
from pbx.sip.multipart import sdp_of
from pbx.sip.pidf_lo import CIVIC
from pbx.transport.guard import GuardSettings
from tests.calls.carrier import MOBILE
from tests.calls.emergency import EMERGENCY, FLOOR, EmergencyCase
from tests.calls.exchange import password


class WayTests(EmergencyCase):
    """
    How the call gets out.
    """

    trunks = {"A": {}, "B": {"emergency": True}, "C": {}}

    def test_trunk_marked_for_it(self) -> None:
        """
        It goes over the trunk that is marked for it, from a phone that may call nobody, and nothing is counted for it.
        """
        self.dial()
        self.assertEqual(self.channels(), {"A": 0, "B": 1, "C": 0})
        (invite,) = self.b.invites
        self.assertEqual(invite.uri, "sip:112@10.9.0.2")
        answer = self.talk(self.anna, self.invite, self.b)
        self.network.advance(100)
        self.assertIsNone(self.exchange.usage.get("1005", None))
        self.end(self.anna, self.invite, answer)
        self.assertEqual([leg.get("emergency") for leg in self.exchange.records[-1]["legs"]], [None, True])

    def test_location(self) -> None:
        """
        RFC 6442: the place goes along, referred to by Geolocation; what the RFCs want of it is in the document.
        """
        self.dial()
        (invite,) = self.b.invites
        kind = invite.headers.get("Content-Type") or ""
        self.assertTrue(kind.startswith('multipart/mixed;boundary="'), kind)
        self.assertIn(b"m=audio", sdp_of(invite) or b"")
        self.assertEqual(invite.headers.get("Geolocation-Routing"), "yes")
        identifier = (invite.headers.get("Geolocation") or "").removeprefix("<cid:").removesuffix(">")
        self.assertTrue(identifier.endswith("@pbx.example.com"))
        head, _, rest = invite.body.partition(f"Content-ID: <{identifier}>\r\n\r\n".encode())
        self.assertTrue(head.endswith(b"Content-Type: application/pidf+xml\r\n"))
        root = ET.fromstring(rest.partition(b"\r\n--")[0])  # noqa: S314 - our own
        self.assertEqual(root.get("entity"), "sip:1005@pbx.example.com")
        (address,) = root.iter(f"{{{CIVIC}}}civicAddress")
        self.assertEqual([child.text for child in address], ["DE", "Berlin", FLOOR.civic["RD"], "7", "2"])
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.b))

    def test_renamed(self) -> None:
        """
        An exchange that is called otherwise meanwhile says so in the next call.
        """
        self.exchange.emergencies.name = "house.example.com"
        self.dial()
        (invite,) = self.b.invites
        self.assertIn(b'entity="sip:1005@house.example.com"', invite.body)
        self.assertTrue((invite.headers.get("Geolocation") or "").endswith("@house.example.com>"))
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.b))

    def test_anonymous(self) -> None:
        """
        Whoever calls for help is known, though its phone hides its number.
        """
        self.dial(headers=(("Privacy", "id"),))
        (invite,) = self.b.invites
        self.assertEqual((invite.from_.uri.user, invite.headers.get("Privacy")), ("+4930123999", None))
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.b))

    def test_no_location(self) -> None:
        """
        Where nobody knows the place the call goes all the same, with its description alone.
        """
        self.exchange.book.configure(
            evolve(self.exchange.book.configured, emergency=evolve(EMERGENCY, location=None, locations=()))
        )
        self.dial()
        (invite,) = self.b.invites
        self.assertEqual(invite.headers.get("Content-Type"), "application/sdp")
        self.assertNotIn("Geolocation", invite.headers)
        self.assertIn("Where: nobody knows where this phone stands", self.alerts()[0])
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.b))

    def test_every_other(self) -> None:
        """
        Whatever a trunk answers the next is tried, one that is down at last; then the caller is answered.
        """
        self.exchange.lines.line("A").set("down", "no answer")
        self.dial()
        self.b.reply(self.b.invites[0], 180)
        self.b.reply(self.b.invites[0], 486)
        (third,) = self.carriers["C"].invites
        self.assertEqual(self.a.invites, [])
        self.carriers["C"].reply(third, 404)
        self.assertEqual(len(self.a.invites), 1)
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        self.assertEqual(self.exchange.records[-1]["disposition"], "answered")

    def test_no_line(self) -> None:
        """
        When no trunk takes it the caller is told by voice, the house by an alert, and the call fails with the reason.
        """
        self.dial()
        self.anna.listen_for_media()
        for carrier in (self.b, self.a, self.carriers["C"]):
            carrier.reply(carrier.invites[0], 503)
        self.network.advance(5)
        self.assertEqual(self.anna.last("INVITE").status, 183)
        self.assertGreater(len(self.anna.media), 200)
        self.network.advance(30)
        answer = self.anna.last("INVITE")
        self.anna.acknowledge_refusal(self.invite, answer)
        self.assertEqual(answer.status, 503)
        self.assertIn("The emergency call of 1005 to 112 reached nobody: ", self.alerts()[1])
        self.assertEqual(self.exchange.alerts.told[1].mail, ("guard@example.com",))


class FailedTests(EmergencyCase):
    """
    A call that fails before any trunk is asked.
    """

    def test_no_port(self) -> None:
        """
        When no port is free for the audio, the house knows of the call, and that it reached nobody.
        """

        def none_free(leg: InboundLeg, engine: object, **options: object) -> None:
            raise PortsExhausted

        self.patch(InboundLeg, "open", none_free)
        self.dial()
        self.assertEqual(self.a.invites, [])
        answer = self.anna.last("INVITE")
        self.anna.acknowledge_refusal(self.invite, answer)
        self.assertEqual(answer.status, 503)
        self.assertTrue(self.alerts()[0].startswith("EMERGENCY: 1005"))
        self.assertIn("reached nobody: No media port free", self.alerts()[1])


    def test_own_mistakes(self) -> None:
        """
        A mistake of ours in telling people, or in writing down the place, holds neither the call up nor the rest.
        """

        def broken(*given: object, **more: object) -> None:
            raise RuntimeError("broken")

        self.patch(self.exchange.alerts, "alert", broken)
        self.patch(emergency.LocationDocument, "to_bytes", broken)
        guard = self.phone("1002")
        self.dial()
        (invite,) = self.a.invites
        self.assertEqual(invite.headers.get("Priority"), "emergency")
        (rung,) = guard.requests("INVITE")
        guard.reply(rung, 603)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        self.exchange.emergencies.stop()


class AnyPhoneTests(EmergencyCase):
    """
    Whatever stands in its way.
    """

    plan = {
        "emergency": EMERGENCY,
        "limits": TollLimits(concurrent=1, minutes_per_day=1, hours="Never"),
        "conditions": {"Never": TimeCondition("Never", hours=(Hours(days=(), start="00:00", end="00:01"),))},
    }
    options = {**EmergencyCase.options, "calls": CallSettings(max_calls=0)}

    def test_limits(self) -> None:
        """
        Neither limits nor hours nor do not disturb nor the most calls at once hold it up.
        """
        extension = self.exchange.directory.extension("1005")
        assert extension is not None
        self.exchange.directory.put(
            evolve(extension, handling=Handling(dnd=True), permissions=Permissions(classes=(), hours="Never"))
        )
        self.dial()
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))

    def test_disabled_extension(self) -> None:
        """
        The phone of an extension that was disabled calls for help with its password, and nothing else.
        """
        phone = self.phone("1005", register=False)
        extension = self.exchange.directory.extension("1005")
        assert extension is not None
        self.exchange.directory.put(evolve(extension, enabled=False))
        invite = phone.call("1001")
        self.assertEqual(phone.last("INVITE").status, 401)
        phone.acknowledge_refusal(invite, phone.last("INVITE"))
        self.assertEqual(phone.register().status, 401)
        self.assertEqual(self.a.invites, [])
        invite = phone.call("112")
        self.assertEqual(len(self.a.invites), 1)
        self.end(phone, invite, self.talk(phone, invite, self.a))

    def test_wrong_password(self) -> None:
        """
        Who has no right password is asked for it, also by an emergency number.
        """
        phone = self.phone("1005", register=False, secret="guessed")
        invite = phone.call("112")
        self.assertEqual((phone.last("INVITE").status, self.a.invites), (401, []))
        phone.acknowledge_refusal(invite, phone.last("INVITE"))

    def test_blocked(self) -> None:
        """
        Who has guessed too often is refused here as well, with the right password too: else an emergency number would
        tell which guess is right. From a network that is never blocked it goes out.
        """
        phone = self.phone("1005", register=False, secret="guessed")
        for secret in (*["guessed"] * 10, password("1005")):
            phone.secret = secret
            invite = phone.call("112")
            self.assertEqual((phone.last("INVITE").status, self.a.invites), (401, []))
            phone.acknowledge_refusal(invite, phone.last("INVITE"))
        self.assertEqual(len(self.logged("IP blocked: ")), 1)
        self.exchange.guard.reconfigure(GuardSettings(allow=("10.0.0.0/16",)))
        invite = phone.call("112")
        self.end(phone, invite, self.talk(phone, invite, self.a))


class FullExchangeTests(EmergencyCase):
    """
    An exchange that takes no more calls.
    """

    options = {**EmergencyCase.options, "calls": CallSettings(max_calls=1)}

    def test_newest_gives_way(self) -> None:
        """
        The newest ordinary call of all is ended for an emergency call.
        """
        phone = self.phone("1001")
        invite = phone.call(MOBILE)
        self.talk(phone, invite, self.a)
        self.dial()
        self.assertEqual((len(self.a.invites), len(phone.requests("BYE"))), (2, 1))
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))


class ChannelTests(EmergencyCase):
    """
    A trunk that takes no more calls.
    """

    trunks = {"A": {"max_channels": 2}}

    def test_newest_gives_way(self) -> None:
        """
        The newest ordinary call is ended, with the reason, and its channel taken; older ones go on.
        """
        older, newer = self.phone("1001"), self.phone("1006")
        self.allow("1006")
        talks = []
        for phone in (older, newer):
            invite = phone.call(MOBILE)
            talks.append((phone, invite, self.talk(phone, invite, self.a)))
            self.network.advance(1)
        self.assertEqual(self.channels(), {"A": 2})
        self.dial()
        self.assertEqual(self.channels(), {"A": 2})
        self.assertEqual(self.a.invites[-1].uri, "sip:112@10.9.0.1")
        self.assertEqual((len(older.requests("BYE")), len(newer.requests("BYE"))), (0, 1))
        self.assertIn("cause=8;", newer.requests("BYE")[0].headers.get("Reason") or "")
        (ended,) = (record for record in self.exchange.records if record["caller"] == "1006")
        self.assertEqual(ended["reason"], "An emergency call needed its channel of trunk A")
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        self.end(*talks[0])

    def test_test_takes_nothing(self) -> None:
        """
        A test, which any phone may make, ends nobody's call: it goes beside them, and is ended after five minutes.
        """
        talks = []
        for number in ("1001", "1006"):
            self.allow(number)
            phone = self.phone(number)
            invite = phone.call(MOBILE)
            talks.append((phone, invite, self.talk(phone, invite, self.a)))
        self.dial("933")
        self.assertEqual(self.channels(), {"A": 3})
        self.talk(self.anna, self.invite, self.a)
        self.network.advance(299)
        self.assertEqual(self.channels(), {"A": 3})
        self.network.advance(2)
        self.assertEqual((self.channels(), len(self.anna.requests("BYE"))), ({"A": 2}, 1))
        for talk in talks:
            self.end(*talk)

    def test_emergencies_stay(self) -> None:
        """
        No emergency call gives way to another: it goes beside them.
        """
        talks = []
        for caller in ("1006", "1007", "1008"):
            invite = self.dial(caller=caller)
            talks.append((self.anna, invite, self.talk(self.anna, invite, self.a)))
        self.assertEqual(self.channels(), {"A": 3})
        for talk in talks:
            self.end(*talk)

    def test_joined_one_stays(self) -> None:
        """
        Neither does one that has become part of an older call, whose party speaks in place of the caller.
        """
        other, anna = self.phone("1001"), self.phone("1005")
        invite = anna.call("1001")
        answer = other.reply(other.requests("INVITE")[0], 200, body=other.sdp())
        anna.acknowledge(invite, anna.last("INVITE"))
        self.network.advance(1)
        help_wanted, line = anna.call("112"), self.exchange.lines.line("A")
        self.talk(anna, help_wanted, self.a)
        ids = {call.number: call.id for call in self.exchange.switchboard.calls.values()}
        self.assertTrue(self.exchange.switchboard.join(ids["112"], ids["1001"], "1005"))
        self.network.advance(0.5)
        anna.register(expires=0)
        line.trunk = evolve(line.trunk, max_channels=1)
        self.dial(caller="1006")
        self.assertEqual((self.channels(), self.a.requests("BYE")), ({"A": 2}, []))
        self.end(self.anna, self.invite, self.talk(self.anna, self.invite, self.a))
        other.send(other.within_received("BYE", other.requests("INVITE")[0], answer, cseq=9))
        self.network.advance(0.5)
