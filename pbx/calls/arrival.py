"""
A call that comes in over a trunk, before it is decided about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from pbx.calls.caller import numbers_of, stranger
from pbx.directory.decision import RouteRequest
from pbx.sip.dialled import dialled_number
from pbx.sip.diversion import Diversion
from pbx.sip.message import ProtocolError

if TYPE_CHECKING:
    from pbx.calls.beyond import Line
    from pbx.calls.caller import Stranger
    from pbx.directory.situation import Situation
    from pbx.sip.message import Request
    from pbx.transport.flow import Flow

MOST_TOLD = 5
"""Diversions of which the record tells: no call that is forwarded in earnest has more."""


@frozen
class Arrival:
    """
    What is known of a call over a trunk.

    Attributes:
        who: Who calls.
        wanted: What the dialplan is asked.
        notes: What else the provider says of it, in words.
    """

    who: Stranger
    wanted: RouteRequest
    notes: tuple[str, ...] = ()


def arrival(request: Request, flow: Flow, line: Line, situation: Situation) -> Arrival:
    """
    Read what has come over a trunk.

    Args:
        request: The request, outside any dialog.
        flow: By which it came.
        line: The line it has come over.
        situation: The numbers of the house.

    Raises:
        ProtocolError: It is no call, or one that nobody beyond the house may make.
    """
    if request.method == "REFER" or "Replaces" in request.headers:
        # Nobody beyond the house sends calls elsewhere at the expense of somebody in it, or takes one over.
        raise ProtocolError(403, "Forbidden")
    if request.method != "INVITE":
        raise ProtocolError(405, "Method Not Allowed")
    name = line.trunk.name
    who = stranger(request, line.trunk, situation)
    notes = []
    for step in reversed(Diversion.parse_all(request.headers.get_all("Diversion"))[:MOST_TOLD]):
        by = numbers_of(dialled_number(step.uri), name, situation)[0] if not step.private else "somebody"
        notes.append(f"trunk {name} says that {by} sent it on: {step.reason}")
    number = who.called[0] if who.called else ""
    wanted = RouteRequest(
        who.party, number, anonymous=who.face.anonymous, trunk=name, called=who.called, address=flow.remote[0]
    )
    return Arrival(who, wanted, tuple(notes))
