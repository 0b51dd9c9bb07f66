"""
The dialplan: where a call goes, and why, as pure functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from attrs import evolve, frozen

from pbx.directory.handling import PLAIN
from pbx.directory.star_codes import feature_dialled

if TYPE_CHECKING:
    from pbx.directory.extension import Extension
    from pbx.directory.outside import Outgoing
    from pbx.directory.situation import Situation

MOST_DIVERSIONS = 5
"""How often one call may be forwarded, so that forwards in a circle end."""

Outcome: TypeAlias = Literal["busy", "no answer", "unregistered", "dnd", "failed"]
"""What came of trying to reach an extension."""

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


class Failed(Protocol):
    """
    Why ringing came to nothing, as the caller would be told.
    """

    @property
    def status(self) -> int:
        """
        The SIP status.
        """

    @property
    def cause(self) -> int:
        """
        The cause of ITU-T Q.850.
        """

    @property
    def text(self) -> str:
        """
        The reason in words.
        """


@frozen
class Diversion:
    """
    One step by which a call came to somebody else than it was meant for (RFC 5806).

    Attributes:
        number: The extension that diverted it.
        reason: Why: ``always``, ``busy``, ``no answer``, ``unregistered``, ``dnd``, ``transfer`` or ``follow me``.
    """

    number: str
    reason: str


@frozen
class RouteRequest:
    """
    One call to route.

    Attributes:
        caller: The number of whoever calls.
        number: What was dialled, cleaned.
        on_behalf: The extension whose permission and limits apply when it is not the caller's: who forwarded or
            transferred.
        diversions: The steps by which it came here, the first first.
        anonymous: The caller does not say who it is.
        trunk: The trunk that it came in over; empty for the call of an extension.
        called: Where it came in over a trunk, what the provider says was called, the likeliest first: ``number`` is
            the first of these.
        route: The inbound route by which it came to where it is; empty for none.
        address: Where the request of the caller's phone came from, for its location.
    """

    caller: str
    number: str
    on_behalf: str | None = None
    diversions: tuple[Diversion, ...] = ()
    anonymous: bool = False
    trunk: str = ""
    called: tuple[str, ...] = ()
    route: str = ""
    address: str = ""


@frozen
class Destination:
    """
    A place to send a call to.

    Attributes:
        kind: ``extension``, ``ring_group``, ``menu``, ``conference``, ``voicemail`` (to leave a message), ``mailbox``
            (to hear messages), ``announcement``, ``directory`` (to dial by name), ``star``, ``pickup``,
            ``night_switch``, ``outside`` (beyond the house), ``hangup`` or ``refuse``.
        target: The number; for ``announcement`` the prompt, for ``star`` the feature, for ``night_switch`` its digits.
        argument: For ``star``: what was dialled behind the code.
        status: For ``refuse``: the SIP status.
        cause: For ``refuse``: the cause of ITU-T Q.850.
        text: For ``refuse``: the reason in words.
        outgoing: For ``outside``: the trunks, and how each is called.
    """

    kind: str
    target: str = ""
    argument: str = ""
    status: int = 0
    cause: int = 0
    text: str = ""
    outgoing: Outgoing | None = None


@frozen
class Limited:
    """
    A call beyond the house that a toll-fraud limit did not let through: somebody is told of it.

    Attributes:
        payer: The extension, or the inbound route, whose limit it is.
        limit: Which: ``classes``, ``blocked``, ``hours``, ``concurrent``, ``minutes`` or ``spend``.
        number: What was called.
        text: Why not, in words.
    """

    payer: str
    limit: str
    number: str
    text: str


@frozen
class Decision:
    """
    Where a call goes, and why.

    Attributes:
        destination: Where.
        reasons: The steps that led there, in order, in words.
        diversions: Those of the request and those that the plan added, the first first.
        on_behalf: The extension whose permission and limits apply from here, or ``None`` for the caller's.
        route: The inbound route whose permission applies from here; empty for none.
        prefix: What an inbound route puts before the caller's name.
        limited: The toll-fraud limits that it ran into, also by a forward that was ignored for it.
    """

    destination: Destination
    reasons: tuple[str, ...]
    diversions: tuple[Diversion, ...] = ()
    on_behalf: str | None = None
    route: str = ""
    prefix: str = ""
    limited: tuple[Limited, ...] = ()


@frozen
class Ring:
    """
    One of the numbers that ring for an extension.

    Attributes:
        number: The extension to ring.
        after: Seconds until it begins.
        lasting: Seconds that it rings, ``None`` for as long as the whole.
        confirm: Whoever picks up is asked for a key before getting the caller.
    """

    number: str
    after: int = 0
    lasting: int | None = None
    confirm: bool = False


def decide(request: RouteRequest, situation: Situation) -> Decision:
    """
    Route one call.
    """
    # Nearly every call is to an extension, and no extension has a star in its number: looking here first changes
    # nothing but the time it takes.
    extension = situation.numbers.extension(request.number)
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


def ringing_plan(extension: Extension, situation: Situation) -> tuple[Ring, ...]:
    """
    Tell which numbers ring for an extension: itself, those together with it, those that follow.

    Each number is another extension that can be reached and does not mind being disturbed; its own forwards do not
    count. None appears twice.
    """
    handling = extension.handling
    own = Ring(extension.number)
    if handling is PLAIN or not (handling.simultaneous or handling.follow_me):
        return (own,)
    plan = {extension.number: own}
    for number in handling.simultaneous:
        plan.setdefault(number, Ring(number))
    for step in handling.follow_me:
        plan.setdefault(step.number, Ring(step.number, step.after, step.lasting, step.confirm))
    return tuple(ring for ring in plan.values() if ring is own or _can_ring(ring.number, situation))


def _can_ring(number: str, situation: Situation) -> bool:
    extension = situation.numbers.extension(number)
    return (
        extension is not None
        and extension.enabled
        and not extension.handling.dnd
        and situation.reachable.get(number, 0) > 0
    )


def _to_extension(extension: Extension, request: RouteRequest, situation: Situation) -> Decision:
    number, handling = extension.number, extension.handling
    reasons: tuple[str, ...] = (f"{number} is the extension of {extension.name}",)
    if handling is not PLAIN:
        entry = handling.blocks(request.caller, anonymous=request.anonymous)
        if entry is not None:
            # The caller is not told: whoever knows that a number is blocked takes another.
            reasons += (f"{number} refuses this caller: {entry} is on its block list",)
            return _refuse(request, reasons, 486, 17, "Busy here")
        if handling.forward_always is not None:
            decision, reasons = _forward(extension, handling.forward_always, "always", request, situation, reasons)
            if decision is not None:
                return decision
        if handling.dnd:
            reasons += (f"{number} {SAID['dnd']}",)
            failure = Destination("refuse", status=486, cause=17, text="Do not disturb")
            return _after(extension, "dnd", request, situation, failure, reasons)
    phones = situation.reachable.get(number, 0)
    if phones == 0:
        reasons += ("none of its phones is registered",)
        others = ringing_plan(extension, situation)[1:]
        if not others:
            failure = Destination("refuse", status=480, cause=20, text="Not registered")
            return _after(extension, "unregistered", request, situation, failure, reasons)
        reasons += (f"others ring for it: {', '.join(ring.number for ring in others)}",)
    else:
        reasons += (f"{phones} of its phones ring",)
    return Decision(Destination("extension", number), reasons, request.diversions, request.on_behalf)


def _elsewhere(request: RouteRequest, situation: Situation, extension: Extension | None) -> Decision:
    number = request.number
    if number[:1] in ("*", "#") and number:
        return _to_feature(request, situation)
    if extension is not None:
        why = f"extension {number} is disabled"
    else:
        place = situation.places.place(number)
        if place is not None:
            reasons = (f"{number} is the {place.kind.replace('_', ' ')} {place.name}",)
            return _go(Destination(place.kind, number), request, situation, reasons)
        if number in situation.mailboxes:
            return _go(Destination("voicemail", number), request, situation, (f"{number} is a shared mailbox",))
        why = f"{number!r} is no extension"
    return _refuse(request, (why,), 404, 1, "Unallocated number")


def _to_feature(request: RouteRequest, situation: Situation) -> Decision:
    number = request.number
    found = feature_dialled(number, situation.star_codes, situation.numbers)
    if found is None:
        return _refuse(request, (f"{number!r} is no star code",), 404, 1, "Unallocated number")
    name, argument = found
    if request.diversions or request.on_behalf not in (None, request.caller):
        # Else a caller could be sent to switch something at its own extension, or to mailboxes by other people's leave.
        reasons = (f"{number} is the star code of {name}", "nobody can be sent to a star code by somebody else")
        return _refuse(request, reasons, 403, 21, "Not allowed")
    if name == "voicemail":
        destination = Destination("mailbox", request.caller)
    elif name == "voicemail_any":
        destination = Destination("mailbox")
    elif name == "voicemail_of":
        destination = Destination("mailbox", argument)
    elif name == "pickup_group":
        destination = Destination("pickup")
    elif name == "directory":
        destination = Destination("directory")
    elif name == "night_switch":
        destination = Destination("night_switch", argument)
    elif name == "pickup" and argument:
        destination = Destination("pickup", argument)
    else:
        destination = Destination("star", name, argument)
    return _go(destination, request, situation, (f"{number} is the star code of {name}",))


def _go(
    destination: Destination, request: RouteRequest, situation: Situation, reasons: tuple[str, ...]
) -> Decision:
    if destination.kind not in situation.offers:
        reasons += (f"there is no {destination.kind.replace('_', ' ')} on this exchange",)
        return _refuse(request, reasons, 404, 1, "Unallocated number")
    return Decision(destination, reasons, request.diversions, request.on_behalf)


def _refuse(request: RouteRequest, reasons: tuple[str, ...], status: int, cause: int, text: str) -> Decision:
    destination = Destination("refuse", status=status, cause=cause, text=text)
    return Decision(destination, reasons, request.diversions, request.on_behalf)


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
    if target is not None:
        decision, reasons = _forward(extension, target, outcome, request, situation, reasons)
        if decision is not None:
            return decision
    if handling.voicemail and "voicemail" in situation.offers:
        reasons += (f"the caller may leave a message for {number}",)
        diversions = (*request.diversions, Diversion(number, outcome))
        return Decision(Destination("voicemail", number), reasons, diversions, number)
    return _refuse(request, reasons, failure.status, failure.cause, failure.text)


def _forward(
    extension: Extension, target: str, why: str, request: RouteRequest, situation: Situation, reasons: tuple[str, ...]
) -> tuple[Decision | None, tuple[str, ...]]:
    """
    Follow a forward: to a decision, or to ``None`` when it has to be ignored; with the reasons up to there.
    """
    number = extension.number
    said = f"{number} forwards {FORWARDED[why]} to {target}"
    if target == number:
        return None, (*reasons, f"{said}: itself, so ignored")
    if target == request.caller:
        # A secretary must be able to reach the one who forwards all calls to the secretary.
        return None, (*reasons, f"{said}: the caller, so ignored")
    if any(target == diversion.number for diversion in request.diversions):
        return None, (*reasons, f"{said}: it came from there, so ignored")
    reasons += (said,)
    if len(request.diversions) >= MOST_DIVERSIONS:
        reasons += (f"it was forwarded {MOST_DIVERSIONS} times already",)
        return _refuse(request, reasons, 482, 25, "Exchange routing error: forwarded too often"), reasons
    diversions = (*request.diversions, Diversion(number, why))
    forwarded = evolve(request, number=target, on_behalf=number, diversions=diversions)
    decision = decide(forwarded, situation)
    reasons += decision.reasons
    if decision.destination.kind == "refuse" and decision.destination.status in (403, 404):
        return None, (*reasons, "the forward leads nowhere, so ignored")
    return evolve(decision, reasons=reasons), reasons
