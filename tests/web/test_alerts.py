"""
Tests of :mod:`pbx.web.alerts`, :mod:`pbx.web.usage` and :mod:`pbx.cli.alerts`.
"""

from __future__ import annotations

from decimal import Decimal

from twisted.internet.task import Clock

from pbx.calls.events import LegAnswered, LegBegan
from pbx.calls.usage import UsageCounters
from pbx.directory.plan import Plan, PlanBook
from pbx.directory.rates import Rate
from pbx.ops.alerts import Alerts
from pbx.web.alerts import AlertsResource
from pbx.web.usage import UsageResource
from tests.cli.case import CommandCase
from tests.web.client import Client, FakeAudit

RATES = {"49": Rate("49", Decimal("0.10"))}


class UsageTests(CommandCase):
    """
    What was used of the limits, over the API and typed.
    """

    def test_shown(self) -> None:
        """
        Who has used something is shown with calls, seconds and cost, since the day began where the site is.
        """
        clock = Clock()
        usage = UsageCounters(clock, lambda: 1_700_000_000.0 + clock.seconds(), PlanBook(Plan(rates={"A": RATES})))
        self.serve(UsageResource(usage))
        self.assertEqual(self.type("usage"), "Nobody has called beyond the house today.")
        usage.event(LegBegan("c", 0.0, 2, "out", "+4930", "udp", "x", trunk="A", payer="1001"))
        usage.event(LegAnswered("c", 0.0, 2, "PCMU"))
        usage.searching("1002", 1)
        clock.advance(75)
        answer = Client(UsageResource(usage).routes()).ask("GET", "/api/usage").json
        self.assertEqual(answer["since"], "2023-11-14T00:00:00.000+00:00")
        self.assertEqual(answer["usage"], [
            {"payer": "1001", "calls": 1, "seconds": 75, "spent": "0.20"},
            {"payer": "1002", "calls": 1, "seconds": 0, "spent": "0"},
        ])
        self.assertEqual(self.rows("usage"), [["1001", "1", "75", "0.20"], ["1002", "1", "0", "0"]])


class AlertsTests(CommandCase):
    """
    What somebody must see to, over the API and typed.
    """

    def setUp(self) -> None:
        """
        Two alerts, of which one is settled.
        """
        self.alerts, self.audit = Alerts(Clock(), lambda: 1000.0), FakeAudit()
        self.alerts.alert("trunk", "A", "Trunk A is down.")
        self.alerts.alert("emergency", "1001", "1001 called 112.\nWhere: Yard", detail={"callback": "+4930123456"})
        self.alerts.alert("trunk", "B", "Trunk B is down.")
        self.alerts.settled("trunk", "B", "Trunk B is up.")
        resource = AlertsResource(self.alerts, self.audit)
        self.ask = Client(resource.routes()).ask
        self.serve(resource)

    def test_list(self) -> None:
        """
        The open ones are listed, or all.
        """
        listed = self.ask("GET", "/api/alerts").json["alerts"]
        self.assertEqual(
            [(alert["kind"], alert["state"]) for alert in listed], [("trunk", "open"), ("emergency", "open")]
        )
        self.assertEqual(listed[1]["detail"], {"callback": "+4930123456"})
        self.assertEqual(listed[0]["began"], "1970-01-01T00:16:40.000+00:00")
        every = self.ask("GET", "/api/alerts?state=all").json["alerts"]
        self.assertEqual([alert["outcome"] for alert in every], ["", "", "Trunk B is up."])

    def test_acknowledge(self) -> None:
        """
        Whoever takes note is written down, and audited.
        """
        alert = next(alert for alert in self.alerts.list() if alert.kind == "emergency")
        answer = self.ask("POST", f"/api/alerts/{alert.id}/acknowledge").json
        self.assertEqual((answer["state"], answer["acknowledged_by"]), ("settled", "local:root"))
        self.assertEqual(self.ask("POST", f"/api/alerts/{alert.id}/acknowledge").json, answer)
        self.assertEqual([row[:3] for row in self.audit.rows],
                         [("local:root", "acknowledge", f"alert {alert.id} (emergency 1001)")])
        self.assertEqual(self.ask("POST", "/api/alerts/none/acknowledge").status, 404)

    def test_typed(self) -> None:
        """
        ``pbxctl alerts`` lists, ``pbxctl alerts ack`` takes note.
        """
        shown = self.type("alerts")
        self.assertIn("1001 called 112.; Where: Yard", shown)
        self.assertNotIn("Trunk B", shown)
        self.assertIn("Trunk B is down.", self.type("alerts --all"))
        for alert in self.alerts.list():
            said = self.type(f"alerts ack {alert.id}")
            self.assertIn(f"Alert {alert.kind} {alert.subject} was acknowledged", said)
            self.assertEqual("stays open" in said, alert.kind == "trunk")
        self.assertIn("There is no alert none.", self.refused("alerts ack none"))
