"""
Property tests of the dialplan: whatever is dialled by whomever, in whatever plan.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.decision import Diversion, RouteRequest
from pbx.directory.dialplan import after, decide, ringing_plan
from pbx.directory.directory import Directory
from pbx.directory.emergency import Emergency, Location
from pbx.directory.explain import explain
from pbx.directory.extension import Extension
from pbx.directory.handling import FollowMe, Handling
from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.numbering import dialled, received, writings
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.permissions import CLASSES, Permissions, TollLimits, Usage
from pbx.directory.places import Places, RingGroup
from pbx.directory.plan import Plan, Site
from pbx.directory.rates import Rate
from pbx.directory.simulation import FAILURES, then
from pbx.directory.situation import Situation
from pbx.directory.star_codes import USUAL
from pbx.directory.time_condition import Holiday, Hours, TimeCondition
from pbx.directory.trunk import Trunk, TrunkState

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

KEYS = some.text("0123456789+*#", max_size=20)
LIKELY = some.sampled_from([
    "1001", "1002", "112", "0112", "600", "*97", "030123456", "0015112345678", "+4915112345678", "4930123456",
    "00442079460000", "09001234567", "8765551234", "2125551234", "1001@A", "anonymous", "",
])
NUMBERS = LIKELY | LIKELY.map(str) | LIKELY.map(lambda number: number) | KEYS | some.text(max_size=40)
"""What is dialled: mostly what people dial, sometimes anything."""
PATTERNS = some.sampled_from(["0.", "+49.", "X!", "[1-9]XX", "!", ".", ".", ".", "1001", "bad[", "+4930123456"]) | KEYS
NAMES = some.sampled_from(["A", "A", "A", "B", "C", "missing"])
CONDITIONS = some.none() | some.none().map(lambda none: none) | some.sampled_from(["Day", "Odd", "missing"])
KINDS = some.sampled_from([
    "extension", "ring_group", "menu", "conference", "voicemail", "announcement", "external", "hangup", "queue",
])
TARGETS = some.builds(Target, KINDS, NUMBERS)
SITES = some.builds(
    Site, some.sampled_from(["DE", "US", "GB", "IT", "FR", "RU", "XX"]), some.sampled_from(["", "30", "212", "20"]),
    some.sampled_from(["UTC", "Europe/Berlin", "Nowhere/Land"]), some.sampled_from(["", "0", "9"]),
)
TRUNKS = some.builds(
    Trunk, name=NAMES, host=some.just("h"), enabled=some.sampled_from([True, True, False]),
    priority=some.integers(1, 3),
    max_channels=some.none() | some.integers(1, 3), dids=some.just(()) | some.lists(PATTERNS, max_size=2).map(tuple),
    caller_id=some.none() | KEYS, number_format=some.sampled_from(["e164", "national", "as-is"]),
    diversion=some.booleans(), emergency=some.booleans(),
)
OUTBOUND = some.builds(
    OutboundRoute, NAMES, some.lists(PATTERNS, max_size=2).map(tuple), some.just(()) | some.just(("10XX",)),
    some.just(0) | some.integers(0, 5), some.just("") | KEYS, some.lists(NAMES, max_size=2).map(tuple), CONDITIONS,
    some.none() | some.sampled_from(CLASSES), some.none() | KEYS, some.booleans(), some.just(True),
)
INBOUND = some.builds(
    InboundRoute, NAMES, TARGETS, PATTERNS, some.just("") | some.just("anonymous") | PATTERNS,
    some.none() | some.just("A"), CONDITIONS, some.none() | TARGETS,
    some.lists(some.sampled_from(CLASSES), max_size=2).map(tuple),
)
LIMITS = some.builds(
    TollLimits, some.just(CLASSES) | some.just(("local",)), some.integers(0, 3), some.integers(0, 3), some.none(),
    CONDITIONS,
    some.lists(KEYS, max_size=1).map(tuple), some.lists(KEYS, max_size=1).map(tuple),
)
RATES = some.dictionaries(
    some.sampled_from(["4", "49", "1"]), some.builds(Rate, some.just("49"), some.decimals(0, 5, places=2)),
)
PLANS = some.builds(
    Plan,
    site=SITES,
    trunks=some.lists(TRUNKS, min_size=1, max_size=3).map(lambda trunks: {trunk.name: trunk for trunk in trunks}),
    outbound=some.lists(OUTBOUND, max_size=3).map(tuple),
    inbound=some.lists(INBOUND, max_size=3).map(tuple),
    conditions=some.just({
        "Day": TimeCondition("Day", None, (Hours(start="08:00", end="18:00"),), (Holiday("12-24", "", "01-06"),)),
        "Odd": TimeCondition("Odd", "Moon/Crater", (Hours(start="later", end=""),), (Holiday("x", "", "y"),)),
    }),
    rates=some.dictionaries(NAMES, RATES, max_size=2),
    limits=LIMITS,
    emergency=some.builds(
        Emergency, some.sampled_from([("112",), ("911", "112"), ()]), some.none() | some.just("933"), some.none(),
        some.just((Location("L", {}, ("10.0.0.0/8", "not a network")),)), some.none() | some.just("L"),
        some.none() | KEYS, some.none() | some.just("1002"),
    ),
)
HANDLINGS = some.builds(
    Handling, some.booleans(), some.none() | NUMBERS, some.none() | NUMBERS, some.none() | NUMBERS,
    some.none() | NUMBERS, some.none(), some.booleans(), some.lists(NUMBERS, max_size=2).map(tuple),
    some.lists(some.builds(FollowMe, NUMBERS), max_size=2).map(tuple), some.lists(NUMBERS, max_size=2).map(tuple),
)
PERMISSIONS = some.builds(
    Permissions, some.none() | some.just(("local", "mobile")), some.none() | KEYS, location=some.none() | NAMES
)
PEOPLE = some.tuples(*(
    some.builds(
        Extension, number=some.just(number), name=some.just("N"), allow_external=some.sampled_from([True, True, False]),
        enabled=some.sampled_from([True, True, True, False]), handling=some.just(Handling()) | HANDLINGS,
        permissions=PERMISSIONS,
    )
    for number in ("1001", "1002", "030123456")
))
STATES = some.builds(TrunkState, some.sampled_from(["up", "degraded", "down"]), some.just("why"), some.integers(0, 3))
def situations(plans: SearchStrategy[Plan], people: SearchStrategy[tuple[Extension, ...]]) -> SearchStrategy[Situation]:
    """
    Situations with some plans and people.
    """
    return some.builds(
        Situation,
        people.map(Directory),
        some.fixed_dictionaries({"1001": some.integers(0, 2), "1002": some.integers(0, 2)}),
        some.just(Places([RingGroup("600", "Sales")])),
        some.just(USUAL),
        some.just(frozenset({"800"})),
        some.just(frozenset({"voicemail", "ring_group", "announcement"})),
        plans,
        some.dictionaries(NAMES, STATES),
        some.dictionaries(some.just("1001"), some.builds(Usage, some.integers(0, 5), some.integers(0, 300))),
        some.dictionaries(some.sampled_from(["Day", "Odd"]), some.sampled_from(["day", "night", "auto"])),
        some.datetimes(timezones=some.just(dt.UTC)).map(lambda now: lambda: now),
        some.dictionaries(NUMBERS, some.just("1001"), max_size=1),
    )


ANYTHING = situations(PLANS, PEOPLE)

ORDINARY = situations(
    some.builds(
        Plan,
        site=some.sampled_from([Site("DE", "30", "Europe/Berlin", "0"), Site("US", "212", "UTC"), Site("GB", "20")]),
        trunks=some.lists(TRUNKS, min_size=1, max_size=3).map(lambda trunks: {trunk.name: trunk for trunk in trunks}),
        outbound=some.just(()) | some.just((OutboundRoute("All", (".",)),)),
        inbound=some.tuples(some.builds(InboundRoute, some.just("A"), TARGETS, classes=some.just(CLASSES))),
        limits=some.builds(TollLimits, some.just(CLASSES) | some.just(("local", "mobile"))),
    ),
    some.builds(Handling, forward_always=some.none() | LIKELY, simultaneous=some.tuples(LIKELY)).map(
        lambda handling: (
            Extension("1001", "N", allow_external=True, handling=handling), Extension("1002", "M", handling=handling),
        )
    ),
)
SITUATIONS = ANYTHING | ORDINARY

INSIDE = some.builds(
    RouteRequest, some.sampled_from(["1001", "1001", "1002"]) | NUMBERS, NUMBERS, some.none() | some.just("1001"),
    some.just(()) | some.lists(
        some.builds(Diversion, NUMBERS, some.sampled_from(["always", "transfer"])), max_size=6
    ).map(tuple),
    some.booleans(), address=some.sampled_from(["", "10.1.2.3", "[::ffff:10.1.2.3]:5060", "nowhere"]),
)
FROM_OUTSIDE = some.builds(
    RouteRequest, NUMBERS, NUMBERS, some.none() | some.just("1001"), anonymous=some.booleans(), trunk=NAMES,
    called=some.lists(NUMBERS, max_size=3).map(tuple), route=some.just("") | NAMES,
)
DIALLED = some.builds(RouteRequest, some.sampled_from(["1001", "1002"]), LIKELY)
REQUESTS = INSIDE | FROM_OUTSIDE | DIALLED

PINNED = settings(derandomize=True, deadline=None, max_examples=150, database=None)


class DecisionProperties(SynchronousTestCase):
    """
    What holds for every decision.
    """

    @PINNED
    @given(REQUESTS, SITUATIONS)
    def test_always_decides(self, request: RouteRequest, situation: Situation) -> None:
        """
        There is always a decision; one that refuses says why; one that leads outside names trunks, and who answers.
        """
        self.check(request, situation)

    @PINNED
    @given(DIALLED, ORDINARY)
    def test_decides_about_ordinary_calls(self, request: RouteRequest, situation: Situation) -> None:
        """
        The same where most calls lead somewhere.
        """
        self.check(request, situation)

    def check(self, request: RouteRequest, situation: Situation) -> None:
        """
        Look at a decision.
        """
        decision = decide(request, situation)
        destination = decision.destination
        self.assertTrue(decision.reasons)
        self.assertTrue(all(reason and reason.strip() for reason in decision.reasons))
        if destination.kind == "refuse":
            self.assertTrue(400 <= destination.status <= 699, destination)
            self.assertTrue(destination.cause and destination.text)
        self.assertEqual(destination.kind == "outside", destination.outgoing is not None)
        outgoing = destination.outgoing
        if outgoing is None:
            return
        enabled = {name for name, trunk in situation.plan.trunks.items() if trunk.enabled}
        self.assertLessEqual({way.trunk for way in outgoing.ways}, enabled)
        if outgoing.emergency is not None:
            self.assertEqual(request.trunk, "")
            self.assertEqual({way.trunk for way in outgoing.ways}, enabled)
            return
        self.assertTrue(outgoing.ways)
        if request.anonymous:
            self.assertEqual({way.caller for way in outgoing.ways}, {""})
        # An extension that may call out, or an inbound route that may, answers for it.
        payer = decision.on_behalf or (None if request.trunk or request.route else request.caller)
        if payer is not None:
            extension = situation.numbers.extension(payer)
            assert extension is not None
            self.assertTrue(extension.enabled and extension.allow_external)
        else:
            self.assertIn(outgoing.call_class, situation.plan.inbound.by_name[decision.route or request.route].classes
                          if not situation.plan.limits.allowed else CLASSES)

    @PINNED
    @given(REQUESTS, SITUATIONS, some.sampled_from([*FAILURES]))
    def test_something_follows(self, request: RouteRequest, situation: Situation, outcome: str) -> None:
        """
        Upon every outcome of ringing an extension there is a decision, and a plan whom to ring.
        """
        decision = decide(request, situation)
        for number in ("1001", "1002"):
            extension = situation.numbers.extension(number)
            if extension is None:
                continue
            rings = ringing_plan(extension, situation, request)
            self.assertEqual(rings[0].number, number)
            self.assertEqual(len({ring.number for ring in rings}), len(rings))
            follows = after(
                extension, outcome, then(request, decision), situation, FAILURES[outcome],  # type: ignore[arg-type,index]
            )
            self.assertTrue(follows.reasons)

    @settings(PINNED, max_examples=50)
    @given(REQUESTS, SITUATIONS)
    def test_can_be_explained(self, request: RouteRequest, situation: Situation) -> None:
        """
        Every call has a tree, which ends.
        """
        count, todo = 0, [explain(request, situation).as_row()]
        while todo:
            count += 1
            todo += todo.pop()["branches"]
        self.assertLess(count, 200)

    @PINNED
    @given(NUMBERS, SITES)
    def test_reads_every_number(self, number: str, site: Site) -> None:
        """
        Whatever is dialled or sent is read, and E.164 of E.164 is the same.
        """
        for read in (dialled, received):
            public = read(number, site)
            if public.e164:
                self.assertRegex(public.e164, r"^\+[1-9][0-9]{2,17}$")
                self.assertEqual(dialled(public.e164, site).e164, public.e164)
        self.assertIn(number or "", ("", *writings(number, site)))
