"""
Tests for :mod:`pbx.web.calls` and :mod:`pbx.web.status`.
"""

from __future__ import annotations

import datetime as dt

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.web.calls import CallRecords, Calls, ICalls, ICdr, IRegistrations, Registrations
from pbx.web.status import IStatistics, IStatus, Status
from tests.web.client import Client, FakeAudit
from tests.web.fakes import MemoryCalls, MemoryCdr, MemoryRegistrations, MemoryStatus


class FakesTests(SynchronousTestCase):
    """
    The fakes of this module.
    """

    def test_interfaces(self) -> None:
        """
        Each does what its resource asks for.
        """
        for interface, fake in (
            (ICalls, MemoryCalls()),
            (ICdr, MemoryCdr()),
            (IRegistrations, MemoryRegistrations()),
            (IStatus, MemoryStatus()),
            (IStatistics, MemoryStatus()),
        ):
            verifyObject(interface, fake)


class CallsTests(SynchronousTestCase):
    """
    Live calls.
    """

    def setUp(self) -> None:
        self.calls, self.audit = MemoryCalls(), FakeAudit()
        self.client = Client(Calls(self.calls, self.audit).routes())

    def test_list(self) -> None:
        """
        Every live call is shown.
        """
        self.assertEqual(self.client.ask("GET", "/api/calls").json["calls"][0]["id"], "a1")

    def test_hang_up(self) -> None:
        """
        A call can be ended once; then it is 404. The audit record knows who did it.
        """
        self.assertEqual(self.client.ask("DELETE", "/api/calls/a1").status, 204)
        self.assertEqual(self.client.ask("DELETE", "/api/calls/a1").status, 404)
        self.assertEqual(self.audit.rows, [("local:root", "hang up", "call a1", None, None)])


class CallRecordsTests(SynchronousTestCase):
    """
    Call records.
    """

    def setUp(self) -> None:
        self.cdr = MemoryCdr()
        self.client = Client(CallRecords(self.cdr).routes())

    def test_defaults(self) -> None:
        """
        Without a query the last hundred are shown.
        """
        self.assertEqual(self.client.ask("GET", "/api/cdr").json["records"][0]["id"], "r1")
        self.assertEqual(self.cdr.asked, [(100, *[None] * 6)])

    def test_query(self) -> None:
        """
        Number, time, parties, disposition and trunk can be asked for; a time without a zone is UTC.
        """
        query = "limit=5&before=2026-01-02T15:04:05%2B01:00&caller=1005&callee=1006&disposition=no+answer"
        query += "&direction=inbound&trunk=Primary+Trunk"
        self.client.ask("GET", f"/api/cdr?{query}")
        self.client.ask("GET", "/api/cdr?before=2026-01-02T15:04:05+01:00")
        self.client.ask("GET", "/api/cdr?before=2026-01-02")
        zone = dt.timezone(dt.timedelta(hours=1))
        when = dt.datetime(2026, 1, 2, 15, 4, 5, tzinfo=zone)
        self.assertEqual(
            self.cdr.asked[0], (5, when, "1005", "1006", "no answer", "inbound", "Primary Trunk")
        )
        self.assertEqual(self.cdr.asked[1][1], when)
        self.assertEqual(self.cdr.asked[2][1], dt.datetime(2026, 1, 2, tzinfo=dt.UTC))

    def test_wrong(self) -> None:
        """
        A query that makes no sense names its field.
        """
        for query, field in (
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=-5", "limit"),
            ("before=yesterday", "before"),
            ("disposition=lost", "disposition"),
            ("direction=up", "direction"),
            ("caller=%00", "caller"),
            ("page=2", "page"),
        ):
            answer = self.client.ask("GET", f"/api/cdr?{query}")
            self.assertEqual((answer.status, answer.json.get("field")), (422, field))
        self.assertEqual(self.cdr.asked, [])


class RegistrationsTests(SynchronousTestCase):
    """
    Registered phones.
    """

    def test_list(self) -> None:
        """
        Every binding is shown.
        """
        client = Client(Registrations(MemoryRegistrations()).routes())
        self.assertEqual(client.ask("GET", "/api/registrations").json["registrations"][0]["aor"], "1005")


class StatusTests(SynchronousTestCase):
    """
    How the exchange is.
    """

    def setUp(self) -> None:
        self.status = MemoryStatus()
        self.client = Client(Status(self.status, self.status).routes())

    def test_open(self) -> None:
        """
        Whoever watches needs no name: alive, and ready or not, with what is missing.
        """
        self.client.identity.name = None
        self.assertEqual(self.client.ask("GET", "/live").status, 200)
        self.assertEqual(self.client.ask("GET", "/ready").json["status"], "ready")
        self.status.checks["directory"] = False
        answer = self.client.ask("GET", "/ready")
        self.assertEqual((answer.status, answer.json["checks"]["directory"]), (503, False))
        self.assertIn("directory", answer.json["detail"])
        self.assertEqual(self.client.ask("GET", "/live").status, 200)

    def test_database_away(self) -> None:
        """
        Calls go on without the database: whoever watches is told that it is away, and sends no phone elsewhere.
        """
        self.status.database = False
        answer = self.client.ask("GET", "/ready")
        self.assertEqual((answer.status, answer.json["status"]), (200, "ready"))
        self.assertEqual(answer.json["checks"], {"sip": True, "directory": True, "database": False})

    def test_closed(self) -> None:
        """
        What it does is for administrators.
        """
        self.assertEqual(self.client.ask("GET", "/api/status").json, {"version": "0.1.0"})
        counts = {"up": 1, "degraded": 0, "down": 0}
        statistics = {"today": {"answered": 3}, "trunks": counts}
        self.assertEqual(self.client.ask("GET", "/api/statistics").json, statistics)
        self.client.identity.name = None
        for path in ("/api/status", "/api/statistics"):
            self.assertEqual(self.client.ask("GET", path).status, 401)
