"""
Where an extension may have its calls sent beyond the house: asked when a forward is set, not when a call comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pbx.directory.decision import Diversion, RouteRequest
from pbx.directory.dialplan import decide
from pbx.directory.inbound import entrance_within
from pbx.directory.own_number import own_number

if TYPE_CHECKING:
    from pbx.directory.situation import Situation

PASSING: Final = frozenset({"concurrent", "minutes", "spend", "hours"})
"""Limits that are reached now and not tomorrow: who forwards calls does so for longer."""

TRUNKS_AWAY: Final = 503
"""The refusal while no trunk is up, which passes too."""

LASTING: Final = (403, 404, 482)
"""The refusals of a number of our own that are no matter of the moment, as being busy is."""


def forwarding_fault(number: str, extension: str, situation: Situation) -> str:
    """
    Why an extension can't have its calls sent to a number beyond the house; empty when it can.

    Args:
        number: The number, as the extension dials it; one that nobody in the house has.
        extension: Whose calls they are, and at whose expense.
        situation: What there is.
    """
    # Nobody in particular calls: what holds for the extension's calls holds for those it sends on.
    request = RouteRequest("", number, extension, (Diversion(extension, "always"),))
    decision = decide(request, situation)
    destination = decision.destination
    if destination.kind == "outside" or destination.status == TRUNKS_AWAY:
        return ""
    if any(limited.limit in PASSING for limited in decision.limited):
        return ""
    own = own_number(request, situation)
    if own:
        target = entrance_within(own, request, situation).target
        if target is not None and (target.kind, target.target) == ("extension", extension):
            return f"it leads to {extension} itself"
        if destination.status not in LASTING:
            return ""
    return decision.reasons[-1]
