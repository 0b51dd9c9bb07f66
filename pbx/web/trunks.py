"""
``/api/trunks``: the lines to providers, and how each is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
from zope.interface import Interface, implementer

from pbx.calls.record import stamp
from pbx.directory.plan_uses import users_of_trunk
from pbx.ops.plan_sections import Trunk as TrunkBody
from pbx.web.changes import changed
from pbx.web.plan_resource import Fault, PlanResource

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from pbx.directory.plan import Plan
    from pbx.directory.trunk import Trunk

ChangedTrunk = changed(TrunkBody)

WHERE: Final = ("host", "outbound_proxy")
"""What says to whom a trunk proves its password."""


def _folded(host: str | None) -> str | None:
    # RFC 4343: names are the same in any case.
    return None if host is None else host.lower()


class ITrunkStates(Interface):
    """
    How trunks are at the moment.
    """

    def state(name: str) -> dict[str, Any] | None:  # noqa: N805
        """
        ``health`` (``up``, ``degraded`` or ``down``), ``since`` when, the ``reason`` in words, whether it is
        ``registered`` (``None`` where it does not register), and how many ``channels`` it has now; ``None`` for a trunk
        that nobody looks after.
        """


@implementer(ITrunkStates)
class LiveTrunks:
    """
    The lines to providers as the resource wants them.

    Args:
        lines: The :class:`~pbx.calls.trunks.TrunkLines`, ``None`` where there are none.
    """

    def __init__(self, lines: Any) -> None:
        self._lines = lines

    def state(self, name: str) -> dict[str, Any] | None:
        """
        How one is.
        """
        line = None if self._lines is None else self._lines.line(name)
        if line is None or not line.trunk.enabled:
            return None
        return {
            "health": line.state.health,
            "since": stamp(line.since),
            "reason": line.state.reason,
            "registered": None if line.registration is None else line.registration.registered,
            "channels": line.state.channels,
        }


class Trunks(PlanResource):
    """
    The resource.
    """

    kind = "trunk"
    noun = "trunk"
    key = "sip_trunks"
    path = "/api/trunks"
    many = "trunks"
    new: ClassVar[type[msgspec.Struct]] = TrunkBody
    changed: ClassVar[type[msgspec.Struct]] = ChangedTrunk

    def __init__(self, plan: Any, states: Any, audit: Any) -> None:
        """
        A resource over trunks.

        Args:
            plan: An :class:`~pbx.web.plan.IPlan`.
            states: An :class:`ITrunkStates`.
            audit: An :class:`~pbx.web.identity.IAudit`.
        """
        super().__init__(plan, audit)
        self._states = states

    def pieces(self, plan: Plan) -> Sequence[Trunk]:
        """
        The trunks of a plan.
        """
        return [*plan.trunks.values()]

    def faults(self, piece: Trunk) -> list[Fault]:
        """
        A password that stands elsewhere: only the configuration is read by who may read that.
        """
        if piece.password.startswith(("${", "file:")):
            return [("password", "the password itself is needed; ${VARIABLE} and file:/path are for config.yml")]
        return []

    def change_faults(self, before: Trunk, after: Trunk, fields: Container[str]) -> list[Fault]:
        """
        A password that would go on to somebody else: nobody may read the one that is kept, so nobody may have it proven
        to a host of theirs either, which could try words until one fits.
        """
        elsewhere = [name for name in WHERE if _folded(getattr(before, name)) != _folded(getattr(after, name))]
        if not elsewhere or "password" in fields or not self._has_password(before.name):
            return []
        is_another = "is another" if len(elsewhere) == 1 else "are others"
        said = f"needed anew, since {' and '.join(elsewhere)} {is_another}: the one that is kept is not sent elsewhere"
        return [("password", said)]

    def _has_password(self, name: str) -> bool:
        live = self._plan.plan.trunks.get(name)
        # One that calls do not know yet may have one.
        return name in self._plan.lost or live is None or bool(live.password)

    def users(self, name: str) -> list[str]:
        """
        The routes that name it.
        """
        return users_of_trunk(self._plan.plan, name)

    def shown(self, piece: Trunk) -> dict[str, Any]:
        """
        What the API says of one: whether it has a password, never which.
        """
        shown = super().shown(piece)
        del shown["password"]
        live = self._plan.plan.trunks.get(piece.name)
        lost = self._plan.lost.get(piece.name)
        state = self._states.state(piece.name)
        if lost is not None:
            reason = f"Its password can't be read: {lost}. Set it again."
            state = {"health": "down", "since": None, "registered": None, "channels": 0, **(state or {})}
            state |= {"health": "down", "reason": reason}
        return {
            **shown,
            "password_set": lost is not None or bool(live is not None and live.password),
            "state": state,
        }
