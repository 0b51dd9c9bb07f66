"""
The table ``night_switch``: where the night switches stand that were moved by hand, and those in memory kept like it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pbx.store.database import DatabaseDown, DatabaseError
from pbx.store.mirror import Mirror
from pbx.store.worker import Worker

if TYPE_CHECKING:
    from pbx.directory.switches import Switches
    from pbx.directory.time_condition import SwitchPosition
    from pbx.store.database import Database

CHANNEL = "night_switch"
"""Notified by the table's triggers with the condition whose switch was moved, or nothing for "all of them"."""
AGAIN = 5.0
"""Seconds until a position that could not be written is tried again."""
STOP_SECONDS = 2.0
"""How long writing may take when the program stops."""


class StoredSwitches:
    """
    The night switches in the database, and those in memory that mirror them.

    Who moves one never waits: calls go by it at once, and it is written as soon as the database can be reached.

    Args:
        reactor: The clock.
        database: Where they are kept.
        switches: What is kept fresh with them, whichever node or operator moves them.
    """

    log = Logger()

    def __init__(self, reactor: Any, database: Database, switches: Switches) -> None:
        self._database = database
        self._switches = switches
        self._unwritten: dict[str, tuple[SwitchPosition, str]] = {}
        self._mirror = Mirror(reactor, database, CHANNEL, self._load, self._reread, "night switches")
        self._worker = Worker(reactor, self._write, "write night switches")

    async def start(self) -> None:
        """
        Read where they stand, and keep that fresh. When the database is away, it is read when it comes back.
        """
        await self._mirror.start()

    async def stop(self) -> None:
        """
        Write what waits, and read nothing any more.
        """
        await self._mirror.stop()
        await self._worker.settle(STOP_SECONDS, again=bool(self._unwritten))
        self._worker.stop()

    def move(self, name: str, position: SwitchPosition, actor: str) -> None:
        """
        Move the switch of a time condition.

        Args:
            name: The time condition.
            position: Where to; ``auto`` has it go by its clock again.
            actor: Who moves it, for the record: ``extension 1001``.
        """
        # The last word of those who move it many times while the database is away is all that is kept: a name each.
        self._unwritten[name] = (position, actor)
        self._switches.put(name, position)
        self._worker.soon(0)

    async def _write(self) -> None:
        while self._unwritten:
            name, (position, actor) = next(iter(self._unwritten.items()))
            try:
                if position == "auto":
                    await self._database.execute("DELETE FROM night_switch WHERE condition = %s", (name,))
                else:
                    await self._database.execute(
                        "INSERT INTO night_switch (condition, position, moved_by) VALUES (%s, %s, %s)"
                        " ON CONFLICT (condition) DO UPDATE SET position = excluded.position,"
                        " moved_by = excluded.moved_by, moved = now()",
                        (name, position, actor),
                    )
            except DatabaseDown:
                # Written when it is back.
                self._worker.soon(AGAIN)
                return
            except DatabaseError as error:
                self.log.warn("Night switch {name} was not written, tried again: {error}", name=name, error=error)
                self._worker.soon(AGAIN)
                return
            if self._unwritten.get(name) == (position, actor):
                del self._unwritten[name]

    async def _load(self) -> None:
        rows = await self._database.query("SELECT condition, position FROM night_switch")
        moved: dict[str, SwitchPosition] = {row["condition"]: row["position"] for row in rows}
        self._switches.replace(moved | {name: position for name, (position, _) in self._unwritten.items()})

    async def _reread(self, name: str) -> None:
        rows = await self._database.query("SELECT position FROM night_switch WHERE condition = %s", (name,))
        if name not in self._unwritten:
            self._switches.put(name, rows[0]["position"] if rows else "auto")
