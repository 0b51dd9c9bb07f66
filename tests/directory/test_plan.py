"""
Tests for :mod:`pbx.directory.plan`.
"""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.plan import Plan, PlanBook, Site
from pbx.directory.trunk import Trunk

DESK = Target("extension", "1001")
CONFIGURED = Plan(
    trunks={"A": Trunk("A", "192.0.2.1")},
    outbound=(OutboundRoute("abroad", ("00.",)), OutboundRoute("off", ("0.",), enabled=False)),
    inbound=(InboundRoute("main", DESK, "+4930100"),),
)


class PlanBookTests(SynchronousTestCase):
    """
    The configuration and the database together.
    """

    def setUp(self) -> None:
        """
        A book, and what it tells of changes.
        """
        self.book = PlanBook(CONFIGURED)
        self.changes: list[tuple[Plan, Plan]] = []
        self.book.on_change(lambda before, after: self.changes.append((before, after)))

    def test_configuration_comes_first(self) -> None:
        """
        Routes of the database are asked after those of the configuration, and one whose name that has is left out.
        """
        self.book.keep("outbound_route", [OutboundRoute("abroad", ("1.",)), OutboundRoute("rest", (".",))])
        self.book.keep("trunk", [Trunk("A", "192.0.2.9"), Trunk("B", "192.0.2.2")])
        plan = self.book.plan
        self.assertEqual([route.name for route in plan.outbound], ["abroad", "off", "rest"])
        self.assertEqual([(name, plan.trunks[name].host) for name in "AB"], [("A", "192.0.2.1"), ("B", "192.0.2.2")])
        self.assertEqual(self.book.hidden(), [("trunk", "A"), ("outbound_route", "abroad")])

    def test_observers(self) -> None:
        """
        Whoever wants to know is told of the plan before and after, of nothing where it is the same, and whatever
        becomes of another observer.
        """
        def faulty(before: Plan, after: Plan) -> None:
            raise RuntimeError("a fault of ours")

        book = PlanBook(CONFIGURED)
        book.on_change(faulty)
        book.on_change(lambda before, after: self.changes.append((before, after)))
        book.configure(evolve(CONFIGURED))
        self.assertEqual(self.changes, [])
        moved = evolve(CONFIGURED, site=Site("DE"))
        book.configure(moved)
        self.assertEqual(self.changes, [(CONFIGURED, moved)])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_same_routes(self) -> None:
        """
        Routes that stay as they are, are not taken apart again for what else has changed, wherever they are from.
        """
        self.book.keep("inbound_route", [InboundRoute("side", DESK, "+4930101")])
        before = self.book.plan
        before.prepare()
        self.book.configure(evolve(CONFIGURED, site=Site("DE"), outbound=tuple(CONFIGURED.outbound)))
        self.book.keep("inbound_route", [InboundRoute("side", DESK, "+4930101")])
        self.book.keep("trunk", [Trunk("B", "192.0.2.2")])
        after = self.book.plan
        self.assertEqual((after.site.country, [*after.trunks]), ("DE", ["B", "A"]))
        self.assertIs(after.outbound.by_pattern, before.outbound.by_pattern)
        self.assertIs(after.inbound.by_did, before.inbound.by_did)

    def test_other_routes(self) -> None:
        """
        Routes that were added or removed are found, or not any more.
        """
        self.book.plan.prepare()
        self.book.keep("inbound_route", [InboundRoute("side", DESK, "+4930101")])
        plan = self.book.plan
        self.assertEqual([route.name for route in plan.inbound.by_did.matching("+4930101")], ["side"])
        self.assertEqual(plan.inbound.by_name["side"].did, "+4930101")
        self.assertEqual([route.name for route in plan.outbound.by_pattern.matching("0049")], ["abroad"])
        self.book.keep("inbound_route", [])
        self.assertEqual(self.book.plan.inbound.by_did.matching("+4930101"), [])
