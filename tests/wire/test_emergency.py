"""
An emergency call from a phone that may call nobody else beyond the house.
"""

from __future__ import annotations

import re

from tests.wire.ears import shipped
from tests.wire.messages import press
from tests.wire.scenario import Scenario
from tests.wire.trunks import TrunkTestCase, trunk

BACK = "+493055500"
"""Where the emergency centre calls back, which no inbound route has."""

CENTRE = "127.0.0.112"
"""The address it calls from."""

PLACE = {"country": "DE", "A3": "Berlin", "RD": "Lange Strasse", "HNO": "7", "FLR": "2"}


class EmergencyTests(TrunkTestCase):
    """
    1003 may not call beyond the house; 1001 is told.
    """

    timeout = 60
    extensions = ("1001",)
    faults = ("mergency",)

    async def test_call(self) -> None:
        """
        112 goes over the trunk that is marked for it, with the place where the phone stands; 1001 is rung and told.
        An ordinary call of the same phone is refused. The emergency centre's call back reaches the phone.
        """
        marked = self.carrier("emergency")
        other = self.carrier("take")
        await self.begin(
            trunk("ordinary", other.server, priority=1),
            trunk("marked", marked.server, priority=2, emergency=True, inbound_ips=[f"{CENTRE}/32"]),
            emergency={
                "numbers": ["112"],
                "locations": [{"name": "Second floor", "civic": PLACE, "subnets": ["127.0.0.0/8"]}],
                "callback": BACK,
                "notify": ["1001"],
            },
        )
        self.exchange.add_extension("1003", allow_external=False)
        told, caller = await self.phone("1001"), await self.phone("1003")
        await caller.dial("030987654")
        self.assertIn("403", (await caller.event("CALL_CLOSED")).param)
        await caller.dial("112")
        await caller.event("CALL_ESTABLISHED")
        await marked.saw("INVITE 112")
        await told.event("CALL_ESTABLISHED")
        await self.assert_prompt(told, shipped("en/emergency-called"))
        await press(told, "1")
        await told.event("CALL_CLOSED")
        await self.logged("1001 confirmed that it heard of the emergency call of 1003")
        (invite,) = marked.requests("INVITE")
        (content_id,) = re.findall(r"<cid:([^>]+)>", invite["geolocation"])
        body = invite.body.decode()
        self.assertIn(f"Content-ID: <{content_id}>".lower(), body.lower())
        for name, value in PLACE.items():
            self.assertRegex(body, rf"<(\w+:)?{name}>{value}</(\w+:)?{name}>")
        await caller.hang_up()
        await marked.saw("BYE")
        self.assertEqual(other.said(), [])
        await caller.event("CALL_CLOSED", count=2)
        rows = [("+4930112", BACK, "company")]
        centre = Scenario("call_trunk", self.mktemp(), server=self.exchange.server, rows=rows, host=CENTRE)
        made = await centre.outcome()
        self.assertEqual((made.successful, made.failed), (1, 0), made.errors)
        await caller.event("CALL_ESTABLISHED", count=2)
        await self.nothing_left()
