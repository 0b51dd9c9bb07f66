"""
The sections of the configuration file about trunks, routes, limits and emergency calls.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from pbx.audio.codec import spoken
from pbx.directory import emergency, inbound_route, outbound_route, pattern, plan, time_condition, trunk
from pbx.directory.handling import ANONYMOUS
from pbx.directory.numbering import is_country
from pbx.directory.permissions import USUAL_CLASSES, CallClass, TollLimits
from pbx.ops.section import (
    Dialled,
    Host,
    HostName,
    Line,
    MailAddress,
    Networks,
    Port,
    Proxy,
    Secret,
    Section,
    printable,
)


def _zone(value: str | None) -> None:
    if value is not None:
        try:
            ZoneInfo(value)
        except (KeyError, OSError, ValueError):
            # ZoneInfoNotFoundError is a KeyError with a message for programmers.
            raise ValueError("there is no such time zone") from None


def _country(value: str) -> None:
    if not is_country(value):
        raise ValueError("there is no such country")


def _date(value: str | None) -> None:
    if value is not None:
        dt.date.fromisoformat(value if len(value) == 10 else f"2024-{value}")


def _patterns(values: tuple[str, ...]) -> None:
    for value in values:
        _pattern(value)


def _pattern(value: str | None) -> None:
    if value:
        pattern.read(value)


def _caller(value: str) -> None:
    if value != ANONYMOUS:
        _pattern(value)


def _codecs(values: tuple[str, ...]) -> None:
    # Beside one that is spoken they are there for phones that have them too: those need no converter.
    if values and not any(spoken(value) for value in values):
        raise ValueError(
            f"{' and '.join(values)} cannot be spoken without PyAV, which is not installed: add PCMU or PCMA, or pip"
            " install 'pbx[codecs]' and restart the exchange"
        )


def amount(value: Decimal | None) -> None:
    """
    Check that an amount of money can be reckoned with.

    Raises:
        ValueError: It can't.
    """
    if value is not None and not (value.is_finite() and 0 <= value <= 1_000_000):
        raise ValueError("it is below zero, or more than a million")


Name = Annotated[
    str,
    Meta(
        # It is part of a path of the API.
        pattern=r"^[^\s/.]([^/]{0,58}[^\s/])?\Z", description="text of 1 to 60 characters, without /",
        extra={"check": printable},
    ),
]
PATTERN = (
    "digits, X (0-9), Z (1-9), N (2-9), [2-57] (a choice), and at the end . (one or more of anything) or ! (anything "
    "or nothing)"
)
Pattern = Annotated[str, Meta(description=f"a pattern: {PATTERN}", extra={"check": _pattern})]
Caller = Annotated[str, Meta(description=f"{ANONYMOUS}, or a pattern: {PATTERN}", extra={"check": _caller})]
Patterns = Annotated[
    tuple[str, ...], Meta(description=f"a list of patterns: {PATTERN}", extra={"check": _patterns})
]
Number = Annotated[str, Meta(pattern=r"^\+?[0-9*#]{1,32}\Z", description="a number such as +493012345")] | None
Numbers = Annotated[tuple[Dialled, ...], Meta(description="a list of extensions")]
Zone = Annotated[str | None, Meta(description="a time zone such as Europe/Berlin, or null", extra={"check": _zone})]
Classes = tuple[CallClass, ...]
Codecs = Annotated[tuple[Literal["PCMU", "PCMA", "G722", "opus"], ...], Meta(extra={"check": _codecs})]
Concurrent = Annotated[int, Meta(ge=0, le=1000, description="a whole number, 0 to 1000")]
Minutes = Annotated[int, Meta(ge=0, le=100_000, description="whole minutes, 0 to 100000")]
Money = Annotated[
    Decimal | None, Meta(description="an amount of money, such as 50, or null", extra={"check": amount})
]
Prefixes = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^\+[0-9]{1,15}\Z")], ...],
    Meta(description="a list of prefixes such as +882"),
]


class Site(Section, frozen=True):
    """
    Where the exchange stands.
    """

    country: Annotated[
        str,
        Meta(
            pattern=r"^[A-Z]{2}\Z", description="two letters such as US, DE or GB (ISO 3166)",
            extra={"check": _country},
        ),
    ] = "US"
    area_code: Annotated[str, Meta(pattern=r"^[0-9]{0,6}\Z", description="up to 6 digits")] = ""
    time_zone: Zone = None
    outside_prefix: Annotated[str, Meta(pattern=r"^[0-9]{0,3}\Z", description="up to 3 digits")] = ""


class Trunk(Section, frozen=True):
    """
    One provider (:class:`pbx.directory.trunk.Trunk`).
    """

    name: Name
    host: Host
    port: Port | None = None
    transport: trunk.TransportName | None = None
    username: Line = ""
    auth_username: Line | None = None
    password: Secret = ""
    from_domain: HostName | None = None
    priority: Annotated[int, Meta(ge=1, le=100, description="a whole number, 1 (first) to 100")] = 1
    enabled: bool = True
    register: bool = True
    register_expires: Annotated[int, Meta(ge=60, le=86400, description="whole seconds, 60 to 86400")] = 600
    codecs: Codecs = ()
    max_channels: Annotated[int, Meta(ge=1, le=10_000, description="a whole number, 1 to 10000")] | None = None
    dids: Patterns = ()
    caller_id: Number = None
    options_interval: Annotated[int, Meta(ge=0, le=3600, description="whole seconds, 0 (never) to 3600")] = 30
    srtp: trunk.SrtpUse = "off"
    inbound_ips: Networks = ()
    number_format: trunk.NumberFormat = "e164"
    outbound_proxy: Proxy | None = None
    contact_user: Line | None = None
    did_from: trunk.DidSource = "auto"
    send_pai: bool = True
    session_timers: bool = True
    failover_on: tuple[Literal[403, 488], ...] = ()
    pass_hold: bool = False
    diversion: bool = True
    emergency: bool = False


class OutboundRoute(Section, frozen=True):
    """
    One way out (:class:`pbx.directory.outbound_route.OutboundRoute`).
    """

    name: Name
    patterns: Patterns = ()
    callers: Patterns = ()
    strip: Annotated[int, Meta(ge=0, le=20, description="a whole number, 0 to 20")] = 0
    prepend: Annotated[str, Meta(pattern=r"^\+?[0-9*#]{0,20}\Z", description="up to 20 digits, also behind a +")] = ""
    trunks: Annotated[tuple[Name, ...], Meta(description="a list of names of trunks")] = ()
    time: Name | None = None
    call_class: CallClass | None = None
    caller_id: Number = None
    least_cost: bool = False
    enabled: bool = True


class Target(Section, frozen=True):
    """
    Where callers go.
    """

    kind: Literal[
        "extension", "ring_group", "queue", "menu", "conference", "voicemail", "announcement", "external", "hangup"
    ]
    target: Line = ""


class InboundRoute(Section, frozen=True):
    """
    One way in (:class:`pbx.directory.inbound_route.InboundRoute`).
    """

    name: Name
    destination: Target
    did: Pattern = ""
    caller: Caller = ""
    trunk: Name | None = None
    time: Name | None = None
    closed: Target | None = None
    classes: Classes = ()
    concurrent: Concurrent | None = None
    minutes_per_day: Minutes | None = None
    spend_per_day: Money = None
    prefix: Annotated[
        str, Meta(max_length=30, description="up to 30 characters", extra={"check": printable})
    ] = ""
    enabled: bool = True


Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z|^24:00\Z", description="a time such as 08:30")]
Date = Annotated[
    str,
    Meta(
        pattern=r"^([0-9]{4}-)?[0-9]{2}-[0-9]{2}\Z", description="a date such as 2026-12-24, or 12-25 for each year",
        extra={"check": _date},
    ),
]


class Hours(Section, frozen=True):
    """
    Opening hours.
    """

    days: tuple[time_condition.Day, ...] = time_condition.DAYS[:5]
    start: Clock = "00:00"
    end: Clock = "24:00"


class Holiday(Section, frozen=True):
    """
    A day, or several, without opening hours.
    """

    date: Date
    name: Line = ""
    until: Date | None = None


class TimeCondition(Section, frozen=True):
    """
    When it is open (:class:`pbx.directory.time_condition.TimeCondition`).
    """

    name: Name
    zone: Zone = None
    hours: tuple[Hours, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    switch: Annotated[str, Meta(pattern=r"^[0-9]{0,4}\Z", description="up to 4 digits")] | None = None


class Limits(Section, frozen=True):
    """
    What a stolen password can cost at most (:class:`pbx.directory.permissions.TollLimits`).
    """

    classes: Classes = USUAL_CLASSES
    concurrent: Concurrent = 4
    minutes_per_day: Minutes = 600
    spend_per_day: Money = Decimal(50)
    hours: Name | None = None
    blocked: Prefixes = ()
    allowed: Prefixes = ()
    longest: Annotated[int, Meta(ge=1, le=10_000, description="whole minutes, 1 to 10000")] = 240


class Permissions(Section, frozen=True):
    """
    What one extension may do beyond the house (:class:`pbx.directory.permissions.Permissions`), as the API takes it.
    """

    classes: Classes | None = None
    caller_id: Number = None
    concurrent: Concurrent | None = None
    minutes_per_day: Minutes | None = None
    spend_per_day: Money = None
    hours: Name | None = None
    location: Name | None = None


class Location(Section, frozen=True):
    """
    A place where phones stand (:class:`pbx.directory.emergency.Location`).
    """

    name: Name
    civic: dict[str, str] = msgspec.field(default_factory=dict)
    subnets: Networks = ()
    callback: Number = None
    notify: Numbers = ()
    prompt: Name | None = None


class Emergency(Section, frozen=True):
    """
    Emergency calls (:class:`pbx.directory.emergency.Emergency`).
    """

    numbers: Annotated[tuple[Dialled, ...], Meta(description="a list of numbers")] = ("112", "911")
    test_number: Dialled | None = None
    test_target: Number = None
    locations: tuple[Location, ...] = ()
    location: Name | None = None
    callback: Number = None
    desk: Dialled | None = None
    notify: Numbers = ()
    mail: tuple[MailAddress, ...] = ()


class Alerts(Section, frozen=True):
    """
    Who is told of what somebody must see to.
    """

    mail: tuple[MailAddress, ...] = ()


def as_plan(
    site: Site,
    trunks: tuple[Trunk, ...],
    outbound: tuple[OutboundRoute, ...],
    inbound: tuple[InboundRoute, ...],
    conditions: tuple[TimeCondition, ...],
    limits: Limits,
    called: Emergency,
    machine_zone: str,
) -> plan.Plan:
    """
    What these sections say, as the dialplan knows it.

    Args:
        site: Where the exchange stands.
        trunks: The trunks.
        outbound: The ways out.
        inbound: The ways in.
        conditions: The time conditions.
        limits: What an extension may use.
        called: Emergency calls.
        machine_zone: The time zone of a site that names none.
    """
    def flat(section: Section) -> dict[str, object]:
        return msgspec.structs.asdict(section)

    def target(section: Target) -> inbound_route.Target:
        return inbound_route.Target(section.kind, section.target)

    return plan.Plan(
        site=plan.Site(**{**flat(site), "time_zone": site.time_zone or machine_zone}),  # type: ignore[arg-type]
        trunks={each.name: trunk.Trunk(**flat(each)) for each in trunks},  # type: ignore[arg-type]
        outbound=tuple(outbound_route.OutboundRoute(**flat(each)) for each in outbound),  # type: ignore[arg-type]
        inbound=tuple(
            inbound_route.InboundRoute(**{  # type: ignore[arg-type]
                **flat(each), "destination": target(each.destination),
                "closed": None if each.closed is None else target(each.closed),
            })
            for each in inbound
        ),
        conditions={
            each.name: time_condition.TimeCondition(
                each.name, each.zone,
                tuple(time_condition.Hours(hours.days, hours.start, hours.end) for hours in each.hours),
                tuple(time_condition.Holiday(day.date, day.name, day.until) for day in each.holidays),
                each.switch,
            )
            for each in conditions
        },
        limits=TollLimits(**flat(limits)),  # type: ignore[arg-type]
        emergency=emergency.Emergency(**{  # type: ignore[arg-type]
            **flat(called),
            "locations": tuple(
                emergency.Location(each.name, each.civic, each.subnets, each.callback, each.notify, each.prompt)
                for each in called.locations
            ),
        }),
    )
