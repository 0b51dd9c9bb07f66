"""
What a stolen password can cost at most: a call over the limit is refused, and somebody is told.
"""

from __future__ import annotations

from tests.wire.agent import sdp
from tests.wire.trunks import TrunkTestCase, trunk


class TollLimitTests(TrunkTestCase):
    """
    1001 may make one call beyond the house at a time, 1002 as well.
    """

    timeout = 60
    faults = ("toll_limit", "1001")

    async def test_second_call(self) -> None:
        """
        The second call at once is refused in words, on whichever phone of the extension; another extension calls, and
        so does the first one when its call has ended.
        """
        provider = self.carrier("take")
        await self.begin(trunk("provider", provider.server), limits={"concurrent": 1})
        one, other = await self.phone("1001"), await self.phone("1002")
        two = await self.agent("1001")
        await one.dial("030987654")
        await one.event("CALL_ESTABLISHED")
        refused, dialog = await two.call("030987655", sdp("127.0.0.1", 4000))
        self.assertEqual((refused.status, dialog), (403, None))
        self.assertIn("1001 has 1 calls beyond the house, and may have 1 at once", refused["reason"])
        await other.dial("030987656")
        await other.event("CALL_ESTABLISHED")
        await one.hang_up()
        await provider.saw("BYE")
        await one.dial("030987657")
        await one.event("CALL_ESTABLISHED", count=2)
        self.assertEqual([line for line in provider.said() if "987655" in line], [])
        (audit, *_) = await self.logged("audit:")
        self.assertIn("1001", audit)
        _, answer = await self.api("GET", "/api/alerts")
        self.assertEqual([(each["kind"], each["subject"]) for each in answer["alerts"]], [("toll_limit", "1001")])
        for phone in (one, other):
            await phone.hang_up()
        await provider.saw("BYE", count=3)
        await self.nothing_left()
