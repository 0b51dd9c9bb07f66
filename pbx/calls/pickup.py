"""
Picking up a call that rings elsewhere: by number, within a group, or by the dialog that a BLF key was told of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.calls.inbound import InboundLeg
from pbx.calls.leg import LegState
from pbx.sdp.mapping import Agreed

if TYPE_CHECKING:
    from pbx.calls.call import Call
    from pbx.calls.leg import Leg
    from pbx.calls.tools import CallTools


def find_ringing(tools: CallTools, by: str, number: str) -> Call | None:
    """
    The call that has rung longest at an extension.

    Args:
        tools: The calls and the directory.
        by: The extension that wants to pick up.
        number: Where it rings; empty for any extension of its pickup group.
    """
    directory = tools.router.directory
    own = directory.extension(by)
    group = own.handling.pickup_group if own is not None else None

    def wanted(party: str) -> bool:
        if number:
            return party == number
        other = directory.extension(party)
        return group is not None and party != by and other is not None and other.handling.pickup_group == group

    for call in tools.calls.values():
        # Nobody picks up what rings for itself.
        if call.near.party != by and any(wanted(leg.party) for leg in call.ringing):
            return call
    return None


def pick_up(call: Call, own: Call, leg: Leg) -> None:
    """
    Give the caller of a call that rings to somebody else.

    Args:
        call: The call that rings.
        own: The call by which that was asked; it becomes part of the other.
        leg: Its leg.

    Raises:
        ProtocolError: 488 when the two have no codec in common; it rings on.
    """
    answer(call, leg, call.near)
    call.absorb(own)
    call.note(f"{leg.party} picked the call up")
    call.stop_journey(200, "Call completed elsewhere")
    call.found(leg, None)


def replace(call: Call, old: Leg, own: Call, leg: Leg) -> None:
    """
    Put a phone in the place of one that talks.

    Args:
        call: The call of the one that is replaced.
        old: Its leg.
        own: The call of the one that comes; it becomes part of the other.
        leg: Its leg.

    Raises:
        ProtocolError: 488 when it has no codec in common with who is there; the two talk on.
    """
    across = call.across(old)
    answer(call, leg, across or call.near)
    call.absorb(own)
    call.note(f"another phone of {leg.party} took the call over")
    call.swap(old, across)
    old.hang_up(16, "Replaced")
    call.found(leg, None)


def answer(call: Call, leg: Leg, other: Leg) -> None:
    """
    Answer the phone of somebody who takes a part in a call, unless it is up already.

    Args:
        call: The call.
        leg: The phone's leg.
        other: Who it will talk to.

    Raises:
        ProtocolError: 488 when the two have no codec in common.
    """
    if isinstance(leg, InboundLeg) and leg.state is not LegState.UP:
        formats = tuple(other.onward())
        leg.answer(Agreed(formats, formats), identity=call.identity(other))
