"""
``/api/presence`` and ``/api/subscriptions``: what each extension does, and which phones want to be told.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from zope.interface import Interface, implementer

from pbx.calls.record import stamp
from pbx.web.problems import Problem
from pbx.web.routes import Ask, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pbx.dialog.notifier import Notifier
    from pbx.features.presence import ExtensionPresence
    from pbx.features.presence import Presence as Model


class IPresence(Interface):
    """
    What the extensions do.
    """

    def list() -> Iterable[dict[str, Any]]:
        """
        Each with its ``number``, ``name``, ``state``, ``registered``, ``dnd``, ``calls`` and ``since``.
        """

    def get(number: str) -> dict[str, Any] | None:  # noqa: N805
        """
        One of them, with its ``lines``; ``None`` where there is no such extension.
        """

    def subscriptions() -> Iterable[dict[str, Any]]:
        """
        Each with its ``extension``, ``event``, ``resource``, ``address``, ``user_agent``, since when and until when.
        """


@implementer(IPresence)
class LivePresence:
    """
    The presence model and the notifier as the resource wants them.

    Args:
        presence: What the extensions do.
        notifier: Who has subscribed.
        seconds: The reactor's clock.
        wall: The wall clock, seconds since the epoch.
    """

    def __init__(
        self, presence: Model, notifier: Notifier, seconds: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self._presence = presence
        self._notifier = notifier
        self._seconds = seconds
        self._wall = wall

    def list(self) -> Iterable[dict[str, Any]]:
        """
        Every extension's.
        """
        return [_shown(presence) for presence in self._presence.all()]

    def get(self, number: str) -> dict[str, Any] | None:
        """
        One extension's.
        """
        presence = self._presence.of(number)
        if presence is None:
            return None
        lines = [
            {
                "direction": "outbound" if line.direction == "initiator" else "inbound",
                "state": {"trying": "trying", "early": "ringing", "confirmed": "up"}[line.state],
                "peer": None if line.peer.anonymous else line.peer.number,
                "peer_name": None if line.peer.anonymous else line.peer.name,
            }
            for line in self._presence.lines(number)
        ]
        return {**_shown(presence), "lines": lines}

    def subscriptions(self) -> Iterable[dict[str, Any]]:
        """
        Every subscription.
        """
        began = self._wall() - self._seconds()
        return [
            {
                "extension": subscriber.party,
                "event": subscriber.package.name,
                "resource": subscriber.resource,
                "address": subscriber.subscription.dialog.flow.name,
                "user_agent": subscriber.user_agent,
                "since": stamp(subscriber.since),
                "until": stamp(began + subscriber.subscription.until),
            }
            for subscriber in self._notifier.all()
        ]


class Presence:
    """
    The resource.
    """

    def __init__(self, presence: Any) -> None:
        """
        A resource over an :class:`IPresence`.
        """
        self._presence = presence

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        return [
            Route("GET", "/api/presence", self._list),
            Route("GET", "/api/presence/<number>", self._get),
            Route("GET", "/api/subscriptions", self._subscriptions),
        ]

    async def _list(self, ask: Ask) -> object:
        return {"presence": list(self._presence.list())}

    async def _get(self, ask: Ask) -> object:
        number = ask.path["number"]
        found = self._presence.get(number)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, f"There is no extension {number}.")
        return found

    async def _subscriptions(self, ask: Ask) -> object:
        return {"subscriptions": list(self._presence.subscriptions())}


def _shown(presence: ExtensionPresence) -> dict[str, Any]:
    return {
        "number": presence.number,
        "name": presence.name,
        "state": presence.state,
        "registered": presence.registered,
        "dnd": presence.dnd,
        "calls": presence.calls,
        "since": None if presence.since is None else stamp(presence.since),
    }
