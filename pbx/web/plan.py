"""
What the resources of trunks, routes and time conditions ask of whoever keeps them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface, implementer

from pbx.store.database import Duplicate
from pbx.store.plan import UnknownPieceError
from pbx.store.secrets import LostSecretError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pbx.directory.plan import Kind, Piece, Plan, PlanBook
    from pbx.store.plan import StoredPlan


class PieceExistsError(Exception):
    """
    There is one of that kind with that name already.
    """


class PieceGoneError(Exception):
    """
    There is none of that kind with that name any more.
    """


class NoSecretKeyError(Exception):
    """
    A password can't be kept; the text says why.
    """


class IPlan(Interface):
    """
    Where the plan is kept. A change has reached the database, and the next call, when its coroutine returns.
    """

    plan = Attribute("The whole :class:`~pbx.directory.plan.Plan` as calls go by it.")
    configured = Attribute("What of it the configuration says.")
    lost = Attribute("Why its password can't be read, by the trunk of which that is so.")

    async def get(kind: Kind, name: str) -> Any:  # noqa: N805
        """
        One that is kept, without a password; ``None`` for none.
        """

    async def add(kind: Kind, piece: Piece) -> None:  # noqa: N805
        """
        Keep a new one, behind all of its kind.

        Raises:
            PieceExistsError: The name is taken.
            NoSecretKeyError: Its password can't be kept.
        """

    async def update(kind: Kind, piece: Piece, *, password: bool = False) -> None:  # noqa: N805
        """
        Replace the one of its kind with its name, and its password if that is said to be another.

        Raises:
            PieceGoneError: There is none.
            NoSecretKeyError: Its password can't be kept.
        """

    async def move(kind: Kind, name: str, position: int) -> None:  # noqa: N805
        """
        Put one behind so many others that are kept, those left out whose name the configuration has as well.

        Raises:
            PieceGoneError: There is none.
        """

    async def remove(kind: Kind, name: str) -> bool:  # noqa: N805
        """
        Forget one; ``False`` when there was none.
        """


@implementer(IPlan)
class KeptPlan:
    """
    The plan in memory and in the database as the resources want it.
    """

    def __init__(self, book: PlanBook, stored: StoredPlan) -> None:
        self._book = book
        self._stored = stored

    @property
    def plan(self) -> Plan:
        """
        The whole plan.
        """
        return self._book.plan

    @property
    def configured(self) -> Plan:
        """
        What the configuration says.
        """
        return self._book.configured

    @property
    def lost(self) -> Mapping[str, str]:
        """
        Trunks without their passwords.
        """
        return self._stored.lost

    async def get(self, kind: Kind, name: str) -> Piece | None:
        """
        One that is kept.
        """
        return await self._stored.get(kind, name)

    async def add(self, kind: Kind, piece: Piece) -> None:
        """
        Keep a new one.
        """
        try:
            await self._stored.add(kind, piece)
        except Duplicate as error:
            raise PieceExistsError(piece.name) from error
        except LostSecretError as error:
            raise NoSecretKeyError(str(error)) from error

    async def update(self, kind: Kind, piece: Piece, *, password: bool = False) -> None:
        """
        Change one.
        """
        try:
            await self._stored.update(kind, piece, password=password)
        except UnknownPieceError as error:
            raise PieceGoneError(piece.name) from error
        except LostSecretError as error:
            raise NoSecretKeyError(str(error)) from error

    async def move(self, kind: Kind, name: str, position: int) -> None:
        """
        Change the order.
        """
        hidden = {other for what, other in self._book.hidden() if what == kind}
        if hidden:
            # These stand in the order too, and nobody sees them.
            for behind, other in enumerate(await self._stored.list(kind)):
                position += other.name in hidden and behind <= position
        try:
            await self._stored.move(kind, name, position)
        except UnknownPieceError as error:
            raise PieceGoneError(name) from error

    async def remove(self, kind: Kind, name: str) -> bool:
        """
        Forget one.
        """
        return await self._stored.remove(kind, name)
