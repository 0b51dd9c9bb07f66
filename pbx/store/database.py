"""
The database: a few connections to PostgreSQL, kept open whatever happens to the server.

While the server is away every call fails at once with :class:`DatabaseDown`; connections come back by themselves, and
those who asked are told so that they read again what they may have missed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg2
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Cooperator, deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from txpostgres.txpostgres import Connection, Cursor

from pbx.store.descriptor import OwnDescriptor
from pbx.store.dsn import looked_up, names_to_look_up, parameters_of
from pbx.store.failures import DatabaseDown, DatabaseError, DatabaseTimeout, Duplicate, Rejected, translated
from pbx.tasks import Tasks

if TYPE_CHECKING:
    from psycopg2.extensions import Notify

__all__ = ["Database", "DatabaseDown", "DatabaseError", "DatabaseTimeout", "Duplicate", "Rejected", "Transaction"]

T = TypeVar("T")
Row = dict[str, Any]

STATEMENT_SECONDS = 5
"""A statement of ours that takes longer is a mistake or a sick server: it is given up by the server."""
LOCK_SECONDS = 3
"""How long a statement waits for a lock."""
ANSWER_SECONDS = 10
"""A server that says nothing for so long, not even that it gave up, is taken for dead."""
CONNECT_SECONDS = 5
"""How long a connection may take to be made."""
FIRST_RETRY, LONGEST_RETRY, RETRY_GROWTH = 0.2, 2.0, 1.7
"""Seconds before a lost server is tried again: the first time, at most, and the growth between."""
WAITING_LIMIT = 1000
"""Callers that wait for a connection; so many at once means that the server does not keep up."""
STOP_SECONDS = 2.0
"""How long statements under way may take when the program stops."""


class _Cursor(Cursor):
    """
    A cursor that is watched by its connection's own descriptor.
    """

    _connection: _Connection

    def fileno(self) -> int:
        """
        The connection's.
        """
        return self._connection.fileno()


class _Connection(Connection):
    """
    A txpostgres connection that reports its death once instead of logging a traceback.
    """

    cursorFactory = _Cursor  # noqa: N815 - the name is txpostgres'

    def __init__(self, reactor: Any, cooperator: Cooperator, died: Callable[[_Connection], None]) -> None:
        super().__init__(reactor, cooperator)
        self._died = died
        self._descriptor = OwnDescriptor()
        self.made = False
        self.dead = False

    def fileno(self) -> int:
        """
        What the reactor watches: ours, which libpq can't close under it.
        """
        pollable = self.pollable()
        try:
            theirs = -1 if pollable is None or pollable.closed else pollable.fileno()
        except psycopg2.Error:
            theirs = -1
        return self._descriptor.of(theirs)

    def close(self) -> None:
        """
        Close the connection, once the reactor has forgotten it.
        """
        try:
            Connection.close(self)
        finally:
            self._descriptor.close()

    def doRead(self) -> None:
        """
        Read what the server sent unasked: a notification, or its farewell.
        """
        try:
            Connection.doRead(self)
        except (psycopg2.Error, ValueError):
            # The server went away while nobody waited for an answer. Connection.doRead took us out of the reactor.
            self.give_up()

    def connectionLost(self, reason: Failure) -> None:
        """
        Pass a hang-up on to the statement under way, and report it.
        """
        Connection.connectionLost(self, reason)
        if self.made:
            # Before, it was one of several addresses that refused: libpq goes on to the next.
            self.give_up()

    def give_up(self) -> None:
        """
        Close the connection; a statement under way fails.
        """
        if not self.dead:
            self.dead = True
            if self.pollable() is not None:
                self.close()
            self._died(self)


class Transaction:
    """
    Statements that take effect together, or not at all.
    """

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    async def query(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """
        Run a statement and return its rows, each as column name to value.
        """
        await self._cursor.execute(sql, args or None)
        names = [column[0] for column in self._cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in self._cursor.fetchall()] if names else []

    async def execute(self, sql: str, args: Sequence[Any] = ()) -> int:
        """
        Run a statement and return how many rows it touched.
        """
        await self._cursor.execute(sql, args or None)
        return self._cursor.rowcount


class Database:
    """
    A pool of connections to one PostgreSQL database.

    Args:
        reactor: The reactor (time, descriptors and threads).
        dsn: A libpq connection string or URI.
        prepare: Called in a thread with the DSN when the server is reachable for the first time, before anything else
            is run; it brings the tables up to date. What it raises is raised by :meth:`start`.
        size: How many statements may be under way at once.

    Attributes:
        unusable: What ``prepare`` raised when the server, not reachable at first, was there in the end.

    Raises:
        ValueError: The DSN is not one.
    """

    log = Logger()

    def __init__(
        self, reactor: Any, dsn: str, *, prepare: Callable[[str], object] | None = None, size: int = 3
    ) -> None:
        self._reactor = reactor
        self._clock: IReactorTime = reactor
        self._dsn = dsn
        self._parameters = parameters_of(dsn, statement_seconds=STATEMENT_SECONDS, lock_seconds=LOCK_SECONDS)
        self._prepare = prepare
        self._size = size
        # The default cooperator would import the global reactor.
        self._cooperator = Cooperator(scheduler=lambda step: reactor.callLater(0, step))
        self._tasks = Tasks()
        self._alive: set[_Connection] = set()
        self._idle: list[_Connection] = []
        self._waiting: deque[Deferred[_Connection]] = deque()
        self._listener: _Connection | None = None
        self._channels: dict[str, list[Callable[[str], object]]] = {}
        self._recovered: list[Callable[[], Awaitable[object] | None]] = []
        self._connecting = False
        self._started = False
        self._stopping = False
        self._lost_at: float | None = None
        self._gap = False
        self._quiet: Deferred[None] | None = None
        self.unusable: Exception | None = None

    @property
    def up(self) -> bool:
        """
        Whether a statement has a chance now.
        """
        return bool(self._alive) and not self._stopping

    async def start(self) -> None:
        """
        Connect. A server that is not reachable is no error: it is tried again until it is.

        Raises:
            Exception: What ``prepare`` raised; nothing is tried again after that.
        """
        self._connecting = True
        try:
            await self._fill()
        except psycopg2.Error as error:
            self._lost(str(error).strip())
        except BaseException:
            await self.stop()
            raise
        self._started = True
        self._connecting = False
        self._keep_full()

    async def stop(self) -> None:
        """
        Close every connection, after the statements under way have ended (at most two seconds).
        """
        self._stopping = True
        await self._tasks.stop()
        if len(self._idle) < len(self._alive):
            self._quiet = Deferred()
            limit = self._clock.callLater(STOP_SECONDS, self._quiet.callback, None)
            await self._quiet
            if limit.active():
                limit.cancel()
        self._refuse_waiting()
        for connection in [*self._alive, *([self._listener] if self._listener else [])]:
            connection.give_up()

    async def query(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """
        Run one statement in a transaction of its own.

        Args:
            sql: The statement, with ``%s`` for each value.
            args: The values.

        Returns:
            Its rows, each as column name to value.

        Raises:
            DatabaseDown: At once when the server is away.
            DatabaseTimeout, Duplicate, Rejected, DatabaseError: As their descriptions say.
        """
        return await self._finish(self._run(lambda transaction: transaction.query(sql, args)))

    async def execute(self, sql: str, args: Sequence[Any] = ()) -> int:
        """
        Run one statement in a transaction of its own and return how many rows it touched; errors as :meth:`query`.
        """
        return await self._finish(self._run(lambda transaction: transaction.execute(sql, args)))

    async def interact(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """
        Run several statements in one transaction; it is rolled back when ``work`` raises. Errors as :meth:`query`.
        """

        async def in_transaction(transaction: Transaction) -> T:
            await transaction.execute("BEGIN")
            try:
                result = await work(transaction)
            except BaseException:
                await transaction.execute("ROLLBACK")
                raise
            await transaction.execute("COMMIT")
            return result

        return await self._finish(self._run(in_transaction))

    async def listen(self, channel: str, observer: Callable[[str], object]) -> None:
        """
        Call ``observer(payload)`` at every NOTIFY on a channel, across reconnections.

        What was notified while the connection was lost is never told: who listens also takes :meth:`on_recovered`,
        and reads everything again there.
        """
        known = channel in self._channels
        self._channels.setdefault(channel, []).append(observer)
        listener = self._listener
        if listener is not None and not known:
            try:
                await listener.runOperation(f'LISTEN "{channel}"')
            except (psycopg2.Error, ConnectionClosed):
                # It is repeated for every channel when the connection has come back.
                listener.give_up()

    def on_recovered(self, callback: Callable[[], Awaitable[object] | None]) -> None:
        """
        Call back whenever the server became reachable after it had not been; also the first time, if that is after
        :meth:`start`.
        """
        self._recovered.append(callback)

    # Running statements

    async def _finish(self, work: Coroutine[Any, Any, T]) -> T:
        # The waiter may be cancelled, the statement may not: PostgreSQL's protocol wants it finished, and txpostgres
        # would leave the connection unusable.
        waiter: Deferred[T] = Deferred()
        Deferred.fromCoroutine(work).addCallbacks(waiter.callback, waiter.errback)
        return await waiter

    async def _run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        connection = await self._acquire()
        deadline = self._clock.callLater(ANSWER_SECONDS, connection.give_up)
        try:
            return await work(Transaction(connection.cursor()))
        except (psycopg2.Error, CancelledError, ConnectionClosed) as error:
            failure = translated(error, lost=bool(connection.closed))
            if isinstance(failure, DatabaseDown):
                connection.give_up()
            raise failure from error
        finally:
            if deadline.active():
                deadline.cancel()
            self._release(connection)

    async def _acquire(self) -> _Connection:
        if not self.up:
            raise DatabaseDown("the database is not reachable")
        if self._idle:
            return self._idle.pop()
        if len(self._waiting) >= WAITING_LIMIT:
            raise DatabaseTimeout("too many statements wait for the database")
        turn: Deferred[_Connection] = Deferred()
        self._waiting.append(turn)
        return await turn

    def _release(self, connection: _Connection) -> None:
        if connection.dead:
            return
        if self._waiting and not self._stopping:
            self._waiting.popleft().callback(connection)
            return
        self._idle.append(connection)
        if self._quiet is not None and not self._quiet.called and len(self._idle) == len(self._alive):
            self._quiet.callback(None)

    def _refuse_waiting(self) -> None:
        while self._waiting:
            self._waiting.popleft().errback(DatabaseDown("the database is not reachable"))

    # Loss and recovery

    def _dead(self, connection: _Connection) -> None:
        was_up = bool(self._alive)
        self._alive.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if connection is self._listener:
            self._listener = None
            # What is notified until it listens again is missed.
            self._gap = True
        if self._stopping:
            if self._quiet is not None and not self._quiet.called and len(self._idle) == len(self._alive):
                self._quiet.callback(None)
            return
        if was_up and not self._alive:
            self._lost("the server closed the connections")
        self._keep_full()

    def _lost(self, reason: str) -> None:
        self._gap = True
        if self._lost_at is None:
            self._lost_at = self._clock.seconds()
            reason = " ".join(reason.split())
            self.log.error("Database not reachable: {reason}; calls go on from memory", reason=reason)
        self._refuse_waiting()

    def _keep_full(self) -> None:
        if not self._connecting and not self._stopping:
            self._connecting = True
            self._tasks.start(self._reconnect(), "reconnect to the database")

    async def _reconnect(self) -> None:
        delay = FIRST_RETRY
        try:
            while not self._stopping and (len(self._alive) < self._size or self._listener is None):
                try:
                    await self._fill()
                except psycopg2.Error as error:
                    if not self._alive and not self._stopping:
                        self._lost(str(error).strip())
                except Exception as error:  # noqa: BLE001 - what prepare raised: said once, tried on at the slowest pace
                    if not self._stopping and delay < LONGEST_RETRY:
                        self.log.critical("The database can't be used: {error}", error=error)
                    self.unusable = error
                    delay = LONGEST_RETRY
                else:
                    continue
                if not self._stopping:
                    await deferLater(self._clock, delay)
                    delay = min(delay * RETRY_GROWTH, LONGEST_RETRY)
        finally:
            self._connecting = False

    async def _fill(self) -> None:
        if self._prepare is not None:
            # Tried first without a thread: a server that is away is noticed without starting one.
            (await self._connect(lambda _: None)).give_up()
            await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._prepare, self._dsn)
            self._prepare = self.unusable = None
        if self._listener is None:
            # First of all: when statements can be run again, notifications are heard again.
            self._listener = await self._listening()
        while len(self._alive) < self._size:
            connection = await self._connect(self._dead)
            self._alive.add(connection)
            self._release(connection)
            self._gap_ended()
        self._gap_ended()

    def _gap_ended(self) -> None:
        if not self._gap:
            return
        self._gap = False
        if self._lost_at is not None:
            self.log.info("Database reachable again after {s:.1f} s", s=self._clock.seconds() - self._lost_at)
            self._lost_at = None
        if self._started:
            for callback in self._recovered:
                self._tasks.start(self._tell(callback), "read again from the database")

    async def _tell(self, callback: Callable[[], Awaitable[object] | None]) -> None:
        try:
            result = callback()
            if result is not None:
                await result
        except DatabaseDown:
            # Lost again already: it is called again when it is back.
            pass

    async def _listening(self) -> _Connection:
        listener = await self._connect(self._dead)
        try:
            for channel in self._channels:
                await listener.runOperation(f'LISTEN "{channel}"')
        except BaseException:
            listener.give_up()
            raise
        listener.addNotifyObserver(self._notified)
        return listener

    async def _connect(self, died: Callable[[_Connection], None]) -> _Connection:
        """
        Make one connection.

        Raises:
            psycopg2.Error: It could not be made, in the server's words.
        """
        parameters = self._parameters
        if names_to_look_up(parameters):
            # libpq would look them up in this thread, and wait.
            parameters = await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), looked_up, parameters)
        connection = _Connection(self._reactor, self._cooperator, died)

        def cancelled(made: Deferred[Connection]) -> None:
            # This first: what giving up brings about looks like a server that does not answer.
            made.errback(CancelledError())
            connection.give_up()

        made: Deferred[Connection] = Deferred(cancelled)

        def told(result: Connection | Failure) -> None:
            # It may be given up after libpq was done with it, and before txpostgres told so.
            if not made.called:
                made.callback(result)

        connection.connect(**parameters).addBoth(told)
        limit = self._clock.callLater(CONNECT_SECONDS, connection.give_up)
        try:
            await made
        except ConnectionClosed:
            raise psycopg2.OperationalError(f"no answer within {CONNECT_SECONDS} s") from None
        except psycopg2.Error:
            connection.give_up()
            raise
        finally:
            if limit.active():
                limit.cancel()
        connection.made = True
        return connection

    def _notified(self, notify: Notify) -> None:
        for observer in self._channels.get(notify.channel, ()):
            observer(notify.payload)
