"""
Toll-fraud limits: the call that is refused, and who hears of it.
"""

from __future__ import annotations

from decimal import Decimal

from attrs import evolve
from twisted.internet.defer import Deferred

from pbx.directory.handling import FollowMe, Handling
from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.permissions import NOTHING_USED, TollLimits
from pbx.directory.rates import Rate
from pbx.sip.message import Request
from pbx.sip.reasons import parse_reasons
from tests.calls.carrier import MAIN, MOBILE, TrunkCase
from tests.calls.phone import Phone


class TollTests(TrunkCase):
    """
    The limits on ordinary calls.
    """

    plan = {"limits": TollLimits(concurrent=3, minutes_per_day=10)}

    def test_fourth_call(self) -> None:
        """
        The fourth call at once is refused, with the reason, and somebody is told; the end of one makes room.
        """
        talks = []
        for place in range(4):
            phone = self.phone("1001")
            invite = phone.call(MOBILE)
            if place < 3:
                carrier = self.a
                carrier.reply(carrier.invites[-1], 200, body=carrier.sdp())
                answer = phone.last("INVITE")
                phone.acknowledge(invite, answer)
                talks.append((phone, invite, answer))
        answer = phone.last("INVITE")
        phone.acknowledge_refusal(invite, answer)
        self.assertEqual((answer.status, len(self.a.invites)), (403, 3))
        self.assertEqual(answer.reason, "1001 has 3 calls beyond the house, and may have 3 at once")
        (told,) = self.exchange.alerts.told
        self.assertEqual((told.kind, told.subject, told.detail["limit"]), ("toll_limit", "1001", "concurrent"))
        self.assertEqual(self.exchange.records[0]["reason"], (answer.headers.get("Reason") or "").split('"')[1])
        self.assertEqual(len(self.logged("audit: 1001 was refused a call to +4917612345678 by its limits")), 1)
        for phone, invite, answer in talks:
            phone.send(phone.within("BYE", invite, answer, cseq=9))
            self.network.advance(0.1)
        invite = phone.call(MOBILE)
        self.assertEqual(len(self.a.invites), 4)
        self.a.reply(self.a.invites[-1], 486)
        phone.acknowledge_refusal(invite, phone.last("INVITE"))

    def test_burst(self) -> None:
        """
        Calls for which a trunk is still looked for count as well: of many at once no more go out than may.
        """
        waiting: Deferred[None] = Deferred()
        self.exchange.lines.line("A").waits = waiting
        phones = [self.phone("1001") for _ in range(6)]
        invites = [phone.call(MOBILE) for phone in phones]
        self.assertEqual(self.a.invites, [])
        self.assertEqual([phone.last("INVITE").status for phone in phones[3:]], [403] * 3)
        waiting.callback(None)
        self.network.advance(0.1)
        self.assertEqual(len(self.a.invites), 3)
        for invite in self.a.invites:
            self.a.reply(invite, 486)
        for phone, invite in zip(phones, invites, strict=True):
            phone.acknowledge_refusal(invite, phone.last("INVITE"))
        self.assertEqual(self.exchange.usage.get("1001", NOTHING_USED), NOTHING_USED)

    def talk(self, phone: Phone) -> None:
        """
        Call a mobile phone, and be answered.
        """
        invite = phone.call(MOBILE)
        self.a.reply(self.a.invites[-1], 200, body=self.a.sdp())
        phone.acknowledge(invite, phone.last("INVITE"))

    def test_minutes_at_once(self) -> None:
        """
        Three calls at once use up the minutes of the day in a third of the time: none is passed by talking on.
        """
        phones = [self.phone("1001") for _ in range(3)]
        for phone in phones:
            self.talk(phone)
        self.network.advance(195)
        self.assertEqual(self.a.requests("BYE"), [])
        self.network.advance(11)
        self.assertEqual([len(phone.requests("BYE")) for phone in (self.a, *phones)], [3, 1, 1, 1])
        used = self.exchange.usage.get("1001", NOTHING_USED)
        self.assertTrue(600 < used.seconds < 620, used)
        self.assertEqual(
            {record["reason"] for record in self.exchange.records},
            {"1001 has talked 10 minutes beyond the house today, and may 10"},
        )

    def test_other_limits(self) -> None:
        """
        Limits that are lowered meanwhile hold for the next call, and end none.
        """
        phone = self.phone("1001")
        self.talk(phone)
        self.network.advance(120)
        self.exchange.book.configure(evolve(self.exchange.book.plan, limits=TollLimits(minutes_per_day=1)))
        self.network.advance(60)
        self.assertEqual(self.a.requests("BYE"), [])
        other = self.phone("1001")
        invite = other.call(MOBILE)
        other.acknowledge_refusal(invite, other.last("INVITE"))
        self.assertEqual(other.last("INVITE").status, 403)
        (call,) = self.exchange.switchboard.calls.values()
        call.hang_up()

    def test_spend_at_once(self) -> None:
        """
        Nor is the money of the day; the first minute of each is talked, since it is paid for anyway.
        """
        plan = self.exchange.book.plan
        rates = {"A": {"49": Rate("49", Decimal(1), first=60, increment=60)}}
        limits = TollLimits(concurrent=3, spend_per_day=Decimal(2))
        self.exchange.book.configure(evolve(plan, limits=limits, rates=rates))
        phones = [self.phone("1001") for _ in range(2)]
        for phone in phones:
            self.talk(phone)
        self.network.advance(59)
        self.assertEqual(self.a.requests("BYE"), [])
        self.network.advance(10)
        self.assertEqual(len(self.a.requests("BYE")), 2)
        self.assertLessEqual(self.exchange.usage.get("1001", NOTHING_USED).spent, Decimal(4))

    def test_rings_at_once(self) -> None:
        """
        Numbers that ring for an extension, together or later, are no more than it may have calls at once.
        """
        together = tuple(f"+49151123456{place}" for place in range(60, 65))
        later = tuple(FollowMe(f"+49151123456{place}", 20, 30) for place in range(70, 75))
        self.allow("1002", handling=Handling(voicemail=False, simultaneous=together, follow_me=later))
        anna, ben = self.phone("1001"), self.phone("1002")
        invite = anna.call("1002")
        self.assertEqual(len(self.a.invites), 3)
        for ringing in (*self.a.invites, rung := ben.requests("INVITE")[-1]):
            (ben if ringing is rung else self.a).reply(ringing, 180)
        for ringing in self.a.invites[:2]:
            self.a.reply(ringing, 486)
        self.network.advance(20.1)
        self.assertEqual(len(self.a.invites), 5)
        self.assertEqual(self.exchange.usage.get("1002", NOTHING_USED).concurrent, 3)
        self.assertEqual({told.subject for told in self.exchange.alerts.told}, {"1002"})
        for ringing in self.a.invites[2:]:
            self.a.reply(ringing, 486)
        ben.reply(rung, 486)
        anna.acknowledge_refusal(invite, anna.last("INVITE"))

    def test_minutes(self) -> None:
        """
        Who has used the minutes of the day calls nobody more, until the next.
        """
        phone = self.phone("1001")
        invite = phone.call(MOBILE)
        self.a.reply(self.a.invites[-1], 200, body=self.a.sdp())
        answer = phone.last("INVITE")
        phone.acknowledge(invite, answer)
        self.network.advance(1)
        phone.send(phone.within("BYE", invite, answer, cseq=9))
        self.network.advance(0.1)
        self.exchange.usage.restore([{
            "trunk": "A", "payer": "1001", "party": MOBILE, "answered": "2023-11-14T22:20:00+00:00",
            "ended": "2023-11-14T23:10:00+00:00",
        }])
        invite = phone.call(MOBILE)
        answer = phone.last("INVITE")
        phone.acknowledge_refusal(invite, answer)
        self.assertEqual((answer.status, len(self.a.invites)), (403, 1))
        self.network.advance(24 * 3600)
        phone.register(expires=600)
        phone.call(MOBILE)
        self.assertEqual(len(self.a.invites), 2)
        self.a.reply(self.a.invites[-1], 486)
        self.network.advance(1)


class RouteLimitTests(TrunkCase):
    """
    An inbound route leads to a mobile phone: two calls at once, three minutes a day.
    """

    inbound = (InboundRoute(
        "on call", Target("external", MOBILE), did=MAIN, classes=("mobile",), concurrent=2, minutes_per_day=3,
    ),)
    plan = {"outbound": (OutboundRoute("out", trunks=("B",)),)}

    def refused(self, invite: Request) -> None:
        """
        The provider is told no more than that.
        """
        answer = self.a.last("INVITE")
        self.a.acknowledge_refusal(invite, answer)
        (reason,) = parse_reasons(answer.headers.get_all("Reason"))
        self.assertEqual((answer.status, reason.text), (403, "Call rejected"))

    def test_third_call(self) -> None:
        """
        The third call at once is refused, and somebody is told; also of many that begin together.
        """
        waiting: Deferred[None] = Deferred()
        self.exchange.lines.line("B").waits = waiting
        invites = [self.a.offer_call(caller=f"+49151000000{place}") for place in range(3)]
        self.refused(invites[2])
        waiting.callback(None)
        self.network.advance(0.1)
        self.assertEqual(len(self.b.invites), 2)
        text = "inbound route on call has 2 calls beyond the house, and may have 2 at once"
        self.assertEqual(self.exchange.records[0]["reason"], text)
        (told,) = self.exchange.alerts.told
        self.assertEqual((told.kind, told.subject, told.detail["limit"]), ("toll_limit", "on call", "concurrent"))
        for invite, onward in zip(invites[:2], self.b.invites, strict=True):
            self.b.reply(onward, 486)
            self.a.acknowledge_refusal(invite, self.a.last("INVITE"))
        self.assertEqual(self.exchange.usage.get("on call", NOTHING_USED), NOTHING_USED)

    def test_minutes_at_once(self) -> None:
        """
        Two calls at once use up the minutes of the day in half the time, and are ended; none follows on that day.
        """
        for place in range(2):
            invite = self.a.offer_call(caller=f"+49151000000{place}")
            self.b.reply(self.b.invites[-1], 200, body=self.b.sdp())
            self.a.acknowledge(invite, self.a.last("INVITE"))
        self.network.advance(85)
        self.assertEqual(self.b.requests("BYE"), [])
        self.network.advance(15)
        self.assertEqual((len(self.a.requests("BYE")), len(self.b.requests("BYE"))), (2, 2))
        text = "inbound route on call has talked 3 minutes beyond the house today, and may 3"
        self.assertEqual({record["reason"] for record in self.exchange.records}, {text})
        self.refused(self.a.offer_call(caller="+491510000009"))
