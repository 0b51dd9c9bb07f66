"""
The table ``plan``: trunks, routes and time conditions made over the API, and the plan in memory kept like it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import msgspec
from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from pbx.directory.plan import PIECES
from pbx.directory.trunk import Trunk
from pbx.store.mirror import Mirror
from pbx.store.rates import forget
from pbx.store.secrets import LostSecretError, SecretKey
from pbx.store.values import packed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.calls.alerts import IAlerts
    from pbx.directory.plan import Kind, Piece, PlanBook
    from pbx.store.database import Database, Transaction

CHANNEL = "plan"
"""Notified by the table's triggers with ``kind:name`` of what changed, or nothing for "all of it"."""

Rows: TypeAlias = "list[dict[str, Any]]"

AT_ONCE = 1_000
"""Rows that are read at once: some milliseconds, in which nothing else is done."""

LOST = (
    "The password of trunk {trunk} can't be read: {why}. The trunk is not used until that file is put back from a"
    ' backup and the exchange started again, or its password is set again: pbxctl trunks password "{trunk}"'
)

SELECT = """
    SELECT kind, name, position, (value || jsonb_build_object('name', name))::text AS value, secret FROM plan
"""
"""Each row as text: of ten thousand that are read again, few are different."""


class UnknownPieceError(LookupError):
    """
    There is nothing of this kind with this name.
    """


@attrs.frozen
class _Kept:
    """
    A row, and what calls go by for it.
    """

    row: dict[str, Any]
    piece: Piece


class StoredPlan:
    """
    What the database has of the plan, and the plan in memory that mirrors it.

    Args:
        reactor: The clock.
        database: Where it is kept.
        book: The plan that is kept fresh with it, whichever node or operator changes it.
        key: Encrypts the passwords of trunks.
        alerts: Who is told when one can't be read.

    Attributes:
        lost: Why its password can't be read, by trunk: these trunks are in the plan, but not enabled.
    """

    log = Logger()

    def __init__(
        self, reactor: Any, database: Database, book: PlanBook, key: SecretKey, alerts: IAlerts
    ) -> None:
        self.lost: dict[str, str] = {}
        self._alerts = alerts
        self._database = database
        self._book = book
        self._key = key
        self._pieces: dict[Kind, dict[str, _Kept]] = {kind: {} for kind in PIECES}
        # One reading at a time: of two answers that cross, the older one must not be what the plan has in the end.
        self._in_turn = DeferredLock()
        self._mirror = Mirror(reactor, database, CHANNEL, self._load, self._reread, "trunks and routes")

    @property
    def loaded(self) -> bool:
        """
        Whether it was read once.
        """
        return self._mirror.loaded

    async def start(self) -> None:
        """
        Read all of it, and keep it fresh. When the database is away, it is read when it comes back.
        """
        await self._mirror.start()

    async def stop(self) -> None:
        """
        Read nothing any more.
        """
        await self._mirror.stop()

    async def list(self, kind: Kind) -> Sequence[Piece]:
        """
        Everything of a kind, in the order of asking.
        """
        rows = sorted(await self._rows(kind), key=_place_of)
        return [piece for row in rows if (piece := self._read(row)) is not None]

    async def get(self, kind: Kind, name: str) -> Piece | None:
        """
        One of a kind, or ``None``.
        """
        rows = await self._database.query(f"{SELECT} WHERE kind = %s AND name = %s", (kind, name))
        return self._read(rows[0]) if rows else None

    async def add(self, kind: Kind, piece: Piece) -> None:
        """
        Keep a new one, behind all of its kind; the next call goes by it.

        Raises:
            Duplicate: The name is taken.
            LostSecretError: Its password can't be encrypted.
            DatabaseDown: The database is away.
        """
        values = (kind, piece.name, _value(piece), self._sealed(piece))

        async def work(transaction: Transaction) -> None:
            await _in_turn(transaction, kind)
            await transaction.execute(
                "INSERT INTO plan (kind, name, value, secret, position)"
                " SELECT %s, %s, %s, %s, coalesce(max(position), 0) + 1 FROM plan WHERE kind = %s", (*values, kind)
            )

        await self._database.interact(work)
        await self._fresh(kind, piece.name)

    async def update(self, kind: Kind, piece: Piece, *, password: bool = False) -> None:
        """
        Put one where that of its kind and name is.

        Args:
            kind: Its kind.
            piece: It.
            password: Whether its password is another one too; else it stays as it is kept, even if it can't be read.

        Raises:
            UnknownPieceError: There is none.
            LostSecretError: Its password can't be encrypted.
            DatabaseDown: The database is away.
        """
        value = _value(piece)
        if password:
            changed = await self._database.execute(
                "UPDATE plan SET value = %s, secret = %s, changed = now() WHERE kind = %s AND name = %s",
                (value, self._sealed(piece), kind, piece.name),
            )
        else:
            changed = await self._database.execute(
                "UPDATE plan SET value = %s, changed = now() WHERE kind = %s AND name = %s", (value, kind, piece.name)
            )
        if not changed:
            raise UnknownPieceError(piece.name)
        await self._fresh(kind, piece.name)

    async def move(self, kind: Kind, name: str, position: int) -> None:
        """
        Have one asked after so many others of its kind that the database has.

        Raises:
            UnknownPieceError: There is none.
            DatabaseDown: The database is away.
        """

        async def work(transaction: Transaction) -> None:
            await _in_turn(transaction, kind)
            if not await _place(transaction, kind, name, position):
                raise UnknownPieceError(name)

        await self._database.interact(work)
        await self._fresh(kind, name, moved=True)

    async def remove(self, kind: Kind, name: str) -> bool:
        """
        Remove one, with what belongs to it alone: a trunk's rates, where a condition's switch stands. ``False`` when
        there was none.
        """

        async def work(transaction: Transaction) -> bool:
            await _in_turn(transaction, kind)
            sql = "DELETE FROM plan WHERE kind = %s AND name = %s"
            removed = await transaction.execute(sql, (kind, name))
            if removed and kind == "trunk":
                await forget(transaction, name)
            if removed and kind == "time_condition":
                await transaction.execute("DELETE FROM night_switch WHERE condition = %s", (name,))
            return removed > 0

        removed = await self._database.interact(work)
        await self._fresh(kind, name)
        return removed

    def tell(self) -> None:
        """
        Tell once more of each trunk whether its password can be read: who is told may not have been there at first.
        """
        for trunk in self._pieces["trunk"]:
            if trunk in self.lost:
                self._alerts.alert("trunk_password", trunk, LOST.format(trunk=trunk, why=self.lost[trunk]))
            else:
                self._found(trunk)

    # The mirror

    async def _fresh(self, kind: Kind, name: str, *, moved: bool = False) -> None:
        """
        Have the plan in memory like the table before whoever changed it goes on.
        """
        if moved:
            async with self._in_turn:
                await self._load_kind(kind)
        else:
            await self._reread(f"{kind}:{name}")

    async def _load(self) -> None:
        async with self._in_turn:
            for kind in PIECES:
                await self._load_kind(kind)

    async def _load_kind(self, kind: Kind) -> None:
        rows = await self._rows(kind)
        if kind == "trunk":
            for name in self.lost.keys() - {row["name"] for row in rows}:
                self._found(name)
        self._pieces[kind] = {row["name"]: kept for row in rows if (kept := self._kept(kind, row)) is not None}
        self._tell(kind)

    async def _rows(self, kind: Kind) -> Rows:
        rows: Rows = []
        while True:
            page = await self._database.query(
                f"{SELECT} WHERE kind = %s AND name > %s ORDER BY name LIMIT %s",
                (kind, rows[-1]["name"] if rows else "", AT_ONCE),
            )
            rows += page
            if len(page) < AT_ONCE:
                return rows

    async def _reread(self, key: str) -> None:
        kind, _, name = key.partition(":")
        for known in PIECES:
            if known == kind:
                async with self._in_turn:
                    rows = await self._database.query(f"{SELECT} WHERE kind = %s AND name = %s", (kind, name))
                    self._put(known, name, rows[0] if rows else None)

    def _put(self, kind: Kind, name: str, row: dict[str, Any] | None) -> None:
        kept = None if row is None else self._kept(kind, row)
        if kept is None:
            self._pieces[kind].pop(name, None)
        else:
            self._pieces[kind][name] = kept
        if row is None and kind == "trunk":
            self._found(name)
        self._tell(kind)

    def _kept(self, kind: Kind, row: dict[str, Any]) -> _Kept | None:
        before = self._pieces[kind].get(row["name"])
        if before is not None and row["name"] not in self.lost:
            same = before.row["value"] == row["value"] and before.row["secret"] == row["secret"]
            if same:
                return _Kept(row, before.piece)
        piece = self._usable(row)
        return None if piece is None else _Kept(row, piece)

    def _tell(self, kind: Kind) -> None:
        kept = sorted(self._pieces[kind].values(), key=lambda each: _place_of(each.row))
        self._book.keep(kind, [each.piece for each in kept])

    def _read(self, row: dict[str, Any]) -> Piece | None:
        """
        What a row says, a trunk without its password.
        """
        kind: Kind = row["kind"]
        try:
            return msgspec.json.decode(row["value"], type=PIECES[kind])
        except ValueError as error:
            # Written by hand, or by a newer version: the others must work.
            what = kind.replace("_", " ")
            self.log.error("The {what} {name} is left out: {error}", what=what, name=row["name"], error=error)
            return None

    def _usable(self, row: dict[str, Any]) -> Piece | None:
        """
        What a row says as calls go by it: a trunk with its password, or not enabled when that can't be read.
        """
        piece = self._read(row)
        if not isinstance(piece, Trunk):
            return piece
        try:
            password = self._key.decrypt(row["secret"], _owner(piece.name)) if row["secret"] else ""
        except LostSecretError as error:
            if self.lost.get(piece.name) != str(error):
                self._alerts.alert("trunk_password", piece.name, LOST.format(trunk=piece.name, why=error))
            self.lost[piece.name] = str(error)
            # Without it the provider would block us for wrong passwords.
            return attrs.evolve(piece, enabled=False)
        self._found(piece.name)
        return attrs.evolve(piece, password=password)

    def _found(self, trunk: str) -> None:
        """
        A trunk's password can be read, or is not needed any more.
        """
        self.lost.pop(trunk, None)
        # It may have been lost in the run before.
        self._alerts.settled("trunk_password", trunk, f"The password of trunk {trunk} can be read")

    def _sealed(self, piece: Piece) -> str | None:
        if not isinstance(piece, Trunk) or not piece.password:
            return None
        return self._key.encrypt(piece.password, _owner(piece.name))


def _owner(trunk: str) -> str:
    return f"trunk {trunk}"


def _place_of(row: dict[str, Any]) -> tuple[int, str]:
    return row["position"], row["name"]


def _value(piece: Piece) -> str:
    """
    A piece as JSON: never with a password.
    """
    return packed(attrs.evolve(piece, password="") if isinstance(piece, Trunk) else piece)


async def _in_turn(transaction: Transaction, kind: Kind) -> None:
    """
    Wait for others that change the order of a kind: each finds it as the one before has left it.
    """
    await transaction.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"plan {kind}",))


async def _place(transaction: Transaction, kind: Kind, name: str, position: int) -> bool:
    """
    Number a kind anew, with one of it behind so many others; ``False`` when it is not there.
    """
    rows = await transaction.query("SELECT name FROM plan WHERE kind = %s ORDER BY position, name", (kind,))
    names = [row["name"] for row in rows if row["name"] != name]
    if len(names) == len(rows):
        return False
    names.insert(position, name)
    await transaction.execute(
        "UPDATE plan SET position = place.ordinality FROM unnest(%s::text[]) WITH ORDINALITY AS place (name)"
        " WHERE plan.kind = %s AND plan.name = place.name AND plan.position <> place.ordinality",
        (names, kind),
    )
    return True
