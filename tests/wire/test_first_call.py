"""
Two real phones register and talk through an exchange that was started as a user does it.
"""

from __future__ import annotations

from tests.wire.baresip import Phone
from tests.wire.case import ExchangeTestCase


class FirstCallTests(ExchangeTestCase):
    """
    1005 calls 1006, over each transport.
    """

    async def _talk(self, transport: str) -> tuple[Phone, Phone]:
        caller, callee = await self.phone("1005", transport), await self.phone("1006", transport)
        await caller.dial("1006")
        await caller.event("CALL_ESTABLISHED")
        await callee.event("CALL_ESTABLISHED")
        await caller.hears(callee.said)
        await callee.hears(caller.said)
        self.assertLess(caller.heard(caller.said).score, 0.5)
        _, live = await self.api("GET", "/api/calls")
        self.assertEqual(len(live["calls"]), 1, live)
        return caller, callee

    async def _recorded(self, hung_up_by: str) -> None:
        (record,) = await self.new_records()
        self.assertEqual((record["caller"], record["callee"]), ("1005", "1006"))
        self.assertEqual((record["disposition"], record["hangup_by"]), ("answered", hung_up_by))
        self.assertGreaterEqual(record["billable"], 2)
        self.assertGreaterEqual(record["duration"], record["billable"])
        self.assertEqual([leg["codec"] for leg in record["legs"]], ["PCMU", "PCMU"], record)
        for leg in record["legs"]:
            self.assertGreater(leg["quality"]["packets_in"], 90, record)
            self.assertGreater(leg["quality"]["mos"], 4, record)
        await self.nothing_left()

    async def test_udp(self) -> None:
        """
        Over UDP, the caller hangs up.
        """
        caller, callee = await self._talk("udp")
        await caller.hang_up()
        await callee.event("CALL_CLOSED")
        await self._recorded("caller")

    async def test_tcp(self) -> None:
        """
        Over TCP, the callee hangs up.
        """
        caller, callee = await self._talk("tcp")
        await callee.hang_up()
        await caller.event("CALL_CLOSED")
        await self._recorded("callee")

    async def test_tls(self) -> None:
        """
        Over TLS, the caller hangs up.
        """
        caller, callee = await self._talk("tls")
        await caller.hang_up()
        await callee.event("CALL_CLOSED")
        await self._recorded("caller")

    async def test_hung_up_by_the_operator(self) -> None:
        """
        One phone over TLS, the other over UDP; the operator ends the call, and both phones hear of it.
        """
        caller, callee = await self.phone("1005", "tls"), await self.phone("1006")
        await caller.dial("1006")
        await caller.hears(callee.said)
        _, live = await self.api("GET", "/api/calls")
        status, _ = await self.api("DELETE", f"/api/calls/{live['calls'][0]['id']}")
        self.assertIn(status, {200, 202, 204})
        await caller.event("CALL_CLOSED")
        await callee.event("CALL_CLOSED")
        (record,) = await self.new_records()
        self.assertEqual((record["disposition"], record["hangup_by"]), ("answered", "system"))

    async def test_wrong_password(self) -> None:
        """
        A phone with a wrong password is not registered, and the log says who and from where.
        """
        phone = await self.phone("1005", registered=False, password="WrongPassword123!")
        await phone.event("REGISTER_FAIL")
        lines = await self.logged("authentication failed")
        # baresip answers every new challenge with the same password, until it gives up.
        for line in lines:
            self.assertIn("1005", line)
            self.assertIn("127.0.0.1", line)
        self.assertEqual((await self.api("GET", "/api/registrations"))[1]["registrations"], [])


class StopTests(ExchangeTestCase):
    """
    The end of the exchange.
    """

    async def test_calls_are_ended(self) -> None:
        """
        SIGTERM sends BYE on a live call; both phones see it end, its record is kept for the next start, and nothing
        stays behind.
        """
        caller, callee = await self.phone("1005"), await self.phone("1006")
        await caller.dial("1006")
        await caller.hears(callee.said)
        complaints = self.stop_exchange()
        await caller.event("CALL_CLOSED")
        await callee.event("CALL_CLOSED")
        self.assertEqual(complaints, [])
