"""
What stands in a file of routing cases: plans as config.yml has them, with people, and calls with what is expected.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from attrs import evolve
from msgspec import Meta

from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.handling import FollowMe, Handling
from pbx.directory.permissions import CallClass, Permissions, Usage
from pbx.directory.places import KINDS, Places
from pbx.directory.rates import Rate
from pbx.directory.simulation import Otherwise
from pbx.directory.situation import Situation
from pbx.directory.star_codes import USUAL
from pbx.directory.time_condition import SwitchPosition
from pbx.ops.plan_sections import (
    Emergency,
    InboundRoute,
    Limits,
    Money,
    OutboundRoute,
    Site,
    TimeCondition,
    Trunk,
    amount,
    as_plan,
)
from pbx.ops.section import Section

OFFERS = frozenset({
    "ring_group", "menu", "conference", "voicemail", "mailbox", "announcement", "directory", "star", "pickup",
    "night_switch",
})
"""The kinds of destination that an exchange of a case has."""

Number = Annotated[str, Meta(pattern=r"^\+?[0-9*#]{0,32}\Z", description="a number, in quotes")]
Names = tuple[str, ...]


def _time(value: str | None) -> None:
    if value is not None:
        dt.datetime.fromisoformat(value)


Moment = Annotated[str | None, Meta(description="a time such as 2026-12-24T18:00", extra={"check": _time})]


class Step(Section, frozen=True):
    """
    Another number that rings (:class:`pbx.directory.handling.FollowMe`).
    """

    number: Number
    after: int = 0
    lasting: int | None = None
    confirm: bool = True


class Wishes(Section, frozen=True):
    """
    What an extension wants done with its calls (:class:`pbx.directory.handling.Handling`).
    """

    dnd: bool = False
    forward_always: Number | None = None
    forward_busy: Number | None = None
    forward_no_answer: Number | None = None
    forward_unregistered: Number | None = None
    voicemail: bool = False
    simultaneous: tuple[Number, ...] = ()
    follow_me: tuple[Step, ...] = ()
    blocked: Names = ()

    def value(self) -> Handling:
        """
        As the dialplan knows it.
        """
        steps = tuple(FollowMe(step.number, step.after, step.lasting, step.confirm) for step in self.follow_me)
        return Handling(
            dnd=self.dnd, forward_always=self.forward_always, forward_busy=self.forward_busy,
            forward_no_answer=self.forward_no_answer, forward_unregistered=self.forward_unregistered,
            voicemail=self.voicemail, simultaneous=self.simultaneous, follow_me=steps, blocked=self.blocked,
        )


class Person(Section, frozen=True):
    """
    An extension, with the phones that it has registered.
    """

    number: Number
    name: str = ""
    phones: int = 1
    allow_external: bool = False
    enabled: bool = True
    classes: tuple[CallClass, ...] | None = None
    caller_id: str | None = None
    concurrent: int | None = None
    minutes_per_day: int | None = None
    spend_per_day: Money = None
    hours: str | None = None
    location: str | None = None
    handling: Wishes = Wishes()

    def value(self) -> Extension:
        """
        As the dialplan knows it.
        """
        permissions = Permissions(
            self.classes, self.caller_id, self.concurrent, self.minutes_per_day, self.spend_per_day, self.hours,
            self.location,
        )
        return Extension(
            self.number, self.name or self.number, allow_external=self.allow_external, enabled=self.enabled,
            handling=self.handling.value(), permissions=permissions,
        )


class Place(Section, frozen=True):
    """
    A ring group, menu or conference.
    """

    number: Number
    kind: Literal["ring_group", "menu", "conference"]
    name: str = ""


class Price(Section, frozen=True):
    """
    A rate (:class:`pbx.directory.rates.Rate`).
    """

    prefix: Annotated[str, Meta(pattern=r"^[0-9]{1,15}\Z", description="1 to 15 digits, without +")]
    rate: Decimal
    connection_fee: Decimal = Decimal(0)
    first: int = 60
    increment: int = 60


def _prices(values: dict[str, tuple[Price, ...]]) -> None:
    for prices in values.values():
        for price in prices:
            amount(price.rate)
            amount(price.connection_fee)


Prices = Annotated[dict[str, tuple[Price, ...]], Meta(description="rates by trunk", extra={"check": _prices})]


class PlanOfCases(Section, frozen=True):
    """
    An exchange: the sections of config.yml, and who is there.
    """

    site: Site = Site()
    sip_trunks: tuple[Trunk, ...] = ()
    outbound_routes: tuple[OutboundRoute, ...] = ()
    inbound_routes: tuple[InboundRoute, ...] = ()
    time_conditions: tuple[TimeCondition, ...] = ()
    limits: Limits = Limits()
    emergency: Emergency = Emergency()
    extensions: tuple[Person, ...] = ()
    places: tuple[Place, ...] = ()
    mailboxes: tuple[Number, ...] = ()
    rates: Prices = msgspec.field(default_factory=dict)

    def situation(self) -> Situation:
        """
        As the dialplan knows it, with every phone registered and every trunk up.
        """
        plan = as_plan(
            self.site, self.sip_trunks, self.outbound_routes, self.inbound_routes, self.time_conditions, self.limits,
            self.emergency, "UTC",
        )
        rates = {
            trunk: {
                price.prefix: Rate(price.prefix, price.rate, price.connection_fee, price.first, price.increment)
                for price in prices
            }
            for trunk, prices in self.rates.items()
        }
        return Situation(
            Directory(person.value() for person in self.extensions),
            {person.number: person.phones for person in self.extensions},
            Places(KINDS[place.kind](place.number, place.name or place.number) for place in self.places),
            USUAL, frozenset(self.mailboxes), OFFERS, evolve(plan, rates=rates),
        )


class Used(Section, frozen=True):
    """
    What an extension has used (:class:`pbx.directory.permissions.Usage`).
    """

    concurrent: int = 0
    minutes: int = 0
    spent: Decimal = Decimal(0)


def _used(values: dict[str, Used]) -> None:
    for used in values.values():
        amount(used.spent)


Usages = Annotated[dict[str, Used], Meta(description="what extensions have used", extra={"check": _used})]


class Expected(Section, frozen=True):
    """
    What a case expects; what is left out may be anything.
    """

    kind: str | None = None
    target: str | None = None
    argument: str | None = None
    status: int | None = None
    cause: int | None = None
    trunks: Names | None = None
    number: str | None = None
    caller: str | None = None
    call_class: str | None = None
    outbound_route: str | None = None
    inbound_route: str | None = None
    prefix: str | None = None
    on_behalf: str | None = None
    diversions: Names | None = None
    rings: Names | None = None
    limited: Names | None = None
    location: str | None = None
    callback: str | None = None
    longest: int | None = None
    reason: str | Names = ()


class Case(Section, frozen=True):
    """
    One call.
    """

    name: str
    expect: Expected
    plan: str | None = None
    caller: str = msgspec.field(name="from", default="")
    number: str = ""
    trunk: str = ""
    called: Names = ()
    anonymous: bool = False
    on_behalf: str | None = None
    diversions: Names = ()
    address: str = ""
    outcome: Literal["busy", "no answer", "unregistered", "dnd", "failed"] | None = None
    at: Moment = None
    down: Names = ()
    degraded: Names = ()
    full: Names = ()
    up: Names = ()
    unregistered: Names = ()
    registered: Names = ()
    switches: dict[str, SwitchPosition] = msgspec.field(default_factory=dict)
    usage: Usages = msgspec.field(default_factory=dict)
    handling: dict[str, Wishes] = msgspec.field(default_factory=dict)
    callbacks: dict[str, str] = msgspec.field(default_factory=dict)

    def otherwise(self, at: dt.datetime | None) -> Otherwise:
        """
        What is otherwise in it than it is now.
        """
        usage = {
            number: Usage(used.concurrent, used.minutes * 60, used.spent) for number, used in self.usage.items()
        }
        return Otherwise(
            at, dict.fromkeys(self.down, "simulated"), self.degraded, self.full, self.up, self.unregistered,
            self.registered, self.switches, usage, {number: each.value() for number, each in self.handling.items()},
            self.callbacks,
        )
