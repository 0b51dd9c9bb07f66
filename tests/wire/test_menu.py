"""
The auto attendant as callers meet it: what is heard, and what the keys do.
"""

from __future__ import annotations

from typing import Any

from tests.wire.ears import ListeningTestCase, listen, score, shipped
from tests.wire.process import reactor


class MenuTests(ListeningTestCase):
    """
    1005 calls a menu, whose key 1 is 1006.
    """

    extensions = ("1005", "1006", "1007")

    async def menu(self, number: str, **more: Any) -> None:
        """
        Make one; its greeting takes more than four seconds.
        """
        choices = [{"key": "1", "destination": {"kind": "extension", "target": "1006"}}]
        body = {"number": number, "name": "Main", "greeting": ["ivr-direct-dial"], "choices": choices, **more}
        status, answer = await self.api("POST", "/api/menus", body)
        self.assertEqual(status, 201, answer)

    async def test_key(self) -> None:
        """
        The prompt is heard; a key during it ends it and rings the right phone, and the two talk.
        """
        await self.menu("600")
        prompt = shipped("en/ivr-direct-dial")
        caller, callee, other = [await self.phone(number) for number in ("1005", "1006", "1007")]
        began = reactor.seconds()
        await caller.dial("600")
        await caller.event("CALL_ESTABLISHED")
        (piece,) = await listen(caller, settle=0)
        self.assertGreaterEqual(score(piece, prompt), 0.9)
        await caller.command("sndcode", "1")
        await callee.event("CALL_ESTABLISHED")
        self.assertLess(reactor.seconds() - began, 4)
        await self.assert_talking(caller, callee, prompt)
        self.assertNotIn("CALL_INCOMING", {event.type for event in other.events})
        await caller.hang_up()
        (record,) = await self.new_records()
        self.assertEqual((record["caller"], record["callee"], record["disposition"]), ("1005", "600", "answered"))
        self.assertIn("pressed 1", "\n".join(record["route"]))
        await self.nothing_left()

    async def test_wrong_keys(self) -> None:
        """
        A key that means nothing is called so, and the greeting follows; after the second the caller is sent on.
        """
        await self.menu("601", tries=2, on_invalid={"kind": "extension", "target": "1007"})
        caller, operator = await self.phone("1005"), await self.phone("1007")
        await caller.dial("601")
        await caller.event("CALL_ESTABLISHED")
        await caller.command("sndcode", "9")
        await self.assert_prompt(caller, shipped("en/ivr-invalid"))
        await self.assert_prompt(caller, shipped("en/ivr-direct-dial")[:12000])
        await caller.command("sndcode", "8")
        await operator.event("CALL_ESTABLISHED")
        await self.assert_talking(caller, operator, shipped("en/ivr-direct-dial"))
        await caller.hang_up()
        await self.new_records()
        await self.nothing_left()

    async def test_info(self) -> None:
        """
        A key that comes by SIP INFO counts as well.
        """
        await self.menu("602")
        caller, callee = await self.handset("1005"), await self.phone("1006")
        dialog = await caller.dial("602")
        kind = (("Content-Type", "application/dtmf-relay"),)
        answer = await caller.within(dialog, "INFO", b"Signal=1\r\nDuration=160\r\n", kind)
        self.assertEqual(answer.status, 200)
        await callee.event("CALL_ESTABLISHED", within=3)
        await self.assert_talking(caller, callee)
        await caller.hang_up(dialog)
        await self.new_records()
        await self.nothing_left()
