"""
Outbound routes: which calls go out, changed how, over which trunks.
"""

from __future__ import annotations

from functools import cached_property

from attrs import frozen

from pbx.directory.pattern import Index
from pbx.directory.permissions import CallClass


@frozen
class OutboundRoute:
    """
    One way out; the first route that takes a call has it.

    Attributes:
        name: How it is called in reasons and reports; unique.
        patterns: What is dialled (:mod:`pbx.directory.pattern`), behind the site's outside prefix where it has one.
        callers: Patterns of the extensions that may use it; empty for all.
        strip: Digits taken away in front.
        prepend: What is put in front then.
        trunks: The trunks in the order of trying; empty for all that are enabled, by priority.
        time: The time condition within which it is open; ``None`` for always.
        call_class: What kind of call it is, where the number does not tell; ``None`` goes by the number.
        caller_id: The number that its calls show; ``None`` leaves that to extension and trunk.
        least_cost: Whether the cheapest trunk is tried first, where rates are loaded.
        enabled: Whether it is there at all.
    """

    name: str
    patterns: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    strip: int = 0
    prepend: str = ""
    trunks: tuple[str, ...] = ()
    time: str | None = None
    call_class: CallClass | None = None
    caller_id: str | None = None
    least_cost: bool = False
    enabled: bool = True


class OutboundRoutes(tuple[OutboundRoute, ...]):
    """
    Outbound routes in the order of asking.

    A plan that takes the place of another has these very ones as long as they are the same: thousands of them take a
    twentieth of a second to be looked up by what is dialled.
    """

    @cached_property
    def by_pattern(self) -> Index[OutboundRoute]:
        """
        Those that are enabled, by their patterns; one without patterns takes every number.
        """
        return Index((pattern, route) for route in self if route.enabled for pattern in route.patterns or ".")
