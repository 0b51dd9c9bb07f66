"""
The router: asks the dialplan, with the situation as it is now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from pbx.calls.beyond import Outside
from pbx.calls.destination import Branch
from pbx.calls.failure import BUSY, NO_ANSWER
from pbx.directory.decision import CALLED_BACK, Decision, Destination, Diversion, Limited, RouteRequest
from pbx.directory.dialplan import MOST_DIVERSIONS, after, decide, is_caller, ringing_plan
from pbx.directory.emergency_call import emergency_number
from pbx.directory.situation import Situation
from pbx.directory.toll import exceeded, passed, payer_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pbx.calls.failure import Failure
    from pbx.calls.outbound import CallerIdentity
    from pbx.calls.tools import Features
    from pbx.directory.decision import Failed, Outcome
    from pbx.directory.directory import Directory
    from pbx.directory.extension import Extension
    from pbx.directory.outside import Outgoing
    from pbx.directory.permissions import CallClass
    from pbx.directory.plan import Plan
    from pbx.registrar.location import Location

UNREGISTERED = 20
"""The cause of ITU-T Q.850 by which an attempt says that no phone could be reached."""


CALL_BACK = 170.0
"""Seconds for which a call back of the emergency centre rings: as long as an INVITE may (RFC 3261 16.6)."""


class Reachable:
    """
    How many phones of an extension are registered now.
    """

    def __init__(self, location: Location) -> None:
        self._location = location

    def get(self, number: str, default: int = 0, /) -> int:
        """
        How many there are.
        """
        return len(self._location.bindings(number))


class Router:
    """
    Where calls go.

    Args:
        directory: The extensions.
        location: Their phones.
        no_answer_timeout: How long an extension rings that says nothing else, in seconds.
        features: What there is besides phones.
        outside: What calls beyond the house need.

    Attributes:
        situation: What the dialplan looks at: the same at any moment, but for the plan in it.
    """

    def __init__(
        self,
        directory: Directory,
        location: Location,
        no_answer_timeout: float,
        features: Features,
        outside: Outside | None = None,
    ) -> None:
        self.directory = directory
        self._confirm = features.confirm
        self._no_answer_timeout = no_answer_timeout
        outside = outside or Outside()
        # Everything in it is looked up when it is asked for, but for the plan, which is replaced as a whole.
        self.situation = Situation(
            directory, Reachable(location), features.numbers, features.star_codes, features.mailboxes,
            frozenset((*features.places, "pickup")), outside.book.plan, outside.lines, outside.usage,
            outside.switches, callbacks=outside.callbacks,
        )
        self._limited = outside.limited
        outside.book.on_change(self._plan_changed)

    def reconfigure(self, no_answer_timeout: float, star_codes: Mapping[str, str]) -> None:
        """
        Go by another time of ringing and other star codes from the next decision on.
        """
        self._no_answer_timeout = no_answer_timeout
        self.situation = evolve(self.situation, star_codes=star_codes)

    def route(self, request: RouteRequest) -> Decision:
        """
        Decide about a call.
        """
        return self._told(decide(request, self.situation))

    def exceeded(self, outgoing: Outgoing) -> str:
        """
        Why a call beyond the house that was decided about is not begun, empty when it is: others may have begun since
        then, or begin together with it.
        """
        payer = payer_named(outgoing.payer, self.situation)
        denied = exceeded(payer, outgoing.call_class, self.situation) if payer is not None else None
        if denied is None:
            return ""
        self._limited(Limited(outgoing.payer, denied.limit, outgoing.number, denied.text))
        return denied.text

    def watch(self, name: str, call_class: CallClass) -> Callable[[], str]:
        """
        What tells why a call beyond the house that begins now is to be ended, empty while it may go on: with others it
        has used up what its payer may use. That is as it is now: other settings drop no call.
        """
        situation = self.situation
        payer = payer_named(name, situation)

        def used_up() -> str:
            denied = passed(payer, call_class, situation) if payer is not None else None
            return "" if denied is None else denied.text

        return used_up

    def _told(self, decision: Decision) -> Decision:
        for limited in decision.limited:
            self._limited(limited)
        return decision

    def _plan_changed(self, before: Plan, after: Plan) -> None:
        self.situation = evolve(self.situation, plan=after)

    def resolve(self, destination: Destination, request: RouteRequest) -> Decision:
        """
        Decide about a call that a place sends on: an extension has a say in its own calls.
        """
        if destination.kind == "extension":
            return self.route(request)
        if destination.kind == "number":
            return self.route(evolve(request, on_behalf=destination.argument))
        return Decision(destination, (), request.diversions, request.on_behalf)

    def moved(self, number: str, failure: Failure, request: RouteRequest) -> Decision | None:
        """
        Decide about a call that a phone sends on to another number (RFC 3261 21.3).

        Args:
            number: The extension that was called.
            failure: What its phones, or those that rang for it, have answered.
            request: By which it was called.

        Returns:
            The decision, whose first reason says so; ``None`` where no phone does, or to where the call has been.
        """
        # Another extension than the one that was called may ring for it.
        to, by = failure.moved_to, failure.moved_by or number
        passed = (by, number, *(diversion.number for diversion in request.diversions))
        if not to or to in passed or len(request.diversions) >= MOST_DIVERSIONS:
            return None
        if is_caller(to, request, self.situation):
            return None
        diversions = (*request.diversions, Diversion(by, "always"))
        decision = self.route(evolve(request, number=to, on_behalf=by, diversions=diversions))
        return evolve(decision, reasons=(f"a phone of {by} sends its callers on to {to}", *decision.reasons))

    def name_of(self, number: str) -> str:
        """
        What the extension or place with a number is called; empty where nobody has it.
        """
        named = self.directory.extension(number) or self.situation.places.place(number)
        return named.name if named is not None else ""

    def lead(self, number: str, owner: str) -> Destination | None:
        """
        Where a number beyond the house leads that is called on behalf of an extension, such as one that has left a
        message; ``None`` where the extension may not call it.
        """
        if not number.removeprefix("+").isdecimal() or emergency_number(number, self.situation):
            # A stranger chooses the number that it shows: it must switch nothing, and alarm nobody.
            return None
        decision = decide(RouteRequest(owner, number, owner), self.situation)
        # A number of our own leads somewhere by its inbound route, and costs nothing.
        leads = decision.destination.kind == "outside" or (decision.route and decision.destination.kind != "refuse")
        return Destination("number", number, owner) if leads else None

    def after(self, number: str, failure: Failed, request: RouteRequest) -> Decision | None:
        """
        Decide what follows when an extension could not be reached; ``None`` when there is no such extension any more.
        """
        extension = self.directory.extension(number)
        if extension is None:
            return None
        return self._told(after(extension, outcome_of(failure), request, self.situation, failure))

    def branches(
        self, extension: Extension, caller: CallerIdentity, request: RouteRequest, why: str = ""
    ) -> tuple[list[Branch], float]:
        """
        Whom to ring for an extension, and for how long.

        Args:
            extension: The extension.
            caller: Who calls, as those are told that are asked whether they take the call.
            request: By which it was called.
            why: The argument of the destination: an extension that the emergency centre calls back rings with the
                desk, whatever is wanted with its calls.
        """
        if why == CALLED_BACK:
            both = dict.fromkeys((extension.number, self.situation.plan.emergency.desk or extension.number))
            return [Branch(number) for number in both], CALL_BACK
        timeout = extension.handling.no_answer_timeout or self._no_answer_timeout
        branches = []
        for ring in ringing_plan(extension, self.situation, request):
            confirm = self._confirm(caller, extension.number) if ring.confirm and self._confirm is not None else None
            branches.append(Branch(ring.number, ring.after, ring.lasting, confirm, ring.outgoing))
        return branches, timeout


def outcome_of(failure: Failed) -> Outcome:
    """
    What came of trying to reach an extension, in the dialplan's words.
    """
    if failure.status in BUSY:
        return "busy"
    if failure.cause in NO_ANSWER:
        return "no answer"
    return "unregistered" if failure.cause == UNREGISTERED else "failed"
