"""
Places that do what a test says, and the exchange that has them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface import implementer

from pbx.calls.destination import IDestination, IVisit
from pbx.directory.decision import Destination
from pbx.directory.handling import Handling
from pbx.directory.places import Places, Room
from pbx.sip.message import Request
from tests.calls.phone import Phone
from tests.calls.test_transfer import TransferCase

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


class VisitCase(TransferCase):
    """
    An exchange with places of a test's own.
    """

    def serve(self, work: Work, kind: str = "conference", **others: Work) -> Scripted:
        """
        Have a place with the number 800, and others by kind.
        """
        places = {kind: Scripted(work), **{name: Scripted(each) for name, each in others.items()}}
        self.features(places=places, numbers=Places([room("800")]), star_codes={"**": "pickup", "*97": "voicemail"})
        return places[kind]

    def enter(self, phone: Phone, number: str = "800", **options: Any) -> Request:
        """
        Call a place and be answered.
        """
        invite = phone.call(number, **options)
        self.network.advance(0.1)
        answer = phone.last("INVITE")
        self.assertEqual(answer.status, 200)
        phone.acknowledge(invite, answer)
        return invite

    def leave(self, phone: Phone, invite: Request, cseq: int = 40) -> None:
        """
        Hang up what a phone has called.
        """
        phone.send(phone.within("BYE", invite, phone.last("INVITE"), cseq=cseq))
        self.network.advance(0.1)

    def handle(self, number: str, **handling: Any) -> None:
        """
        Set what an extension wants.
        """
        extension = self.exchange.directory.extension(number)
        assert extension is not None
        self.exchange.directory.put(evolve(extension, handling=Handling(**handling)))

    def heard_of_us(self, phone: Phone, seconds: float = 0.5) -> int:
        """
        How many packets a phone is sent meanwhile.
        """
        before = len(phone.media)
        self.network.advance(seconds)
        return len(phone.media) - before
