"""
Trunks with a real registrar: Kamailio has the account, and the world behind it.
"""

from __future__ import annotations

from tests.wire.kamailio import Kamailio
from tests.wire.process import eventually
from tests.wire.trunks import DID, OUTSIDE, TrunkTestCase, account, inbound


class RegistrationTests(TrunkTestCase):
    """
    A trunk that registers.
    """

    timeout = 60
    extensions = ()

    async def registrations(self, kamailio: Kamailio) -> int:
        """
        How many REGISTERs the log tells of.
        """
        return len([line for line in self.exchange.log() if "REGISTER" in line and kamailio.host in line])

    async def test_registers(self) -> None:
        """
        It stands in the registrar's location table, is up, and ``grep REGISTER`` finds it with the trunk's host; so
        with SHA-256.
        """
        for algorithm in ("MD5", "SHA-256"):
            kamailio = await self.kamailio(algorithm=algorithm)
            await self.begin(account(algorithm, kamailio.server))
            (contact,) = await kamailio.registered()
            self.assertIn(f"@{self.exchange.server}", contact)
            state = await self.until(algorithm, "up")
            self.assertTrue(state["registered"], state)
            (line, *_) = await self.logged("REGISTER")
            self.assertIn(kamailio.host, line)

    async def test_made_over_the_api(self) -> None:
        """
        A trunk that is made over the API registers at once, and takes its registration back when it is removed; so does
        one when the exchange is stopped.
        """
        kamailio = await self.kamailio()
        await self.begin()
        trunk = account("provider", kamailio.server, transport="tcp")
        for _ in range(2):
            status, answer = await self.api("POST", "/api/trunks", trunk)
            self.assertEqual(status, 201, answer)
            (contact,) = await kamailio.registered()
            self.assertIn("transport=tcp", contact)
            status, answer = await self.api("DELETE", "/api/trunks/provider")
            self.assertEqual(status, 204, answer)
            await kamailio.forgotten()
        await self.api("POST", "/api/trunks", trunk)
        await kamailio.registered()
        await self.end(self.exchange)
        self.assertEqual(await kamailio.contacts(), [])

    async def test_wrong_password(self) -> None:
        """
        What is wrong is said in the API and in the log, and nothing is registered.
        """
        kamailio = await self.kamailio()
        self.faults = ("provider",)
        await self.begin(account("provider", kamailio.server, password="wrong"))
        state = await self.until("provider", "degraded")
        self.assertIn("password", state["reason"])
        lines = await self.logged("REGISTER")
        self.assertTrue(any("password" in line for line in lines), lines)
        self.assertEqual(await kamailio.contacts(), [])

    async def test_stays(self) -> None:
        """
        A registrar that grants a few seconds is asked again before they are over; one that was away and has forgotten
        everything has the trunk again soon after it is back.
        """
        kamailio = await self.kamailio(longest=10)
        self.faults = ("provider",)
        await self.begin(account("provider", kamailio.server, options_interval=1))
        await kamailio.registered()
        first = await kamailio.sequence()
        seen: list[int] = []

        async def stays() -> bool:
            seen.append(len(await kamailio.contacts()))
            return await kamailio.sequence() > first

        await eventually(stays, 15, "a refresh", 0.2)
        self.assertNotIn(0, seen)
        await kamailio.stop()
        await self.until("provider", "down", 15)
        await kamailio.start()
        await self.until("provider", "up", 25)
        await kamailio.registered(15)


class CallTests(TrunkTestCase):
    """
    Calls through Kamailio, which challenges INVITE and BYE with 407.
    """

    timeout = 60

    async def test_in(self) -> None:
        """
        A call from the world reaches the account, with the DID in To alone, and rings the extension of its route; both
        hear each other.
        """
        world = await self.world()
        kamailio = await self.kamailio(world)
        await self.begin(account("provider", kamailio.server), inbound_routes=[inbound("1002")])
        await kamailio.registered()
        callee = await self.phone("1002")
        await world.dial(f"sip:{DID}@{kamailio.server}")
        await callee.event("CALL_ESTABLISHED")
        await world.event("CALL_ESTABLISHED")
        await self.assert_talking(world, callee)
        await callee.hang_up()
        await world.event("CALL_CLOSED")
        (record,) = await self.new_records()
        self.assertEqual((record["disposition"], record["hangup_by"]), ("answered", "callee"))
        self.assertEqual((record["direction"], record["trunk"]), ("inbound", "provider"))
        self.assertIn(f"inbound route {DID} to 1002 takes it", record["route"])
        await self.nothing_left()

    async def test_in_over_tcp(self) -> None:
        """
        The same over TCP: the call comes in over the connection that the trunk has registered with.
        """
        world = await self.world()
        kamailio = await self.kamailio(world)
        await self.begin(account("provider", kamailio.server, transport="tcp"), inbound_routes=[inbound("1002")])
        await kamailio.registered()
        callee = await self.phone("1002")
        await world.dial(f"sip:{DID}@{kamailio.server}")
        await callee.event("CALL_ESTABLISHED")
        await self.assert_talking(world, callee)
        await world.hang_up()
        await callee.event("CALL_CLOSED")
        (record,) = await self.new_records()
        self.assertEqual((record["trunk"], record["hangup_by"]), ("provider", "caller"))
        await self.nothing_left()

    async def test_old_digest(self) -> None:
        """
        A provider that challenges in the old form of RFC 2069, and BYE with another nonce than INVITE.
        """
        provider = self.carrier("answer")
        await self.begin(account("provider", provider.server, register=False))
        caller = await self.phone("1001")
        await caller.dial("030987654")
        await caller.event("CALL_ESTABLISHED")
        await provider.saw("answered")
        await caller.hang_up()
        await provider.saw("BYE with credentials")
        self.assertEqual(provider.said(), [f"INVITE {OUTSIDE}", "answered", "BYE", "BYE with credentials true"])
        await self.nothing_left()

    async def test_out(self) -> None:
        """
        A call to the world: the challenges of INVITE and BYE are answered, and both hear each other.
        """
        world = await self.world()
        kamailio = await self.kamailio(world)
        await self.begin(account("provider", kamailio.server, caller_id=DID))
        await kamailio.registered()
        caller = await self.phone("1001")
        await caller.dial("030987654")
        answered = await world.event("CALL_ESTABLISHED")
        self.assertIn(f"sip:{DID}@", str(answered.fields))
        await caller.event("CALL_ESTABLISHED")
        await self.assert_talking(caller, world)
        await caller.hang_up()
        await world.event("CALL_CLOSED")
        (record,) = await self.new_records()
        self.assertEqual((record["disposition"], record["hangup_by"]), ("answered", "caller"))
        self.assertEqual((record["direction"], record["trunk"]), ("outbound", "provider"))
        self.assertEqual([leg["party"] for leg in record["legs"]], ["1001", OUTSIDE])
        await self.nothing_left()

    async def test_nobody(self) -> None:
        """
        A number that no route has is refused, and the provider hears why.
        """
        world = await self.world()
        kamailio = await self.kamailio(world)
        await self.begin(account("provider", kamailio.server), inbound_routes=[inbound("1002")])
        await kamailio.registered()
        await world.dial(f"sip:+4930999999@{kamailio.server}")
        self.assertIn("404", (await world.event("CALL_CLOSED")).param)
        await self.nothing_left()
