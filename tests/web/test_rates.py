"""
Tests for :mod:`pbx.web.rates`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pbx.directory.plan import Plan, PlanBook
from pbx.directory.rates import Rate
from pbx.directory.trunk import Trunk
from pbx.web.rates import LARGEST, IRates, Rates
from tests.web.client import Client, FakeAudit
from tests.web.memory_plan import MemoryPlan

LIST = b"prefix,rate,connection_fee,increments\n4930,0.0123,0.05,60/1\n49,0.02,,\n1,0.01,,6\n"
CSV = {"Content-Type": "text/csv"}
PATH = "/api/trunks/provider/rates"


@implementer(IRates)
class MemoryRates:
    """
    Rates in a plan alone.
    """

    def __init__(self, book: PlanBook) -> None:
        self.book = book
        self.kept: dict[str, Mapping[str, Rate]] = {}

    async def imported(self, trunk: str) -> dt.datetime | None:
        """
        Always the same moment.
        """
        return dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC) if trunk in self.kept else None

    async def replace(self, trunk: str, rates: Mapping[str, Rate]) -> None:
        """
        Other rates.
        """
        self.kept[trunk] = rates
        self.book.keep_rates(dict(self.kept))

    async def remove(self, trunk: str) -> bool:
        """
        None any more.
        """
        removed = self.kept.pop(trunk, None) is not None
        self.book.keep_rates(dict(self.kept))
        return removed


class RatesTests(SynchronousTestCase):
    """
    Rates over the API.
    """

    def setUp(self) -> None:
        """
        A trunk without rates.
        """
        self.plan = MemoryPlan(Plan(trunks={"provider": Trunk("provider", "sip.example.com")}))
        self.rates = MemoryRates(self.plan.book)
        self.audit = FakeAudit()

        async def at_once(work: Any, *args: Any) -> Any:
            return work(*args)

        self.client = Client(Rates(self.plan, self.rates, at_once, self.audit).routes())

    def put(self, content: bytes, path: str = PATH) -> Any:
        """
        Import a list.
        """
        return self.client.ask("PUT", path, content, CSV)

    def test_import(self) -> None:
        """
        A list is in force at once, in place of the one before, and audited by its length.
        """
        verifyObject(IRates, self.rates)
        answer = self.put(LIST)
        summary = {"trunk": "provider", "count": 3, "imported": "2026-11-30T12:00:00.000+00:00"}
        self.assertEqual((answer.status, answer.json), (200, summary))
        berlin = Rate("4930", Decimal("0.0123"), Decimal("0.05"), 60, 1)
        self.assertEqual(self.plan.plan.rates["provider"]["4930"], berlin)
        self.put(b"prefix,rate\n49,0.5\n")
        self.assertEqual([*self.plan.plan.rates["provider"]], ["49"])
        self.assertEqual([row[2:] for row in self.audit.rows], [
            ("rates of trunk provider", {"count": 0}, {"count": 3}),
            ("rates of trunk provider", {"count": 3}, {"count": 1}),
        ])

    def test_list(self) -> None:
        """
        Rates are listed in the order of their prefixes, all or those that begin so, and given back as a list.
        """
        empty = self.client.ask("GET", PATH).json
        self.assertEqual(empty, {"trunk": "provider", "count": 0, "imported": None, "rates": []})
        self.put(LIST)
        listed = self.client.ask("GET", PATH).json
        self.assertEqual([rate["prefix"] for rate in listed["rates"]], ["1", "49", "4930"])
        self.assertEqual(
            listed["rates"][2],
            {"prefix": "4930", "rate": "0.0123", "connection_fee": "0.05", "increments": "60/1"},
        )
        listed = self.client.ask("GET", f"{PATH}?prefix=%2B49&limit=1").json
        self.assertEqual(([rate["prefix"] for rate in listed["rates"]], listed["count"]), (["49"], 3))
        self.assertEqual(self.client.ask("GET", f"{PATH}?prefix=x").status, 422)
        exported = self.client.ask("GET", f"{PATH}.csv")
        self.assertEqual(exported.headers["content-type"], "text/csv; charset=utf-8")
        before = self.plan.plan.rates["provider"]
        self.put(exported.content)
        self.assertEqual(self.plan.plan.rates["provider"], before)

    def test_mistakes(self) -> None:
        """
        Every bad line is named, and the list before stays.
        """
        self.put(LIST)
        answer = self.put(b"prefix,rate\n49,0.1\n4x,0.1\n41,cheap\n")
        self.assertEqual(answer.status, 422)
        self.assertEqual([error["field"] for error in answer.json["errors"]], ["line 3", "line 4"])
        self.assertEqual(len(self.plan.plan.rates["provider"]), 3)
        self.assertEqual(self.client.ask("PUT", PATH, {"prefix": "49"}).status, 415)
        self.assertEqual(self.client.ask("PUT", PATH, b"", CSV).status, 400)
        # What is sent is not read at all.
        protocol, transport = self.client.connect()
        protocol.dataReceived(
            f"PUT {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LARGEST + 1}\r\n\r\n".encode()
        )
        self.assertIn(b" 413 ", transport.value()[:20])

    def test_remove(self) -> None:
        """
        A list is removed; a trunk without one, and one that there is not, are told apart.
        """
        self.put(LIST)
        self.assertEqual(self.client.ask("DELETE", PATH).status, 204)
        self.assertEqual(self.client.ask("DELETE", PATH).json["detail"], "Trunk provider has no rates.")
        self.assertEqual(self.audit.rows[-1][1:], ("remove", "rates of trunk provider", {"count": 3}, None))
        for method, body in (("GET", None), ("PUT", LIST), ("DELETE", None)):
            answer = self.client.ask(method, "/api/trunks/x/rates", body, CSV)
            self.assertEqual((answer.status, answer.json["detail"]), (404, "There is no trunk x."))
        self.assertEqual(self.client.ask("GET", "/api/trunks/x/rates.csv").status, 404)
