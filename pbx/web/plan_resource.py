"""
What the resources of trunks, routes and time conditions have in common: list, read, add, change and remove, with the
checks that all need.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from urllib.parse import quote

import attrs
import msgspec
from msgspec import Meta
from twisted.internet.defer import DeferredLock

from pbx.directory.plan import PIECES
from pbx.web.changes import given
from pbx.web.plan import NoSecretKeyError, PieceExistsError, PieceGoneError
from pbx.web.problems import Problem, wrong_fields
from pbx.web.routes import Ask, Reply, Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Sequence

    from pbx.directory.plan import Kind, Plan

Fault = tuple[str, str]
"""A field of the body, and what is wrong with it."""

MOST = 1_000
"""Routes in one answer: ten milliseconds in which nothing else is done."""

LIVE = ("from", "position", "state", "now")
"""What the API says of one that nobody has written."""


class Position(msgspec.Struct, frozen=True):
    """
    The body that moves a route.
    """

    position: Annotated[int, Meta(ge=1, le=1_000_000, description="a whole number from 1 on")]


class Page(msgspec.Struct, frozen=True):
    """
    Which routes are listed.
    """

    after: Annotated[int, Meta(ge=0, le=1_000_000, description="a whole number")] = 0
    limit: Annotated[int, Meta(ge=1, le=MOST, description=f"a whole number, 1 to {MOST}")] = MOST


class PlanResource:
    """
    The resource of one kind of piece of the plan.

    Attributes:
        kind: The kind.
        noun: What people call it.
        key: Where the configuration has it.
        path: Where it is.
        many: The member that a list is in.
        new: The body that adds one: the section of the configuration.
        changed: The body that changes one; what it leaves out stays as it is.
    """

    kind: ClassVar[Kind]
    noun: ClassVar[str]
    key: ClassVar[str]
    path: ClassVar[str]
    many: ClassVar[str]
    new: ClassVar[type[msgspec.Struct]]
    changed: ClassVar[type[msgspec.Struct]]

    def __init__(self, plan: Any, audit: Any) -> None:
        """
        A resource over a plan.

        Args:
            plan: An :class:`~pbx.web.plan.IPlan`.
            audit: An :class:`~pbx.web.identity.IAudit`.
        """
        self._plan = plan
        self._audit = audit
        self._one = DeferredLock()
        self._configured: tuple[Plan | None, frozenset[str]] = (None, frozenset())

    def pieces(self, plan: Plan) -> Sequence[Any]:
        """
        Those of this kind in a plan, in order.
        """
        raise NotImplementedError

    def faults(self, piece: Any) -> list[Fault]:
        """
        What is wrong with one although each field by itself is right.
        """
        raise NotImplementedError

    def change_faults(self, before: Any, after: Any, fields: Container[str]) -> list[Fault]:
        """
        What is wrong with a change although what it makes would be right as a new one.

        Args:
            before: What is kept.
            after: What is to be.
            fields: Those that the body has.
        """
        return []

    def users(self, name: str) -> list[str]:
        """
        Who needs one, in words: while there is somebody, it is not removed.
        """
        return []

    def shown(self, piece: Any) -> dict[str, Any]:
        """
        What the API says of one.
        """
        return {**attrs.asdict(piece), "from": "config" if self.is_configured(piece.name) else "database"}

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        one = f"{self.path}/<name>"
        return [
            Route("GET", self.path, self._list),
            Route("POST", self.path, self._in_turn(self._add), body=self.new),
            Route("GET", one, self._get),
            Route("PUT", one, self._in_turn(self._change), body=self.changed),
            Route("DELETE", one, self._in_turn(self._remove)),
        ]

    def _in_turn(self, work: Callable[[Ask], Awaitable[object]]) -> Callable[[Ask], Awaitable[object]]:
        """
        One change after the other: what a change leaves out would else be as it was before one in between, and a
        password that was set for one host would go to another.
        """
        async def answer(ask: Ask) -> object:
            await self._one.acquire()
            try:
                return await work(ask)
            finally:
                self._one.release()

        return answer

    def is_configured(self, name: str) -> bool:
        """
        Whether one is that of the configuration.
        """
        plan, names = self._configured
        if plan is not self._plan.configured:
            # Once for each plan, and not for each of its thousands of pieces that is shown.
            plan, names = self._plan.configured, frozenset(
                piece.name for piece in self.pieces(self._plan.configured)
            )
            self._configured = (plan, names)
        return name in names

    def trunk_faults(self, field: str, name: str | None) -> list[Fault]:
        """
        What is wrong with the name of a trunk.
        """
        is_there = name is None or name in self._plan.plan.trunks
        return [] if is_there else [(field, f"there is no trunk {name!r}")]

    def condition_faults(self, field: str, name: str | None) -> list[Fault]:
        """
        What is wrong with the name of a time condition.
        """
        is_there = name is None or name in self._plan.plan.conditions
        return [] if is_there else [(field, f"there is no time condition {name!r}")]

    def live(self, ask: Ask) -> Any:
        """
        The one of a path, as calls go by it, wherever it is from.

        Raises:
            Problem: 404 when there is none.
        """
        name = ask.path["name"]
        for piece in self.pieces(self._plan.plan):
            if piece.name == name:
                return piece
        raise self._missing(name)

    async def _list(self, ask: Ask) -> object:
        return {self.many: [self.shown(piece) for piece in self.pieces(self._plan.plan)]}

    async def _get(self, ask: Ask) -> object:
        return self.shown(self.live(ask))

    async def _add(self, ask: Ask) -> Reply:
        fields = given(ask.body)
        piece = self._checked(fields)
        if self.is_configured(piece.name):
            raise self._taken(piece.name)
        try:
            await self._plan.add(self.kind, piece)
        except PieceExistsError:
            raise self._taken(piece.name)
        except NoSecretKeyError as error:
            raise _no_key(error)
        self._audit.wrote(ask.actor, "add", f"{self.noun} {piece.name}", None, self._audited(piece))
        return Reply(self.shown(piece), HTTPStatus.CREATED, {"Location": f"{self.path}/{quote(piece.name)}"})

    async def _change(self, ask: Ask) -> object:
        before = await self.stored(ask)
        fields = given(ask.body)
        if fields.setdefault("name", before.name) != before.name:
            raise wrong_fields([("name", f"cannot be changed; add another {self.noun} and remove this one")])
        audited = self._audited(before)
        after = self._checked({**attrs.asdict(before), **fields})
        faults = self.change_faults(before, after, fields)
        if faults:
            raise wrong_fields(faults)
        try:
            await self._plan.update(self.kind, after, password="password" in fields)
        except PieceGoneError:
            # Somebody else has just removed it.
            raise self._missing(after.name)
        except NoSecretKeyError as error:
            raise _no_key(error)
        changed = self._audited(after) | ({"password": "changed"} if "password" in fields else {})
        self._audit.wrote(ask.actor, "change", f"{self.noun} {after.name}", audited, changed)
        return self.shown(after)

    async def _remove(self, ask: Ask) -> Reply:
        before = await self.stored(ask)
        users = self.users(before.name)
        if users:
            detail = f"{self.noun.capitalize()} {before.name} is used by {', '.join(users)}. Change that first."
            raise Problem(HTTPStatus.CONFLICT, detail, used_by=users)
        audited = self._audited(before)
        if not await self._plan.remove(self.kind, before.name):
            raise self._missing(before.name)
        self._audit.wrote(ask.actor, "remove", f"{self.noun} {before.name}", audited, None)
        return Reply(status=HTTPStatus.NO_CONTENT)

    async def stored(self, ask: Ask) -> Any:
        """
        The one of a path, as it is kept in the database.

        Raises:
            Problem: 409 when it is from the configuration, 404 when there is none.
        """
        name = ask.path["name"]
        if self.is_configured(name):
            where = f"from config.yml ({self.key}): change it there, then pbxctl reload"
            raise Problem(HTTPStatus.CONFLICT, f"{self.noun.capitalize()} {name} is {where}.")
        piece = await self._plan.get(self.kind, name) if name.isprintable() else None
        if piece is None:
            raise self._missing(name)
        return piece

    def _audited(self, piece: Any) -> dict[str, Any]:
        return {name: value for name, value in self.shown(piece).items() if name not in LIVE}

    def _checked(self, fields: dict[str, Any]) -> Any:
        piece = msgspec.convert(fields, PIECES[self.kind])
        faults = self.faults(piece)
        if faults:
            raise wrong_fields(faults)
        return piece

    def _missing(self, name: str) -> Problem:
        return Problem(HTTPStatus.NOT_FOUND, f"There is no {self.noun} {name}.")

    def _taken(self, name: str) -> Problem:
        where = "config.yml" if self.is_configured(name) else f"PUT {self.path}/{name}"
        detail = f"There is a {self.noun} {name} already. It is changed by {where}."
        return Problem(HTTPStatus.CONFLICT, detail, fields=[("name", "taken")])


class RouteResource(PlanResource):
    """
    The resource of routes, which have an order.
    """

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        _, *others = super().routes()
        return [
            Route("GET", self.path, self._list, query=Page),
            *others,
            Route("PUT", f"{self.path}/<name>/position", self._move, body=Position),
        ]

    def shown(self, piece: Any) -> dict[str, Any]:
        """
        What the API says of one.
        """
        return {**super().shown(piece), "position": self._position(piece.name)}

    def _position(self, name: str) -> int | None:
        names = [piece.name for piece in self.pieces(self._plan.plan)]
        return names.index(name) + 1 if name in names else None

    async def _list(self, ask: Ask) -> object:
        page: Page = ask.query
        routes = self.pieces(self._plan.plan)
        # Not shown(), which looks for each among all.
        shown = [
            {**super(RouteResource, self).shown(piece), "position": position}
            for position, piece in enumerate(routes[page.after:page.after + page.limit], page.after + 1)
        ]
        return {self.many: shown, "total": len(routes)}

    async def _move(self, ask: Ask) -> object:
        piece = await self.stored(ask)
        before, after = self._position(piece.name), ask.body.position
        fixed, all_of_them = len(self.pieces(self._plan.configured)), len(self.pieces(self._plan.plan))
        if not fixed < after <= all_of_them:
            said = f"allowed is {fixed + 1} to {all_of_them}"
            raise wrong_fields([("position", said + ("; those of config.yml come first" if fixed else ""))])
        try:
            await self._plan.move(self.kind, piece.name, after - fixed - 1)
        except PieceGoneError:
            raise self._missing(piece.name)
        subject = f"{self.noun} {piece.name}"
        self._audit.wrote(ask.actor, "move", subject, {"position": before}, {"position": after})
        return self.shown(piece)


def _no_key(error: NoSecretKeyError) -> Problem:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, f"The password can't be kept: {error}. The log of the start says more."
    )
