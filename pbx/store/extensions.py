"""
The table ``extension``: subscriber lines, and the directory kept like it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from pbx.directory.extension import Extension
from pbx.store.database import Database, DatabaseDown, DatabaseError
from pbx.store.passwords import digests_of, hash_of
from pbx.store.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.directory.directory import Directory

CHANNEL = "extension"
"""Notified by the table's triggers with the number that changed, or nothing for "all of them"."""

COLUMNS = "number, name, email, allow_external, is_admin, enabled, digests"

PAUSE = 0.02
"""Seconds from a notification to reading: many that come together are read at once."""
AGAIN = 5.0
"""Seconds until a reading that failed is tried again."""
STOP_SECONDS = 2.0
"""How long a reading may take when the program stops."""

FIELDS = frozenset({"name", "email", "allow_external", "is_admin", "enabled"})
"""What :meth:`Extensions.update` can change, besides the password."""


class UnknownExtensionError(LookupError):
    """
    There is no extension with this number.
    """


class Extensions:
    """
    The extensions in the database, and the directory that mirrors them.

    Args:
        reactor: The reactor (time, and threads for hashing).
        database: Where they are kept.
        directory: What is kept fresh with them, whichever node or operator changes them.
        realm: The digest realm of the exchange.
        fips: Hash with FIPS-approved functions only.

    Attributes:
        loaded: Whether the directory was filled once.
    """

    log = Logger()

    def __init__(
        self, reactor: Any, database: Database, directory: Directory, realm: str, *, fips: bool = False
    ) -> None:
        self._reactor = reactor
        self._database = database
        self._directory = directory
        self._realm = realm
        self._fips = fips
        self.loaded = False
        self._stale: set[str] = set()
        self._worker = Worker(reactor, self._refresh, "read changed extensions")

    async def start(self) -> None:
        """
        Fill the directory and keep it fresh from now on. When the database is away, it is filled when it comes back.
        """
        self._database.on_recovered(self._load)
        await self._database.listen(CHANNEL, self._changed)
        try:
            await self._load()
        except DatabaseDown:
            self.log.warn("The directory is empty until the database can be reached")

    async def stop(self) -> None:
        """
        Read nothing any more.
        """
        self._worker.stop()
        await self._worker.settle(STOP_SECONDS, again=False)

    async def list(self) -> Sequence[Extension]:
        """
        Every extension, in the order of their numbers.
        """
        rows = await self._database.query(f"SELECT {COLUMNS} FROM extension ORDER BY number")  # noqa: S608 - constant
        return [Extension(**row) for row in rows]

    async def get(self, number: str) -> Extension | None:
        """
        One extension, or ``None``.
        """
        rows = await self._database.query(
            f"SELECT {COLUMNS} FROM extension WHERE number = %s",  # noqa: S608 - constant
            (number,),
        )
        return Extension(**rows[0]) if rows else None

    async def add(
        self,
        number: str,
        name: str,
        password: str,
        *,
        email: str | None = None,
        allow_external: bool = False,
        is_admin: bool = False,
        enabled: bool = True,
    ) -> Extension:
        """
        Add an extension; it can register at once.

        Args:
            number: Its digits.
            name: What called phones display.
            password: Of its phones and its person; only hashes of it are kept.
            email: Where voicemail goes.
            allow_external: May call beyond this exchange.
            is_admin: May administer this exchange.
            enabled: May register and call.

        Raises:
            Duplicate: The number is taken.
            DatabaseDown: The database is away.
        """
        digests, kept = await self._hashed(number, password)
        rows = await self._database.query(
            "INSERT INTO extension (number, name, email, allow_external, is_admin, enabled, digests, password)"  # noqa: S608
            f" VALUES (%s, %s, %s, %s, %s, %s, %s::jsonb, %s) RETURNING {COLUMNS}",
            (number, name, email, allow_external, is_admin, enabled, digests, kept),
        )
        return self._put(rows[0])

    async def update(self, number: str, *, password: str | None = None, **changes: Any) -> Extension:
        """
        Change an extension.

        Args:
            number: Which.
            password: The new one, or ``None`` to leave it.
            changes: ``name``, ``email``, ``allow_external``, ``is_admin``, ``enabled``: what is not named stays.

        Raises:
            UnknownExtensionError: There is none with this number.
            DatabaseDown: The database is away.
        """
        unknown = changes.keys() - FIELDS
        if unknown:
            raise ValueError(f"an extension has no {', '.join(sorted(unknown))} that can be changed")
        if password is not None:
            digests, kept = await self._hashed(number, password)
            changes |= {"digests": digests, "password": kept}
        columns = "".join(f"{name} = %s, " for name in changes)
        statement = f"UPDATE extension SET {columns}changed = now() WHERE number = %s RETURNING {COLUMNS}"  # noqa: S608
        rows = await self._database.query(statement, (*changes.values(), number))
        if not rows:
            raise UnknownExtensionError(number)
        return self._put(rows[0])

    async def remove(self, number: str) -> bool:
        """
        Remove an extension; ``False`` when there was none.
        """
        removed = await self._database.execute("DELETE FROM extension WHERE number = %s", (number,))
        self._directory.remove(number)
        return removed > 0

    # The directory

    def _put(self, row: dict[str, Any]) -> Extension:
        extension = Extension(**row)
        self._directory.put(extension)
        return extension

    async def _load(self) -> None:
        self._directory.replace(await self.list())
        self.loaded = True

    def _changed(self, number: str) -> None:
        self._stale.add(number)
        self._worker.soon(PAUSE)

    async def _refresh(self) -> None:
        # One after the other: an older answer must not come after a newer one.
        while self._stale:
            stale, self._stale = self._stale, set()
            try:
                if "" in stale or len(stale) > 1:
                    await self._load()
                else:
                    (number,) = stale
                    await self._reread(number)
            except DatabaseDown:
                # Everything is read again when it is back.
                return
            except DatabaseError as error:
                self.log.warn("Changed extensions were not read, tried again: {error}", error=error)
                self._stale |= stale
                self._worker.soon(AGAIN)
                return

    async def _reread(self, number: str) -> None:
        extension = await self.get(number)
        if extension is None:
            self._directory.remove(number)
        else:
            self._directory.put(extension)

    async def _hashed(self, number: str, password: str) -> tuple[str, str]:
        def both() -> tuple[str, str]:
            digests = digests_of(number, self._realm, password, fips=self._fips)
            return msgspec.json.encode(digests).decode(), hash_of(password, fips=self._fips)

        made: tuple[str, str] = await self._in_thread(both)
        return made

    async def _in_thread(self, call: Any, *args: Any, **named: Any) -> Any:
        return await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), call, *args, **named)
