"""
``/api/inbound-routes``: where calls go that come in over a trunk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from pbx.directory.decision import Destination
from pbx.ops.plan_checks import destination_faults
from pbx.ops.plan_sections import InboundRoute as InboundRouteBody
from pbx.web.changes import changed
from pbx.web.plan_resource import Fault, RouteResource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.directory.inbound_route import InboundRoute, Target
    from pbx.directory.plan import Plan
    from pbx.web.destinations import Numbers

ChangedInboundRoute = changed(InboundRouteBody)


class InboundRoutes(RouteResource):
    """
    The resource.
    """

    kind = "inbound_route"
    noun = "inbound route"
    key = "inbound_routes"
    path = "/api/inbound-routes"
    many = "inbound_routes"
    new: ClassVar[type[msgspec.Struct]] = InboundRouteBody
    changed: ClassVar[type[msgspec.Struct]] = ChangedInboundRoute

    def __init__(self, plan: Any, numbers: Numbers, audit: Any) -> None:
        """
        A resource over inbound routes.

        Args:
            plan: An :class:`~pbx.web.plan.IPlan`.
            numbers: Every number that can be called.
            audit: An :class:`~pbx.web.identity.IAudit`.
        """
        super().__init__(plan, audit)
        self._numbers = numbers

    def pieces(self, plan: Plan) -> Sequence[InboundRoute]:
        """
        The ways in of a plan, in the order of asking.
        """
        return plan.inbound

    def faults(self, piece: InboundRoute) -> list[Fault]:
        """
        Destinations that lead nowhere, and a trunk and a time condition that there are not.
        """
        faults = self._destination_faults("destination", piece.destination, piece)
        if piece.closed is not None:
            faults += self._destination_faults("closed", piece.closed, piece)
            if piece.time is None:
                faults.append(("closed", "found a destination, but no time that says when it is closed"))
        return [*faults, *self.trunk_faults("trunk", piece.trunk), *self.condition_faults("time", piece.time)]

    def _destination_faults(self, field: str, target: Target, route: InboundRoute) -> list[Fault]:
        if target.kind == "external":
            return destination_faults(field, target, route.classes)
        if target.kind == "queue":
            return [(f"{field}.kind", "there are no queues here")]
        fault = self._numbers.fault(Destination(target.kind, target.target))
        return [] if fault is None else [(f"{field}.{fault[0]}", fault[1])]
