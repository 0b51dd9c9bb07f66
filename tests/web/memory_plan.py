"""
A plan for tests of resources, kept in memory.
"""

from __future__ import annotations

from typing import Any

import attrs
from zope.interface import implementer

from pbx.directory.plan import NO_PLAN, PIECES, Kind, Piece, Plan, PlanBook
from pbx.directory.trunk import Trunk
from pbx.web.plan import IPlan, NoSecretKeyError, PieceExistsError, PieceGoneError
from pbx.web.trunks import ITrunkStates


@implementer(IPlan)
class MemoryPlan:
    """
    The plan in memory, without the database that it mirrors.

    Attributes:
        book: It.
        lost: Trunks without passwords.
        gone: Names that are gone from the database, though memory does not know yet.
        has_key: Whether passwords can be kept.
    """

    def __init__(self, configured: Plan = NO_PLAN) -> None:
        self.book = PlanBook(configured)
        self.kept: dict[Kind, list[Any]] = {kind: [] for kind in PIECES}
        self.lost: dict[str, str] = {}
        self.gone: set[str] = set()
        self.has_key = True

    @property
    def plan(self) -> Plan:
        """
        All.
        """
        return self.book.plan

    @property
    def configured(self) -> Plan:
        """
        That of the configuration.
        """
        return self.book.configured

    def put(self, kind: Kind, *pieces: Piece) -> None:
        """
        Have these besides.
        """
        self.kept[kind] += pieces
        self.book.keep(kind, self.kept[kind])

    async def get(self, kind: Kind, name: str) -> Piece | None:
        """
        One.
        """
        piece = next((each for each in self.kept[kind] if each.name == name), None)
        return attrs.evolve(piece, password="") if isinstance(piece, Trunk) else piece

    async def add(self, kind: Kind, piece: Piece) -> None:
        """
        A new one.
        """
        if await self.get(kind, piece.name) is not None:
            raise PieceExistsError(piece.name)
        self._check_key(piece)
        self.put(kind, piece)

    async def update(self, kind: Kind, piece: Piece, *, password: bool = False) -> None:
        """
        Another in place of one.
        """
        index = await self._index(kind, piece.name)
        if isinstance(piece, Trunk):
            if password:
                self._check_key(piece)
                self.lost.pop(piece.name, None)
            else:
                piece = attrs.evolve(piece, password=self.kept[kind][index].password)
        self.kept[kind][index] = piece
        self.put(kind)

    async def move(self, kind: Kind, name: str, position: int) -> None:
        """
        Another order.
        """
        piece = self.kept[kind].pop(await self._index(kind, name))
        hidden = {other for what, other in self.book.hidden() if what == kind}
        seen = [index for index, each in enumerate(self.kept[kind]) if each.name not in hidden]
        self.kept[kind].insert(seen[position] if position < len(seen) else len(self.kept[kind]), piece)
        self.put(kind)

    async def remove(self, kind: Kind, name: str) -> bool:
        """
        One less.
        """
        before = len(self.kept[kind])
        self.kept[kind] = [each for each in self.kept[kind] if each.name != name or name in self.gone]
        self.put(kind)
        return len(self.kept[kind]) < before

    async def _index(self, kind: Kind, name: str) -> int:
        names = [each.name for each in self.kept[kind]]
        if name in self.gone or name not in names:
            raise PieceGoneError(name)
        return names.index(name)

    def _check_key(self, piece: Piece) -> None:
        if isinstance(piece, Trunk) and piece.password and not self.has_key:
            raise NoSecretKeyError("there is no usable key in secret.key")


@implementer(ITrunkStates)
class MemoryStates:
    """
    States that a test sets.
    """

    def __init__(self) -> None:
        self.states: dict[str, dict[str, Any]] = {}

    def state(self, name: str) -> dict[str, Any] | None:
        """
        One.
        """
        return self.states.get(name)
