"""
Lines to providers that neither register nor ask whether they are alive: they are as a test says.

What calls see of them is the same as of real ones: ``test_lines_alike`` holds both to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pbx.calls.recognition import Recognition
from pbx.calls.trunk_line import contact_at
from pbx.calls.trunk_targets import AVOIDED, host_and_port
from pbx.dialog.credentials import DigestCredentials
from pbx.directory.plan import Plan
from pbx.directory.trunk import Trunk, TrunkState
from pbx.sip.message import Request
from pbx.sip.token import random_hex
from pbx.sip.uri import host_part, user_part
from pbx.transport.flow import Flow, FlowClosed
from pbx.transport.layer import TransportLayer
from pbx.transport.resolver import ResolveError, Target


class FakeLine:
    """
    A line to one provider.

    Attributes:
        trunk: What is known of it.
        hosts: The addresses of its servers.
        failing: Those to which there is no connection.
        waits: A Deferred that looking up waits for.
        connecting: A Deferred that a TCP connection waits for.
        noted: The servers that calls found silent.
        mark: What nobody's request bears, since it registers nowhere.
        call_mark: What our Contact bears in calls.
    """

    def __init__(
        self, trunk: Trunk, transport: TransportLayer, clock: IReactorTime,
        changed: Callable[[FakeLine, TrunkState], None],
    ) -> None:
        self.trunk = trunk
        self.channels: set[Any] = set()
        self.credentials = DigestCredentials(trunk.auth_username or trunk.username, trunk.password)
        self.hosts = [host_and_port(trunk.outbound_proxy or trunk.host)[0]]
        self.failing: set[str] = set()
        self.waits: Any = None
        self.connecting: Any = None
        self.noted: list[str] = []
        self.mark, self.call_mark = random_hex(8), random_hex(8)
        # Where requests may come from is asked of it, as of a real one's places.
        self.targets_of = self
        self._transport = transport
        self._clock = clock
        self._changed = changed
        self._avoided: dict[str, float] = {}
        self._said = TrunkState()

    @property
    def _state(self) -> TrunkState:
        return self._said if self.trunk.enabled else TrunkState("down", "it is switched off")

    @property
    def state(self) -> TrunkState:
        """
        How it is now.
        """
        return evolve(self._state, channels=len(self.channels))

    def set(self, health: str, reason: str = "") -> None:
        """
        Let it be otherwise.
        """
        before, self._said = self._state, TrunkState(health, reason)  # type: ignore[arg-type]
        self._look(before)

    def change(self, trunk: Trunk) -> None:
        """
        Go by another trunk of the same name.
        """
        before, was, self.trunk = self._state, self.trunk, trunk
        self.credentials = DigestCredentials(trunk.auth_username or trunk.username, trunk.password)
        if (was.host, was.outbound_proxy) != (trunk.host, trunk.outbound_proxy):
            self.hosts = [host_and_port(trunk.outbound_proxy or trunk.host)[0]]
        self._look(before)

    def _look(self, before: TrunkState) -> None:
        if self._state != before:
            self._changed(self, before)

    @property
    def full(self) -> bool:
        """
        Whether it takes no more calls.
        """
        return self.trunk.max_channels is not None and len(self.channels) >= self.trunk.max_channels

    def take(self, leg: Any) -> None:
        """
        A call begins; one that begins twice is a mistake of ours, which a real line lets pass.
        """
        assert leg not in self.channels
        self.channels.add(leg)

    def release(self, leg: Any) -> None:
        """
        A call has ended; one that ends twice is a mistake likewise.
        """
        self.channels.remove(leg)

    async def targets(self) -> list[Target]:
        """
        Its servers.
        """
        if self.waits is not None:
            await self.waits
        if not self.hosts:
            raise ResolveError("no such host")
        trunk, now = self.trunk, self._clock.seconds()
        transport = (trunk.transport or "udp").upper()
        port = host_and_port(trunk.outbound_proxy)[1] if trunk.outbound_proxy else trunk.port
        port = port or (5061 if transport == "TLS" else 5060)
        hosts = sorted(self.hosts, key=lambda host: self._avoided.get(host, 0) > now)
        return [Target(transport, host, port) for host in hosts]

    async def flow(self, target: Target) -> Flow:
        """
        The way there.
        """
        if target.host in self.failing or target.transport in self.failing:
            raise FlowClosed(f"{target.host} refuses")
        if target.transport == "TCP" and self.connecting is not None:
            await self.connecting
        return await self._transport.open(target)

    @property
    def routes(self) -> tuple[str, ...]:
        """
        None: only a registrar asks for them.
        """
        return ()

    def failed(self, target: Target) -> None:
        """
        Note which server has failed.
        """
        self.noted.append(target.host)
        self._avoided[target.host] = self._clock.seconds() + AVOIDED

    def has(self, address: str, port: int) -> bool:
        """
        Whether its requests may come from an address.
        """
        return address in self.hosts or address == self.trunk.host

    def contact(self, flow: Flow) -> str:
        """
        Our Contact.
        """
        return contact_at(self.trunk, self.call_mark, flow)

    def request_uri(self, number: str) -> str:
        """
        What is called.
        """
        port = "" if self.trunk.port in (None, 5060, 5061) else f":{self.trunk.port}"
        return f"sip:{user_part(number)}@{host_part(self.trunk.host)}{port}"

    def from_uri(self, number: str) -> str:
        """
        Who we are.
        """
        return f"sip:{user_part(number)}@{host_part(self.trunk.domain)}"


class FakeLines:
    """
    All of them; a provider is recognised by its address, and by our Contact within a call.
    """

    log = Logger()

    def __init__(self, plan: Plan, transport: TransportLayer, clock: IReactorTime) -> None:
        self._observers: list[Callable[[Any, TrunkState], object]] = []
        self._transport = transport
        self._clock = clock
        self._lines: dict[str, FakeLine] = {}
        self.plan_changed(plan, plan)

    def line(self, name: str) -> FakeLine | None:
        """
        The line to a provider.
        """
        return self._lines.get(name)

    def get(self, name: str, default: TrunkState, /) -> TrunkState:
        """
        How it is.
        """
        line = self._lines.get(name)
        return default if line is None else line.state

    def recognise(self, flow: Flow, request: Request) -> FakeLine | None:
        """
        Whose request it is.
        """
        found: Any = None if request.method == "REGISTER" else self._recognition.of(flow, request)
        return found  # type: ignore[no-any-return]

    def on_change(self, callback: Callable[[Any, TrunkState], object], /) -> None:
        """
        Have changes told.
        """
        self._observers.append(callback)

    def plan_changed(self, before: Plan, after: Plan) -> None:
        """
        Go by another plan.
        """
        for name in self._lines.keys() - after.trunks.keys():
            del self._lines[name]
        for name, trunk in after.trunks.items():
            if name in self._lines:
                self._lines[name].change(trunk)
            else:
                self._lines[name] = FakeLine(trunk, self._transport, self._clock, self._changed)
        lines: Any = self._lines.values()
        self._recognition = Recognition(lines, after.site)

    def _changed(self, line: FakeLine, before: TrunkState) -> None:
        if self._lines.get(line.trunk.name) is not line:
            return
        for observer in self._observers:
            try:
                observer(line, before)
            except Exception:  # noqa: BLE001 - as of the real ones: a test fails by what is logged here
                self.log.failure("An observer of the trunks failed")
