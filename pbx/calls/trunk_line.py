"""
The line to one provider: how it is, where it is, who we are there, and the calls over it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

from pbx.calls.health import UNKNOWN, Health
from pbx.calls.register import MARK, RegisterClient
from pbx.calls.registration import Registration
from pbx.calls.trunk_targets import TrunkTargets
from pbx.dialog.credentials import DigestCredentials, ICredentials
from pbx.dialog.useragent import contact_of
from pbx.directory.trunk import TrunkState
from pbx.sip.token import random_hex
from pbx.sip.uri import host_part, user_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.calls.leg import Leg
    from pbx.calls.trunk_targets import Resolver
    from pbx.dialog.useragent import UserAgentCore
    from pbx.directory.trunk import Trunk
    from pbx.transport.flow import Flow
    from pbx.transport.resolver import Target

MAKES_A_LINE = (
    "host", "port", "transport", "username", "auth_username", "password", "from_domain", "enabled", "register",
    "register_expires", "options_interval", "outbound_proxy", "contact_user",
)
"""The fields of a trunk by which it is registered and asked for its health: when one changes, both begin anew."""


@frozen
class LineTools:
    """
    What every line is made with.

    Attributes:
        core: The user agent core.
        resolver: Finds the places of a domain.
        wall: The wall clock.
        chance: A number from 0 to 1, so that many trunks do not ask in the same moment.
    """

    core: UserAgentCore
    resolver: Resolver
    wall: Callable[[], float]
    chance: Callable[[], float]


class TrunkLine:
    """
    The line to one provider, for as long as the plan has a trunk with its name.

    Args:
        tools: What it is made with.
        trunk: The trunk.
        changed: Called with the line and the state before, when its state has changed.

    Attributes:
        trunk: The trunk as the plan has it now.
        since: When its health last changed, in seconds since the epoch.
        channels: The legs of the calls over it, both ways.
        targets_of: Where it is.
        mark: What our Contact bears at its registrar, so that calls from there can be told by it: only the provider
            knows it.
        call_mark: What our Contact bears in calls, so that requests within them can be told by it. Where the provider
            hides nothing, whoever is called or calls knows it, and it must not do to call with.
    """

    def __init__(self, tools: LineTools, trunk: Trunk, changed: Callable[[TrunkLine, TrunkState], None]) -> None:
        self.trunk = trunk
        self.since = tools.wall()
        self.channels: set[Leg] = set()
        self.mark, self.call_mark = random_hex(8), random_hex(8)
        self._tools = tools
        self._observer = changed
        self._running = self._changing = False
        self._make()
        self._state = self._judge()

    # What calls ask for.

    @property
    def state(self) -> TrunkState:
        """
        How it is now.
        """
        return evolve(self._state, channels=len(self.channels))

    @property
    def full(self) -> bool:
        """
        Whether it takes no further call.
        """
        return self.trunk.max_channels is not None and len(self.channels) >= self.trunk.max_channels

    @property
    def registration(self) -> Registration | None:
        """
        Its registration; ``None`` where it has none.
        """
        return self._registration

    @property
    def credentials(self) -> ICredentials:
        """
        What our calls prove themselves with.
        """
        return self._credentials

    @property
    def routes(self) -> tuple[str, ...]:
        """
        The Route values for an INVITE to it, as it asked for when it registered us (RFC 3608 6.1).
        """
        grant = self._registration.grant if self._registration is not None else None
        return () if grant is None else grant.routes

    def take(self, leg: Leg) -> None:
        """
        A call over it begins.
        """
        self.channels.add(leg)

    def release(self, leg: Leg) -> None:
        """
        It has ended.
        """
        self.channels.discard(leg)

    async def targets(self) -> list[Target]:
        """
        Where a call is sent, best first: where it is registered, others, and at last those that failed of late.

        Raises:
            ResolveError: Its name leads nowhere.
        """
        routes = () if self.trunk.outbound_proxy is not None else self.routes
        return await self.targets_of.best_first(routes[0] if routes else None)

    async def flow(self, target: Target) -> Flow:
        """
        The way to one of them.

        Raises:
            FlowClosed: No connection comes about.
        """
        return await self._tools.core.transactions.transport.open(target)

    def failed(self, target: Target) -> None:
        """
        No answer has come from there: it is tried last for a while.
        """
        self.targets_of.failed(target)

    def contact(self, flow: Flow) -> str:
        """
        Our Contact value in calls: that of its registration, but for the mark.
        """
        return contact_at(self._made_of, self.call_mark, flow)

    def request_uri(self, number: str) -> str:
        """
        What is called there for a number.
        """
        port = "" if self.trunk.port in (None, 5060, 5061) else f":{self.trunk.port}"
        return f"sip:{user_part(number)}@{host_part(self.trunk.host)}{port}"

    def from_uri(self, number: str) -> str:
        """
        Who we are there under a number.
        """
        return f"sip:{user_part(number)}@{host_part(self.trunk.domain)}"

    # Its life.

    def start(self) -> None:
        """
        Register, and ask for its health.
        """
        self._running = True
        self._begin()

    async def stop(self) -> None:
        """
        Take the registration back; calls over it go on.
        """
        self._running = False
        await self._end()

    async def change(self, trunk: Trunk) -> None:
        """
        Go by another trunk of the same name; the registration is made anew only when it hangs on what has changed.
        """
        self.trunk = trunk
        made = self._made_of
        if self._changing or all(getattr(made, name) == getattr(trunk, name) for name in MAKES_A_LINE):
            # What is being changed is changed to what the plan has when the old is gone.
            return
        self._changing = True
        # One after the other: the removal of the old Contact must not overtake the new one.
        await self._end()
        self._changing = False
        self._make()
        if self._running:
            self._begin()
        self.look()

    def address_changed(self) -> None:
        """
        Our address is another: the provider is to know.
        """
        if self._registration is not None:
            self._registration.again()

    def look(self) -> None:
        """
        Judge anew how it is, and tell who wants to know.
        """
        before, self._state = self._state, self._judge()
        if self._state == before:
            return
        if self._state.health != before.health:
            self.since = self._tools.wall()
        self._observer(self, before)

    @property
    def trouble(self) -> bool:
        """
        Whether somebody must see to it: calls can't go out, or don't come in.
        """
        registration = self._registration
        unknown = registration is not None and not registration.registered and registration.failure is not None
        return self.trunk.enabled and (self._state.health == "down" or unknown)

    # Inside.

    def _begin(self) -> None:
        if not self.trunk.enabled:
            return
        self._health.start()
        if self._registration is not None:
            self._registration.start()

    async def _end(self) -> None:
        self._health.stop()
        if self._registration is not None:
            await self._registration.stop()

    def _make(self) -> None:
        tools, trunk = self._tools, self.trunk
        self._made_of = trunk
        self.targets_of = TrunkTargets(tools.resolver, tools.core.clock, trunk)
        self._credentials = DigestCredentials(trunk.auth_username or trunk.username, trunk.password)
        self._health = Health(tools.core, trunk, self.targets_of, self._asked)
        self._registration: Registration | None = None
        if trunk.registers:
            client = RegisterClient(tools.core, trunk, lambda flow: contact_at(trunk, self.mark, flow))
            self._registration = Registration(tools.core, trunk, client, self.targets_of, self._renewed, tools.chance)

    def _renewed(self) -> None:
        """
        Something about the registration is another.
        """
        registration = self._registration
        registered = registration is not None and registration.registered and registration.failure is None
        if registered and self._health.verdict.pulse == "dead":
            # Whoever takes a REGISTER is there again: calls need not wait for the next look.
            self._health.again()
        self.look()

    def _asked(self, revived: set[Target], died: set[Target]) -> None:
        """
        A round of questions has shown something.
        """
        registration = self._registration
        if registration is not None:
            here = registration.target
            # Where it died, calls don't come in any more; where it came back, it may have forgotten us.
            if (here in died and self._health.verdict.pulse == "partly") or here in revived or (
                revived and not registration.registered
            ):
                registration.again()
        self.look()

    def _judge(self) -> TrunkState:
        if not self.trunk.enabled:
            return TrunkState("down", "it is switched off")
        verdict, registration = self._health.verdict, self._registration
        if verdict.pulse == "dead":
            return TrunkState("down", verdict.reason)
        if registration is not None:
            failure = registration.failure
            if registration.registered and failure is not None:
                return TrunkState("degraded", f"its registration is being renewed: {failure}")
            if not registration.registered:
                if failure is None:
                    yet = "it is not registered yet" if registration.grant is None else "its registration has run out"
                    return TrunkState("degraded", yet)
                alive = verdict.pulse != "unknown" or failure.refused
                return TrunkState("degraded" if alive else "down", f"it is not registered: {failure}")
        elif verdict == UNKNOWN and self.targets_of.trouble:
            return TrunkState("down", self.targets_of.trouble)
        if verdict.pulse == "partly":
            return TrunkState("degraded", verdict.reason)
        return TrunkState()


def contact_at(trunk: Trunk, mark: str, flow: Flow) -> str:
    """
    Our Contact value at a trunk, with a mark in its URI.
    """
    contact = contact_of(flow, user_part(trunk.contact_user or trunk.username or "pbx"))
    return f"{contact[:-1]};{MARK}={mark}>"
