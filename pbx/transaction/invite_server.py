"""
The INVITE server transaction (RFC 3261 17.2.1, RFC 6026 7.1).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pbx.transaction.effects import Effect, PassUp, Send, StartTimer, StopTimer, Terminated, TimedOut, TransportFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.sip.message import Request
    from pbx.transaction.timers import Timers


class State(StrEnum):
    """
    The states of RFC 6026 figure 7; TRYING is its Proceeding while nothing was answered yet.
    """

    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


EVENTS = {1: "send 1xx", 2: "send 2xx", 3: "send 3-6xx", 4: "send 3-6xx", 5: "send 3-6xx", 6: "send 3-6xx"}
"""The event that an answer of the user is, by the first digit of its status."""


class InviteServerTransaction:
    """
    One INVITE received, and our answers to it.

    It keeps the bytes of the latest answer, nothing else. It does not resend a 2xx: the dialog does, until its ACK
    comes (RFC 3261 13.3.1.4). Timers: G resends a final refusal, H gives up waiting for its ACK, I absorbs further
    ACKs, L absorbs copies of an INVITE that was accepted.
    """

    __slots__ = ("data", "interval", "reliable", "state", "timers")

    def __init__(self, timers: Timers, reliable: bool = False) -> None:
        """
        Args:
            timers: T1, T2 and T4.
            reliable: Whether the transport keeps what is sent (TCP, TLS): nothing is resent then.
        """
        self.state = State.TRYING
        self.timers = timers
        self.reliable = reliable
        self.interval = timers.t1
        self.data = b""

    def start(self, request: Request) -> list[Effect]:
        """
        Begin with the INVITE that made this transaction.
        """
        return [PassUp(request)]

    def received(self, request: Request) -> list[Effect]:
        """
        The INVITE has come again, or an ACK with its branch has come.
        """
        return self._step("ACK" if request.method == "ACK" else "INVITE", request)

    def respond(self, status: int, data: bytes) -> list[Effect]:
        """
        The user answers.

        Args:
            status: The status of the response.
            data: The response as it goes out.
        """
        return self._step(EVENTS[status // 100], data)

    def challenge(self, data: bytes) -> list[Effect]:
        """
        A stranger's INVITE is answered 401 or 407.

        Such an answer is resent only when the INVITE is: a forged source address must not draw eleven datagrams for
        one (RFC 3261 26.3.2.4 asks for challenges without state for the same reason).
        """
        return self._step("challenge" if self.state is State.TRYING else "send 3-6xx", data)

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

    def _accept(self, data: bytes) -> list[Effect]:
        self.data = b""
        return [Send(data), StartTimer("L", self.timers.timeout)]

    def _accept_again(self, data: bytes) -> list[Effect]:
        return [Send(data)]

    def _refuse(self, data: bytes) -> list[Effect]:
        self.data = data
        effects: list[Effect] = [Send(data), StartTimer("H", self.timers.timeout)]
        if not self.reliable:
            effects.append(StartTimer("G", self.interval))
        return effects

    def _challenge(self, data: bytes) -> list[Effect]:
        self.data = data
        return [Send(data), StartTimer("H", self.timers.timeout)]

    def _resend(self, _: Request) -> list[Effect]:
        return [Send(self.data)]

    def _resend_unasked(self, _: None) -> list[Effect]:
        self.interval = min(2 * self.interval, self.timers.t2)
        return [Send(self.data), StartTimer("G", self.interval)]

    def _confirmed(self, _: Request) -> list[Effect]:
        self.data = b""
        if self.reliable:
            # RFC 3261 17.2.1: timer I is zero for reliable transports.
            self.state = State.TERMINATED
            return [TERMINATED]
        return [StopTimer("G"), StopTimer("H"), StartTimer("I", self.timers.t4)]

    def _pass_up(self, request: Request) -> list[Effect]:
        return [PassUp(request)]

    def _timed_out(self, _: None) -> list[Effect]:
        return [TimedOut(), TERMINATED]

    def _report(self, _: None) -> list[Effect]:
        return [TransportFailed()]

    def _failed(self, _: None) -> list[Effect]:
        return [TransportFailed(), TERMINATED]

    def _terminate(self, _: None) -> list[Effect]:
        return [TERMINATED]


TERMINATED = Terminated()

TRANSITIONS: dict[tuple[State, str], tuple[Callable[[InviteServerTransaction, Any], list[Effect]], State]] = {
    (State.TRYING, "send 1xx"): (InviteServerTransaction._provisional, State.PROCEEDING),
    (State.TRYING, "send 2xx"): (InviteServerTransaction._accept, State.ACCEPTED),
    (State.TRYING, "send 3-6xx"): (InviteServerTransaction._refuse, State.COMPLETED),
    (State.TRYING, "challenge"): (InviteServerTransaction._challenge, State.COMPLETED),
    (State.PROCEEDING, "INVITE"): (InviteServerTransaction._resend, State.PROCEEDING),
    (State.PROCEEDING, "send 1xx"): (InviteServerTransaction._provisional, State.PROCEEDING),
    (State.PROCEEDING, "send 2xx"): (InviteServerTransaction._accept, State.ACCEPTED),
    (State.PROCEEDING, "send 3-6xx"): (InviteServerTransaction._refuse, State.COMPLETED),
    # RFC 6026 7.1: a provisional response that could not be sent is reported; the user may still answer finally.
    (State.PROCEEDING, "error"): (InviteServerTransaction._report, State.PROCEEDING),
    (State.COMPLETED, "INVITE"): (InviteServerTransaction._resend, State.COMPLETED),
    (State.COMPLETED, "ACK"): (InviteServerTransaction._confirmed, State.CONFIRMED),
    (State.COMPLETED, "G"): (InviteServerTransaction._resend_unasked, State.COMPLETED),
    (State.COMPLETED, "H"): (InviteServerTransaction._timed_out, State.TERMINATED),
    (State.COMPLETED, "error"): (InviteServerTransaction._failed, State.TERMINATED),
    (State.CONFIRMED, "I"): (InviteServerTransaction._terminate, State.TERMINATED),
    # RFC 6026 7.1: copies of an accepted INVITE are absorbed (there is no arrow), its ACKs belong to the user.
    (State.ACCEPTED, "ACK"): (InviteServerTransaction._pass_up, State.ACCEPTED),
    (State.ACCEPTED, "send 2xx"): (InviteServerTransaction._accept_again, State.ACCEPTED),
    (State.ACCEPTED, "error"): (InviteServerTransaction._report, State.ACCEPTED),
    (State.ACCEPTED, "L"): (InviteServerTransaction._terminate, State.TERMINATED),
}
"""RFC 3261 figure 7 as RFC 6026 redraws it, one row an arrow. A pair that is not here changes nothing."""
