"""
``/api/trunks/NAME/rates``: what calls over a trunk cost, as its provider's list says.
"""

from __future__ import annotations

import heapq
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta
from zope.interface import Interface

from pbx.calls.record import stamp
from pbx.directory.rate_list import read, written
from pbx.web.problems import Problem, wrong_fields
from pbx.web.routes import Ask, Reply, Route

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable, Mapping

    from pbx.directory.rates import Rate

LARGEST = 8_000_000
"""Bytes of a list: the most rates that are taken have some five million, with names of countries beside them."""


class RatesQuery(msgspec.Struct, frozen=True):
    """
    Which rates are listed.
    """

    prefix: Annotated[str, Meta(pattern=r"^\+?[0-9]{0,15}\Z", description="up to 15 digits")] = ""
    limit: Annotated[int, Meta(ge=1, le=10_000, description="a whole number, 1 to 10000")] = 1_000


class IRates(Interface):
    """
    Where rates are kept. A change has reached the database, and the next call, when its coroutine returns.
    """

    async def imported(trunk: str) -> dt.datetime | None:  # noqa: N805
        """
        Since when a trunk's rates hold, ``None`` when it has none.
        """

    async def replace(trunk: str, rates: Mapping[str, Rate]) -> None:  # noqa: N805
        """
        Have a trunk cost this from now on, by prefix.
        """

    async def remove(trunk: str) -> bool:  # noqa: N805
        """
        Forget what a trunk costs; ``False`` when nobody knew.
        """


class Rates:
    """
    The resource.
    """

    def __init__(self, plan: Any, rates: Any, in_thread: Callable[..., Awaitable[Any]], audit: Any) -> None:
        """
        A resource over rates.

        Args:
            plan: An :class:`~pbx.web.plan.IPlan`, which has them as calls go by them.
            rates: An :class:`IRates`.
            in_thread: Runs what takes long: a function and its arguments.
            audit: An :class:`~pbx.web.identity.IAudit`.
        """
        self._plan = plan
        self._rates = rates
        self._in_thread = in_thread
        self._audit = audit

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        path = "/api/trunks/<name>/rates"
        return [
            Route("GET", path, self._get, query=RatesQuery),
            Route("GET", f"{path}.csv", self._export),
            Route("PUT", path, self._replace, upload=LARGEST),
            Route("DELETE", path, self._remove),
        ]

    async def _get(self, ask: Ask) -> object:
        trunk = self._trunk(ask)
        query: RatesQuery = ask.query
        prefix = query.prefix.removeprefix("+")
        rates = self._plan.plan.rates.get(trunk, {})

        def first() -> list[Rate]:
            fitting = (rate for rate in rates.values() if rate.prefix.startswith(prefix))
            return heapq.nsmallest(query.limit, fitting, key=lambda rate: rate.prefix)

        listed = await self._in_thread(first)
        return {**await self._summary(trunk), "rates": [_shown(rate) for rate in listed]}

    async def _export(self, ask: Ask) -> Reply:
        rates = self._plan.plan.rates.get(self._trunk(ask), {})
        text: str = await self._in_thread(written, rates.values())
        headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": 'attachment; filename="rates.csv"'}
        return Reply(text.encode(), headers=headers)

    async def _replace(self, ask: Ask) -> object:
        trunk = self._trunk(ask)
        if ask.body.content_type == "application/json":
            detail = "The body must be a list of rates: Content-Type: text/csv."
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
        rates, bad = await self._in_thread(read, ask.body.content)
        if bad:
            raise wrong_fields([(f"line {each.line}", each.text) for each in bad])
        before = len(self._plan.plan.rates.get(trunk, {}))
        await self._rates.replace(trunk, rates)
        self._audit.wrote(ask.actor, "change", f"rates of trunk {trunk}", {"count": before}, {"count": len(rates)})
        return await self._summary(trunk)

    async def _remove(self, ask: Ask) -> Reply:
        trunk = self._trunk(ask)
        before = len(self._plan.plan.rates.get(trunk, {}))
        if not await self._rates.remove(trunk):
            raise Problem(HTTPStatus.NOT_FOUND, f"Trunk {trunk} has no rates.")
        self._audit.wrote(ask.actor, "remove", f"rates of trunk {trunk}", {"count": before}, None)
        return Reply(status=HTTPStatus.NO_CONTENT)

    async def _summary(self, trunk: str) -> dict[str, Any]:
        imported = await self._rates.imported(trunk)
        return {
            "trunk": trunk,
            "count": len(self._plan.plan.rates.get(trunk, {})),
            "imported": None if imported is None else stamp(imported.timestamp()),
        }

    def _trunk(self, ask: Ask) -> str:
        name = ask.path["name"]
        if name not in self._plan.plan.trunks:
            raise Problem(HTTPStatus.NOT_FOUND, f"There is no trunk {name}.")
        return name


def _shown(rate: Rate) -> dict[str, Any]:
    return {
        "prefix": rate.prefix,
        "rate": f"{rate.rate:f}",
        "connection_fee": f"{rate.connection_fee:f}",
        "increments": f"{rate.first}/{rate.increment}",
    }
