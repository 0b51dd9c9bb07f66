"""
The table ``voicemail``: the messages in all mailboxes, and how many each has.

A message reaches the table once, whatever happens on the way: what is known of it lies beside its audio
(:mod:`pbx.store.sidecars`) until the row is there as ready; the mail about it is queued in the same transaction.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import uuid4

from attrs import define, evolve
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from zope.interface import implementer

from pbx.features.voicemail.mailboxes import Counts, Folder, IMessages, Mailbox, MailboxError, Message, OnCounts
from pbx.media.recorder import mend
from pbx.store import mail, sidecars
from pbx.store.database import Database, DatabaseDown, DatabaseError, Rejected, Transaction
from pbx.store.splice import splice
from pbx.store.worker import Worker
from pbx.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from twisted.internet.defer import Deferred

    from pbx.features.mail import Mail
    from pbx.store.mailboxes import Mailboxes

    Compose: TypeAlias = Callable[[Message, Mailbox], Mail | None]

CHANNEL = "voicemail"
PAUSE = 0.02
"""Seconds from a notification to counting: many that come together are counted at once."""
AGAIN = 5.0
"""Seconds until what failed although the database is there is tried again."""
STOP_SECONDS = 2.0
"""How long the database may take for the last messages when the program stops; they stay on disk else."""

COLUMNS = (
    "id, mailbox, caller, caller_name, received, seconds, folder, urgent, deleted IS NOT NULL AS deleted, forwarded_by,"
    " call_id"
)

BEGIN = """
    INSERT INTO voicemail (id, mailbox, state, caller, caller_name, received, forwarded_by, call_id)
    VALUES (%s, %s, 'recording', %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING
"""

# It gives a row when the message has become ready by this, and none when it was so before.
READY = """
    INSERT INTO voicemail AS kept
        (id, mailbox, state, caller, caller_name, received, forwarded_by, call_id, seconds, urgent)
    VALUES (%s, %s, 'ready', %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET state = 'ready', seconds = excluded.seconds, urgent = excluded.urgent
        WHERE kept.state = 'recording'
    RETURNING id
"""

COUNTS = """
    SELECT mailbox,
        count(*) FILTER (WHERE folder = 'new') AS new,
        count(*) FILTER (WHERE folder <> 'new') AS old,
        count(*) FILTER (WHERE folder = 'new' AND urgent) AS urgent_new,
        count(*) FILTER (WHERE folder <> 'new' AND urgent) AS urgent_old
    FROM voicemail WHERE state = 'ready' AND deleted IS NULL
"""

EXPIRE = """
    DELETE FROM voicemail AS old WHERE state = 'recording' AND received < now() - interval '1 day'
        OR state = 'ready' AND (
        deleted < now() - make_interval(days => %s)
        OR received < now() - make_interval(days => coalesce(
            (SELECT retention_days FROM mailbox WHERE number = old.mailbox), %s))
    ) AND NOT EXISTS (SELECT 1 FROM mail WHERE message = old.id AND mail.state IN ('queued', 'sending'))
    RETURNING id, mailbox
"""


async def ownerless(transaction: Transaction, number: str) -> None:
    """
    Mark the messages of a mailbox as deleted, in a transaction that takes its owner away: whoever gets the number next
    has none of them, and who took it away by mistake has some days.
    """
    await transaction.execute(
        "UPDATE voicemail SET deleted = now() WHERE mailbox = %s AND deleted IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM mailbox WHERE number = voicemail.mailbox)",
        (number,),
    )


@define
class _Pending:
    """
    A message on its way to the table.
    """

    message: Message
    stored: bool = False


@implementer(IMessages)
class Voicemail:
    """
    The messages in the database and their audio on the disk.

    Args:
        reactor: The reactor (time and threads).
        database: Where they are kept.
        mailboxes: Whose they are.
        wall: The time of day in seconds since 1970.
        compose: Writes the mail about a message; ``None`` when there is to be none.
        shortest: Seconds below which a message whose recording was interrupted is none.

    Attributes:
        recovered: Messages of an earlier run that were saved.
        shortest: Seconds below which a message whose recording was interrupted is none.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        database: Database,
        mailboxes: Mailboxes,
        wall: Callable[[], float],
        *,
        compose: Compose = lambda message, mailbox: None,
        shortest: float = 2.0,
    ) -> None:
        self._reactor = reactor
        self._database = database
        self._mailboxes = mailboxes
        self._wall = wall
        self._compose = compose
        self.shortest = shortest
        self._stored: dict[str, Counts] = {}
        self._told: dict[str, Counts] = {}
        self._pending: dict[str, _Pending] = {}
        self._begun: dict[str, Deferred[Any]] = {}
        self._stale: set[str] = set()
        self._observers: list[OnCounts] = []
        self._tasks = Tasks()
        self._worker = Worker(reactor, self._work, "store voicemail messages")
        self.recovered = 0

    async def start(self) -> None:
        """
        Count the messages, take up what an earlier run left, and keep fresh from now on.
        """
        self._database.on_recovered(self._recovered)
        self._mailboxes.on_change(self._owners_changed)
        await self._database.listen(CHANNEL, self._changed)
        for found in await self._in_thread(lambda: list(sidecars.left(self._mailboxes.folder("")))):
            await self._take_up(found)
        if self.recovered:
            self.log.info("{count} voicemail messages of an earlier run were saved", count=self.recovered)
        self._stale.add("")
        await self._worker.settle(STOP_SECONDS, again=True)

    async def stop(self) -> None:
        """
        Bring what waits to the database; what it does not take in time is brought at the next start.
        """
        await self._worker.settle(STOP_SECONDS, again=bool(self._pending))
        self._worker.stop()
        await self._tasks.stop()

    def on_counts(self, observer: OnCounts) -> None:
        """
        Call ``observer(mailbox, new, old, urgent_new, urgent_old)`` for each mailbox that has messages, and from now on
        when the counts of one have changed.
        """
        self._observers.append(observer)
        for number, counts in self._told.items():
            mailbox = self._mailboxes.mailbox(number)
            if mailbox is not None and counts != Counts():
                observer(mailbox, counts.new, counts.old, counts.urgent_new, counts.urgent_old)

    def counts(self, number: str) -> Counts:
        """
        How many messages a mailbox has, those included that the database has not taken yet.
        """
        kept = self._stored.get(number, Counts())
        waiting = [each.message for each in self._pending.values() if each.message.mailbox == number]
        urgent = sum(message.urgent for message in waiting)
        return evolve(kept, new=kept.new + len(waiting), urgent_new=kept.urgent_new + urgent)

    # A message is left

    async def begin(self, mailbox: Mailbox, *, caller: str, caller_name: str, call_id: str) -> Message:
        """
        Make a place for a message.
        """
        message = self._new(mailbox.number, caller=_clean(caller), caller_name=_clean(caller_name), call_id=call_id)
        await self._in_thread(sidecars.write, message, "recording")
        # The caller does not wait for the database.
        self._begun[message.id] = self._tasks.start(self._begin(message), "note a voicemail message")
        return message

    async def _begin(self, message: Message) -> None:
        try:
            await self._database.execute(BEGIN, _values(message))
        except DatabaseError as error:
            self.log.debug("A message is recorded that the database does not know of: {error}", error=error)

    async def measure(self, message: Message) -> float:
        """
        Mend the audio of a message.
        """
        try:
            seconds: float = await self._in_thread(mend, message.path)
        except (OSError, ValueError) as error:
            self.log.debug("{path} has no audio: {error}", path=str(message.path), error=error)
            return 0.0
        return seconds

    async def finish(self, message: Message, seconds: float, *, urgent: bool = False) -> None:
        """
        Deliver a message.
        """
        message = evolve(message, seconds=seconds, urgent=urgent)
        try:
            await self._in_thread(sidecars.write, message, "ready")
        except OSError as error:
            # What was written when it began lies there still, and its audio tells how long it is.
            self.log.warn("{path} can't be written: {error}", path=str(message.path), error=error)
        self._deliver(message)

    def _deliver(self, message: Message) -> None:
        self._pending[message.id] = _Pending(message)
        self._tell(message.mailbox)
        self._worker.soon(0)

    async def discard(self, message: Message) -> None:
        """
        Forget a message that was begun.
        """
        await self._in_thread(sidecars.remove, message, audio=True)
        await self._noted(message)
        with suppress(DatabaseError):
            # What stays is removed by expire.
            await self._database.execute("DELETE FROM voicemail WHERE id = %s AND state = 'recording'", (message.id,))

    async def _noted(self, message: Message) -> None:
        """
        Wait until the row of a message that was begun is there, or is known not to come.
        """
        begun = self._begun.pop(message.id, None)
        if begun is not None:
            await begun

    # What is there

    async def list(self, number: str, folder: Folder | None = None, *, deleted: bool = False) -> Sequence[Message]:
        """
        The messages of a mailbox.
        """
        if self._pending:
            await self._worker.settle(STOP_SECONDS, again=True)
        where, args = f"deleted IS {'NOT ' if deleted else ''}NULL", [number]
        if folder is not None:
            where, args = f"{where} AND folder = %s", [number, folder]
        rows = await self._query(
            f"SELECT {COLUMNS} FROM voicemail WHERE state = 'ready' AND mailbox = %s AND {where}"  # noqa: S608 - constant
            " ORDER BY urgent DESC, received, id",
            args,
        )
        return [self._message(row) for row in rows]

    async def get(self, number: str, message: str) -> Message | None:
        """
        One message.
        """
        rows = await self._query(
            f"SELECT {COLUMNS} FROM voicemail WHERE state = 'ready' AND mailbox = %s AND id = %s",  # noqa: S608
            (number, message),
        )
        return self._message(rows[0]) if rows else None

    async def move(self, message: Message, folder: Folder) -> None:
        """
        Put it into a folder.
        """
        await self._change(message, "folder = %s", folder)

    async def delete(self, message: Message) -> None:
        """
        Mark it as deleted.
        """
        await self._change(message, "deleted = coalesce(deleted, now())")

    async def undelete(self, message: Message) -> None:
        """
        Take that back.
        """
        await self._change(message, "deleted = NULL")

    async def purge(self, message: Message) -> None:
        """
        Remove it for good.
        """
        await self._query("DELETE FROM voicemail WHERE id = %s RETURNING id", (message.id,))
        await self._in_thread(sidecars.remove, message, audio=True)
        await self._count(message.mailbox)

    async def _change(self, message: Message, what: str, *args: Any) -> None:
        await self._query(f"UPDATE voicemail SET {what} WHERE id = %s RETURNING id", (*args, message.id))  # noqa: S608
        await self._count(message.mailbox)

    async def comment(self, mailbox: Mailbox) -> Path:
        """
        Where to record a comment.
        """
        return self._mailboxes.folder(mailbox.number) / f"comment-{uuid4().hex}.wav"

    async def forward(self, message: Message, to: Mailbox, by: str, comment: Path | None) -> Message:
        """
        Deliver a copy to another mailbox.
        """
        copy = evolve(
            self._new(to.number, caller=message.caller, caller_name=message.caller_name, call_id=message.call_id),
            received=message.received, forwarded_by=by, urgent=message.urgent,
        )
        pieces = [message.path] if comment is None else [comment, message.path]
        try:
            seconds = await self._in_thread(splice, pieces, copy.path)
            if comment is not None:
                await self._in_thread(comment.unlink, missing_ok=True)
        except (OSError, RuntimeError) as error:
            raise MailboxError(f"{message.path} can't be copied to {copy.path}: {error}") from error
        await self.finish(copy, seconds, urgent=copy.urgent)
        return evolve(copy, seconds=seconds)

    async def expire(self, days: int | None, deleted_days: int) -> int:
        """
        Remove messages that are too old.
        """
        rows = await self._query(EXPIRE, (deleted_days, days))
        for row in rows:
            gone = self._new(row["mailbox"])
            path = self._mailboxes.folder(row["mailbox"]) / f"{row['id']}.wav"
            await self._in_thread(sidecars.remove, evolve(gone, path=path), audio=True)
            self._stale.add(row["mailbox"])
        await self._worker.settle(STOP_SECONDS, again=True)
        return len(rows)

    # To the table

    async def _take_up(self, found: tuple[Message, bool] | Path) -> None:
        if not isinstance(found, tuple):
            self.log.error("{path} tells nothing of a voicemail message; it is left there", path=str(found))
            return
        message, ready = found
        if message.id in self._pending or message.id in self._begun:
            return
        if not ready:
            message = evolve(message, seconds=await self.measure(message))
            if message.seconds < self.shortest:
                await self.discard(message)
                return
        self.recovered += 1
        self._pending[message.id] = _Pending(message)

    async def _recovered(self) -> None:
        self._stale.add("")
        self._worker.soon(0)

    def _changed(self, number: str) -> None:
        self._stale.add(number)
        self._worker.soon(PAUSE)

    async def _work(self) -> None:
        try:
            for pending in [each for each in self._pending.values() if not each.stored]:
                await self._store(pending)
            await self._recount()
        except DatabaseDown:
            # Again when it is back.
            return
        except DatabaseError as error:
            self.log.error("Voicemail waits on disk, tried again in {s:.0f} s: {error}", s=AGAIN, error=error)
            self._worker.soon(AGAIN)

    async def _store(self, pending: _Pending) -> None:
        message = pending.message
        await self._noted(message)
        mailbox = self._mailboxes.mailbox(message.mailbox) or Mailbox(message.mailbox)
        letter = self._compose(message, mailbox)

        async def both(transaction: Transaction) -> None:
            if await transaction.query(READY, (*_values(message), message.seconds, message.urgent)) and letter:
                await mail.queue(transaction, letter)

        try:
            await self._database.interact(both)
        except Rejected as error:
            self.log.error("{path} is not acceptable to the database: {error}", path=str(message.path), error=error)
            del self._pending[message.id]
            return
        pending.stored = True
        self._stale.add(message.mailbox)
        try:
            await self._in_thread(sidecars.remove, message, audio=False)
        except OSError as error:
            # At the next start it is found, and found to be stored.
            self.log.warn("{path} stays: {error}", path=str(sidecars.path_of(message)), error=error)

    async def _recount(self) -> None:
        while self._stale:
            stale, self._stale = self._stale, set()
            everything = "" in stale
            try:
                if everything:
                    rows = await self._database.query(f"{COUNTS} GROUP BY mailbox")
                else:
                    rows = await self._database.query(f"{COUNTS} AND mailbox = ANY(%s) GROUP BY mailbox", ([*stale],))
            except DatabaseError:
                self._stale |= stale
                raise
            counted = {row.pop("mailbox"): Counts(**row) for row in rows}
            numbers = {*self._stored, *counted} if everything else stale
            for number in numbers:
                self._stored[number] = counted.get(number, Counts())
            stored = [each.message for each in self._pending.values() if each.stored]
            for message in stored:
                if everything or message.mailbox in stale:
                    del self._pending[message.id]
            for number in numbers:
                self._tell(number)

    def _tell(self, number: str) -> None:
        counts = self.counts(number)
        if counts == self._told.get(number, Counts()):
            return
        self._told[number] = counts
        mailbox = self._mailboxes.mailbox(number)
        if mailbox is None:
            # It was removed with what is in it.
            mailbox, counts = Mailbox(number), Counts()
        for observer in self._observers:
            observer(mailbox, counts.new, counts.old, counts.urgent_new, counts.urgent_old)

    def _owners_changed(self, number: str) -> None:
        if self._told.pop(number, Counts()) != Counts():
            self._tell(number)

    async def _count(self, number: str) -> None:
        """
        Count a mailbox anew; who has changed it hears of the change.
        """
        self._stale.add(number)
        await self._worker.settle(STOP_SECONDS, again=True)

    # Below

    def _new(self, number: str, *, caller: str = "", caller_name: str = "", call_id: str = "") -> Message:
        name = uuid4().hex
        received = dt.datetime.fromtimestamp(self._wall(), dt.UTC)
        path = self._mailboxes.folder(number) / f"{name}.wav"
        return Message(name, number, caller, caller_name, received, path, call_id=call_id)

    def _message(self, row: dict[str, Any]) -> Message:
        path = self._mailboxes.folder(row["mailbox"]) / f"{row['id']}.wav"
        return Message(**row | {"received": row["received"].astimezone(dt.UTC)}, path=path)

    async def _query(self, sql: str, args: Sequence[Any]) -> Sequence[dict[str, Any]]:
        try:
            return await self._database.query(sql, args)
        except DatabaseError as error:
            raise MailboxError(str(error)) from error

    def _in_thread(self, call: Any, *args: Any, **named: Any) -> Any:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), call, *args, **named)


def _values(message: Message) -> tuple[Any, ...]:
    return (
        message.id, message.mailbox, message.caller, message.caller_name, message.received, message.forwarded_by,
        message.call_id,
    )


def _clean(text: str) -> str:
    """
    A text of a stranger without what can't be printed: PostgreSQL has no NUL, UTF-8 no lone surrogates.
    """
    return "".join(character for character in text if character.isprintable())
