"""
Tests of :mod:`pbx.directory.simulation` and :mod:`pbx.directory.explain`.
"""

from __future__ import annotations

import datetime as dt

from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.decision import Destination, RouteRequest
from pbx.directory.dialplan import decide
from pbx.directory.directory import Directory
from pbx.directory.explain import DEEPEST, MOST, Node, explain
from pbx.directory.extension import Extension
from pbx.directory.handling import FollowMe, Handling
from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.permissions import Usage
from pbx.directory.places import Choice, Member, Menu, Places, RingGroup
from pbx.directory.plan import Plan, Site
from pbx.directory.simulation import Otherwise, call, followed, time_at
from pbx.directory.situation import Situation
from pbx.directory.time_condition import TimeCondition
from pbx.directory.toll import Denied, payer_of
from pbx.directory.trunk import IDLE, Trunk, TrunkState

PLAN = Plan(
    Site("DE", "30", "Europe/Berlin"),
    {"A": Trunk("A", "a", max_channels=3), "B": Trunk("B", "b", priority=2)},
    inbound=(InboundRoute("Main", Target("menu", "500")),),
    conditions={"Day": TimeCondition("Day")},
)
NOON = dt.datetime(2026, 11, 30, 11, tzinfo=dt.UTC)


def situation(plan: Plan = PLAN, **handlings: Handling) -> Situation:
    """
    1001 to 1003, of whom 1001 may call out; a menu and a ring group.
    """
    people = [
        Extension(
            number, f"N{number[-1]}", allow_external=number == "1001",
            handling=handlings.get(f"x{number}", Handling()),
        )
        for number in ("1001", "1002", "1003")
    ]
    places = Places([
        Menu("500", "Main", choices=(
            Choice("1", Destination("extension", "1002")), Choice("2", Destination("ring_group", "600")),
            Choice("9", Destination("menu", "500")),
        ), on_timeout=Destination("hangup")),
        RingGroup("600", "Sales", members=(Member("1002"), Member("1003")), otherwise=Destination("extension", "1003")),
    ])
    return Situation(
        Directory(people), {"1001": 1, "1002": 2}, places, offers=frozenset({"menu", "ring_group", "voicemail"}),
        plan=plan, trunks={"A": TrunkState("degraded", "sleepy", 1)}, now=lambda: NOON,
    )


class OtherwiseTests(SynchronousTestCase):
    """
    A situation with some of it otherwise.
    """

    def test_leaves_the_rest(self) -> None:
        """
        What is not named is as it is.
        """
        here = situation()
        there = Otherwise().of(here)
        self.assertEqual((there.plan, there.numbers, there.now()), (here.plan, here.numbers, NOON))
        self.assertEqual(there.reachable.get("1002", 0), 2)
        self.assertEqual(there.trunks.get("A", IDLE).reason, "sleepy")

    def test_changes_what_is_named(self) -> None:
        """
        Trunks, phones, switches, use, time and what people want done with their calls.
        """
        at = NOON + dt.timedelta(days=1)
        there = Otherwise(
            at, {"A": "cut"}, full=("B",), unregistered=("1002",), registered=("1003",), switches={"Day": "night"},
            usage={"1001": Usage(3)}, handling={"1002": Handling(dnd=True)}, callbacks={"+49": "1001"},
        ).of(situation())
        self.assertEqual((there.trunks.get("A", IDLE).health, there.trunks.get("A", IDLE).reason), ("down", "cut"))
        self.assertEqual(there.plan.trunks["B"].max_channels, there.trunks.get("B", IDLE).channels)
        self.assertEqual((there.reachable.get("1002", 9), there.reachable.get("1003", 0)), (0, 1))
        self.assertEqual((there.switches.get("Day", "auto"), there.switches.get("Other", "auto")), ("night", "auto"))
        self.assertEqual(there.usage.get("1001", Usage()).concurrent, 3)
        self.assertEqual(there.now(), at)
        self.assertEqual(there.callbacks.get("+49", ""), "1001")
        busy, other = there.numbers.extension("1002"), there.numbers.extension("1003")
        assert busy is not None
        assert other is not None
        self.assertTrue(busy.handling.dnd)
        self.assertFalse(other.handling.dnd)
        self.assertIn("1002", there.numbers)
        self.assertIsNone(there.numbers.extension("9"))

    def test_a_trunk_is_up_again(self) -> None:
        """
        A trunk with which something is wrong can be taken as sound.
        """
        self.assertEqual(Otherwise(up=("A",)).of(situation()).trunks.get("A", TrunkState("down")).health, "up")

    def test_full_with_as_many_calls_as_it_may_have(self) -> None:
        """
        A trunk with a limit is full at that limit.
        """
        self.assertEqual(Otherwise(full=("A",)).of(situation()).trunks.get("A", IDLE).channels, 3)

    def test_tells_what_is_not_there(self) -> None:
        """
        Whoever mistypes a name must not believe the answer.
        """
        mistaken = Otherwise(down={"X": ""}, full=("A",), unregistered=("9",), switches={"Night": "night"})
        self.assertEqual(
            mistaken.unknown(situation()),
            ["there is no trunk X", "there is no extension 9", "there is no time condition Night"],
        )

    def test_times(self) -> None:
        """
        A time without a zone is one of the site.
        """
        self.assertEqual(time_at("2026-07-01T12:00", situation()).astimezone(dt.UTC).hour, 10)
        self.assertEqual(time_at("2026-07-01T12:00Z", situation()).hour, 12)
        self.assertRaises(ValueError, time_at, "noon", situation())


class CallTests(SynchronousTestCase):
    """
    The request of a call.
    """

    def test_nobody_beyond_the_house_is_an_extension(self) -> None:
        """
        A caller that claims a number of the house is marked as one of beyond it.
        """
        for number in ("1001", "500"):
            self.assertEqual(call(number, "+49301", situation(), trunk="A").caller, f"{number}@A")
        self.assertEqual(call("4915112345678", "+49301", situation(), trunk="A").caller, "+4915112345678")
        self.assertEqual(call("1001", "1002", situation()).caller, "1001")

    def test_what_was_called(self) -> None:
        """
        The likeliest number comes first.
        """
        request = call("1", "+49303", situation(), trunk="A", called=("+49301", "+49302"))
        self.assertEqual((request.number, request.called), ("+49301", ("+49301", "+49302", "+49303")))

    def test_no_star_code_for_strangers(self) -> None:
        """
        Whoever has come in reaches no star code, wherever it is sent.
        """
        here = situation()
        request = RouteRequest("+4915112345678", "*97", trunk="A", route="Main")
        self.assertEqual(decide(request, here).destination.status, 404)
        here = Situation(here.numbers, here.reachable, star_codes={"*97": "voicemail"}, offers={"mailbox"}, plan=PLAN)
        self.assertEqual(decide(request, here).destination.status, 403)

    def test_nobody_answers_for_strangers(self) -> None:
        """
        A stranger has no permission of its own, whatever number it claims.
        """
        self.assertIsInstance(payer_of(RouteRequest("1001", "030123456", trunk="A"), situation()), Denied)
        self.assertIsInstance(payer_of(RouteRequest("1001", "030123456", trunk="A", route="Gone"), situation()), Denied)

    def test_nothing_follows_in_a_place(self) -> None:
        """
        What follows on ringing follows only where somebody rings.
        """
        here = situation()
        request = RouteRequest("1001", "600")
        self.assertIsNone(followed(request, decide(request, here), "busy", here))


class ExplainTests(SynchronousTestCase):
    """
    The tree.
    """

    def nodes(self, node: Node) -> list[Node]:
        """
        A node and all below it.
        """
        return [node, *(each for branch in node.branches for each in self.nodes(branch))]

    def test_keys_of_a_menu(self) -> None:
        """
        Each key is a branch, and below it what follows there; menus that lead to themselves end.
        """
        tree = explain(call("+4915112345678", "+49301", situation(), trunk="A"), situation())
        self.assertEqual((tree.destination.kind, tree.route), ("menu", "Main"))
        branches = {branch.when: branch for branch in tree.branches}
        self.assertEqual(
            [*branches], ["if 1 is pressed", "if 2 is pressed", "if 9 is pressed", "if no key is pressed"]
        )
        self.assertEqual(branches["if 1 is pressed"].branches[0].when, "if 1002 is busy")
        self.assertEqual(branches["if 2 is pressed"].rings, ("1002 (2 phones)", "1003 (0 phones)"))
        self.assertEqual(branches["if 2 is pressed"].branches[0].destination.target, "1003")
        self.assertEqual(branches["if no key is pressed"].destination.kind, "hangup")
        self.assertLessEqual(len(self.nodes(tree)), MOST + DEEPEST * 4)

    def test_a_key_that_leads_out(self) -> None:
        """
        A number beyond the house behind a key is at the expense of whom the menu names.
        """
        here = situation()
        out = tuple(
            Choice(key, Destination("number", "015112345678", payer)) for key, payer in (("1", "1001"), ("2", "1002"))
        )
        here.places.put(Menu("500", "Main", choices=out))  # type: ignore[attr-defined]
        first, second = explain(call("+4915112345679", "+49301", here, trunk="A"), here).branches
        self.assertEqual((first.destination.kind, first.destination.target), ("outside", "+4915112345678"))
        self.assertEqual((second.destination.kind, second.destination.status), ("refuse", 403))

    def test_who_rings(self) -> None:
        """
        Each number that rings, when, for how long, over which trunks, and whether it is asked for a key.
        """
        steps = (FollowMe("1002", 5, 10, confirm=False), FollowMe("015112345678", 20))
        here = situation(x1001=Handling(follow_me=steps))
        self.assertEqual(explain(RouteRequest("1003", "1001"), here).rings, (
            "1001 (1 phone)", "1002 (2 phones), after 5 s, for 10 s",
            "+4915112345678 over B, then A, after 20 s, and is asked for a key",
        ))

    def test_routes_that_do_not_match(self) -> None:
        """
        Each route before the one that takes a call says why it does not; so does each when none does.
        """
        plan = Plan(PLAN.site, PLAN.trunks, (
            OutboundRoute("Abroad", ("00.",)), OutboundRoute("Off", ("0.",), enabled=False),
            OutboundRoute("Home", ("0.",)), OutboundRoute("Rest", ("1.",)),
        ))
        reasons = explain(RouteRequest("1001", "030123456"), situation(plan)).reasons
        self.assertEqual(reasons[:3], (
            "route Abroad: 030123456 does not match 00.", "route Off: it is disabled",
            "outbound route Home takes 030123456",
        ))
        reasons = explain(RouteRequest("1001", "4711"), situation(plan)).reasons
        self.assertIn("route Rest: 4711 does not match 1.", reasons)
        reasons = explain(RouteRequest("1001", "1002"), situation(plan)).reasons
        self.assertEqual(reasons[0], "1002 is the extension of N2")

    def test_names_no_more_routes_than_anybody_reads(self) -> None:
        """
        With thousands of routes only the first are named.
        """
        plan = Plan(PLAN.site, PLAN.trunks, tuple(OutboundRoute(f"R{n}", ("1.",)) for n in range(5000)))
        reasons = explain(RouteRequest("1001", "030123456"), situation(plan)).reasons
        self.assertIn("and so with further routes", reasons)
        self.assertLess(len(reasons), 30)
