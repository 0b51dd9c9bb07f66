"""
The table ``place``: ring groups, menus and rooms, and the places in memory kept like it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pbx.directory.places import KINDS
from pbx.store.mirror import Mirror
from pbx.store.values import packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pbx.directory.places import Place
    from pbx.directory.places import Places as PlacesInMemory
    from pbx.store.database import Database

CHANNEL = "place"
"""Notified by the table's triggers with the number that changed, or nothing for "all of them"."""


class UnknownPlaceError(LookupError):
    """
    There is no place of this kind with this number.
    """


class Places:
    """
    The places in the database, and those in memory that mirror them.

    Args:
        reactor: The clock.
        database: Where they are kept.
        places: What is kept fresh with them, whichever node or operator changes them.
    """

    log = Logger()

    def __init__(self, reactor: Any, database: Database, places: PlacesInMemory) -> None:
        self._database = database
        self._places = places
        self._mirror = Mirror(reactor, database, CHANNEL, self._load, self._reread, "places")

    @property
    def loaded(self) -> bool:
        """
        Whether they were read once.
        """
        return self._mirror.loaded

    async def start(self) -> None:
        """
        Read all places, and keep them fresh. When the database is away, they are read when it comes back.
        """
        await self._mirror.start()

    async def stop(self) -> None:
        """
        Read nothing any more.
        """
        await self._mirror.stop()

    async def list(self, kind: str) -> Sequence[Place]:
        """
        Every place of a kind, in the order of their numbers.
        """
        sql = "SELECT number, kind, value FROM place WHERE kind = %s ORDER BY number"
        return self._read(await self._database.query(sql, (kind,)))

    async def get(self, kind: str, number: str) -> Place | None:
        """
        One place of a kind, or ``None``.
        """
        sql = "SELECT number, kind, value FROM place WHERE kind = %s AND number = %s"
        found = self._read(await self._database.query(sql, (kind, number)))
        return found[0] if found else None

    async def add(self, place: Place) -> None:
        """
        Add a place; it can be called at once.

        Raises:
            Duplicate: The number is that of a place (constraint ``place_pkey``) or an extension
                (``number_of_extension``).
            DatabaseDown: The database is away.
        """
        sql = "INSERT INTO place (number, kind, value) VALUES (%s, %s, %s)"
        await self._database.execute(sql, (place.number, place.kind, packed(place)))
        self._places.put(place)

    async def update(self, place: Place) -> None:
        """
        Put a place where that of its kind and number is.

        Raises:
            UnknownPlaceError: There is none.
            DatabaseDown: The database is away.
        """
        sql = "UPDATE place SET value = %s, changed = now() WHERE kind = %s AND number = %s"
        if not await self._database.execute(sql, (packed(place), place.kind, place.number)):
            raise UnknownPlaceError(place.number)
        self._places.put(place)

    async def remove(self, kind: str, number: str) -> bool:
        """
        Remove a place; ``False`` when there was none.
        """
        removed = await self._database.execute("DELETE FROM place WHERE kind = %s AND number = %s", (kind, number))
        if removed:
            self._places.remove(number)
        return removed > 0

    # The mirror

    async def _load(self) -> None:
        self._places.replace(self._read(await self._database.query("SELECT number, kind, value FROM place")))

    async def _reread(self, number: str) -> None:
        sql = "SELECT number, kind, value FROM place WHERE number = %s"
        found = self._read(await self._database.query(sql, (number,)))
        if found:
            self._places.put(found[0])
        else:
            self._places.remove(number)

    def _read(self, rows: Iterable[dict[str, Any]]) -> Sequence[Place]:
        places: list[Place] = []
        for row in rows:
            try:
                places.append(unpacked(KINDS[row["kind"]], {**row["value"], "number": row["number"]}))
            except (KeyError, TypeError, ValueError) as error:
                # Written by hand, or by a newer version: the others must work.
                self.log.error("Place {number} is left out: {error!r}", number=row["number"], error=error)
        return places
