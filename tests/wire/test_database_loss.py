"""
The database goes away under live calls, and nobody on the phone notices.
"""

from __future__ import annotations

import signal
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.wire.agent import Agent, Dialog, sdp
from tests.wire.exchange import PASSWORD
from tests.wire.lasting import LastingTestCase, Server, kill_all
from tests.wire.process import eventually, sleep
from tests.wire.talker import Talker

ANN, BOB = 0x11, 0x22
"""What the two ends of a call say."""

OFFER = sdp("127.0.0.1", 9000)


class LossTestCase(LastingTestCase):
    """
    An exchange whose database comes and goes.
    """

    expected = "[Dd]atabase|PostgreSQL|Registrations could not be stored, tried again"

    async def talk(self, caller: Agent, callee: Agent) -> tuple[Dialog, Talker, Talker]:
        """
        A call with audio both ways.
        """
        ann, bob = Talker(ANN), Talker(BOB)
        for talker in (ann, bob):
            self.addCleanup(talker.stop)
        callee.on_invite = lambda _: (200, "OK", sdp("127.0.0.1", bob.port))
        response, dialog = await caller.call(callee.user, sdp("127.0.0.1", ann.port))
        assert dialog is not None
        ann.talk_to(*response.media()[:2])
        invite = next(one for one in reversed(callee.received) if one.method == "INVITE")
        bob.talk_to(*invite.media()[:2])
        await ann.hears(BOB)
        await bob.hears(ANN)
        return dialog, ann, bob

    async def database(self) -> dict[str, Any]:
        """
        What the API says of the database.
        """
        status, answer = await self.api("GET", "/api/status")
        self.assertEqual(status, 200)
        return dict(answer["database"])

    async def is_up(self) -> bool:
        """
        Whether the exchange reaches its database.
        """
        return bool((await self.database())["up"])

    async def is_down(self) -> bool:
        """
        Whether it does not.
        """
        return not await self.is_up()

    async def check_calls_without(self, caller: Agent, callee: Agent) -> None:
        """
        What works without a database: a registration is refreshed, a new call is set up and ends.
        """
        self.assertEqual((await callee.register()).status, 200)
        callee.on_invite = lambda _: (200, "OK", OFFER)
        _, dialog = await caller.call(callee.user, OFFER)
        assert dialog is not None
        self.assertEqual((await caller.hang_up(dialog)).status, 200)

    def waiting(self, count: int) -> Any:
        """
        What asks whether so many records wait.
        """

        async def ask() -> bool:
            return (await self.database())["records_waiting"] == count

        return ask

    async def check_api_without(self) -> None:
        """
        What the API can't do without a database is said to be so, at once, as a problem.
        """
        for method, path, body in (
            ("GET", "/api/extensions", None),
            ("GET", "/api/cdr", None),
            ("GET", "/api/statistics", None),
            ("DELETE", "/api/extensions/1005", None),
            ("POST", "/api/extensions", {"number": "1009", "name": "Nobody", "password": "SecurePassword123!"}),
        ):
            status, problem = await self.api(method, path, body)
            self.assertEqual((status, problem["status"]), (503, 503), (method, path, problem))
        for path in ("/live", "/api/calls", "/api/registrations"):
            self.assertEqual((await self.api("GET", path))[0], 200, path)
        # Calls are served from memory: nobody should take this exchange out of service.
        status, ready = await self.api("GET", "/ready")
        self.assertEqual((status, ready["checks"]["database"]), (200, False))

    async def check_records(self, count: int) -> None:
        """
        So many records have come, each once.
        """
        await self.new_records(count)
        # Whatever would come twice has come by then.
        await sleep(0.3)
        records = await self.new_records(count)
        self.assertEqual(len(records), count)
        self.assertEqual({record["disposition"] for record in records}, {"answered"})
        self.assertEqual((await self.database())["records_waiting"], 0)
        self.assertEqual([path for path in (self.exchange.data / "spool").rglob("*") if path.is_file()], [])


class EmbeddedLossTests(LossTestCase):
    """
    The bundled server.
    """

    async def test_killed(self) -> None:
        """
        Killed without a word, its processes at once, it is started again within a second or two; a call goes on.
        """
        await self.begin("1005", "1006")
        caller, callee = await self.agent("1005"), await self.agent("1006")
        dialog, ann, bob = await self.talk(caller, callee)
        await deferToThread(kill_all, self.exchange.postgres)
        self.assertEqual((await caller.hang_up(dialog)).status, 200)
        dialog, ann, bob = await self.talk(caller, callee)
        await eventually(self.is_up, 5, "the database back")
        await ann.hears(BOB)
        await bob.hears(ANN)
        self.assertLess(max(ann.longest_gap, bob.longest_gap), 0.5)
        await caller.hang_up(dialog)
        await self.check_records(2)
        self.assertEqual((await self.api("DELETE", "/api/extensions/1006"))[0], 204)

    async def test_broken(self) -> None:
        """
        While it can't be started again everything goes on from memory, and a clean stop is one; the next start finds
        every record.
        """
        await self.begin("1005", "1006")
        caller, callee = await self.agent("1005"), await self.agent("1006")
        _, ann, bob = await self.talk(caller, callee)
        control = self.exchange.postgres / "global" / "pg_control"
        control.rename(control.with_suffix(".away"))
        await deferToThread(kill_all, self.exchange.postgres)
        await eventually(self.is_down, 5, "the database away")
        await self.check_calls_without(caller, callee)
        await self.check_api_without()
        await ann.hears(BOB)
        await bob.hears(ANN)
        await eventually(self.waiting(1), 3, "a record waiting")
        # The other call is ended by the stop, when it is late to write anything.
        status, seconds = await self.end()
        self.assertEqual(status, 0)
        self.assertLess(seconds, 5)
        control.with_suffix(".away").rename(control)
        await self.start()
        await self.check_records(2)


class ExternalLossTests(LossTestCase):
    """
    A server of the operator's, named by its connection string.
    """

    async def setUp(self) -> None:
        """
        A server with an empty database, and an exchange that is to use it.
        """
        self.server = Server()
        self.addCleanup(self.server.remove)
        await self.server.make()
        await self.server.start()
        self.settings = {"database": {"url": self.server.dsn}}
        await super().setUp()

    async def calls_ended(self) -> tuple[Agent, Agent]:
        """
        Two phones, and two calls that ended while the database was away; it still is.
        """
        await self.start()
        for number in ("1005", "1006"):
            await deferToThread(self.exchange.add_extension, number)
        caller, callee = await self.agent("1005"), await self.agent("1006")
        dialog, ann, bob = await self.talk(caller, callee)
        await self.server.stop(signal.SIGKILL)
        await eventually(self.is_down, 5, "the database away")
        await self.check_calls_without(caller, callee)
        await ann.hears(BOB)
        await bob.hears(ANN)
        self.assertLess(max(ann.longest_gap, bob.longest_gap), 0.5)
        self.assertEqual((await caller.hang_up(dialog)).status, 200)
        await eventually(self.waiting(2), 3, "two records waiting")
        return caller, callee

    async def test_back(self) -> None:
        """
        When the server is back, the records are brought in, those of the time between as well as the next.
        """
        caller, callee = await self.calls_ended()
        await self.check_api_without()
        await self.server.start()
        await eventually(self.is_up, 5, "the database back")
        await self.check_calls_without(caller, callee)
        await self.check_records(3)
        # What another program changes is heard again as well.
        await self.server.ask("UPDATE extension SET enabled = false WHERE number = '1006'")
        await eventually(lambda: self.refused(caller), 3, "1006 disabled")

    async def refused(self, caller: Agent) -> bool:
        """
        Whether 1006 can't be called.
        """
        response, dialog = await caller.call("1006", OFFER)
        if dialog is not None:
            await caller.hang_up(dialog)
        return response.status != 200

    async def test_killed_while_away(self) -> None:
        """
        Killed while the database is away, the exchange has its records on disk. It starts without the database, says
        that it waits for it, and serves and brings the records in, once, when that comes.
        """
        caller, callee = await self.calls_ended()
        await eventually(self.spooled, 3, "records on disk")
        await self.end(signal.SIGKILL)
        waited = Deferred.fromCoroutine(self.start())
        await eventually(self.says_it_waits, 10, "a word of waiting")
        self.assertTrue(self.exchange.runs)
        await self.server.start()
        await waited
        await self.check_records(2)
        await self.check_calls_without(caller, callee)
        await self.end()
        await self.start()
        await self.check_records(3)

    async def spooled(self) -> bool:
        """
        Whether records lie on disk.
        """
        return bool(list((self.exchange.data / "spool").glob("*.jsonl")))

    async def says_it_waits(self) -> bool:
        """
        Whether the log tells of the wait.
        """
        return any("Waiting for the database" in line for line in self.exchange.log())

    async def test_stopped_while_waiting(self) -> None:
        """
        An exchange that waits for its database says so once, refuses phones, tells the API's clients why, and is
        stopped like any other.
        """
        await self.server.stop()
        waited = Deferred.fromCoroutine(self.start())
        await eventually(self.says_it_waits, 10, "a word of waiting")
        self.assertEqual((await self.api("GET", "/live"))[0], 200)
        status, problem = await self.api("GET", "/api/extensions")
        self.assertEqual((status, problem["detail"]), (503, "The exchange waits for its database."))
        phone = Agent("1005", PASSWORD, (self.exchange.host, self.exchange.sip_port))
        phone.start()
        self.addCleanup(phone.stop)
        self.assertEqual((await phone.register()).status, 503)
        await sleep(1.5)
        self.assertEqual(len(await self.logged("Waiting for the database")), 1)
        status, seconds = await self.end()
        self.assertEqual(status, 0)
        self.assertLess(seconds, 5)
        await self.assertFailure(waited, RuntimeError)
