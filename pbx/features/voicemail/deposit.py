"""
Leaving a message in a mailbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import define
from twisted.logger import Logger
from zope.interface import implementer

from pbx.audio.phrases import digits
from pbx.calls.destination import IDestination
from pbx.directory.decision import Destination
from pbx.features.voicemail.choosing import choose
from pbx.features.voicemail.mailboxes import Mailbox, Message, VoicemailSettings, is_full

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pbx.calls.destination import IVisit
    from pbx.media.terminal import Recording, Terminal
    from pbx.tasks import Tasks

TRIES: Final = 5
"""How often a caller may begin: who says nothing that often has nothing to say."""

REVIEW: Final = ("vm-deposit-options", "vm-mark-urgent")


@define
class _Left:
    """
    What a caller has left so far.

    Attributes:
        message: The message, begun.
        seconds: How long it is; ``None`` while it is recorded.
        urgent: It was marked so.
        settled: It was delivered or discarded.
    """

    message: Message
    seconds: float | None = None
    urgent: bool = False
    settled: bool = False


@implementer(IDestination)
class Deposit:
    """
    The place of kind ``voicemail``: its target is the mailbox.

    Args:
        mailboxes: An :class:`~pbx.features.voicemail.mailboxes.IMailboxes`.
        messages: An :class:`~pbx.features.voicemail.mailboxes.IMessages`.
        tasks: Where a message is kept whose caller has hung up.
        settings: What holds for every mailbox.
        lead: Where a number leads that callers are sent to on behalf of an extension; ``None`` for nowhere.
    """

    log = Logger()

    def __init__(
        self,
        mailboxes: Any,
        messages: Any,
        tasks: Tasks,
        settings: VoicemailSettings,
        lead: Callable[[str, str], Destination | None] = lambda number, _: Destination("extension", number),
    ) -> None:
        self._mailboxes = mailboxes
        self._messages = messages
        self._tasks = tasks
        self._settings = settings
        self._lead = lead

    def reconfigure(self, settings: VoicemailSettings) -> None:
        """
        Take messages by other settings from now on.
        """
        self._settings = settings

    async def take(self, visit: IVisit) -> Destination | None:
        """
        Greet a caller and record what it says.
        """
        number = visit.destination.target
        mailbox = self._mailboxes.mailbox(number)
        if mailbox is None or not mailbox.enabled:
            visit.note(f"voicemail {number}: there is no such mailbox")
            visit.refuse(404, 1, "No such mailbox")
            return None
        terminal = await visit.answer()
        counts = self._messages.counts(number)
        if is_full(mailbox, counts, self._settings.quota):
            visit.note(f"voicemail {number}: the mailbox is full ({counts.new + counts.old} messages)")
            key = await terminal.play(["vm-mailbox-full"], stop=self._ways_out(mailbox))
            return self._way_out(visit, mailbox, key)
        greeting, what = self._greeting(visit, mailbox)
        visit.note(f"voicemail {number}: {what}")
        key = await terminal.play(greeting, stop="#" + self._ways_out(mailbox))
        destination = self._way_out(visit, mailbox, key)
        return destination if destination is not None else await self._record(visit, terminal, mailbox)

    def _operator(self, mailbox: Mailbox) -> str:
        return mailbox.operator or self._settings.operator or ""

    def _ways_out(self, mailbox: Mailbox) -> str:
        return "*0" if self._operator(mailbox) else "*"

    def _way_out(self, visit: IVisit, mailbox: Mailbox, key: str) -> Destination | None:
        if key == "*":
            visit.note(f"voicemail {mailbox.number}: the caller wants to open the mailbox")
            # Whoever calls itself may be anybody: the PIN is asked for.
            return Destination("mailbox", mailbox.number, "pin")
        if key == "0":
            visit.note(f"voicemail {mailbox.number}: the caller wants the operator")
            return self._lead(self._operator(mailbox), mailbox.number)
        return None

    def _greeting(self, visit: IVisit, mailbox: Mailbox) -> tuple[list[str | Path], str]:
        """
        What the caller hears first, and in words which greeting that is.
        """
        number = mailbox.number
        busy = bool(visit.diversions) and visit.diversions[-1].reason == "busy"
        for kind in ("temporary", "busy" if busy else "unavailable"):
            recorded = self._mailboxes.greeting(number, kind)
            if recorded is not None:
                return [recorded], f"the {kind} greeting"
        name = self._mailboxes.greeting(number, "name")
        who: list[str | Path] = [name] if name is not None else ["vm-greeting-start", *digits(number, visit.language)]
        return [*who, "vm-busy" if busy else "vm-unavailable", "vm-leave-message"], "the standard greeting"

    async def _record(self, visit: IVisit, terminal: Terminal, mailbox: Mailbox) -> Destination | None:
        longest = self._settings.longest if mailbox.longest is None else mailbox.longest
        for _ in range(TRIES):
            left = await self._begin(visit, terminal, mailbox)
            if left is None:
                return None
            try:
                recording = await terminal.record(
                    left.message.path, longest=longest, silence=self._settings.silence,
                    stop="#" + self._ways_out(mailbox)[1:],
                )
                left.seconds = recording.seconds
                if recording.ended_by == "error":
                    visit.note(f"voicemail {mailbox.number}: the message could not be written")
                    await terminal.play(["vm-mailbox-unavailable"])
                    return None
                if recording.seconds >= self._settings.shortest or recording.ended_by == "hangup":
                    again, destination = await self._ended(visit, terminal, mailbox, left, recording)
                    if not again:
                        return destination
                    continue
            finally:
                # Also when the caller hangs up meanwhile: what was said is kept.
                if not left.settled:
                    self._tasks.start(self._settle(left), "keep a voicemail message")
            destination = self._way_out(visit, mailbox, recording.key if recording.key != "#" else "")
            if destination is not None:
                return destination
            await terminal.play(["vm-too-short", "vm-leave-message-short"])
        return None

    async def _begin(self, visit: IVisit, terminal: Terminal, mailbox: Mailbox) -> _Left | None:
        caller = visit.caller
        hidden = caller.anonymous
        try:
            return _Left(
                await self._messages.begin(
                    mailbox,
                    caller="" if hidden else caller.number,
                    caller_name="" if hidden else caller.name,
                    call_id=visit.call_id,
                )
            )
        except OSError as error:
            self.log.error(
                "No message can be left in mailbox {mailbox}: {error}", mailbox=mailbox.number, error=error,
                call_id=visit.call_id,
            )
            visit.note(f"voicemail {mailbox.number}: nothing can be written: {error.strerror or error}")
            await terminal.play(["vm-mailbox-unavailable"])
            return None

    async def _ended(
        self, visit: IVisit, terminal: Terminal, mailbox: Mailbox, left: _Left, recording: Recording
    ) -> tuple[bool, Destination | None]:
        """
        Go on after a message was recorded: whether it is to be recorded again, and else where the caller goes.
        """
        visit.note(f"voicemail {mailbox.number}: a message of {recording.seconds:.0f} s, ended by {recording.ended_by}")
        if recording.ended_by == "hangup":
            return False, None
        if recording.key == "0":
            return False, self._way_out(visit, mailbox, "0")
        if recording.ended_by == "length":
            await terminal.play(["vm-too-long"])
        if recording.key == "#":
            choice = await self._review(terminal, left)
            if choice in ("again", "cancel"):
                left.seconds = 0.0
                await terminal.play(["vm-leave-message-short" if choice == "again" else "vm-message-cancelled"])
                return choice == "again", None
        await self._settle(left)
        await terminal.play(["vm-message-sent", "vm-goodbye"])
        return False, None

    async def _review(self, terminal: Terminal, left: _Left) -> str:
        """
        Let the caller judge: ``send``, ``again`` or ``cancel``.
        """
        key = ""
        while True:
            key = key or await choose(terminal, ["vm-recorded", *REVIEW], "1234*")
            if key == "2":
                key = await terminal.play([left.message.path], stop="1234*")
            elif key == "4":
                left.urgent = True
                key = await terminal.play(["vm-marked-urgent"], stop="123*")
            else:
                return {"3": "again", "*": "cancel"}.get(key, "send")

    async def _settle(self, left: _Left) -> None:
        left.settled = True
        seconds = left.seconds
        if seconds is None:
            seconds = await self._messages.measure(left.message)
        if seconds >= self._settings.shortest:
            await self._messages.finish(left.message, seconds, urgent=left.urgent)
        else:
            await self._messages.discard(left.message)
