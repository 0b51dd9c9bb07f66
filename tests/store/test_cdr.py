"""
Tests of :mod:`pbx.store.cdr` on a real server, which is killed while it is written to.
"""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from pbx.store.cdr import Cdr
from pbx.store.database import Database, DatabaseDown, Rejected
from pbx.store.embedded import EmbeddedPostgres
from pbx.store.migrate import migrate
from tests.store.case import FAST, DatabaseTestCase, Lines, data_directory
from tests.wire.ports import free_ports
from tests.wire.process import eventually, reactor, sleep

NOW = 1_800_000_000.0
"""2027-01-15T08:00:00Z"""

run = Deferred.fromCoroutine


def leg(direction: str, mos: float | None) -> dict[str, Any]:
    """
    A leg of a record.
    """
    return {"direction": direction, "party": "1001", "quality": {"mos": mos, "loss_percent": 0.0}}


def record(**changes: Any) -> dict[str, Any]:
    """
    A record of an answered call.
    """
    return {
        "id": uuid.uuid4().hex,
        "call_id": "abc@192.0.2.1",
        "caller": "1001",
        "caller_name": "Ada",
        "callee": "1002",
        "started": "2027-01-15T07:59:00.123Z",
        "answered": "2027-01-15T07:59:02Z",
        "ended": "2027-01-15T07:59:30Z",
        "duration": 29.877,
        "billable": 28.0,
        "disposition": "answered",
        "reason": "hung up",
        "status": 200,
        "q850": 16,
        "hangup_by": "caller",
        "media_path": "relay",
        "codec": "PCMU",
        "direction": "internal",
        "trunk": None,
        "route": ["1002 is Grace"],
        "legs": [leg("in", 4.4), leg("out", 4.1)],
        **changes,
    }


UNANSWERED = {"answered": None, "billable": 0.0, "codec": None, "legs": [leg("in", None)]}


class CdrTestCase(DatabaseTestCase):
    """
    Call records in an empty table, with an empty spool.
    """

    async def setUp(self) -> None:
        """
        An empty table and an empty spool.
        """
        await DatabaseTestCase.setUp(self)
        self.cdr = await self.restarted()

    async def tearDown(self) -> None:
        """
        Stop in the program's order.
        """
        await self.cdr.stop()
        await DatabaseTestCase.tearDown(self)

    async def restarted(self) -> Cdr:
        """
        The call records of another run of the program.
        """
        cdr = Cdr(reactor, self.database, self.spool, lambda: NOW)
        await cdr.start()
        return cdr

    async def count(self) -> int:
        """
        How many records the table has.
        """
        rows = await self.database.query("SELECT count(*) FROM cdr")
        return int(rows[0]["count"])


class CdrTests(CdrTestCase):
    """
    Call records while the server is there, or has just been killed.
    """

    async def test_comes_back_as_it_was(self) -> None:
        """
        A record is listed with all its legs, as JSON values, with the MOS of its worst leg; twice is once.
        """
        made = record()
        self.cdr.add(lambda: made)
        self.cdr.add(lambda: made)
        (listed,) = await self.cdr.list()
        self.assertEqual(self.cdr.outbox.rejected, 0)
        times = {"started": "2027-01-15T07:59:00.123Z", "answered": "2027-01-15T07:59:02.000Z"}
        self.assertEqual(listed, {**made, **times, "ended": "2027-01-15T07:59:30.000Z", "mos": 4.1})
        unanswered = record(**UNANSWERED, disposition="busy", status=486)
        self.cdr.add(lambda: unanswered)
        listed = (await self.cdr.list(disposition="busy"))[0]
        self.assertEqual((listed["answered"], listed["mos"], listed["legs"]), (None, None, unanswered["legs"]))

    async def test_filters_and_pages(self) -> None:
        """
        The latest come first; a page begins where the former ended, also among calls of one moment; filters combine.
        """
        for minute in range(3):
            for caller in ("1001", "1002"):
                started = f"2027-01-15T07:5{minute}:00Z"
                self.cdr.add(partial(record, started=started, caller=caller, callee=f"2{minute}"))
        everything = await self.cdr.list()
        self.assertEqual([row["started"][15] for row in everything], ["2", "2", "1", "1", "0", "0"])
        pages: list[Any] = []
        before = None
        while page := await self.cdr.list(limit=1, before=before):
            pages.extend(page)
            before = page[-1]["id"]
        self.assertEqual(pages, list(everything))
        self.assertEqual(len(await self.cdr.list(before="2027-01-15T07:51:00Z")), 2)
        self.assertEqual(len(await self.cdr.list(caller="1001", callee="21")), 1)
        self.assertEqual(len(await self.cdr.list(caller="1003")), 0)
        self.assertEqual(len(await self.cdr.list(limit=-1)), 1)
        self.cdr.add(partial(record, direction="outbound", trunk="A"))
        self.assertEqual([row["trunk"] for row in await self.cdr.list(direction="outbound")], ["A"])
        self.assertEqual([row["direction"] for row in await self.cdr.list(trunk="A")], ["outbound"])
        await self.assertFailure(run(self.cdr.list(before="yesterday-ish")), Rejected)

    async def test_statistics(self) -> None:
        """
        Figures of today, by local time, and of all days.
        """
        nothing = await self.cdr.statistics()
        self.assertEqual(nothing["today"]["calls"], 0)
        self.assertIsNone(nothing["total"]["mos_average"])
        self.cdr.add(partial(record, billable=10.0))
        self.cdr.add(partial(record, billable=30.0, legs=[leg("in", 3.1)]))
        for disposition in ("busy", "no answer", "cancelled", "failed"):
            self.cdr.add(partial(record, **UNANSWERED, disposition=disposition))
        self.cdr.add(partial(record, started="2027-01-13T07:59:00Z", billable=80.0))
        figures = await self.cdr.statistics()
        today, total = figures["today"], figures["total"]
        self.assertEqual(
            [today[name] for name in ("calls", "answered", "busy", "no_answer", "cancelled", "failed")],
            [6, 2, 1, 1, 1, 1],
        )
        self.assertEqual((today["average_duration"], today["talk_seconds"]), (20.0, 40.0))
        self.assertAlmostEqual(today["mos_average"], 3.6)
        self.assertEqual((today["mos_lowest"], total["calls"], total["average_duration"]), (3.1, 7, 40.0))

    async def test_beyond_the_house(self) -> None:
        """
        The legs beyond the house of the calls that ended since a moment are found, also those that wait on disk.
        """
        out = {**leg("out", 4.1), "trunk": "A", "payer": "1001", "party": "+49301"}
        self.cdr.add(partial(record, legs=[leg("in", 4.4), out]))
        self.cdr.add(partial(record, legs=[leg("in", 4.4), leg("out", 4.4)]))
        self.cdr.add(partial(record, ended="2027-01-14T22:59:59Z", legs=[{**out, "party": "+49302"}]))
        await run(self.cdr.stop())
        self.cdr.add(partial(record, legs=[{**out, "party": "+49303"}]))
        again = await self.restarted()
        midnight = NOW - 9 * 3600
        self.assertEqual(sorted(row["party"] for row in await again.outside_since(midnight)), ["+49301", "+49303"])

    async def test_odd_records(self) -> None:
        """
        Odd bytes from a phone's display name are stored; a record without its times is put aside, and blocks none.
        """
        self.cdr.add(partial(record, caller_name="A\0da \udcff"))
        self.cdr.add(partial(record, started=None))
        self.cdr.add(partial(record, legs=None))
        self.cdr.add(partial(record, status=99999999999))
        await self.cdr.outbox.flush()
        self.assertEqual(await self.count(), 2)
        self.assertEqual((self.cdr.outbox.rejected, self.cdr.outbox.files), (2, 0))
        self.assertEqual(len((self.spool / "rejected" / "cdr.jsonl").read_bytes().splitlines()), 2)

    async def test_killed_while_written_to(self) -> None:
        """
        The server is killed twice while records come in: each of them is in the table in the end, once.
        """
        for number in range(60):
            if number in {15, 35}:
                await self.server.kill()
            for _ in range(10):
                self.cdr.add(record)
            await sleep(0.02)

        async def all_there() -> bool:
            outbox = self.cdr.outbox
            return self.database.up and outbox.waiting == 0 and outbox.files == 0

        await eventually(all_there, within=15, what="every record written", interval=0.02)
        self.assertEqual(await self.count(), 600)
        self.assertGreater(self.cdr.outbox.spooled, 0)
        self.assertEqual(self.cdr.outbox.rejected, 0)

    async def test_reading_includes_what_waits(self) -> None:
        """
        A call that ended this moment is in the list.
        """
        self.cdr.add(record)
        self.assertEqual((await self.cdr.statistics())["total"]["calls"], 1)


class RestartTests(CdrTestCase):
    """
    The program ends while the server is away.
    """

    own_server = True

    async def test_restart_while_the_server_is_away(self) -> None:
        """
        What was on disk and in memory when the program stopped while the server was away is written by the next run;
        meanwhile reading fails at once.
        """
        await self.server.stop()

        async def down() -> bool:
            return not self.database.up

        await eventually(down, within=5, what="the loss noticed", interval=0.005)
        self.cdr.add(record)
        await self.cdr.outbox.flush()
        self.cdr.add(record)
        await self.assertFailure(run(self.cdr.list()), DatabaseDown)
        self.cdr.add(record)
        await self.cdr.stop()
        self.cdr = await self.restarted()
        self.assertEqual(self.cdr.outbox.files, 3)
        await self.server.start()

        async def replayed() -> bool:
            return self.cdr.outbox.files == 0

        await eventually(replayed, within=10, what="the replay", interval=0.01)
        self.assertEqual(await self.count(), 3)
        self.assertEqual(list(self.spool.glob("cdr-*")), [])


class ExternalServerTests(DatabaseTestCase):
    """
    A server that the operator named, over TCP, with a password.
    """

    own_server = True

    async def setUp(self) -> None:
        """
        Our server, listening as an operator's would.
        """
        await DatabaseTestCase.setUp(self)
        await self.database.execute("DROP ROLE IF EXISTS pbx_user")
        await self.database.execute("CREATE ROLE pbx_user LOGIN SUPERUSER PASSWORD 'p@ss w/rd'")
        await self.database.stop()
        await self.server.stop()
        rules = data_directory() / "hba.conf"
        rules.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        port = free_ports()
        tcp = ("listen_addresses=127.0.0.1", f"port={port}", f"hba_file={rules}")
        self.server = EmbeddedPostgres(reactor, data_directory(), (*FAST, *tcp))
        self.url = f"postgresql://pbx_user:p%40ss%20w%2Frd@localhost:{port}/pbx_system"

    async def test_same_as_the_bundled_one(self) -> None:
        """
        The program starts before the server does, stores what it gathered meanwhile, and survives its restart.
        """
        database = Database(reactor, self.url, prepare=migrate)
        cdr = Cdr(reactor, database, self.spool, lambda: NOW)
        await database.start()
        await cdr.start()
        try:
            cdr.add(record)
            await cdr.outbox.flush()
            self.assertEqual(cdr.outbox.files, 1)
            for expected in (1, 2):
                await self.server.start()

                async def stored(wanted: int = expected) -> bool:
                    return database.up and cdr.outbox.files == 0 and len(await cdr.list()) == wanted

                await eventually(stored, within=10, what="the record", interval=0.02)
                await self.server.stop()
                await sleep(0.05)
                cdr.add(record)
        finally:
            await cdr.stop()
            await database.stop()
        self.assertEqual(len(list(self.spool.glob("cdr-*"))), 1)

    async def test_wrong_password(self) -> None:
        """
        A wrong password is like a server that is away: said once, without the password.
        """
        await self.server.start()
        log = Lines(self)
        database = Database(reactor, self.url.replace("rd@", "rong@"))
        await database.start()
        self.assertFalse(database.up)
        await sleep(0.5)
        await database.stop()
        (text,) = log.texts
        self.assertIn('password authentication failed for user "pbx_user"', text)
        self.assertNotIn("rong", text)
