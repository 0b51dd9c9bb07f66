"""
A call that rings at somebody's phone is taken at another.
"""

from __future__ import annotations

from tests.wire.baresip import Phone
from tests.wire.ears import ListeningTestCase, listen, score
from tests.wire.exchange import PASSWORD
from tests.wire.process import eventually
from tests.wire.scenario import Scenario
from tests.wire.sipp import credentials


class PickupTests(ListeningTestCase):
    """
    1005 calls 1006, which rings.
    """

    extensions = ("1005", "1006", "1007")

    async def ringing(self) -> tuple[Phone, Phone]:
        """
        The caller, and the phone that rings.
        """
        caller, callee = await self.phone("1005"), await self.phone("1006", answer="manual")
        await caller.dial("1006")
        await callee.event("CALL_INCOMING")
        return caller, callee

    async def picked_up(self, dialled: str) -> None:
        """
        1007 dials a code; caller and 1007 talk, 1006 rings no more; one record.
        """
        helper = await self.phone("1007")
        caller, callee = await self.ringing()
        await helper.dial(dialled)
        await caller.event("CALL_ESTABLISHED")
        await callee.event("CALL_CLOSED")
        await self.assert_talking(caller, helper)
        await helper.hang_up()
        await caller.event("CALL_CLOSED")
        (record,) = await self.new_records()
        self.assertEqual((record["callee"], record["disposition"]), ("1006", "answered"))
        self.assertIn("1007 picked the call up", record["route"])
        await self.nothing_left()

    async def test_directed(self) -> None:
        """
        By two stars and the number of the phone that rings.
        """
        await self.picked_up("**1006")

    async def test_group(self) -> None:
        """
        By the code for whatever rings in one's own group.
        """
        for number in ("1006", "1007"):
            status, answer = await self.api("PATCH", f"/api/extensions/{number}/handling", {"pickup_group": "sales"})
            self.assertEqual(status, 200, answer)
        await self.picked_up("*8")

    async def test_key(self) -> None:
        """
        By a key that shows 1006: an INVITE with Replaces names the dialog the key was told of. The caller is heard at
        the phone with the key, which sends back what it hears.
        """
        row = ("1007", "1006", credentials("1007", PASSWORD))
        options = ["-rtp_echo", "-trace_msg", "-message_file", "messages"]
        helper = Scenario("press", self.mktemp(), server=self.exchange.server, rows=[row], options=options)
        helper.start()
        self.addCleanup(helper.stop)
        log = helper.directory / "messages"

        async def told(what: str) -> bool:
            return log.exists() and what in log.read_text()

        await eventually(lambda: told("<dialog-info"), 5, "the first state")
        caller, callee = await self.ringing()
        await caller.event("CALL_ESTABLISHED")
        await callee.event("CALL_CLOSED")
        (piece,) = await listen(caller)
        self.assertGreaterEqual(score(piece, caller.said), 0.9)
        await eventually(lambda: told("<state>terminated</state>"), 5, "the end of the dialog")
        await caller.hang_up()
        outcome = await helper.outcome(10)
        self.assertEqual((outcome.successful, outcome.failed, outcome.resent_to_it), (1, 0, 0), outcome.errors)
        (record,) = await self.new_records()
        self.assertEqual((record["callee"], record["disposition"]), ("1006", "answered"))
        await self.nothing_left()
