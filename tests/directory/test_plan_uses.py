"""
Tests of :mod:`pbx.directory.plan_uses`.
"""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.emergency import Emergency, Location
from pbx.directory.extension import Extension
from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.permissions import Permissions, TollLimits
from pbx.directory.plan import Plan
from pbx.directory.plan_uses import unknown, users_of_condition, users_of_number, users_of_trunk
from pbx.directory.time_condition import TimeCondition
from pbx.directory.trunk import Trunk

PLAN = Plan(
    trunks={"a": Trunk("a", "x")},
    conditions={"office": TimeCondition("office")},
    outbound=(
        OutboundRoute("one", ("1",), trunks=("a", "b"), time="office"), OutboundRoute("two", ("2",), time="never"),
    ),
    inbound=(
        InboundRoute("three", Target("extension", "1001"), trunk="a", time="office", closed=Target("menu", "500")),
        InboundRoute("four", Target("external", "1001"), trunk="c"),
        InboundRoute("five", Target("announcement", "1001"), time="never"),
    ),
    limits=TollLimits(hours="office"),
)
PEOPLE = (
    Extension("1001", "Ann", permissions=Permissions(hours="office")), Extension("1002", "Bob"),
    Extension("1003", "Cy", permissions=Permissions(hours="never")),
)


class UsesTests(SynchronousTestCase):
    """
    Who names what.
    """

    def test_users(self) -> None:
        """
        A trunk, a condition and a number are named by those who need them, in words.
        """
        self.assertEqual(users_of_trunk(PLAN, "a"), ["outbound route one", "inbound route three"])
        self.assertEqual(users_of_trunk(PLAN, "d"), [])
        self.assertEqual(users_of_condition(PLAN, "office", PEOPLE), [
            "outbound route one", "inbound route three", "limits.hours of config.yml",
            "the permissions of extension 1001",
        ])
        self.assertEqual(users_of_number(PLAN, "500"), ["inbound route three"])
        # What is beyond the house, and what is a prompt, are no numbers of it.
        self.assertEqual(users_of_number(PLAN, "1001"), ["inbound route three"])

    def test_unknown(self) -> None:
        """
        Whoever names what there is not is told of, with the name.
        """
        self.assertEqual([*unknown(PLAN, PEOPLE)], [
            ("outbound route one", "trunk", "b"),
            ("inbound route four", "trunk", "c"),
            ("outbound route two", "time condition", "never"),
            ("inbound route five", "time condition", "never"),
            ("extension 1003", "time condition", "never"),
        ])
        help_ = Emergency(notify=("1001", "1007"), desk="1008", locations=(Location("Yard", notify=("1009", "1002")),))
        ways = (InboundRoute("six", Target("extension", "1004"), closed=Target("extension", "1005"), time="office"),)
        self.assertEqual([*unknown(evolve(PLAN, outbound=(), inbound=ways, emergency=help_), PEOPLE[:2])], [
            ("inbound route six", "extension", "1004"), ("inbound route six", "extension", "1005"),
            ("emergency.notify", "extension", "1007"), ("emergency.desk", "extension", "1008"),
            ("the emergency location Yard", "extension", "1009"),
        ])
        self.assertEqual([*unknown(Plan())], [])
        self.assertEqual([*unknown(evolve(PLAN, limits=TollLimits(hours="gone")))][:2], [
            ("limits.hours", "time condition", "gone"), ("outbound route one", "trunk", "b"),
        ])
