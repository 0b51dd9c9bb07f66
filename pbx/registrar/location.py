"""
The location table: every binding, in memory (RFC 3261 10.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from zope.interface import Interface

from pbx.registrar.binding import Binding
from pbx.transport.flow import FlowClosed
from pbx.transport.source import source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from pbx.transport.flow import Flow

MOST_BINDINGS = 10
"""Phones per extension: a phone that changes its address at every start would otherwise fill the table."""

SWEEP = 10.0
"""Seconds between two looks for bindings that have ended; a binding is unreachable at once all the same."""


class IBindingStore(Interface):
    """
    Where bindings are kept over a restart.
    """

    def save(aor: str, rows: list[dict[str, Any]]) -> None:  # noqa: N805
        """
        Keep these as the bindings of an extension, sooner or later; never waits.
        """


class Location:
    """
    Who is registered where.

    Args:
        clock: Tells when a binding ends.
        wall: The wall clock, seconds since the epoch.
        store: Keeps the bindings.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, wall: Callable[[], float], store: IBindingStore) -> None:
        self._clock = clock
        self.wall = wall
        self._store = store
        self._bindings: dict[str, tuple[Binding, ...]] = {}
        self._by_flow: dict[Flow, set[str]] = {}
        self._addresses: dict[str, int] = {}
        self._listeners: list[Callable[[str], None]] = []
        self._sweep: IDelayedCall | None = None

    def start(self) -> None:
        """
        Begin to look for bindings that have ended.
        """
        self._sweep = self._clock.callLater(SWEEP, self._swept)

    def stop(self) -> None:
        """
        End that.
        """
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def on_change(self, listener: Callable[[str], None]) -> None:
        """
        Have ``listener(number)`` called whenever the bindings of an extension change.
        """
        self._listeners.append(listener)

    def bindings(self, aor: str) -> tuple[Binding, ...]:
        """
        The live bindings of an extension, the most recently refreshed last.
        """
        found = self._bindings.get(aor, ())
        if not found:
            return found
        now = self._clock.seconds()
        return tuple(b for b in found if b.expires > now and not b.flow.closed)

    def all(self) -> list[Binding]:
        """
        Every live binding.
        """
        return [binding for aor in list(self._bindings) for binding in self.bindings(aor)]

    def __len__(self) -> int:
        return sum(map(len, self._bindings.values()))

    def registered_from(self, address: str) -> bool:
        """
        Tell whether a phone with a valid registration is at this source address, or in its IPv6 network.
        """
        return source_of(address) in self._addresses

    def replace(self, aor: str, bindings: Sequence[Binding]) -> None:
        """
        Make these the bindings of an extension; past :data:`MOST_BINDINGS` the least recently refreshed go.
        """
        kept = tuple(bindings)[-MOST_BINDINGS:]
        self._set(aor, kept)
        self._store.save(aor, [binding.as_row() for binding in kept])
        for listener in self._listeners:
            listener(aor)

    def restore(
        self, rows: Iterable[dict[str, Any]], flow_to: Callable[[tuple[str, int], tuple[str, int]], Flow]
    ) -> int:
        """
        Take up the stored UDP bindings after a restart.

        Args:
            rows: As :meth:`Binding.as_row` gave them.
            flow_to: Makes the flow from a remote and a local address; raises :class:`FlowClosed` when we have no
                socket there any more.

        Returns:
            How many were taken up.
        """
        now, wall = self._clock.seconds(), self.wall()
        found: dict[str, list[Binding]] = {}
        for row in rows:
            left = row["expires_at"] - wall
            if row["transport"] != "UDP" or left <= 0:
                # RFC 5626 4.2: a connection does not live through a restart, and neither does its binding.
                continue
            try:
                flow = flow_to((row["remote_host"], row["remote_port"]), (row["local_host"], row["local_port"]))
            except FlowClosed as gone:
                self.log.info("REGISTER: binding of {aor} is not taken up again: {gone}", aor=row["aor"], gone=gone)
                continue
            found.setdefault(row["aor"], []).append(
                Binding(
                    aor=row["aor"], contact=row["contact"], flow=flow, expires=now + left, expires_at=row["expires_at"],
                    registered_at=row["registered_at"], call_id=row["call_id"], cseq=row["cseq"],
                    instance=row["instance"], user_agent=row["user_agent"], nat=bool(row.get("nat")),
                )
            )
        for aor, bindings in found.items():
            self._set(aor, tuple(sorted(bindings, key=lambda b: b.registered_at))[-MOST_BINDINGS:])
        return sum(map(len, found.values()))

    def _set(self, aor: str, bindings: tuple[Binding, ...]) -> None:
        for old in self._bindings.pop(aor, ()):
            self._count(old.flow.remote[0], -1)
            if old.flow.reliable:
                aors = self._by_flow.get(old.flow)
                if aors is not None:
                    aors.discard(aor)
                    if not aors:
                        del self._by_flow[old.flow]
                        old.flow.off_close(self._flow_closed)
        if not bindings:
            return
        self._bindings[aor] = bindings
        for new in bindings:
            self._count(new.flow.remote[0], 1)
            if new.flow.reliable:
                aors = self._by_flow.get(new.flow)
                if aors is None:
                    self._by_flow[new.flow] = {aor}
                    new.flow.on_close(self._flow_closed)
                else:
                    aors.add(aor)

    def _count(self, address: str, step: int) -> None:
        address = source_of(address)
        left = self._addresses.get(address, 0) + step
        if left:
            self._addresses[address] = left
        else:
            self._addresses.pop(address, None)

    def _flow_closed(self, flow: Flow) -> None:
        """
        A connection has closed: the phone at its other end can't be reached any more.
        """
        for aor in self._by_flow.pop(flow, set()):
            left = [binding for binding in self._bindings.get(aor, ()) if binding.flow is not flow]
            self.log.info("REGISTER: {aor} is unreachable, {flow} has closed", aor=aor, flow=flow.name)
            self.replace(aor, left)

    def _swept(self) -> None:
        self._sweep = self._clock.callLater(SWEEP, self._swept)
        now = self._clock.seconds()
        ended = [aor for aor, bindings in self._bindings.items() if any(b.expires <= now for b in bindings)]
        for aor in ended:
            self.log.info("REGISTER: binding of {aor} has expired", aor=aor)
            self.replace(aor, [b for b in self._bindings[aor] if b.expires > now])
