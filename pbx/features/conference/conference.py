"""
The place a caller is sent to for a conference.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from zope.interface import implementer

from pbx.calls.destination import IDestination
from pbx.features.asking import ask
from pbx.features.conference.attendee import Attendee
from pbx.features.conference.door import TRIES, Door, Guesses
from pbx.features.conference.keys import MENU, Keys

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pbx.directory.decision import Destination
    from pbx.directory.places import Room
    from pbx.features.conference.meeting import Meeting
    from pbx.features.conference.rooms import Rooms
    from pbx.media.room_sound import PlayedSound

LONGEST_NAME: Final = 4.0
"""Seconds of a spoken name."""

SHORTEST_NAME: Final = 0.3
"""Seconds below which somebody has said nothing."""

MOST_DIGITS: Final = 15
"""Digits of a room's number."""

GOODBYES: Final = {
    "left": ("conf-goodbye",),
    "kicked": ("conf-kicked",),
    "ended": ("conf-ended",),
    "moderator left": ("conf-moderator-left", "conf-ended"),
}
"""What is said to who goes, by why it goes."""


@implementer(IDestination)
class Conference:
    """
    Lets callers into rooms and serves them there.
    """

    def __init__(self, rooms: Rooms, seconds: Callable[[], float], names: Path) -> None:
        """
        A way into all rooms.

        Args:
            rooms: The rooms.
            seconds: The clock.
            names: A folder for spoken names, which lie there for a moment.
        """
        self._rooms = rooms
        self._door = Door(Guesses(seconds))
        self._names = names

    async def take(self, visit: Any) -> Destination | None:
        """
        Serve a caller: to the room that the destination names, or to the one whose number it enters.
        """
        terminal = await visit.answer()
        room = await self._room(visit, terminal)
        if room is None:
            return None
        role = await self._door.role(visit, terminal, room)
        if not role:
            visit.note(f"conference {room.number}: not let in, no PIN was right")
            return None
        moderator = role == "moderator"
        refusal = self._refusal(room, moderator=moderator)
        if refusal:
            await self._turn_away(visit, terminal, room, refusal)
            return None
        spoken = await self._spoken_name(visit, terminal) if room.announce == "name" else None
        # While it said its name the room may have become full.
        refusal = self._refusal(room, moderator=moderator)
        if refusal:
            await self._turn_away(visit, terminal, room, refusal)
            return None
        caller = visit.caller
        attendee = Attendee(
            secrets.token_hex(4),
            terminal,
            call_id=visit.call_id,
            number="" if caller.anonymous else caller.number,
            name="" if caller.anonymous else caller.name,
            language=visit.language,
            moderator=moderator,
            joined=self._rooms.equipment.wall(),
            spoken_name=spoken,
        )
        meeting = self._rooms.open(room)
        visit.note(f"conference {room.number}: joined as {role}, {len(meeting) + 1} there")
        try:
            meeting.enter(attendee)
            await self._attend(meeting, attendee)
        finally:
            meeting.leave(attendee)
        visit.note(f"conference {room.number}: {attendee.leaving}")
        await terminal.play(list(GOODBYES[attendee.leaving]))
        return None

    async def _attend(self, meeting: Meeting, attendee: Attendee) -> None:
        """
        Serve somebody until it leaves.
        """
        await self._welcome(meeting, attendee)
        keys = Keys(meeting, attendee)
        while not attendee.leaving:
            if await attendee.key() == MENU and meeting.begun:
                await keys.serve()

    async def _welcome(self, meeting: Meeting, attendee: Attendee) -> None:
        prompts = []
        if not meeting.begun:
            prompts.append("conf-wait-moderator")
        else:
            if len(meeting.present) == 1:
                prompts.append("conf-only-one")
            if meeting.recorded_to is not None and not meeting.room.record:
                prompts.append("conf-being-recorded")
            if attendee.muted:
                prompts.append("conf-is-muted")
        if prompts:
            await attendee.hear(*prompts)

    async def _room(self, visit: Any, terminal: Any) -> Room | None:
        number = visit.destination.target
        if number:
            room = self._rooms.room(number)
            if room is None:
                visit.note(f"conference {number}: there is no such room")
                await terminal.play(["conf-unavailable"])
            return room
        for _ in range(TRIES):
            number = await ask(terminal, ["conf-enter-number"], MOST_DIGITS)
            room = self._rooms.room(number)
            if room is not None:
                return room
            await terminal.play(["conf-invalid-number"])
        await terminal.play(["conf-too-many-tries"])
        return None

    def _refusal(self, room: Room, *, moderator: bool) -> str:
        meeting = self._rooms.meeting(room.number)
        if meeting is None or meeting.ended:
            return ""
        if meeting.full:
            return "conf-full"
        return "conf-locked" if meeting.locked and not moderator else ""

    async def _turn_away(self, visit: Any, terminal: Any, room: Room, refusal: str) -> None:
        visit.note(f"conference {room.number}: {refusal.removeprefix('conf-')}")
        await terminal.play([refusal])

    async def _spoken_name(self, visit: Any, terminal: Any) -> PlayedSound | None:
        """
        Ask for the name; ``None`` when nothing was said.
        """
        path = self._names / f"{secrets.token_hex(8)}.wav"
        await terminal.play(["conf-say-name"])
        try:
            recording = await terminal.record(path, longest=LONGEST_NAME, silence=1.5)
            if recording.seconds < SHORTEST_NAME or recording.ended_by == "error":
                return None
            return await self._rooms.equipment.sounds.load(path)
        finally:
            _forget(path)


def _forget(path: Path) -> None:
    path.unlink(missing_ok=True)
