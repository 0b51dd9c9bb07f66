"""
The places that a caller can be sent to besides a phone, and what such a place sees of the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import Attribute, Interface

from pbx.directory.decision import Destination, Diversion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pbx.calls.outbound import CallerIdentity
    from pbx.directory.outside import Outgoing
    from pbx.media.terminal import Terminal


class IDestination(Interface):
    """
    A place such as voicemail, a menu or a conference room.
    """

    async def take(visit: IVisit) -> Destination | None:  # noqa: N805
        """
        Serve a caller from its arrival until it leaves.

        It is cancelled (:class:`~twisted.internet.defer.CancelledError` at an ``await``) when the caller hangs up or is
        taken away: clean up in ``finally``.

        Returns:
            Where the caller goes from here; ``None`` when it is done, so that a caller still there is hung up on.
        """


@frozen
class Branch:
    """
    An extension to ring as one of several.

    Attributes:
        number: The extension's number.
        after: Seconds until it begins to ring.
        lasting: Seconds that it rings, ``None`` for as long as the whole lasts.
        confirm: Asked on its terminal when it is picked up, before it gets the caller: ``False`` refuses the call.
        outgoing: For a number beyond the house: the trunks, and how each is called.
    """

    number: str
    after: float = 0.0
    lasting: float | None = None
    confirm: Callable[[Terminal], Awaitable[bool]] | None = None
    outgoing: Outgoing | None = None


@frozen
class Rung:
    """
    What came of ringing.

    Attributes:
        answered: Whether somebody has the caller now; then there is nothing more to do.
        by: The number that answered.
        status: Else the SIP status that describes it best: 486 busy, 480 nobody there or no answer, 603 declined.
        text: Likewise in words.
    """

    answered: bool
    by: str = ""
    status: int = 480
    text: str = "No answer"


class IVisit(Interface):
    """
    A caller that is somewhere, as the place sees it.
    """

    call_id: str = Attribute("The call's identifier, for the log.")
    caller: CallerIdentity = Attribute("Who calls: number, name, and whether it wants to stay unknown.")
    number: str = Attribute("What the caller dialled at first.")
    destination: Destination = Attribute("Where it was sent: kind and target.")
    diversions: tuple[Diversion, ...] = Attribute("The steps by which it came here, the first first.")
    language: str = Attribute("The language of prompts, such as ``en``; may be set, and holds for the places after.")
    terminal: Terminal = Attribute("What the caller hears and says; only once it was answered or called early.")

    async def answer() -> Terminal:
        """
        Answer the call, if that has not been done yet.

        Raises:
            ProtocolError: The caller has no codec that we know.
        """

    def early() -> Terminal | None:
        """
        Let an unanswered caller hear us (183 with a description); ``None`` where it can't.
        """

    def note(reason: str) -> None:  # noqa: N805
        """
        Add a step to the call's trace and record, in words: ``menu 500: the caller pressed 2``.
        """

    async def ring(branches: Sequence[Branch], timeout: float) -> Rung:  # noqa: N805
        """
        Ring extensions for the caller, who hears ringback meanwhile.

        The first to answer has the caller. Phones of one branch ring together; a branch without a registered phone
        counts as failed at once.
        """

    def refuse(status: int, cause: int, text: str) -> None:  # noqa: N805
        """
        End the call for a reason: an unanswered one with a SIP status, an answered one with BYE.
        """
