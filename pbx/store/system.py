"""
Single values that belong to the whole exchange, first of all its digest realm.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.store.database import Database


class System:
    """
    Named values, each a JSON value, kept in the database and with its backups.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> Any:
        """
        A value, or ``None`` when it was never set.
        """
        rows = await self._database.query("SELECT value FROM system WHERE name = %s", (name,))
        return rows[0]["value"] if rows else None

    async def set(self, name: str, value: Any) -> None:
        """
        Set a value, whatever it was before.
        """
        await self._database.execute(
            "INSERT INTO system (name, value) VALUES (%s, %s::jsonb)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value, written = now()",
            (name, _json(value)),
        )

    async def once(self, name: str, make: Callable[[], Any]) -> Any:
        """
        A value that is made the first time anybody asks and stays as it is; of several nodes that ask at once, all get
        the same.
        """
        known = await self.get(name)
        if known is not None:
            return known
        await self._database.execute(
            "INSERT INTO system (name, value) VALUES (%s, %s::jsonb) ON CONFLICT (name) DO NOTHING",
            (name, _json(make())),
        )
        return await self.get(name)

    async def realm(self) -> str:
        """
        The digest realm (RFC 7616 3.3): random, made at first start, and never derived from a name or an address, as
        every H(A1) contains it and would be void after a renaming.
        """
        return str(await self.once("realm", lambda: f"pbx-{secrets.token_hex(4)}"))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
