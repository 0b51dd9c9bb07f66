"""
Tests for :mod:`pbx.cli.trunks` and :mod:`pbx.cli.settings`.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from pbx.cli.api import CliError
from pbx.cli.settings import holidays, hours, settings, target
from pbx.directory.extension import Extension
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.permissions import Permissions
from pbx.directory.plan import Plan
from pbx.directory.time_condition import DAYS, TimeCondition
from pbx.directory.trunk import Trunk
from pbx.ops.plan_sections import OutboundRoute as OutboundRouteBody
from pbx.ops.plan_sections import Trunk as TrunkBody
from pbx.web.extensions import Extensions
from pbx.web.permissions import PermissionsOfExtensions
from pbx.web.rates import Rates
from pbx.web.trunks import Trunks
from tests.cli.case import CommandCase
from tests.web.client import FakeAudit
from tests.web.fakes import MemoryExtensions
from tests.web.memory_plan import MemoryPlan, MemoryStates
from tests.web.test_rates import MemoryRates

PASSWORD = "SecurePassword123!"


class SettingsTests(CommandCase):
    """
    What is typed as ``SETTING=VALUE``.
    """

    def test_plain(self) -> None:
        """
        Each value becomes what its field takes; hyphens are as good as underscores.
        """
        typed = ["max-channels=10", "port=none", "enabled=off", "register=yes", "codecs=PCMA, PCMU", "dids=none",
                 "failover_on=403,488", "username=0049301", "transport=tls", "number-format=as-is"]
        self.assertEqual(settings(TrunkBody, typed), {
            "max_channels": 10, "port": None, "enabled": False, "register": True, "codecs": ["PCMA", "PCMU"],
            "dids": [], "failover_on": [403, 488], "username": "0049301", "transport": "tls", "number_format": "as-is",
        })
        # Names that look like numbers stay names.
        self.assertEqual(settings(OutboundRouteBody, ["trunks=1,2", "strip=3", "prepend=0049"]),
                         {"trunks": ["1", "2"], "strip": 3, "prepend": "0049"})

    def test_refused(self) -> None:
        """
        What there is not, and what cannot be, is said; a password is no setting that others would see being typed.
        """
        for typed, said in (
            ("colour=red", "the setting one of auth_username"), ("enabled", "SETTING=VALUE"),
            ("name=x", "SETTING=VALUE"), ("password=x", "SETTING=VALUE"), ("enabled=maybe", "on or off"),
            ("priority=high", "whole number"),
        ):
            self.assertIn(said, str(self.assertRaises(CliError, settings, TrunkBody, [typed])), typed)

    def test_times(self) -> None:
        """
        Hours are spans of days, over the weekend too, and holidays are days or several.
        """
        self.assertEqual(hours("mon-fri 08:30-17:00, sat+sun 9:00 - 12:00"), [
            {"days": [*DAYS[:5]], "start": "08:30", "end": "17:00"},
            {"days": ["sat", "sun"], "start": "9:00", "end": "12:00"},
        ])
        self.assertEqual(hours("sat-mon 00:00-24:00")[0]["days"], ["sat", "sun", "mon"])
        self.assertEqual((hours("none"), holidays("none")), ([], []))
        self.assertEqual(holidays("12-25, 2026-12-27..2026-12-31"), [
            {"date": "12-25", "until": None}, {"date": "2026-12-27", "until": "2026-12-31"},
        ])
        for wrong in ("mon", "mon-fry 08:00-09:00", "08:00-09:00"):
            self.assertRaises(ValueError, hours, wrong)

    def test_target(self) -> None:
        """
        A destination is its kind and what it leads to.
        """
        self.assertEqual(target("ring-group:600"), {"kind": "ring_group", "target": "600"})
        self.assertEqual((target("hangup"), target("none")), ({"kind": "hangup", "target": ""}, None))
        self.assertRaises(ValueError, target, "1005")


class TrunksTests(CommandCase):
    """
    ``pbxctl trunks``, ``rates`` and ``permissions``.
    """

    def setUp(self) -> None:
        self.plan = MemoryPlan(Plan(
            trunks={"branch": Trunk("branch", "192.0.2.7", priority=2, enabled=False)},
            conditions={"office": TimeCondition("office")},
        ))
        self.states = MemoryStates()
        self.extensions = MemoryExtensions()
        self.extensions.kept = {"1001": Extension("1001", "Ann", allow_external=True)}

        async def at_once(work: Any, *args: Any) -> Any:
            return work(*args)

        self.serve(
            Trunks(self.plan, self.states, FakeAudit()),
            Rates(self.plan, MemoryRates(self.plan.book), at_once, FakeAudit()),
            Extensions(self.extensions, FakeAudit()),
            PermissionsOfExtensions(self.extensions, self.plan, FakeAudit()),
        )

    def test_trunks(self) -> None:
        """
        Trunks are listed with how they are, shown, added with a password that is asked for, changed and removed.
        """
        said = self.type("trunks add provider sip.example.com username=4930 max-channels=10", PASSWORD)
        self.assertIn("was added", said)
        wanted = Trunk("provider", "sip.example.com", username="4930", password=PASSWORD, max_channels=10)
        self.assertEqual(self.plan.plan.trunks["provider"], wanted)
        self.states.states["provider"] = {
            "health": "degraded", "since": "2026-11-30T12:00:00.000+00:00", "reason": "no answer to OPTIONS",
            "registered": True, "channels": 3,
        }
        rows = self.rows("trunks")
        self.assertEqual(rows[0][:4], ["provider", "sip.example.com", "1", "degraded"])
        self.assertEqual(rows[0][-7:], ["yes", "3", "database", "no", "answer", "to", "OPTIONS"])
        self.assertEqual(rows[1], ["branch", "192.0.2.7", "2", "off", "-", "-", "-", "config", "-"])
        self.assertEqual(self.rows("trunks list"), rows)
        shown = self.type("trunks show provider")
        self.assertIn("password set: yes", shown)
        self.assertNotIn(PASSWORD, shown)
        self.assertIn("port: 5061", self.type("trunks set provider port=5061 transport=tls"))
        self.assertEqual(self.plan.plan.trunks["provider"].password, PASSWORD)
        self.assertEqual(self.type("trunks password provider", "x" * 12), "Trunk provider has a new password.")
        self.assertEqual(json.loads(self.type("trunks show provider --json"))["port"], 5061)
        self.plan.put("outbound_route", OutboundRoute("all", (".",), trunks=("provider",)))
        self.assertIn("is used by outbound route all", self.refused("trunks remove provider"))
        self.assertIn("config.yml", self.refused("trunks remove branch"))
        self.plan.kept["outbound_route"].clear()
        self.plan.put("outbound_route")
        self.assertEqual(self.type("trunks remove provider"), "Trunk provider was removed.")
        self.assertIn("There is no trunk provider", self.refused("trunks show provider"))

    def test_another_host(self) -> None:
        """
        Another host or proxy has the password asked for anew where there is one, and never takes it away.
        """
        self.type("trunks add provider sip.example.com username=4930", PASSWORD)
        self.assertIn("needed anew", self.refused("trunks set provider host=new.example"))
        self.assertEqual(self.plan.plan.trunks["provider"].password, PASSWORD)
        self.type("trunks set provider host=sip.example.com priority=3")
        self.assertIn("host: new.example", self.type("trunks set provider host=new.example", "y" * 12))
        self.type("trunks set provider outbound-proxy=sbc.example.com", "z" * 12)
        trunk = self.plan.plan.trunks["provider"]
        self.assertEqual((trunk.outbound_proxy, trunk.password), ("sbc.example.com", "z" * 12))
        self.type("trunks add open 192.0.2.9")
        self.assertIn("host: 192.0.2.10", self.type("trunks set open host=192.0.2.10"))

    def test_rates(self) -> None:
        """
        Rates are imported from a file, listed and removed; each bad line is said.
        """
        file = Path(self.mktemp())
        file.write_text("prefix,rate,connection_fee,increments\n4930,0.01,0.05,60/1\n1,0.02,,\n")
        self.assertEqual(self.type(f"rates import branch {file}"), "Trunk branch has 2 rates.")
        self.assertEqual(self.plan.plan.rates["branch"]["4930"].rate, Decimal("0.01"))
        self.assertEqual(self.rows("rates list branch --prefix 49"), [["4930", "0.01", "0.05", "60/1"]])
        file.write_text("prefix,rate\nx,0.01\n1,y\n")
        said = self.refused(f"rates import branch {file}")
        self.assertIn("line 2: found 'x' as prefix", said)
        self.assertIn("line 3: found 'y' as rate", said)
        self.assertEqual(len(self.rows("rates list branch")), 2)
        self.assertIn("were removed", self.type("rates remove branch"))
        self.assertEqual(self.type("rates list branch"), "There are no such rates.")

    def test_permissions(self) -> None:
        """
        What an extension may call is shown, with what is in force, and changed in part.
        """
        self.assertIn("concurrent: 4", self.type("permissions 1001"))
        text = self.type(
            "permissions 1001 classes=local,mobile concurrent=2 spend-per-day=2.50 hours=office caller-id=+4930"
        )
        self.assertIn("classes: local, mobile", text)
        self.assertEqual(
            self.extensions.kept["1001"].permissions,
            Permissions(("local", "mobile"), "+4930", 2, None, Decimal("2.50"), "office"),
        )
        self.type("permissions 1001 classes=none concurrent=none")
        self.assertEqual(
            self.extensions.kept["1001"].permissions,
            Permissions(None, "+4930", None, None, Decimal("2.50"), "office"),
        )
        self.assertIn("no time condition 'never'", self.refused("permissions 1001 hours=never"))
        for typed, may in (("on", True), ("off", False)):
            self.type(f"permissions 1001 external={typed}")
            self.assertEqual(self.extensions.kept["1001"].allow_external, may)
