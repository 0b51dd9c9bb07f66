"""
The way in: which inbound route takes a call that comes over a trunk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from pbx.directory import numbering
from pbx.directory.handling import ANONYMOUS
from pbx.directory.opening import opening_of
from pbx.directory.pattern import any_matches, names_numbers

if TYPE_CHECKING:
    from pbx.directory.decision import RouteRequest
    from pbx.directory.inbound_route import InboundRoute, Target
    from pbx.directory.plan import Plan
    from pbx.directory.situation import Situation


@frozen
class Entrance:
    """
    How a call comes in.

    Attributes:
        number: The number that was called, E.164 where that is known; empty where nothing says it.
        reasons: What was found, in words.
        route: The inbound route that takes it, ``None`` for none.
        target: Where that leads.
        emergency: The extension that the emergency centre calls back; empty otherwise.
    """

    number: str
    reasons: tuple[str, ...]
    route: InboundRoute | None = None
    target: Target | None = None
    emergency: str = ""


def entrance(request: RouteRequest, situation: Situation) -> Entrance:
    """
    Find out which number was called, and which inbound route takes the call.
    """
    plan = situation.plan
    called = tuple(dict.fromkeys(number for number in request.called or (request.number,) if number))
    for candidate in called:
        for number in numbering.writings(candidate, plan.site):
            emergency = situation.callbacks.get(number, "")
            if emergency:
                reason = f"{number} was called: the emergency centre calls {emergency} back"
                return Entrance(number, (reason,), emergency=emergency)
    trunk = plan.trunks.get(request.trunk)
    reasons: list[str] = []
    if trunk is not None and trunk.dids:
        ours = [each for each in called if any_matches(trunk.dids, *numbering.writings(each, plan.site))]
        if not ours:
            said = ", ".join(called) or "no number"
            return Entrance(_known(called, plan), (f"{said} is none of the numbers of trunk {trunk.name}",))
        called = tuple(ours)
    number = _did(called, plan)
    known = numbering.received(number, plan.site).known if number else ""
    reasons.append(f"{known or 'no number'} was called over {request.trunk}")
    return _through(number, known, request, situation, reasons)


def entrance_within(number: str, request: RouteRequest, situation: Situation) -> Entrance:
    """
    Find out which inbound route takes a call to a number of our own that comes over no trunk.

    Args:
        number: The number, E.164.
        request: The call.
        situation: As it is now.
    """
    reasons = [f"{number} is a number of this house: the call stays in it"]
    return _through(number, number, request, situation, reasons, within=True)


def number_beyond(number: str, trunk: str, situation: Situation) -> str:
    """
    Whom a number beyond the house stands for, as a provider names a caller: E.164 where that is known.

    Nobody beyond the house is ever taken for an extension or a place: ``1001`` over trunk Primary is ``1001@Primary``.
    """
    known = numbering.received(number, situation.plan.site).known
    return f"{known}@{trunk}" if situation.is_here(known) else known


def _through(
    number: str, known: str, request: RouteRequest, situation: Situation, reasons: list[str], *, within: bool = False
) -> Entrance:
    """
    The first inbound route that takes a call to a number.
    """
    plan = situation.plan
    for route in plan.inbound.by_did.matching(*(numbering.writings(number, plan.site) if number else ("",))):
        # A route that names a number has it over whichever trunk; one for whatever comes over a trunk waits for that.
        if route.trunk not in (None, request.trunk) and not (within and names_numbers(route.did)):
            reasons.append(f"route {route.name}: it is for calls over {route.trunk}")
            continue
        target, why_not = _target(route, request, situation, reasons)
        if target is not None:
            reasons.append(f"inbound route {route.name} takes it")
            return Entrance(known, tuple(reasons), route, target)
        reasons.append(f"route {route.name}: {why_not}")
    return Entrance(known, tuple(reasons))


def _did(called: tuple[str, ...], plan: Plan) -> str:
    """
    Of what the provider says was called, the first that a route names; else the first.
    """
    for number in called:
        if any(route.did for route in plan.inbound.by_did.matching(*numbering.writings(number, plan.site))):
            return number
    return called[0] if called else ""


def _known(called: tuple[str, ...], plan: Plan) -> str:
    return numbering.received(called[0], plan.site).known if called else ""


def _target(
    route: InboundRoute, request: RouteRequest, situation: Situation, reasons: list[str]
) -> tuple[Target | None, str]:
    """
    Where a route leads that matches by number and trunk; or ``None``, and why it does not take the call.
    """
    if route.caller:
        unknown = request.anonymous or request.caller.partition("@")[0] in ("", ANONYMOUS)
        if route.caller == ANONYMOUS:
            if not unknown:
                return None, "it is for callers who do not say who they are"
        elif unknown:
            return None, f"it is for callers with {route.caller}"
        elif not any_matches((route.caller,), *numbering.writings(request.caller, situation.plan.site)):
            return None, f"{request.caller.partition('@')[0]} does not match {route.caller}"
    if route.time is None:
        return route.destination, ""
    opened = opening_of(route.time, situation)
    if opened is None:
        # Rather a call out of hours than none.
        reasons.append(f"there is no time condition {route.time}, so route {route.name} is open")
        return route.destination, ""
    if opened.is_open:
        reasons.append(opened.reason)
        return route.destination, ""
    if route.closed is None:
        return None, opened.reason
    reasons.append(opened.reason)
    return route.closed, ""
