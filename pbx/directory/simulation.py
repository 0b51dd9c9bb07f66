"""
Calls that are only thought of: the live situation with some of it otherwise, and the request of such a call.
"""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import evolve, field, frozen

from pbx.directory.decision import Destination, RouteRequest
from pbx.directory.dialplan import after
from pbx.directory.inbound import number_beyond
from pbx.directory.opening import zone
from pbx.directory.trunk import IDLE, TrunkState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pbx.directory.decision import Decision, Diversion, Outcome
    from pbx.directory.extension import Extension
    from pbx.directory.handling import Handling
    from pbx.directory.permissions import Usage
    from pbx.directory.situation import Numbers, Situation
    from pbx.directory.time_condition import SwitchPosition

T = TypeVar("T")

FAILURES: Mapping[Outcome, Destination] = MappingProxyType({
    "busy": Destination("refuse", status=486, cause=17, text="Busy here"),
    "no answer": Destination("refuse", status=480, cause=19, text="No answer"),
    "unregistered": Destination("refuse", status=480, cause=20, text="Not registered"),
    "dnd": Destination("refuse", status=486, cause=17, text="Do not disturb"),
    "failed": Destination("refuse", status=480, cause=20, text="Phone unreachable"),
})
"""What a caller is told of each outcome when nothing else follows."""


def _read_only(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(values))


@frozen
class Otherwise:
    """
    What is otherwise than it is now.

    Attributes:
        at: The time.
        down: Trunks that are down, each with the reason.
        degraded: Trunks with which something is wrong.
        full: Trunks without a free channel.
        up: Trunks that are up and have nothing to do.
        unregistered: Extensions without a phone.
        registered: Extensions with one phone.
        switches: Where the night switches of time conditions stand.
        usage: What extensions have used of their limits.
        handling: What extensions want done with their calls.
        callbacks: Extensions that made emergency calls, by the number for calling back.
    """

    at: dt.datetime | None = None
    down: Mapping[str, str] = field(factory=dict, converter=_read_only)
    degraded: tuple[str, ...] = ()
    full: tuple[str, ...] = ()
    up: tuple[str, ...] = ()
    unregistered: tuple[str, ...] = ()
    registered: tuple[str, ...] = ()
    switches: Mapping[str, SwitchPosition] = field(factory=dict, converter=_read_only)
    usage: Mapping[str, Usage] = field(factory=dict, converter=_read_only)
    handling: Mapping[str, Handling] = field(factory=dict, converter=_read_only)
    callbacks: Mapping[str, str] = field(factory=dict, converter=_read_only)

    def unknown(self, situation: Situation) -> list[str]:
        """
        What it names that is not there, in words: whoever mistypes a name must not believe the answer.
        """
        plan = situation.plan
        wanted: tuple[tuple[str, Iterable[str], Any], ...] = (
            ("trunk", (*self.down, *self.degraded, *self.full, *self.up), plan.trunks),
            ("extension", (*self.unregistered, *self.registered, *self.handling), situation.numbers),
            ("time condition", self.switches, plan.conditions),
        )
        return [f"there is no {kind} {name}" for kind, names, known in wanted for name in names if name not in known]

    def of(self, situation: Situation) -> Situation:
        """
        A situation with this otherwise.
        """
        states = {name: TrunkState() for name in self.up}
        states |= {name: TrunkState("degraded", "simulated") for name in self.degraded}
        trunks = dict(situation.plan.trunks)
        for name in self.full:
            trunk = trunks[name]
            # One that may have any number of calls is never full: then as if it might have no more than it has.
            most = trunk.max_channels or max(situation.trunks.get(name, IDLE).channels, 1)
            trunks[name] = evolve(trunk, max_channels=most)
            states[name] = evolve(states.get(name) or situation.trunks.get(name, IDLE), channels=most)
        states |= {name: TrunkState("down", reason) for name, reason in self.down.items()}
        at = self.at
        return evolve(
            situation,
            plan=evolve(situation.plan, trunks=trunks) if self.full else situation.plan,
            numbers=_Handled(situation.numbers, self.handling) if self.handling else situation.numbers,
            reachable=_Laid(
                dict.fromkeys(self.unregistered, 0) | dict.fromkeys(self.registered, 1), situation.reachable
            ),
            trunks=_Laid(states, situation.trunks),
            switches=_Laid(self.switches, situation.switches),
            usage=_Laid(self.usage, situation.usage),
            callbacks=_Laid(self.callbacks, situation.callbacks),
            now=situation.now if at is None else lambda: at,
        )


def time_at(text: str, situation: Situation) -> dt.datetime:
    """
    A time as a person writes it: ISO 8601, without a zone that of the site.

    Raises:
        ValueError: It is none, or none of this time.
    """
    time = dt.datetime.fromisoformat(text)
    if not 1900 <= time.year < 9000:
        # In any zone, and some days before and after it, there must be days.
        raise ValueError("there are no calls at that time")
    return time if time.tzinfo is not None else time.replace(tzinfo=zone(situation.plan.site.time_zone))


def call(
    caller: str,
    number: str,
    situation: Situation,
    *,
    trunk: str = "",
    called: tuple[str, ...] = (),
    anonymous: bool = False,
    on_behalf: str | None = None,
    diversions: tuple[Diversion, ...] = (),
    address: str = "",
) -> RouteRequest:
    """
    The request of a call, as the exchange would make it.

    Args:
        caller: Who calls: an extension, or over a trunk what the provider says.
        number: What is called.
        situation: In which.
        trunk: The trunk that it comes in over; empty for the call of an extension.
        called: Where it comes in over a trunk: what else the provider says was called, the likeliest first.
        anonymous: The caller does not say who it is.
        on_behalf: Who transfers it.
        diversions: How it came here.
        address: Where the caller's phone is.
    """
    if trunk:
        caller = number_beyond(caller, trunk, situation)
        called = tuple(dict.fromkeys(each for each in (*called, number) if each))
        number = called[0] if called else ""
    return RouteRequest(
        caller, number, on_behalf, diversions, anonymous, trunk, called if trunk else (), address=address
    )


def then(request: RouteRequest, decision: Decision) -> RouteRequest:
    """
    The request by which an extension was tried that a decision leads to.
    """
    return evolve(
        request, number=decision.destination.target, on_behalf=decision.on_behalf, diversions=decision.diversions,
        route=decision.route or request.route,
    )


def followed(request: RouteRequest, decision: Decision, outcome: Outcome, situation: Situation) -> Decision | None:
    """
    What follows upon an outcome; ``None`` where a decision does not lead to an extension.
    """
    if decision.destination.kind != "extension":
        return None
    extension = situation.numbers.extension(decision.destination.target)
    if extension is None:
        return None
    return after(extension, outcome, then(request, decision), situation, FAILURES[outcome])


class _Laid(Generic[T]):
    """
    Values laid over others.
    """

    def __init__(self, values: Mapping[str, T], below: Any) -> None:
        self._values = values
        self._below = below

    def get(self, key: str, default: T, /) -> T:
        """
        The value of a key.
        """
        if key in self._values:
            return self._values[key]
        below: T = self._below.get(key, default)
        return below


class _Handled:
    """
    Extensions of which some want other things done with their calls.
    """

    def __init__(self, numbers: Numbers, handling: Mapping[str, Handling]) -> None:
        self._numbers = numbers
        self._handling = handling

    def __contains__(self, number: object) -> bool:
        return number in self._numbers

    def extension(self, number: str) -> Extension | None:
        """
        One of them.
        """
        extension = self._numbers.extension(number)
        handling = self._handling.get(number)
        return extension if extension is None or handling is None else evolve(extension, handling=handling)
