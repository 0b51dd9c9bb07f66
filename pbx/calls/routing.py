"""
Ringing the phones of an extension: all at once, the first to answer has the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen
from twisted.logger import Logger
from zope.interface import Interface, implementer

from pbx.calls.outbound import ICalleeOwner, OutboundLeg
from pbx.media.ports import PortsExhausted
from pbx.sip.message import ProtocolError
from pbx.sip.reasons import cause_of_status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pbx.calls.leg import Leg
    from pbx.calls.outbound import CallerIdentity
    from pbx.dialog.user import Ending
    from pbx.dialog.useragent import UserAgentCore
    from pbx.media.engine import IMediaEngine
    from pbx.registrar.binding import Binding
    from pbx.sdp.audio import Format
    from pbx.sip.message import Response
    from pbx.transaction.timer_queue import Entry

GLOBAL = (600, 603, 604, 606, 607)
"""The answers that speak for the person, not for one phone (RFC 3261 21.6)."""

PREFERENCE = (600, 603, 604, 606, 607, 486, 480, 408)
"""Of several answers the caller gets the first of these, else the first that came."""

ELSEWHERE = "Call completed elsewhere"


@frozen
class Failure:
    """
    Why an attempt came to nothing.

    Attributes:
        status: The SIP status for the caller.
        cause: The cause of ITU-T Q.850.
        text: The reason in words.
    """

    status: int
    cause: int
    text: str


class IAttemptUser(Interface):
    """
    The call that an attempt is made for.
    """

    def attempt_rang(leg: OutboundLeg, response: Response, sdp: bytes | None) -> None:  # noqa: N805
        """
        A phone rings; ``sdp`` is only given where it may be heard: when one phone rings alone.
        """

    def attempt_answered(leg: OutboundLeg) -> None:  # noqa: N805
        """
        A phone was picked up; all others have been told.
        """

    def attempt_failed(failure: Failure) -> None:  # noqa: N805
        """
        No phone will be picked up any more.
        """


@implementer(ICalleeOwner)
class Attempt:
    """
    One try to reach an extension at all its phones.

    Args:
        user: The call.
        make_leg: Makes the leg to a binding.
        core: The user agent core.
        engine: Opens the media.
    """

    log = Logger()

    def __init__(
        self,
        user: IAttemptUser,
        make_leg: Callable[[Attempt, Binding], OutboundLeg],
        core: UserAgentCore,
        engine: IMediaEngine,
        *,
        srtp_in_clear: bool,
    ) -> None:
        self._user = user
        self._make_leg = make_leg
        self._core = core
        self._engine = engine
        self._srtp_in_clear = srtp_in_clear
        self._legs: list[OutboundLeg] = []
        self._failures: list[Failure] = []
        self._timer: Entry | None = None
        self._bindings: dict[OutboundLeg, Binding] = {}
        self._secured: set[str] = set()
        self._over = False
        self._starting = False
        self._offer: tuple[CallerIdentity, Sequence[Format], int] | None = None

    def start(
        self,
        bindings: Sequence[Binding],
        caller: CallerIdentity,
        formats: Sequence[Format],
        max_forwards: int,
        timeout: float,
    ) -> None:
        """
        Ring.

        Args:
            bindings: The phones, at least one.
            caller: Who is calling.
            formats: What they are offered.
            max_forwards: For the INVITEs.
            timeout: How long to ring, in seconds.
        """
        self._offer = (caller, formats, max_forwards)
        # One that can't be rung is no reason to give up before the last has been tried.
        self._starting = True
        for binding in bindings:
            self._ring(binding, "RTP/AVP")
        self._starting = False
        if self._legs:
            self._timer = self._core.timer_queue.start(timeout, self, "no answer")
        else:
            self._give_up()

    def cancel(self, status: int, text: str) -> None:
        """
        Stop ringing: the caller has gone, or the call was ended from outside.
        """
        self._finish()
        for leg in self._take_legs():
            leg.cancel(status, text)

    @property
    def ringing(self) -> list[OutboundLeg]:
        """
        The legs that have neither answered nor ended.
        """
        return self._legs

    # ICalleeOwner

    def leg_rang(self, leg: OutboundLeg, response: Response, sdp: bytes | None) -> None:
        """
        Pass it on; what a phone plays is heard only when it rings alone.
        """
        self._user.attempt_rang(leg, response, sdp if len(self._legs) == 1 else None)

    def leg_answered(self, leg: OutboundLeg) -> None:
        """
        The first has it, the others stop ringing.
        """
        if self._over:
            leg.hang_up(26, ELSEWHERE)
            return
        self._finish()
        self._legs.remove(leg)
        for other in self._take_legs():
            # RFC 3326 2: phones that know it do not show a missed call.
            other.cancel(200, ELSEWHERE)
        self._user.attempt_answered(leg)

    def leg_failed(self, leg: OutboundLeg, status: int, text: str, response: Response | None) -> None:
        """
        One phone is out; when all are, the best of their answers is the caller's.
        """
        if self._over:
            return
        self._legs.remove(leg)
        binding = self._bindings.pop(leg)
        if status == 488 and leg.takes_keys and binding.contact not in self._secured:
            # A phone that insists on SRTP refuses RTP/AVP even with keys in it (RFC 4568 has no way to offer both).
            self._secured.add(binding.contact)
            self._ring(binding, "RTP/SAVP")
            if self._legs:
                return
        if response is None and status in (408, 503):
            self.log.info(
                "{call_id}: sip.no_response from {party} at {flow}: {text}",
                call_id=leg.call, party=leg.party, flow=leg.flow.name, text=text,
            )
            self._failures.append(Failure(480, 20, "Phone unreachable"))
        else:
            self._failures.append(Failure(status, cause_of_status(status), text))
        if status in GLOBAL:
            for other in self._take_legs():
                other.cancel(status, text)
        if not self._legs and not self._starting:
            self._give_up()

    def leg_hung_up(self, leg: Leg, ending: Ending) -> None:
        """
        A leg that belongs to us is not up; the call takes it over before.
        """

    def leg_changed(self, leg: Leg) -> None:
        """
        Likewise.
        """

    def across(self, leg: Leg) -> Leg | None:
        """
        While it rings nobody is there.
        """
        return None

    # From the timer queue.

    def timer_fired(self, name: str) -> None:
        """
        Nobody came.
        """
        self._timer = None
        for leg in self._take_legs():
            leg.cancel(480, "No answer")
        self._give_up(Failure(480, 19, "No answer"))

    # Inside.

    def _ring(self, binding: Binding, profile: str) -> None:
        if self._offer is None:
            raise ValueError("start() comes first")
        leg = self._make_leg(self, binding)
        try:
            leg.open(self._engine, srtp_in_clear=self._srtp_in_clear)
        except PortsExhausted:
            leg.over(503, "No media port free")
            self._failures.append(Failure(503, 34, "No media port free"))
            return
        self._legs.append(leg)
        self._bindings[leg] = binding
        caller, formats, max_forwards = self._offer
        try:
            leg.invite(self._core, caller, formats, max_forwards, profile)
        except (ProtocolError, ValueError) as error:
            self.log.error("{call_id}: {party} can't be rung: {error}", call_id=leg.call, party=leg.party, error=error)
            leg.failed(500, "Server Internal Error", None)

    def _give_up(self, failure: Failure | None = None) -> None:
        if self._over:
            return
        self._finish()
        self._user.attempt_failed(failure or best(self._failures))

    def _finish(self) -> None:
        self._over = True
        if self._timer is not None:
            self._core.timer_queue.stop(self._timer)
            self._timer = None

    def _take_legs(self) -> list[OutboundLeg]:
        legs, self._legs = self._legs, []
        self._bindings.clear()
        return legs


def best(failures: Sequence[Failure]) -> Failure:
    """
    The answer that the caller gets when all phones have refused (RFC 3261 16.7, step 6, for people).
    """
    for status in PREFERENCE:
        for failure in failures:
            if failure.status == status:
                return failure
    if not failures:
        return Failure(480, 20, "Not registered")
    first = failures[0]
    # 401, 407 and 3xx of a phone are no answer for the caller.
    if first.status in (401, 407) or first.status < 400:
        return Failure(480, 31, f"Phone answered {first.status}")
    return first
