"""
The non-INVITE client transaction (RFC 3261 17.1.2).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pbx.transaction.effects import Effect, PassUp, Send, StartTimer, StopTimer, Terminated, TimedOut, TransportFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.sip.message import Request, Response
    from pbx.transaction.timers import Timers


class State(StrEnum):
    """
    The states of RFC 3261 figure 6.
    """

    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    TERMINATED = "terminated"


EVENTS = {1: "1xx", 2: "final", 3: "final", 4: "final", 5: "final", 6: "final"}
"""The event that a response is, by the first digit of its status."""


class NonInviteClientTransaction:
    """
    One request that is neither INVITE nor ACK, and the answers to it.

    Timers: E resends, F gives up, K absorbs late answers, ``N`` is the user's own patience with a peer that says
    nothing at all.
    """

    __slots__ = ("data", "interval", "no_response", "reliable", "state", "timers")

    def __init__(
        self, request: Request, timers: Timers, reliable: bool = False, no_response: float | None = None
    ) -> None:
        """
        Args:
            request: The request as it goes out, with its Via.
            timers: T1, T2 and T4.
            reliable: Whether the transport keeps what is sent (TCP, TLS): nothing is resent then.
            no_response: Seconds without any response after which the user is told; ``None`` leaves it to timer F.
        """
        self.state = State.TRYING
        self.timers = timers
        self.reliable = reliable
        self.no_response = no_response
        self.interval = timers.t1
        self.data = request.to_bytes()

    def start(self) -> list[Effect]:
        """
        Send the request and start its timers.
        """
        # The sooner timer first: the clock then need not be set anew for it.
        effects: list[Effect] = [Send(self.data)]
        if not self.reliable:
            effects.append(StartTimer("E", self.interval))
        effects.append(StartTimer("F", self.timers.timeout))
        if self.no_response is not None:
            effects.append(StartTimer("N", self.no_response))
        return effects

    def received(self, response: Response) -> list[Effect]:
        """
        A response to the request has come.
        """
        return self._step(EVENTS[response.status // 100], response)

    def timer_fired(self, name: str) -> list[Effect]:
        """
        A timer that this machine started has fired.
        """
        return self._step(name)

    def transport_failed(self) -> list[Effect]:
        """
        The flow was closed, or refused what was to be sent.
        """
        return self._step("error")

    def _step(self, event: str, response: Any = None) -> list[Effect]:
        move = TRANSITIONS.get((self.state, event))
        if move is None:
            # Late or duplicate: the figure has no arrow for it.
            return []
        act, self.state = move
        return act(self, response)

    def _resend(self, _: None) -> list[Effect]:
        self.interval = min(2 * self.interval, self.timers.t2)
        return [Send(self.data), StartTimer("E", self.interval)]

    def _resend_slowly(self, _: None) -> list[Effect]:
        # RFC 3261 17.1.2.2: once a provisional response came, timer E is always T2.
        return [Send(self.data), StartTimer("E", self.timers.t2)]

    def _proceed(self, response: Response) -> list[Effect]:
        return [StopTimer("N"), PassUp(response)]

    def _pass_up(self, response: Response) -> list[Effect]:
        return [PassUp(response)]

    def _complete(self, response: Response) -> list[Effect]:
        self.data = b""
        if self.reliable:
            # RFC 3261 17.1.2.2: timer K is zero for reliable transports.
            self.state = State.TERMINATED
            return [PassUp(response), TERMINATED]
        return [*HEARD, StartTimer("K", self.timers.t4), PassUp(response)]

    def _timed_out(self, _: None) -> list[Effect]:
        return [TimedOut(), TERMINATED]

    def _failed(self, _: None) -> list[Effect]:
        return [TransportFailed(), TERMINATED]

    def _terminate(self, _: None) -> list[Effect]:
        return [TERMINATED]


HEARD: tuple[Effect, ...] = (StopTimer("E"), StopTimer("F"), StopTimer("N"))
"""What the final response ends."""
TERMINATED = Terminated()

TRANSITIONS: dict[tuple[State, str], tuple[Callable[[NonInviteClientTransaction, Any], list[Effect]], State]] = {
    (State.TRYING, "1xx"): (NonInviteClientTransaction._proceed, State.PROCEEDING),
    (State.TRYING, "final"): (NonInviteClientTransaction._complete, State.COMPLETED),
    (State.TRYING, "E"): (NonInviteClientTransaction._resend, State.TRYING),
    (State.TRYING, "F"): (NonInviteClientTransaction._timed_out, State.TERMINATED),
    (State.TRYING, "N"): (NonInviteClientTransaction._timed_out, State.TERMINATED),
    (State.TRYING, "error"): (NonInviteClientTransaction._failed, State.TERMINATED),
    (State.PROCEEDING, "1xx"): (NonInviteClientTransaction._pass_up, State.PROCEEDING),
    (State.PROCEEDING, "final"): (NonInviteClientTransaction._complete, State.COMPLETED),
    (State.PROCEEDING, "E"): (NonInviteClientTransaction._resend_slowly, State.PROCEEDING),
    (State.PROCEEDING, "F"): (NonInviteClientTransaction._timed_out, State.TERMINATED),
    (State.PROCEEDING, "error"): (NonInviteClientTransaction._failed, State.TERMINATED),
    (State.COMPLETED, "K"): (NonInviteClientTransaction._terminate, State.TERMINATED),
}
"""RFC 3261 figure 6, one row an arrow. A pair that is not here changes nothing."""
