"""
Tests for :mod:`pbx.web.permissions`.
"""

from __future__ import annotations

from decimal import Decimal

import attrs
import msgspec
from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.emergency import Emergency, Location
from pbx.directory.extension import Extension
from pbx.directory.permissions import USUAL_CLASSES, Permissions
from pbx.directory.plan import Plan
from pbx.directory.time_condition import TimeCondition
from pbx.web.permissions import ChangedPermissions, PermissionsOfExtensions
from tests.web.client import Client, FakeAudit
from tests.web.fakes import MemoryExtensions
from tests.web.memory_plan import MemoryPlan

PATH = "/api/extensions/1001/permissions"
BODY = {"classes": ["local", "international"], "caller_id": "+493012345", "concurrent": 2, "minutes_per_day": 30,
        "spend_per_day": 1.5, "hours": "office", "location": "HQ"}


class PermissionsTests(SynchronousTestCase):
    """
    Permissions over the API.
    """

    def setUp(self) -> None:
        """
        An extension, a time condition and a location.
        """
        plan = MemoryPlan(Plan(
            conditions={"office": TimeCondition("office")}, emergency=Emergency(locations=(Location("HQ"),))
        ))
        self.extensions = MemoryExtensions()
        self.extensions.kept = {"1001": Extension("1001", "Ann", allow_external=True)}
        self.audit = FakeAudit()
        self.client = Client(PermissionsOfExtensions(self.extensions, plan, self.audit).routes())

    def test_fields(self) -> None:
        """
        Everything that an extension may do can be said.
        """
        names = {field.name for field in attrs.fields(Permissions)}
        self.assertEqual({field.name for field in msgspec.structs.fields(ChangedPermissions)}, names)

    def test_change(self) -> None:
        """
        What is left out stays, what is null is left to the site; what is in force is shown beside it.
        """
        shown = self.client.ask("GET", PATH).json
        usual = {"classes": [*USUAL_CLASSES], "concurrent": 4, "minutes_per_day": 600, "spend_per_day": "50",
                 "hours": None}
        self.assertEqual(shown, {**dict.fromkeys(BODY), "allow_external": True, "in_force": usual})
        answer = self.client.ask("PUT", PATH, BODY)
        self.assertEqual(answer.status, 200, answer.content)
        wanted = Permissions(("local", "international"), "+493012345", 2, 30, Decimal("1.5"), "office", "HQ")
        self.assertEqual(self.extensions.kept["1001"].permissions, wanted)
        answer = self.client.ask("PUT", PATH, {"concurrent": None, "classes": []})
        self.assertEqual(self.extensions.kept["1001"].permissions, attrs.evolve(wanted, concurrent=None, classes=()))
        self.assertEqual((answer.json["minutes_per_day"], answer.json["in_force"]["concurrent"]), (30, 4))
        self.assertEqual(answer.json["in_force"]["classes"], [])
        self.assertEqual(self.audit.rows[-1][1:3], ("change", "permissions of extension 1001"))

    def test_mistakes(self) -> None:
        """
        What cannot be is named by its field.
        """
        for field, value in (
            ("classes", ["lunar"]), ("caller_id", "me"), ("concurrent", -1), ("minutes_per_day", "many"),
            ("spend_per_day", -1), ("hours", "never"), ("location", "Mars"), ("colour", "red"),
        ):
            answer = self.client.ask("PUT", PATH, {field: value})
            self.assertEqual((answer.status, answer.json["field"]), (422, field), answer.content)
        self.assertEqual(self.client.ask("GET", "/api/extensions/1002/permissions").status, 404)
        self.assertEqual(self.client.ask("PUT", "/api/extensions/1002/permissions", {}).status, 404)
