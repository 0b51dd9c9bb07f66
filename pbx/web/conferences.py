"""
``/api/conferences``: conference rooms, and what goes on in them.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

import attrs
import msgspec
from msgspec import UNSET, Meta, UnsetType

from pbx.directory.places import Room
from pbx.features.conference.rooms import TooManyRoomsError
from pbx.ops.section import printable
from pbx.web.changes import named
from pbx.web.destinations import refuse_if_used
from pbx.web.places import PlaceExistsError, PlaceGoneError
from pbx.web.problems import Problem, wrong_fields
from pbx.web.routes import Ask, Reply, Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.features.conference.attendee import Attendee
    from pbx.features.conference.meeting import Meeting
    from pbx.features.conference.rooms import Rooms
    from pbx.web.destinations import Numbers

Number = Annotated[str, Meta(pattern=r"^[0-9]{2,15}\Z", description="2 to 15 digits")]
Name = Annotated[
    str, Meta(min_length=1, max_length=100, description="text of 1 to 100 characters", extra={"check": printable})
]
Pin = (
    Annotated[
        str, Meta(pattern=r"^[0-9]{4,10}\Z", description="4 to 10 digits, or null for none", extra={"secret": True})
    ]
    | None
)
Most = Annotated[int, Meta(ge=2, le=500, description="a whole number, 2 to 500")]
Announce = Literal["tone", "name", "none"]
Music = Annotated[
    str, Meta(max_length=64, description="the name of a music class, or nothing", extra={"check": printable})
]


class NewConference(msgspec.Struct, frozen=True):
    """
    The body that adds a room.
    """

    number: Number
    name: Name
    pin: Pin = None
    moderator_pin: Pin = None
    max_members: Most = 50
    announce: Announce = "tone"
    wait_for_moderator: bool = False
    end_with_moderator: bool = False
    mute_on_entry: bool = False
    record: bool = False
    music: Music = "default"


class ChangedConference(msgspec.Struct, frozen=True):
    """
    The body that changes one; what it leaves out stays as it is. A conference that goes on keeps to what was before.
    """

    number: Number | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    pin: Pin | UnsetType = UNSET
    moderator_pin: Pin | UnsetType = UNSET
    max_members: Most | UnsetType = UNSET
    announce: Announce | UnsetType = UNSET
    wait_for_moderator: bool | UnsetType = UNSET
    end_with_moderator: bool | UnsetType = UNSET
    mute_on_entry: bool | UnsetType = UNSET
    record: bool | UnsetType = UNSET
    music: Music | UnsetType = UNSET


class AdHocConference(msgspec.Struct, frozen=True):
    """
    The body that makes a room for one conference; without a PIN it gets one.
    """

    name: Name = "Ad hoc conference"
    pin: Pin = None
    moderator_pin: Pin = None
    max_members: Most = 50
    announce: Announce = "tone"
    record: bool = False


SECRETS = ("pin", "moderator_pin")
"""What the API never tells, only whether there is one."""


def shown(room: Room) -> dict[str, Any]:
    """
    What the API says of a room.
    """
    return {
        "number": room.number,
        "name": room.name,
        "pin_set": room.pin is not None,
        "moderator_pin_set": room.moderator_pin is not None,
        "max_members": room.most,
        "announce": room.announce,
        "wait_for_moderator": room.wait_for_moderator,
        "end_with_moderator": room.end_with_moderator,
        "mute_on_entry": room.mute_on_entry,
        "record": room.record,
        "music": room.music,
    }


class Conferences:
    """
    The resource.
    """

    def __init__(self, places: Any, rooms: Rooms, audit: Any, numbers: Numbers | None = None) -> None:
        """
        A resource over rooms.

        Args:
            places: An :class:`~pbx.web.places.IPlaces`, where configured rooms are kept.
            rooms: What goes on in rooms.
            audit: An :class:`~pbx.web.identity.IAudit`.
            numbers: Who leads to a number; ``None`` where nobody does.
        """
        self._numbers = numbers
        self._places = places
        self._rooms = rooms
        self._audit = audit

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        all_of_them = "/api/conferences"
        one = f"{all_of_them}/<number>"
        member = f"{one}/members/<id>"
        return [
            Route("GET", all_of_them, self._list),
            Route("POST", all_of_them, self._add, body=NewConference),
            Route("POST", f"{all_of_them}/adhoc", self._make, body=AdHocConference),
            Route("GET", one, self._get),
            Route("PUT", one, self._change, body=ChangedConference),
            Route("DELETE", one, self._remove),
            Route("POST", f"{one}/lock", self._to_meeting("lock", lambda meeting: meeting.lock())),
            Route("POST", f"{one}/unlock", self._to_meeting("unlock", lambda meeting: meeting.lock(False))),
            Route("POST", f"{one}/record", self._to_meeting("record", _record)),
            Route("POST", f"{one}/stop-recording", self._to_meeting("stop recording", _stop_recording)),
            Route("POST", f"{one}/mute-all", self._to_meeting("mute all in", lambda meeting: meeting.mute_all())),
            Route("POST", f"{one}/end", self._to_meeting("end", lambda meeting: meeting.end())),
            Route("POST", f"{member}/mute", self._to_member("mute", _mute)),
            Route("POST", f"{member}/unmute", self._to_member("unmute", _unmute)),
            Route("POST", f"{member}/kick", self._to_member("kick", lambda _, one: one.dismiss("kicked"))),
        ]

    async def _list(self, ask: Ask) -> object:
        configured = [self._whole(room) for room in await self._places.list(Room.kind)]
        return {"conferences": configured, "ad_hoc": [self._whole(room) for room in self._rooms.ad_hoc()]}

    async def _get(self, ask: Ask) -> object:
        return self._whole(await self._existing(ask))

    async def _add(self, ask: Ask) -> Reply:
        given = msgspec.structs.asdict(ask.body)
        room = Room(most=given.pop("max_members"), **given)
        _check(room)
        try:
            await self._places.add(room)
        except PlaceExistsError:
            raise Problem(
                HTTPStatus.CONFLICT,
                f"The number {room.number} is taken, by another place or an extension.",
                fields=[("number", "taken")],
            )
        self._audit.wrote(ask.actor, "add", f"conference {room.number}", None, shown(room))
        return Reply(self._whole(room), HTTPStatus.CREATED, {"Location": f"/api/conferences/{room.number}"})

    async def _make(self, ask: Ask) -> Reply:
        given = msgspec.structs.asdict(ask.body)
        most, pin = given.pop("max_members"), given.pop("pin")
        made = pin or f"{secrets.randbelow(1_000_000):06d}"
        if made == given["moderator_pin"]:
            raise wrong_fields([("moderator_pin", "must not be the PIN of the others")])
        try:
            room = self._rooms.make(lambda number: Room(number, pin=made, most=most, **given))
        except TooManyRoomsError:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many rooms for one conference already.")
        self._audit.wrote(ask.actor, "make", f"conference {room.number}", None, shown(room))
        # Nobody else knows it: this is told once.
        told = {"pin": made} if pin is None else {}
        location = {"Location": f"/api/conferences/{room.number}"}
        return Reply({**self._whole(room), **told}, HTTPStatus.CREATED, location)

    async def _change(self, ask: Ask) -> object:
        before = await self._configured(ask)
        given = named(ask.body)
        if given.setdefault("number", before.number) != before.number:
            raise wrong_fields([("number", "cannot be changed; add another conference and remove this one")])
        if "max_members" in given:
            given["most"] = given.pop("max_members")
        after = attrs.evolve(before, **given)
        _check(after)
        try:
            await self._places.update(after)
        except PlaceGoneError:
            # Somebody else has just removed it.
            raise _missing(after.number)
        changed = shown(after) | {secret: "changed" for secret in SECRETS if given.get(secret) is not None}
        self._audit.wrote(ask.actor, "change", f"conference {after.number}", shown(before), changed)
        return self._whole(after)

    async def _remove(self, ask: Ask) -> Reply:
        before = await self._configured(ask)
        if self._numbers is not None:
            refuse_if_used(self._numbers, before.number)
        if not await self._places.remove(Room.kind, before.number):
            raise _missing(before.number)
        self._audit.wrote(ask.actor, "remove", f"conference {before.number}", shown(before), None)
        return Reply(status=HTTPStatus.NO_CONTENT)

    def _to_meeting(self, what: str, do: Callable[[Meeting], object]) -> Callable[[Ask], Any]:
        async def act(ask: Ask) -> object:
            number = ask.path["number"]
            meeting = await self._meeting(ask)
            do(meeting)
            self._audit.wrote(ask.actor, what, f"conference {number}", None, None)
            return {"live": self._live(number)}

        return act

    def _to_member(self, what: str, do: Callable[[Meeting, Attendee], object]) -> Callable[[Ask], Any]:
        async def act(ask: Ask) -> object:
            number, identifier = ask.path["number"], ask.path["id"]
            meeting = await self._meeting(ask)
            attendee = meeting.attendees.get(identifier)
            if attendee is None:
                raise Problem(HTTPStatus.NOT_FOUND, f"Nobody in conference {number} is {identifier}, or not any more.")
            who = attendee.number or "anonymous"
            do(meeting, attendee)
            self._audit.wrote(ask.actor, what, f"{who} in conference {number}", None, None)
            return {"live": self._live(number)}

        return act

    async def _meeting(self, ask: Ask) -> Meeting:
        number = ask.path["number"]
        meeting = self._rooms.meeting(number)
        if meeting is None:
            await self._existing(ask)
            raise Problem(HTTPStatus.CONFLICT, f"Nobody is in conference {number}.")
        return meeting

    async def _existing(self, ask: Ask) -> Room:
        number = ask.path["number"]
        room = self._rooms.room(number)
        return room if room is not None else await self._configured(ask)

    async def _configured(self, ask: Ask) -> Room:
        number = ask.path["number"]
        room: Room | None = None
        if number.isascii() and number.isdigit():
            room = await self._places.get(Room.kind, number)
        if room is None:
            raise _missing(number)
        return room

    def _whole(self, room: Room) -> dict[str, Any]:
        return {**shown(room), "live": self._live(room.number)}

    def _live(self, number: str) -> dict[str, Any] | None:
        meeting = self._rooms.meeting(number)
        if meeting is None:
            return None
        return {key: value for key, value in meeting.shown().items() if key not in {"number", "name"}}


def _record(meeting: Meeting) -> None:
    if not meeting.record():
        raise Problem(HTTPStatus.CONFLICT, "All who are there wait for the moderator; there is nothing to record yet.")


def _stop_recording(meeting: Meeting) -> None:
    meeting.stop_recording()


def _mute(meeting: Meeting, attendee: Attendee) -> None:
    meeting.mute(attendee, told=True)


def _unmute(meeting: Meeting, attendee: Attendee) -> None:
    meeting.mute(attendee, False, told=True)


def _missing(number: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"There is no conference {number}.")


def _check(room: Room) -> None:
    """
    Refuse settings that contradict each other.
    """
    wrong = []
    if room.moderator_pin is not None and room.moderator_pin == room.pin:
        wrong.append(("moderator_pin", "must not be the PIN of the others"))
    if room.moderator_pin is None:
        text = "needs a moderator_pin, for nobody could be the moderator"
        wrong += [(name, text) for name in ("wait_for_moderator", "end_with_moderator") if getattr(room, name)]
    if wrong:
        raise wrong_fields(wrong)
