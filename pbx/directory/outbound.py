"""
The way out: which outbound route takes a call, whether it may be made, and over which trunks.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from attrs import frozen

from pbx.directory import numbering, toll
from pbx.directory.decision import Destination, Limited
from pbx.directory.handling import ANONYMOUS
from pbx.directory.opening import opening_of
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.outside import Outgoing, Way
from pbx.directory.pattern import any_matches
from pbx.directory.rates import cost, rate_of
from pbx.directory.trunk import IDLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pbx.directory.decision import RouteRequest
    from pbx.directory.numbering import PublicNumber
    from pbx.directory.plan import Plan, Site
    from pbx.directory.rates import Rate
    from pbx.directory.situation import Situation
    from pbx.directory.toll import Payer
    from pbx.directory.trunk import Trunk

USUAL_CALL = 180
"""Seconds of the call by which trunks are compared: connection fee and increments count, as they do on the bill."""

ALL_TRUNKS = OutboundRoute("all trunks")
"""The route that an exchange has which has none of its own."""

SHORTEST = 3
"""Digits that a number has at least which nobody here has, and which goes out over :data:`ALL_TRUNKS`."""

MOST_NAMED = 5
"""Routes that are named of those that do not match: who has more does not read them all."""


@frozen
class Outside:
    """
    What comes of a number beyond the house.

    Attributes:
        destination: Where the call goes, or that it is refused.
        reasons: Why, in words.
        limited: The limits that it ran into.
    """

    destination: Destination
    reasons: tuple[str, ...]
    limited: tuple[Limited, ...] = ()


def outside(request: RouteRequest, situation: Situation) -> Outside | None:
    """
    Find the way out for what was dialled; ``None`` when it is no number beyond the house.
    """
    plan = situation.plan
    number = without_prefix(request.number, plan)
    if number is None:
        return None
    reasons: list[str] = []
    found = route_of(number, request, situation, reasons)
    if found is None:
        if not plan.outbound:
            return None
        return _refused(404, 1, f"no outbound route takes {number}", reasons)
    route, made = found
    if not numbering.is_dialable(made):
        return _refused(404, 1, f"outbound route {route.name} makes of it {made!r}, which is no number", reasons)
    public = numbering.dialled(made, plan.site)
    call_class = route.call_class or public.call_class
    payer = toll.payer_of(request, situation)
    if isinstance(payer, toll.Denied):
        if route is ALL_TRUNKS and call_class == "unknown":
            # Rather a wrong number within the house than one beyond it.
            return None
        return _refused(403, 21, payer.text, reasons)
    reasons.append(f"{public.known} is {_article(call_class)} {call_class} number")
    refusal = toll.denied(payer, public, call_class, situation)
    if refusal is not None:
        limited = Limited(payer.name, refusal.limit, public.known, refusal.text)
        return _refused(403, 21, refusal.text, reasons, (limited,))
    usable = _trunks(route, public, situation, reasons)
    if not usable:
        full = any(" is full " in reason for reason in reasons)
        text = "all trunks are full" if full else "no trunk is up" if plan.by_priority else "there is no trunk"
        return _refused(503, 34 if full else 38, text, reasons)
    ways = tuple(
        Way(
            trunk.name, number_for(trunk, public, made), _shown(request, payer, route, trunk, plan.site),
            None if rate is None else rate.rate,
        )
        for trunk, rate in usable
    )
    reasons.append(f"over {', then '.join(way.trunk for way in ways)}")
    longest = toll.longest(payer, (rate for _, rate in usable), situation)
    outgoing = Outgoing(public.known, call_class, route.name, ways, longest, payer=payer.name)
    return Outside(Destination("outside", public.known, outgoing=outgoing), tuple(reasons))


def number_for(trunk: Trunk, public: PublicNumber, made: str) -> str:
    """
    A number as a trunk wants it.

    Args:
        trunk: The trunk.
        public: The number as the public network knows it.
        made: The number as the route made it.
    """
    if trunk.number_format == "e164":
        return public.e164 or made
    if trunk.number_format == "national":
        return public.national or made
    return made


def shown_as(trunk: Trunk, caller: str, site: Site) -> str:
    """
    A caller's number as a trunk wants it; one that is not written in E.164 stays as it is.
    """
    return number_for(trunk, numbering.dialled(caller, site), caller) if caller.startswith("+") else caller


def without_prefix(number: str, plan: Plan) -> str | None:
    """
    What was dialled for a number beyond the house, without outside prefix; ``None`` where it is none.
    """
    if not plan.trunks and not plan.outbound:
        return None
    prefix = plan.site.outside_prefix
    # Phones that send a number as a whole send the key that ended it, too.
    number = number.removesuffix("#")
    if prefix and not number.startswith("+"):
        if not number.startswith(prefix):
            return None
        number = number[len(prefix):]
    return number if number and numbering.is_dialable(number) else None


def route_of(
    number: str, request: RouteRequest, situation: Situation, reasons: list[str]
) -> tuple[OutboundRoute, str] | None:
    """
    The route that takes a number, and what it makes of it.
    """
    plan = situation.plan
    if not plan.outbound:
        public = numbering.dialled(number, plan.site)
        if not public.e164 and (len(number) < SHORTEST or not number.removeprefix("+").isdigit()):
            return None
        reasons.append("there are no outbound routes: all trunks are tried by priority")
        return ALL_TRUNKS, number
    # First as it was dialled, then as others write it: who returns a missed call dials E.164.
    public = numbering.dialled(number, plan.site)
    for written in dict.fromkeys((number, public.e164, public.national)):
        if not written:
            continue
        seen: set[str] = set()
        for route in plan.outbound.by_pattern.matching(written):
            if route.name in seen:
                continue
            seen.add(route.name)
            why_not = _closed(route, request, situation)
            if why_not:
                reasons.append(f"route {route.name}: {why_not}")
                continue
            said = written if written == number else f"{number} as {written}"
            reasons.append(f"outbound route {route.name} takes {said}")
            return route, route.prepend + written[route.strip:]
    others = [*islice((route.name for route in plan.outbound if route.enabled), MOST_NAMED + 1)]
    said = ", ".join(others[:MOST_NAMED]) + (" and others" if len(others) > MOST_NAMED else "")
    reasons.append(f"{number} matches no outbound route that is open to it (there are {said or 'none'})")
    return None


def _closed(route: OutboundRoute, request: RouteRequest, situation: Situation) -> str:
    if route.callers and not any_matches(route.callers, request.on_behalf or ("" if request.trunk else request.caller)):
        return f"it is only for {', '.join(route.callers)}"
    if route.time is not None:
        opened = opening_of(route.time, situation)
        if opened is None:
            return f"there is no time condition {route.time}"
        if not opened.is_open:
            return opened.reason
    return ""


def _trunks(
    route: OutboundRoute, public: PublicNumber, situation: Situation, reasons: list[str]
) -> Sequence[tuple[Trunk, Rate | None]]:
    """
    The trunks that a route may use now in the order of trying, each with what it costs.
    """
    plan = situation.plan
    usable: list[tuple[Trunk, Rate | None, bool]] = []
    for trunk in _named(route, plan, reasons):
        state = situation.trunks.get(trunk.name, IDLE)
        if state.health == "down":
            reasons.append(f"trunk {trunk.name} is down{f': {state.reason}' if state.reason else ''}")
        elif trunk.max_channels is not None and state.channels >= trunk.max_channels:
            reasons.append(f"trunk {trunk.name} is full ({state.channels} of {trunk.max_channels} channels)")
        else:
            degraded = state.health == "degraded"
            rate = rate_of(plan.rates.get(trunk.name, {}), public.priced)
            usable.append((trunk, rate, degraded))
            if degraded:
                reasons.append(f"trunk {trunk.name} is degraded{f': {state.reason}' if state.reason else ''}")
    if route.least_cost:
        usable.sort(key=lambda each: _price(each[1]))
        known = [f"{trunk.name} {cost(rate, USUAL_CALL):f}" for trunk, rate, _ in usable if rate is not None]
        if known:
            reasons.append(f"a call of {USUAL_CALL // 60} minutes costs: {', '.join(known)}")
    usable.sort(key=lambda each: each[2])
    return [(trunk, rate) for trunk, rate, _ in usable]


def _named(route: OutboundRoute, plan: Plan, reasons: list[str]) -> Iterable[Trunk]:
    if not route.trunks:
        yield from plan.by_priority
        return
    for name in dict.fromkeys(route.trunks):
        trunk = plan.trunks.get(name)
        if trunk is None:
            reasons.append(f"there is no trunk {name}")
        elif not trunk.enabled:
            reasons.append(f"trunk {name} is disabled")
        else:
            yield trunk


def _price(rate: Rate | None) -> tuple[bool, float]:
    return (True, 0.0) if rate is None else (False, float(cost(rate, USUAL_CALL)))


def _shown(request: RouteRequest, payer: Payer, route: OutboundRoute, trunk: Trunk, site: Site) -> str:
    if request.anonymous:
        return ""
    caller = request.caller.partition("@")[0]
    if request.trunk and trunk.diversion and caller not in ("", ANONYMOUS):
        return shown_as(trunk, caller, site)
    own = payer.extension.number if payer.extension is not None else ""
    return shown_as(trunk, route.caller_id or payer.permissions.caller_id or trunk.caller_id or own, site)


def _refused(
    status: int, cause: int, text: str, reasons: list[str], limited: tuple[Limited, ...] = ()
) -> Outside:
    destination = Destination("refuse", status=status, cause=cause, text=text)
    return Outside(destination, (*reasons, text), limited)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
