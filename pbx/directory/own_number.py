"""
A number of our own, called from within the house as one beyond it: no trunk has to carry such a call out and back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.directory import numbering
from pbx.directory.emergency_call import emergency_number
from pbx.directory.outbound import route_of, without_prefix
from pbx.directory.pattern import any_matches, names_numbers

if TYPE_CHECKING:
    from pbx.directory.decision import RouteRequest
    from pbx.directory.numbering import PublicNumber
    from pbx.directory.situation import Situation


def own_number(request: RouteRequest, situation: Situation) -> str:
    """
    The number of our own that a call is for, E.164; empty for none.

    Only what is dialled as a number of the public network can be one: a short number that a provider sends us may be
    another exchange's when we dial it.
    """
    plan = situation.plan
    number = without_prefix(request.number, plan)
    if number is None or emergency_number(request.number, situation):
        return ""
    public = numbering.dialled(number, plan.site)
    if not public.e164:
        return ""
    # One by which the call came in is ours, whoever names it.
    ours = public.e164 in request.through or plan.own.matching(*numbering.writings(public.e164, plan.site))
    return public.e164 if ours and not _is_sent_out(number, public, request, situation) else ""


def _is_sent_out(number: str, public: PublicNumber, request: RouteRequest, situation: Situation) -> bool:
    """
    Whether somebody wants it to go out: an outbound route takes what was dialled for a prefix of its own, and another
    number behind it; or it names the number, and the trunks to where that has gone, such as a branch office.
    """
    found = route_of(number, request, situation, [])
    if found is None:
        return False
    route, made = found
    site = situation.plan.site
    if route.trunks and any_matches(filter(names_numbers, route.patterns), number, *numbering.writings(number, site)):
        return True
    # Where a route puts the code of a carrier in front, it is the same number still.
    same = numbering.dialled(made, site).e164 == public.e164
    return not same and not made.endswith(public.national.lstrip("0") or public.e164)
