"""
How an extension wants its calls handled, told by phone and over the API, and what callers then find.
"""

from __future__ import annotations

from tests.wire.ears import ListeningTestCase, shipped


class HandlingTests(ListeningTestCase):
    """
    1005 calls; 1006 and 1007 want something done with it.
    """

    extensions = ("1005", "1006", "1007", "1008")

    async def handle(self, number: str, **wanted: object) -> None:
        """
        Change how an extension is handled.
        """
        status, answer = await self.api("PATCH", f"/api/extensions/{number}/handling", wanted)
        self.assertEqual(status, 200, answer)

    async def test_do_not_disturb(self) -> None:
        """
        Star code 78 says what it has done, and the next call is refused as by somebody busy; 79 takes it back.
        """
        await self.handle("1006", voicemail=False)
        caller, callee = await self.phone("1005"), await self.phone("1006")
        await callee.dial("*78")
        await self.assert_prompt(callee, shipped("en/star-dnd-on"))
        await callee.event("CALL_CLOSED")
        await caller.dial("1006")
        self.assertEqual((await caller.event("CALL_CLOSED")).param, "486 Busy Here")
        self.assertNotIn("CALL_INCOMING", {event.type for event in callee.events})
        await callee.dial("*79")
        await self.assert_prompt(callee, shipped("en/star-dnd-off"))
        await callee.event("CALL_CLOSED", count=2)
        await self.connect(caller, callee)
        await caller.hang_up()
        records = await self.new_records(4)
        ended = [(record["callee"], record["disposition"], record["reason"]) for record in records]
        self.assertEqual(ended[:2], [("*78", "answered", "Normal call clearing"), ("1006", "busy", "Do not disturb")])
        self.assertEqual([record["disposition"] for record in records[2:]], ["answered", "answered"])
        await self.nothing_left()

    async def test_forward(self) -> None:
        """
        A forward set over the API rings the other phone, and 1006's not at all.
        """
        await self.handle("1006", forward_always="1007")
        self.addCleanup(self.handle, "1006", forward_always=None)
        caller, callee, other = [await self.phone(number) for number in ("1005", "1006", "1007")]
        await caller.dial("1006")
        await other.event("CALL_ESTABLISHED")
        await self.assert_talking(caller, other)
        self.assertNotIn("CALL_INCOMING", {event.type for event in callee.events})
        await caller.hang_up()
        (record,) = await self.new_records()
        self.assertEqual([leg["party"] for leg in record["legs"]], ["1005", "1007"])
        self.assertIn("1006 forwards all calls to 1007", record["route"])
        await self.nothing_left()

    async def test_ring_group(self) -> None:
        """
        A ring group rings both its phones; the one that answers talks, the other stops.
        """
        members = [{"number": "1006"}, {"number": "1007"}]
        group = {"number": "610", "name": "Two", "members": members}
        status, answer = await self.api("POST", "/api/ring-groups", group)
        self.assertEqual(status, 201, answer)
        caller = await self.phone("1005")
        one, other = [await self.phone(number, answer="manual") for number in ("1006", "1007")]
        await caller.dial("610")
        await one.event("CALL_INCOMING")
        await other.event("CALL_INCOMING")
        await other.accept()
        await one.event("CALL_CLOSED")
        await self.assert_talking(caller, other)
        await caller.hang_up()
        (record,) = await self.new_records()
        self.assertEqual((record["callee"], record["disposition"]), ("610", "answered"))
        self.assertEqual({leg["party"]: leg["reason"] for leg in record["legs"]}["1006"], "Call completed elsewhere")
        await self.nothing_left()
