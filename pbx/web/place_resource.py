"""
What the resources of places have in common: list, read, add, change and remove, with the checks that all need.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, Meta

from pbx.ops.section import printable
from pbx.web.destinations import refuse_if_used
from pbx.web.places import PlaceExistsError, PlaceGoneError
from pbx.web.problems import Problem, wrong_fields
from pbx.web.routes import Ask, Reply, Route

if TYPE_CHECKING:
    from pbx.directory.decision import Destination
    from pbx.directory.places import Place
    from pbx.web.destinations import Numbers

Number = Annotated[str, Meta(pattern=r"^[0-9]{2,15}\Z", description="2 to 15 digits")]
Name = Annotated[
    str, Meta(min_length=1, max_length=100, description="text of 1 to 100 characters", extra={"check": printable})
]

Fault = tuple[str, str]
"""A field of the body, and what is wrong with it."""


class PlaceResource:
    """
    The resource of one kind of place.

    Attributes:
        kind: The kind.
        noun: What people call it.
        path: Where it is.
        many: The member that a list is in.
        new: The body that adds one.
        changed: The body that changes one; what it leaves out stays as it is.
    """

    kind: ClassVar[str]
    noun: ClassVar[str]
    path: ClassVar[str]
    many: ClassVar[str]
    new: ClassVar[type[msgspec.Struct]]
    changed: ClassVar[type[msgspec.Struct]]

    def __init__(self, places: Any, numbers: Numbers, audit: Any) -> None:
        """
        A resource over places.

        Args:
            places: An :class:`~pbx.web.places.IPlaces`.
            numbers: Every number that can be called.
            audit: An :class:`~pbx.web.identity.IAudit`.
        """
        self._places = places
        self._numbers = numbers
        self._audit = audit

    def built(self, before: Any, given: dict[str, Any]) -> Any:
        """
        The place that a body asks for.

        Args:
            before: The place as it is, or ``None`` for a new one.
            given: What the body says, by field.
        """
        raise NotImplementedError

    def faults(self, place: Any) -> list[Fault]:
        """
        What is wrong with a place although each field by itself is right.
        """
        raise NotImplementedError

    def shown(self, place: Any) -> dict[str, Any]:
        """
        What the API says of one.
        """
        raise NotImplementedError

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        one = f"{self.path}/<number>"
        return [
            Route("GET", self.path, self._list),
            Route("POST", self.path, self._add, body=self.new),
            Route("GET", one, self._get),
            Route("PUT", one, self._change, body=self.changed),
            Route("DELETE", one, self._remove),
        ]

    def destination_faults(self, field: str, destination: Destination | None, place: Place) -> list[Fault]:
        """
        What is wrong with a destination in a field.
        """
        fault = self._numbers.fault(destination, place)
        return [] if fault is None else [(f"{field}.{fault[0]}", fault[1])]

    async def _list(self, ask: Ask) -> object:
        return {self.many: [self.shown(place) for place in await self._places.list(self.kind)]}

    async def _get(self, ask: Ask) -> object:
        return self.shown(await self._existing(ask))

    async def _add(self, ask: Ask) -> Reply:
        place = self._checked(None, _given(ask.body))
        if place.number in self._numbers:
            raise self._taken(place.number)
        try:
            await self._places.add(place)
        except PlaceExistsError:
            raise self._taken(place.number)
        self._audit.wrote(ask.actor, "add", f"{self.noun} {place.number}", None, self.shown(place))
        return Reply(self.shown(place), HTTPStatus.CREATED, {"Location": f"{self.path}/{place.number}"})

    async def _change(self, ask: Ask) -> object:
        before = await self._existing(ask)
        given = _given(ask.body)
        if given.setdefault("number", before.number) != before.number:
            raise wrong_fields([("number", f"cannot be changed; add another {self.noun} and remove this one")])
        after = self._checked(before, given)
        try:
            await self._places.update(after)
        except PlaceGoneError:
            # Somebody else has just removed it.
            raise self._missing(after.number)
        self._audit.wrote(ask.actor, "change", f"{self.noun} {after.number}", self.shown(before), self.shown(after))
        return self.shown(after)

    async def _remove(self, ask: Ask) -> Reply:
        before = await self._existing(ask)
        refuse_if_used(self._numbers, before.number)
        if not await self._places.remove(self.kind, before.number):
            raise self._missing(before.number)
        self._audit.wrote(ask.actor, "remove", f"{self.noun} {before.number}", self.shown(before), None)
        return Reply(status=HTTPStatus.NO_CONTENT)

    def _checked(self, before: Any, given: dict[str, Any]) -> Any:
        place = self.built(before, given)
        faults = self.faults(place)
        if faults:
            raise wrong_fields(faults)
        return place

    async def _existing(self, ask: Ask) -> Any:
        number = ask.path["number"]
        place = None
        if number.isascii() and number.isdigit():
            place = await self._places.get(self.kind, number)
        if place is None:
            raise self._missing(number)
        return place

    def _missing(self, number: str) -> Problem:
        return Problem(HTTPStatus.NOT_FOUND, f"There is no {self.noun} {number}.")

    def _taken(self, number: str) -> Problem:
        detail = f"{number} is the number of an extension or of another place already."
        return Problem(HTTPStatus.CONFLICT, detail, fields=[("number", "taken")])


def _given(body: msgspec.Struct) -> dict[str, Any]:
    return {key: value for key, value in msgspec.structs.asdict(body).items() if value is not UNSET}
