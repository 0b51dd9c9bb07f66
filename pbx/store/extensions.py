"""
The table ``extension``: subscriber lines, and the directory kept like it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import msgspec
from twisted.internet.defer import DeferredLock
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from pbx.directory.extension import Extension
from pbx.directory.handling import PLAIN, Handling
from pbx.directory.permissions import USUAL, Permissions
from pbx.store.jsonb import document
from pbx.store.mailboxes import extension_removed
from pbx.store.mirror import Mirror
from pbx.store.passwords import digests_of, hash_of
from pbx.store.values import packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from pbx.directory.directory import Directory
    from pbx.store.database import Database, Transaction

CHANNEL = "extension"
"""Notified by the table's triggers with the number that changed, or nothing for "all of them"."""

COLUMNS = "number, name, email, allow_external, is_admin, enabled, digests, handling, permissions"

FIELDS = frozenset({"name", "email", "allow_external", "is_admin", "enabled", "handling", "permissions"})
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
        # A write and what it says come one after the other: of two answers that cross, the older one must not be what
        # the directory has in the end.
        self._in_turn = DeferredLock()
        self._mirror = Mirror(reactor, database, CHANNEL, self._load, self._reread, "extensions")

    @property
    def loaded(self) -> bool:
        """
        Whether the directory was filled once.
        """
        return self._mirror.loaded

    async def start(self) -> None:
        """
        Fill the directory and keep it fresh from now on. When the database is away, it is filled when it comes back.
        """
        await self._mirror.start()

    async def stop(self) -> None:
        """
        Read nothing any more.
        """
        await self._mirror.stop()

    async def list(self) -> Sequence[Extension]:
        """
        Every extension, in the order of their numbers.
        """
        rows = await self._database.query(f"SELECT {COLUMNS} FROM extension ORDER BY number")  # noqa: S608 - constant
        return [self._read(row) for row in rows]

    async def get(self, number: str) -> Extension | None:
        """
        One extension, or ``None``.
        """
        rows = await self._database.query(
            f"SELECT {COLUMNS} FROM extension WHERE number = %s",  # noqa: S608 - constant
            (number,),
        )
        return self._read(rows[0]) if rows else None

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
        return await self._write(
            "INSERT INTO extension (number, name, email, allow_external, is_admin, enabled, digests, password)"  # noqa: S608
            f" VALUES (%s, %s, %s, %s, %s, %s, %s::jsonb, %s) RETURNING {COLUMNS}",
            (number, name, email, allow_external, is_admin, enabled, digests, kept),
        )

    async def update(self, number: str, *, password: str | None = None, **changes: Any) -> Extension:
        """
        Change an extension.

        Args:
            number: Which.
            password: The new one, or ``None`` to leave it.
            changes: ``name``, ``email``, ``allow_external``, ``is_admin``, ``enabled``, ``handling`` (a
                :class:`~pbx.directory.handling.Handling`), ``permissions`` (a
                :class:`~pbx.directory.permissions.Permissions`): what is not named stays.

        Raises:
            UnknownExtensionError: There is none with this number.
            DatabaseDown: The database is away.
        """
        unknown = changes.keys() - FIELDS
        if unknown:
            raise ValueError(f"an extension has no {', '.join(sorted(unknown))} that can be changed")
        for name in ("handling", "permissions"):
            if name in changes:
                changes[name] = packed(changes[name])
        if password is not None:
            digests, kept = await self._hashed(number, password)
            changes |= {"digests": digests, "password": kept}
        columns = "".join(f"{name} = %s, " for name in changes)
        statement = f"UPDATE extension SET {columns}changed = now() WHERE number = %s RETURNING {COLUMNS}"  # noqa: S608
        return await self._write(statement, (*changes.values(), number))

    async def change_handling(self, number: str, **changes: Any) -> Extension:
        """
        Change how an extension is handled.

        Args:
            number: Which.
            changes: Attributes of :class:`~pbx.directory.handling.Handling`; what is not named stays, also when
                somebody else changes it at the same time.

        Raises:
            UnknownExtensionError: There is none with this number.
            DatabaseDown: The database is away.
        """
        return await self._merge(number, "handling", attrs.asdict(Handling(**changes)), changes)

    async def change_permissions(self, number: str, **changes: Any) -> Extension:
        """
        Change what an extension may do beyond the house.

        Args:
            number: Which.
            changes: Attributes of :class:`~pbx.directory.permissions.Permissions`; what is not named stays, also when
                somebody else changes it at the same time.

        Raises:
            UnknownExtensionError: There is none with this number.
            DatabaseDown: The database is away.
        """
        return await self._merge(number, "permissions", attrs.asdict(Permissions(**changes)), changes)

    async def remove(self, number: str) -> bool:
        """
        Remove an extension, and with it what its mailbox was told; ``False`` when there was none.
        """

        async def both(transaction: Transaction) -> int:
            removed = await transaction.execute("DELETE FROM extension WHERE number = %s", (number,))
            if removed:
                await extension_removed(transaction, number)
            return removed

        async with self._in_turn:
            removed = await self._database.interact(both)
            self._directory.remove(number)
        return removed > 0

    # The directory

    async def _merge(self, number: str, column: str, whole: dict[str, Any], named: Container[str]) -> Extension:
        """
        Change those members of a document that are named.
        """
        changes = {name: value for name, value in whole.items() if name in named}
        return await self._write(
            f"UPDATE extension SET {column} = jsonb_strip_nulls({column} || %s::jsonb), changed = now()"  # noqa: S608
            f" WHERE number = %s RETURNING {COLUMNS}",
            (document(changes).decode(), number),
        )

    async def _write(self, statement: str, values: tuple[Any, ...]) -> Extension:
        """
        Change one row, and the directory with it; ``values`` end with its number where none may match.
        """
        async with self._in_turn:
            rows = await self._database.query(statement, values)
            if not rows:
                raise UnknownExtensionError(values[-1])
            extension = self._read(rows[0])
            self._directory.put(extension)
        return extension

    def _read(self, row: dict[str, Any]) -> Extension:
        try:
            handling = unpacked(Handling, row["handling"]) if row["handling"] else PLAIN
        except ValueError as error:
            # Written by hand: the extension must still be able to call.
            self.log.error("How extension {number} is handled is left out: {error}", number=row["number"], error=error)
            handling = PLAIN
        try:
            permissions = unpacked(Permissions, row["permissions"]) if row["permissions"] else USUAL
        except ValueError as error:
            # Nobody knows what it was to be kept from: it calls nobody beyond the house.
            self.log.error("What extension {number} may call is unknown: {error}", number=row["number"], error=error)
            permissions = Permissions(classes=())
        return Extension(**{**row, "handling": handling, "permissions": permissions})

    async def _load(self) -> None:
        async with self._in_turn:
            self._directory.replace(await self.list())

    async def _reread(self, number: str) -> None:
        async with self._in_turn:
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
