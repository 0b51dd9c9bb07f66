"""
What the resources of places (ring groups, menus, conference rooms) ask of whoever keeps them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import Interface, implementer

from pbx.store.database import Duplicate
from pbx.store.places import UnknownPlaceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pbx.directory.places import Place
    from pbx.store.places import Places


class PlaceExistsError(Exception):
    """
    The number is that of a place already, or of an extension.
    """


class PlaceGoneError(Exception):
    """
    There is no place of that kind with that number any more.
    """


class IPlaces(Interface):
    """
    Where places are kept. A change has reached the database, and the next call, when its coroutine returns.
    """

    async def list(kind: str) -> Iterable[Any]:  # noqa: N805
        """
        Every place of a kind, in the order of the numbers.
        """

    async def get(kind: str, number: str) -> Any:  # noqa: N805
        """
        One place of a kind, or ``None``.
        """

    async def add(place: Place) -> None:  # noqa: N805
        """
        Keep a new one.

        Raises:
            PlaceExistsError: The number is taken.
        """

    async def update(place: Place) -> None:  # noqa: N805
        """
        Replace the one of its kind with its number.

        Raises:
            PlaceGoneError: There is none.
        """

    async def remove(kind: str, number: str) -> bool:  # noqa: N805
        """
        Forget one; ``False`` when there was none.
        """


@implementer(IPlaces)
class KeptPlaces:
    """
    The places of the database as the resources want them.
    """

    def __init__(self, stored: Places) -> None:
        self._stored = stored

    async def list(self, kind: str) -> Sequence[Place]:
        """
        Every place of a kind.
        """
        return await self._stored.list(kind)

    async def get(self, kind: str, number: str) -> Place | None:
        """
        One of them.
        """
        return await self._stored.get(kind, number)

    async def add(self, place: Place) -> None:
        """
        Keep a new one.
        """
        try:
            await self._stored.add(place)
        except Duplicate as error:
            raise PlaceExistsError(place.number) from error

    async def update(self, place: Place) -> None:
        """
        Change one.
        """
        try:
            await self._stored.update(place)
        except UnknownPlaceError as error:
            raise PlaceGoneError(place.number) from error

    async def remove(self, kind: str, number: str) -> bool:
        """
        Forget one.
        """
        return await self._stored.remove(kind, number)
