"""
``/api/calls``, ``/api/cdr``, ``/api/registrations``: what goes on, what went on, and whose phones are there.
"""

from __future__ import annotations

import datetime as dt
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta
from zope.interface import Interface

from pbx.ops.section import printable
from pbx.web.problems import Problem
from pbx.web.routes import Ask, Reply, Route

if TYPE_CHECKING:
    from collections.abc import Iterable


class ICalls(Interface):
    """
    The live calls.
    """

    def list() -> Iterable[dict[str, Any]]:
        """
        Each with its ``id``, parties, state, since when, media path and quality.
        """

    def hang_up(call: str) -> bool:  # noqa: N805
        """
        End the call with this ``id``; ``False`` when there is none.
        """


class ICdr(Interface):
    """
    The call records.
    """

    async def list(
        limit: int,  # noqa: N805
        before: dt.datetime | None,
        caller: str | None,
        callee: str | None,
        disposition: str | None,
        direction: str | None,
        trunk: str | None,
    ) -> list[dict[str, Any]]:
        """
        The newest records first, of calls that started before a time, with the caller, callee, disposition, direction
        or trunk named.
        """


class IRegistrations(Interface):
    """
    The phones that are registered.
    """

    def list() -> Iterable[dict[str, Any]]:
        """
        Each binding: extension, contact, address, transport, user agent, since when and until when.
        """


def _time(value: str | None) -> None:
    if value is not None:
        time_of(value)


def time_of(text: str) -> dt.datetime:
    """
    A point in time in ISO 8601; without a zone it is UTC.

    Raises:
        ValueError: It is none.
    """
    # In a query a plus sign is a space.
    time = dt.datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    return time if time.tzinfo is not None else time.replace(tzinfo=dt.UTC)


Dispositions = Literal["answered", "busy", "no answer", "cancelled", "failed"]
Party = Annotated[str, Meta(max_length=64, description="text of at most 64 characters", extra={"check": printable})]


class CdrQuery(msgspec.Struct, frozen=True):
    """
    Which records are wanted.
    """

    limit: Annotated[int, Meta(ge=1, le=1000, description="a whole number, 1 to 1000")] = 100
    before: Annotated[
        str | None, Meta(description="a time such as 2026-01-02T15:04:05+01:00", extra={"check": _time})
    ] = None
    caller: Party | None = None
    callee: Party | None = None
    disposition: Dispositions | None = None
    direction: Literal["internal", "inbound", "outbound"] | None = None
    trunk: Party | None = None


class Calls:
    """
    The resource of live calls.
    """

    def __init__(self, calls: Any, audit: Any) -> None:
        """
        A resource over live calls.

        Args:
            calls: An :class:`ICalls`.
            audit: An :class:`~pbx.web.identity.IAudit`.
        """
        self._calls = calls
        self._audit = audit

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        return [Route("GET", "/api/calls", self._list), Route("DELETE", "/api/calls/<id>", self._hang_up)]

    async def _list(self, ask: Ask) -> object:
        return {"calls": list(self._calls.list())}

    async def _hang_up(self, ask: Ask) -> Reply:
        call = ask.path["id"]
        if not self._calls.hang_up(call):
            raise Problem(HTTPStatus.NOT_FOUND, f"There is no call {call}; it may have ended by itself.")
        self._audit.wrote(ask.actor, "hang up", f"call {call}", None, None)
        return Reply(status=HTTPStatus.NO_CONTENT)


class CallRecords:
    """
    The resource of call records.
    """

    def __init__(self, cdr: Any) -> None:
        """
        A resource over an :class:`ICdr`.
        """
        self._cdr = cdr

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        return [Route("GET", "/api/cdr", self._list, query=CdrQuery)]

    async def _list(self, ask: Ask) -> object:
        query: CdrQuery = ask.query
        before = time_of(query.before) if query.before is not None else None
        records = await self._cdr.list(
            limit=query.limit, before=before, caller=query.caller, callee=query.callee, disposition=query.disposition,
            direction=query.direction, trunk=query.trunk,
        )
        return {"records": records}


class Registrations:
    """
    The resource of registered phones.
    """

    def __init__(self, registrations: Any) -> None:
        """
        A resource over an :class:`IRegistrations`.
        """
        self._registrations = registrations

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        return [Route("GET", "/api/registrations", self._list)]

    async def _list(self, ask: Ask) -> object:
        return {"registrations": list(self._registrations.list())}
