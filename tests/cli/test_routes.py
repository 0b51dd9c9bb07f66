"""
Tests for :mod:`pbx.cli.routes`.
"""

from __future__ import annotations

import json

from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.places import Places
from pbx.directory.plan import Plan
from pbx.directory.switches import Switches
from pbx.directory.time_condition import Holiday, Hours, TimeCondition
from pbx.directory.trunk import Trunk
from pbx.web.destinations import Numbers
from pbx.web.inbound_routes import InboundRoutes
from pbx.web.outbound_routes import OutboundRoutes
from pbx.web.time_conditions import TimeConditions
from tests.cli.case import CommandCase
from tests.web.client import FakeAudit
from tests.web.memory_plan import MemoryPlan
from tests.web.test_time_conditions import MemoryMoved


class RoutesTests(CommandCase):
    """
    ``pbxctl routes``, ``conditions`` and ``switch``.
    """

    def setUp(self) -> None:
        self.plan = MemoryPlan(Plan(
            trunks={"provider": Trunk("provider", "192.0.2.7")}, outbound=(OutboundRoute("fixed", ("0.", "1.")),)
        ))
        directory = Directory([Extension("1001", "Ann")])
        self.switches = Switches()
        self.serve(
            OutboundRoutes(self.plan, FakeAudit()),
            InboundRoutes(self.plan, Numbers(directory, Places()), FakeAudit()),
            TimeConditions(
                self.plan, self.switches, MemoryMoved(self.switches), directory, lambda: 1_800_000_000.0, FakeAudit()
            ),
        )

    def test_outbound(self) -> None:
        """
        Ways out are added, listed in order, changed, moved and removed.
        """
        self.assertEqual(
            self.type("routes outbound add abroad 00.,+. strip=2 prepend=+ trunks=provider"),
            "Outbound route abroad was added, at position 2.",
        )
        self.assertEqual(self.plan.plan.outbound[1], OutboundRoute("abroad", ("00.", "+."), (), 2, "+", ("provider",)))
        self.type("routes outbound add local X.")
        self.assertEqual(self.type("routes outbound move local 2"), "The route local is at position 2.")
        rows = self.rows("routes outbound")
        self.assertEqual([row[:2] for row in rows], [["1", "fixed"], ["2", "local"], ["3", "abroad"]])
        self.assertEqual(rows[0][2:4], ["0.,", "1."])
        self.assertEqual(self.rows("routes outbound list"), rows)
        self.assertIn("enabled: no", self.type("routes outbound set local enabled=off"))
        self.assertIn("allowed is 2 to 3", self.refused("routes outbound move local 1"))
        self.assertIn("config.yml", self.refused("routes outbound remove fixed"))
        self.assertEqual(self.type("routes outbound remove local"), "The route local was removed.")
        self.assertIn("no trunk 'x'", self.refused("routes outbound add bad 1. trunks=x"))

    def test_many(self) -> None:
        """
        All are listed, however many there are.
        """
        self.plan.put("outbound_route", *(OutboundRoute(f"r{number}", ("1.",)) for number in range(1200)))
        rows = self.rows("routes outbound")
        self.assertEqual((len(rows), rows[-1][:2]), (1201, ["1201", "r1199"]))

    def test_inbound(self) -> None:
        """
        Ways in are added with where they lead, listed in order, changed, moved and removed.
        """
        self.assertIn("every call from a trunk is refused", self.type("routes inbound"))
        self.assertEqual(
            self.type("routes inbound add main +493012345 extension:1001 trunk=provider prefix='Main: '"),
            "Inbound route main was added, at position 1.",
        )
        self.assertEqual(
            self.plan.plan.inbound[0],
            InboundRoute("main", Target("extension", "1001"), "+493012345", trunk="provider", prefix="Main: "),
        )
        self.type("routes inbound add rest any voicemail:1001")
        self.assertEqual(
            self.rows("routes inbound list")[1],
            ["2", "rest", "any", "any", "any", "voicemail", "1001", "-", "-", "yes", "database"],
        )
        self.type("conditions add office")
        self.type("routes inbound set main time=office closed=voicemail:1001")
        self.assertEqual(self.plan.plan.inbound[0].closed, Target("voicemail", "1001"))
        self.type("routes inbound set main closed=none")
        self.assertIsNone(self.plan.plan.inbound[0].closed)
        self.type("routes inbound move rest 1")
        self.assertEqual([row[1] for row in self.rows("routes inbound")], ["rest", "main"])
        self.assertIn("no extension '1009'", self.refused("routes inbound add bad any extension:1009"))
        self.assertIn("needed is KIND:TARGET", self.refused("routes inbound add bad any 1001"))
        self.type("routes inbound remove rest")
        self.assertEqual(len(self.plan.plan.inbound), 1)

    def test_conditions(self) -> None:
        """
        Time conditions are added with their hours, shown with whether they are open, switched by hand and removed.
        """
        self.assertEqual(self.type("conditions"), "There are no time conditions.")
        text = self.type(
            "conditions add office 'hours=mon-fri 08:30-17:00, sat 09:00-12:00' holidays=12-25 zone=UTC switch=1"
        )
        self.assertIn("hours: mon tue wed thu fri 08:30-17:00, sat 09:00-12:00", text)
        self.assertEqual(
            self.plan.plan.conditions["office"],
            TimeCondition("office", "UTC", (Hours(start="08:30", end="17:00"), Hours(("sat",), "09:00", "12:00")),
                          (Holiday("12-25"),), "1"),
        )
        self.assertEqual(self.rows("conditions list")[0][:5], ["office", "no", "auto", "1", "database"])
        self.assertIn("office is open: switched to day by hand", self.type("switch office day").lower())
        self.assertEqual(self.rows("conditions")[0][:3], ["office", "yes", "day"])
        self.type("switch office auto")
        self.assertEqual(self.switches.all(), {})
        self.assertIn("2026-12-24..2026-12-26", self.type("conditions set office holidays=2026-12-24..2026-12-26"))
        self.assertEqual(json.loads(self.type("conditions show office --json"))["switch"], "1")
        self.assertIn("hours[0].start", self.refused("conditions add x 'hours=mon 8-9'"))
        self.type("conditions remove office")
        self.assertIn("There is no time condition office", self.refused("switch office night"))
