"""
What a caller hears before its call beyond the house is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from pbx.calls.inbound import InboundLeg
from pbx.calls.leg import LegState

if TYPE_CHECKING:
    from collections.abc import Container

    from pbx.calls.leg import Leg
    from pbx.directory.decision import Destination

REFUSAL = "refusal"
"""The kind of place where it is said."""

NOT_ALLOWED, CIRCUITS_BUSY = "call-not-allowed", "call-circuits-busy"


def words_for(refusal: Destination, leg: Leg, places: Container[str]) -> Destination | None:
    """
    Where a caller is sent to hear why it is refused; ``None`` where the refusal alone must do.

    Only phones of the house hear it, before the call is answered: a provider would have its caller pay for it, and a
    phone without an offer hears nothing yet.

    Args:
        refusal: Why.
        leg: The caller's leg.
        places: The kinds of places that there are.
    """
    prompt = NOT_ALLOWED if refusal.status == 403 else CIRCUITS_BUSY if refusal.status == 503 else ""
    if not prompt or REFUSAL not in places or leg.beyond is not None or leg.state is LegState.UP:
        return None
    if not isinstance(leg, InboundLeg) or leg.invite.offer is None:
        return None
    return evolve(refusal, kind=REFUSAL, target=prompt)
