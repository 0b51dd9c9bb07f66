"""
What in the sections about trunks and routes is wrong although each value by itself is right.
"""

from __future__ import annotations

import re
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from pbx.directory.numbering import trunk_prefix
from pbx.ops.strict import BrokenError, Mistake
from pbx.sip.pidf_lo import ELEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pbx.directory.inbound_route import Target
    from pbx.directory.permissions import CallClass
    from pbx.ops import plan_sections
    from pbx.ops.sections import Configuration


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


def _site(configuration: Configuration) -> Iterator[Mistake]:
    site = configuration.site
    prefix = trunk_prefix(site.country)
    # Where it is longer, or another digit, area codes begin with it as well (8 and 812 in Russia).
    if prefix in ("0", "1") and site.area_code.startswith(prefix):
        found = f"found {site.area_code!r}; allowed is an area code without the {prefix} in front"
        yield Mistake("site.area_code", found)


def _names(configuration: Configuration) -> Iterator[Mistake]:
    for key in ("sip_trunks", "outbound_routes", "inbound_routes", "time_conditions", "emergency.locations"):
        with suppress(BrokenError):
            yield from _twice(key, attrgetter(key)(configuration))


def _twice(key: str, sections: Iterable[Any]) -> Iterator[Mistake]:
    known = set()
    for index, section in enumerate(sections):
        with suppress(BrokenError):
            if section.name in known:
                yield Mistake(f"{key}[{index}].name", f"found {section.name!r} a second time")
            known.add(section.name)


def _keys_in_clear(configuration: Configuration) -> Iterator[Mistake]:
    if configuration.security.allow_srtp_without_tls:
        return
    for index, trunk in enumerate(configuration.sip_trunks):
        with suppress(BrokenError):
            if trunk.srtp == "required" and trunk.transport in ("udp", "tcp"):
                yield Mistake(
                    f"sip_trunks[{index}].srtp",
                    f"found 'required' over {trunk.transport}, where anyone on the way can read the keys; needed is"
                    " transport: tls",
                )


def _passwords(configuration: Configuration) -> Iterator[Mistake]:
    for index, trunk in enumerate(configuration.sip_trunks):
        with suppress(BrokenError):
            if trunk.enabled and trunk.register and trunk.username and not trunk.password:
                text = "missing; needed is the account's, or register: false"
                yield Mistake(f"sip_trunks[{index}].password", text)


# A trunk or a condition that routes or limits name and the file does not have may be in the database: that is no
# mistake of the file (pbx.directory.plan_uses tells of it).


def _switches(configuration: Configuration) -> Iterator[Mistake]:
    switches: set[str | None] = {None}
    for index, condition in enumerate(configuration.time_conditions):
        with suppress(BrokenError):
            if condition.switch is not None and condition.switch in switches:
                yield Mistake(f"time_conditions[{index}].switch", f"found {condition.switch!r} a second time")
            switches.add(condition.switch)


def _destinations(configuration: Configuration) -> Iterator[Mistake]:
    for index, inbound in enumerate(configuration.inbound_routes):
        path = f"inbound_routes[{index}]"
        with suppress(BrokenError):
            if inbound.closed is not None and inbound.time is None:
                yield Mistake(f"{path}.closed", "found a destination, but no time that says when it is closed")
        for field in ("destination", "closed"):
            with suppress(BrokenError):
                target = getattr(inbound, field)
                if target is not None:
                    for where, text in destination_faults(field, target, inbound.classes):
                        yield Mistake(f"{path}.{where}", text)


def _addresses(configuration: Configuration) -> Iterator[Mistake]:
    for index, location in enumerate(configuration.emergency.locations):
        path = f"emergency.locations[{index}].civic"
        with suppress(BrokenError):
            for name in location.civic:
                if name not in ELEMENTS:
                    yield Mistake(f"{path}.{name}", "is no part of an address (RFC 5139)")
            country = location.civic.get("country")
            if country is not None and (len(country) != 2 or not country.isalpha() or not country.isupper()):
                yield Mistake(f"{path}.country", f"found {country!r}; allowed is an ISO 3166 code such as DE")


def _location(configuration: Configuration) -> Iterator[Mistake]:
    location = configuration.emergency.location
    if location is not None and location not in {each.name for each in configuration.emergency.locations}:
        found = f"found {location!r}; allowed is the name of one of emergency.locations"
        yield Mistake("emergency.location", found)


CHECKS: Final = (_site, _names, _keys_in_clear, _passwords, _switches, _destinations, _addresses, _location)
"""What looks for them, each as :mod:`pbx.ops.contradictions` wants it."""
