"""
Lines to providers that neither register nor ask whether they are alive: they are as a test says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve

from pbx.dialog.credentials import DigestCredentials
from pbx.dialog.useragent import contact_of
from pbx.directory.plan import Plan
from pbx.directory.trunk import Trunk, TrunkState
from pbx.sip.message import Request
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
    """

    def __init__(
        self, trunk: Trunk, transport: TransportLayer, changed: Callable[[FakeLine, TrunkState], None]
    ) -> None:
        self.trunk = trunk
        self.channels: set[Any] = set()
        self.credentials = DigestCredentials(trunk.username, trunk.password)
        self.hosts = [trunk.host]
        self.failing: set[str] = set()
        self.waits: Any = None
        self.connecting: Any = None
        self.noted: list[str] = []
        self._transport = transport
        self._changed = changed
        self._state = TrunkState()

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
        before, self._state = self.state, TrunkState(health, reason)  # type: ignore[arg-type]
        self._changed(self, before)

    @property
    def full(self) -> bool:
        """
        Whether it takes no more calls.
        """
        return self.trunk.max_channels is not None and len(self.channels) >= self.trunk.max_channels

    def take(self, leg: Any) -> None:
        """
        A call begins.
        """
        assert leg not in self.channels
        self.channels.add(leg)

    def release(self, leg: Any) -> None:
        """
        A call has ended.
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
        return [Target((self.trunk.transport or "udp").upper(), host, 5060) for host in self.hosts]

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
    def routes(self) -> list[str]:
        """
        None.
        """
        return []

    def failed(self, target: Target) -> None:
        """
        Note which server has failed.
        """
        self.noted.append(target.host)

    def contact(self, flow: Flow) -> str:
        """
        Our Contact.
        """
        return contact_of(flow, self.trunk.username or "pbx")

    def request_uri(self, number: str) -> str:
        """
        What is called.
        """
        return f"sip:{number}@{self.trunk.host}"

    def from_uri(self, number: str) -> str:
        """
        Who we are.
        """
        return f"sip:{number}@{self.trunk.domain}"


class FakeLines:
    """
    All of them; a provider is recognised by its address.
    """

    def __init__(self, plan: Plan, transport: TransportLayer) -> None:
        self._observers: list[Callable[[Any, TrunkState], object]] = []
        self._lines = {trunk.name: FakeLine(trunk, transport, self._changed) for trunk in plan.trunks.values()}

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
        return next((line for line in self._lines.values() if flow.remote[0] in line.hosts), None)

    def on_change(self, callback: Callable[[Any, TrunkState], object], /) -> None:
        """
        Have changes told.
        """
        self._observers.append(callback)

    def _changed(self, line: FakeLine, before: TrunkState) -> None:
        for observer in self._observers:
            observer(line, before)
