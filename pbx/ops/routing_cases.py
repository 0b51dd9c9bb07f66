"""
Routing cases: calls with what is expected of them, checked against a plan without placing one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from pbx.directory.decision import Decision, Diversion
from pbx.directory.dialplan import decide, ringing_plan
from pbx.directory.handling import MOST_BLOCKED, MOST_SIMULTANEOUS
from pbx.directory.simulation import call, followed, then, time_at
from pbx.ops.case_sections import Case, Expected, PlanOfCases, Wishes
from pbx.ops.strict import Mistake, convert

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pbx.directory.decision import RouteRequest
    from pbx.directory.situation import Situation

MOST_CASES: Final = 2_000
"""Cases of one file: each is decided while calls go on."""

MOST_PLANS: Final = 50
"""Plans of one file."""

MOST_CALLED: Final = 50
"""Numbers that a provider says were called, of one case: three headers can't have more than a few."""


@frozen
class Cases:
    """
    What a file says.

    Attributes:
        plans: The exchanges by name, each with every phone registered and every trunk up.
        cases: The calls.
    """

    plans: Mapping[str, Situation]
    cases: tuple[Case, ...]


@frozen
class Verdict:
    """
    What came of a case.

    Attributes:
        name: Its name.
        differs: What is not as expected, in words; nothing when all is.
        reasons: Why it was decided as it was.
    """

    name: str
    differs: tuple[str, ...]
    reasons: tuple[str, ...] = ()


def read(raw: object) -> tuple[Cases | None, list[Mistake]]:
    """
    Read a file's plain values.

    Returns:
        What it says, or ``None`` with all that is wrong.
    """
    mistakes: list[Mistake] = []
    if not isinstance(raw, dict):
        return None, [Mistake("the file", "found no sections; needed is cases, and plans unless it is the live one")]
    plans = raw.get("plans") or {}
    cases = raw.get("cases")
    unknown = [str(key) for key in raw if key not in ("cases", "plans")]
    mistakes += [Mistake(key, "unknown key; known here: cases, plans") for key in unknown]
    if not isinstance(plans, dict) or len(plans) > MOST_PLANS:
        mistakes.append(Mistake("plans", f"allowed is a section with at most {MOST_PLANS} plans by name"))
        plans = {}
    if not isinstance(cases, list) or not 0 < len(cases) <= MOST_CASES:
        mistakes.append(Mistake("cases", f"needed is a list of 1 to {MOST_CASES} cases"))
        cases = []
    situations = {}
    for name, each in plans.items():
        plan = convert(PlanOfCases, each, f"plans.{name}", mistakes)
        if plan is not None:
            situations[str(name)] = plan.situation()
            for index, person in enumerate(plan.extensions):
                mistakes += _too_many(person.handling, f"plans.{name}.extensions[{index}].handling")
    known = []
    for index, each in enumerate(cases):
        case = convert(Case, each, f"cases[{index}]", mistakes)
        if case is None:
            continue
        if case.plan is not None and case.plan not in plans:
            found = f"found {case.plan!r}; allowed is the name of one of plans"
            mistakes.append(Mistake(f"cases[{index}].plan", found))
        for number, wishes in case.handling.items():
            mistakes += _too_many(wishes, f"cases[{index}].handling.{number}")
        if len(case.called) > MOST_CALLED:
            found = f"found {len(case.called)}; allowed are up to {MOST_CALLED}"
            mistakes.append(Mistake(f"cases[{index}].called", found))
        known.append(case)
    return (None if mistakes else Cases(situations, tuple(known))), mistakes


def check(case: Case, situation: Situation) -> Verdict:
    """
    Decide about the call of a case, and compare.
    """
    try:
        at = None if case.at is None else time_at(case.at, situation)
    except ValueError as error:
        return Verdict(case.name, (f"{case.at} is no time: {error}",))
    otherwise = case.otherwise(at)
    unknown = otherwise.unknown(situation)
    if case.trunk and case.trunk not in situation.plan.trunks:
        unknown.append(f"there is no trunk {case.trunk}")
    if unknown:
        return Verdict(case.name, tuple(unknown))
    situation = otherwise.of(situation)
    diversions = tuple(Diversion(number, why) for number, _, why in (each.partition(" ") for each in case.diversions))
    request = call(
        case.caller, case.number, situation, trunk=case.trunk, called=case.called, anonymous=case.anonymous,
        on_behalf=case.on_behalf, diversions=diversions, address=case.address,
    )
    decision = decide(request, situation)
    if case.outcome is not None:
        next_one = followed(request, decision, case.outcome, situation)
        if next_one is None:
            return Verdict(case.name, ("it leads to no extension, so nothing follows",), decision.reasons)
        request, decision = then(request, decision), next_one
    return Verdict(case.name, tuple(_differs(case.expect, request, decision, situation)), decision.reasons)


def _too_many(wishes: Wishes, path: str) -> Iterator[Mistake]:
    """
    What an extension may not want either: each number is decided about at once, and calls wait meanwhile.
    """
    for name, most in (
        ("simultaneous", MOST_SIMULTANEOUS), ("follow_me", MOST_SIMULTANEOUS), ("blocked", MOST_BLOCKED),
    ):
        given = len(getattr(wishes, name))
        if given > most:
            yield Mistake(f"{path}.{name}", f"found {given}; allowed are up to {most}")


def _differs(expected: Expected, request: RouteRequest, decision: Decision, situation: Situation) -> list[str]:
    actual = _actual(request, decision, situation)
    differs = []
    for field in Expected.__struct_fields__:
        wanted = getattr(expected, field)
        if field == "reason" or wanted is None:
            continue
        if wanted != actual[field]:
            differs.append(f"{field}: expected {_shown(wanted)}, found {_shown(actual[field])}")
    texts = (expected.reason,) if isinstance(expected.reason, str) else expected.reason
    differs += [
        f"reason: expected {text!r}, found {'; '.join(decision.reasons)}"
        for text in texts if not any(text in reason for reason in decision.reasons)
    ]
    return differs


def _actual(request: RouteRequest, decision: Decision, situation: Situation) -> dict[str, Any]:
    destination, outgoing = decision.destination, decision.destination.outgoing
    first = outgoing.ways[0] if outgoing is not None and outgoing.ways else None
    emergency = outgoing.emergency if outgoing is not None else None
    extension = situation.numbers.extension(destination.target) if destination.kind == "extension" else None
    rings = ringing_plan(extension, situation, then(request, decision)) if extension is not None else ()
    return {
        "kind": destination.kind,
        "target": destination.target,
        "argument": destination.argument,
        "status": destination.status,
        "cause": destination.cause,
        "trunks": tuple(way.trunk for way in outgoing.ways) if outgoing is not None else (),
        "number": first.number if first is not None else "",
        "caller": first.caller if first is not None else "",
        "call_class": outgoing.call_class if outgoing is not None else "",
        "outbound_route": outgoing.route if outgoing is not None else "",
        "inbound_route": decision.route,
        "prefix": decision.prefix,
        "on_behalf": decision.on_behalf or "",
        "diversions": tuple(f"{each.number} {each.reason}" for each in decision.diversions),
        "rings": tuple(ring.number for ring in rings),
        "limited": tuple(each.limit for each in decision.limited),
        "location": emergency.location.name if emergency is not None and emergency.location is not None else "",
        "callback": emergency.callback if emergency is not None else "",
        "longest": (outgoing.longest or 0) if outgoing is not None else 0,
    }


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "nothing"
    return str(value) if value != "" else "nothing"
