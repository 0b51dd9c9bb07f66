"""
All conferences that go on, by the number of their room, and the rooms made for one conference only.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final, Protocol

from pbx.directory.places import Room
from pbx.features.conference.meeting import Meeting

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.directory.places import Place
    from pbx.features.conference.equipment import Equipment

AD_HOC_LASTING: Final = 86_400.0
"""Seconds for which a room made for one conference waits for it: a day."""

MAX_AD_HOC: Final = 500
"""Rooms made for one conference that there can be at a time."""

AD_HOC_DIGITS: Final = 7
"""Digits of their numbers: long enough that nobody comes upon one, and no extension has so many."""


class TooManyRoomsError(Exception):
    """
    There are as many rooms for one conference as there can be.
    """


class IPlacesByNumber(Protocol):
    """
    The places that are configured.
    """

    def place(self, number: str) -> Place | None:
        """
        The place with a number.
        """


class Rooms:
    """
    What goes on in all rooms.

    Attributes:
        on_change: Called with a meeting when something has changed in it; those who show it live listen here.
    """

    def __init__(self, places: IPlacesByNumber, equipment: Equipment) -> None:
        self.equipment = equipment
        self.on_change: list[Callable[[Meeting], object]] = []
        self._places = places
        self._meetings: dict[str, Meeting] = {}
        self._ad_hoc: dict[str, tuple[Room, float]] = {}

    def __len__(self) -> int:
        return len(self._meetings)

    def room(self, number: str) -> Room | None:
        """
        A room, configured or made for one conference.
        """
        place = self._places.place(number)
        if isinstance(place, Room):
            return place
        self._expire()
        room, _ = self._ad_hoc.get(number, (None, 0.0))
        return room

    def ad_hoc(self) -> list[Room]:
        """
        The rooms made for one conference only.
        """
        self._expire()
        return [room for room, _ in self._ad_hoc.values()]

    def make(self, new: Callable[[str], Room]) -> Room:
        """
        A room for one conference, which is gone when that has ended, or when nobody came for a day.

        Args:
            new: Makes it, given its number.

        Raises:
            TooManyRoomsError: There are too many.
        """
        self._expire()
        if len(self._ad_hoc) >= MAX_AD_HOC:
            raise TooManyRoomsError
        number = _any_number()
        while number in self._ad_hoc or self._places.place(number) is not None:
            number = _any_number()
        room = new(number)
        self._ad_hoc[number] = room, self.equipment.wall() + AD_HOC_LASTING
        return room

    def meeting(self, number: str) -> Meeting | None:
        """
        What goes on in a room, ``None`` when nobody is there.
        """
        return self._meetings.get(number)

    def open(self, room: Room) -> Meeting:
        """
        The meeting in a room for somebody who comes: the one that goes on, or a new one.
        """
        meeting = self._meetings.get(room.number)
        if meeting is None or meeting.ended:
            meeting = self._meetings[room.number] = Meeting(room, self.equipment, self._changed)
        return meeting

    def list(self) -> list[dict[str, Any]]:
        """
        What the API says of everything that goes on.
        """
        return [meeting.shown() for _, meeting in sorted(self._meetings.items())]

    def stop(self) -> None:
        """
        Close all recordings; the calls are ended elsewhere.
        """
        for meeting in self._meetings.values():
            meeting.stop_recording()

    def _changed(self, meeting: Meeting) -> None:
        number = meeting.room.number
        if not meeting.attendees and self._meetings.get(number) is meeting:
            del self._meetings[number]
            self._ad_hoc.pop(number, None)
        for observer in self.on_change:
            observer(meeting)

    def _expire(self) -> None:
        now = self.equipment.wall()
        for number, (_, until) in list(self._ad_hoc.items()):
            if until <= now and number not in self._meetings:
                del self._ad_hoc[number]


def _any_number() -> str:
    return "9" + "".join(secrets.choice("0123456789") for _ in range(AD_HOC_DIGITS - 1))
