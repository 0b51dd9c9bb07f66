"""
The emergency call: where the phone stands, where the centre can call back, and over which trunks it goes.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING

from pbx.directory import numbering
from pbx.directory.decision import Destination
from pbx.directory.outbound import number_for, shown_as
from pbx.directory.outside import EmergencyCall, Outgoing, Way
from pbx.directory.permissions import USUAL
from pbx.directory.trunk import IDLE

if TYPE_CHECKING:
    from pbx.directory.decision import RouteRequest
    from pbx.directory.emergency import Emergency, Location
    from pbx.directory.situation import Situation
    from pbx.directory.trunk import Trunk

LONGEST_TEST = 300
"""Seconds of a test call: any phone may make it, and its target may be any number."""

ROUTE = "emergency"
"""What stands for an outbound route."""


def emergency_number(dialled: str, situation: Situation) -> str:
    """
    The emergency number that a dialled one stands for; empty for none.

    It is one that the plan names, with or without outside prefix, or one of the site's country that nobody here has:
    nobody has to know that the plan does not name it.
    """
    plan = situation.plan
    # Phones that send a number as a whole send the key that ended it, too.
    dialled = dialled.removesuffix("#")
    named = plan.urgent.get(dialled)
    if named is not None:
        return named
    for number in (dialled, dialled.removeprefix(plan.site.outside_prefix)):
        if numbering.is_emergency(number, plan.site):
            return "" if situation.is_here(dialled) else number
    return ""


def emergency_call(number: str, request: RouteRequest, situation: Situation) -> tuple[Destination, tuple[str, ...]]:
    """
    Route an emergency call, whoever calls: no limit, no hours and no full trunk stand in its way.

    Args:
        number: The emergency number, without outside prefix.
        request: The call.
        situation: As it is now.
    """
    plan, emergency = situation.plan, situation.plan.emergency
    test = number == emergency.test_number and number not in emergency.numbers
    reasons = [f"{number} is the number that tests emergency calls" if test else f"{number} is an emergency number"]
    caller = situation.numbers.extension(request.caller)
    permissions = caller.permissions if caller is not None else USUAL
    location = _location(permissions.location, request.address, emergency, reasons)
    callback = (
        (location.callback if location is not None else None) or permissions.caller_id or emergency.callback or ""
    )
    called = (emergency.test_target if test else None) or number
    public = numbering.dialled(called, plan.site)
    trunks = _trunks(situation, reasons)
    any_id = next((trunk.caller_id for trunk in trunks if trunk.caller_id), None) or request.caller
    ways = tuple(
        Way(
            trunk.name,
            number_for(trunk, public, called) if called.startswith("+") else called,
            shown_as(trunk, callback or trunk.caller_id or any_id, plan.site),
        )
        for trunk in trunks
    )
    callback = callback or next((trunk.caller_id for trunk in trunks if trunk.caller_id), "")
    reasons.append(f"over {', then '.join(way.trunk for way in ways)}" if ways else "there is no trunk")
    longest = LONGEST_TEST if test else None
    outgoing = Outgoing(called, "free", ROUTE, ways, longest, EmergencyCall(number, test, location, callback))
    return Destination("outside", called, outgoing=outgoing), tuple(reasons)


def _location(own: str | None, address: str, emergency: Emergency, reasons: list[str]) -> Location | None:
    by_name = {location.name: location for location in emergency.locations}
    if own is not None:
        if own in by_name:
            reasons.append(f"the extension stands at {own}")
            return by_name[own]
        reasons.append(f"there is no location {own}, where the extension is said to stand")
    found = _by_subnet(_host(address), emergency.locations) if address else None
    if found is not None:
        reasons.append(f"the phone at {address} stands at {found.name}")
        return found
    usual = by_name.get(emergency.location) if emergency.location is not None else None
    reasons.append("nobody knows where the phone stands" if usual is None else f"phones stand at {usual.name}")
    return usual


def _by_subnet(host: str, locations: tuple[Location, ...]) -> Location | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    closest: tuple[int, Location] | None = None
    for location in locations:
        for subnet in location.subnets:
            network = _network(subnet)
            if network is None or address not in network:
                continue
            # A room within a floor says more than the floor.
            if closest is None or network.prefixlen > closest[0]:
                closest = network.prefixlen, location
    return None if closest is None else closest[1]


@lru_cache(maxsize=1024)
def _network(subnet: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(subnet, strict=False)
    except ValueError:
        return None


def _host(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, colon, port = address.rpartition(":")
    return host if colon and ":" not in host and port.isdecimal() else address


def _trunks(situation: Situation, reasons: list[str]) -> list[Trunk]:
    down: list[Trunk] = []
    up: list[Trunk] = []
    for trunk in sorted(situation.plan.by_priority, key=lambda trunk: not trunk.emergency):
        state = situation.trunks.get(trunk.name, IDLE)
        if state.health == "down":
            why = f": {state.reason}" if state.reason else ""
            reasons.append(f"trunk {trunk.name} is down{why}, and is tried last")
            down.append(trunk)
        else:
            up.append(trunk)
    return up + down
