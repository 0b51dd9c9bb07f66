"""
Tests for :mod:`pbx.web.outbound_routes` and :mod:`pbx.web.inbound_routes`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.places import Menu, Places
from pbx.directory.plan import Plan
from pbx.directory.time_condition import TimeCondition
from pbx.directory.trunk import Trunk
from pbx.web.destinations import Numbers
from pbx.web.extensions import Extensions
from pbx.web.inbound_routes import InboundRoutes
from pbx.web.outbound_routes import OutboundRoutes
from tests.web.client import Client, FakeAudit
from tests.web.fakes import MemoryExtensions
from tests.web.memory_plan import MemoryPlan

EXTENSION = {"kind": "extension", "target": "1001"}


class RoutesCase(SynchronousTestCase):
    """
    Routes over the API.
    """

    def setUp(self) -> None:
        """
        A plan with a trunk, a condition and a route each way from the configuration, an extension and a menu.
        """
        self.plan = MemoryPlan(Plan(
            trunks={"branch": Trunk("branch", "192.0.2.7")},
            conditions={"office": TimeCondition("office")},
            outbound=(OutboundRoute("fixed", ("0.",)),),
            inbound=(InboundRoute("fixed", Target("hangup"), "+1"),),
        ))
        people = [Extension("1001", "Ann")]
        numbers = Numbers(Directory(people), Places([Menu("500", "Main")]), plan=lambda: self.plan.plan)
        self.audit = FakeAudit()
        extensions = MemoryExtensions()
        extensions.kept = {person.number: person for person in people}
        self.client = Client([
            *OutboundRoutes(self.plan, self.audit).routes(),
            *InboundRoutes(self.plan, numbers, self.audit).routes(),
            *Extensions(extensions, self.audit, numbers).routes(),
        ])

    def refused(self, method: str, path: str, body: Any) -> dict[str, str]:
        """
        What is wrong with which field of a body.
        """
        answer = self.client.ask(method, path, body)
        self.assertEqual(answer.status, 422, answer.content)
        return {error["field"]: error["detail"] for error in answer.json["errors"]}


class OutboundRoutesTests(RoutesCase):
    """
    ``/api/outbound-routes``.
    """

    def test_add_and_change(self) -> None:
        """
        A route is asked behind all others, is read as it was written, and changed in part.
        """
        body = {"name": "abroad", "patterns": ["+.", "011."], "strip": 3, "prepend": "+", "trunks": ["branch"],
                "time": "office", "call_class": "international", "least_cost": True}
        answer = self.client.ask("POST", "/api/outbound-routes", body)
        self.assertEqual(answer.status, 201)
        self.assertEqual((answer.json | body, answer.json["position"]), (answer.json, 2))
        route = OutboundRoute("abroad", ("+.", "011."), (), 3, "+", ("branch",), "office", "international", None, True)
        self.assertEqual(self.plan.plan.outbound[1], route)
        answer = self.client.ask("PUT", "/api/outbound-routes/abroad", {"time": None, "enabled": False})
        self.assertEqual((answer.json["time"], answer.json["enabled"], answer.json["strip"]), (None, False, 3))
        listed = self.client.ask("GET", "/api/outbound-routes").json["outbound_routes"]
        self.assertEqual([(each["name"], each["position"], each["from"]) for each in listed],
                         [("fixed", 1, "config"), ("abroad", 2, "database")])
        self.assertEqual(listed[1], self.client.ask("GET", "/api/outbound-routes/abroad").json)

    def test_pages(self) -> None:
        """
        Many routes are listed page by page.
        """
        self.plan.put("outbound_route", *(OutboundRoute(f"r{number}", ("1.",)) for number in range(1200)))
        whole = self.client.ask("GET", "/api/outbound-routes").json
        self.assertEqual((len(whole["outbound_routes"]), whole["total"]), (1000, 1201))
        page = self.client.ask("GET", "/api/outbound-routes?after=1199&limit=5").json
        self.assertEqual([(each["name"], each["position"]) for each in page["outbound_routes"]],
                         [("r1198", 1200), ("r1199", 1201)])
        self.assertEqual(self.client.ask("GET", "/api/outbound-routes?limit=1001").status, 422)

    def test_configured_anew(self) -> None:
        """
        Where a route is from is told also after the configuration was read again.
        """
        self.client.ask("POST", "/api/outbound-routes", {"name": "a", "patterns": ["."]})
        self.assertEqual(self.client.ask("GET", "/api/outbound-routes/a").json["from"], "database")
        self.plan.book.configure(Plan(outbound=(OutboundRoute("a", ("0.",)),)))
        self.assertEqual(self.client.ask("GET", "/api/outbound-routes/a").json["from"], "config")
        self.assertEqual(self.client.ask("DELETE", "/api/outbound-routes/a").status, 409)

    def test_mistakes(self) -> None:
        """
        Names of nothing and missing patterns are named.
        """
        body = {"name": "x", "trunks": ["branch", "other", "branch"], "time": "never", "patterns": []}
        found = self.refused("POST", "/api/outbound-routes", body)
        self.assertEqual(found.keys(), {"patterns", "trunks[1]", "trunks[2]", "time"})
        self.assertEqual(found["trunks[1]"], "there is no trunk 'other'")
        found = self.refused("POST", "/api/outbound-routes", {**body, "patterns": ["q"]})
        self.assertIn("is no pattern", found["patterns"])

    def test_order(self) -> None:
        """
        A route is moved among those of the database; those of the configuration come first.
        """
        for name in "abc":
            self.client.ask("POST", "/api/outbound-routes", {"name": name, "patterns": ["."]})
        answer = self.client.ask("PUT", "/api/outbound-routes/c/position", {"position": 2})
        self.assertEqual((answer.status, answer.json["position"]), (200, 2))
        self.assertEqual([route.name for route in self.plan.plan.outbound], ["fixed", "c", "a", "b"])
        self.assertEqual(self.audit.rows[-1][1:], ("move", "outbound route c", {"position": 4}, {"position": 2}))
        for position in (1, 5):
            found = self.refused("PUT", "/api/outbound-routes/c/position", {"position": position})
            self.assertEqual(found, {"position": "allowed is 2 to 4; those of config.yml come first"})
        self.assertEqual(self.client.ask("PUT", "/api/outbound-routes/fixed/position", {"position": 2}).status, 409)
        self.assertEqual(self.client.ask("PUT", "/api/outbound-routes/x/position", {"position": 2}).status, 404)
        self.plan.gone.add("a")
        self.assertEqual(self.client.ask("PUT", "/api/outbound-routes/a/position", {"position": 2}).status, 404)

    def test_remove(self) -> None:
        """
        A route is removed.
        """
        self.client.ask("POST", "/api/outbound-routes", {"name": "a", "patterns": ["."]})
        self.assertEqual(self.client.ask("DELETE", "/api/outbound-routes/a").status, 204)
        self.assertEqual(self.client.ask("DELETE", "/api/outbound-routes/a").status, 404)
        self.assertEqual(self.client.ask("DELETE", "/api/outbound-routes/fixed").status, 409)


class InboundRoutesTests(RoutesCase):
    """
    ``/api/inbound-routes``.
    """

    def test_add_and_change(self) -> None:
        """
        A route is asked behind all others, is read as it was written, and changed in part.
        """
        body = {"name": "main", "did": "+493012345", "caller": "+49.", "trunk": "branch", "time": "office",
                "destination": {"kind": "menu", "target": "500"}, "closed": {"kind": "voicemail", "target": "1001"},
                "concurrent": 2, "spend_per_day": "12.50", "prefix": "Sales: "}
        answer = self.client.ask("POST", "/api/inbound-routes", body)
        self.assertEqual(answer.status, 201, answer.content)
        self.assertEqual((answer.json | body, answer.json["position"]), (answer.json, 2))
        route = InboundRoute("main", Target("menu", "500"), "+493012345", "+49.", "branch", "office",
                             Target("voicemail", "1001"), concurrent=2, spend_per_day=Decimal("12.50"),
                             prefix="Sales: ")
        self.assertEqual(self.plan.plan.inbound[1], route)
        changes = {"destination": EXTENSION, "closed": None, "time": None}
        answer = self.client.ask("PUT", "/api/inbound-routes/main", changes)
        self.assertEqual((answer.json["destination"], answer.json["closed"]), (EXTENSION, None))
        self.assertEqual(self.plan.plan.inbound[1].destination, Target("extension", "1001"))
        self.assertEqual(self.plan.plan.inbound[1].spend_per_day, Decimal("12.50"))

    def test_mistakes(self) -> None:
        """
        Destinations that lead nowhere, and names of nothing, are named by their field.
        """
        wrong: list[tuple[dict[str, Any], str, str]] = [
            ({"destination": {"kind": "extension", "target": "1009"}}, "destination.target", "no extension '1009'"),
            ({"destination": {"kind": "ring_group", "target": "500"}}, "destination.target", "no ring group '500'"),
            ({"destination": {"kind": "queue", "target": "500"}}, "destination.kind", "no queues"),
            ({"destination": {"kind": "hangup", "target": "5"}}, "destination.target", "not wanted"),
            ({"destination": {"kind": "announcement"}}, "destination.target", "name of a prompt"),
            ({"destination": {"kind": "external", "target": "abc"}}, "destination.target", "as an extension would"),
            ({"destination": {"kind": "external", "target": "+491"}}, "classes", "what callers may be led to"),
            ({"destination": {"kind": "teapot"}}, "destination.kind", "one of extension"),
            ({"closed": {"kind": "extension", "target": "1009"}, "time": "office"}, "closed.target", "no extension"),
            ({"closed": EXTENSION}, "closed", "no time that says when"),
            ({"trunk": "other"}, "trunk", "no trunk 'other'"),
            ({"time": "never"}, "time", "no time condition 'never'"),
            ({"concurrent": -1}, "concurrent", "0 to 1000"),
            ({"spend_per_day": "-1"}, "spend_per_day", "an amount of money"),
            ({"did": "+49 30"}, "did", "no pattern"),
            ({"caller": "nobody"}, "caller", "anonymous"),
        ]
        for given, field, text in wrong:
            found = self.refused("POST", "/api/inbound-routes", {"name": "x", "destination": EXTENSION, **given})
            self.assertEqual([*found], [field], given)
            self.assertIn(text, found[field])
        right = {"name": "x", "destination": {"kind": "external", "target": "+491"}, "classes": ["national"]}
        self.assertEqual(self.client.ask("POST", "/api/inbound-routes", right).status, 201)

    def test_who_leads_here(self) -> None:
        """
        An extension to which a route leads is not removed: the answer says by which.
        """
        self.client.ask("POST", "/api/inbound-routes", {"name": "main", "destination": EXTENSION})
        answer = self.client.ask("DELETE", "/api/extensions/1001")
        self.assertEqual((answer.status, answer.json["used_by"]), (409, ["inbound route main"]))
        self.client.ask("DELETE", "/api/inbound-routes/main")
        self.assertEqual(self.client.ask("DELETE", "/api/extensions/1001").status, 204)
