"""
Ringing the phones of one extension or of several: the first to answer has the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from zope.interface import Interface, implementer

from pbx.calls.failure import GLOBAL, MOVED, Failure, best
from pbx.calls.hunt import Hunt
from pbx.calls.leg import LegState
from pbx.calls.outbound import ICalleeOwner, OutboundLeg
from pbx.media.ports import PortsExhausted
from pbx.sip.dialled import dialled_number
from pbx.sip.message import ProtocolError
from pbx.sip.reasons import cause_of_status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from twisted.internet.defer import Deferred

    from pbx.calls.destination import Branch
    from pbx.calls.hunt import Place
    from pbx.calls.leg import Leg
    from pbx.calls.outbound import CallerIdentity
    from pbx.calls.tools import CallTools
    from pbx.dialog.refer import Refer
    from pbx.dialog.user import Ending
    from pbx.directory.outside import Outgoing
    from pbx.media.terminal import Terminal
    from pbx.registrar.binding import Binding
    from pbx.sdp.audio import Format
    from pbx.sip.message import Response
    from pbx.transaction.timer_queue import Entry

ELSEWHERE = "Call completed elsewhere"

ASKING = 15.0
"""Seconds that who has picked up has at least to say whether it takes the call, however late that was."""


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

    def attempt_noted(reason: str) -> None:  # noqa: N805
        """
        A step worth a line in the call's record: a trunk has come to nothing.
        """

    def make_leg(attempt: Attempt, binding: Binding) -> OutboundLeg:  # noqa: N805
        """
        Make the leg to a phone.
        """

    def make_leg_beyond(attempt: Attempt, outgoing: Outgoing, place: Place) -> OutboundLeg:  # noqa: N805
        """
        Make the leg to a number beyond the house.
        """


@define(eq=False)
class Ringing:
    """
    A branch that rings.

    Attributes:
        branch: Whom it rings, and how.
        legs: Its phones that ring.
        timer: Until it begins, then until it gives up.
        hunt: The search for a trunk to it, where it is a number beyond the house and none has come to nothing yet.
    """

    branch: Branch
    legs: set[OutboundLeg] = Factory(set)
    timer: Entry | None = None
    hunt: Hunt | None = None


@implementer(ICalleeOwner)
class Attempt:
    """
    One try to reach an extension at all its phones, or several extensions and numbers beyond the house; the first to
    answer has the caller.

    Args:
        user: Who is told what comes of it, and makes the legs.
        tools: What the call is built with.
        call_id: The call, for the log.
    """

    log = Logger()

    def __init__(self, user: IAttemptUser, tools: CallTools, call_id: str) -> None:
        self._user = user
        self._call_id = call_id
        self._tools = tools
        self._queue = tools.core.timer_queue
        self._legs: dict[OutboundLeg, Ringing] = {}
        self._asked: dict[OutboundLeg, Deferred[None]] = {}
        self._failures: list[Failure] = []
        self._timer: Entry | None = None
        self._bindings: dict[OutboundLeg, Binding] = {}
        self._secured: set[str] = set()
        self._waiting: dict[str, Ringing] = {}
        self._hunting: set[Ringing] = set()
        self._over = False
        self._picked_up = 0.0
        self._starting = False
        self._offer: tuple[CallerIdentity, Sequence[Format], int] | None = None

    def start(
        self,
        branches: Sequence[Branch],
        caller: CallerIdentity,
        formats: Sequence[Format],
        max_forwards: int,
        timeout: float,
    ) -> None:
        """
        Ring.

        Args:
            branches: Whom.
            caller: Who is calling.
            formats: What they are offered.
            max_forwards: For the INVITEs.
            timeout: How long to ring, in seconds.
        """
        self._offer = (caller, formats, max_forwards)
        # One that can't be rung is no reason to give up before the last has been tried.
        self._starting = True
        for place, branch in enumerate(branches):
            ringing = Ringing(branch)
            if branch.after > 0:
                self._waiting[f"begin {place}"] = ringing
                ringing.timer = self._queue.start(branch.after, self, f"begin {place}")
            else:
                self._begin(ringing)
        self._starting = False
        if self._legs or self._waiting or self._hunting:
            self._timer = self._queue.start(timeout, self, "no answer")
        else:
            self._give_up()

    def cancel(self, status: int, text: str) -> None:
        """
        Stop ringing: the caller has gone, or the call was ended from outside.
        """
        self._finish()
        self._drop(status, text)

    @property
    def ringing(self) -> list[OutboundLeg]:
        """
        The legs that have neither answered nor ended, and those that are asked whether they take the call.
        """
        return [*self._legs, *self._asked]

    # ICalleeOwner

    def leg_rang(self, leg: OutboundLeg, response: Response, sdp: bytes | None) -> None:
        """
        Pass it on; what a phone plays is heard only when it rings alone.
        """
        alone = len(self._legs) == 1 and not self._waiting and not self._asked
        ringing = self._legs.get(leg)
        alone = alone and (ringing is None or ringing.branch.confirm is None) and self._hunting <= {ringing}
        self._user.attempt_rang(leg, response, sdp if alone else None)

    def leg_answered(self, leg: OutboundLeg) -> None:
        """
        The first has it, the others stop ringing; one that is to confirm is asked first, and they go on.
        """
        ringing = self._legs.pop(leg, None)
        if self._over or ringing is None:
            leg.hang_up(26, ELSEWHERE)
            return
        ringing.legs.discard(leg)
        self._stop_hunting(ringing)
        if ringing.branch.confirm is not None:
            self._ask(leg, ringing.branch.confirm)
        else:
            self._won(leg)

    def leg_failed(self, leg: OutboundLeg, status: int, text: str, response: Response | None) -> None:
        """
        One phone is out; when all are, the best of their answers is the caller's.
        """
        if self._over:
            return
        ringing = self._legs.pop(leg)
        ringing.legs.discard(leg)
        if ringing.hunt is not None:
            ringing.hunt.failed(leg, status, text, response)
            return
        binding = self._bindings.pop(leg)
        if status == 488 and leg.takes_keys and binding.contact not in self._secured:
            # A phone that insists on SRTP refuses RTP/AVP even with keys in it (RFC 4568 has no way to offer both).
            self._secured.add(binding.contact)
            self._ring(ringing, binding, "RTP/SAVP")
            if ringing.legs:
                return
        if response is None and status in (408, 503):
            self.log.info(
                "{call_id}: sip.no_response from {party} at {flow}: {text}",
                call_id=leg.call, party=leg.party, flow=leg.flow.name, text=text,
            )
            self._failures.append(Failure(480, 20, "Phone unreachable"))
        elif response is not None and status in MOVED and response.contacts:
            # Whoever forwards at the phone means all phones of the extension.
            self._failures.insert(0, Failure(480, 31, f"Phone answered {status}", _moved_to(response), leg.party))
        else:
            self._failures.append(Failure(status, cause_of_status(status), text))
        if status in GLOBAL or (status in MOVED and self._failures[0].moved_to):
            # It speaks for the person, whose other phones ring in the same branch.
            for other in list(ringing.legs):
                self._silence(other, status, text)
        self._perhaps_give_up()

    def leg_hung_up(self, leg: Leg, ending: Ending) -> None:
        """
        One that was asked whether it takes the call has gone without saying so.
        """
        asked = self._asked.pop(leg, None) if isinstance(leg, OutboundLeg) else None
        if asked is not None:
            asked.cancel()
            self._failures.append(Failure(480, 19, "No answer"))
            self._perhaps_give_up()

    def leg_changed(self, leg: Leg) -> None:
        """
        Nobody hears it yet.
        """

    def across(self, leg: Leg) -> Leg | None:
        """
        While it rings nobody is there.
        """
        return None

    def leg_pressed(self, leg: Leg, digit: str) -> None:
        """
        Nobody hears it.
        """

    def leg_referred(self, leg: Leg, refer: Refer) -> None:
        """
        Nobody is there to be sent elsewhere.
        """
        refer.refuse(403)

    # From the timer queue.

    def timer_fired(self, name: str) -> None:
        """
        A branch begins or has rung long enough, or nobody came at all.
        """
        if name == "no answer":
            self._too_late()
            return
        ringing = self._waiting.pop(name)
        ringing.timer = None
        if name.startswith("begin"):
            self._begin(ringing)
        else:
            self._failures.append(Failure(480, 19, "No answer"))
            self._stop_hunting(ringing)
            for leg in list(ringing.legs):
                self._silence(leg, 480, "No answer")
        self._perhaps_give_up()

    # Inside.

    def _too_late(self) -> None:
        self._failures = [Failure(480, 19, "No answer")]
        left = self._picked_up + ASKING - self._tools.core.clock.seconds() if self._asked else 0.0
        self._finish()
        if left > 0:
            # Whoever has picked up is not cut off in the middle of the question.
            self._over = False
            self._timer = self._queue.start(left, self, "no answer")
            for leg in list(self._legs):
                self._silence(leg, 480, "No answer")
            return
        self._drop(480, "No answer")
        self._user.attempt_failed(self._failures[0])

    def _begin(self, ringing: Ringing) -> None:
        if ringing.branch.outgoing is not None:
            self._hunt(ringing, ringing.branch.outgoing)
        else:
            self._ring_phones(ringing)
        if ringing.branch.lasting is not None and (ringing.legs or ringing in self._hunting):
            name = f"lasting {id(ringing)}"
            self._waiting[name] = ringing
            ringing.timer = self._queue.start(ringing.branch.lasting, self, name)

    def _ring_phones(self, ringing: Ringing) -> None:
        bindings = self._tools.location.bindings(ringing.branch.number)
        if not bindings:
            self._failures.append(Failure(480, 20, "Not registered"))
            return
        for binding in bindings:
            self._ring(ringing, binding, "RTP/AVP")

    def _hunt(self, ringing: Ringing, outgoing: Outgoing) -> None:
        def ring(place: Place) -> None:
            leg = self._user.make_leg_beyond(self, outgoing, place)
            if self._opened(leg):
                self._invite(ringing, leg, place.profile)
            else:
                over(Failure(503, 34, "No media port free"))

        def over(failure: Failure) -> None:
            self._failures.append(failure)
            self._stop_hunting(ringing)
            self._perhaps_give_up()

        ringing.hunt = Hunt(self._tools, self._call_id, outgoing, ring, over, self._user.attempt_noted)
        self._hunting.add(ringing)
        ringing.hunt.begin()

    def _ring(self, ringing: Ringing, binding: Binding, profile: str) -> None:
        leg = self._user.make_leg(self, binding)
        if self._opened(leg):
            self._bindings[leg] = binding
            self._invite(ringing, leg, profile)
        else:
            self._failures.append(Failure(503, 34, "No media port free"))

    def _opened(self, leg: OutboundLeg) -> bool:
        try:
            leg.open(self._tools.engine, srtp_in_clear=self._tools.settings.srtp_in_clear)
        except PortsExhausted:
            leg.over(503, "No media port free")
            return False
        return True

    def _invite(self, ringing: Ringing, leg: OutboundLeg, profile: str) -> None:
        if self._offer is None:
            raise ValueError("start() comes first")
        self._legs[leg] = ringing
        ringing.legs.add(leg)
        caller, formats, max_forwards = self._offer
        try:
            leg.invite(self._tools.core, caller, formats, max_forwards, profile)
        except ProtocolError as error:
            self.log.warn("{call_id}: {party} can't be rung: {error}", call_id=leg.call, party=leg.party, error=error)
            leg.failed(error.status, error.reason, None)
        except ValueError as error:
            self.log.error("{call_id}: {party} can't be rung: {error}", call_id=leg.call, party=leg.party, error=error)
            leg.failed(500, "Server Internal Error", None)

    def _ask(self, leg: OutboundLeg, confirm: Callable[[Terminal], Awaitable[bool]]) -> None:
        async def ask() -> None:
            taken = False
            try:
                taken = await confirm(leg.terminal(self._tools))
            except CancelledError:
                # It has hung up, or the call went elsewhere meanwhile: that is seen to elsewhere.
                return
            finally:
                if leg.state is LegState.UP:
                    leg.quiet()
                    self._asked.pop(leg, None)
                    if taken:
                        self._won(leg)
                    elif not self._over:
                        leg.hang_up(21, "Declined")
                        # One number of many does not speak for the extension: to its caller, nobody came.
                        self._failures.append(Failure(480, 19, "No answer"))
                        self._perhaps_give_up()

        self._picked_up = self._tools.core.clock.seconds()
        asked = self._tools.tasks.start(ask(), "ask whether a call is taken")
        if not asked.called:
            self._asked[leg] = asked

    def _won(self, leg: OutboundLeg) -> None:
        self._finish()
        self._bindings.pop(leg, None)
        # RFC 3326 2: phones that know it do not show a missed call.
        self._drop(200, ELSEWHERE)
        self._user.attempt_answered(leg)

    def _silence(self, leg: OutboundLeg, status: int, text: str) -> None:
        ringing = self._legs.pop(leg, None)
        if ringing is not None:
            ringing.legs.discard(leg)
            self._bindings.pop(leg, None)
            leg.cancel(status, text)

    def _drop(self, status: int, text: str) -> None:
        for leg in list(self._legs):
            self._silence(leg, status, text)
        asked, self._asked = self._asked, {}
        for leg, asking in asked.items():
            asking.cancel()
            leg.hang_up(26 if status == 200 else 16, text)

    def _perhaps_give_up(self) -> None:
        begun = not any(name.startswith("begin") for name in self._waiting)
        if not self._legs and not self._asked and not self._hunting and not self._starting and begun:
            self._give_up()

    def _give_up(self) -> None:
        if self._over:
            return
        self._finish()
        self._user.attempt_failed(best(self._failures))

    def _finish(self) -> None:
        self._over = True
        for timer in (self._timer, *(ringing.timer for ringing in self._waiting.values())):
            if timer is not None:
                self._queue.stop(timer)
        self._timer = None
        self._waiting.clear()
        for ringing in list(self._hunting):
            self._stop_hunting(ringing)

    def _stop_hunting(self, ringing: Ringing) -> None:
        self._hunting.discard(ringing)
        if ringing.hunt is not None:
            ringing.hunt.stop()


def _moved_to(response: Response) -> str:
    try:
        return dialled_number(response.contacts[0].uri)
    except ProtocolError:
        return ""
