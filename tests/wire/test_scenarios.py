"""
What peers do that no telephone can be talked into, by SIPp against the running exchange.
"""

from __future__ import annotations

from typing import ClassVar

from tests.wire.agent import Message
from tests.wire.case import ExchangeTestCase
from tests.wire.exchange import PASSWORD
from tests.wire.process import sleep
from tests.wire.scenario import Scenario
from tests.wire.sipp import Outcome, credentials


class ScenarioTests(ExchangeTestCase):
    """
    3000 calls a number of 4000 and up, one for each test: a registration outlives the SIPp that made it.
    """

    timeout = 60
    extensions = ("3000", "4000", "4001", "4002", "4003", "4004", "4005", "4006", "5000")
    settings: ClassVar = {"media": {"silence_timeout": 2}}

    def _rows(self, user: str, callee: str = "-") -> list[tuple[str, str, str]]:
        return [(user, callee, credentials(user, PASSWORD))]

    async def _callee(self, number: str, scenario: str) -> Scenario:
        server = self.exchange.server
        self.callee = number
        registration = Scenario("register", self.mktemp(), server=server, rows=self._rows(number))
        outcome = await registration.outcome()
        self.assertEqual((outcome.successful, outcome.failed), (1, 0), outcome.errors)
        phone = Scenario(scenario, self.mktemp(), port=registration.port)
        phone.start()
        self.addCleanup(phone.stop)
        return phone

    async def _call(self, scenario: str, callee: Scenario, pause_ms: int = 500) -> tuple[Outcome, Outcome]:
        rows = self._rows("3000", self.callee)
        caller = Scenario(scenario, self.mktemp(), server=self.exchange.server, rows=rows, pause_ms=pause_ms)
        made = await caller.outcome(40)
        self.assertEqual((made.successful, made.failed), (1, 0), made.errors)
        taken = await callee.outcome(10)
        facts = f"caller {made}\ncallee {taken}"
        self.assertEqual((made.successful, made.failed, taken.successful, taken.failed), (1, 0, 1, 0), facts)
        self.assertEqual((made.resent_to_it, taken.resent_to_it), (0, 0), facts)
        return made, taken

    async def test_downstream_fork(self) -> None:
        """
        Behind the callee two phones answer at once, with two To tags: one becomes the call, the other gets ACK and BYE.
        """
        await self._call("call", await self._callee("4000", "fork"))
        (record,) = await self.new_records()
        self.assertEqual((record["disposition"], record["hangup_by"]), ("answered", "caller"))
        await self.nothing_left()

    async def test_late_offer(self) -> None:
        """
        An INVITE without SDP is answered with an offer, and the answer in the ACK is taken.
        """
        await self._call("late_offer", await self._callee("4001", "answer_reinvited"))
        (record,) = await self.new_records()
        self.assertEqual(record["disposition"], "answered")
        await self.nothing_left()

    async def test_reliable_provisional_responses(self) -> None:
        """
        Both sides insist on PRACK: each gets it for a 183 with sound and for a 180.
        """
        await self._call("call_reliably", await self._callee("4006", "answer_reliably"))
        (record,) = await self.new_records()
        self.assertEqual((record["disposition"], record["hangup_by"]), ("answered", "caller"))
        await self.nothing_left()

    async def test_hold(self) -> None:
        """
        The caller holds and resumes; the callee sees nothing of it.
        """
        await self._call("reinvite", await self._callee("4002", "answer"))
        await self.nothing_left()

    async def test_cancel(self) -> None:
        """
        The caller gives up while it rings: 487 for the caller, CANCEL for the callee.
        """
        await self._call("cancel", await self._callee("4003", "ring"))
        (record,) = await self.new_records()
        self.assertEqual(record["disposition"], "cancelled")
        await self.nothing_left()

    async def test_lamp(self) -> None:
        """
        A key is told that its extension is idle, is called and is idle again; the bodies are checked on the way.
        """
        phone = await self._callee("4005", "ring")
        lamp = Scenario("lamp", self.mktemp(), server=self.exchange.server, rows=self._rows("5000", "4005"))
        lamp.start()
        self.addCleanup(lamp.stop)
        await sleep(0.5)
        await self._call("cancel", phone, pause_ms=2500)
        told = await lamp.outcome(15)
        self.assertEqual((told.successful, told.failed, told.resent_to_it), (1, 0, 0), told.errors)
        await self.nothing_left()

    async def test_caller_vanished(self) -> None:
        """
        A caller that is gone without BYE: after the silence it is asked, and without an answer the callee is hung up.
        """
        callee = await self._callee("4004", "answer_probed")
        caller = Scenario("vanish", self.mktemp(), server=self.exchange.server, rows=self._rows("3000", self.callee))
        made = await caller.outcome()
        self.assertEqual((made.successful, made.failed), (1, 0), made.errors)
        await caller.stop()
        taken = await callee.outcome(45)
        self.assertEqual((taken.successful, taken.failed), (1, 0), taken.errors)
        (record,) = await self.new_records()
        self.assertEqual((record["disposition"], record["hangup_by"]), ("answered", "system"))
        self.assertIn("media", record["reason"])
        await self.nothing_left(dialogs=False)

    async def test_loop(self) -> None:
        """
        A peer that sends every call back where it came from is told so; nothing is left of it.
        """
        inner: list[int] = []

        def back(request: Message) -> tuple[int, str, bytes]:
            inner.append(int(request["max-forwards"] or 0))
            return 302, "Moved Temporarily", b""

        self.exchange.without_voicemail("5000")
        mirror = await self.agent("5000", back)
        mirror.more = [("Contact", f"<sip:5000@{self.exchange.server}>")]
        caller = await self.agent("3000")
        response, dialog = await caller.call("5000", b"")
        self.assertIsNone(dialog)
        self.assertIn(response.status, {480, 482, 483, 302, 603})
        await sleep(0.5)
        self.assertLess(len(inner), 12)
        await self.nothing_left()
