"""
Opening a mailbox: who may, and what it offers then.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from twisted.logger import Logger
from zope.interface import implementer

from pbx.audio.phrases import count, digits
from pbx.audio.phrases import number as spoken
from pbx.calls.destination import IDestination
from pbx.directory.decision import Destination
from pbx.features.asking import ask
from pbx.features.voicemail.choosing import choose
from pbx.features.voicemail.listening import Listening, choose_folder
from pbx.features.voicemail.mailboxes import LOCK_SECONDS, Folder, Mailbox, MailboxError, is_full
from pbx.features.voicemail.options import Options
from pbx.features.voicemail.pin import LONGEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.calls.destination import IVisit
    from pbx.media.terminal import Terminal

TRIES: Final = 3
"""How often mailbox and PIN are asked for in one call."""

NUMBER: Final = 20
"""Digits of a mailbox number at most."""


@implementer(IDestination)
class Retrieval:
    """
    The place of kind ``mailbox``: its target is the mailbox, or nothing to ask for it.

    Args:
        mailboxes: An :class:`~pbx.features.voicemail.mailboxes.IMailboxes`.
        messages: An :class:`~pbx.features.voicemail.mailboxes.IMessages`.
        wall: The time of day in seconds since 1970, to say when a message came.
        lead: Where a number leads an extension that calls it; ``None`` when it may not, or that is nowhere.
        zone: The zone that times are said in; ``None`` for the machine's.

    Attributes:
        zone: The zone, which may be set.
    """

    log = Logger()

    def __init__(
        self,
        mailboxes: Any,
        messages: Any,
        wall: Callable[[], float],
        lead: Callable[[str, str], Destination | None] = lambda number, _: Destination("extension", number),
        zone: dt.tzinfo | None = None,
    ) -> None:
        self.zone = zone
        self._mailboxes = mailboxes
        self._messages = messages
        self._wall = wall
        self._lead = lead

    async def take(self, visit: IVisit) -> Destination | None:
        """
        Open a mailbox for a caller and serve it until it has done.
        """
        terminal = await visit.answer()
        try:
            mailbox = await self._opened(visit, terminal)
            if mailbox is None:
                await terminal.play(["vm-goodbye"])
                return None
            visit.note(f"mailbox {mailbox.number}: open")
            return await self._serve(visit, terminal, mailbox)
        except MailboxError as error:
            self.log.error(
                "Mailbox {target} can't be used: {error}", target=visit.destination.target or "(any)", error=error,
                call_id=visit.call_id,
            )
            visit.note(f"mailbox: {error}")
            await terminal.play(["vm-mailbox-unavailable"])
            return None

    # Who may

    async def _opened(self, visit: IVisit, terminal: Terminal) -> Mailbox | None:
        target = visit.destination.target
        mailbox: Mailbox | None = self._mailboxes.mailbox(target) if target else None
        if mailbox is not None and _from_owner(visit, mailbox):
            if not mailbox.has_pin:
                await terminal.play(["vm-welcome", "vm-pin-must-change"])
                await Options(terminal, self._mailboxes, mailbox).change_pin()
                return self._again(mailbox)
            if mailbox.skip_pin:
                return mailbox
        elif target and (mailbox is None or not mailbox.has_pin):
            await terminal.play(["vm-no-mailbox" if mailbox is None else "vm-no-pin"])
            visit.note(f"mailbox {target}: " + ("there is none" if mailbox is None else "it has no PIN"))
            return None
        for _ in range(TRIES):
            number = target
            if not target:
                number = await ask(terminal, ["vm-enter-mailbox"], NUMBER)
                if not number:
                    continue
            pin = await ask(terminal, ["vm-enter-pin"], LONGEST)
            if not pin:
                continue
            if await self._right(visit, terminal, number, pin):
                opened: Mailbox | None = self._mailboxes.mailbox(number)
                return opened
        await terminal.play(["vm-too-many-tries"])
        return None

    async def _right(self, visit: IVisit, terminal: Terminal, number: str, pin: str) -> bool:
        opened = await self._mailboxes.open(number, pin)
        if opened == "open":
            return True
        # The wording that those who count attempts look for.
        self.log.warn(
            "authentication failed: {what} for mailbox {mailbox}, entered by {caller}",
            what="wrong PIN" if opened == "wrong" else f"locked for {LOCK_SECONDS // 60} min after wrong PINs",
            mailbox=number, caller=visit.caller.number, call_id=visit.call_id,
        )
        visit.note(f"mailbox {number}: " + ("wrong PIN" if opened == "wrong" else "locked after wrong PINs"))
        if opened == "locked":
            await terminal.play(["vm-locked"])
        else:
            await terminal.play(["vm-invalid-pin" if visit.destination.target else "vm-login-incorrect"])
        return False

    def _again(self, mailbox: Mailbox) -> Mailbox:
        found: Mailbox | None = self._mailboxes.mailbox(mailbox.number)
        return mailbox if found is None else found

    # What it offers

    async def _serve(self, visit: IVisit, terminal: Terminal, mailbox: Mailbox) -> Destination | None:
        listening = Listening(visit, terminal, self._mailboxes, self._messages, mailbox, self._now, self._lead)
        before = [*self._state(mailbox, visit.language), *self._elsewhere(mailbox, visit.language)]
        folder: Folder = "new" if self._messages.counts(mailbox.number).new else "saved"
        while True:
            key = await choose(terminal, ["vm-main-menu"], "120*#", before)
            before = []
            if key == "1":
                destination = await listening.folder(folder)
                if destination is not None:
                    return destination
                before = listening.before
            elif key == "2":
                chosen = await choose_folder(terminal)
                if chosen:
                    folder = chosen
                    before = ["vm-folder-changed", f"vm-folder-{_said(folder)}"]
            elif key == "0":
                await Options(terminal, self._mailboxes, self._again(mailbox)).serve()
            elif key != "*":
                await terminal.play(["vm-goodbye"])
                return None

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._wall(), dt.UTC).astimezone(self.zone)

    def _state(self, mailbox: Mailbox, language: str) -> list[str]:
        counts = self._messages.counts(mailbox.number)
        full = ["vm-full-owner"] if is_full(mailbox, counts, self._mailboxes.quota) else []
        if not counts.new and not counts.old:
            return ["vm-no-messages", *full]
        said = ["vm-you-have"]
        if counts.urgent_new:
            urgent = "vm-urgent-message" if counts.urgent_new == 1 else "vm-urgent-messages"
            said += [*spoken(counts.urgent_new, language), urgent, "vm-and"]
        others = counts.new - counts.urgent_new
        said += [*(spoken(others, language) if others else ["vm-no"]), "vm-new-message" + ("" if others == 1 else "s")]
        if counts.old:
            said += ["vm-and", *spoken(counts.old, language), "vm-old-message" + ("" if counts.old == 1 else "s")]
        return said + full

    def _elsewhere(self, mailbox: Mailbox, language: str) -> list[str]:
        """
        The new messages in shared mailboxes of the owner, for which its lamp shines as well.
        """
        said: list[str] = []
        for shared in self._mailboxes.all():
            new = self._messages.counts(shared.number).new
            if new and shared.number != mailbox.number and mailbox.number in shared.owners:
                words = count(new, "vm-new-message", "vm-new-messages", language)
                said += ["vm-you-have", *words, "vm-for-mailbox", *digits(shared.number, language)]
        return said


def _said(folder: str) -> str:
    """
    The name of a folder in the prompts.
    """
    return "old" if folder == "saved" else folder


def _from_owner(visit: IVisit, mailbox: Mailbox) -> bool:
    """
    Whether a caller dialled a star code on a phone of an owner: such codes are for phones that have registered.
    """
    return (
        visit.caller.number in mailbox.watchers
        and visit.number[:1] in ("*", "#")
        and visit.destination.argument != "pin"
        and not visit.diversions
    )
