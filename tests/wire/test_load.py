"""
Many calls at once; the long run is ``tools/bench/load``, and what each costs ``tools/bench/run``.
"""

from __future__ import annotations

from tests.wire.case import ExchangeTestCase
from tests.wire.exchange import PASSWORD, Exchange
from tests.wire.scenario import Scenario
from tests.wire.sipp import credentials

PAIRS = 30
"""Callers and callees: nobody calls the same number so often that it looks like a loop."""


class LoadTests(ExchangeTestCase):
    """
    Authenticated calls by SIPp.
    """

    timeout = 90
    extensions = tuple(str(number) for first in (3000, 4000) for number in range(first, first + PAIRS))

    @classmethod
    def make(cls) -> Exchange:
        """
        An exchange with ports for all of it.
        """
        return Exchange(calls=200)

    async def test_three_hundred(self) -> None:
        """
        300 calls, 50 begun per second: none fails, nothing is sent twice by the exchange, every record is there, and no
        call, dialog or port is left.
        """
        rows = [(str(3000 + n), str(4000 + n), credentials(str(3000 + n), PASSWORD)) for n in range(PAIRS)]
        callees = [(callee, "-", credentials(callee, PASSWORD)) for _, callee, _ in rows]
        server = self.exchange.server
        registration = Scenario("register", self.mktemp(), server=server, rows=callees, calls=PAIRS, rate=50)
        registered = await registration.outcome()
        self.assertEqual((registered.successful, registered.failed), (PAIRS, 0), registered.errors)
        phones = Scenario("answer", self.mktemp(), calls=300, port=registration.port)
        phones.start()
        self.addCleanup(phones.stop)
        caller = Scenario("call", self.mktemp(), server=server, rows=rows, calls=300, rate=50, pause_ms=1000)
        made = await caller.outcome()
        self.assertEqual((made.successful, made.failed), (300, 0), made.errors[:3000])
        taken = await phones.outcome()
        self.assertEqual((taken.successful, taken.failed), (300, 0), taken.errors[:3000])
        self.assertEqual((made.resent_to_it, taken.resent_to_it), (0, 0), "resent by the exchange")
        records = await self.new_records(100)
        self.assertEqual({record["disposition"] for record in records}, {"answered"})
        _, statistics = await self.api("GET", "/api/statistics")
        self.assertEqual(statistics["total"]["answered"], 300)
        await self.nothing_left(10)
