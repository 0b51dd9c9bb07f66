"""
A stage for one machine: its timers run on a virtual clock, and what it wants done is written down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.task import Clock

from pbx.sip.message import Headers, Request, Response
from pbx.transaction.effects import (
    Cancel,
    Effect,
    PassUp,
    Send,
    StartTimer,
    StopTimer,
    Terminated,
    TimedOut,
    TransportFailed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from enum import StrEnum

    from twisted.internet.interfaces import IDelayedCall
    from twisted.trial.unittest import SynchronousTestCase


class Playbook:
    """
    Carries out a machine's timers and keeps its other effects for the test to read.
    """

    def __init__(self, machine: Any) -> None:
        self.machine = machine
        self.clock = Clock()
        self._timers: dict[str, IDelayedCall] = {}
        self._effects: list[Effect] = []

    def do(self, effects: list[Effect]) -> None:
        """
        Carry out what an input of the machine returned.
        """
        for effect in effects:
            if isinstance(effect, StartTimer):
                self._stop(effect.name)
                self._timers[effect.name] = self.clock.callLater(effect.seconds, self._fire, effect.name)
            elif isinstance(effect, StopTimer):
                self._stop(effect.name)
            else:
                self._effects.append(effect)
            if isinstance(effect, Terminated):
                for name in list(self._timers):
                    self._stop(name)

    def wait(self, seconds: float) -> None:
        """
        Let time pass, in steps fine enough that every timer fires at its own instant.
        """
        end = self.clock.seconds() + seconds
        while True:
            due = [call.getTime() for call in self.clock.getDelayedCalls() if call.getTime() <= end]
            if not due:
                break
            self.clock.advance(min(due) - self.clock.seconds())
        self.clock.advance(end - self.clock.seconds())

    def take(self) -> list[Effect]:
        """
        What the machine wanted done since the last look, timers left out.
        """
        effects, self._effects = self._effects, []
        return effects

    def _fire(self, name: str) -> None:
        del self._timers[name]
        self.do(self.machine.timer_fired(name))

    def _stop(self, name: str) -> None:
        call = self._timers.pop(name, None)
        if call is not None:
            call.cancel()


def request(method: str = "INVITE", branch: str = "z9hG4bK1", **headers: str) -> Request:
    """
    A request as it would come from, or go to, 192.0.2.1.
    """
    made = Headers()
    made.add("Via", f"SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport")
    made.add("Max-Forwards", "70")
    made.add("From", "<sip:1001@pbx.example>;tag=from-1")
    made.add("To", headers.pop("To", "<sip:1002@pbx.example>"))
    made.add("Call-ID", headers.pop("Call_ID", "call-1"))
    made.add("CSeq", headers.pop("CSeq", f"1 {method}"))
    for name, value in headers.items():
        made.add(name, value)
    return Request(method, "sip:1002@pbx.example", made)


def response(status: int, to_tag: str = "to-1", method: str = "INVITE") -> Response:
    """
    An answer to :func:`request`.
    """
    made = Headers()
    made.add("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport")
    made.add("From", "<sip:1001@pbx.example>;tag=from-1")
    made.add("To", f"<sip:1002@pbx.example>;tag={to_tag}")
    made.add("Call-ID", "call-1")
    made.add("CSeq", f"1 {method}")
    return Response(status, "Reason", made)


WORDS = {
    Send: "send",
    PassUp: "pass",
    Cancel: "cancel",
    TimedOut: "timed-out",
    TransportFailed: "failed",
    Terminated: "terminated",
}
"""How the arrows of a figure name the effects."""


def in_words(effects: Iterable[Effect]) -> str:
    """
    Effects as one line: ``send start-A``, or ``-`` for none.
    """
    words = []
    for effect in effects:
        if isinstance(effect, StartTimer):
            words.append(f"start-{effect.name}")
        elif isinstance(effect, StopTimer):
            words.append(f"stop-{effect.name}")
        else:
            words.append(WORDS[type(effect)])
    return " ".join(words) or "-"


def check_table(
    test: SynchronousTestCase,
    arrows: str,
    states: type[StrEnum],
    steps: dict[str, list[str]],
    play: Callable[[Any, str], tuple[Any, list[Effect]]],
) -> int:
    """
    Play every state with every step, and compare with the arrows of the RFC's figure.

    Args:
        test: Whose assertions are used.
        arrows: A line each: state, event, effects in words, next state. A pair without a line changes nothing.
        states: The machine's states.
        steps: The events, and the steps by which each is brought about.
        play: Makes a machine in a state, takes the step, and returns the machine and what it wants done.

    Returns:
        The number of arrows.
    """
    expected = {}
    for line in arrows.strip().splitlines():
        state, event, *effects, after = line.split()
        expected[state, event] = (" ".join(effects), after)
    for state in states:
        for event, ways in steps.items():
            for step in ways:
                machine, effects = play(state, step)
                wanted = expected.get((state.value, event), ("-", state.value))
                test.assertEqual((in_words(effects), machine.state.value), wanted, f"{state.value} {step}")
    return len(expected)
