"""
An extension that sends its calls to a mobile phone.
"""

from __future__ import annotations

from tests.wire.ears import shipped
from tests.wire.trunks import TrunkTestCase, trunk

MOBILE = "01511234567"


class ForwardBeyondTests(TrunkTestCase):
    """
    1001 calls 1002, who is on the way.
    """

    timeout = 60

    async def test_star_code(self) -> None:
        """
        Star code 72 with a number beyond the house is confirmed, and callers go out over the trunk; the API takes it
        for follow me as well, and says why a number that may not be called is refused.
        """
        provider = self.carrier("take")
        await self.begin(trunk("provider", provider.server))
        caller, callee = await self.phone("1001"), await self.phone("1002")
        await callee.dial(f"*72{MOBILE}")
        await self.assert_prompt(callee, shipped("en/star-forward-always"))
        await callee.event("CALL_CLOSED", within=20)
        await caller.dial("1002")
        await caller.event("CALL_ESTABLISHED")
        (invite,) = provider.requests("INVITE")
        self.assertIn("1511234567@", invite.first)
        self.assertNotIn("CALL_INCOMING", {event.type for event in callee.events})
        await caller.hang_up()
        await provider.saw("BYE")
        path = "/api/extensions/1002/handling"
        status, answer = await self.api("PUT", path, {"follow_me": [{"number": MOBILE, "after": 5}]})
        self.assertEqual(status, 200, answer)
        status, answer = await self.api("PATCH", path, {"forward_busy": "09001234567"})
        self.assertEqual((status, answer["field"]), (422, "forward_busy"))
        self.assertIn("1002 may not call premium numbers", answer["errors"][0]["detail"])
        await self.nothing_left()
