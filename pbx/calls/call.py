"""
A call: the parties that talk, and the way of the one that looks for another (RFC 7092: a media-relaying back-to-back
user agent).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import proxy

from attrs import evolve
from twisted.logger import Logger
from zope.interface import implementer

from pbx.calls.events import CallAnswered, CallEnded, CallsMerged, StepNoted
from pbx.calls.failure import Failure
from pbx.calls.failure_tone import FailureTone
from pbx.calls.inbound import ICallerOwner, InboundLeg
from pbx.calls.joint import Joint
from pbx.calls.journey import ITraveller, Journey
from pbx.calls.leg import LegState
from pbx.calls.outbound import CallerIdentity, ICalleeOwner
from pbx.calls.transfer import Transfer, referred
from pbx.calls.visit import OURS
from pbx.calls.watch import SilenceWatch
from pbx.media.ports import PortsExhausted
from pbx.sip.message import ProtocolError
from pbx.sip.reasons import cause_of_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.calls.beyond import Beyond
    from pbx.calls.events import Disposition, Party
    from pbx.calls.leg import Leg
    from pbx.calls.meanwhile import Manner
    from pbx.calls.outbound import OutboundLeg
    from pbx.calls.tools import CallTools
    from pbx.dialog.incoming import IncomingInvite
    from pbx.dialog.refer import Refer
    from pbx.dialog.user import Ending
    from pbx.directory.decision import Decision, RouteRequest
    from pbx.sip.message import Response
    from pbx.transport.flow import Flow

CANCELLED = 487
"""What a caller is answered that has given up."""

RETRY_AFTER = ("Retry-After", "10")
"""What every 503 says as well: without it a phone takes it for a lasting failure (RFC 3261 21.5.4)."""

INTERNAL = 41
"""The cause of what is our own fault (ITU-T Q.850: temporary failure)."""


@implementer(ICallerOwner, ICalleeOwner, ITraveller)
class Call:
    """
    One call, from the INVITE of an extension to the last BYE.

    Attributes:
        id: 32 hexadecimal digits.
        caller: Who has called, as phones are shown it.
        party: The number of who has called: an extension's, or one beyond the house that is never an extension's.
        number: What was dialled.
        began: When, by the wall clock.
        answered: When it was answered, ``None`` before.
        near: The leg of the party that looks for another or has found one: at first the caller's.
        far: The leg of the one it has found.
        joint: What lets them hear each other.
        journey: The way of :attr:`near`, while it looks.
        transfer: The transfer under way.
        aside: Legs that are up and talk to nobody: of who transfers, or has.
    """

    log = Logger()

    def __init__(
        self,
        tools: CallTools,
        call_id: str,
        caller: CallerIdentity,
        number: str,
        flow: Flow,
        invite: IncomingInvite,
        on_over: Callable[[Call], None],
        party: str = "",
        beyond: Beyond | None = None,
    ) -> None:
        self.id = call_id
        self.caller = caller
        self.number = number
        self.began = tools.wall()
        self.answered: float | None = None
        self.far: Leg | None = None
        self.joint: Joint | None = None
        self.journey: Journey | None = None
        self.transfer: Transfer | None = None
        self._tools = tools
        self._on_over = on_over
        self._legs = 1
        self.aside: list[Leg] = []
        self._over = False
        self._tone: FailureTone | None = None
        self._watch = SilenceWatch(tools)
        self._inbound = InboundLeg(self, tools.emit, tools.wall, call_id, caller, flow, invite, party, beyond)
        self.party = self._inbound.party
        self.near: Leg = self._inbound

    # What the switchboard does.

    def begin(self, decision: Decision, request: RouteRequest) -> None:
        """
        Bring the caller where the dialplan says.

        Args:
            decision: What it said.
            request: What it was asked.
        """
        hops = self._inbound.invite.request.max_forwards
        self.travel(self.caller, request, decision, (70 if hops is None else hops) - 1)

    def refuse(self, status: int, cause: int, text: str) -> None:
        """
        End a call that reached nobody.
        """
        self._reject(status, cause, text)
        self._end(Failure(status, cause, text).disposition, status, cause, text, "system")

    def hang_up(self, cause: int = 16, text: str = "Ended by the operator") -> None:
        """
        End the call from outside, wherever it stands.
        """
        if self._over:
            return
        self.stop_journey(480, text)
        if self.near.state is LegState.UP:
            self._part(cause, text)
            self._end("answered", None, cause, text, "system")
            return
        self._reject(480, cause, text)
        self._end("cancelled", 480, cause, text, "system")

    def look(self, now: float) -> None:
        """
        Probe the legs that have been silent for too long.
        """
        if self.near.state is LegState.UP:
            self._watch.look([leg for leg in (self.near, self.far, *self.aside) if leg is not None], now, self._lost)

    @property
    def legs(self) -> list[Leg]:
        """
        The legs of those that talk, of each phone that rings, and of who transfers.
        """
        far = [self.far] if self.far is not None else []
        return [self.near, *far, *self.ringing, *self.aside]

    @property
    def ringing(self) -> list[OutboundLeg]:
        """
        The legs of the phones that ring.
        """
        return self.journey.ringing if self.journey is not None else []

    @property
    def state(self) -> str:
        """
        ``trying``, ``ringing`` or ``up``.
        """
        return self.near.state.value

    @property
    def place(self) -> str | None:
        """
        Where the caller is that talks to nobody: ``voicemail 1002``, ``menu 500``.
        """
        return self.journey.place if self.journey is not None else None

    @property
    def state_of_media(self) -> str | None:
        """
        What the bridge does with the packets, ``None`` where there is no bridge.
        """
        return None if self.joint is None else self.joint.state

    # What journeys, transfers and pickups do.

    def next_leg(self) -> int:
        """
        Number the next leg.
        """
        self._legs += 1
        return self._legs

    def note(self, reason: str) -> None:
        """
        Add a step to the call's trace and record.
        """
        self._tools.emit(StepNoted(self.id, self._tools.wall(), reason))

    def identity(self, leg: Leg) -> CallerIdentity:
        """
        Who is at a leg, as the other side is shown.
        """
        if leg.beyond is not None:
            # Never a name of the directory's for a number that anybody beyond the house may claim.
            return evolve(leg.beyond.face, anonymous=leg.anonymous)
        extension = self._tools.router.directory.extension(leg.party)
        return CallerIdentity(leg.party, extension.name if extension is not None else "", leg.anonymous)

    def travel(
        self, caller: CallerIdentity, request: RouteRequest, decision: Decision, hops: int = 69,
        manner: Manner | None = None,
    ) -> None:
        """
        Bring :attr:`near` where the dialplan says.

        Args:
            caller: Who those that are rung see calling.
            request: What the dialplan was asked.
            decision: What it said.
            hops: The Max-Forwards of what is sent.
            manner: What else there is to it.
        """
        journey = self.journey = Journey(self._tools, self, self.near, caller, request, hops, manner)
        try:
            journey.go(decision)
        except PortsExhausted:
            journey.end(503, 34, "No media port free")
        except ProtocolError as error:
            journey.end(error.status, cause_of_status(error.status), error.reason)

    def separate(self, transfer: Transfer) -> None:
        """
        Part the two: one is to be sent elsewhere, the other waits for what comes of it.
        """
        if self.joint is not None:
            self.joint.stop()
            self.joint = None
        self.transfer = transfer
        self.aside.append(transfer.transferor)
        self.near, self.far = transfer.transferee, None

    def swap(self, old: Leg, across: Leg | None) -> None:
        """
        Take a leg out of the call, for another that comes in its place.
        """
        if self.joint is not None:
            self.joint.stop()
            self.joint = None
        self.aside = [leg for leg in self.aside if leg is not old]
        if across is not None:
            self.near, self.far = across, None

    def unite(self, near: Leg, far: Leg, joint: Joint | None = None) -> None:
        """
        Let two legs talk that are both up.
        """
        again = self.answered is not None
        self.near, self.far = near, far
        for leg in (near, far):
            leg.quiet()
            if leg in self.aside:
                self.aside.remove(leg)
        self.joint = joint if joint is not None else Joint(self._tools, self.id, near, far)
        self.joint.join()
        self.joint.mend(far, late=again)
        self._note_answered()
        self.joint.announced = True
        self.joint.tell()

    def stop_journey(self, status: int, text: str) -> None:
        """
        Let :attr:`near` look for nobody any more.
        """
        journey, self.journey = self.journey, None
        if journey is not None:
            journey.stop(status, text)

    def absorb(self, other: Call) -> None:
        """
        Make the legs of another call this one's: one call, one record.
        """
        offset, self._legs = self._legs, self._legs + other._legs
        for leg in other.legs:
            leg.call = self.id
            leg.number += offset
            if leg not in other.ringing:
                leg.owner = self
        self.aside += [leg for leg in other.aside if leg.state is LegState.UP]
        other.aside = []
        if other.transfer is not None:
            # Who was sent on has found somebody here.
            other.transfer.succeeded()
            other.transfer = None
        self._tools.emit(CallsMerged(other.id, self._tools.wall(), self.id, offset))
        other._close()

    # ITraveller

    def found(self, leg: Leg, joint: Joint | None) -> None:
        """
        Answer the caller, and let them talk.
        """
        self.journey = None
        self.far = leg
        # From now on the leg's ends are the call's.
        leg.owner = self
        transferred = self.near.state is LegState.UP
        try:
            if not transferred and isinstance(self.near, InboundLeg):
                self.near.answer(leg.agreed if leg.agreed.codec is not None else OURS, identity=self.identity(leg))
            self.unite(self.near, leg, joint)
        except ProtocolError as error:
            cause = cause_of_status(error.status)
            leg.hang_up(cause, error.reason)
            self.refuse(error.status, cause, error.reason)
            return
        except Exception:
            # Whoever logs it knows nothing of the caller, who would hear it ring for ever.
            self._part(INTERNAL, "Server Internal Error")
            self.refuse(500, INTERNAL, "Server Internal Error")
            raise
        if transferred:
            start = self._tools.tasks.start
            start(self.near.identify(self.identity(leg)), "show who it is")
            start(leg.identify(self.identity(self.near)), "show who it is")
        if self.transfer is not None:
            transfer, self.transfer = self.transfer, None
            transfer.succeeded()

    def rang(self) -> None:
        """
        Tell who transfers that it rings.
        """
        if self.transfer is not None:
            self.transfer.rang()

    def arrived(self) -> None:
        """
        A place has answered.
        """
        self._note_answered()
        if self.transfer is not None:
            transfer, self.transfer = self.transfer, None
            transfer.succeeded()
            there = self.journey.reached if self.journey is not None else None
            if there is not None:
                self._tools.tasks.start(self.near.identify(there), "show where it is")

    def not_found(self, failure: Failure, *, by_place: bool) -> None:
        """
        Tell the caller why nobody answers.
        """
        self.journey = None
        if self._over:
            return
        if self.transfer is not None:
            self.transfer.failed(failure)
        elif self.near.state is LegState.UP:
            self._lead_nowhere(failure, at_once=by_place)
        else:
            self._reject(failure.status, failure.cause, failure.text)
            by: Party = "callee" if failure.disposition == "busy" else "system"
            self._end(failure.disposition, failure.status, failure.cause, failure.text, by)

    # ICallerOwner, ICalleeOwner

    def caller_gave_up(self, status: int, text: str) -> None:
        """
        Stop ringing.
        """
        self.stop_journey(status, text)
        if status == CANCELLED:
            self._end("cancelled", status, 16, text, "caller")
        else:
            self._end("failed", status, cause_of_status(status), text, "system")

    def leg_hung_up(self, leg: Leg, ending: Ending) -> None:
        """
        One side has gone: end the other, unless it was only who transferred.
        """
        if leg in self.aside:
            self.aside.remove(leg)
            return
        # The caller may be on another of its phones by now, and both sides may be somebody else.
        ours = leg is self._inbound or (leg.party == self.party and self._inbound.state is LegState.ENDED)
        by: Party = "caller" if ours else "callee"
        self.stop_journey(480, ending.text)
        self._part(ending.cause, ending.text)
        disposition: Disposition = "answered" if ending.answered else "failed"
        self._end(disposition, None, ending.cause, ending.text, by if ending.by_peer else "system")

    def leg_changed(self, leg: Leg) -> None:
        """
        Go by new formats, and by hold and resume.
        """
        if self.joint is not None and leg in (self.joint.near, self.joint.far):
            self.joint.changed(leg)
        elif self.journey is not None and leg is self.near:
            self.journey.described()

    def leg_pressed(self, leg: Leg, digit: str) -> None:
        """
        A key goes to the other side.
        """
        if self.joint is not None and leg in (self.joint.near, self.joint.far):
            self.joint.press(leg, digit)

    def leg_referred(self, leg: Leg, refer: Refer) -> None:
        """
        A phone wants to have the other sent elsewhere.
        """
        referred(self._tools, self, leg, refer)

    def across(self, leg: Leg) -> Leg | None:
        """
        The other leg, once the call was answered.
        """
        joint = self.joint
        return joint.across(leg) if joint is not None and leg in (joint.near, joint.far) else None

    def leg_rang(self, leg: OutboundLeg, response: Response, sdp: bytes | None) -> None:
        """
        A leg that is ours has long stopped ringing.
        """

    def leg_answered(self, leg: OutboundLeg) -> None:
        """
        Likewise.
        """

    def leg_failed(self, leg: OutboundLeg, status: int, text: str, response: Response | None) -> None:
        """
        Likewise.
        """

    # Inside.

    def _note_answered(self) -> None:
        if self.answered is None:
            self.answered = self._tools.wall()
            self._tools.emit(CallAnswered(self.id, self.answered, self._tools.core.clock.seconds()))

    def _reject(self, status: int, cause: int, text: str) -> None:
        if isinstance(self.near, InboundLeg):
            self.near.reject(status, cause, text, (RETRY_AFTER,) if status == 503 else ())

    def _lead_nowhere(self, failure: Failure, *, at_once: bool) -> None:
        """
        End a call whose party is up but alone; who did not choose that hears a tone first that says so.
        """
        if not at_once:
            self._tone = FailureTone(self._tools, self.near, failure, lambda: self._lead_nowhere(failure, at_once=True))
            return
        self._part(failure.cause, failure.text)
        self._end("answered", None, failure.cause, failure.text, "system")

    def _lost(self, leg: Leg) -> None:
        if leg in self.aside:
            self.aside.remove(leg)
            leg.hang_up(27, "media lost")
        elif not self._over:
            self.stop_journey(480, "media lost")
            self._part(27, "media lost")
            self._end("answered", None, 27, "media lost", "system")

    def _part(self, cause: int, text: str) -> None:
        if self.joint is not None:
            self.joint.stop()
        if self.transfer is not None:
            self.transfer.stop()
            self.transfer = None
        aside, self.aside = self.aside, []
        for leg in (self.near, self.far, *aside):
            if leg is not None:
                leg.hang_up(cause, text)

    def _end(self, disposition: Disposition, status: int | None, cause: int, text: str, by: Party) -> None:
        if self._over:
            return
        try:
            now, clock = self._tools.wall(), self._tools.core.clock.seconds()
            self._tools.emit(CallEnded(self.id, now, clock, disposition, status, cause, text, by))
        finally:
            self._close()

    def _close(self) -> None:
        self._over = True
        if self._tone is not None:
            self._tone.stop()
            self._tone = None
        if self.joint is not None:
            self.joint.stop()
        for leg in self.legs:
            # A request under way may still hold the leg for a while: not the whole call.
            leg.owner = proxy(self) if leg.owner is self else leg.owner
        self.joint = self.journey = None
        self._on_over(self)
