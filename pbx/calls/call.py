"""
A call: the caller's leg, the called phones, and what joins them (RFC 7092: a media-relaying back-to-back user agent).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen
from twisted.logger import Logger
from zope.interface import implementer

from pbx.calls.events import CallAnswered, CallEnded, MediaChanged
from pbx.calls.inbound import ICallerOwner, InboundLeg
from pbx.calls.leg import LegState
from pbx.calls.outbound import ICalleeOwner, OutboundLeg
from pbx.calls.routing import Attempt, IAttemptUser
from pbx.dialog.user import OfferRefused
from pbx.media.bridge import Bridge
from pbx.sdp.mapping import EVENTS, onward
from pbx.sip.address import NameAddr
from pbx.sip.message import ProtocolError
from pbx.sip.reasons import cause_of_status
from pbx.sip.uri import URI

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.calls.events import CallEvent, Disposition, Party
    from pbx.calls.leg import Leg
    from pbx.calls.outbound import CallerIdentity
    from pbx.calls.routing import Failure
    from pbx.dialog.incoming import IncomingInvite
    from pbx.dialog.user import Ending
    from pbx.dialog.useragent import UserAgentCore
    from pbx.directory.extension import Extension
    from pbx.media.engine import IMediaEngine
    from pbx.registrar.binding import Binding
    from pbx.sip.message import Response
    from pbx.tasks import Tasks
    from pbx.transport.flow import Flow

DISPOSITIONS: dict[int, Disposition] = {486: "busy", 600: "busy", 603: "busy"}
"""The dispositions of the answers that have one of their own."""

CANCELLED = 487
"""What a caller is answered that has given up."""

RETRY_AFTER = ("Retry-After", "10")
"""What every 503 says as well: without it a phone takes it for a lasting failure (RFC 3261 21.5.4)."""

NO_ANSWER = frozenset((18, 19, 102))
"""The causes that say that it rang and nobody came: ours, and those of a phone's own 480 and 408."""

INTERNAL = 41
"""The cause of what is our own fault (ITU-T Q.850: temporary failure)."""

PROBE_PATIENCE = 26.0
"""Seconds for the answer to a probe: with the time until silence is noticed, a lost call ends in 32 s at most."""

HELD_PROBE = 900.0
"""Seconds between two probes of a leg on hold, which has every right to be silent."""


@frozen
class CallSettings:
    """
    What the operator decides about calls.

    Attributes:
        no_answer_timeout: How long a phone rings, in seconds.
        silence_timeout: Seconds without media after which a leg is probed.
        srtp_in_clear: Whether SRTP keys may travel over UDP and TCP.
        max_calls: Calls at once.
    """

    no_answer_timeout: float = 30.0
    silence_timeout: float = 60.0
    srtp_in_clear: bool = False
    max_calls: int = 1000


@frozen
class CallTools:
    """
    What every call is built with.
    """

    core: UserAgentCore
    engine: IMediaEngine
    tasks: Tasks
    wall: Callable[[], float]
    emit: Callable[[CallEvent], None]
    settings: CallSettings


@implementer(ICallerOwner, ICalleeOwner, IAttemptUser)
class Call:
    """
    One call, from the INVITE of an extension to the last BYE.

    Attributes:
        id: 32 hexadecimal digits.
        caller: Who is calling.
        number: What was dialled.
        began: When, by the wall clock.
        answered: When it was answered, ``None`` before.
        inbound: The caller's leg.
        outbound: The leg of the phone that was picked up.
        bridge: What joins the two.
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
    ) -> None:
        self.id = call_id
        self.caller = caller
        self.number = number
        self.began = tools.wall()
        self.answered: float | None = None
        self.outbound: OutboundLeg | None = None
        self.bridge: Bridge | None = None
        self._tools = tools
        self._on_over = on_over
        self._legs = 1
        self._attempt: Attempt | None = None
        self._over = False
        self._callee_headers: tuple[tuple[str, str], ...] = ()
        self._media: tuple[str, str, int, str] | None = None
        self._probing: set[Leg] = set()
        self._probed: dict[Leg, float] = {}
        self.inbound = InboundLeg(self, tools.emit, tools.wall, call_id, caller.number, flow, invite)

    # What the switchboard does.

    def refuse(self, status: int, cause: int, text: str) -> None:
        """
        End a call that reached nobody.
        """
        self._reject(status, cause, text)
        self._end(DISPOSITIONS.get(status, "failed"), status, cause, text, "system")

    def ring(self, extension: Extension, bindings: tuple[Binding, ...]) -> None:
        """
        Ring all phones of an extension.

        Raises:
            PortsExhausted: No port is free for the caller.
            ProtocolError: The caller's offer can't be served.
        """
        tools = self._tools
        self.inbound.open(tools.engine, srtp_in_clear=tools.settings.srtp_in_clear)
        formats = self.inbound.onward()
        if not formats:
            raise ProtocolError(488, "No codec in common")
        host = self.inbound.flow.sent_by[0]
        identity = NameAddr(extension.name, URI("sip", extension.number, None, host, None, (), ()), ())
        # RFC 3325 9.1: the caller's phone shows who it talks to.
        self._callee_headers = (("P-Asserted-Identity", str(identity)),)
        hops = self.inbound.invite.request.max_forwards
        attempt = self._attempt = Attempt(
            self, self._make_leg, tools.core, tools.engine, srtp_in_clear=tools.settings.srtp_in_clear
        )
        attempt.start(
            bindings, self.caller, formats, (70 if hops is None else hops) - 1, tools.settings.no_answer_timeout
        )

    def hang_up(self, cause: int = 16, text: str = "Ended by the operator") -> None:
        """
        End the call from outside, wherever it stands.
        """
        if self._over:
            return
        if self.inbound.state is LegState.UP:
            self._part(cause, text)
            self._end("answered", None, cause, text, "system")
            return
        if self._attempt is not None:
            self._attempt.cancel(480, text)
        self._reject(480, cause, text)
        self._end("cancelled", 480, cause, text, "system")

    def look(self, now: float) -> None:
        """
        Probe the legs that have been silent for too long.
        """
        if self.bridge is None:
            return
        for leg in (self.inbound, self.outbound):
            if leg is None or leg.audio is None or leg.state is not LegState.UP or leg in self._probing:
                continue
            heard = max(leg.audio.session.last_heard, self._probed.get(leg, 0.0))
            patience = self._tools.settings.silence_timeout if leg.expected else HELD_PROBE
            if now - heard >= patience:
                self._probing.add(leg)
                self._tools.tasks.start(self._probe(leg), "probe a silent leg")

    @property
    def legs(self) -> list[Leg]:
        """
        The caller's leg, then that of the phone that was picked up, or of each that rings.
        """
        if self.outbound is not None:
            return [self.inbound, self.outbound]
        return [self.inbound, *(self._attempt.ringing if self._attempt is not None else ())]

    @property
    def state(self) -> str:
        """
        ``trying``, ``ringing`` or ``up``.
        """
        return self.inbound.state.value

    @property
    def state_of_media(self) -> str | None:
        """
        What the bridge does with the packets, ``None`` where there is no bridge.
        """
        return None if self.bridge is None else self.bridge.state

    # IAttemptUser

    def attempt_rang(self, leg: OutboundLeg, response: Response, sdp: bytes | None) -> None:
        """
        Let the caller know, and hear what there is to hear.
        """
        if sdp is not None and self.inbound.invite.offer is not None and leg.audio is not None:
            try:
                leg.early_answer(sdp)
            except ProtocolError as error:
                self.log.info("{call_id}: early media of no use: {reason}", call_id=self.id, reason=error.reason)
            else:
                formats = leg.audio.formats
                if formats is not None and self.inbound.early_media(response.status, formats, self._callee_headers):
                    self._join(leg)
                    return
        if response.status in (180, 181, 182, 183):
            self.inbound.ring(self._callee_headers)

    def attempt_answered(self, leg: OutboundLeg) -> None:
        """
        Answer the caller, and let them talk.
        """
        self._attempt = None
        self.outbound = leg
        # From now on the leg's ends are the call's.
        leg.owner = self
        try:
            self._answer(leg)
        except ProtocolError as error:
            cause = cause_of_status(error.status)
            leg.hang_up(cause, error.reason)
            self.refuse(error.status, cause, error.reason)
        except Exception:
            # Whoever logs it knows nothing of the caller, who would hear it ring for ever.
            self._part(INTERNAL, "Server Internal Error")
            self.refuse(500, INTERNAL, "Server Internal Error")
            raise

    def attempt_failed(self, failure: Failure) -> None:
        """
        Tell the caller why nobody answers.
        """
        self._attempt = None
        self._reject(failure.status, failure.cause, failure.text)
        disposition = "no answer" if failure.cause in NO_ANSWER else DISPOSITIONS.get(failure.status, "failed")
        by: Party = "callee" if disposition == "busy" else "system"
        self._end(disposition, failure.status, failure.cause, failure.text, by)

    # ICallerOwner, ICalleeOwner

    def caller_gave_up(self, status: int, text: str) -> None:
        """
        Stop ringing.
        """
        if self._attempt is not None:
            self._attempt.cancel(status, text)
            self._attempt = None
        if status == CANCELLED:
            self._end("cancelled", status, 16, text, "caller")
        else:
            self._end("failed", status, cause_of_status(status), text, "system")

    def leg_hung_up(self, leg: Leg, ending: Ending) -> None:
        """
        One side has gone: end the other.
        """
        by: Party = "caller" if leg is self.inbound else "callee"
        self._part(ending.cause, ending.text)
        disposition: Disposition = "answered" if ending.answered else "failed"
        self._end(disposition, None, ending.cause, ending.text, by if ending.by_peer else "system")

    def leg_changed(self, leg: Leg) -> None:
        """
        Go by new formats, and by hold and resume.
        """
        late = self.bridge is None
        if not late:
            self._regard_hold(leg)
        elif self.outbound is not None and self.inbound.state is LegState.UP:
            # The caller has answered our late offer, perhaps with another codec than the callee's.
            self._join(self.outbound)
        self._mend(leg, late=late)
        self._note_media()

    def across(self, leg: Leg) -> Leg | None:
        """
        The other leg, once the call was answered.
        """
        return self.outbound if leg is self.inbound else self.inbound

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

    def _make_leg(self, attempt: Attempt, binding: Binding) -> OutboundLeg:
        self._legs += 1
        return OutboundLeg(attempt, self._tools.emit, self._tools.wall, self.id, self._legs, binding)

    def _answer(self, leg: OutboundLeg) -> None:
        self.inbound.answer(leg.agreed, self._callee_headers)
        self._join(leg)
        self._mend(leg)
        self.answered = self._tools.wall()
        self._tools.emit(CallAnswered(self.id, self.answered, self._tools.core.clock.seconds()))
        self._note_media()

    def _note_media(self) -> None:
        """
        Tell how the sound goes, when that is otherwise than told last.
        """
        near, leg = self.inbound.audio, self.outbound
        if self._over or self.answered is None or self.bridge is None or near is None or leg is None:
            return
        media = (self.bridge.state, near.codec, leg.number, leg.audio.codec if leg.audio is not None else "")
        if media != self._media:
            self._media = media
            self._tools.emit(MediaChanged(self.id, self._tools.wall(), *media))

    def _reject(self, status: int, cause: int, text: str) -> None:
        self.inbound.reject(status, cause, text, (RETRY_AFTER,) if status == 503 else ())

    def _join(self, leg: OutboundLeg) -> None:
        near, far = self.inbound.audio, leg.audio
        if near is None or far is None or near.formats is None or far.formats is None:
            # A late offer: the caller's formats come with its ACK.
            return
        if self.bridge is not None:
            if self.bridge.b is far.session:
                return
            self.bridge.stop()
        self.bridge = Bridge(near.session, far.session)
        self._regard_hold(self.inbound)
        self._regard_hold(leg)

    def _regard_hold(self, leg: Leg) -> None:
        if self.bridge is None or leg.audio is None:
            return
        session = leg.audio.session
        if leg.audio.held_by_peer:
            self.bridge.hold(session)
        elif self.bridge.held(session):
            self.bridge.resume(session)

    def _part(self, cause: int, text: str) -> None:
        if self.bridge is not None:
            self.bridge.stop()
        self.inbound.hang_up(cause, text)
        if self.outbound is not None:
            self.outbound.hang_up(cause, text)

    def _mend(self, leg: Leg, *, late: bool = False) -> None:
        """
        Offer one side the other's codec where there is no sound otherwise, or after a late offer where it is converted.
        """
        other = self.across(leg)
        if other is None or self.state_of_media not in (("none", "transcode") if late else ("none",)):
            return
        codec = leg.agreed.codec
        if codec is not None and not any(codec.matches(item) for item in other.known):
            theirs = other.agreed.codec
            if theirs is not None and any(theirs.matches(item) for item in leg.known):
                leg, other = other, leg
        self._tools.tasks.start(self._align(other, leg), "offer a codec in common")

    async def _align(self, leg: Leg, other: Leg) -> None:
        """
        Offer a leg the other's codec alone; where it has none but its own, all stays as it was.
        """
        audio, session = leg.audio, leg.session
        if audio is None or session is None:
            return
        try:
            await session.idle()
            if self.state_of_media == "relay":
                return
            audio.answered(await session.offer(
                lambda: audio.offer_again(onward(other.agreed.send, also=(EVENTS,)))
            ))
            self._regard_hold(leg)
            self._note_media()
        except (OfferRefused, ProtocolError) as refusal:
            audio.withdraw()
            self.log.info("{call_id}: {party} keeps its codec: {why}", call_id=self.id, party=leg.party, why=refusal)
            if self.bridge is not None and self.bridge.state == "none" and not self._over:
                self.log.warn("{call_id}: no sound: {reason}", call_id=self.id, reason=self.bridge.reason)

    async def _probe(self, leg: Leg) -> None:
        try:
            session = leg.session
            alive = session is not None and await session.probe(PROBE_PATIENCE)
        finally:
            self._probing.discard(leg)
        if alive:
            self._probed[leg] = self._tools.core.clock.seconds()
            return
        if self._over or leg.state is not LegState.UP:
            return
        self.log.warn("{call_id}: media lost from {party}", call_id=self.id, party=leg.party)
        self._part(27, "media lost")
        self._end("answered", None, 27, "media lost", "system")

    def _end(self, disposition: Disposition, status: int | None, cause: int, text: str, by: Party) -> None:
        if self._over:
            return
        self._over = True
        try:
            if self.bridge is not None:
                self.bridge.stop()
            now, clock = self._tools.wall(), self._tools.core.clock.seconds()
            self._tools.emit(CallEnded(self.id, now, clock, disposition, status, cause, text, by))
        finally:
            self._on_over(self)
