"""
Which leg a Replaces header means, and an INVITE that takes its place (RFC 3891).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.calls.inbound import InboundLeg
from pbx.calls.leg import LegState
from pbx.calls.outbound import OutboundLeg
from pbx.calls.pickup import pick_up, replace
from pbx.media.ports import PortsExhausted
from pbx.sip.message import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pbx.calls.call import Call
    from pbx.calls.leg import Leg
    from pbx.calls.tools import CallTools
    from pbx.sip.replaces import Replaces


def leg_replaced(calls: Iterable[Call], replaces: Replaces) -> tuple[Call, Leg] | None:
    """
    The leg whose dialog is meant, with its call.

    The dialog is told by its Call-ID and both its tags, whichever of them is called local: phones name it as they see
    it, and a key that was told of it as we do.
    """
    wanted = {replaces.to_tag, replaces.from_tag}
    for call in calls:
        for leg in call.legs:
            if leg.sip_call_id == replaces.call_id and leg.state is not LegState.ENDED:
                ours, theirs = leg.tags
                if ours in wanted and (not theirs or theirs & wanted):
                    return call, leg
    return None


def take_place(tools: CallTools, call: Call, leg: Leg, own: Call, replaces: Replaces) -> None:
    """
    Put the caller of a new call in the place of a leg (RFC 3891 3).

    Args:
        tools: What the calls are built with.
        call: The call of the leg.
        leg: The leg to be replaced.
        own: The new call.
        replaces: What its INVITE asked for.

    Raises:
        ProtocolError: 486 when only an early dialog was meant, 481 for one that can't be replaced, 403 for somebody
            else's.
    """
    if isinstance(leg, OutboundLeg) and leg.state in (LegState.TRYING, LegState.RINGING):
        _open(tools, own)
        pick_up(call, own, own.near)
        return
    if leg.state is not LegState.UP:
        # RFC 3891 3: an early dialog that we did not begin.
        raise ProtocolError(481, "Call/Transaction Does Not Exist")
    if replaces.early_only:
        raise ProtocolError(486, "Busy Here")
    if leg.party != own.party or call.across(leg) is None:
        raise ProtocolError(403, "Forbidden")
    _open(tools, own)
    replace(call, leg, own, own.near)


def _open(tools: CallTools, own: Call) -> None:
    if isinstance(own.near, InboundLeg):
        try:
            own.near.open(tools.engine, srtp_in_clear=tools.settings.srtp_in_clear)
        except PortsExhausted as error:
            raise ProtocolError(503, "No media port free") from error
