"""
The way of one party to whoever it wants to speak to: phones that ring, places it is sent to, forwards in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve
from twisted.logger import Logger
from zope.interface import Interface, implementer

from pbx.calls.caller import numbers_of
from pbx.calls.destination import Branch
from pbx.calls.early import EarlyMedia
from pbx.calls.failure import Failure
from pbx.calls.inbound import InboundLeg
from pbx.calls.leg import LegState
from pbx.calls.loops import Rounds
from pbx.calls.meanwhile import USUAL, Meanwhile
from pbx.calls.outbound import CallerIdentity, OutboundLeg, address_of
from pbx.calls.pickup import find_ringing, pick_up
from pbx.calls.refusal import words_for
from pbx.calls.routing import Attempt, IAttemptUser
from pbx.calls.trunk_leg import leg_beyond
from pbx.calls.visit import Visit
from pbx.directory.decision import CALLED_BACK, Destination, Diversion
from pbx.media.ports import PortsExhausted
from pbx.sip.message import ProtocolError
from pbx.sip.reasons import cause_of_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.calls.call import Call
    from pbx.calls.hunt import Place
    from pbx.calls.joint import Joint
    from pbx.calls.leg import Leg
    from pbx.calls.meanwhile import Manner
    from pbx.calls.tools import CallTools
    from pbx.directory.decision import Decision, RouteRequest
    from pbx.directory.outside import Outgoing
    from pbx.registrar.binding import Binding
    from pbx.sdp.mapping import Agreed
    from pbx.sip.message import Response

OUTSIDE_PATIENCE = 180.0
"""Seconds that a number beyond the house rings: as long as an INVITE may (RFC 3261 16.6, timer C)."""


class ITraveller(Interface):
    """
    The call that a journey is made in.
    """

    def found(leg: Leg, joint: Joint | None) -> None:  # noqa: N805
        """
        Somebody was picked up, whose leg is up; perhaps both hear each other already.
        """

    def rang() -> None:
        """
        A phone rings.
        """

    def arrived() -> None:
        """
        A place has taken the party in.
        """

    def not_found(failure: Failure, *, by_place: bool) -> None:  # noqa: N805
        """
        It leads nowhere any more; ``by_place`` when a place has ended it.
        """


@implementer(IAttemptUser)
class Journey:
    """
    One party on its way, until somebody was found or nobody can be.

    Args:
        tools: What the call is built with.
        call: Whose journey it is, an :class:`ITraveller`.
        leg: The party's leg: unanswered, or up already.
        caller: Who whoever is rung sees calling.
        request: What it wants.
        hops: The Max-Forwards of what is sent for it.
        manner: What else there is to it.

    Attributes:
        diversions: The steps by which it came to where it is.
        language: Of prompts.
    """

    log = Logger()

    def __init__(
        self, tools: CallTools, call: Call, leg: Leg, caller: CallerIdentity, request: RouteRequest, hops: int = 69,
        manner: Manner | None = None,
    ) -> None:
        self.tools = tools
        self.call = call
        self.leg = leg
        self.caller = caller
        self.diversions: tuple[Diversion, ...] = request.diversions
        self.language = leg.language or tools.settings.language
        self._request = request
        self._hops = hops
        self._attempt: Attempt | None = None
        self._visit: Visit | None = None
        self._early = EarlyMedia(tools)
        self._target: str = ""
        self._ended = False
        self._rounds = Rounds()
        manner = manner or USUAL
        self._meanwhile = Meanwhile(tools, manner.sound)
        self._further = manner.further
        self._patience = manner.patience
        self.headers: tuple[tuple[str, str], ...] = ()

    @property
    def ringing(self) -> list[OutboundLeg]:
        """
        The legs of the phones that ring.
        """
        return self._attempt.ringing if self._attempt is not None else []

    @property
    def target(self) -> str:
        """
        The extension that rings, nothing while it is a place or none.
        """
        return self._target

    @property
    def place(self) -> str | None:
        """
        Where the party is, ``None`` while it is nowhere.
        """
        return self._visit.kind if self._visit is not None else None

    @property
    def destination(self) -> Destination | None:
        """
        The place where the party is, likewise.
        """
        return self._visit.destination if self._visit is not None else None

    @property
    def reached(self) -> CallerIdentity | None:
        """
        What the party's phone is to show while it is at a place; ``None`` where that has no number.
        """
        there = self.destination
        if there is None or not there.target.isdigit():
            return None
        return CallerIdentity(there.target, self.tools.router.name_of(there.target))

    def go(self, decision: Decision) -> None:
        """
        Follow a decision of the dialplan.

        Raises:
            PortsExhausted: No port is free for the party.
            ProtocolError: Its offer can't be served.
        """
        destination = decision.destination
        self.diversions = decision.diversions
        request = self._request
        route = decision.route or request.route
        if (decision.diversions, decision.on_behalf, route) != (request.diversions, request.on_behalf, request.route):
            self._request = evolve(
                request, diversions=decision.diversions, on_behalf=decision.on_behalf, route=route
            )
        self._target = ""
        if destination.kind == "refuse":
            self._refuse(destination)
        elif destination.kind == "hangup":
            self.end(480, 16, "Normal call clearing", by_place=True)
        elif destination.kind == "pickup":
            self._pick_up(destination.target)
        elif destination.kind == "extension":
            self._ring_extension(destination.target, destination.argument)
        elif destination.kind == "outside" and destination.outgoing is not None:
            self._ring_outside(destination.outgoing)
        else:
            self._send_to(destination)

    def go_on(self, destination: Destination) -> None:
        """
        A place sends the party on.
        """
        self._visit = None
        self.stop_ringing()
        if self._rounds.goes_round(self.tools.core.clock.seconds()):
            self.end(482, 25, "Exchange routing error: sent round in a circle", by_place=True)
            return
        try:
            self._decide(self.tools.router.resolve(destination, evolve(self._request, number=destination.target)))
        except ProtocolError as error:
            self.end(error.status, cause_of_status(error.status), error.reason)

    def stop(self, status: int, text: str) -> None:
        """
        End it: the party has gone, or the call was ended from outside.
        """
        self._ended = True
        self.stop_ringing(status, text)
        self._leave()

    def end(self, status: int, cause: int, text: str, *, by_place: bool = False) -> None:
        """
        It leads nowhere any more.
        """
        if not self._ended:
            self._ended = True
            by_place = by_place or self._visit is not None
            try:
                self.stop_ringing()
                self._leave()
            finally:
                self.call.not_found(Failure(status, cause, text), by_place=by_place)

    def described(self) -> None:
        """
        The party's formats are there, or are others.
        """
        if self._visit is not None:
            self._visit.described()
        if self._early.joint is None and any(leg.state is LegState.RINGING for leg in self.ringing):
            self._meanwhile.rings(self.leg)

    def carry(self, leg: Leg, call: Call, caller: CallerIdentity) -> None:
        """
        Go on for another party, in another call: who transfers while a phone still rings.
        """
        self._meanwhile.end(self.leg)
        self._early.part()
        self.leg, self.call, self.caller = leg, call, caller
        self._meanwhile = Meanwhile(self.tools, "ringback")
        # The permission is still that of who began it.
        self._request = evolve(
            self._request, caller=leg.party, anonymous=leg.anonymous,
            on_behalf=self._request.on_behalf or self._request.caller,
        )
        if self.ringing:
            self._meanwhile.rings(self.leg)

    # For a visit.

    def answer(self, ours: Agreed) -> None:
        """
        Answer the party, if that has not been done yet.
        """
        if self.leg.state is not LegState.UP and isinstance(self.leg, InboundLeg):
            self.leg.answer(ours, self.headers)
        self.call.arrived()

    def early(self, ours: Agreed) -> bool:
        """
        Let an unanswered party hear us; tell whether it does.
        """
        leg = self.leg
        if isinstance(leg, InboundLeg) and leg.state is not LegState.UP:
            return leg.invite.offer is not None and leg.early_media(183, ours, self.headers)
        return True

    def ring(self, branches: Sequence[Branch], timeout: float) -> None:
        """
        Ring extensions.
        """
        directory = self.tools.router.directory
        known = [(branch, directory.extension(branch.number)) for branch in branches]
        self._try(
            [b for b, e in known if b.outgoing or (e is not None and e.enabled and not e.handling.dnd)], timeout
        )

    def stop_ringing(self, status: int = 480, text: str = "No answer") -> None:
        """
        Ring nobody any more.
        """
        self._meanwhile.end(self.leg)
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.cancel(status, text)
        self._early.part()

    # IAttemptUser

    def attempt_rang(self, leg: OutboundLeg, response: Response, sdp: bytes | None) -> None:
        """
        Let the party know, and hear what there is to hear.
        """
        self.call.rang()
        near = self.leg
        if isinstance(near, InboundLeg) and near.state is not LegState.UP:
            visits = self._visit is not None and near.has_terminal
            if sdp is not None and not visits and self._early.takes(near, leg, response.status, sdp, self.headers):
                self._meanwhile.end(near)
                near.quiet()
                self._early.join(self.call.id, near, leg)
                return
            if response.status in (180, 181, 182, 183):
                near.ring(self.headers)
        if near.audio is not None and near.audio.formats is not None and self._early.joint is None:
            # It listens to us already, and makes no tone of its own.
            self._meanwhile.rings(self.leg)

    def attempt_answered(self, leg: OutboundLeg) -> None:
        """
        Somebody was found.
        """
        self._attempt = None
        self._ended = True
        visit, self._visit = self._visit, None
        joint = self._early.hand_over(leg)
        self._meanwhile.end(self.leg)
        self.leg.quiet()
        self.call.found(leg, joint)
        if visit is not None:
            visit.answered(leg.party)

    def attempt_failed(self, failure: Failure) -> None:
        """
        See what follows.
        """
        self._attempt = None
        if self._visit is not None:
            self._meanwhile.end(self.leg)
            self._early.part()
            self._visit.failed(failure)
            return
        decision = self._after(failure)
        if decision is None:
            self._tell(Destination("refuse", status=failure.status, cause=failure.cause, text=failure.text))
            return
        if decision.destination.kind == "refuse":
            self._refuse(decision.destination)
            return
        self._early.part()
        try:
            self._decide(decision)
        except ProtocolError as error:
            self.end(error.status, cause_of_status(error.status), error.reason)

    def attempt_noted(self, reason: str) -> None:
        """
        A trunk did not take the call.
        """
        self.log.info("{call_id}: {reason}", call_id=self.call.id, reason=reason)
        self.call.note(reason)

    def make_leg(self, attempt: Attempt, binding: Binding) -> OutboundLeg:
        """
        Make the leg to a phone.
        """
        tools, call = self.tools, self.call
        leg = OutboundLeg(
            attempt, tools.emit, tools.wall, call.id, call.next_leg(), binding.aor, binding.flow, binding.contact,
            self.caller,
        )
        leg.further = self._further
        return leg

    def make_leg_beyond(self, attempt: Attempt, outgoing: Outgoing, place: Place) -> OutboundLeg:
        """
        Make the leg to a number beyond the house.
        """
        request, by = self._request, self._target
        if by:
            # It rings for an extension that is called itself.
            request = evolve(request, on_behalf=by, diversions=(*request.diversions, Diversion(by, "follow me")))
        return leg_beyond(self.tools, attempt, self.call, request, self.caller, outgoing, place)

    # Inside.

    def _after(self, failure: Failure) -> Decision | None:
        """
        What follows when the phones of an extension have come to nothing: where one of them sends its callers on to, or
        what the extension wants.
        """
        target, router = self._target, self.tools.router
        if not target:
            return self.tools.outside.emergencies.unreached(self.tools, self.call, failure)
        moved = router.moved(target, failure, self._request)
        if moved is not None:
            if moved.destination.kind != "refuse":
                return moved
            self.call.note(moved.reasons[0])
        return router.after(target, failure, self._request)

    def _decide(self, decision: Decision) -> None:
        for reason in decision.reasons:
            self.call.note(reason)
        try:
            self.go(decision)
        except PortsExhausted:
            self.end(503, 34, "No media port free")

    def _refuse(self, destination: Destination) -> None:
        self.log.info(
            "{call_id}: refused with {status}: {text}", call_id=self.call.id, status=destination.status,
            text=destination.text,
        )
        self._tell(destination)

    def _tell(self, destination: Destination) -> None:
        words = words_for(destination, self.leg, self.tools.places)
        if words is not None:
            self._send_to(words)
        else:
            self.end(destination.status, destination.cause, destination.text)

    def _ring_extension(self, number: str, why: str) -> None:
        extension = self.tools.router.directory.extension(number)
        if extension is None:
            self.end(404, 1, "Unallocated number")
            return
        self._open()
        self._target = "" if why else number
        self._show(extension.name, number)
        branches, timeout = self.tools.router.branches(extension, self.caller, self._request, why)
        if why == CALLED_BACK:
            self.tools.outside.emergencies.protect(self.call.id)
        timeout, self._patience = self._patience or timeout, None
        self._meanwhile.begin(self.leg)
        self._try(branches, timeout)

    def _ring_outside(self, outgoing: Outgoing) -> None:
        self.tools.outside.emergencies.begin(self.tools, self.call, self.caller, outgoing)
        self._open()
        self._show("", numbers_of(outgoing.number, outgoing.route, self.tools.router.situation)[1])
        self._meanwhile.begin(self.leg)
        self._try([Branch(outgoing.number, outgoing=outgoing)], OUTSIDE_PATIENCE)

    def _show(self, name: str, number: str) -> None:
        # RFC 3325 9.1: the caller's phone shows who it talks to. Beyond the house it is nobody's business.
        if self.leg.beyond is None:
            self.headers = (("P-Asserted-Identity", address_of(name, number, self.leg.flow.sent_by[0])),)

    def _try(self, branches: Sequence[Branch], timeout: float) -> None:
        self._open()
        formats = self.leg.onward()
        if not formats:
            raise ProtocolError(488, "No codec in common")
        self._attempt = Attempt(self, self.tools, self.call.id)
        self._attempt.start(branches, self.caller, formats, self._hops, timeout)

    def _send_to(self, destination: Destination) -> None:
        place = self.tools.places.get(destination.kind)
        if place is None:
            self.end(404, 1, f"No {destination.kind}")
            return
        self._open()
        self._meanwhile.end(self.leg)
        self._visit = Visit(self, destination, place)
        self._visit.begin()

    def _pick_up(self, number: str) -> None:
        picked = find_ringing(self.tools, self.leg.party, number) if self.leg.beyond is None else None
        if picked is None:
            self.end(404, 1, "Nothing to pick up")
            return
        self._open()
        self._meanwhile.end(self.leg)
        self.leg.quiet()
        pick_up(picked, self.call, self.leg)
        self._ended = True

    def _open(self) -> None:
        if isinstance(self.leg, InboundLeg) and self.leg.audio is None:
            self.leg.open(self.tools.engine, srtp_in_clear=self.tools.settings.srtp_in_clear)

    def _leave(self) -> None:
        if self._visit is not None:
            self._visit.leave()
