"""
A place that does what a test says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from pbx.calls.destination import IDestination, IVisit
from pbx.directory.dialplan import Destination
from pbx.directory.places import Places, Room

Work = Callable[[IVisit], Awaitable[Destination | None]]


@implementer(IDestination)
class Scripted:
    """
    A place that serves its callers by a coroutine function.

    Args:
        work: What it does with a caller.

    Attributes:
        visits: The callers it had.
        gone: How many of them it is done with.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self.visits: list[Any] = []
        self.gone = 0

    async def take(self, visit: Any) -> Destination | None:
        """
        Serve a caller.
        """
        self.visits.append(visit)
        try:
            return await self.work(visit)
        finally:
            self.gone += 1


async def forever(visit: Any) -> Destination | None:
    """
    Answer, play music, and keep the caller.
    """
    terminal = await visit.answer()
    terminal.hold_music("tone:beep")
    await Deferred()
    return None


async def unanswered(visit: Any) -> Destination | None:
    """
    Keep a caller that is not answered.
    """
    await Deferred()
    return None


def room(number: str) -> Room:
    """
    A place with a number.
    """
    return Room(number, f"Room {number}")


def served_by(work: Work) -> tuple[Scripted, dict[str, Any]]:
    """
    A place with the number 800, and what an exchange needs to have it.
    """
    place = Scripted(work)
    return place, {"places": {"conference": place}, "numbers": Places([room("800")])}
