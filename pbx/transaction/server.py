"""
The non-INVITE server transaction (RFC 3261 17.2.2).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pbx.transaction.effects import Effect, PassUp, Send, StartTimer, Terminated, TransportFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.sip.message import Request
    from pbx.transaction.timers import Timers


class State(StrEnum):
    """
    The states of RFC 3261 figure 8.
    """

    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    TERMINATED = "terminated"


EVENTS = {1: "send 1xx", 2: "send final", 3: "send final", 4: "send final", 5: "send final", 6: "send final"}
"""The event that an answer of the user is, by the first digit of its status."""


class NonInviteServerTransaction:
    """
    One request received that is neither INVITE nor ACK, and our answer to it.

    It keeps the bytes of the latest answer, nothing else. Timer J absorbs the request's retransmissions.
    """

    __slots__ = ("data", "reliable", "state", "timers")

    def __init__(self, timers: Timers, reliable: bool = False) -> None:
        """
        Args:
            timers: T1, T2 and T4.
            reliable: Whether the transport keeps what is sent (TCP, TLS): no retransmission comes then.
        """
        self.state = State.TRYING
        self.timers = timers
        self.reliable = reliable
        self.data = b""

    def start(self, request: Request) -> list[Effect]:
        """
        Begin with the request that made this transaction.
        """
        return [PassUp(request)]

    def received(self, request: Request) -> list[Effect]:
        """
        The request has come again.
        """
        return self._step("request", request)

    def respond(self, status: int, data: bytes) -> list[Effect]:
        """
        The user answers.

        Args:
            status: The status of the response.
            data: The response as it goes out.
        """
        return self._step(EVENTS[status // 100], data)

    def timer_fired(self, name: str) -> list[Effect]:
        """
        A timer that this machine started has fired.
        """
        return self._step(name)

    def transport_failed(self) -> list[Effect]:
        """
        An answer could not be sent.
        """
        return self._step("error")

    def _step(self, event: str, content: Any = None) -> list[Effect]:
        move = TRANSITIONS.get((self.state, event))
        if move is None:
            # Late or duplicate: the figure has no arrow for it.
            return []
        act, self.state = move
        return act(self, content)

    def _provisional(self, data: bytes) -> list[Effect]:
        self.data = data
        return [Send(data)]

    def _final(self, data: bytes) -> list[Effect]:
        self.data = data
        if self.reliable:
            # RFC 3261 17.2.2: timer J is zero for reliable transports.
            self.state = State.TERMINATED
            return [Send(data), TERMINATED]
        return [Send(data), StartTimer("J", self.timers.timeout)]

    def _resend(self, _: Request) -> list[Effect]:
        return [Send(self.data)]

    def _failed(self, _: None) -> list[Effect]:
        return [TransportFailed(), TERMINATED]

    def _terminate(self, _: None) -> list[Effect]:
        return [TERMINATED]


TERMINATED = Terminated()

TRANSITIONS: dict[tuple[State, str], tuple[Callable[[NonInviteServerTransaction, Any], list[Effect]], State]] = {
    (State.TRYING, "send 1xx"): (NonInviteServerTransaction._provisional, State.PROCEEDING),
    (State.TRYING, "send final"): (NonInviteServerTransaction._final, State.COMPLETED),
    (State.PROCEEDING, "request"): (NonInviteServerTransaction._resend, State.PROCEEDING),
    (State.PROCEEDING, "send 1xx"): (NonInviteServerTransaction._provisional, State.PROCEEDING),
    (State.PROCEEDING, "send final"): (NonInviteServerTransaction._final, State.COMPLETED),
    (State.PROCEEDING, "error"): (NonInviteServerTransaction._failed, State.TERMINATED),
    (State.COMPLETED, "request"): (NonInviteServerTransaction._resend, State.COMPLETED),
    (State.COMPLETED, "J"): (NonInviteServerTransaction._terminate, State.TERMINATED),
    (State.COMPLETED, "error"): (NonInviteServerTransaction._failed, State.TERMINATED),
}
"""RFC 3261 figure 8, one row an arrow. A pair that is not here changes nothing."""
