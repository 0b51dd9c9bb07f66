"""
The leg to a number beyond the house: an INVITE over a trunk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred, TimeoutError

from pbx.calls.beyond import Beyond
from pbx.calls.caller import numbers_of
from pbx.calls.diverted import diversion_fields
from pbx.calls.leg import LegState
from pbx.calls.outbound import MOST_BYTES, UNKNOWN, CallerIdentity, OutboundLeg
from pbx.dialog.session import SDP
from pbx.dialog.user import Ending
from pbx.dialog.useragent import ALLOW
from pbx.sip.grammar import quote
from pbx.sip.message import Headers, ProtocolError, Request
from pbx.sip.multipart import Part, mixed
from pbx.sip.reasons import reason_header
from pbx.transport.flow import FlowClosed
from pbx.transport.resolver import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pbx.calls.beyond import Line
    from pbx.calls.call import Call
    from pbx.calls.events import CallEvent
    from pbx.calls.hunt import Place
    from pbx.calls.outbound import ICalleeOwner
    from pbx.calls.tools import CallTools
    from pbx.dialog.session import Session
    from pbx.dialog.useragent import UserAgentCore
    from pbx.directory.decision import RouteRequest
    from pbx.directory.outside import Outgoing
    from pbx.directory.trunk import TrunkState
    from pbx.media.engine import IMediaEngine
    from pbx.sdp.audio import Format
    from pbx.transaction.timer_queue import Entry
    from pbx.transport.flow import Flow

TCP_PATIENCE = 1.0
"""Seconds for a TCP connection before a large INVITE goes by UDP after all, in fragments."""

PAID = 60.0
"""Seconds of a call that are mostly paid for anyway, and may be talked even where they cost more than was left."""

AGAIN = 5.0
"""Seconds between two looks whether its payer may still talk."""

LONGEST, LOOK = "longest", "look"
"""The names of the timers that end a call."""


class TrunkLeg(OutboundLeg):
    """
    A number beyond the house that is called.

    Attributes:
        place: Where the INVITE goes.
        caller: Who calls, as the provider is told.
        longest: Seconds after which it is ended once it is up, ``None`` for never.
        used_up: Tells why it is to be ended, since its payer has used up what it may; empty while it may go on.
        extra_parts: What the body of the INVITE has beside the session description, such as a location (RFC 6442).
    """

    beyond: Beyond

    def __init__(
        self,
        owner: ICalleeOwner,
        emit: Callable[[CallEvent], None],
        wall: Callable[[], float],
        call: str,
        number: int,
        party: str,
        place: Place,
        caller: CallerIdentity,
        beyond: Beyond,
    ) -> None:
        super().__init__(owner, emit, wall, call, number, party, place.flow, place.uri, caller, beyond)
        self.place = place
        self.caller = caller
        self.longest: int | None = None
        self.used_up: Callable[[], str] = lambda: ""
        self.extra_parts: tuple[Part, ...] = ()
        self._core: UserAgentCore | None = None
        self._connecting: Deferred[Flow] | None = None
        self._timer: Entry | None = None
        self._look: Entry | None = None

    def open(self, engine: IMediaEngine, *, srtp_in_clear: bool) -> None:
        """
        Open the audio, as the trunk wants it.

        Raises:
            PortsExhausted: No port is free.
        """
        super().open(engine, srtp_in_clear=srtp_in_clear)
        trunk = self.place.line.trunk
        self._audio().restrict(trunk.codecs, trunk.srtp)

    def invite(
        self, core: UserAgentCore, caller: CallerIdentity, formats: Sequence[Format], max_forwards: int,
        profile: str = "RTP/AVP",
    ) -> None:
        """
        Call the number; who calls is :attr:`caller`.

        Raises:
            ProtocolError: 488 when the trunk may be offered nothing of the formats.
        """
        self._core = core
        audio = self._audio()
        wanted = audio.permitted(formats)
        if not any(item.is_sound for item in wanted):
            raise ProtocolError(488, "No codec in common")
        offer = audio.offer(wanted, profile=profile)

        def send() -> None:
            contact = self.place.line.contact(self.flow)
            self._start(core, self._request(core, self.caller, contact, max_forwards, offer), contact)

        contact = self.place.line.contact(self.flow)
        large = len(self._request(core, self.caller, contact, max_forwards, offer).to_bytes()) > MOST_BYTES
        if large and not self.flow.reliable and self.place.line.trunk.transport is None:
            # RFC 3261 18.1.1
            core.tasks.start(self._by_tcp(core, send), "connect to a trunk for a large INVITE")
        else:
            send()

    def cancel(self, status: int, text: str) -> None:
        """
        Stop ringing.
        """
        super().cancel(status, text)
        if self._connecting is not None:
            self._connecting.cancel()

    def abandon(self, text: str) -> None:
        """
        Give it up, since the trunk went down: whoever answers after all is hung up on.
        """
        if self.state not in (LegState.TRYING, LegState.RINGING):
            return
        self.abandoned = True
        if self._outgoing is not None:
            self._outgoing.cancel(reason_header(503, text))
        self.over(503, text)
        self.owner.leg_failed(self, 503, text, None)

    def went_up(self, session: Session) -> None:
        """
        Note that it was answered; from now on its time runs.
        """
        super().went_up(session)
        if self.longest is not None and self._core is not None:
            self._timer = self._core.timer_queue.start(self.longest, self, LONGEST)
            self._look = self._core.timer_queue.start(PAID, self, LOOK)

    def over(self, status: int | None, text: str) -> None:
        """
        Note that it has ended, and free its channel.
        """
        for timer in (self._timer, self._look):
            if timer is not None and self._core is not None:
                self._core.timer_queue.stop(timer)
        self._timer = self._look = None
        super().over(status, text)

    def timer_fired(self, name: str) -> None:
        """
        It has lasted for as long as a call may, or it is time to look whether it still may.
        """
        if name == LONGEST:
            self._timer = None
            self._cut("The longest time for a call is over")
            return
        self._look = None
        why = self.used_up()
        if why:
            self.log.info("{call_id}: ended: {why}", call_id=self.call, why=why)
            self._cut(why)
        elif self._core is not None:
            self._look = self._core.timer_queue.start(AGAIN, self, LOOK)

    def _cut(self, text: str) -> None:
        ending = Ending(by_peer=False, cause=102, text=text)
        self.hang_up(ending.cause, ending.text)
        self.owner.leg_hung_up(self, ending)

    async def _by_tcp(self, core: UserAgentCore, send: Callable[[], None]) -> None:
        host, port = self.flow.remote
        connecting = Deferred.fromCoroutine(self.place.line.flow(Target("TCP", host, port)))
        self._connecting = connecting.addTimeout(TCP_PATIENCE, core.clock)
        try:
            self.flow = await self._connecting
        except (FlowClosed, TimeoutError):
            self.log.debug("{call_id}: no TCP to {flow}", call_id=self.call, flow=self.flow.name)
        except CancelledError:
            return
        finally:
            self._connecting = None
        if self.state is not LegState.TRYING:
            return
        try:
            send()
        except (ProtocolError, ValueError) as error:
            self.log.error("{call_id}: {party} can't be called: {error}", call_id=self.call, party=self.party,
                           error=error)
            self.failed(500, "Server Internal Error", None)

    def _request(
        self, core: UserAgentCore, caller: CallerIdentity, contact: str, max_forwards: int, offer: bytes
    ) -> Request:
        line, way = self.place.line, self.place.way
        trunk = line.trunk
        # Who calls for help is known to those who help.
        anonymous = (caller.anonymous and not self.beyond.emergency) or not way.caller
        name = "" if anonymous else caller.name
        headers = Headers()
        add = headers.add
        add("Max-Forwards", str(max_forwards))
        for route in line.routes:
            # RFC 3608 6.1
            add("Route", route)
        own = UNKNOWN if anonymous else _named(name, line.from_uri(way.caller))
        add("From", f"{own};tag={self._tag}")
        add("To", f"<{line.from_uri(way.number)}>")
        add("Call-ID", self.sip_call_id)
        add("CSeq", "1 INVITE")
        add("Contact", contact)
        add("Allow", ALLOW)
        supported = ["timer", "100rel"] if trunk.session_timers else ["100rel"]
        if trunk.diversion:
            supported.append("histinfo")
        add("Supported", ", ".join(supported))
        if trunk.session_timers:
            add("Session-Expires", str(core.settings.session_expires))
        if trunk.send_pai:
            # RFC 3325 9.1: who is trusted learns who it is even where nobody else is to.
            asserted = way.caller or trunk.caller_id or trunk.username
            if asserted:
                add("P-Asserted-Identity", _named(name, line.from_uri(asserted)))
        if anonymous:
            # RFC 3323 4.2
            add("Privacy", "id")
        for field, value in self.further:
            add(field, value)
        if self.extra_parts:
            kind, offer = mixed((Part(SDP[1], offer), *self.extra_parts))
            add(SDP[0], kind)
        else:
            add(*SDP)
        return Request("INVITE", self.uri, headers, offer)


def line_changed(line: Line, before: TrunkState) -> None:
    """
    Give up what still rings over a trunk that has gone down: the next one is tried.
    """
    if line.state.health == "down" and before.health != "down":
        why = f"it went down: {line.state.reason}" if line.state.reason else "it went down"
        for leg in list(line.channels):
            if isinstance(leg, TrunkLeg):
                leg.abandon(why)


def leg_beyond(
    tools: CallTools, owner: ICalleeOwner, call: Call, request: RouteRequest, caller: CallerIdentity,
    outgoing: Outgoing, place: Place,
) -> TrunkLeg:
    """
    Make the leg to a number beyond the house.

    Args:
        tools: What the call is built with.
        owner: Who it rings for.
        call: The call.
        request: By which it came there: whoever pays is its forwarder, else the route in, else the caller.
        caller: Who calls.
        outgoing: The number.
        place: Where the INVITE goes.
    """
    situation = tools.router.situation
    if call.near.beyond is not None:
        # What an inbound route puts before the name is for those in the house.
        caller = evolve(caller, name=call.near.beyond.face.name)
    party, dialled = numbers_of(outgoing.number, place.way.trunk, situation)
    payer = outgoing.payer or request.on_behalf or request.route or request.caller
    beyond = Beyond(place.line, CallerIdentity(dialled, ""), payer, outgoing.emergency is not None)
    leg = TrunkLeg(owner, tools.emit, tools.wall, call.id, call.next_leg(), party, place, caller, beyond)
    leg.longest = outgoing.longest
    leg.used_up = tools.router.watch(payer, outgoing.call_class)
    leg.further = diversion_fields(request.diversions, place.line, place.way, situation)
    if outgoing.emergency is not None:
        more = tools.outside.emergencies.supplement(call.id)
        leg.further, leg.extra_parts = (*leg.further, *more.headers), more.parts
    return leg


def _named(name: str, uri: str) -> str:
    return f"{quote(name)} <{uri}>" if name else f"<{uri}>"
