"""
``/api/outbound-routes``: which calls go out, over which trunks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from pbx.ops.plan_sections import OutboundRoute as OutboundRouteBody
from pbx.web.changes import changed
from pbx.web.plan_resource import Fault, RouteResource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.directory.outbound_route import OutboundRoute
    from pbx.directory.plan import Plan

ChangedOutboundRoute = changed(OutboundRouteBody)


class OutboundRoutes(RouteResource):
    """
    The resource.
    """

    kind = "outbound_route"
    noun = "outbound route"
    key = "outbound_routes"
    path = "/api/outbound-routes"
    many = "outbound_routes"
    new: ClassVar[type[msgspec.Struct]] = OutboundRouteBody
    changed: ClassVar[type[msgspec.Struct]] = ChangedOutboundRoute

    def pieces(self, plan: Plan) -> Sequence[OutboundRoute]:
        """
        The ways out of a plan, in the order of asking.
        """
        return plan.outbound

    def faults(self, piece: OutboundRoute) -> list[Fault]:
        """
        No pattern, and trunks and a time condition that there are not.
        """
        faults: list[Fault] = []
        if not piece.patterns:
            faults.append(("patterns", "missing; needed is at least one, such as . for any number"))
        for index, trunk in enumerate(piece.trunks):
            if trunk in piece.trunks[:index]:
                faults.append((f"trunks[{index}]", f"{trunk} stands here twice"))
            faults += self.trunk_faults(f"trunks[{index}]", trunk)
        return faults + self.condition_faults("time", piece.time)
