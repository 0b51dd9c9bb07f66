"""
``/api/time-conditions``: when it is open, whether it is now, and the night switches.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from zope.interface import Interface

from pbx.directory.opening import opening
from pbx.directory.plan_uses import users_of_condition
from pbx.directory.time_condition import SwitchPosition
from pbx.ops.plan_sections import TimeCondition as TimeConditionBody
from pbx.web.changes import changed
from pbx.web.plan_resource import Fault, PlanResource
from pbx.web.routes import Ask, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pbx.directory.directory import Directory
    from pbx.directory.plan import Plan
    from pbx.directory.switches import Switches
    from pbx.directory.time_condition import TimeCondition

ChangedTimeCondition = changed(TimeConditionBody)


class IMoved(Interface):
    """
    Where night switches are moved.
    """

    def move(name: str, position: SwitchPosition, actor: str) -> None:  # noqa: N805
        """
        Move the switch of a time condition; calls go by it at once.
        """


class SwitchBody(msgspec.Struct, frozen=True):
    """
    The body that moves a night switch.
    """

    position: SwitchPosition


class TimeConditions(PlanResource):
    """
    The resource.
    """

    kind = "time_condition"
    noun = "time condition"
    key = "time_conditions"
    path = "/api/time-conditions"
    many = "time_conditions"
    new: ClassVar[type[msgspec.Struct]] = TimeConditionBody
    changed: ClassVar[type[msgspec.Struct]] = ChangedTimeCondition

    def __init__(
        self,
        plan: Any,
        switches: Switches,
        moved: Any,
        directory: Directory,
        wall: Callable[[], float],
        audit: Any,
    ) -> None:
        """
        A resource over time conditions.

        Args:
            plan: An :class:`~pbx.web.plan.IPlan`.
            switches: Where the night switches stand.
            moved: An :class:`IMoved`.
            directory: The extensions, some of which call out within a condition only.
            wall: The wall clock.
            audit: An :class:`~pbx.web.identity.IAudit`.
        """
        super().__init__(plan, audit)
        self._switches = switches
        self._moved = moved
        self._directory = directory
        self._wall = wall

    def pieces(self, plan: Plan) -> Sequence[TimeCondition]:
        """
        The time conditions of a plan.
        """
        return [*plan.conditions.values()]

    def faults(self, piece: TimeCondition) -> list[Fault]:
        """
        A switch that another has.
        """
        return [
            ("switch", f"{piece.switch} is the switch of {other.name} already")
            for other in self._plan.plan.conditions.values()
            if piece.switch is not None and other.switch == piece.switch and other.name != piece.name
        ]

    def users(self, name: str) -> list[str]:
        """
        The routes, limits and extensions that name it.
        """
        return users_of_condition(self._plan.plan, name, self._directory.all())

    def shown(self, piece: TimeCondition) -> dict[str, Any]:
        """
        What the API says of one: also whether it is open now, and why.
        """
        position = self._switches.get(piece.name, "auto")
        moment = dt.datetime.fromtimestamp(self._wall(), dt.UTC)
        now = opening(piece, moment, self._plan.plan.site.time_zone, position)
        return {**super().shown(piece), "now": {"open": now.is_open, "reason": now.reason, "position": position}}

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        return [*super().routes(), Route("PUT", f"{self.path}/<name>/switch", self._switch, body=SwitchBody)]

    async def _switch(self, ask: Ask) -> object:
        piece = self.live(ask)
        before, after = self._switches.get(piece.name, "auto"), ask.body.position
        self._moved.move(piece.name, after, ask.actor)
        subject = f"night switch {piece.name}"
        self._audit.wrote(ask.actor, "move", subject, {"position": before}, {"position": after})
        return self.shown(piece)
