"""
Tests for :mod:`pbx.web.time_conditions`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.permissions import Permissions, TollLimits
from pbx.directory.plan import Plan, Site
from pbx.directory.switches import Switches
from pbx.directory.time_condition import Holiday, Hours, SwitchPosition, TimeCondition
from pbx.web.time_conditions import IMoved, TimeConditions
from tests.web.client import Client, FakeAudit
from tests.web.memory_plan import MemoryPlan

BODY = {"name": "office", "hours": [{"days": ["mon", "tue"], "start": "08:30", "end": "17:00"}],
        "holidays": [{"date": "12-25", "name": "Christmas"}], "switch": "1"}
OFFICE = TimeCondition(
    "office", hours=(Hours(("mon", "tue"), "08:30", "17:00"),), holidays=(Holiday("12-25", "Christmas"),), switch="1"
)


@implementer(IMoved)
class MemoryMoved:
    """
    Moves switches in memory.
    """

    def __init__(self, switches: Switches) -> None:
        self.switches = switches
        self.by: list[str] = []

    def move(self, name: str, position: SwitchPosition, actor: str) -> None:
        """
        Move one.
        """
        self.switches.put(name, position)
        self.by.append(actor)


class TimeConditionsTests(SynchronousTestCase):
    """
    Time conditions over the API.
    """

    def setUp(self) -> None:
        """
        A condition from the configuration, on a Monday at noon in Berlin.
        """
        self.plan = MemoryPlan(Plan(
            site=Site(time_zone="Europe/Berlin"), conditions={"fixed": TimeCondition("fixed")},
            limits=TollLimits(hours="fixed"),
        ))
        self.switches = Switches()
        self.moved = MemoryMoved(self.switches)
        self.directory = Directory([Extension("1001", "Ann", permissions=Permissions(hours="office"))])
        self.audit = FakeAudit()
        noon = dt.datetime(2026, 11, 30, 11, tzinfo=dt.UTC).timestamp()
        self.client = Client(TimeConditions(
            self.plan, self.switches, self.moved, self.directory, lambda: noon, self.audit
        ).routes())

    def refused(self, method: str, path: str, body: Any) -> dict[str, str]:
        """
        What is wrong with which field of a body.
        """
        answer = self.client.ask(method, path, body)
        self.assertEqual(answer.status, 422, answer.content)
        return {error["field"]: error["detail"] for error in answer.json["errors"]}

    def test_add_and_change(self) -> None:
        """
        A condition is read as it was written, with whether it is open now and why.
        """
        answer = self.client.ask("POST", "/api/time-conditions", BODY)
        self.assertEqual(answer.status, 201, answer.content)
        self.assertEqual(self.plan.plan.conditions["office"], OFFICE)
        holidays = [{"date": "12-25", "name": "Christmas", "until": None}]
        self.assertEqual(answer.json | BODY | {"holidays": holidays, "from": "database"}, answer.json)
        self.assertEqual((answer.json["now"]["open"], answer.json["now"]["position"]), (True, "auto"))
        self.assertIn("mon 2026-11-30 12:00 Europe/Berlin is within", answer.json["now"]["reason"])
        answer = self.client.ask("PUT", "/api/time-conditions/office", {"zone": "Asia/Tokyo"})
        self.assertFalse(answer.json["now"]["open"])
        self.assertIn("20:00 Asia/Tokyo is outside", answer.json["now"]["reason"])
        names = [each["name"] for each in self.client.ask("GET", "/api/time-conditions").json["time_conditions"]]
        self.assertEqual(sorted(names), ["fixed", "office"])

    def test_mistakes(self) -> None:
        """
        Times, days and zones that there are not are named, and so is a switch that another has.
        """
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"zone": "Europe/Atlantis"}, "zone"), ({"hours": [{"start": "8:30"}]}, "hours[0].start"),
            ({"hours": [{"days": ["monday"]}]}, "hours[0].days"),
            ({"holidays": [{"date": "02-30"}]}, "holidays[0].date"), ({"switch": "x"}, "switch"),
            ({"hour": []}, "hour"),
        ]
        for given, field in wrong:
            self.assertEqual([*self.refused("POST", "/api/time-conditions", {**BODY, **given})], [field])
        self.client.ask("POST", "/api/time-conditions", BODY)
        found = self.refused("POST", "/api/time-conditions", {**BODY, "name": "shop"})
        self.assertEqual(found, {"switch": "1 is the switch of office already"})
        self.assertEqual(self.client.ask("PUT", "/api/time-conditions/office", {"switch": "1"}).status, 200)

    def test_switch(self) -> None:
        """
        A night switch is moved by hand, also that of a condition from the configuration, and says so.
        """
        verifyObject(IMoved, self.moved)
        answer = self.client.ask("PUT", "/api/time-conditions/fixed/switch", {"position": "night"})
        now = answer.json["now"]
        self.assertEqual((answer.status, now["open"], now["position"]), (200, False, "night"))
        self.assertIn("by hand", now["reason"])
        self.assertEqual((self.switches.all(), self.moved.by), ({"fixed": "night"}, ["local:root"]))
        self.assertEqual(
            self.audit.rows, [("local:root", "move", "night switch fixed", {"position": "auto"}, {"position": "night"})]
        )
        self.client.ask("PUT", "/api/time-conditions/fixed/switch", {"position": "auto"})
        self.assertEqual(self.switches.all(), {})
        self.assertEqual(
            [*self.refused("PUT", "/api/time-conditions/fixed/switch", {"position": "dusk"})], ["position"]
        )
        self.assertEqual(self.client.ask("PUT", "/api/time-conditions/x/switch", {"position": "day"}).status, 404)

    def test_remove(self) -> None:
        """
        A condition is not removed while a route, an extension or the limits of the site go by it.
        """
        self.client.ask("POST", "/api/time-conditions", BODY)
        self.plan.put("outbound_route", OutboundRoute("abroad", ("+.",), time="office"))
        answer = self.client.ask("DELETE", "/api/time-conditions/office")
        self.assertEqual(
            (answer.status, answer.json["used_by"]),
            (409, ["outbound route abroad", "the permissions of extension 1001"]),
        )
        self.plan.kept["outbound_route"].clear()
        self.plan.put("outbound_route")
        self.directory.remove("1001")
        self.assertEqual(self.client.ask("DELETE", "/api/time-conditions/office").status, 204)
        self.assertIn("config.yml", self.client.ask("DELETE", "/api/time-conditions/fixed").json["detail"])
