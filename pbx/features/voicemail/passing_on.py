"""
Forwarding a message to another mailbox, with a spoken comment before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pbx.audio.phrases import digits
from pbx.features.asking import ask
from pbx.features.voicemail.choosing import choose
from pbx.features.voicemail.mailboxes import is_full

if TYPE_CHECKING:
    from pathlib import Path

    from pbx.calls.destination import IVisit
    from pbx.features.voicemail.mailboxes import Mailbox, Message
    from pbx.media.terminal import Terminal

LONGEST_COMMENT: Final = 60.0
"""Seconds of a comment at most."""

DIGITS: Final = 20
"""Digits of a mailbox number at most."""


async def pass_on(
    visit: IVisit, terminal: Terminal, mailboxes: Any, messages: Any, mailbox: Mailbox, message: Message
) -> bool:
    """
    Ask where to, and whether with a comment, and deliver a copy there; whether that was done.

    Raises:
        MailboxError: It can't be copied.
    """
    number = await ask(terminal, ["vm-forward-to"], DIGITS)
    to = mailboxes.mailbox(number) if number else None
    if to is None or not to.enabled or to.number == mailbox.number:
        await terminal.play(["vm-cannot-forward"])
        return False
    if is_full(to, messages.counts(to.number), mailboxes.quota):
        visit.note(f"mailbox {mailbox.number}: {to.number} is full, so nothing is forwarded to it")
        await terminal.play(["vm-mailbox-full"])
        return False
    key = await choose(terminal, ["vm-forward-comment"], "12*")
    if key not in ("1", "2"):
        await terminal.play(["vm-cancelled"])
        return False
    comment: Path | None = None
    if key == "1":
        comment = await messages.comment(mailbox)
        await terminal.play(["vm-record-comment"])
        recording = await terminal.record(comment, longest=LONGEST_COMMENT, stop="#")
        if recording.ended_by in ("hangup", "error"):
            return False
    await messages.forward(message, to, mailbox.number, comment)
    visit.note(f"mailbox {mailbox.number}: a message was forwarded to {to.number}")
    await terminal.play(["vm-forwarded-to", *digits(to.number, visit.language)])
    return True
