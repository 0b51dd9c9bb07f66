"""
A live call as the API shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pbx.calls.record import stamp

if TYPE_CHECKING:
    from pbx.calls.call import Call


def shown(call: Call) -> dict[str, Any]:
    """
    Describe a call in JSON values.
    """
    legs = []
    for leg in call.legs:
        if leg.audio is not None:
            quality = leg.audio.closed or leg.audio.session.quality()
            legs.append({
                "party": leg.party, "trunk": leg.trunk, "state": leg.state.value, "codec": leg.audio.codec,
                "address": leg.flow.name, "on_hold": leg.audio.held_by_peer, "quality": quality.as_dict(),
            })
    ratings = [leg["quality"]["mos"] for leg in legs if leg["quality"]["mos"] is not None]  # type: ignore[index]
    bridge = call.joint.bridge if call.joint is not None else None
    return {
        "id": call.id,
        "caller": call.party,
        "caller_name": call.caller.name,
        "callee": call.number,
        "state": call.state,
        "since": stamp(call.began),
        "answered": None if call.answered is None else stamp(call.answered),
        "place": call.place,
        "media_path": None if bridge is None else bridge.state,
        "media_reason": None if bridge is None else bridge.reason,
        "mos": min(ratings) if ratings else None,
        "legs": legs,
    }
