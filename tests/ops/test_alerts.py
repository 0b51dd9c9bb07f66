"""
Tests of :mod:`pbx.ops.alerts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.calls.alerts import IAlerts, NoAlerts
from pbx.features.mail import Mail
from pbx.ops import alerts as module
from pbx.ops.alerts import Alerts
from pbx.store.alerts import Alert


class Kept:
    """
    What would be stored.
    """

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.letters: list[Mail] = []

    def save(self, alert: Alert, letters: Sequence[Mail] = ()) -> None:
        """
        Keep one.
        """
        self.alerts[alert.id] = alert
        self.letters += letters


class AlertsTests(SynchronousTestCase):
    """
    What is told, how often, and to whom.
    """

    def setUp(self) -> None:
        """
        Alerts that would be stored, and what is logged.
        """
        self.clock = Clock()
        self.kept = Kept()
        self.alerts = self.again()
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self._logged)
        self.addCleanup(globalLogPublisher.removeObserver, self._logged)

    def again(self) -> Alerts:
        """
        The alerts of another run.
        """
        return Alerts(
            self.clock, lambda: 1000.0 + self.clock.seconds(), self.kept, mail=["ann@example.com"], name="exchange"
        )

    def _logged(self, event: Any) -> None:
        if event["log_namespace"].startswith("pbx.ops.alerts") and event["log_level"] is LogLevel.error:
            self.lines.append(formatEvent(event))

    def test_interface(self) -> None:
        """
        It is what calls tell.
        """
        verifyObject(IAlerts, self.alerts)
        verifyObject(IAlerts, NoAlerts())

    def test_begins_and_ends(self) -> None:
        """
        What is wrong is open until it is well again; one mail tells of each.
        """
        self.alerts.settled("trunk", "A", "It is up.")
        self.alerts.alert("trunk", "A", "Trunk A is down: no answer. Look at the line.")
        (alert,) = self.alerts.list()
        self.assertEqual((alert.kind, alert.subject, alert.began, alert.settled), ("trunk", "A", 1000.0, None))
        self.clock.advance(10)
        self.alerts.settled("trunk", "A", "Trunk A is up.")
        self.assertEqual(self.alerts.list(), [])
        (ended,) = self.alerts.list(settled=True)
        self.assertEqual((ended.id, ended.settled, ended.outcome), (alert.id, 1010.0, "Trunk A is up."))
        self.assertEqual(self.kept.alerts, {alert.id: ended})
        began, settled = self.kept.letters
        self.assertEqual(began.subject, "exchange: Trunk A is down: no answer")
        self.assertIn("Look at the line.", began.text)
        self.assertEqual(settled.subject, "exchange: Settled: Trunk A is up.")
        self.assertNotEqual(began.message, settled.message)

    def test_other_addresses(self) -> None:
        """
        The next alert is told to those who are named now; the end of one that is open, to those who were told of it.
        """
        self.alerts.alert("trunk", "A", "Trunk A is down.")
        self.alerts.reconfigure(mail=["bob@example.com"], can_mail=True, name="house")
        self.alerts.alert("trunk", "B", "Trunk B is down.")
        self.alerts.settled("trunk", "A", "It is up.")
        self.alerts.reconfigure(mail=["bob@example.com"], can_mail=False, name="house")
        self.alerts.alert("trunk", "C", "Trunk C is down.")
        told = [letter.recipient for letter in self.kept.letters]
        self.assertEqual(told, ["ann@example.com", "bob@example.com", "ann@example.com"])

    def test_said_again(self) -> None:
        """
        The same once more is no other alert and no other mail, and is logged once a minute.
        """
        for second in range(61):
            self.alerts.alert("trunk", "A", f"Trunk A is down for {second} s.")
            self.clock.advance(1)
        (alert,) = self.alerts.list()
        self.assertEqual((alert.text, alert.began, alert.changed), ("Trunk A is down for 60 s.", 1000.0, 1060.0))
        self.assertEqual(len(self.kept.letters), 1)
        self.assertEqual(
            self.lines, ["Alert trunk A: Trunk A is down for 0 s.", "Alert trunk A: Trunk A is down for 60 s."]
        )

    def test_lines(self) -> None:
        """
        Of a text with several lines the first is the mail's subject, and all are one line of the log.
        """
        self.alerts.alert("emergency", "1001", "EMERGENCY: 1001 (Dr. Ann) called 112\nWhere: Yard\nWhen: now")
        self.assertEqual(self.kept.letters[0].subject, "exchange: EMERGENCY: 1001 (Dr. Ann) called 112")
        self.assertIn("\nWhere: Yard\n", self.kept.letters[0].text)
        self.assertEqual(
            self.lines, ["Alert emergency 1001: EMERGENCY: 1001 (Dr. Ann) called 112; Where: Yard; When: now"]
        )

    def test_of_a_call(self) -> None:
        """
        What is about one call is found in the log by it.
        """
        self.alerts.alert("emergency", "1001", "EMERGENCY: 1001 called 112", detail={"call": "c0ffee"})
        self.assertEqual(self.lines, ["c0ffee: Alert emergency 1001: EMERGENCY: 1001 called 112"])

    def test_flood(self) -> None:
        """
        Alerts without end neither fill the log nor the mailbox nor the memory; an emergency is told all the same.
        """
        for number in range(2000):
            self.alerts.alert("inbound", str(number), "Nobody has this number.")
        self.alerts.alert("emergency", "1001", "1001 called 112.", mail=["desk@example.com"])
        self.assertEqual(len(self.alerts.list()), module.MOST_OPEN)
        self.assertEqual(len(self.alerts.list(settled=True)), module.MOST_OPEN + module.RECENT)
        self.assertEqual(len(self.lines), module.MOST_LINES + 1)
        self.assertEqual(
            self.lines[-1], "Alert emergency 1001: 1001 called 112. (1940 further alerts were not logged)"
        )
        self.assertEqual(
            [letter.recipient for letter in self.kept.letters[module.MOST_MAILS:]],
            ["ann@example.com", "desk@example.com"],
        )
        for number in range(2000):
            self.alerts.alert("trunk", str(number), "Down.")
        self.assertIn("emergency", {alert.kind for alert in self.alerts.list()})

    def test_many_emergencies(self) -> None:
        """
        Not even emergencies fill a mailbox without end; an hour later mail is written again.
        """
        for number in range(module.MOST_URGENT_MAILS + 5):
            self.alerts.alert("emergency", str(number), "1001 called 112.")
        self.assertEqual(len(self.kept.letters), module.MOST_URGENT_MAILS)
        self.clock.advance(module.HOUR)
        self.alerts.alert("emergency", "later", "1001 called 112.")
        self.assertEqual(len(self.kept.letters), module.MOST_URGENT_MAILS + 1)

    def test_acknowledged(self) -> None:
        """
        What has happened is settled when somebody takes note; what lasts is not.
        """
        self.alerts.alert("toll_limit", "1001", "1001 has used its minutes.")
        self.alerts.alert("trunk", "A", "Trunk A is down.")
        for alert in self.alerts.list():
            after = self.alerts.acknowledge(alert.id, "local:root")
            assert after is not None
            self.assertEqual((after.acknowledged, after.acknowledged_by), (1000.0, "local:root"))
            self.assertEqual(self.alerts.acknowledge(alert.id, "local:other"), after)
        self.assertEqual([alert.kind for alert in self.alerts.list()], ["trunk"])
        self.assertEqual(len(self.kept.letters), 2)
        self.alerts.alert("toll_limit", "1001", "1001 has used its minutes.")
        self.assertEqual(len(self.alerts.list()), 2)
        self.assertIsNone(self.alerts.acknowledge("none", "local:root"))

    def test_restart(self) -> None:
        """
        What was open before a restart is open, and settled by what is heard then.
        """
        self.alerts.alert("trunk", "A", "Trunk A is down.")
        self.alerts.alert("trunk", "B", "Trunk B is down.")
        self.alerts.settled("trunk", "B", "Trunk B is up.")
        again = self.again()
        again.restore(self.kept.alerts.values())
        self.assertEqual([alert.subject for alert in again.list(settled=True)], ["A", "B"])
        again.settled("trunk", "A", "Trunk A is up.")
        self.assertEqual([alert.subject for alert in again.list(settled=True)], ["A", "B"])
        self.assertEqual(again.list(), [])
        self.assertEqual(self.kept.letters[-1].subject, "exchange: Settled: Trunk A is up.")
