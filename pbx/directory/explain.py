"""
The decision tree: where a call goes and why, and what follows on each outcome, without placing a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from pbx.directory.decision import CALLED_BACK, Destination, RouteRequest
from pbx.directory.dialplan import decide, ringing_plan
from pbx.directory.emergency_call import emergency_number
from pbx.directory.pattern import any_matches
from pbx.directory.places import Menu, RingGroup
from pbx.directory.simulation import followed, then

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pbx.directory.decision import Decision, Outcome
    from pbx.directory.outside import Outgoing
    from pbx.directory.situation import Situation

DEEPEST = 5
"""Outcomes upon outcomes that are followed: a person who reads the tree wants no more."""

MOST = 100
"""Nodes of a tree: menus that lead to menus would have no end."""

MOST_ROUTES = 20
"""Outbound routes that are named of those which do not match."""

OUTCOMES: tuple[tuple[Outcome, str], ...] = (
    ("busy", "if {} is busy"),
    ("no answer", "if {} does not answer"),
    ("unregistered", "if {} has no phone"),
    ("dnd", "if {} does not want to be disturbed"),
)


@frozen
class Node:
    """
    One decision, and what follows on it.

    Attributes:
        when: Upon what it is made; empty at the top.
        destination: Where the call goes.
        reasons: Why.
        rings: Who rings, in words.
        diversions: The extensions that sent it on, in words.
        on_behalf: The extension whose permission applies.
        route: The inbound route by which it came in.
        branches: What follows, each upon another outcome.
    """

    when: str
    destination: Destination
    reasons: tuple[str, ...] = ()
    rings: tuple[str, ...] = ()
    diversions: tuple[str, ...] = ()
    on_behalf: str = ""
    route: str = ""
    branches: tuple[Node, ...] = field(default=())

    def as_row(self) -> dict[str, Any]:
        """
        It as plain data.
        """
        destination = self.destination
        row: dict[str, Any] = {"when": self.when, "kind": destination.kind, "target": destination.target}
        if destination.argument:
            row["argument"] = destination.argument
        if destination.kind == "refuse":
            row |= {"status": destination.status, "cause": destination.cause, "text": destination.text}
        if destination.outgoing is not None:
            row["outgoing"] = outgoing_row(destination.outgoing)
        return {
            **row, "reasons": [*self.reasons], "rings": [*self.rings], "diversions": [*self.diversions],
            "on_behalf": self.on_behalf or None, "route": self.route or None,
            "branches": [branch.as_row() for branch in self.branches],
        }


def outgoing_row(outgoing: Outgoing) -> dict[str, Any]:
    """
    A call beyond the house as plain data.
    """
    emergency = outgoing.emergency
    return {
        "number": outgoing.number,
        "class": outgoing.call_class,
        "route": outgoing.route,
        "ways": [
            {
                "trunk": way.trunk, "number": way.number, "caller": way.caller,
                "rate": None if way.rate is None else str(way.rate),
            }
            for way in outgoing.ways
        ],
        "longest": outgoing.longest,
        "emergency": None if emergency is None else {
            "number": emergency.number, "test": emergency.test, "callback": emergency.callback,
            "location": None if emergency.location is None else emergency.location.name,
        },
    }


def explain(request: RouteRequest, situation: Situation) -> Node:
    """
    The tree of a call.
    """
    decision = decide(request, situation)
    node = _Grower(situation).grow("", request, decision, 0)
    return evolve(node, reasons=(*_not_matching(request, decision, situation), *node.reasons))


class _Grower:
    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._left = MOST

    def grow(self, when: str, request: RouteRequest, decision: Decision, depth: int) -> Node:
        self._left -= 1
        branches: tuple[Node, ...] = ()
        if depth < DEEPEST:
            branches = tuple(self._branches(request, decision, depth + 1))
        return Node(
            when, decision.destination, decision.reasons, tuple(self._rings(request, decision)),
            tuple(f"{each.number} {each.reason}" for each in decision.diversions), decision.on_behalf or "",
            decision.route, branches,
        )

    def _branches(self, request: RouteRequest, decision: Decision, depth: int) -> Iterator[Node]:
        destination = decision.destination
        if destination.kind == "outside" and destination.outgoing is not None:
            yield from self._ways(destination.outgoing)
        elif destination.kind == "extension":
            for outcome, said in OUTCOMES:
                if self._left <= 0:
                    return
                follows = followed(request, decision, outcome, self._situation)
                if follows is not None:
                    yield self.grow(
                        said.format(destination.target), then(request, decision), follows, depth,
                    )
        else:
            yield from self._of_place(request, decision, depth)

    def _ways(self, outgoing: Outgoing) -> Iterator[Node]:
        """
        The trunks behind the first, each upon the failure of the one before.
        """
        for before, way in zip(outgoing.ways, outgoing.ways[1:], strict=False):
            self._left -= 1
            yield Node(
                f"if {before.trunk} fails before it rings",
                Destination("outside", outgoing.number, outgoing=evolve(outgoing, ways=(way,))),
                (f"over {way.trunk}",),
            )
        if outgoing.ways:
            text = "the caller is told what the last of them answered"
            said = "if it fails" if len(outgoing.ways) == 1 else "if all of them fail"
            yield Node(said, Destination("refuse", status=503, cause=38, text="No trunk took the call"), (text,))

    def _of_place(self, request: RouteRequest, decision: Decision, depth: int) -> Iterator[Node]:
        """
        What follows in a place: the keys of a menu, and where a ring group leads that nobody answers.
        """
        place = self._situation.places.place(decision.destination.target)
        named: list[tuple[str, Destination | None]] = []
        if isinstance(place, RingGroup) and decision.destination.kind == place.kind:
            named = [("if nobody answers", place.otherwise)]
        elif isinstance(place, Menu) and decision.destination.kind == place.kind:
            named = [(f"if {choice.key} is pressed", choice.destination) for choice in place.choices]
            named += [("if no key is pressed", place.on_timeout), ("if only wrong keys are", place.on_invalid)]
        for when, destination in named:
            if destination is None or self._left <= 0:
                continue
            onward = evolve(then(request, decision), number=destination.target)
            if destination.kind == "number":
                # It leads out of the house, at the expense of whom the place names.
                onward = evolve(onward, on_behalf=destination.argument)
            if destination.kind in ("extension", "ring_group", "menu", "conference", "number"):
                yield self.grow(when, onward, decide(onward, self._situation), depth)
            else:
                self._left -= 1
                yield Node(when, destination)

    def _rings(self, request: RouteRequest, decision: Decision) -> Iterator[str]:
        destination, situation = decision.destination, self._situation
        if destination.kind == "extension":
            extension = situation.numbers.extension(destination.target)
            if extension is None:
                return
            if destination.argument == CALLED_BACK:
                both = dict.fromkeys((extension.number, situation.plan.emergency.desk or extension.number))
                yield from (f"{number}, whatever is wanted with its calls" for number in both)
                return
            for ring in ringing_plan(extension, situation, then(request, decision)):
                phones = situation.reachable.get(ring.number, 0)
                if ring.outgoing is not None:
                    said = f"{ring.outgoing.number} over {', then '.join(way.trunk for way in ring.outgoing.ways)}"
                else:
                    said = f"{ring.number} ({phones} phone{'' if phones == 1 else 's'})"
                said += f", after {ring.after} s" if ring.after else ""
                said += f", for {ring.lasting} s" if ring.lasting is not None else ""
                yield said + (", and is asked for a key" if ring.confirm else "")
        else:
            place = situation.places.place(destination.target)
            if isinstance(place, RingGroup) and destination.kind == place.kind:
                for member in place.members:
                    phones = situation.reachable.get(member.number, 0)
                    yield f"{member.number} ({phones} phone{'' if phones == 1 else 's'})"


def _not_matching(request: RouteRequest, decision: Decision, situation: Situation) -> Iterator[str]:
    """
    The outbound routes before the one that takes a call, or all when none does, each with why it does not.
    """
    plan = situation.plan
    outgoing = decision.destination.outgoing
    missed = decision.destination.kind == "refuse" and decision.destination.status == 404
    if request.trunk or request.number in situation.numbers or emergency_number(request.number, situation):
        return
    if decision.route:
        # It is a number of our own.
        return
    if outgoing is None and not missed:
        return
    number = request.number
    if plan.site.outside_prefix and not number.startswith("+"):
        number = number.removeprefix(plan.site.outside_prefix)
    named = 0
    for route in plan.outbound:
        if outgoing is not None and route.name == outgoing.route:
            return
        if not route.enabled:
            why = "it is disabled"
        elif route.patterns and not any_matches(route.patterns, number):
            why = f"{number} does not match {', '.join(route.patterns[:MOST_ROUTES])}"
        else:
            # It matches, and the decision says why it does not take the call.
            continue
        named += 1
        if named > MOST_ROUTES:
            yield "and so with further routes"
            return
        yield f"route {route.name}: {why}"
