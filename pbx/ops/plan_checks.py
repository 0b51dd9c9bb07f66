"""
What in the sections about trunks and routes is wrong although each value by itself is right.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pbx.directory.numbering import trunk_prefix
from pbx.ops.strict import Mistake
from pbx.sip.pidf_lo import ELEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pbx.directory.inbound_route import Target
    from pbx.directory.permissions import CallClass
    from pbx.ops import plan_sections
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
    if not configuration.security.allow_srtp_without_tls:
        mistakes += [
            Mistake(
                f"sip_trunks[{index}].srtp",
                f"found 'required' over {trunk.transport}, where anyone on the way can read the keys; needed is"
                " transport: tls",
            )
            for index, trunk in enumerate(configuration.sip_trunks)
            if trunk.srtp == "required" and trunk.transport in ("udp", "tcp")
        ]
    mistakes += [
        Mistake(f"sip_trunks[{index}].password", "missing; needed is the account's, or register: false")
        for index, trunk in enumerate(configuration.sip_trunks)
        if trunk.enabled and trunk.register and trunk.username and not trunk.password
    ]
    # A trunk or a condition that routes name and the file does not have may be in the database: that is no mistake of
    # the file (pbx.directory.plan_uses tells of it).
    conditions = {each.name for each in configuration.time_conditions}
    places = {each.name for each in configuration.emergency.locations}
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
        for field, target in (("destination", inbound.destination), ("closed", inbound.closed)):
            if target is not None:
                mistakes += [
                    Mistake(f"inbound_routes[{index}].{where}", text)
                    for where, text in destination_faults(field, target, inbound.classes)
                ]
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
    return [*_site(configuration.site), *mistakes]


def destination_faults(
    field: str, target: Target | plan_sections.Target, classes: Sequence[CallClass]
) -> list[tuple[str, str]]:
    """
    What is wrong with a destination of an inbound route, whatever there is in the house, each as field and text.

    Args:
        field: The key that it stands under.
        target: The destination.
        classes: What the callers of its route may be led to.
    """
    if target.kind == "hangup":
        return []
    if target.kind != "external":
        return [] if target.target else [(f"{field}.target", f"missing; needed is which {_shown(target.kind)}")]
    if re.fullmatch(r"\+?[0-9*#]{2,32}", target.target) is None:
        return [(f"{field}.target", "needed is a number as an extension would dial it")]
    if not classes:
        return [("classes", "missing; needed is what callers may be led to, since a destination is external")]
    return []


def _shown(kind: str) -> str:
    return kind.replace("_", " ")


def _site(site: plan_sections.Site) -> list[Mistake]:
    prefix = trunk_prefix(site.country)
    # Where it is longer, or another digit, area codes begin with it as well (8 and 812 in Russia).
    if prefix not in ("0", "1") or not site.area_code.startswith(prefix):
        return []
    found = f"found {site.area_code!r}; allowed is an area code without the {prefix} in front"
    return [Mistake("site.area_code", found)]


def _twice(key: str, sections: Iterable[Any]) -> Sequence[Mistake]:
    mistakes, known = [], set()
    for index, section in enumerate(sections):
        if section.name in known:
            mistakes.append(Mistake(f"{key}[{index}].name", f"found {section.name!r} a second time"))
        known.add(section.name)
    return mistakes
