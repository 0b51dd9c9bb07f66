"""
The plan: all that decides about calls beyond the house, as one value, from the configuration and the database together.
"""

from __future__ import annotations

from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import evolve, field, frozen
from twisted.logger import Logger

from pbx.directory.emergency import Emergency
from pbx.directory.inbound_route import InboundRoute, InboundRoutes
from pbx.directory.outbound_route import OutboundRoute, OutboundRoutes
from pbx.directory.pattern import Index, names_numbers
from pbx.directory.permissions import TollLimits
from pbx.directory.rates import Rate
from pbx.directory.time_condition import TimeCondition
from pbx.directory.trunk import Trunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def _read_only(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(values))


def _outbound(routes: Iterable[OutboundRoute]) -> OutboundRoutes:
    return routes if isinstance(routes, OutboundRoutes) else OutboundRoutes(routes)


def _inbound(routes: Iterable[InboundRoute]) -> InboundRoutes:
    return routes if isinstance(routes, InboundRoutes) else InboundRoutes(routes)


@frozen
class Site:
    """
    Where the exchange stands.

    Attributes:
        country: The ISO 3166 code (``US``, ``DE``) by whose rules numbers are dialled.
        area_code: The area within which calls are local, without the trunk prefix (``30``, ``212``); empty for none.
        time_zone: The zone of hours and days, such as ``Europe/Berlin``.
        outside_prefix: What is dialled before a number beyond the house; empty for nothing.
    """

    country: str = "US"
    area_code: str = ""
    time_zone: str = "UTC"
    outside_prefix: str = ""


@frozen
class Plan:
    """
    All that decides about calls beyond the house; never changed, only replaced as a whole.

    Attributes:
        site: Where the exchange stands.
        trunks: The trunks by name.
        outbound: The ways out, in the order of asking.
        inbound: The ways in, likewise.
        conditions: The time conditions by name.
        rates: By trunk, the rates by prefix.
        limits: What holds for every extension.
        emergency: Emergency calls.
    """

    site: Site = Site()
    trunks: Mapping[str, Trunk] = field(factory=dict, converter=_read_only, hash=False)
    outbound: OutboundRoutes = field(factory=OutboundRoutes, converter=_outbound)
    inbound: InboundRoutes = field(factory=InboundRoutes, converter=_inbound)
    conditions: Mapping[str, TimeCondition] = field(factory=dict, converter=_read_only, hash=False)
    rates: Mapping[str, Mapping[str, Rate]] = field(factory=dict, converter=_read_only, hash=False)
    limits: TollLimits = field(factory=TollLimits)
    emergency: Emergency = field(factory=Emergency)

    @cached_property
    def urgent(self) -> Mapping[str, str]:
        """
        The emergency numbers, each by all that is dialled for it.
        """
        numbers = [*self.emergency.numbers]
        if self.emergency.test_number is not None:
            numbers.append(self.emergency.test_number)
        prefixed = {self.site.outside_prefix + number: number for number in numbers}
        return {**prefixed, **{number: number for number in numbers}}

    def prepare(self) -> None:
        """
        Make ready what decisions look up, so that no call waits for it.
        """
        _ = self.outbound.by_pattern, self.inbound.by_did, self.inbound.by_name, self.own

    @cached_property
    def own(self) -> Index[str]:
        """
        The numbers that are ours, as inbound routes and trunks name them.

        A pattern that most numbers of a country fit says where calls go, and not which numbers are ours.
        """
        patterns = [route.did for route in self.inbound if route.enabled]
        patterns += [did for trunk in self.by_priority for did in trunk.dids]
        return Index((text, text) for text in dict.fromkeys(patterns) if names_numbers(text))

    @cached_property
    def by_priority(self) -> tuple[Trunk, ...]:
        """
        The trunks that are enabled, the first to try first.
        """
        enabled = (trunk for trunk in self.trunks.values() if trunk.enabled)
        return tuple(sorted(enabled, key=lambda trunk: trunk.priority))


NO_PLAN = Plan()

Kind: TypeAlias = Literal["trunk", "outbound_route", "inbound_route", "time_condition"]
"""What of the plan is kept in the database as well, piece by piece, each with a name of its own."""

Piece: TypeAlias = Trunk | OutboundRoute | InboundRoute | TimeCondition

PIECES: Mapping[Kind, type[Piece]] = MappingProxyType({
    "trunk": Trunk,
    "outbound_route": OutboundRoute,
    "inbound_route": InboundRoute,
    "time_condition": TimeCondition,
})
"""The class of each kind."""

Change: TypeAlias = "Callable[[Plan, Plan], None]"
"""Called with the plan before and after."""


class PlanBook:
    """
    The plan as it is now, and those who want to know when it changes.

    What the configuration says comes first: a piece of the database with the name of one of the configuration is left
    out, and routes of the database are asked after those of the configuration.

    Attributes:
        plan: The plan as it is now.
        configured: What the configuration alone says.
    """

    log = Logger()

    def __init__(self, configured: Plan = NO_PLAN) -> None:
        self.configured = configured
        self.plan = configured
        self._kept: dict[Kind, tuple[Any, ...]] = {}
        self._rates: Mapping[str, Mapping[str, Rate]] = {}
        self._observers: list[Change] = []

    def configure(self, configured: Plan) -> None:
        """
        Go by another configuration.
        """
        self.configured = configured
        self._merge()

    def keep(self, kind: Kind, pieces: Iterable[Piece]) -> None:
        """
        Go by what the database has of a kind, in the order of asking.
        """
        self._kept[kind] = tuple(pieces)
        self._merge()

    def keep_rates(self, rates: Mapping[str, Mapping[str, Rate]]) -> None:
        """
        Go by the rates of the database, by trunk and prefix.
        """
        self._rates = rates
        self._merge()

    def on_change(self, observer: Change) -> None:
        """
        Call ``observer(before, after)`` at every change from now on.
        """
        self._observers.append(observer)

    def hidden(self) -> list[tuple[Kind, str]]:
        """
        What the database has and nobody goes by, since the configuration has one of that kind with the same name.
        """
        base = self.configured
        names: dict[Kind, set[str]] = {
            "trunk": set(base.trunks), "time_condition": set(base.conditions),
            "outbound_route": {route.name for route in base.outbound},
            "inbound_route": {route.name for route in base.inbound},
        }
        return [(kind, piece.name) for kind, taken in names.items() for piece in self._kept.get(kind, ())
                if piece.name in taken]

    def _merge(self) -> None:
        base, before = self.configured, self.plan
        self.plan = evolve(
            base,
            trunks={**self._named("trunk"), **base.trunks},
            conditions={**self._named("time_condition"), **base.conditions},
            outbound=self._together("outbound_route", base.outbound, before.outbound),
            inbound=self._together("inbound_route", base.inbound, before.inbound),
            rates={**self._rates, **base.rates},
        )
        if self.plan == before:
            return
        for observer in self._observers:
            try:
                observer(before, self.plan)
            except Exception:  # noqa: BLE001 - one observer's mistake must not keep the plan stale for the others
                self.log.failure("An observer of the plan failed")

    def _named(self, kind: Kind) -> dict[str, Any]:
        return {piece.name: piece for piece in self._kept.get(kind, ())}

    def _together(self, kind: Kind, configured: tuple[Any, ...], before: tuple[Any, ...]) -> tuple[Any, ...]:
        """
        Those of the configuration, and those of the database behind them; the same as before where nothing changed.
        """
        names = {piece.name for piece in configured}
        kept = [piece for piece in self._kept.get(kind, ()) if piece.name not in names]
        routes = (*configured, *kept) if kept else configured
        return before if routes == before else routes
