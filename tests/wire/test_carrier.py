"""
Tests for :mod:`tests.wire.carrier`: a phone in place of the exchange.
"""

from __future__ import annotations

from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.trial.unittest import TestCase

from tests.wire.agent import Agent
from tests.wire.baresip import Account, Phone
from tests.wire.carrier import Carrier
from tests.wire.kamailio import ACCOUNT, PASSWORD


class CarrierTests(TestCase):
    """
    Each scenario does what it is there for.
    """

    timeout = 30

    def carrier(self, name: str) -> Carrier:
        """
        A provider, running.
        """
        carrier = Carrier(name, self.mktemp())
        carrier.start()
        self.addCleanup(carrier.stop)
        return carrier

    async def phone(self, carrier: Carrier, password: str = PASSWORD) -> Phone:
        """
        A phone that calls there.
        """
        phone = Phone(Account(ACCOUNT, carrier.server, password, register=0), voice=1)
        self.addCleanup(phone.stop)
        await phone.start()
        return phone

    async def options(self, carrier: Carrier, within: float = 5) -> int:
        """
        What it answers when it is asked whether it is alive.
        """
        agent = Agent("asker", "", (carrier.host, carrier.port))
        agent.start()
        self.addCleanup(agent.stop)
        headers = [("From", f"<{agent.contact}>;tag=1"), ("To", f"<sip:{carrier.server}>"), ("CSeq", "1 OPTIONS")]
        headers.append(("Call-ID", f"{agent.port}"))
        return (await agent.request("OPTIONS", f"sip:{carrier.server}", headers, within=within)).status

    async def test_alive(self) -> None:
        """
        Each answers OPTIONS before, between and after calls; a frozen one does not, until it is thawed.
        """
        for name in ("answer", "ring", "refuse", "silent"):
            carrier = self.carrier(name)
            for _ in range(3):
                self.assertEqual(await self.options(carrier), 200, name)
        carrier.freeze()
        with self.assertRaises(DeferredTimeout):
            await self.options(carrier, within=0.7)
        carrier.thaw()
        self.assertEqual(await self.options(carrier), 200)
        self.assertEqual(carrier.said(), [])

    async def test_answer(self) -> None:
        """
        A call with the right password is answered, and BYE is challenged anew, which this phone cannot do; a call with
        the wrong password is refused.
        """
        carrier = self.carrier("answer")
        phone = await self.phone(carrier)
        await phone.dial("+4930123456")
        await phone.event("CALL_ESTABLISHED")
        await carrier.saw("answered")
        await phone.hang_up()
        await carrier.saw("BYE")
        self.assertEqual(await self.options(carrier), 200)
        other = await self.phone(carrier, "wrong")
        await other.dial("+4930123456")
        self.assertIn("403", (await other.event("CALL_CLOSED")).param)
        self.assertEqual(carrier.said(), ["INVITE +4930123456", "answered", "BYE", "INVITE +4930123456"])

    async def test_ring(self) -> None:
        """
        It rings until it is cancelled.
        """
        carrier = self.carrier("ring")
        phone = await self.phone(carrier)
        await phone.dial("+4930123456")
        await phone.event("CALL_RINGING")
        await phone.hang_up()
        await carrier.saw("CANCEL")
        self.assertEqual(carrier.said(), ["INVITE +4930123456", "180", "CANCEL"])

    async def test_refuse(self) -> None:
        """
        It refuses.
        """
        phone = await self.phone(self.carrier("refuse"))
        await phone.dial("+4930123456")
        self.assertIn("503", (await phone.event("CALL_CLOSED")).param)

    async def test_silent(self) -> None:
        """
        It says nothing.
        """
        carrier = self.carrier("silent")
        phone = await self.phone(carrier)
        await phone.dial("+4930123456")
        await carrier.saw("INVITE", count=1)
        self.assertNotIn("CALL_RINGING", {event.type for event in phone.events})

    async def test_take(self) -> None:
        """
        It answers without asking for credentials, and its messages can be read.
        """
        carrier = self.carrier("take")
        phone = await self.phone(carrier)
        await phone.dial("+4930123456")
        await carrier.saw("answered")
        (invite,) = carrier.requests("INVITE")
        self.assertIn("+4930123456", invite["to"])
        self.assertIn(b"m=audio", invite.body)
        await phone.hang_up()
        await carrier.saw("BYE")

    async def test_emergency(self) -> None:
        """
        A call that does not say from where is not taken.
        """
        carrier = self.carrier("emergency")
        phone = await self.phone(carrier)
        await phone.dial("112")
        with self.assertRaises(TimeoutError):
            await carrier.saw("INVITE", within=1)
