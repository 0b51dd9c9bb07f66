"""
``/live``, ``/ready``, ``/api/status`` and ``/api/statistics``: how the exchange is.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from zope.interface import Interface

from pbx.web.problems import Problem
from pbx.web.routes import Ask, Route


class IStatus(Interface):
    """
    What the exchange knows of itself.
    """

    def ready() -> dict[str, bool]:
        """
        Each part without which new calls cannot be taken, and whether it is there.
        """

    def beside() -> dict[str, bool]:
        """
        Each part that calls do without for a while, and whether it is there.
        """

    def trunks() -> dict[str, int]:
        """
        How many trunks are ``up``, ``degraded`` and ``down``.
        """

    def status() -> dict[str, Any]:
        """
        Version, since when it runs, sockets, counts of calls, registrations and trunks, the state of the database.
        """


class IStatistics(Interface):
    """
    Counts over the call records.
    """

    async def statistics() -> dict[str, Any]:
        """
        Today's and the last days' calls by disposition, their time and their quality.
        """


class Status:
    """
    The resource.
    """

    def __init__(self, status: Any, statistics: Any) -> None:
        """
        A resource over an :class:`IStatus` and an :class:`IStatistics`.
        """
        self._status = status
        self._statistics = statistics

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        return [
            Route("GET", "/live", self._live, is_open=True),
            Route("GET", "/ready", self._ready, is_open=True),
            Route("GET", "/api/status", self._show),
            Route("GET", "/api/statistics", self._count),
        ]

    async def _live(self, ask: Ask) -> object:
        return {"status": "live"}

    async def _ready(self, ask: Ask) -> object:
        needed = self._status.ready()
        missing = [name for name, is_there in needed.items() if not is_there]
        checks = {**needed, **self._status.beside()}
        if missing:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"Not ready: {', '.join(missing)}.", checks=checks)
        return {"status": "ready", "checks": checks}

    async def _show(self, ask: Ask) -> object:
        return self._status.status()

    async def _count(self, ask: Ask) -> object:
        return {**await self._statistics.statistics(), "trunks": self._status.trunks()}
