"""
Mailboxes and the messages in them: the values, and what voicemail asks of where they are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from attrs import field, frozen
from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence
    from pathlib import Path

Folder: TypeAlias = Literal["new", "saved", "work", "family", "friends"]
FOLDERS: Final[tuple[Folder, ...]] = ("new", "saved", "work", "family", "friends")
"""The folders of a mailbox. A message is new until it was heard."""

Greeting: TypeAlias = Literal["unavailable", "busy", "temporary", "name"]
GREETINGS: Final[tuple[Greeting, ...]] = ("unavailable", "busy", "temporary", "name")
"""What an owner can record: greetings, and the name that is said in the standard ones."""

Opened: TypeAlias = Literal["open", "wrong", "locked"]
"""What came of entering a PIN."""

WRONG_PINS: Final = 5
"""So many wrong PINs in a row lock a mailbox ..."""

LOCK_SECONDS: Final = 15 * 60
"""... for so long."""


class MailboxError(Exception):
    """
    The messages of a mailbox can't be read or kept at the moment; the text says why.
    """


@frozen
class VoicemailSettings:
    """
    What holds for every mailbox that says nothing else.

    Attributes:
        longest: Seconds of a message at most.
        shortest: Seconds below which a message is none.
        silence: Seconds of silence that end a message.
        quota: Messages in a mailbox at most, deleted ones not counted.
        operator: The number that ``0`` leads callers to, or ``None``.
    """

    longest: int = 180
    shortest: float = 2.0
    silence: float = 8.0
    quota: int = 100
    operator: str | None = None


@frozen
class Mailbox:
    """
    A mailbox, and what its owner wants of it. ``None`` leaves a matter to the exchange.

    Attributes:
        number: Its number; that of the extension whose it is, unless it is shared.
        name: What people call it.
        owners: The extensions that a shared mailbox belongs to.
        email: Where mail about its messages goes; else to the address of its extension.
        has_pin: A PIN was set.
        skip_pin: The PIN is not asked for on an owner's own phone.
        greetings: What was recorded and is used.
        longest: Seconds of a message at most.
        quota: Messages at most.
        operator: The number that ``0`` leads its callers to.
        retention_days: Days after which a message goes.
        attach: The audio goes with the mail.
        after_mail: What becomes of a message whose mail was sent: ``keep`` or ``delete``.
        enabled: Callers may leave messages.
    """

    number: str
    name: str = ""
    owners: tuple[str, ...] = ()
    email: str | None = None
    has_pin: bool = False
    skip_pin: bool = False
    greetings: frozenset[str] = frozenset()
    longest: int | None = None
    quota: int | None = None
    operator: str | None = None
    retention_days: int | None = None
    attach: bool = True
    after_mail: Literal["keep", "delete"] = "keep"
    enabled: bool = True

    @property
    def watchers(self) -> tuple[str, ...]:
        """
        The extensions whose it is: they open it from their phones, and their lamps tell of its messages.
        """
        return self.owners or (self.number,)


@frozen
class Message:
    """
    A message that was left.

    Attributes:
        id: 32 hexadecimal digits.
        mailbox: Whose it is.
        caller: Who left it: a number, or nothing for an anonymous caller.
        caller_name: The name that went with it.
        received: When it began, in UTC.
        path: Its audio.
        seconds: How long that is.
        folder: Where it lies.
        urgent: The caller wanted it heard first.
        deleted: Its owner does not want it any more; it is kept for some days.
        forwarded_by: The mailbox that it came from, or ``None``.
        call_id: The call in which it was left.
    """

    id: str
    mailbox: str
    caller: str
    caller_name: str
    received: dt.datetime
    path: Path = field(eq=False)
    seconds: float = 0.0
    folder: Folder = "new"
    urgent: bool = False
    deleted: bool = False
    forwarded_by: str | None = None
    call_id: str = ""


@frozen
class Counts:
    """
    How many messages a mailbox has, deleted ones not counted (the numbers of RFC 3842 3.2).

    Attributes:
        new: Not heard yet, urgent ones included.
        old: The others.
        urgent_new: The urgent ones of ``new``.
        urgent_old: The urgent ones of ``old``.
    """

    new: int = 0
    old: int = 0
    urgent_new: int = 0
    urgent_old: int = 0


def is_full(mailbox: Mailbox, counts: Counts, quota: int) -> bool:
    """
    Whether a mailbox takes no more messages.

    Args:
        mailbox: Which.
        counts: How many it has.
        quota: How many one has at most that says nothing else.
    """
    return counts.new + counts.old >= (quota if mailbox.quota is None else mailbox.quota)


OnCounts: TypeAlias = "Callable[[Mailbox, int, int, int, int], object]"
"""Called with a mailbox whose counts changed: new, old, urgent new and urgent old messages."""


class IMailboxes(Interface):
    """
    Where mailboxes are kept. What can be asked without waiting is in memory.
    """

    quota: int = Attribute("Messages in a mailbox that says nothing else, at most.")

    def mailbox(number: str) -> Mailbox | None:  # noqa: N805
        """
        The mailbox with this number. Every extension has one, whether or not anything was said about it.
        """

    def all() -> Sequence[Mailbox]:
        """
        Those about which something was said, all shared ones among them.
        """

    def greeting(number: str, kind: Greeting) -> Path | None:  # noqa: N805
        """
        The file of a greeting that was recorded.
        """

    def draft_greeting(number: str, kind: Greeting) -> Path:  # noqa: N805
        """
        Where to record a greeting that is not used yet.
        """

    async def keep_greeting(number: str, kind: Greeting) -> None:  # noqa: N805
        """
        Use what was recorded to :meth:`draft_greeting` from now on.

        Raises:
            MailboxError: It can't be kept.
        """

    async def drop_greeting(number: str, kind: Greeting) -> None:  # noqa: N805
        """
        Go back to the standard greeting; what was recorded, drafts as well, is removed.
        """

    async def open(number: str, pin: str) -> Opened:  # noqa: N805
        """
        Try a PIN. One for a mailbox that is not there, or has none, is wrong, and takes as long to tell.

        Raises:
            MailboxError: It can't be told.
        """

    async def set_pin(number: str, pin: str | None) -> None:  # noqa: N805
        """
        Set another PIN, or none. A mailbox that was locked is open again.

        Raises:
            MailboxError: It can't be kept.
        """


class IMessages(Interface):
    """
    Where messages are kept.
    """

    def counts(number: str) -> Counts:  # noqa: N805
        """
        How many messages a mailbox has.
        """

    async def begin(
        mailbox: Mailbox,  # noqa: N805
        *,
        caller: str,
        caller_name: str,
        call_id: str,
    ) -> Message:
        """
        Make a place for a message that is about to be recorded to its ``path``. From now on what was recorded survives
        the end of the program.

        Raises:
            OSError: Nothing can be written there.
        """

    async def measure(message: Message) -> float:  # noqa: N805
        """
        Mend the audio of a message whose recording was interrupted; how many seconds there are.
        """

    async def finish(message: Message, seconds: float, *, urgent: bool = False) -> None:  # noqa: N805
        """
        Deliver a message that was begun. It will be there whatever happens from now on.
        """

    async def discard(message: Message) -> None:  # noqa: N805
        """
        Forget a message that was begun.
        """

    async def list(number: str, folder: Folder | None = None, *, deleted: bool = False) -> Sequence[Message]:  # noqa: N805
        """
        The messages of a mailbox: the urgent ones first, then the oldest first.

        Args:
            number: The mailbox.
            folder: Only those in it.
            deleted: Those that were deleted, instead of the others.

        Raises:
            MailboxError: They can't be read now.
        """

    async def get(number: str, message: str) -> Message | None:  # noqa: N805
        """
        One message of a mailbox by its id, also a deleted one.
        """

    async def move(message: Message, folder: Folder) -> None:  # noqa: N805
        """
        Put it into a folder.
        """

    async def delete(message: Message) -> None:  # noqa: N805
        """
        Mark it as deleted.
        """

    async def undelete(message: Message) -> None:  # noqa: N805
        """
        Take that back.
        """

    async def purge(message: Message) -> None:  # noqa: N805
        """
        Remove it for good, with its audio.
        """

    async def comment(mailbox: Mailbox) -> Path:  # noqa: N805
        """
        Where to record what is said before a message that is forwarded.
        """

    async def forward(message: Message, to: Mailbox, by: str, comment: Path | None) -> Message:  # noqa: N805
        """
        Deliver a copy to another mailbox, the comment before it.

        Args:
            message: Which.
            to: Where to.
            by: The mailbox it is forwarded from.
            comment: What was recorded to :meth:`comment`, which is removed.

        Raises:
            MailboxError: It can't be copied.
        """

    async def expire(days: int | None, deleted_days: int) -> int:  # noqa: N805
        """
        Remove messages that are too old, but none whose mail is on its way; how many.

        Args:
            days: Days that a message is kept, unless its mailbox says otherwise; ``None`` for ever.
            deleted_days: Days that one is kept after it was deleted.
        """
