"""
The table ``mailbox``: what was said about mailboxes, mirrored in memory, and the greetings that lie beside it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Protocol

from attrs import fields
from twisted.internet.defer import DeferredSemaphore
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from zope.interface import implementer

from pbx.features.voicemail.mailboxes import (
    LOCK_SECONDS,
    WRONG_PINS,
    Greeting,
    IMailboxes,
    Mailbox,
    MailboxError,
    Opened,
    VoicemailSettings,
)
from pbx.store import voicemail
from pbx.store.database import Database, DatabaseDown, DatabaseError, Transaction
from pbx.store.passwords import hash_of, matches
from pbx.store.splice import as_wav
from pbx.store.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pbx.directory.extension import Extension

CHANNEL = "mailbox"
PAUSE = 0.02
"""Seconds from a notification to reading: many that come together are read at once."""
AGAIN = 5.0
"""Seconds until a reading that failed is tried again."""
STOP_SECONDS = 2.0
"""How long a reading may take when the program stops."""
HASHES = 2
"""PINs looked at at once: each takes 19 MB and a core for some 30 ms, and strangers may ask for it."""

COLUMNS = (
    "number, name, owners, email, pin IS NOT NULL AS has_pin, skip_pin, greetings, longest, quota, operator,"
    " retention_days, attach, after_mail, enabled"
)

CHANGEABLE = frozenset(each.name for each in fields(Mailbox)) - {"number", "has_pin", "greetings"}
"""What :meth:`Mailboxes.put` takes."""

# The try is counted before the PIN is looked at: many at once are not more than many one by one.
TRY = f"""
    UPDATE mailbox SET
        tries = CASE WHEN locked_until IS NULL THEN tries + 1 ELSE 1 END,
        locked_until = CASE WHEN locked_until IS NULL AND tries + 1 >= {WRONG_PINS}
            THEN now() + interval '{LOCK_SECONDS} seconds' END
    WHERE number = %s AND pin IS NOT NULL AND (locked_until IS NULL OR locked_until <= now())
    RETURNING pin
"""  # noqa: S608 - constants


async def extension_removed(transaction: Transaction, number: str) -> None:
    """
    Forget the mailbox of an extension, in the transaction that removes it: whoever gets the number next has another PIN
    and other greetings. A shared mailbox keeps its last owner, or nobody could find it.
    """
    await transaction.execute("DELETE FROM mailbox WHERE number = %s AND owners = '{}'", (number,))
    await transaction.execute(
        "UPDATE mailbox SET owners = array_remove(owners, %s) WHERE %s = ANY(owners) AND cardinality(owners) > 1",
        (number, number),
    )
    await voicemail.ownerless(transaction, number)


class Numbers(Protocol):
    """
    What is asked of the directory.
    """

    def extension(self, number: str) -> Extension | None:
        """
        The extension with this number.
        """


@implementer(IMailboxes)
class Mailboxes:
    """
    The mailboxes: one for each extension, and the shared ones, which are in the table alone.

    As a container it has the numbers of those that are in the table.

    Args:
        reactor: The reactor (time, and threads for hashes and files).
        database: Where they are kept.
        directory: The extensions.
        folder: ``<data>/voicemail``.
        fips: Hash with FIPS-approved functions only.

    Attributes:
        quota: Messages in a mailbox that says nothing else, at most.
    """

    log = Logger()

    def __init__(
        self, reactor: Any, database: Database, directory: Numbers, folder: Path, *, fips: bool = False
    ) -> None:
        self._reactor = reactor
        self._database = database
        self._directory = directory
        self._folder = folder
        self._fips = fips
        self.quota = VoicemailSettings().quota
        self._kept: dict[str, Mailbox] = {}
        self._hashes = DeferredSemaphore(HASHES)
        self._nobody = ""
        self._observers: list[Callable[[str], object]] = []
        self._worker = Worker(reactor, self._load, "read changed mailboxes")

    async def start(self) -> None:
        """
        Read them and keep them fresh from now on; from when the database is there, if it is away.
        """
        self._database.on_recovered(self._reload)
        await self._database.listen(CHANNEL, lambda _: self._worker.soon(PAUSE))
        try:
            await self._reload()
        except DatabaseDown:
            self.log.warn("Mailboxes have no settings until the database can be reached")

    async def stop(self) -> None:
        """
        Read nothing any more.
        """
        self._worker.stop()
        await self._worker.settle(STOP_SECONDS, again=False)

    def on_change(self, observer: Callable[[str], object]) -> None:
        """
        Call ``observer(number)`` when a mailbox has changed: its owners may be others.
        """
        self._observers.append(observer)

    def __contains__(self, number: object) -> bool:
        return number in self._kept

    def all(self) -> list[Mailbox]:
        """
        Those in the table, in the order of their numbers.
        """
        return [self._kept[number] for number in sorted(self._kept)]

    def mailbox(self, number: str) -> Mailbox | None:
        """
        The mailbox with this number.
        """
        kept = self._kept.get(number)
        extension = self._directory.extension(number)
        if kept is not None and (extension is not None or kept.owners):
            return kept
        return Mailbox(number) if extension is not None else None

    def folder(self, number: str) -> Path:
        """
        Where the files of a mailbox lie.
        """
        return self._folder / number

    def greeting(self, number: str, kind: Greeting) -> Path | None:
        """
        The file of a greeting that is used.
        """
        kept = self._kept.get(number)
        return self._greeting(number, kind) if kept is not None and kind in kept.greetings else None

    def draft_greeting(self, number: str, kind: Greeting) -> Path:
        """
        Where to record one.
        """
        return self._folder / number / f"draft-{kind}.wav"

    def _greeting(self, number: str, kind: Greeting) -> Path:
        return self._folder / number / f"greeting-{kind}.wav"

    async def keep_greeting(self, number: str, kind: Greeting) -> None:
        """
        Use the draft from now on.
        """
        try:
            await self._in_thread(self.draft_greeting(number, kind).replace, self._greeting(number, kind))
        except OSError as error:
            raise MailboxError(str(error)) from error
        await self._write(
            "INSERT INTO mailbox (number, greetings) VALUES (%s, ARRAY[%s]) ON CONFLICT (number) DO UPDATE"
            " SET greetings = array_append(array_remove(mailbox.greetings, %s), %s)",
            (number, kind, kind, kind),
        )

    async def bring_greeting(self, number: str, kind: Greeting, content: bytes) -> None:
        """
        Use a sound file of any format as greeting.

        Raises:
            UnusableSoundError: It is none, or too long.
            OSError: It can't be written.
            MailboxError: It can't be kept.
        """
        await self._in_thread(as_wav, content, self.draft_greeting(number, kind))
        await self.keep_greeting(number, kind)

    async def content(self, path: Path) -> bytes:
        """
        What is in a file.

        Raises:
            FileNotFoundError: There is none.
        """
        read: bytes = await self._in_thread(path.read_bytes)
        return read

    async def drop_greeting(self, number: str, kind: Greeting) -> None:
        """
        Use the standard greeting again.
        """
        await self._write(
            "UPDATE mailbox SET greetings = array_remove(greetings, %s) WHERE number = %s", (kind, number)
        )
        for path in (self._greeting(number, kind), self.draft_greeting(number, kind)):
            await self._in_thread(path.unlink, missing_ok=True)

    async def open(self, number: str, pin: str) -> Opened:
        """
        Try a PIN.
        """
        rows = await self._query(TRY, (number,))
        if not rows:
            locked = await self._query(
                "SELECT 1 FROM mailbox WHERE number = %s AND pin IS NOT NULL AND locked_until > now()", (number,)
            )
            if not locked:
                # As slow as for one that has a PIN.
                self._nobody = self._nobody or await self._hashed(hash_of, secrets.token_hex(8), fips=self._fips)
                await self._hashed(matches, pin, self._nobody)
            return "locked" if locked else "wrong"
        if not await self._hashed(matches, pin, rows[0]["pin"]):
            return "wrong"
        await self._execute("UPDATE mailbox SET tries = 0, locked_until = NULL WHERE number = %s", (number,))
        return "open"

    async def set_pin(self, number: str, pin: str | None) -> None:
        """
        Set another PIN, or none.
        """
        kept = None if pin is None else await self._hashed(hash_of, pin, fips=self._fips)
        await self._write(
            "INSERT INTO mailbox (number, pin) VALUES (%s, %s) ON CONFLICT (number) DO UPDATE"
            " SET pin = excluded.pin, tries = 0, locked_until = NULL",
            (number, kept),
        )

    async def put(self, number: str, **changes: Any) -> None:
        """
        Change what is said about a mailbox; what is not named stays. One that is not in the table is made.
        """
        unknown = changes.keys() - CHANGEABLE
        if unknown:
            raise ValueError(f"a mailbox has no {', '.join(sorted(unknown))} that can be changed")
        values = {"number": number, **changes}
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        marks = ", ".join(["%s"] * len(values))
        updates = ", ".join(f"{name} = excluded.{name}" for name in values)
        await self._write(
            f"INSERT INTO mailbox ({', '.join(values)}) VALUES ({marks})"  # noqa: S608 - names checked above
            f" ON CONFLICT (number) DO UPDATE SET {updates}",
            tuple(values.values()),
        )

    async def remove(self, number: str) -> bool:
        """
        Forget what was said about a mailbox; ``False`` when nothing was. The messages of a shared one count as deleted.
        """
        shared = self._directory.extension(number) is None

        async def both(transaction: Transaction) -> int:
            removed = await transaction.execute("DELETE FROM mailbox WHERE number = %s", (number,))
            if shared:
                await voicemail.ownerless(transaction, number)
            return removed

        try:
            removed = await self._database.interact(both)
        except DatabaseError as error:
            raise MailboxError(str(error)) from error
        await self._reload()
        return removed > 0

    # In memory

    async def _reload(self) -> None:
        rows = await self._database.query(f"SELECT {COLUMNS} FROM mailbox")  # noqa: S608 - constant
        kept = {row["number"]: _mailbox(row) for row in rows}
        changed = [number for number in {*kept, *self._kept} if kept.get(number) != self._kept.get(number)]
        self._kept = kept
        for number in changed:
            for observer in self._observers:
                observer(number)

    async def _load(self) -> None:
        try:
            await self._reload()
        except DatabaseDown:
            # Read again when it is back.
            return
        except DatabaseError as error:
            self.log.warn("Changed mailboxes were not read, tried again: {error}", error=error)
            self._worker.soon(AGAIN)

    # Below

    async def _write(self, sql: str, args: Sequence[Any]) -> None:
        await self._execute(sql, args)
        try:
            await self._reload()
        except DatabaseError:
            # It is written; the notification brings it.
            self._worker.soon(AGAIN)

    async def _execute(self, sql: str, args: Sequence[Any]) -> int:
        try:
            return await self._database.execute(sql, args)
        except DatabaseError as error:
            raise MailboxError(str(error)) from error

    async def _query(self, sql: str, args: Sequence[Any]) -> list[dict[str, Any]]:
        try:
            return await self._database.query(sql, args)
        except DatabaseError as error:
            raise MailboxError(str(error)) from error

    async def _hashed(self, call: Any, *args: Any, **named: Any) -> Any:
        return await self._hashes.run(self._in_thread, call, *args, **named)

    def _in_thread(self, call: Any, *args: Any, **named: Any) -> Any:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), call, *args, **named)


def _mailbox(row: dict[str, Any]) -> Mailbox:
    row["owners"] = tuple(row["owners"])
    row["greetings"] = frozenset(row["greetings"])
    return Mailbox(**row)
