"""
Places for tests of resources, kept in memory.
"""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from pbx.directory.places import Place, Places
from pbx.web.places import IPlaces, PlaceExistsError, PlaceGoneError


@implementer(IPlaces)
class MemoryPlaces:
    """
    The places in memory, without the database that they mirror.

    Attributes:
        taken: Numbers that the database knows to be taken, though memory does not yet.
        gone: Numbers that are gone from the database likewise.
    """

    def __init__(self, places: Places) -> None:
        self.places = places
        self.taken: set[str] = set()
        self.gone: set[str] = set()

    async def list(self, kind: str) -> Any:
        """
        Every place of a kind.
        """
        return self.places.by_kind(kind)

    async def get(self, kind: str, number: str) -> Place | None:
        """
        One of them.
        """
        place = self.places.place(number)
        return place if place is not None and place.kind == kind else None

    async def add(self, place: Place) -> None:
        """
        A new one.
        """
        if place.number in self.taken or place.number in self.places:
            raise PlaceExistsError(place.number)
        self.places.put(place)

    async def update(self, place: Place) -> None:
        """
        Another in place of one.
        """
        if place.number in self.gone or await self.get(place.kind, place.number) is None:
            raise PlaceGoneError(place.number)
        self.places.put(place)

    async def remove(self, kind: str, number: str) -> bool:
        """
        One less.
        """
        there = number not in self.gone and await self.get(kind, number) is not None
        if there:
            self.places.remove(number)
        return there
