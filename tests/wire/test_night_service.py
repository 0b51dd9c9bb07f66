"""
Night service by star code: where callers from outside go, and the key that shows it.
"""

from __future__ import annotations

from tests.wire.baresip import Phone
from tests.wire.ears import shipped
from tests.wire.exchange import PASSWORD
from tests.wire.process import eventually
from tests.wire.scenario import Scenario
from tests.wire.sipp import credentials
from tests.wire.trunks import DID, TrunkTestCase, account, inbound

ALWAYS = {"name": "Office hours", "switch": "1", "hours": [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}]}


class NightServiceTests(TrunkTestCase):
    """
    1001 is there by day, 1002 by night; 1003 has the key.
    """

    timeout = 60
    extensions = ("1001", "1002", "1003")

    async def _switch(self, phone: Phone, prompt: str, calls: int) -> None:
        await phone.dial("*281")
        await self.assert_prompt(phone, shipped(f"en/{prompt}"))
        await phone.event("CALL_CLOSED", count=calls)

    async def _reaches(self, world: Phone, callee: Phone, server: str, calls: int) -> None:
        """
        A call from the world rings there, and is given up.
        """
        await world.dial(f"sip:{DID}@{server}")
        await callee.event("CALL_INCOMING")
        await world.hang_up()
        await callee.event("CALL_CLOSED")
        await world.event("CALL_CLOSED", count=calls)

    async def test_switched(self) -> None:
        """
        *281 turns night service on: the key shines, and callers reach the other extension; once more, and all is as it
        was.
        """
        world = await self.world()
        kamailio = await self.kamailio(world)
        night = {"kind": "extension", "target": "1002"}
        await self.begin(
            account("provider", kamailio.server),
            time_conditions=[ALWAYS],
            inbound_routes=[inbound("1001", time="Office hours", closed=night)],
        )
        await kamailio.registered()
        rows = [("1003", "*281", credentials("1003", PASSWORD))]
        traced = ("-trace_msg", "-message_file", "messages")
        key = Scenario("watch_switch", self.mktemp(), server=self.exchange.server, rows=rows, options=traced)
        key.start()
        self.addCleanup(key.stop)

        async def watched() -> bool:
            path = key.directory / "messages"
            return path.exists() and "NOTIFY sip:" in path.read_text()

        await eventually(watched, 10, "the key is told the state")
        day, other = await self.phone("1001", answer="manual"), await self.phone("1002", answer="manual")
        hand = await self.phone("1003")
        await self._switch(hand, "star-night-on", 1)
        await self._reaches(world, other, kamailio.server, 1)
        self.assertNotIn("CALL_INCOMING", {event.type for event in day.events})
        await self._switch(hand, "star-night-off", 2)
        await self._reaches(world, day, kamailio.server, 2)
        told = await key.outcome(10)
        self.assertEqual((told.successful, told.failed, told.resent_to_it), (1, 0, 0), told.errors)
        await self.nothing_left()
