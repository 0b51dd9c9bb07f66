"""
Who answers for a call beyond the house, and whether it may be made: permissions, and limits against toll fraud.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from pbx.directory.opening import opening_of
from pbx.directory.permissions import NOTHING_USED, USUAL, Permissions
from pbx.directory.rates import affordable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from pbx.directory.decision import RouteRequest
    from pbx.directory.extension import Extension
    from pbx.directory.inbound_route import InboundRoute
    from pbx.directory.numbering import PublicNumber
    from pbx.directory.permissions import CallClass, Usage
    from pbx.directory.rates import Rate
    from pbx.directory.situation import Situation

AMBIGUOUS = "route "
"""What stands before the name of an inbound route that is an extension's number as well."""


@frozen
class Payer:
    """
    Who answers for a call.

    Attributes:
        name: The number of the extension, or the name of the inbound route, which is never such a number.
        extension: The extension, ``None`` for a route.
        route: The inbound route, ``None`` for an extension.
    """

    name: str
    extension: Extension | None = None
    route: InboundRoute | None = None

    @property
    def permissions(self) -> Permissions:
        """
        What it may do.
        """
        if self.extension is not None:
            return self.extension.permissions
        route = self.route
        if route is None:
            return USUAL
        return Permissions(route.classes, None, route.concurrent, route.minutes_per_day, route.spend_per_day)

    @property
    def shown(self) -> str:
        """
        It in words.
        """
        return self.name if self.route is None else f"inbound route {self.route.name}"


@frozen
class Denied:
    """
    Why a call may not be made.

    Attributes:
        text: In words.
        limit: Which limit says so (:class:`~pbx.directory.decision.Limited`); empty where it is no matter of limits.
    """

    text: str
    limit: str = ""


def payer_of(request: RouteRequest, situation: Situation) -> Payer | Denied:
    """
    Tell who answers for a call: who forwards or transfers, the inbound route, or who calls.
    """
    if request.on_behalf is None and request.route:
        route = situation.plan.inbound.by_name.get(request.route)
        if route is None:
            return Denied(f"there is no inbound route {request.route} any more that could answer for the call")
        # A route may be named like an extension, whose limits are not for strangers to use up.
        known = situation.numbers.extension(route.name) is not None
        return Payer(f"{AMBIGUOUS}{route.name}" if known else route.name, route=route)
    if request.on_behalf is None and request.trunk:
        return Denied("nobody here answers for the call")
    number = request.on_behalf or request.caller
    extension = situation.numbers.extension(number)
    if extension is None:
        return Denied(f"{number or 'nobody'} is no extension that could answer for the call")
    if not extension.enabled:
        return Denied(f"extension {number} is disabled and calls nobody beyond the house")
    if not extension.allow_external:
        allowing = f"pbxctl permissions {number} external=on"
        return Denied(f"{number} may not call beyond the house without allow_external ({allowing})")
    return Payer(number, extension)


def payer_named(name: str, situation: Situation) -> Payer | None:
    """
    Who answers for a call that was decided about; ``None`` where nobody does, or it is there no more.
    """
    extension = situation.numbers.extension(name)
    if extension is not None:
        return Payer(name, extension)
    routes = situation.plan.inbound.by_name
    route = routes.get(name) or routes.get(name.removeprefix(AMBIGUOUS))
    return None if route is None else Payer(name, route=route)


def denied(payer: Payer, number: PublicNumber, call_class: CallClass, situation: Situation) -> Denied | None:
    """
    Tell why somebody may not make a call, ``None`` where it may.
    """
    limits, permissions, name = situation.plan.limits, payer.permissions, payer.shown
    reading = number.reading or number.given
    if not _begins(reading, limits.allowed):
        blocked = _begins(reading, limits.blocked)
        if blocked:
            return Denied(f"{number.known} is blocked: nobody here may call what begins with {blocked}", "blocked")
        if call_class not in (limits.classes if permissions.classes is None else permissions.classes):
            return Denied(f"{name} may not call {call_class} numbers", "classes")
    # When an inbound route is open was set up on purpose: hours are those of extensions.
    hours = None if payer.extension is None else permissions.hours or limits.hours
    if hours is not None:
        opened = opening_of(hours, situation)
        if opened is None:
            text = f"{name} calls beyond the house only within {hours}, a time condition that is not there"
            return Denied(text, "hours")
        if not opened.is_open:
            return Denied(f"{name} calls beyond the house only within {hours}: {opened.reason}", "hours")
    return exceeded(payer, call_class, situation)


def exceeded(payer: Payer, call_class: CallClass, situation: Situation) -> Denied | None:
    """
    Tell which amount somebody has reached, so that no further call begins; ``None`` where it has reached none.
    """
    limits, permissions, name = situation.plan.limits, payer.permissions, payer.shown
    used = situation.usage.get(payer.name, NOTHING_USED)
    most = _own(permissions.concurrent, limits.concurrent)
    if used.concurrent >= most:
        return Denied(f"{name} has {used.concurrent} calls beyond the house, and may have {most} at once", "concurrent")
    minutes = _own(permissions.minutes_per_day, limits.minutes_per_day)
    if used.seconds >= minutes * 60:
        return _talked(name, used, minutes)
    money = _money(permissions, situation)
    if money is not None and call_class != "free" and used.spent >= money:
        return _spent(name, used, money)
    return None


def passed(payer: Payer, call_class: CallClass, situation: Situation) -> Denied | None:
    """
    Tell which amount somebody has passed, so that its calls are ended: each may last for as long as one alone may, and
    several at once use it up sooner.
    """
    permissions, name = payer.permissions, payer.shown
    used = situation.usage.get(payer.name, NOTHING_USED)
    minutes = _own(permissions.minutes_per_day, situation.plan.limits.minutes_per_day)
    if used.seconds > minutes * 60:
        return _talked(name, used, minutes)
    money = _money(permissions, situation)
    # What is paid for already may be talked.
    return _spent(name, used, money) if money is not None and call_class != "free" and used.spent > money else None


def longest(payer: Payer, rates: Iterable[Rate | None], situation: Situation) -> int:
    """
    Seconds after which a call is ended: no limit is passed by talking on.

    Args:
        payer: Who answers for it.
        rates: What it may cost.
        situation: As for the decision.
    """
    limits, permissions = situation.plan.limits, payer.permissions
    used = situation.usage.get(payer.name, NOTHING_USED)
    seconds = min(limits.longest * 60, _own(permissions.minutes_per_day, limits.minutes_per_day) * 60 - used.seconds)
    money = _money(permissions, situation)
    if money is not None:
        for rate in rates:
            bought = affordable(rate, money - used.spent) if rate is not None else None
            if bought is not None:
                seconds = min(seconds, bought)
    return seconds


def _money(permissions: Permissions, situation: Situation) -> Decimal | None:
    if not situation.plan.rates:
        # Nobody knows what a call costs.
        return None
    return situation.plan.limits.spend_per_day if permissions.spend_per_day is None else permissions.spend_per_day


def _talked(name: str, used: Usage, minutes: int) -> Denied:
    text = f"{name} has talked {used.seconds // 60} minutes beyond the house today, and may {minutes}"
    return Denied(text, "minutes")


def _spent(name: str, used: Usage, money: Decimal) -> Denied:
    return Denied(f"{name} has spent {used.spent} on calls today, and may spend {money}", "spend")


def _own(own: int | None, usual: int) -> int:
    return usual if own is None else own


def _begins(number: str, prefixes: Iterable[str]) -> str:
    return next((prefix for prefix in prefixes if number.startswith(prefix)), "")
