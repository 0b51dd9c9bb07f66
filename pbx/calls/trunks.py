"""
The lines to all providers: made as the plan has them, and what is told about them.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from pbx.calls.recognition import Recognition
from pbx.calls.trunk_line import LineTools, TrunkLine
from pbx.directory.plan import NO_PLAN

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from twisted.internet.interfaces import IDelayedCall

    from pbx.calls.alerts import IAlerts
    from pbx.calls.trunk_targets import Resolver
    from pbx.dialog.useragent import UserAgentCore
    from pbx.directory.plan import Plan
    from pbx.directory.trunk import TrunkState
    from pbx.sip.message import Request
    from pbx.transport.flow import Flow

LOOK_UP = 60.0
"""Seconds between two looks at the addresses of all trunks; the answers are remembered for as long as they hold."""


class TrunkLines:
    """
    Every line to a provider.

    Args:
        core: Sends and receives.
        resolver: Finds the places of a domain: ``Resolver(Lookup(system_resolver(reactor), reactor))``.
        wall: The wall clock.
        alerts: Who is told when a trunk is down.
        plan: The plan at the start; :meth:`plan_changed` follows it from then on.
        chance: A number from 0 to 1.
    """

    log = Logger()

    def __init__(
        self,
        core: UserAgentCore,
        resolver: Resolver,
        wall: Callable[[], float],
        alerts: IAlerts,
        plan: Plan = NO_PLAN,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._tools = LineTools(core, resolver, wall, chance)
        self._alerts = alerts
        self._lines: dict[str, TrunkLine] = {}
        self._observers: list[Callable[[TrunkLine, TrunkState], object]] = []
        self._leaving: set[Deferred[Any]] = set()
        self._timer: IDelayedCall | None = None
        self._running = False
        for trunk in plan.trunks.values():
            self._lines[trunk.name] = TrunkLine(self._tools, trunk, self._changed)
        self._recognition = Recognition(self._lines.values(), plan.site)

    def line(self, name: str) -> TrunkLine | None:
        """
        The line to the provider with this name.
        """
        return self._lines.get(name)

    def all(self) -> list[TrunkLine]:
        """
        Every line, the first to be tried first.
        """
        return sorted(self._lines.values(), key=lambda line: (line.trunk.priority, line.trunk.name))

    def get(self, name: str, default: TrunkState, /) -> TrunkState:
        """
        How a trunk is now.
        """
        line = self._lines.get(name)
        return default if line is None else line.state

    def recognise(self, flow: Flow, request: Request) -> TrunkLine | None:
        """
        The line that a request has come over, within a call or outside any; ``None`` where it is nobody's.

        A trunk registers nowhere: whoever sends REGISTER is a phone.
        """
        return None if request.method == "REGISTER" else self._recognition.of(flow, request)

    def is_trunk(self, address: str) -> bool:
        """
        Tell whether an address is a trunk's, for :attr:`pbx.transport.guard.Guard.is_trunk`.
        """
        return self._recognition.has(address)

    def on_change(self, callback: Callable[[TrunkLine, TrunkState], object], /) -> None:
        """
        Have ``callback(line, before)`` called when the state of one has changed.
        """
        self._observers.append(callback)

    def start(self) -> None:
        """
        Register, and ask for their health.
        """
        self._running = True
        self._look_up()
        for line in self.all():
            line.start()
            if line.state.health == "up":
                # An alert may have been left open by the run before.
                self._alerts.settled("trunk", line.trunk.name, f"Trunk {line.trunk.name} is up")

    async def stop(self) -> None:
        """
        Take all registrations back; within some two seconds, whatever the providers do.
        """
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for line in self._lines.values():
            self._start(line.stop())
        await DeferredList(list(self._leaving))

    def plan_changed(self, before: Plan, after: Plan) -> None:
        """
        Go by another plan: what it leaves as it was goes on undisturbed, and so do all calls.
        """
        for name in self._lines.keys() - after.trunks.keys():
            line = self._lines.pop(name)
            self._start(line.stop())
            self._alerts.settled("trunk", name, f"Trunk {name} was removed")
        for name, trunk in after.trunks.items():
            known = self._lines.get(name)
            if known is not None:
                self._start(known.change(trunk))
                continue
            line = self._lines[name] = TrunkLine(self._tools, trunk, self._changed)
            if self._running:
                line.start()
        self._recognition = Recognition(self._lines.values(), after.site)
        if self._running:
            self._look_up()

    def address_changed(self) -> None:
        """
        Our address is another: every provider is to know.
        """
        for line in self.all():
            line.address_changed()

    def _changed(self, line: TrunkLine, before: TrunkState) -> None:
        state = line.state
        name, host = line.trunk.name, line.trunk.host
        if self._lines.get(name) is not line:
            # It was removed: nobody waits for it any more.
            return
        if state.health == "up":
            self.log.info("trunk {trunk} ({host}) is up", trunk=name, host=host)
        else:
            self.log.warn("trunk {trunk} ({host}) is {health}: {reason}", trunk=name, host=host, health=state.health,
                          reason=state.reason)
        if line.trouble:
            self._alerts.alert("trunk", name, f"Trunk {name} ({host}) is {state.health}: {state.reason}")
        else:
            self._alerts.settled("trunk", name, f"Trunk {name} ({host}) is {state.health}")
        for observer in self._observers:
            try:
                observer(line, before)
            except Exception:  # noqa: BLE001 - the border: one observer's mistake must not keep the trunk from going on
                self.log.failure("An observer of the trunks failed")

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        work: Deferred[Any] = Deferred.fromCoroutine(coroutine)
        self._leaving.add(work)
        work.addErrback(lambda failure: self.log.failure("a trunk could not be changed", failure))
        work.addBoth(lambda _: self._leaving.discard(work))

    def _look_up(self) -> None:
        """
        Look up where each trunk may speak from, and do so again after a while.
        """
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._tools.core.clock.callLater(LOOK_UP, self._look_up)
        for line in self.all():
            if line.trunk.enabled:
                self._tools.core.tasks.start(self._look_up_one(line), "look up the addresses of a trunk")

    async def _look_up_one(self, line: TrunkLine) -> None:
        await line.targets_of.look_again()
        if self._running:
            line.look()
