"""
What an owner sets by phone: greetings, the name, and the PIN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pbx.features.asking import ask
from pbx.features.voicemail.choosing import choose
from pbx.features.voicemail.pin import LONGEST, pin_fault

if TYPE_CHECKING:
    from pathlib import Path

    from pbx.features.voicemail.mailboxes import Greeting, Mailbox
    from pbx.media.terminal import Terminal

KINDS: Final[dict[str, Greeting]] = {"1": "unavailable", "2": "busy", "3": "name", "4": "temporary"}

LONGEST_GREETING: Final = 120.0
"""Seconds of a greeting at most."""

LONGEST_NAME: Final = 10.0
"""Seconds of a name at most."""

SHORTEST_GREETING: Final = 0.5
"""Seconds below which nothing was said."""

PIN_TRIES: Final = 3
"""How often a new PIN is asked for."""


class Options:
    """
    The owner of a mailbox at its settings.

    Args:
        terminal: Its terminal.
        mailboxes: An :class:`~pbx.features.voicemail.mailboxes.IMailboxes`.
        mailbox: Which.
    """

    def __init__(self, terminal: Terminal, mailboxes: Any, mailbox: Mailbox) -> None:
        self._terminal = terminal
        self._mailboxes = mailboxes
        self._mailbox = mailbox

    async def serve(self) -> None:
        """
        Offer the settings until the owner goes back.
        """
        while True:
            key = await choose(self._terminal, ["vm-options-menu"], "12345*#")
            if key == "5":
                await self.change_pin()
            elif key == "4" and self._mailboxes.greeting(self._mailbox.number, "temporary") is not None:
                await self._temporary()
            elif key in KINDS:
                await self._record(KINDS[key])
            else:
                return

    async def change_pin(self) -> bool:
        """
        Ask for a new PIN, twice; whether it was changed.
        """
        for _ in range(PIN_TRIES):
            pin = await ask(self._terminal, ["vm-new-pin"], LONGEST)
            if not pin:
                break
            fault = pin_fault(pin, self._mailbox.number)
            if fault:
                await self._terminal.play([f"vm-pin-{'too-short' if fault == 'short' else 'too-simple'}"])
                continue
            if await ask(self._terminal, ["vm-new-pin-again"], LONGEST) != pin:
                await self._terminal.play(["vm-pin-mismatch"])
                continue
            await self._mailboxes.set_pin(self._mailbox.number, pin)
            await self._terminal.play(["vm-pin-changed"])
            return True
        await self._terminal.play(["vm-pin-unchanged"])
        return False

    async def _temporary(self) -> None:
        key = await choose(self._terminal, ["vm-temporary-active", "vm-temporary-menu"], "12*")
        if key == "1":
            await self._record("temporary")
        elif key == "2":
            await self._drop("temporary")

    async def _drop(self, kind: Greeting) -> None:
        await self._mailboxes.drop_greeting(self._mailbox.number, kind)
        await self._terminal.play(["vm-greeting-deleted"])

    async def _record(self, kind: Greeting) -> None:
        """
        Record a greeting and use it once the owner likes it; one that is there already stays until then.
        """
        number, terminal = self._mailbox.number, self._terminal
        path: Path = self._mailboxes.draft_greeting(number, kind)
        while True:
            await terminal.play([f"vm-record-{kind}"])
            longest = LONGEST_NAME if kind == "name" else LONGEST_GREETING
            recording = await terminal.record(path, longest=longest, stop="#")
            if recording.ended_by == "error":
                await terminal.play(["vm-mailbox-unavailable"])
                return
            if recording.seconds < SHORTEST_GREETING:
                await terminal.play(["vm-nothing-heard", "vm-greeting-unchanged"])
                return
            key = await self._review(path, has_one=self._mailboxes.greeting(number, kind) is not None)
            if key == "1":
                await self._mailboxes.keep_greeting(number, kind)
                await terminal.play(["vm-name-saved" if kind == "name" else "vm-greeting-saved"])
                return
            if key == "4":
                await self._drop(kind)
                return
            if key != "3":
                await terminal.play(["vm-greeting-unchanged"])
                return

    async def _review(self, path: Path, *, has_one: bool) -> str:
        prompts = ["vm-review", *(["vm-review-delete"] if has_one else [])]
        keys = "1234*" if has_one else "123*"
        key = ""
        while True:
            key = key or await choose(self._terminal, prompts, keys)
            if key != "2":
                return key
            key = await self._terminal.play([path], stop=keys)
