"""
Tests of :mod:`pbx.directory.forwarding`.
"""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.directory import Directory
from pbx.directory.emergency import Emergency
from pbx.directory.extension import Extension
from pbx.directory.forwarding import forwarding_fault
from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.permissions import TollLimits, Usage
from pbx.directory.plan import Plan, Site
from pbx.directory.situation import Situation
from pbx.directory.trunk import Trunk, TrunkState

PLAN = Plan(Site("DE", "30", "Europe/Berlin"), {"A": Trunk("A", "a")}, emergency=Emergency(("112",)))
MOBILE = "01511234567"


class ForwardingTests(SynchronousTestCase):
    """
    1001 may call beyond the house, 1002 may not.
    """

    def fault(self, number: str, extension: str = "1001", plan: Plan = PLAN, **more: object) -> str:
        """
        Why calls can't be sent there.
        """
        people = [Extension("1001", "Ann", allow_external=True), Extension("1002", "Bob")]
        return forwarding_fault(number, extension, evolve(Situation(Directory(people), {}, plan=plan), **more))

    def test_to_a_mobile(self) -> None:
        """
        Calls can be sent to what the extension may call, written as it dials it or in full.
        """
        self.assertEqual(self.fault(MOBILE), "")
        self.assertEqual(self.fault("+491511234567"), "")
        prefixed = evolve(PLAN, site=evolve(PLAN.site, outside_prefix="0"))
        self.assertEqual(self.fault("0" + MOBILE, plan=prefixed), "")
        self.assertIn("dialled with 0 in front", self.fault("1511234567", plan=prefixed))

    def test_not_allowed(self) -> None:
        """
        Whoever may not call there can't have calls sent there, and is told why.
        """
        self.assertIn("1002 may not call beyond the house", self.fault(MOBILE, "1002"))
        self.assertEqual(self.fault("09001234567"), "1001 may not call premium numbers")
        self.assertEqual(self.fault("112"), "calls are not forwarded to emergency numbers")

    def test_nowhere(self) -> None:
        """
        What leads nowhere is no number.
        """
        self.assertIn("there is no trunk", self.fault(MOBILE, plan=Plan()))
        plan = evolve(PLAN, outbound=(OutboundRoute("Abroad", ("00.",)),))
        self.assertIn("no outbound route takes", self.fault(MOBILE, plan=plan))

    def test_what_passes(self) -> None:
        """
        A trunk that is down, and a limit of the day that is reached, are no reason: calls are sent there for longer.
        """
        self.assertEqual(self.fault(MOBILE, trunks={"A": TrunkState("down", "no answer")}), "")
        plan = evolve(PLAN, limits=TollLimits(minutes_per_day=1))
        self.assertEqual(self.fault(MOBILE, plan=plan, usage={"1001": Usage(seconds=90)}), "")

    def test_to_a_number_of_the_house(self) -> None:
        """
        Calls can be sent to a number of the house by whoever may not call beyond it, but to their own extension.
        """
        plan = evolve(PLAN, inbound=(
            InboundRoute("ann", Target("extension", "1001"), "+4930123451"),
            InboundRoute("gone", Target("extension", "1009"), "+4930123459"),
        ))
        self.assertEqual(self.fault("030123451", "1002", plan=plan), "")
        self.assertEqual(self.fault("030123451", "1001", plan=plan), "it leads to 1001 itself")
        self.assertEqual(self.fault("030123459", "1001", plan=plan), "there is no extension 1009")
