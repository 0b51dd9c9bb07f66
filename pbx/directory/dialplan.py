"""
The dialplan: where a call goes, and why, as pure functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from pbx.directory.decision import (
    CALLED_BACK,
    Decision,
    Destination,
    Diversion,
    Failed,
    Limited,
    Outcome,
    Ring,
    RouteRequest,
    going,
    refused,
)
from pbx.directory.emergency_call import emergency_call, emergency_number
from pbx.directory.handling import PLAIN
from pbx.directory.inbound import entrance, entrance_within
from pbx.directory.numbering import dialled_forms, same
from pbx.directory.outbound import outside
from pbx.directory.own_number import own_number
from pbx.directory.star_call import to_feature

if TYPE_CHECKING:
    from pbx.directory.extension import Extension
    from pbx.directory.inbound import Entrance
    from pbx.directory.situation import Situation

NOWHERE = (403, 404, 503)
"""The refusals for which a forward is ignored: it was never allowed, leads to nobody, or no trunk is up."""

MOST_DIVERSIONS = 5
"""How often one call may be forwarded, so that forwards in a circle end."""

MOST_LED = 5
"""How often inbound routes may lead one call from one number of our own to another."""

LONG = 7
"""Digits from which on a number that nobody has was probably meant for beyond the house."""

SAID: dict[Outcome, str] = {
    "busy": "is busy",
    "no answer": "does not answer",
    "unregistered": "has no phone that can be reached",
    "dnd": "does not want to be disturbed",
    "failed": "could not be rung",
}
"""Each outcome in words, behind the extension's number."""

FORWARDED = {
    "always": "all calls",
    "busy": "when busy",
    "no answer": "when nobody answers",
    "unregistered": "without a phone",
    "dnd": "when busy",
    "failed": "without a phone",
}
"""Which calls a forward takes, in words."""


def decide(request: RouteRequest, situation: Situation) -> Decision:
    """
    Route one call.
    """
    number = request.number
    if request.trunk and not request.route and request.on_behalf is None:
        return _from_outside(request, situation)
    if number in situation.plan.urgent:
        return _urgent(situation.plan.urgent[number], request, situation)
    # Nearly every call is to an extension, and no extension has a star in its number: looking here first changes
    # nothing but the time it takes.
    extension = situation.numbers.extension(number)
    if extension is not None and extension.enabled:
        return _to_extension(extension, request, situation)
    return _elsewhere(request, situation, extension)


def after(
    extension: Extension, outcome: Outcome, request: RouteRequest, situation: Situation, failure: Failed
) -> Decision:
    """
    Decide what follows when an extension could not be reached: a forward, its mailbox, or the failure for the caller.

    Args:
        extension: The one that was tried.
        outcome: What came of it.
        request: By which it was tried: with the diversions up to here.
        situation: As for :func:`decide`.
        failure: What the caller is told when nothing else follows.
    """
    return _after(extension, outcome, request, situation, failure, (f"{extension.number} {SAID[outcome]}",))


def ringing_plan(
    extension: Extension, situation: Situation, request: RouteRequest | None = None
) -> tuple[Ring, ...]:
    """
    Tell which numbers ring for an extension: itself, those together with it, those that follow.

    Each number is another extension that can be reached and does not mind being disturbed, or a number beyond the
    house that the extension may call; its own forwards do not count. None appears twice.

    Args:
        extension: The one that is called.
        situation: As for :func:`decide`.
        request: By which it was called; ``None`` where that is not known.
    """
    return _rings(extension, request or RouteRequest("", extension.number), situation)[0]


def _rings(
    extension: Extension, request: RouteRequest, situation: Situation
) -> tuple[tuple[Ring, ...], tuple[str, ...], tuple[Limited, ...]]:
    """
    The numbers that ring; why others do not; and the limits that those ran into.
    """
    handling = extension.handling
    itself = Ring(extension.number)
    if handling is PLAIN or not (handling.simultaneous or handling.follow_me):
        return (itself,), (), ()
    plan = {extension.number: itself}
    for number in handling.simultaneous:
        plan.setdefault(number, Ring(number))
    for step in handling.follow_me:
        plan.setdefault(step.number, Ring(step.number, step.after, step.lasting, step.confirm))
    rings = [itself]
    reasons: list[str] = []
    limited: list[Limited] = []
    for wanted in [*plan.values()][1:]:
        ring = wanted
        sent_on = _sent_on(request, extension.number, ring.number, "follow me")
        other = situation.numbers.extension(ring.number)
        own = own_number(sent_on, situation) if other is None else ""
        if own:
            # Where it leads first, and no further: each of those may have others ring for it, too.
            target = entrance_within(own, sent_on, situation).target
            other = situation.numbers.extension(target.target) if target and target.kind == "extension" else None
            if other is None:
                reasons.append(f"{ring.number} does not ring for it: it is a number of this house, but no extension's")
                continue
            if any(other.number == each.number for each in rings):
                continue
            ring = evolve(ring, number=other.number)
        if other is not None:
            if other.enabled and not other.handling.dnd and situation.reachable.get(ring.number, 0) > 0:
                rings.append(ring)
            continue
        if is_caller(ring.number, request, situation):
            reasons.append(f"{ring.number} does not ring for it: it is the caller")
            continue
        decision = decide(sent_on, situation)
        limited += decision.limited
        if decision.destination.outgoing is not None:
            # The mailbox of a mobile phone that is off would be the first to answer.
            confirm = ring.confirm or ring.number in handling.simultaneous
            rings.append(evolve(ring, outgoing=decision.destination.outgoing, confirm=confirm))
        else:
            why = decision.reasons[-1] if decision.reasons else "it is nobody who can be called"
            reasons.append(f"{ring.number} does not ring for it: {why}")
    return tuple(rings), tuple(reasons), tuple(limited)


def _sent_on(request: RouteRequest, by: str, to: str, why: str) -> RouteRequest:
    return evolve(request, number=to, on_behalf=by, diversions=(*request.diversions, Diversion(by, why)))


def is_caller(number: str, request: RouteRequest, situation: Situation) -> bool:
    """
    Whether a number that somebody has dialled is that of the caller.
    """
    if not request.trunk:
        return number == request.caller
    # An extension has no say in what a caller from beyond the house claims to be.
    return number not in situation.numbers and same(number, request.caller, situation.plan.site)


def _urgent(number: str, request: RouteRequest, situation: Situation) -> Decision:
    reasons: tuple[str, ...]
    if request.trunk or request.through or any(diversion.reason != "transfer" for diversion in request.diversions):
        reasons = (f"{number} is an emergency number", "calls are not forwarded to emergency numbers")
        return refused(request, reasons, 403, 21, "Calls are not forwarded to emergency numbers")
    destination, reasons = emergency_call(number, request, situation)
    return Decision(destination, reasons, request.diversions, request.on_behalf)


def _from_outside(request: RouteRequest, situation: Situation) -> Decision:
    found = entrance(request, situation)
    if found.emergency:
        back = _called_back(found.emergency, request, situation, found.reasons)
        found = entrance(request, evolve(situation, callbacks={}))
        if back.destination.kind != "refuse" or found.route is None:
            return back
        # It may be the house's main number, whose callers must not hear for hours that nobody is there.
        found = evolve(found, reasons=(*back.reasons, *found.reasons))
    return _by_route(found, request, situation)


def _by_route(found: Entrance, request: RouteRequest, situation: Situation) -> Decision:
    """
    Let an inbound route decide.
    """
    route, target = found.route, found.target
    if route is None or target is None:
        number = found.number or "the number called"
        text = f"nobody here has {number}"
        reasons = (*found.reasons, f"{text}: an inbound route with its DID would lead it somewhere")
        return refused(request, reasons, 404, 1, "Unallocated number")
    through = (*request.through, found.number)
    decision = _led_in(target.kind, evolve(request, route=route.name, number=target.target, through=through), situation)
    return evolve(
        decision, reasons=(*found.reasons, *decision.reasons), route=decision.route or route.name,
        # Whoever calls from within the house is shown under its own name.
        prefix=route.prefix if request.trunk else "",
    )


def _led_in(kind: str, request: RouteRequest, situation: Situation) -> Decision:
    """
    Follow an inbound route to where it leads.
    """
    number = request.number
    if kind == "hangup":
        return Decision(Destination("hangup"), ("it is hung up",), request.diversions)
    if kind == "announcement":
        return going(Destination(kind, number), request, situation, (f"it hears the announcement {number}",))
    extension = situation.numbers.extension(number)
    if kind == "extension":
        if extension is None or not extension.enabled:
            why = f"there is no extension {number}" if extension is None else f"extension {number} is disabled"
            return refused(request, (why,), 404, 1, "Unallocated number")
        return _to_extension(extension, request, situation)
    if kind == "voicemail":
        if extension is None and number not in situation.mailboxes:
            return refused(request, (f"there is no mailbox {number}",), 404, 1, "Unallocated number")
        return going(Destination(kind, number), request, situation, (f"it may leave a message for {number}",))
    if kind == "external" and emergency_number(number, situation):
        return _urgent(number, request, situation)
    if kind == "external":
        return _beyond(request, situation, f"{number!r} is no number beyond the house")
    place = situation.places.place(number)
    if place is None or place.kind != kind:
        why = f"there is no {kind.replace('_', ' ')} {number}"
        return refused(request, (why,), 404, 1, "Unallocated number")
    reasons = (f"{number} is the {kind.replace('_', ' ')} {place.name}",)
    return going(Destination(kind, number), request, situation, reasons)


def _called_back(number: str, request: RouteRequest, situation: Situation, reasons: tuple[str, ...]) -> Decision:
    """
    Ring whoever made an emergency call, whatever it wants done with its calls; or else the desk.
    """
    for target in (number, situation.plan.emergency.desk):
        extension = situation.numbers.extension(target) if target is not None else None
        if extension is not None and situation.reachable.get(extension.number, 0) > 0:
            reasons += (f"{extension.number} rings",)
            return Decision(Destination("extension", extension.number, CALLED_BACK), reasons, request.diversions)
        reasons += (f"{target or 'the desk'} can't be rung",)
    return refused(request, reasons, 480, 20, "Not registered")


def _beyond(request: RouteRequest, situation: Situation, otherwise: str) -> Decision:
    """
    Send a call out of the house, or say why not; one to a number of our own stays in it.
    """
    own = own_number(request, situation)
    if own:
        return _within(own, request, situation)
    found = outside(request, situation)
    if found is None:
        return refused(request, (otherwise, *_hint(request, situation)), 404, 1, "Unallocated number")
    reasons = found.reasons if found.destination.kind == "outside" else (otherwise, *found.reasons)
    return Decision(
        found.destination, reasons, request.diversions, request.on_behalf, request.route, limited=found.limited
    )


def _within(own: str, request: RouteRequest, situation: Situation) -> Decision:
    """
    Decide as the inbound route of a number of our own does, as if the call had gone out and come back.
    """
    again = own in request.through
    if again or len(request.through) >= MOST_LED:
        why = f"it came by {own} already" if again else f"inbound routes have led it on {MOST_LED} times already"
        return refused(request, (why,), 482, 25, "Exchange routing error: sent round in a circle")
    # From here on the route answers for it, as it does for callers from beyond the house.
    return _by_route(entrance_within(own, request, situation), evolve(request, on_behalf=None), situation)


def _hint(request: RouteRequest, situation: Situation) -> tuple[str, ...]:
    plan, number = situation.plan, request.number
    if len(number) < LONG:
        return ()
    if not plan.trunks and not plan.outbound:
        return ("there is no trunk to call beyond the house",)
    prefix = plan.site.outside_prefix
    if prefix and not number.startswith((prefix, "+")):
        return (f"numbers beyond the house are dialled with {prefix} in front",)
    return ()


def _to_extension(extension: Extension, request: RouteRequest, situation: Situation) -> Decision:
    number, handling = extension.number, extension.handling
    phones = situation.reachable.get(number, 0)
    if handling is PLAIN and phones > 0:
        # As nearly every call goes.
        said = (f"{number} is the extension of {extension.name}", f"{phones} of its phones ring")
        return Decision(
            Destination("extension", number), said, request.diversions, request.on_behalf, request.route
        )
    reasons: tuple[str, ...] = (f"{number} is the extension of {extension.name}",)
    rings: tuple[Ring, ...] = ()
    left_out: tuple[str, ...] = ()
    limited: tuple[Limited, ...] = ()
    if handling is not PLAIN:
        entry = _blocked_as(extension, request, situation) if handling.blocked else None
        if entry is not None:
            # The caller is not told: whoever knows that a number is blocked takes another.
            reasons += (f"{number} refuses this caller: {entry} is on its block list",)
            return refused(request, reasons, 486, 17, "Busy here")
        if handling.forward_always is not None:
            decision, reasons, limited = _forward(
                extension, handling.forward_always, "always", request, situation, reasons
            )
            if decision is not None:
                return decision
        if handling.dnd:
            reasons += (f"{number} {SAID['dnd']}",)
            failure = Destination("refuse", status=486, cause=17, text="Do not disturb")
            return _and_limited(_after(extension, "dnd", request, situation, failure, reasons), limited)
        rings, left_out, also_limited = _rings(extension, request, situation)
        limited += also_limited
    if phones == 0:
        reasons += ("none of its phones is registered", *left_out)
        others = rings[1:]
        if not others:
            failure = Destination("refuse", status=480, cause=20, text="Not registered")
            return _and_limited(_after(extension, "unregistered", request, situation, failure, reasons), limited)
        reasons += (f"others ring for it: {', '.join(ring.number for ring in others)}",)
    else:
        reasons += (f"{phones} of its phones ring", *left_out)
    destination = Destination("extension", number)
    return Decision(destination, reasons, request.diversions, request.on_behalf, request.route, limited=limited)


def _blocked_as(extension: Extension, request: RouteRequest, situation: Situation) -> str | None:
    # A number beyond the house stands in a block list as somebody has written it.
    beyond = request.trunk or request.caller.startswith("+")
    written = dialled_forms(request.caller, situation.plan.site) if beyond else (request.caller,)
    return extension.handling.blocks(*written, anonymous=request.anonymous)


def _elsewhere(request: RouteRequest, situation: Situation, extension: Extension | None) -> Decision:
    number = request.number
    if number[:1] in ("*", "#") and number:
        return to_feature(request, situation)
    if extension is not None:
        why = f"extension {number} is disabled"
    else:
        place = situation.places.place(number)
        if place is not None:
            reasons = (f"{number} is the {place.kind.replace('_', ' ')} {place.name}",)
            return going(Destination(place.kind, number), request, situation, reasons)
        if number in situation.mailboxes:
            return going(Destination("voicemail", number), request, situation, (f"{number} is a shared mailbox",))
        emergency = emergency_number(number, situation)
        if emergency:
            return _urgent(emergency, request, situation)
        return _beyond(request, situation, f"{number!r} is no extension")
    return refused(request, (why,), 404, 1, "Unallocated number")


def _after(
    extension: Extension, outcome: Outcome, request: RouteRequest, situation: Situation, failure: Failed,
    reasons: tuple[str, ...],
) -> Decision:
    number, handling = extension.number, extension.handling
    target = {
        "busy": handling.forward_busy,
        "dnd": handling.forward_busy,
        "no answer": handling.forward_no_answer,
        "unregistered": handling.forward_unregistered,
        "failed": handling.forward_unregistered,
    }[outcome]
    limited: tuple[Limited, ...] = ()
    if target is not None:
        decision, reasons, limited = _forward(extension, target, outcome, request, situation, reasons)
        if decision is not None:
            return decision
    if handling.voicemail and "voicemail" in situation.offers:
        reasons += (f"the caller may leave a message for {number}",)
        diversions = (*request.diversions, Diversion(number, outcome))
        return Decision(Destination("voicemail", number), reasons, diversions, number, request.route, limited=limited)
    return _and_limited(refused(request, reasons, failure.status, failure.cause, failure.text), limited)


def _forward(
    extension: Extension, target: str, why: str, request: RouteRequest, situation: Situation, reasons: tuple[str, ...]
) -> tuple[Decision | None, tuple[str, ...], tuple[Limited, ...]]:
    """
    Follow a forward: to a decision, or to ``None`` when it has to be ignored; with the reasons up to there, and with
    the limits for which it is ignored.
    """
    number = extension.number
    said = f"{number} forwards {FORWARDED[why]} to {target}"
    if target == number:
        return None, (*reasons, f"{said}: itself, so ignored"), ()
    if is_caller(target, request, situation):
        # A secretary must be able to reach the one who forwards all calls to the secretary.
        return None, (*reasons, f"{said}: the caller, so ignored"), ()
    if any(target == diversion.number for diversion in request.diversions):
        return None, (*reasons, f"{said}: it came from there, so ignored"), ()
    reasons += (said,)
    if len(request.diversions) >= MOST_DIVERSIONS:
        reasons += (f"it was forwarded {MOST_DIVERSIONS} times already",)
        return refused(request, reasons, 482, 25, "Exchange routing error: forwarded too often"), reasons, ()
    decision = decide(_sent_on(request, number, target, why), situation)
    reasons += decision.reasons
    if decision.destination.kind == "refuse" and decision.destination.status in NOWHERE:
        return None, (*reasons, "the forward leads nowhere, so ignored"), decision.limited
    return evolve(decision, reasons=reasons), reasons, ()


def _and_limited(decision: Decision, limited: tuple[Limited, ...]) -> Decision:
    return evolve(decision, limited=(*limited, *decision.limited)) if limited else decision
