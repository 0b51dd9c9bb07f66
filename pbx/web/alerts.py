"""
``/api/alerts``: what somebody must see to, and who took note of it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pbx.calls.record import stamp
from pbx.web.problems import Problem
from pbx.web.routes import Ask, Route

if TYPE_CHECKING:
    from pbx.store.alerts import Alert


class Which(msgspec.Struct, frozen=True):
    """
    Which alerts are listed.
    """

    state: Literal["open", "all"] = "open"


def shown(alert: Alert) -> dict[str, Any]:
    """
    What the API says of an alert.
    """
    return {
        "id": alert.id,
        "kind": alert.kind,
        "subject": alert.subject,
        "text": alert.text,
        "state": "open" if alert.settled is None else "settled",
        "began": stamp(alert.began),
        "changed": stamp(alert.changed),
        "settled": None if alert.settled is None else stamp(alert.settled),
        "outcome": alert.outcome,
        "acknowledged": None if alert.acknowledged is None else stamp(alert.acknowledged),
        "acknowledged_by": alert.acknowledged_by,
        "detail": dict(alert.detail),
    }


class AlertsResource:
    """
    The resource.

    Args:
        alerts: The alerts (:class:`pbx.ops.alerts.Alerts`).
        audit: An :class:`~pbx.web.identity.IAudit`.
    """

    def __init__(self, alerts: Any, audit: Any) -> None:
        self._alerts = alerts
        self._audit = audit

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        return [
            Route("GET", "/api/alerts", self._list, query=Which),
            Route("POST", "/api/alerts/<alert>/acknowledge", self._acknowledge),
        ]

    async def _list(self, ask: Ask) -> object:
        which: Which = ask.query
        return {"alerts": [shown(alert) for alert in self._alerts.list(settled=which.state == "all")]}

    async def _acknowledge(self, ask: Ask) -> object:
        before: Alert | None = self._alerts.get(ask.path["alert"])
        after: Alert | None = self._alerts.acknowledge(ask.path["alert"], ask.actor)
        if before is None or after is None:
            raise Problem(HTTPStatus.NOT_FOUND, f"There is no alert {ask.path['alert']}.")
        if after != before:
            about = f"alert {after.id} ({after.kind} {after.subject})"
            self._audit.wrote(ask.actor, "acknowledge", about, shown(before), shown(after))
        return shown(after)
