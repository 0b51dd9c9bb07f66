"""
What the dialplan is asked and what it answers, as values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from attrs import frozen

# Not only for types: a Destination that is kept in the database is read by its annotations.
from pbx.directory.outside import Outgoing

if TYPE_CHECKING:
    from pbx.directory.situation import Situation

Outcome: TypeAlias = Literal["busy", "no answer", "unregistered", "dnd", "failed"]
"""What came of trying to reach an extension."""

CALLED_BACK = "emergency"
"""The argument of an extension that the emergency centre calls back: it rings, whatever is wanted with its calls."""


class Failed(Protocol):
    """
    Why ringing came to nothing, as the caller would be told.
    """

    @property
    def status(self) -> int:
        """
        The SIP status.
        """

    @property
    def cause(self) -> int:
        """
        The cause of ITU-T Q.850.
        """

    @property
    def text(self) -> str:
        """
        The reason in words.
        """


@frozen
class Diversion:
    """
    One step by which a call came to somebody else than it was meant for (RFC 5806).

    Attributes:
        number: The extension that diverted it.
        reason: Why: ``always``, ``busy``, ``no answer``, ``unregistered``, ``dnd``, ``transfer`` or ``follow me``.
    """

    number: str
    reason: str


@frozen
class RouteRequest:
    """
    One call to route.

    Attributes:
        caller: The number of whoever calls.
        number: What was dialled, cleaned.
        on_behalf: The extension whose permission and limits apply when it is not the caller's: who forwarded or
            transferred.
        diversions: The steps by which it came here, the first first.
        anonymous: The caller does not say who it is.
        trunk: The trunk that it came in over; empty for the call of an extension.
        called: Where it came in over a trunk, what the provider says was called, the likeliest first: ``number`` is
            the first of these.
        route: The inbound route by which it came to where it is; empty for none.
        address: Where the request of the caller's phone came from, for its location.
        through: The numbers of our own that have led it on, by their inbound routes, the first first.
    """

    caller: str
    number: str
    on_behalf: str | None = None
    diversions: tuple[Diversion, ...] = ()
    anonymous: bool = False
    trunk: str = ""
    called: tuple[str, ...] = ()
    route: str = ""
    address: str = ""
    through: tuple[str, ...] = ()


@frozen
class Destination:
    """
    A place to send a call to.

    Attributes:
        kind: ``extension``, ``ring_group``, ``menu``, ``conference``, ``voicemail`` (to leave a message), ``mailbox``
            (to hear messages), ``announcement``, ``directory`` (to dial by name), ``star``, ``pickup``,
            ``night_switch``, ``outside`` (beyond the house), ``hangup`` or ``refuse``; from a place also ``number``,
            which the dialplan is asked about.
        target: The number; for ``announcement`` the prompt, for ``star`` the feature, for ``night_switch`` its digits.
        argument: For ``star``: what was dialled behind the code. For ``extension``: ``emergency`` when the emergency
            centre calls it back, whatever it wants done with its calls. For ``number``: the extension on whose behalf
            it is called.
        status: For ``refuse``: the SIP status.
        cause: For ``refuse``: the cause of ITU-T Q.850.
        text: For ``refuse``: the reason in words.
        outgoing: For ``outside``: the trunks, and how each is called.
    """

    kind: str
    target: str = ""
    argument: str = ""
    status: int = 0
    cause: int = 0
    text: str = ""
    outgoing: Outgoing | None = None


@frozen
class Limited:
    """
    A call beyond the house that a toll-fraud limit did not let through: somebody is told of it.

    Attributes:
        payer: The extension, or the inbound route, whose limit it is.
        limit: Which: ``classes``, ``blocked``, ``hours``, ``concurrent``, ``minutes`` or ``spend``.
        number: What was called.
        text: Why not, in words.
    """

    payer: str
    limit: str
    number: str
    text: str


@frozen
class Decision:
    """
    Where a call goes, and why.

    Attributes:
        destination: Where.
        reasons: The steps that led there, in order, in words.
        diversions: Those of the request and those that the plan added, the first first.
        on_behalf: The extension whose permission and limits apply from here, or ``None`` for the caller's.
        route: The inbound route whose permission applies from here; empty for none.
        prefix: What an inbound route puts before the caller's name.
        limited: The toll-fraud limits that it ran into, also by a forward that was ignored for it.
    """

    destination: Destination
    reasons: tuple[str, ...]
    diversions: tuple[Diversion, ...] = ()
    on_behalf: str | None = None
    route: str = ""
    prefix: str = ""
    limited: tuple[Limited, ...] = ()


@frozen
class Ring:
    """
    One of the numbers that ring for an extension.

    Attributes:
        number: The extension to ring, or the number beyond the house.
        after: Seconds until it begins.
        lasting: Seconds that it rings, ``None`` for as long as the whole.
        confirm: Whoever picks up is asked for a key before getting the caller.
        outgoing: For a number beyond the house: the trunks, and how each is called.
    """

    number: str
    after: int = 0
    lasting: int | None = None
    confirm: bool = False
    outgoing: Outgoing | None = None


def going(
    destination: Destination, request: RouteRequest, situation: Situation, reasons: tuple[str, ...]
) -> Decision:
    """
    Send a call to a place, if there is any of the kind.
    """
    if destination.kind not in situation.offers:
        reasons += (f"there is no {destination.kind.replace('_', ' ')} on this exchange",)
        return refused(request, reasons, 404, 1, "Unallocated number")
    return Decision(destination, reasons, request.diversions, request.on_behalf, request.route)


def refused(request: RouteRequest, reasons: tuple[str, ...], status: int, cause: int, text: str) -> Decision:
    """
    Send a call nowhere, and say why.
    """
    destination = Destination("refuse", status=status, cause=cause, text=text)
    return Decision(destination, reasons, request.diversions, request.on_behalf, request.route)
