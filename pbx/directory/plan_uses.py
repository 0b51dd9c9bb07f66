"""
Who in a plan names what: what can't be removed while it is used, and names of nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pbx.directory.extension import Extension
    from pbx.directory.inbound_route import InboundRoute
    from pbx.directory.outbound_route import OutboundRoute
    from pbx.directory.plan import Plan


def shown_route(route: OutboundRoute | InboundRoute) -> str:
    """
    A route as a person would call it: ``inbound route Main``.
    """
    return f"{'outbound' if hasattr(route, 'patterns') else 'inbound'} route {route.name}"


def users_of_trunk(plan: Plan, name: str) -> list[str]:
    """
    The routes that name a trunk, in words.
    """
    users = [shown_route(route) for route in plan.outbound if name in route.trunks]
    return [*users, *(shown_route(route) for route in plan.inbound if route.trunk == name)]


def users_of_condition(plan: Plan, name: str, extensions: Iterable[Extension] = ()) -> list[str]:
    """
    The routes and extensions that name a time condition, and the limits of the site, in words.
    """
    users = [shown_route(route) for route in _routes(plan) if route.time == name]
    if plan.limits.hours == name:
        users.append("limits.hours of config.yml")
    return [*users, *(
        f"the permissions of extension {each.number}" for each in extensions if each.permissions.hours == name
    )]


def users_of_number(plan: Plan, number: str) -> list[str]:
    """
    The inbound routes that lead to a number of the house, in words.
    """
    return [
        shown_route(route)
        for route in plan.inbound
        if any(
            target is not None and target.target == number and target.kind not in ("external", "announcement")
            for target in (route.destination, route.closed)
        )
    ]


def unknown(plan: Plan, extensions: Iterable[Extension] = ()) -> Iterator[tuple[str, str, str]]:
    """
    Whoever names a trunk, a time condition or an extension that there is not, what it takes it for, and the name.

    Such a route or limit is not refused, since all of them may come and go in the database: somebody has to be told.
    """
    people = list(extensions)
    if plan.limits.hours is not None and plan.limits.hours not in plan.conditions:
        # The first, however many are told: with it nobody calls beyond the house.
        yield "limits.hours", "time condition", plan.limits.hours
    for outbound in plan.outbound:
        for trunk in outbound.trunks:
            if trunk not in plan.trunks:
                yield shown_route(outbound), "trunk", trunk
    for inbound in plan.inbound:
        if inbound.trunk is not None and inbound.trunk not in plan.trunks:
            yield shown_route(inbound), "trunk", inbound.trunk
    for route in _routes(plan):
        if route.time is not None and route.time not in plan.conditions:
            yield shown_route(route), "time condition", route.time
    numbers = {each.number for each in people}
    for who, number in _told(plan):
        if number not in numbers:
            yield who, "extension", number
    for extension in people:
        hours = extension.permissions.hours
        if hours is not None and hours not in plan.conditions:
            yield f"extension {extension.number}", "time condition", hours


def _told(plan: Plan) -> Iterator[tuple[str, str]]:
    """
    Whoever names extensions, and which.
    """
    for route in plan.inbound:
        for target in (route.destination, route.closed):
            if target is not None and target.kind == "extension":
                yield shown_route(route), target.target
    emergency = plan.emergency
    for number in emergency.notify:
        yield "emergency.notify", number
    if emergency.desk is not None:
        yield "emergency.desk", emergency.desk
    for location in emergency.locations:
        for number in location.notify:
            yield f"the emergency location {location.name}", number


def _routes(plan: Plan) -> Iterator[OutboundRoute | InboundRoute]:
    yield from plan.outbound
    yield from plan.inbound
