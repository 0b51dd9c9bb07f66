"""
Hearing the messages of a folder, and what can be done with each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from pbx.features.voicemail.choosing import choose
from pbx.features.voicemail.envelope import envelope, position
from pbx.features.voicemail.mailboxes import Folder, Mailbox, Message
from pbx.features.voicemail.passing_on import pass_on

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from pbx.calls.destination import IVisit
    from pbx.directory.decision import Destination
    from pbx.media.terminal import Terminal

BACK, PAUSE, FORWARD = "1", "2", "3"
"""The keys that move within a message while it plays."""

ACTIONS: Final = "3456789*#0"
"""The keys that do something with a message; while it plays all but 3."""

STEP: Final = 5.0
"""Seconds that a key moves."""

FOLDER_KEYS: Final[dict[str, Folder]] = {"0": "new", "1": "saved", "2": "work", "3": "family", "4": "friends"}

FOLDER_PROMPTS: Final = (
    "vm-choose-folder", "vm-press-0-new", "vm-press-1-old", "vm-press-2-work", "vm-press-3-family",
    "vm-press-4-friends",
)


async def choose_folder(terminal: Terminal) -> Folder | None:
    """
    Let a caller choose a folder; ``None`` when it does not.
    """
    key = await choose(terminal, FOLDER_PROMPTS, "01234*#")
    return FOLDER_KEYS.get(key)


class Listening:
    """
    A caller before the messages of one mailbox.

    Args:
        visit: The caller.
        terminal: Its terminal.
        mailboxes: Where names and other mailboxes are.
        messages: Where the messages are.
        mailbox: Which mailbox.
        now: The time of day, in the zone that times are said in.
        lead: Where a number leads an extension that calls it.

    Attributes:
        before: What is still to be said, before the next menu.
    """

    def __init__(
        self,
        visit: IVisit,
        terminal: Terminal,
        mailboxes: Any,
        messages: Any,
        mailbox: Mailbox,
        now: Callable[[], dt.datetime],
        lead: Callable[[str, str], Destination | None],
    ) -> None:
        self._visit = visit
        self._terminal = terminal
        self._mailboxes = mailboxes
        self._messages = messages
        self._mailbox = mailbox
        self._now = now
        self._lead = lead
        self.before: list[Any] = []

    async def folder(self, folder: Folder) -> Destination | None:
        """
        Go through a folder. What it holds is settled at the beginning: a message that is moved or deleted keeps its
        place until the caller leaves the folder.

        Returns:
            Where the caller goes, when it calls back.
        """
        messages = list(await self._messages.list(self._mailbox.number, folder))
        self.before = []
        if not messages:
            self.before = ["vm-no-messages-here"]
            return None
        index, key = 0, await self._hear(messages, 0)
        while True:
            if not key:
                menu = "vm-message-menu-deleted" if messages[index].deleted else "vm-message-menu"
                key = await choose(self._terminal, [menu], ACTIONS, self._said())
            if key == "3":
                destination = await self._more(messages, index)
                if destination is not None:
                    return destination
                key = ""
            elif key in ("4", "5", "6"):
                index, key = await self._turn(messages, index, int(key) - 5)
            elif key in ("7", "8"):
                messages[index], key = await self._act(messages[index], key), ""
            elif key == "9":
                index, key = await self._save(messages, index)
            else:
                # * and 0 lead to the main menu, where the options are; # leaves, by the same way.
                return None

    def _said(self) -> list[Any]:
        """
        What is to be said before anything else; it has been said then.
        """
        before, self.before = self.before, []
        return before

    async def _hear(self, messages: list[Message], index: int) -> str:
        """
        Say the envelope and play the message; the key that interrupted it with something to do.
        """
        message = messages[index]
        said = [*self._said(), *position(index, len(messages), self._visit.language), *self._envelope(message)]
        key = await self._terminal.play(said, stop="12" + ACTIONS)
        if key in ("", "1", "2", "3", "5"):
            key = await self._terminal.play_controlled(
                message.path, stop=ACTIONS.replace(FORWARD, ""), back=BACK, forward=FORWARD, pause=PAUSE, step=STEP
            )
            if message.folder == "new" and not message.deleted:
                messages[index] = await self._moved(message, "saved")
        return key

    def _envelope(self, message: Message) -> list[Any]:
        return envelope(message, self._mailboxes, self._now(), self._visit.language)

    async def _turn(self, messages: list[Message], index: int, by: int) -> tuple[int, str]:
        """
        Hear the message before or after, or the same again; which it is, and the key that interrupted it.
        """
        after = index + by
        if 0 <= after < len(messages):
            return after, await self._hear(messages, after)
        self.before.append("vm-no-more-messages" if by > 0 else "vm-no-previous-messages")
        return index, ""

    async def _act(self, message: Message, key: str) -> Message:
        """
        Delete, restore or forward a message; what it is now.
        """
        if key == "8":
            await pass_on(self._visit, self._terminal, self._mailboxes, self._messages, self._mailbox, message)
            return message
        if message.deleted:
            await self._messages.undelete(message)
            self.before = ["vm-undeleted"]
            return evolve(message, deleted=False)
        await self._messages.delete(message)
        self._visit.note(f"mailbox {self._mailbox.number}: a message was deleted")
        # Not yet the next one: until then the same key restores it.
        self.before = ["vm-deleted"]
        return evolve(message, deleted=True)

    async def _save(self, messages: list[Message], index: int) -> tuple[int, str]:
        """
        Put a message into a folder and go on to the next; which it is, and the key that interrupted it.
        """
        folder = await choose_folder(self._terminal)
        if folder is None:
            return index, ""
        messages[index] = await self._moved(messages[index], folder)
        self.before = ["vm-saved-to", f"vm-folder-{'old' if folder == 'saved' else folder}"]
        return await self._turn(messages, index, 1)

    async def _more(self, messages: list[Message], index: int) -> Destination | None:
        message = messages[index]
        key = await choose(self._terminal, ["vm-more-menu"], "123*")
        if key == "1":
            self.before = self._envelope(message)
        elif key == "2":
            return await self._call_back(message)
        elif key == "3":
            messages[index] = await self._moved(message, "new")
            self.before = ["vm-marked-new"]
        return None

    async def _call_back(self, message: Message) -> Destination | None:
        destination = self._lead(message.caller, self._mailbox.watchers[0]) if message.caller else None
        if destination is None:
            self.before = ["vm-no-call-back"]
            return None
        self._visit.note(f"mailbox {self._mailbox.number}: {message.caller} is called back")
        await self._terminal.play(["vm-call-back"])
        return destination

    async def _moved(self, message: Message, folder: Folder) -> Message:
        await self._messages.move(message, folder)
        return evolve(message, folder=folder)
