"""
The INVITE client transaction (RFC 3261 17.1.1, RFC 6026 7.2), with the CANCEL of RFC 3261 9.1 as part of its states.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

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
from pbx.transaction.hop_by_hop import ack

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.sip.message import Request, Response
    from pbx.transaction.timers import Timers


class State(StrEnum):
    """
    The states of RFC 6026 figure 5; CANCELLING and CANCELLED are its Calling and Proceeding once the user has given up.
    """

    CALLING = "calling"
    CANCELLING = "cancelling"
    PROCEEDING = "proceeding"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


EVENTS = {1: "1xx", 2: "2xx", 3: "3-6xx", 4: "3-6xx", 5: "3-6xx", 6: "3-6xx"}
"""The event that a response is, by the first digit of its status."""


class InviteClientTransaction:
    """
    One INVITE and the answers to it.

    Timers: A resends, B gives up, D and M wait for late answers, ``N`` is the user's own patience with a peer that
    says nothing at all, ``9.1`` the patience with a peer that was sent a CANCEL.
    """

    __slots__ = ("data", "interval", "no_response", "reliable", "request", "state", "timers")

    def __init__(
        self, request: Request, timers: Timers, reliable: bool = False, no_response: float | None = None
    ) -> None:
        """
        Args:
            request: The INVITE as it goes out, with its Via.
            timers: T1, T2 and T4.
            reliable: Whether the transport keeps what is sent (TCP, TLS): nothing is resent then.
            no_response: Seconds without any response after which the user is told; ``None`` leaves it to timer B.
        """
        self.state = State.CALLING
        self.request = request
        self.timers = timers
        self.reliable = reliable
        self.no_response = no_response
        self.interval = timers.t1
        self.data = request.to_bytes()

    def start(self) -> list[Effect]:
        """
        Send the INVITE and start its timers.
        """
        # The sooner timer first: the clock then need not be set anew for it.
        effects: list[Effect] = [Send(self.data)]
        if not self.reliable:
            effects.append(StartTimer("A", self.interval))
        effects.append(StartTimer("B", self.timers.timeout))
        if self.no_response is not None:
            effects.append(StartTimer("N", self.no_response))
        return effects

    def received(self, response: Response) -> list[Effect]:
        """
        A response to the INVITE has come.
        """
        return self._step(EVENTS[response.status // 100], response)

    def cancelled(self) -> list[Effect]:
        """
        The user has given up the INVITE. The CANCEL waits for a provisional response.
        """
        return self._step("cancel")

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
        self.interval *= 2
        return [Send(self.data), StartTimer("A", self.interval)]

    def _proceed(self, response: Response) -> list[Effect]:
        return [*HEARD, PassUp(response)]

    def _proceed_to_cancel(self, response: Response) -> list[Effect]:
        return [*HEARD, *self._cancel(None), PassUp(response)]

    def _pass_up(self, response: Response) -> list[Effect]:
        return [PassUp(response)]

    def _accepted(self, response: Response) -> list[Effect]:
        return [*HEARD, STOP_CANCEL, StartTimer("M", self.timers.timeout), PassUp(response)]

    def _refused(self, response: Response) -> list[Effect]:
        # From here on the ACK is what is sent again, once for each copy of the response.
        self.data = ack(self.request, response).to_bytes()
        if self.reliable:
            # RFC 3261 17.1.1.2: timer D is zero for reliable transports.
            self.state = State.TERMINATED
            return [Send(self.data), PassUp(response), TERMINATED]
        return [Send(self.data), *HEARD, STOP_CANCEL, StartTimer("D", self.timers.timeout), PassUp(response)]

    def _acknowledge(self, _: Response) -> list[Effect]:
        return [Send(self.data)]

    def _wait_to_cancel(self, _: None) -> list[Effect]:
        return []

    def _cancel(self, _: None) -> list[Effect]:
        # RFC 3261 9.1: no final response within 64*T1 of the CANCEL, and the INVITE counts as cancelled.
        return [Cancel(), StartTimer("9.1", self.timers.timeout)]

    def _unreachable(self, _: None) -> list[Effect]:
        # The user goes elsewhere. An answer that comes after all is still taken: a 1xx is answered by CANCEL.
        return [StopTimer("A"), TimedOut()]

    def _timed_out(self, _: None) -> list[Effect]:
        return [TimedOut(), TERMINATED]

    def _failed(self, _: None) -> list[Effect]:
        return [TransportFailed(), TERMINATED]

    def _terminate(self, _: None) -> list[Effect]:
        return [TERMINATED]


HEARD: tuple[Effect, ...] = (StopTimer("A"), StopTimer("B"), StopTimer("N"))
"""What the first response ends."""
STOP_CANCEL = StopTimer("9.1")
TERMINATED = Terminated()

TRANSITIONS: dict[tuple[State, str], tuple[Callable[[InviteClientTransaction, Any], list[Effect]], State]] = {
    (State.CALLING, "1xx"): (InviteClientTransaction._proceed, State.PROCEEDING),
    (State.CALLING, "2xx"): (InviteClientTransaction._accepted, State.ACCEPTED),
    (State.CALLING, "3-6xx"): (InviteClientTransaction._refused, State.COMPLETED),
    (State.CALLING, "A"): (InviteClientTransaction._resend, State.CALLING),
    (State.CALLING, "B"): (InviteClientTransaction._timed_out, State.TERMINATED),
    (State.CALLING, "N"): (InviteClientTransaction._unreachable, State.CANCELLING),
    (State.CALLING, "cancel"): (InviteClientTransaction._wait_to_cancel, State.CANCELLING),
    (State.CALLING, "error"): (InviteClientTransaction._failed, State.TERMINATED),
    (State.CANCELLING, "1xx"): (InviteClientTransaction._proceed_to_cancel, State.CANCELLED),
    (State.CANCELLING, "2xx"): (InviteClientTransaction._accepted, State.ACCEPTED),
    (State.CANCELLING, "3-6xx"): (InviteClientTransaction._refused, State.COMPLETED),
    (State.CANCELLING, "A"): (InviteClientTransaction._resend, State.CANCELLING),
    (State.CANCELLING, "B"): (InviteClientTransaction._timed_out, State.TERMINATED),
    (State.CANCELLING, "N"): (InviteClientTransaction._unreachable, State.CANCELLING),
    (State.CANCELLING, "error"): (InviteClientTransaction._failed, State.TERMINATED),
    (State.PROCEEDING, "1xx"): (InviteClientTransaction._pass_up, State.PROCEEDING),
    (State.PROCEEDING, "2xx"): (InviteClientTransaction._accepted, State.ACCEPTED),
    (State.PROCEEDING, "3-6xx"): (InviteClientTransaction._refused, State.COMPLETED),
    (State.PROCEEDING, "cancel"): (InviteClientTransaction._cancel, State.CANCELLED),
    (State.PROCEEDING, "error"): (InviteClientTransaction._failed, State.TERMINATED),
    (State.CANCELLED, "1xx"): (InviteClientTransaction._pass_up, State.CANCELLED),
    (State.CANCELLED, "2xx"): (InviteClientTransaction._accepted, State.ACCEPTED),
    (State.CANCELLED, "3-6xx"): (InviteClientTransaction._refused, State.COMPLETED),
    (State.CANCELLED, "9.1"): (InviteClientTransaction._timed_out, State.TERMINATED),
    (State.CANCELLED, "error"): (InviteClientTransaction._failed, State.TERMINATED),
    (State.COMPLETED, "3-6xx"): (InviteClientTransaction._acknowledge, State.COMPLETED),
    (State.COMPLETED, "D"): (InviteClientTransaction._terminate, State.TERMINATED),
    (State.COMPLETED, "error"): (InviteClientTransaction._terminate, State.TERMINATED),
    (State.ACCEPTED, "2xx"): (InviteClientTransaction._pass_up, State.ACCEPTED),
    (State.ACCEPTED, "M"): (InviteClientTransaction._terminate, State.TERMINATED),
}
"""RFC 3261 figure 5 as RFC 6026 redraws it, with 9.1, one row an arrow. A pair that is not here changes nothing."""
