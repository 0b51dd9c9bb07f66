"""
What in the sections about trunks and routes is wrong although each value by itself is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pbx.ops.strict import Mistake
from pbx.sip.pidf_lo import ELEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pbx.ops.sections import Configuration


def contradictions(configuration: Configuration) -> list[Mistake]:
    """
    Names that stand twice, and names of nothing.
    """
    mistakes: list[Mistake] = []
    named = ("sip_trunks", "outbound_routes", "inbound_routes", "time_conditions")
    for key in named:
        mistakes += _twice(key, getattr(configuration, key))
    mistakes += _twice("emergency.locations", configuration.emergency.locations)
    conditions = {each.name for each in configuration.time_conditions}
    places = {each.name for each in configuration.emergency.locations}
    # Trunks and conditions may also be kept in the database: a name that the file does not have is none of its
    # mistakes, but one that is nearly the same as one that it has.
    switches: set[str | None] = {None}
    for index, condition in enumerate(configuration.time_conditions):
        if condition.switch is not None and condition.switch in switches:
            found = f"found {condition.switch!r} a second time"
            mistakes.append(Mistake(f"time_conditions[{index}].switch", found))
        switches.add(condition.switch)
    for index, inbound in enumerate(configuration.inbound_routes):
        if inbound.closed is not None and inbound.time is None:
            found = "found a destination, but no time that says when it is closed"
            mistakes.append(Mistake(f"inbound_routes[{index}].closed", found))
    for index, location in enumerate(configuration.emergency.locations):
        path = f"emergency.locations[{index}].civic"
        mistakes += [
            Mistake(f"{path}.{name}", "is no part of an address (RFC 5139)")
            for name in location.civic if name not in ELEMENTS
        ]
        country = location.civic.get("country")
        if country is not None and (len(country) != 2 or not country.isalpha() or not country.isupper()):
            found = f"found {country!r}; allowed is an ISO 3166 code such as DE"
            mistakes.append(Mistake(f"{path}.country", found))
    if configuration.emergency.location is not None and configuration.emergency.location not in places:
        found = f"found {configuration.emergency.location!r}; allowed is the name of one of emergency.locations"
        mistakes.append(Mistake("emergency.location", found))
    if configuration.limits.hours is not None and configuration.limits.hours not in conditions:
        found = f"found {configuration.limits.hours!r}; allowed is the name of one of time_conditions"
        mistakes.append(Mistake("limits.hours", found))
    return mistakes


def _twice(key: str, sections: Iterable[Any]) -> Sequence[Mistake]:
    mistakes, known = [], set()
    for index, section in enumerate(sections):
        if section.name in known:
            mistakes.append(Mistake(f"{key}[{index}].name", f"found {section.name!r} a second time"))
        known.add(section.name)
    return mistakes
