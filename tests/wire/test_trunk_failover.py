"""
A call goes on over the next trunk when the first one fails, as long as nobody has answered.
"""

from __future__ import annotations

from tests.wire.baresip import Phone
from tests.wire.carrier import Carrier
from tests.wire.process import reactor
from tests.wire.trunks import OUTSIDE, TrunkTestCase, account, trunk


class FailoverTests(TrunkTestCase):
    """
    1001 calls the world: first over a provider that fails, then over Kamailio, with a telephone behind it.
    """

    timeout = 60
    extensions = ("1001",)
    faults = ("first",)

    async def _ready(self, scenario: str) -> tuple[Carrier, Phone, Phone]:
        """
        The first provider, which has answered OPTIONS; the caller; the telephone behind the second.
        """
        world = await self.world(answer="manual")
        kamailio = await self.kamailio(world)
        first = self.carrier(scenario)
        await self.begin(
            trunk("first", first.server, priority=1, options_interval=5),
            account("second", kamailio.server, priority=2, options_interval=5),
        )
        caller = await self.phone("1001")
        await self.until("second", "up")
        await first.answered_options()
        await self.until("first", "up")
        return first, caller, world

    async def _talk(self, caller: Phone, world: Phone, reason: str) -> None:
        """
        The telephone behind the second provider is picked up; the record tells of both ways.
        """
        await world.accept()
        await caller.event("CALL_ESTABLISHED")
        await self.assert_talking(caller, world)
        await caller.hang_up()
        await world.event("CALL_CLOSED")
        (record,) = await self.new_records()
        self.assertEqual((record["disposition"], record["hangup_by"]), ("answered", "caller"))
        self.assertEqual((record["direction"], record["trunk"]), ("outbound", "second"))
        self.assertEqual([leg["party"] for leg in record["legs"]], ["1001", OUTSIDE, OUTSIDE])
        self.assertIn(reason, " ".join(record["route"]))
        self.assertNotIn("CALL_CLOSED", [event.type for event in caller.events][:-1])

    async def _seconds(self, caller: Phone, world: Phone, within: float) -> float:
        """
        How long it takes from dialling until the telephone behind the second provider rings.
        """
        began = reactor.seconds()
        await caller.dial("030987654")
        await world.event("CALL_INCOMING", within)
        return float(reactor.seconds() - began)

    async def test_frozen(self) -> None:
        """
        The first provider says nothing at all: the second rings within 5 s.
        """
        first, caller, world = await self._ready("ring")
        first.freeze()
        self.assertLess(await self._seconds(caller, world, 6), 5)
        await self._talk(caller, world, "answer")

    async def test_gone(self) -> None:
        """
        The first provider is a registrar that knows us, and has ended: its port is closed, the second rings within 5 s.
        """
        world = await self.world(answer="manual")
        first, second = await self.kamailio(), await self.kamailio(world)
        await self.begin(
            account("first", first.server, priority=1, options_interval=5),
            account("second", second.server, priority=2, options_interval=5),
        )
        caller = await self.phone("1001")
        await self.until("first", "up")
        await self.until("second", "up")
        await first.stop()
        self.assertLess(await self._seconds(caller, world, 6), 5)
        await self._talk(caller, world, "first")

    async def test_silent(self) -> None:
        """
        The first provider answers OPTIONS, but no INVITE: the second rings within 5 s.
        """
        first, caller, world = await self._ready("silent")
        self.assertLess(await self._seconds(caller, world, 6), 5)
        self.assertEqual(first.said(), [f"INVITE {OUTSIDE}"])
        await self._talk(caller, world, "answer")

    async def test_refused(self) -> None:
        """
        The first provider answers 503: the second rings at once.
        """
        _, caller, world = await self._ready("refuse")
        self.assertLess(await self._seconds(caller, world, 6), 2)
        await self._talk(caller, world, "Service Unavailable")

    async def test_frozen_while_it_rings(self) -> None:
        """
        The first provider rings and is stopped then: once OPTIONS (every 5 s) finds it down, the second rings, within
        15 s of the stop.
        """
        first, caller, world = await self._ready("ring")
        await caller.dial("030987654")
        await caller.event("CALL_RINGING")
        first.freeze()
        began = reactor.seconds()
        await world.event("CALL_INCOMING", 16)
        self.assertLess(reactor.seconds() - began, 15)
        self.assertEqual((await self.state("first"))["health"], "down")
        await self._talk(caller, world, "")

    async def test_rings(self) -> None:
        """
        As long as the first provider is alive and rings, the second is not tried, however long it takes.
        """
        first, caller, world = await self._ready("ring")
        await caller.dial("030987654")
        await caller.event("CALL_RINGING")
        with self.assertRaises(TimeoutError):
            await world.event("CALL_INCOMING", 7)
        await caller.hang_up()
        await first.saw("CANCEL")
        (record,) = await self.new_records()
        self.assertEqual(record["disposition"], "cancelled")
        await self.nothing_left()
