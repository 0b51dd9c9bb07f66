"""
Mailboxes and messages in memory; they pass the same contract as those in the database.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from attrs import evolve
from zope.interface import implementer

from pbx.features.recordings import UnusableSoundError
from pbx.features.voicemail.mailboxes import (
    LOCK_SECONDS,
    WRONG_PINS,
    Counts,
    Folder,
    Greeting,
    IMailboxes,
    IMessages,
    Mailbox,
    MailboxError,
    Message,
    Opened,
)


def joined_bytes(pieces: list[Path]) -> bytes:
    """
    What is in some files, one behind the other.
    """
    return b"".join(piece.read_bytes() for piece in pieces)


def joined(target: Path, pieces: list[Path]) -> None:
    """
    Files one behind the other; all but the last are removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(joined_bytes(pieces))
    for piece in pieces[:-1]:
        piece.unlink()


def put(path: Path, content: bytes) -> None:
    """
    A file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@implementer(IMailboxes)
class MemoryMailboxes:
    """
    Mailboxes in a dict.

    Attributes:
        away: Nothing can be read or kept.
        now: Seconds that have passed.
    """

    def __init__(self, folder: Path, *numbers: str) -> None:
        self.base = folder
        self.quota = 100
        self.kept = {number: Mailbox(number) for number in numbers}
        self.pins: dict[str, str] = {}
        self.tries: dict[str, int] = {}
        self.locked: dict[str, float] = {}
        self.away = False
        self.now = 0.0

    def mailbox(self, number: str) -> Mailbox | None:
        """
        One.
        """
        return self.kept.get(number)

    def folder(self, number: str) -> Path:
        """
        Where its files lie.
        """
        return self.base / number

    def greeting(self, number: str, kind: Greeting) -> Path | None:
        """
        A greeting that is used.
        """
        kept = self.kept.get(number)
        return self.base / number / f"greeting-{kind}.wav" if kept and kind in kept.greetings else None

    def draft_greeting(self, number: str, kind: Greeting) -> Path:
        """
        Where to record it.
        """
        return self.base / number / f"draft-{kind}.wav"

    async def keep_greeting(self, number: str, kind: Greeting) -> None:
        """
        Use it.
        """
        self._check()
        self.draft_greeting(number, kind).replace(self.base / number / f"greeting-{kind}.wav")
        self.kept[number] = evolve(self.kept[number], greetings=self.kept[number].greetings | {kind})

    def all(self) -> list[Mailbox]:
        """
        All.
        """
        return list(self.kept.values())

    async def bring_greeting(self, number: str, kind: Greeting, content: bytes) -> None:
        """
        Use a file.
        """
        if not content.startswith(b"RIFF"):
            raise UnusableSoundError("It is no sound.")
        put(self.draft_greeting(number, kind), content)
        await self.keep_greeting(number, kind)

    async def content(self, path: Path) -> bytes:
        """
        What is in a file.
        """
        return joined_bytes([path])

    async def drop_greeting(self, number: str, kind: Greeting) -> None:
        """
        Use it no more.
        """
        self._check()
        self.kept[number] = evolve(self.kept[number], greetings=self.kept[number].greetings - {kind})
        for prefix in ("draft", "greeting"):
            (self.base / number / f"{prefix}-{kind}.wav").unlink(missing_ok=True)

    async def open(self, number: str, pin: str) -> Opened:
        """
        Try a PIN.
        """
        self._check()
        if number not in self.pins:
            return "wrong"
        if self.locked.get(number, 0) > self.now:
            return "locked"
        tries = self.tries[number] = self.tries.get(number, 0) + 1
        if pin == self.pins[number]:
            self.tries[number] = 0
            return "open"
        if tries >= WRONG_PINS:
            self.tries[number] = 0
            self.locked[number] = self.now + LOCK_SECONDS
        return "wrong"

    async def set_pin(self, number: str, pin: str | None) -> None:
        """
        Set another.
        """
        self._check()
        self.pins.pop(number, None)
        if pin is not None:
            self.pins[number] = pin
        self.locked.pop(number, None)
        self.tries.pop(number, None)
        self.kept[number] = evolve(self.kept[number], has_pin=pin is not None)

    async def put(self, number: str, **changes: Any) -> None:
        """
        Say something about one.
        """
        self.kept[number] = evolve(self.kept.get(number, Mailbox(number)), **changes)

    async def remove(self, number: str) -> bool:
        """
        Forget one.
        """
        return self.kept.pop(number, None) is not None

    def _check(self) -> None:
        if self.away:
            raise MailboxError("the database is away")


@implementer(IMessages)
class MemoryMessages:
    """
    Messages in a dict; their audio is in files, as real.

    Attributes:
        seconds: What :meth:`measure` finds.
        full: What :meth:`begin` fails with.
        away: Nothing can be read.
    """

    def __init__(self, mailboxes: MemoryMailboxes) -> None:
        self.mailboxes = mailboxes
        self.begun: dict[str, Message] = {}
        self.kept: dict[str, Message] = {}
        self.purged: list[str] = []
        self.seconds = 5.0
        self.full: OSError | None = None
        self.away = False
        self.moment = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)

    def counts(self, number: str) -> Counts:
        """
        Of one mailbox.
        """
        own = [each for each in self.kept.values() if each.mailbox == number and not each.deleted]
        new = [each for each in own if each.folder == "new"]
        urgent_new = sum(each.urgent for each in new)
        return Counts(
            len(new), len(own) - len(new), urgent_new, sum(each.urgent for each in own) - urgent_new
        )

    async def begin(self, mailbox: Mailbox, *, caller: str, caller_name: str, call_id: str) -> Message:
        """
        A place.
        """
        if self.full is not None:
            raise self.full
        name = uuid4().hex
        path = self.mailboxes.folder(mailbox.number) / f"{name}.wav"
        self.moment += dt.timedelta(minutes=1)
        message = Message(name, mailbox.number, caller, caller_name, self.moment, path, call_id=call_id)
        self.begun[name] = message
        return message

    async def measure(self, message: Message) -> float:
        """
        As was told.
        """
        return self.seconds

    async def finish(self, message: Message, seconds: float, *, urgent: bool = False) -> None:
        """
        Keep.
        """
        self.begun.pop(message.id, None)
        self.kept[message.id] = evolve(message, seconds=seconds, urgent=urgent)

    async def discard(self, message: Message) -> None:
        """
        Forget.
        """
        self.begun.pop(message.id, None)
        message.path.unlink(missing_ok=True)

    async def list(self, number: str, folder: Folder | None = None, *, deleted: bool = False) -> Sequence[Message]:
        """
        Of one mailbox.
        """
        if self.away:
            raise MailboxError("the database is away")
        found = [
            each
            for each in self.kept.values()
            if each.mailbox == number and each.deleted == deleted and folder in (None, each.folder)
        ]
        return sorted(found, key=lambda each: (not each.urgent, each.received))

    async def get(self, number: str, message: str) -> Message | None:
        """
        One.
        """
        found = self.kept.get(message)
        return found if found is not None and found.mailbox == number else None

    async def move(self, message: Message, folder: Folder) -> None:
        """
        To a folder.
        """
        self.kept[message.id] = evolve(self.kept[message.id], folder=folder)

    async def delete(self, message: Message) -> None:
        """
        Mark.
        """
        self.kept[message.id] = evolve(self.kept[message.id], deleted=True)

    async def undelete(self, message: Message) -> None:
        """
        Unmark.
        """
        self.kept[message.id] = evolve(self.kept[message.id], deleted=False)

    async def purge(self, message: Message) -> None:
        """
        Remove.
        """
        self.kept.pop(message.id, None)
        message.path.unlink(missing_ok=True)

    async def comment(self, mailbox: Mailbox) -> Path:
        """
        Where to record it.
        """
        return self.mailboxes.folder(mailbox.number) / "comment.wav"

    async def forward(self, message: Message, to: Mailbox, by: str, comment: Path | None) -> Message:
        """
        A copy, its audio behind the comment's.
        """
        name = uuid4().hex
        path = self.mailboxes.folder(to.number) / f"{name}.wav"
        joined(path, [*([] if comment is None else [comment]), message.path])
        copy = evolve(
            message, id=name, mailbox=to.number, path=path, forwarded_by=by, folder="new", deleted=False
        )
        self.kept[name] = copy
        return copy

    async def expire(self, days: int | None, deleted_days: int) -> int:
        """
        None: there is no time in memory.
        """
        return 0
