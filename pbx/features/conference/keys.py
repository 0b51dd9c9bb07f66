"""
What can be done from the phone during a conference: star, and a digit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pbx.audio.phrases import number

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pbx.features.conference.attendee import Attendee
    from pbx.features.conference.meeting import Meeting

MENU: Final = "*"
"""The key that leads to the others."""

WAIT: Final = 5.0
"""Seconds to wait for a key behind the menu."""

STEP: Final = 3.0
"""Decibels by which the volume goes up or down."""

LOUDEST: Final = 12.0
"""Decibels louder or quieter than it is at most."""


class Keys:
    """
    The menu of one who takes part.
    """

    def __init__(self, meeting: Meeting, attendee: Attendee) -> None:
        self._meeting = meeting
        self._attendee = attendee
        self._actions: dict[str, Callable[[], Awaitable[object]]] = {
            "1": self._mute,
            "4": self._quieter,
            "6": self._louder,
            "8": self._leave,
            "#": self._count,
        }
        if attendee.moderator:
            self._actions |= {
                "2": self._lock,
                "3": self._eject,
                "5": self._record,
                "7": self._mute_all,
                "9": self._end,
            }

    async def serve(self) -> None:
        """
        Offer the menu and do what is chosen; the volume may be changed several times.
        """
        attendee = self._attendee
        menu = "conf-moderator-keys" if attendee.moderator else "conf-keys"
        key = await attendee.hear(menu, stop="0123456789*#") or await attendee.key(WAIT)
        while key in self._actions:
            again = key in "46"
            await self._actions[key]()
            if not again:
                return
            key = await attendee.key(WAIT)

    async def _mute(self) -> None:
        muted = not self._attendee.muted
        self._meeting.mute(self._attendee, muted)
        await self._attendee.hear("conf-muted" if muted else "conf-unmuted")

    async def _lock(self) -> None:
        self._meeting.lock(not self._meeting.locked)

    async def _eject(self) -> None:
        others = [other for other in self._meeting.present if not other.moderator]
        if others:
            others[-1].dismiss("kicked")
            await self._attendee.hear("conf-last-kicked")

    async def _quieter(self) -> None:
        self._turn(-STEP)

    async def _louder(self) -> None:
        self._turn(STEP)

    async def _record(self) -> None:
        if self._meeting.recorded_to is None:
            self._meeting.record()
        else:
            self._meeting.stop_recording()

    async def _mute_all(self) -> None:
        self._meeting.mute_all()

    async def _leave(self) -> None:
        self._attendee.dismiss("left")

    async def _end(self) -> None:
        self._meeting.end()

    async def _count(self) -> None:
        await self._attendee.hear(*count(len(self._meeting.present), self._attendee.language))

    def _turn(self, step: float) -> None:
        member = self._attendee.member
        if member is not None:
            member.volume = max(-LOUDEST, min(LOUDEST, member.volume + step))


def count(people: int, language: str) -> list[str]:
    """
    The prompts that tell how many there are.
    """
    if people == 1:
        return ["conf-only-one"]
    return ["conf-there-are", *number(people, language), "conf-people"]
