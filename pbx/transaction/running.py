"""
One machine on the clock: carries out what it wants done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pbx.transaction.effects import Cancel, PassUp, Send, StartTimer, StopTimer, Terminated, TimedOut
from pbx.transport.flow import FlowClosed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.sip.message import Request, Response
    from pbx.transaction.effects import Effect
    from pbx.transaction.layer import TransactionLayer
    from pbx.transaction.timer_queue import Entry
    from pbx.transport.flow import Flow

WAITS = frozenset("DIJKLM")
"""The timers that only let late messages be absorbed: they may run out a little late, and end the transaction."""

RESENDS = frozenset("AEG")
"""The timers at which something is sent again."""


class Machine(Protocol):
    """
    What the four machines have in common.

    Attributes:
        state: One of the machine's own states; every machine has a TERMINATED.
        data: What it would send again.
    """

    state: Any
    data: bytes

    def timer_fired(self, name: str) -> list[Effect]:
        """
        A timer that this machine started has fired.
        """


M = TypeVar("M", bound=Machine)


class Running(Generic[M]):
    """
    What the layer keeps of a transaction, as long as it lives.

    Attributes:
        key: Its key in the layer's table.
        flow: Where it sends.
        machine: What is run.
    """

    __slots__ = ("_layer", "_timers", "_wait", "flow", "key", "machine")

    def __init__(self, layer: TransactionLayer, key: str, flow: Flow, machine: M) -> None:
        self._layer = layer
        self._timers: dict[str, Entry] | None = None
        self._wait = ""
        self.key = key
        self.flow = flow
        self.machine = machine

    def carry_out(self, effects: Sequence[Effect]) -> None:
        """
        Do what the machine wants done, in order, and all of it: also when the user raises at what it is told.
        """
        done = 0
        try:
            for effect in effects:
                done += 1
                if isinstance(effect, Send):
                    try:
                        self.flow.send(effect.data)
                    except FlowClosed as closed:
                        self._not_sent(effect.data, str(closed))
                elif isinstance(effect, StopTimer):
                    if self._timers is not None:
                        self._stop_timer(effect.name)
                elif isinstance(effect, PassUp):
                    self._pass_up(effect.message)
                elif isinstance(effect, StartTimer):
                    self._start_timer(effect.name, effect.seconds)
                elif isinstance(effect, Terminated):
                    self._terminated()
                elif isinstance(effect, Cancel):
                    self._cancel()
                elif isinstance(effect, TimedOut):
                    self._timed_out()
                else:
                    self._transport_failed()
        finally:
            if done < len(effects):
                self.carry_out(effects[done:])

    def timer_fired(self, name: str) -> None:
        """
        An exact timer has fired.
        """
        if name in RESENDS:
            self._layer.counters.retransmissions_sent += 1
        self.carry_out(self.machine.timer_fired(name))

    def wait_over(self) -> None:
        """
        The wait timer has run out.
        """
        self.carry_out(self.machine.timer_fired(self._wait))

    def forget(self) -> None:
        """
        End without a word to anyone.
        """
        self.machine.state = type(self.machine.state).TERMINATED
        self.machine.data = b""
        self._stop_timers()

    def _start_timer(self, name: str, seconds: float) -> None:
        if name in WAITS:
            self._wait = name
            self._layer.wheel.wait(seconds, self)
            return
        entry = self._layer.timer_queue.start(seconds, self, name)
        if self._timers is None:
            self._timers = {name: entry}
        else:
            self._timers[name] = entry

    def _stop_timer(self, name: str) -> None:
        timers = self._timers
        if timers is not None and name in timers:
            self._layer.timer_queue.stop(timers.pop(name))
            if not timers:
                self._timers = None

    def _stop_timers(self) -> None:
        timers, self._timers = self._timers, None
        if timers is not None:
            for entry in timers.values():
                self._layer.timer_queue.stop(entry)

    def _terminated(self) -> None:
        self._stop_timers()
        self._ended()

    def _not_sent(self, data: bytes, reason: str) -> None:
        raise NotImplementedError

    def _pass_up(self, message: Request | Response) -> None:
        raise NotImplementedError

    def _cancel(self) -> None:
        raise NotImplementedError

    def _timed_out(self) -> None:
        raise NotImplementedError

    def _transport_failed(self) -> None:
        raise NotImplementedError

    def _ended(self) -> None:
        raise NotImplementedError
