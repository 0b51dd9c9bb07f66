"""
The outbox: records on their way to the database, which they reach once, whatever happens on the way.

A record waits in memory for a moment, so that many are written by one statement. When the database can't take them they
go to the spool, on disk, and from there to the database when it can again: a record that was written twice because an
answer got lost has the same id, and is kept once.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pbx.store.database import DatabaseError, Rejected
from pbx.store.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime

    from pbx.store.spool import Spool

PAUSE = 0.2
"""Seconds a record waits for company."""
BATCH = 200
"""Records in one statement; so many do not wait."""
SPOOL_PAUSE = 1.0
"""Seconds between two files while the database is away."""
AGAIN = 5.0
"""Seconds until what failed although the database is there, or the disk did not take, is tried again."""
QUEUE_LIMIT = 20_000
"""Records in memory (some 30 MB), reached only when neither the database nor the disk takes any."""
STOP_SECONDS = 2.0
"""How long the database may take for the last records when the program stops, before they go to disk."""


class Outbox:
    """
    Records, each a JSON document with an id, between those who make them and the table they belong in.

    Args:
        clock: When to write.
        up: Whether the database has a chance to take any.
        insert: Writes records, once each by their id, whether or not they are there already.
        spool: Where they wait while the database can't.
        in_thread: Runs what waits for the disk.

    Attributes:
        inserted: Records the database took.
        spooled: Records that went to disk first.
        rejected: Records the database will never take, put aside.
        lost: Records that there was no room for anywhere.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        up: Callable[[], bool],
        insert: Callable[[Sequence[bytes]], Awaitable[object]],
        spool: Spool,
        in_thread: Callable[..., Deferred[Any]],
    ) -> None:
        self._clock = clock
        self._up = up
        self._insert = insert
        self._spool = spool
        self._in_thread = in_thread
        self._queue: deque[Callable[[], bytes]] = deque()
        self._batch: deque[bytes] = deque()
        self._files: deque[Path] = deque()
        self._on_disk: dict[Path, int] = {}
        self._worker = Worker(clock, self._work, "store call records")
        self._not_before = float("-inf")
        self._stopping = self._closed = self._stuck = False
        self._said_lost = float("-inf")
        self.inserted = self.spooled = self.rejected = self.lost = 0

    @property
    def waiting(self) -> int:
        """
        How many records are in memory.
        """
        return len(self._queue) + len(self._batch)

    @property
    def pending(self) -> int:
        """
        How many records have not reached the database, in memory or on disk.
        """
        return self.waiting + sum(self._on_disk.values())

    @property
    def files(self) -> int:
        """
        How many files wait in the spool.
        """
        return len(self._files)

    async def start(self) -> None:
        """
        Take up what an earlier run left in the spool.
        """
        self._files.extend(await self._in_thread(self._spool.recover))
        for path in self._files:
            self._on_disk[path] = await self._in_thread(self._spool.count, path)
        if self._files:
            self.log.info("{n} call records of an earlier run wait on disk", n=self.pending)
            self._worker.soon(0)

    def add(self, record: Callable[[], bytes]) -> None:
        """
        Take a record, which is made when its turn has come; returns at once.

        After :meth:`stop` it is written to disk here and now.
        """
        if self._closed:
            self._spool.write([record()])
            return
        if self.waiting >= QUEUE_LIMIT:
            self._lose()
            return
        self._queue.append(record)
        count = self.waiting
        if count == 1:
            self._worker.soon(PAUSE if self._usable() else SPOOL_PAUSE)
        elif count == BATCH:
            self._worker.soon(0)

    def recovered(self) -> None:
        """
        Write what waits: the database is back.
        """
        self._not_before = float("-inf")
        if self.waiting or self._files:
            self._worker.soon(0)

    async def flush(self, limit: float = STOP_SECONDS) -> None:
        """
        Write what waits in memory now.
        """
        if self.waiting:
            await self._worker.settle(limit, again=True)

    async def catch_up(self, limit: float = STOP_SECONDS) -> None:
        """
        Bring what waits in memory and on disk to the database now.
        """
        if self.waiting or self._files:
            await self._worker.settle(limit, again=True)

    async def stop(self) -> None:
        """
        Write what waits, to disk when the database does not take it in time.
        """
        self._stopping = True
        await self._worker.settle(STOP_SECONDS, again=bool(self.waiting))
        self._worker.stop()
        self._closed = True
        if self.waiting:
            # Also what is on its way this moment: twice is once.
            self._make(QUEUE_LIMIT)
            left = list(self._batch)
            try:
                await self._in_thread(self._spool.write, left)
            except OSError as error:
                self.log.critical("{n} call records are lost: {error}", n=len(left), error=error)
            else:
                self.spooled += len(left)
                self._batch.clear()

    def _make(self, most: int) -> None:
        """
        Make records until so many are ready to be written.
        """
        while self._queue and len(self._batch) < most:
            make = self._queue.popleft()
            try:
                self._batch.append(make())
            except Exception:  # noqa: BLE001 - the border: the others must be written
                self.lost += 1
                self.log.failure("A call record could not be made")

    async def _work(self) -> None:
        while self.waiting:
            self._make(BATCH)
            batch = list(self._batch)
            if batch and not (self._usable() and await self._inserted(batch)) and not await self._spooled(batch):
                self._stuck = True
                self._worker.soon(AGAIN)
                return
            if self._stuck:
                self._stuck = False
                self.log.info("Call records are written again; {n} are lost so far", n=self.lost)
            if self._closed:
                return
            self._batch.clear()
        await self._replay()

    async def _replay(self) -> None:
        while self._files and self._usable() and not self._stopping:
            if self.waiting >= BATCH:
                self._worker.soon(0)
                return
            if not await self._replayed(self._files[0]):
                self._files.rotate(-1)
                break
            self._files.popleft()
        if self._files and self._up():
            self._worker.soon(AGAIN)

    def _usable(self) -> bool:
        return self._up() and self._clock.seconds() >= self._not_before

    async def _inserted(self, batch: Sequence[bytes]) -> bool:
        """
        Try the database; whether it has them all now, those put aside included.
        """
        try:
            await self._insert(batch)
        except Rejected as error:
            if len(batch) > 1:
                # One of them is not acceptable: the others are.
                for record in batch:
                    if not await self._inserted([record]):
                        return False
                return True
            self.rejected += 1
            path = await self._in_thread(self._spool.reject, batch[0])
            self.log.error("A call record is not acceptable and lies in {path}: {error}", path=str(path), error=error)
            return True
        except DatabaseError as error:
            if self._up():
                self._not_before = self._clock.seconds() + AGAIN
                self.log.error("Call records go to disk, tried again in {s:.0f} s: {error}", s=AGAIN, error=error)
            return False
        self.inserted += len(batch)
        return True

    async def _spooled(self, batch: Sequence[bytes]) -> bool:
        try:
            path = await self._in_thread(self._spool.write, batch)
        except OSError as error:
            self.log.critical("Call records can't be written to disk: {error}", error=error)
            return False
        self._files.append(path)
        self._on_disk[path] = len(batch)
        self.spooled += len(batch)
        return True

    async def _replayed(self, path: Path) -> bool:
        try:
            records: list[bytes] = await self._in_thread(self._spool.read, path)
            for start in range(0, len(records), BATCH):
                if not await self._inserted(records[start : start + BATCH]):
                    return False
            await self._in_thread(self._spool.delete, path)
            self._on_disk.pop(path, None)
        except OSError as error:
            self.log.error("Call records on disk can't be read: {error}", error=error)
            return False
        self.log.info("{n} call records brought from disk to the database", n=len(records))
        return True

    def _lose(self) -> None:
        self.lost += 1
        now = self._clock.seconds()
        if now - self._said_lost >= 60:
            self._said_lost = now
            self.log.critical(
                "Neither database nor disk takes call records; {n} are lost so far. Make room on the disk.", n=self.lost
            )
