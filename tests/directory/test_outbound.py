"""
Tests of :mod:`pbx.directory.outbound`: who may call beyond the house, and over which trunks.
"""

from __future__ import annotations

from decimal import Decimal

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.decision import RouteRequest
from pbx.directory.dialplan import decide, ringing_plan
from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.handling import FollowMe, Handling
from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.permissions import TollLimits
from pbx.directory.plan import Plan, Site
from pbx.directory.rates import Rate
from pbx.directory.situation import Situation
from pbx.directory.trunk import Trunk, TrunkState

GERMANY = Plan(
    Site("DE", "30", "Europe/Berlin"),
    {
        "Second": Trunk("Second", "b", priority=2, max_channels=2),
        "First": Trunk("First", "a", number_format="national", caller_id="+493012345"),
    },
)


def situation(handling: Handling | None = None, plan: Plan = GERMANY, **states: TrunkState) -> Situation:
    """
    1001 may call out, 1002 may not; 1003 may, and is handled as told.
    """
    directory = Directory([
        Extension("1001", "Anna", allow_external=True), Extension("1002", "Ben"),
        Extension("1003", "Carla", allow_external=True, handling=handling or Handling(voicemail=False)),
    ])
    return Situation(directory, {"1001": 1, "1002": 1, "1003": 1}, plan=plan, trunks=states)


class OutsideTests(SynchronousTestCase):
    """
    Calls beyond the house without a route of their own.
    """

    def test_goes_out_over_all_trunks(self) -> None:
        """
        One trunk is enough to call out; several are tried by priority, each with the number as it wants it.
        """
        outgoing = decide(RouteRequest("1001", "030123456"), situation()).destination.outgoing
        assert outgoing is not None
        self.assertEqual((outgoing.number, outgoing.call_class), ("+4930123456", "local"))
        self.assertEqual(
            [(way.trunk, way.number, way.caller) for way in outgoing.ways],
            [("First", "030123456", "03012345"), ("Second", "+4930123456", "1001")],
        )

    def test_leaves_out_trunks_that_cannot(self) -> None:
        """
        A trunk that is down or full is not tried, and the reasons say so; with none left the call is refused.
        """
        down, full = TrunkState("down", "no answer to OPTIONS"), TrunkState(channels=2)
        decision = decide(RouteRequest("1001", "030123456"), situation(First=down))
        self.assertIn("trunk First is down: no answer to OPTIONS", decision.reasons)
        self.assertEqual(decision.reasons[-1], "over Second")
        decision = decide(RouteRequest("1001", "030123456"), situation(First=down, Second=full))
        self.assertIn("trunk Second is full (2 of 2 channels)", decision.reasons)
        self.assertEqual((decision.destination.status, decision.destination.cause), (503, 34))

    def test_asks_for_permission(self) -> None:
        """
        Who may not call out is refused, and so is a number of a kind that costs more.
        """
        self.assertEqual(decide(RouteRequest("1002", "030123456"), situation()).destination.status, 403)
        decision = decide(RouteRequest("1001", "09001234567"), situation())
        self.assertEqual(decision.destination.text, "1001 may not call premium numbers")
        self.assertEqual([limited.limit for limited in decision.limited], ["classes"])

    def test_strangers_use_up_no_limit_of_an_extension(self) -> None:
        """
        An inbound route that leads beyond the house answers for its calls itself, also when it is named like 1001.
        """
        for name, payer in (("1001", "route 1001"), ("On call", "On call")):
            routes = (InboundRoute(name, Target("external", "015112345678"), did="+4930555", classes=("mobile",)),)
            request = RouteRequest("+4989123456", "+4930555", trunk="First", called=("+4930555",))
            outgoing = decide(request, situation(plan=evolve(GERMANY, inbound=routes))).destination.outgoing
            assert outgoing is not None
            self.assertEqual(outgoing.payer, payer)

    def test_sees_the_number_behind_an_order_to_the_provider(self) -> None:
        """
        What is blocked is blocked, and what costs money has its price, also with the number hidden before it.
        """
        limits = TollLimits(classes=("mobile", "premium"), blocked=("+882",))
        rates = {"First": {"49151": Rate("49151", Decimal("0.5"))}}
        site = evolve(GERMANY.site, outside_prefix="0")
        routes = (OutboundRoute("any", patterns=(".",)),)
        here = situation(plan=evolve(GERMANY, site=site, limits=limits, rates=rates, outbound=routes))
        for number in ("00088212345678", "0*31#0088212345678"):
            self.assertEqual([each.limit for each in decide(RouteRequest("1001", number), here).limited], ["blocked"])
        outgoing = decide(RouteRequest("1001", "0*31#015112345678"), here).destination.outgoing
        assert outgoing is not None
        self.assertEqual([way.rate for way in outgoing.ways], [Decimal("0.5"), None])
        self.assertEqual(outgoing.longest, 50 * 60 * 2)

    def test_goes_by_the_permission_of_who_forwards(self) -> None:
        """
        1002 reaches a mobile phone to which 1003 forwards its calls.
        """
        decision = decide(RouteRequest("1002", "1003"), situation(Handling(forward_always="015112345678")))
        self.assertEqual(decision.destination.kind, "outside")
        self.assertEqual(decision.on_behalf, "1003")

    def test_rings_a_number_beyond_the_house(self) -> None:
        """
        Follow me leads to a mobile phone, but never to the caller, and only where the extension may call it.
        """
        steps = (FollowMe("015112345678", 10), FollowMe("09001234567"))
        here = situation(Handling(follow_me=steps))
        extension = here.numbers.extension("1003")
        assert extension is not None
        rings = ringing_plan(extension, here, RouteRequest("1002", "1003"))
        self.assertEqual([(ring.number, ring.outgoing is not None) for ring in rings],
                         [("1003", False), ("015112345678", True)])
        caller = RouteRequest("+4915112345678", "1003", trunk="First", route="Main")
        self.assertEqual([ring.number for ring in ringing_plan(extension, here, caller)], ["1003"])

    def test_asks_whoever_picks_up_beyond_the_house(self) -> None:
        """
        A mobile phone that rings together with the extension asks for a key: when it is off, its mailbox would be the
        first to answer every call.
        """
        here = situation(Handling(simultaneous=("1001", "015112345678")))
        extension = here.numbers.extension("1003")
        assert extension is not None
        rings = ringing_plan(extension, here, RouteRequest("1002", "1003"))
        self.assertEqual(
            [(ring.number, ring.confirm) for ring in rings], [("1003", False), ("1001", False), ("015112345678", True)]
        )

    def test_emergency_from_any_phone(self) -> None:
        """
        An emergency call needs no permission and goes over every trunk, the marked first, those that are down last.
        """
        trunks = {**GERMANY.trunks, "Marked": Trunk("Marked", "c", priority=9, emergency=True)}
        here = situation(plan=evolve(GERMANY, trunks=trunks), First=TrunkState("down"))
        outgoing = decide(RouteRequest("1002", "112"), here).destination.outgoing
        assert outgoing is not None
        self.assertIsNotNone(outgoing.emergency)
        self.assertEqual([way.trunk for way in outgoing.ways], ["Marked", "Second", "First"])
