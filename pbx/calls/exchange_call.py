"""
A call that the exchange makes itself: it rings an extension, says something, and hangs up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from zope.interface import implementer

from pbx.calls.destination import Branch
from pbx.calls.events import CallAnswered, CallBegan, CallEnded
from pbx.calls.leg import LegState
from pbx.calls.outbound import ICalleeOwner, OutboundLeg
from pbx.calls.routing import Attempt, IAttemptUser
from pbx.sdp.mapping import DECODABLE, onward
from pbx.sip.token import random_hex

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pbx.calls.events import Disposition, Party
    from pbx.calls.failure import Failure
    from pbx.calls.hunt import Place
    from pbx.calls.leg import Leg
    from pbx.calls.outbound import CallerIdentity
    from pbx.calls.tools import CallTools
    from pbx.dialog.refer import Refer
    from pbx.dialog.user import Ending
    from pbx.directory.outside import Outgoing
    from pbx.media.terminal import Terminal
    from pbx.registrar.binding import Binding
    from pbx.sip.message import Response

EXCHANGE: Final = "exchange"
"""Who has called, in the record: whoever is shown as calling has not, and no extension is called so."""

HOPS = 69
"""Max-Forwards of what is sent: it is nobody's call that is passed on."""


@implementer(IAttemptUser, ICalleeOwner)
class ExchangeCall:
    """
    One such call. It is among no live calls: nobody picks it up, joins or transfers it.

    Args:
        tools: What every call is built with.
        number: The extension, whose phones ring whatever it wants done with its calls.
        caller: Who the phone shows as calling, and calls when it calls back.
        reason: Why it is made, in words, for its record.
        say: What is done with whoever picks up.
        over: Told at the end whether it was picked up.

    Attributes:
        id: The call's identifier.
    """

    log = Logger()

    def __init__(
        self,
        tools: CallTools,
        number: str,
        caller: CallerIdentity,
        reason: str,
        say: Callable[[Terminal], Awaitable[object]],
        over: Callable[[bool], object],
    ) -> None:
        self.id = random_hex(16)
        self._tools = tools
        self._number = number
        self._caller = caller
        self._reason = reason
        self._say = say
        self._on_over = over
        self._legs = 0
        self._attempt: Attempt | None = None
        self._leg: OutboundLeg | None = None
        self._over = False

    def begin(self, patience: float) -> None:
        """
        Ring, for some seconds at most.
        """
        tools, caller = self._tools, self._caller
        tools.emit(CallBegan(
            self.id, tools.wall(), tools.core.clock.seconds(), EXCHANGE, caller.name, self._number, "", (self._reason,),
        ))
        self._attempt = Attempt(self, tools, self.id)
        self._attempt.start([Branch(self._number)], caller, onward(None, also=DECODABLE), HOPS, patience)

    def stop(self) -> None:
        """
        End it, wherever it stands.
        """
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.cancel(480, "The exchange is shutting down")
        if self._leg is not None:
            self._leg.hang_up(16, "The exchange is shutting down")
        self._end(answered=self._leg is not None, cause=16, text="The exchange is shutting down", by="system")

    # IAttemptUser

    def make_leg(self, attempt: Attempt, binding: Binding) -> OutboundLeg:
        """
        Make the leg to a phone.
        """
        self._legs += 1
        tools = self._tools
        return OutboundLeg(
            attempt, tools.emit, tools.wall, self.id, self._legs, binding.aor, binding.flow, binding.contact,
            self._caller,
        )

    def make_leg_beyond(self, attempt: Attempt, outgoing: Outgoing, place: Place) -> OutboundLeg:
        """
        Nobody beyond the house is called.
        """
        raise ValueError("only extensions are rung")

    def attempt_noted(self, reason: str) -> None:
        """
        Likewise, no trunk is tried.
        """

    def attempt_rang(self, leg: OutboundLeg, response: Response, sdp: bytes | None) -> None:
        """
        Nobody waits for it to ring.
        """

    def attempt_answered(self, leg: OutboundLeg) -> None:
        """
        Say it.
        """
        self._attempt = None
        self._leg = leg
        leg.owner = self
        tools = self._tools
        tools.emit(CallAnswered(self.id, tools.wall(), tools.core.clock.seconds()))
        tools.tasks.start(self._tell(leg), "tell whoever picked up")

    def attempt_failed(self, failure: Failure) -> None:
        """
        Nobody picks up.
        """
        self._attempt = None
        self._end(answered=False, cause=failure.cause, text=failure.text, by="system", failure=failure)

    # ICalleeOwner

    def leg_rang(self, leg: OutboundLeg, response: Response, sdp: bytes | None) -> None:
        """
        It has long stopped ringing.
        """

    def leg_answered(self, leg: OutboundLeg) -> None:
        """
        Likewise.
        """

    def leg_failed(self, leg: OutboundLeg, status: int, text: str, response: Response | None) -> None:
        """
        Likewise.
        """

    def leg_hung_up(self, leg: Leg, ending: Ending) -> None:
        """
        Whoever picked up has gone.
        """
        self._end(answered=True, cause=ending.cause, text=ending.text, by="callee" if ending.by_peer else "system")

    def leg_changed(self, leg: Leg) -> None:
        """
        It hears us in whatever codec.
        """

    def across(self, leg: Leg) -> Leg | None:
        """
        Nobody but us is at the other end.
        """
        return None

    def leg_pressed(self, leg: Leg, digit: str) -> None:
        """
        Keys are the terminal's.
        """

    def leg_referred(self, leg: Leg, refer: Refer) -> None:
        """
        There is nobody to be sent elsewhere.
        """
        refer.refuse(403)

    # Inside.

    async def _tell(self, leg: OutboundLeg) -> None:
        try:
            await self._say(leg.terminal(self._tools))
        except CancelledError:
            # It has hung up, which is seen to elsewhere.
            return
        finally:
            if leg.state is LegState.UP:
                leg.hang_up()
                self._end(answered=True, cause=16, text="Normal call clearing", by="system")

    def _end(
        self, *, answered: bool, cause: int, text: str, by: Party, failure: Failure | None = None
    ) -> None:
        if self._over:
            return
        self._over = True
        tools = self._tools
        disposition: Disposition = "answered" if answered else "no answer" if failure is None else failure.disposition
        status = None if answered else 480 if failure is None else failure.status
        tools.emit(CallEnded(
            self.id, tools.wall(), tools.core.clock.seconds(), disposition, status, cause, text, by,
        ))
        self._on_over(answered)
