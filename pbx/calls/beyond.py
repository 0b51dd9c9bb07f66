"""
What calls need to get beyond the house: the lines to the providers, and the state of all that the dialplan asks about.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from attrs import Factory, frozen

from pbx.calls.alerts import NoAlerts
from pbx.calls.emergency import Emergencies
from pbx.directory.plan import PlanBook
from pbx.directory.trunk import TrunkState
from pbx.transport.flow import FlowClosed
from pbx.transport.resolver import ResolveError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from pbx.calls.alerts import IAlerts
    from pbx.calls.leg import Leg
    from pbx.calls.outbound import CallerIdentity
    from pbx.dialog.credentials import ICredentials
    from pbx.directory.decision import Limited
    from pbx.directory.situation import Callbacks, Switches, Used
    from pbx.directory.trunk import Trunk
    from pbx.sip.message import Request
    from pbx.transport.flow import Flow
    from pbx.transport.resolver import Target


class Line(Protocol):
    """
    What calls see of the line to one provider (:class:`~pbx.calls.trunk_line.TrunkLine`).
    """

    @property
    def trunk(self) -> Trunk:
        """
        What is known of it.
        """

    @property
    def state(self) -> TrunkState:
        """
        How it is now.
        """

    @property
    def channels(self) -> Collection[Leg]:
        """
        The legs of the calls over it, both ways.
        """

    @property
    def full(self) -> bool:
        """
        Whether it takes no more of them.
        """

    @property
    def routes(self) -> Sequence[str]:
        """
        The Route values of an INVITE to it.
        """

    @property
    def credentials(self) -> ICredentials:
        """
        What its challenges are answered with.
        """

    def take(self, leg: Leg) -> None:
        """
        A call over it begins.
        """

    def release(self, leg: Leg) -> None:
        """
        It has ended.
        """

    async def targets(self) -> list[Target]:
        """
        Where it can be reached, best first; raises :class:`~pbx.transport.resolver.ResolveError`.
        """

    async def flow(self, target: Target) -> Flow:
        """
        The way there; raises :class:`~pbx.transport.flow.FlowClosed`.
        """

    def failed(self, target: Target) -> None:
        """
        No answer has come from there: it is tried last for a while.
        """

    def contact(self, flow: Flow) -> str:
        """
        Our Contact value towards it.
        """

    def request_uri(self, number: str) -> str:
        """
        What is called there for a number.
        """

    def from_uri(self, number: str) -> str:
        """
        Who we are there under a number.
        """


class Lines(Protocol):
    """
    What calls see of all of them (:class:`~pbx.calls.trunks.TrunkLines`).
    """

    def line(self, name: str) -> Line | None:
        """
        The line to the provider with this name.
        """

    def get(self, name: str, default: TrunkState, /) -> TrunkState:
        """
        How it is now.
        """

    def recognise(self, flow: Flow, request: Request) -> Line | None:
        """
        The line that a request has come over, ``None`` for that of anybody else.
        """

    def on_change(self, callback: Callable[[Line, TrunkState], object], /) -> None:
        """
        Have ``callback(line, before)`` called when the state of one has changed.
        """


class NoLines:
    """
    There are none.
    """

    def line(self, name: str) -> None:
        """
        None.
        """

    def get(self, name: str, default: TrunkState, /) -> TrunkState:
        """
        The default.
        """
        return default

    def recognise(self, flow: Flow, request: Request) -> None:
        """
        None.
        """

    def on_change(self, callback: Callable[[Line, TrunkState], object], /) -> None:
        """
        Nothing changes.
        """


@frozen
class Outside:
    """
    All that calls beyond the house need, besides what calls within it do.

    Attributes:
        book: The plan.
        lines: The lines to the providers.
        usage: What each extension has used of its limits.
        switches: Where night switches stand that were moved by hand.
        callbacks: Who made an emergency call lately.
        alerts: Who is told of what somebody must see to.
        limited: Told of each call that a toll-fraud limit did not let through.
        searching: Told, by its payer, of a call for which a trunk is looked for (1), and when that is over (-1): it has
            no leg yet, and counts all the same.
        emergencies: Sees to emergency calls.
    """

    book: PlanBook = Factory(PlanBook)
    lines: Lines = Factory(NoLines)
    usage: Used = MappingProxyType({})
    switches: Switches = MappingProxyType({})
    callbacks: Callbacks = MappingProxyType({})
    alerts: IAlerts = Factory(NoAlerts)
    limited: Callable[[Limited], object] = lambda limited: None
    searching: Callable[[str, int], object] = lambda payer, by: None
    emergencies: Emergencies = Factory(Emergencies)


@frozen(eq=False)
class Beyond:
    """
    What a leg beyond the house has besides what every leg has.

    Attributes:
        line: The line it goes over, of which it has a channel from its beginning to its end.
        face: Who those within the house are shown at its other end.
        payer: The extension, or the inbound route, whose permission and limits it goes by; empty for a call in.
        emergency: Whether it is an emergency call.
    """

    line: Line
    face: CallerIdentity
    payer: str = ""
    emergency: bool = False

    async def reach(self) -> Flow:
        """
        A way to the provider, when that of a call has ended.

        Raises:
            FlowClosed: There is none.
        """
        try:
            targets = await self.line.targets()
        except ResolveError as error:
            raise FlowClosed(str(error)) from error
        failure = FlowClosed(f"trunk {self.line.trunk.name} has no address")
        for target in targets:
            try:
                return await self.line.flow(target)
            except FlowClosed as error:
                failure = error
        raise failure
