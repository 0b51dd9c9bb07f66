"""
``/api/route``: where a call would go and why, and cases that a plan is checked against, without placing a call.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta

from pbx.directory.explain import explain
from pbx.directory.opening import zone
from pbx.directory.permissions import Usage
from pbx.directory.simulation import Otherwise, call, time_at
from pbx.ops.routing_cases import check, read
from pbx.ops.section import printable
from pbx.web.problems import Problem, wrong_fields
from pbx.web.routes import Ask, Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Iterable

    from pbx.directory.situation import Situation
    from pbx.directory.time_condition import SwitchPosition
    from pbx.web.routes import Upload

LARGEST_CASES: Final = 2_000_000
"""Bytes of a file of cases: a thousand cases with their plans have half of it."""

AT_ONCE: Final = 5
"""Cases that are decided before calls have their turn again: a case may have twenty numbers to decide about."""

MOST_MISTAKES: Final = 50
"""Mistakes of a file that are named."""

Party = Annotated[str, Meta(max_length=64, description="text of at most 64 characters", extra={"check": printable})]
Texts = Annotated[tuple[Party, ...], Meta(max_length=50, description="at most 50 names")]


class RouteQuery(msgspec.Struct, frozen=True):
    """
    A call, and what shall be otherwise than it is.
    """

    number: Party = ""
    caller: Party = msgspec.field(name="from", default="")
    at: Party = ""
    trunk: Party = ""
    called: Texts = ()
    anonymous: Literal["true", "false"] = "false"
    on_behalf: Party = ""
    address: Party = ""
    down: Texts = ()
    degraded: Texts = ()
    full: Texts = ()
    up: Texts = ()
    unregistered: Texts = ()
    registered: Texts = ()
    switch: Texts = ()
    usage: Texts = ()


class Routing:
    """
    The resource.
    """

    def __init__(self, situation: Callable[[], Situation], pause: Callable[[], Awaitable[object]]) -> None:
        """
        A resource over a situation.

        Args:
            situation: Tells how everything is now.
            pause: Lets calls have their turn.
        """
        self._situation = situation
        self._pause = pause

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        return [
            Route("GET", "/api/route", self._route, query=RouteQuery),
            Route("POST", "/api/route/check", self._check, upload=LARGEST_CASES),
        ]

    async def _route(self, ask: Ask) -> object:
        query: RouteQuery = ask.query
        live = self._situation()
        at = live.now() if not query.at else _time(query.at, live)
        otherwise = _otherwise(query, at, live)
        number = _number(query.number)
        called = tuple(_number(each) for each in _split(query.called, ()))
        if not number and not called:
            raise wrong_fields([("number", "missing; needed is the number that is called")])
        if query.trunk and query.trunk not in live.plan.trunks:
            raise wrong_fields([("trunk", f"there is no trunk {query.trunk}")])
        situation = otherwise.of(live)
        request = call(
            _number(query.caller), number, situation, trunk=query.trunk, called=called,
            anonymous=query.anonymous == "true", on_behalf=query.on_behalf or None, address=query.address,
        )
        return {
            "from": request.caller,
            "number": request.number,
            "trunk": query.trunk or None,
            "at": at.astimezone(zone(live.plan.site.time_zone)).isoformat(timespec="seconds"),
            "tree": explain(request, situation).as_row(),
        }

    async def _check(self, ask: Ask) -> object:
        upload: Upload = ask.body
        try:
            raw = msgspec.json.decode(upload.content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Problem(HTTPStatus.BAD_REQUEST, f"The body is not JSON: {error}.")
        cases, mistakes = read(raw)
        if cases is None:
            raise wrong_fields([(mistake.path, mistake.text) for mistake in mistakes[:MOST_MISTAKES]])
        verdicts = []
        for place, case in enumerate(cases.cases, 1):
            situation = self._situation() if case.plan is None else cases.plans[case.plan]
            verdicts.append(check(case, situation))
            if place % AT_ONCE == 0:
                await self._pause()
        return {
            "cases": len(verdicts),
            "failed": sum(1 for verdict in verdicts if verdict.differs),
            "verdicts": [
                {
                    "name": verdict.name, "passed": not verdict.differs, "differs": [*verdict.differs],
                    "reasons": [*verdict.reasons],
                }
                for verdict in verdicts
            ],
        }


def _time(text: str, situation: Situation) -> dt.datetime:
    # In a query a plus sign is a space.
    text = text.replace(" ", "+") if "T" in text else text
    try:
        return time_at(text, situation)
    except ValueError:
        raise wrong_fields([("at", f"found {text!r}; allowed is a time such as 2026-12-24T18:00")]) from None


def _number(text: str) -> str:
    """
    A number as a person writes it; in a query the plus sign of E.164 is a space.
    """
    if text.startswith(" "):
        text = "+" + text[1:]
    return text.translate(str.maketrans("", "", " -()./")) if any(map(str.isdigit, text)) else text.strip()


def _split(texts: Iterable[str], known: Container[str]) -> tuple[str, ...]:
    """
    What was given several times, or with commas; a name that has a comma in it is one.
    """
    parts: list[str] = []
    for text in texts:
        parts += [text] if text in known else [part.strip() for part in text.split(",")]
    return tuple(part for part in parts if part)


def _otherwise(query: RouteQuery, at: dt.datetime, situation: Situation) -> Otherwise:
    trunks, plan = situation.plan.trunks, situation.plan
    switches: dict[str, SwitchPosition] = {}
    for text in _split(query.switch, ()):
        name, _, position = text.rpartition(":")
        if position == "day":
            switches[name] = "day"
        elif position == "night":
            switches[name] = "night"
        elif position == "auto":
            switches[name] = "auto"
        else:
            raise wrong_fields([("switch", f"found {text!r}; allowed is NAME:day, NAME:night or NAME:auto")])
    otherwise = Otherwise(
        at,
        dict.fromkeys(_split(query.down, plan.trunks), "as asked"),
        _split(query.degraded, trunks), _split(query.full, trunks), _split(query.up, trunks),
        _split(query.unregistered, ()), _split(query.registered, ()), switches, _usage(query.usage),
    )
    unknown = otherwise.unknown(situation)
    if unknown:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"What is not there can't be otherwise: {'; '.join(unknown)}.")
    return otherwise


def _usage(texts: tuple[str, ...]) -> dict[str, Usage]:
    usage = {}
    for text in _split(texts, ()):
        number, *amounts = text.split(":")
        try:
            calls, minutes, spent = (*amounts, *("0", "0", "0")[len(amounts):])
            usage[number] = Usage(int(calls), int(minutes) * 60, _money(spent))
        except (ValueError, InvalidOperation):
            raise wrong_fields([
                ("usage", f"found {text!r}; allowed is EXTENSION:CALLS, or EXTENSION:CALLS:MINUTES:SPENT"),
            ]) from None
    return usage


def _money(text: str) -> Decimal:
    money = Decimal(text)
    if not money.is_finite():
        raise ValueError("nobody can spend that")
    return money
