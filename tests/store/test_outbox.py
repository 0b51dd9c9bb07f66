"""
Tests of :mod:`pbx.store.outbox` in virtual time, with a table that can be told how to fail.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from pbx.store import outbox as module
from pbx.store.database import DatabaseDown, DatabaseError, Rejected
from pbx.store.outbox import AGAIN, BATCH, PAUSE, SPOOL_PAUSE, STOP_SECONDS, Outbox
from pbx.store.spool import Spool


class Table:
    """
    A table that keeps each id once, and fails as told.

    Attributes:
        rows: The ids in it.
        sizes: How many records each statement brought.
        up: Whether the database can be reached.
        error: What each statement fails with, having had no effect.
        lost_answers: How many statements have their effect and fail with :class:`DatabaseDown` all the same.
        gate: Statements wait for it, if there is one.
    """

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.sizes: list[int] = []
        self.up = True
        self.error: Exception | None = None
        self.lost_answers = 0
        self.gate: Deferred[None] | None = None

    async def insert(self, records: Sequence[bytes]) -> None:
        """
        Add what is not there yet.
        """
        if self.gate is not None:
            await self.gate
        if not self.up:
            raise DatabaseDown("away")
        if self.error is not None:
            raise self.error
        ids = [json.loads(record)["id"] for record in records]
        if "bad" in ids:
            raise Rejected("bad")
        self.sizes.append(len(ids))
        self.rows.extend(name for name in ids if name not in self.rows)
        if self.lost_answers:
            self.lost_answers -= 1
            raise DatabaseDown("lost while the answer was on its way")


def record(name: object) -> bytes:
    """
    A record with this id.
    """
    return json.dumps({"id": str(name)}).encode()


class OutboxTests(SynchronousTestCase):
    """
    Records on their way to the table.
    """

    def setUp(self) -> None:
        """
        An outbox before an empty table.
        """
        self.clock = Clock()
        self.table = Table()
        self.spool = Spool(Path(self.mktemp()), "cdr")
        self.outbox = self.new_outbox()

    def new_outbox(self) -> Outbox:
        """
        An outbox that has started on the same spool, as after a restart.
        """
        outbox = Outbox(self.clock, lambda: self.table.up, self.table.insert, self.spool, maybeDeferred)
        self.successResultOf(Deferred.fromCoroutine(outbox.start()))
        return outbox

    def add(self, *names: object) -> None:
        """
        Put records into the outbox.
        """
        for name in names:
            self.outbox.add(partial(record, name))

    def stop(self) -> None:
        """
        Stop the outbox; nothing is left to be done.
        """
        self.successResultOf(Deferred.fromCoroutine(self.outbox.stop()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def rows(self) -> list[str]:
        """
        What is in the table.
        """
        return self.table.rows

    def test_made_when_written(self) -> None:
        """
        A record is made when its turn has come, once, however often its writing is tried.
        """
        made: list[int] = []

        def make() -> bytes:
            made.append(1)
            return record(1)

        self.table.error = DatabaseError("not now")
        self.outbox.add(make)
        self.assertEqual(made, [])
        self.clock.advance(PAUSE)
        self.table.error = None
        self.clock.pump([1] * 10)
        self.assertEqual((made, self.rows()), ([1], ["1"]))
        self.stop()

    def test_not_to_be_made(self) -> None:
        """
        A record that can't be made is lost and said so; the others are written.
        """
        self.outbox.add(lambda: record(undefined))  # noqa: F821
        self.add(2)
        self.clock.advance(PAUSE)
        self.assertEqual((self.rows(), self.outbox.lost, self.outbox.waiting), (["2"], 1, 0))
        self.assertEqual(len(self.flushLoggedErrors(NameError)), 1)
        self.stop()

    def test_gathers_a_moment(self) -> None:
        """
        Records of one moment are written by one statement.
        """
        self.add(1, 2)
        self.clock.advance(PAUSE / 2)
        self.add(3)
        self.assertEqual(self.rows(), [])
        self.clock.advance(PAUSE / 2)
        self.assertEqual(self.rows(), ["1", "2", "3"])
        self.assertEqual(self.table.sizes, [3])
        self.stop()

    def test_many_do_not_wait(self) -> None:
        """
        As many as fit in one statement go at once, and more in several.
        """
        self.add(*range(BATCH + 5))
        self.clock.advance(0)
        self.assertEqual(self.table.sizes, [BATCH, 5])
        self.assertEqual(self.outbox.inserted, BATCH + 5)
        self.stop()

    def test_down_goes_to_disk_and_comes_back(self) -> None:
        """
        While the database is away records go to disk, a file a second at most; when it is back all are in it.
        """
        self.table.up = False
        for name in range(30):
            self.add(name)
            self.clock.advance(0.1)
        self.clock.advance(SPOOL_PAUSE)
        self.assertEqual(self.outbox.waiting, 0)
        self.assertLessEqual(len(self.spool.files()), 4)
        self.table.up = True
        self.outbox.recovered()
        self.clock.advance(0)
        self.assertEqual(sorted(self.rows(), key=int), [str(name) for name in range(30)])
        self.assertEqual(self.spool.files(), [])
        self.assertEqual((self.outbox.spooled, self.outbox.inserted), (30, 30))
        self.stop()

    def test_lost_answer_is_no_second_record(self) -> None:
        """
        A batch that was written although the answer got lost is written again, and is there once.
        """
        self.table.lost_answers = 1
        self.add(1, 2)
        self.clock.advance(PAUSE)
        self.assertEqual(self.rows(), ["1", "2"])
        self.assertEqual(self.outbox.files, 1)
        self.outbox.recovered()
        self.clock.advance(0)
        self.assertEqual(self.rows(), ["1", "2"])
        self.assertEqual(self.spool.files(), [])
        self.stop()

    def test_crash_between_writing_and_forgetting(self) -> None:
        """
        When the program dies after a file's records were written and before the file is gone, they are there once.
        """
        self.table.up = False
        self.add(1)
        self.clock.advance(SPOOL_PAUSE)
        self.patch(self.spool, "delete", lambda path: None)
        self.table.up = True
        self.outbox.recovered()
        self.clock.advance(0)
        self.stop()
        del self.spool.delete
        self.outbox = self.new_outbox()
        self.clock.advance(0)
        self.assertEqual(self.rows(), ["1"])
        self.assertEqual(self.spool.files(), [])
        self.stop()

    def test_bad_record_does_not_block_the_others(self) -> None:
        """
        A record the table never takes is put aside and told of; the others of its batch are written.
        """
        self.add(1, "bad", 2)
        self.clock.advance(PAUSE)
        self.assertEqual(self.rows(), ["1", "2"])
        self.assertEqual((self.outbox.rejected, self.outbox.files, self.outbox.waiting), (1, 0, 0))
        self.stop()

    def test_sick_database_is_tried_again(self) -> None:
        """
        A database that is there and takes nothing (its disk is full) is spared for some seconds; nothing is lost.
        """
        self.table.error = DatabaseError("could not extend file: No space left on device")
        self.add(1)
        self.clock.advance(PAUSE)
        self.add(2)
        self.clock.advance(SPOOL_PAUSE)
        self.assertEqual(self.outbox.files, 2)
        self.table.error = None
        self.clock.pump([0.5] * int(2 * AGAIN + 2))
        self.assertEqual(sorted(self.rows()), ["1", "2"])
        self.assertEqual(self.outbox.files, 0)
        self.stop()

    def test_full_disk_keeps_them_in_memory(self) -> None:
        """
        When neither takes them, records stay in memory up to the limit, beyond which the operator hears of the loss.
        """
        self.patch(module, "QUEUE_LIMIT", 3)

        def full(records: object) -> Path:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(self.spool, "write", full)
        lines: list[str] = []
        self.patch(Outbox, "log", Logger(observer=lambda event: lines.append(formatEvent(event))))
        self.table.up = False
        self.add(1, 2, 3, 4)
        self.clock.advance(SPOOL_PAUSE)
        self.assertEqual((self.outbox.waiting, self.outbox.lost), (3, 1))
        self.assertIn("can't be written to disk", lines[-1])
        self.table.up = True
        self.outbox.recovered()
        self.clock.advance(0)
        self.assertEqual(self.rows(), ["1", "2", "3"])
        # The operator hears of the end too, once.
        self.assertEqual(lines[-1], "Call records are written again; 1 are lost so far")
        count = len(lines)
        self.add(5)
        self.clock.advance(PAUSE)
        self.assertEqual((self.rows()[-1], len(lines)), ("5", count))
        self.stop()

    def test_unreadable_file_does_not_block_the_others(self) -> None:
        """
        A file that can't be read is left for later; those after it are written.
        """
        self.table.up = False
        for name in (1, 2):
            self.add(name)
            self.clock.advance(SPOOL_PAUSE)
        first = self.spool.files()[0]
        text = first.read_bytes()
        first.unlink()
        first.mkdir()
        self.table.up = True
        self.outbox.recovered()
        self.clock.advance(0)
        self.clock.advance(AGAIN)
        self.assertEqual(self.rows(), ["2"])
        first.rmdir()
        first.write_bytes(text)
        self.clock.advance(AGAIN)
        self.assertEqual(self.rows(), ["2", "1"])
        self.stop()

    def test_stop_writes_what_waits(self) -> None:
        """
        At the stop what waits goes to the database at once.
        """
        self.add(1)
        self.stop()
        self.assertEqual(self.rows(), ["1"])
        self.assertEqual(self.spool.files(), [])

    def test_stop_while_down(self) -> None:
        """
        At the stop with the database away what waits goes to disk, and the next start brings it in.
        """
        self.table.up = False
        self.add(1, 2)
        self.stop()
        self.table.up = True
        self.outbox = self.new_outbox()
        self.clock.advance(0)
        self.assertEqual(self.rows(), ["1", "2"])
        self.stop()

    def test_pending(self) -> None:
        """
        Records count as pending until the database has them, wherever they are, and whichever run they are of.
        """
        self.table.up = False
        self.add(1, 2)
        self.assertEqual(self.outbox.pending, 2)
        self.clock.advance(SPOOL_PAUSE)
        self.assertEqual((self.outbox.waiting, self.outbox.pending), (0, 2))
        self.add(3)
        self.assertEqual(self.outbox.pending, 3)
        self.stop()
        self.assertEqual(self.outbox.pending, 3)
        self.outbox = self.new_outbox()
        self.assertEqual(self.outbox.pending, 3)
        self.table.up = True
        self.outbox.recovered()
        self.clock.advance(0)
        self.assertEqual(self.outbox.pending, 0)
        self.stop()

    def test_stop_with_a_database_that_hangs(self) -> None:
        """
        A statement that does not end holds the stop up for two seconds; its records are on disk then, and there once
        in the end.
        """
        self.table.gate = Deferred()
        self.add(1)
        self.clock.advance(PAUSE)
        stopping = Deferred.fromCoroutine(self.outbox.stop())
        self.assertNoResult(stopping)
        self.clock.advance(STOP_SECONDS)
        self.successResultOf(stopping)
        self.assertEqual(len(self.spool.files()), 1)
        self.table.gate.callback(None)
        self.table.gate = None
        self.outbox = self.new_outbox()
        self.clock.advance(0)
        self.assertEqual(self.rows(), ["1"])
        self.stop()

    def test_after_the_stop(self) -> None:
        """
        A record that comes after the stop is not lost either.
        """
        self.stop()
        self.add(1)
        self.assertEqual(len(self.spool.files()), 1)

    def test_flush_is_read_your_writes(self) -> None:
        """
        After a flush what was added is there, without waiting for company.
        """
        self.add(1)
        self.successResultOf(Deferred.fromCoroutine(self.outbox.flush()))
        self.assertEqual(self.rows(), ["1"])
        self.stop()
