"""
The caller's leg: an INVITE that we answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from zope.interface import implementer

from pbx.calls.audio import LegAudio
from pbx.calls.leg import ILegOwner, Leg, LegState
from pbx.dialog.incoming import IIncomingUser
from pbx.sdp.mapping import DECODABLE, answer_to_caller, codec_of, onward
from pbx.sdp.offer_answer import choose
from pbx.sip.message import ProtocolError
from pbx.sip.reasons import reason_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pbx.calls.beyond import Beyond
    from pbx.calls.events import CallEvent
    from pbx.calls.outbound import CallerIdentity
    from pbx.dialog.incoming import IncomingInvite
    from pbx.media.engine import IMediaEngine
    from pbx.sdp.audio import Format
    from pbx.sdp.mapping import Agreed
    from pbx.transport.flow import Flow


FORBIDDEN, UNAVAILABLE = 403, 503
"""Refusals whose words tell of limits and trunks of ours: they are for the house alone."""

NO_CIRCUIT = 34
"""The cause of those that only say that something is full (ITU-T Q.850)."""


class ICallerOwner(ILegOwner):
    """
    The call of the caller's leg.
    """

    def caller_gave_up(status: int, text: str) -> None:  # noqa: N805
        """
        The caller cancelled before an answer, or failed in another way; its leg has ended.
        """


@implementer(IIncomingUser)
class InboundLeg(Leg):
    """
    The phone that calls.

    Attributes:
        invite: Its INVITE.
    """

    direction: Literal["in", "out"] = "in"
    owner: ICallerOwner

    def __init__(
        self,
        owner: ICallerOwner,
        emit: Callable[[CallEvent], None],
        wall: Callable[[], float],
        call: str,
        caller: CallerIdentity,
        flow: Flow,
        invite: IncomingInvite,
        party: str = "",
        beyond: Beyond | None = None,
    ) -> None:
        super().__init__(
            owner, emit, wall, call, 1, party or caller.number, flow, invite.request.call_id, beyond=beyond
        )
        self.invite = invite
        self.anonymous = caller.anonymous
        self._described: bytes | None = None
        self._told: set[int] = set()
        if beyond is not None:
            invite.credentials = beyond.line.credentials
        invite.use(self)

    def open(self, engine: IMediaEngine, *, srtp_in_clear: bool) -> None:
        """
        Open the audio and read the offer, if there is one.

        Raises:
            PortsExhausted: No port is free.
            ProtocolError: 488 for an offer that can't be served.
        """
        self.audio = LegAudio(engine, self.flow, self.call, srtp_in_clear=srtp_in_clear)
        if self.beyond is not None:
            trunk = self.beyond.line.trunk
            self.audio.restrict(trunk.codecs, trunk.srtp)
        if self.invite.offer is not None:
            self.audio.offered(self.invite.offer)

    @property
    def tags(self) -> tuple[str, frozenset[str]]:
        """
        Our tag and the caller's.
        """
        if self.session is not None:
            return super().tags
        return self.invite.tag, frozenset((self.invite.request.from_tag or "",))

    def onward(self) -> list[Format]:
        """
        What the callee is offered for this caller; empty when the caller has no codec at all.
        """
        if self.state is LegState.UP:
            return super().onward()
        offered = self.audio.offered_formats if self.audio is not None else None
        # A caller whose codecs we can't convert gets only what the callee has as well.
        convertible = offered is not None and codec_of(choose(offered, DECODABLE)) is not None
        return onward(offered, also=DECODABLE if convertible else ())

    def ring(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        """
        Tell the caller that it rings; once.
        """
        if 180 not in self._told:
            self.rang()
            self._told.add(180)
            if self.invite.reliable and self.invite.offer is None and self._described is None:
                # RFC 3262 5: the first reliable response to an INVITE without an offer makes it.
                self._described = self._late_offer(None)
            # RFC 3261 13.3.1.1; the first description stands in every later response, byte for byte.
            self.invite.provisional(180, self._described, headers)

    def early_media(self, status: int, callee: Agreed, headers: Iterable[tuple[str, str]] = ()) -> bool:
        """
        Let the caller hear what the callee's side plays before the answer; tell whether that goes.
        """
        described = self._describe(callee)
        if described is None:
            return False
        self.rang()
        self._told.add(status)
        self.invite.provisional(status, described, headers)
        return True

    def answer(
        self, callee: Agreed, headers: Iterable[tuple[str, str]] = (), *, identity: CallerIdentity | None = None
    ) -> None:
        """
        Answer with what the callee agreed to.

        Args:
            callee: What that is.
            headers: Further header fields.
            identity: Who the caller's phone is to show.

        Raises:
            ProtocolError: 488 when the caller has no codec for it.
        """
        if self.invite.offer is None:
            described: bytes | None = self._described or self._late_offer(callee)
        else:
            described = self._describe(callee)
        if described is None:
            raise ProtocolError(488, "No codec in common")
        self.shown = identity
        shows = identity is not None and self.beyond is None
        asserted = identity.asserted(self.flow.sent_by[0]) if identity is not None and shows else ()
        self.went_up(self.invite.accept(described, (*asserted, *headers)))

    def reject(self, status: int, cause: int, text: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        """
        End the attempt with a final response.
        """
        if self.state is LegState.ENDED:
            return
        # A phone shows the phrase: whoever may not call is to read why, and not Forbidden.
        phrase = text if status == FORBIDDEN and self.beyond is None else None
        internal = status == FORBIDDEN or (status == UNAVAILABLE and cause != NO_CIRCUIT)
        said = self.told(text) if internal else text
        self.invite.reject(status, phrase, (("Reason", reason_header(cause, said)), *headers))
        self.over(status, text)

    def cancelled(self, text: str, status: int = 487) -> None:
        """
        The caller gave up.
        """
        if self.state in (LegState.TRYING, LegState.RINGING):
            self.over(status, text)
            self.owner.caller_gave_up(status, text)

    def _describe(self, callee: Agreed) -> bytes | None:
        """
        Our answer; the first one is the only one (RFC 3261 13.2.1, RFC 6337 3.1.1).
        """
        audio = self.audio
        if self._described is None and audio is not None and audio.offered_formats is not None:
            formats = answer_to_caller(audio.offered_formats, callee.send)
            if codec_of(formats) is None:
                return None
            self._described = audio.answer(formats)
        return self._described

    def _late_offer(self, callee: Agreed | None) -> bytes | None:
        # The callee's codec first, so that most callers choose it and nobody is asked again.
        if self.audio is None:
            return None
        chosen = callee.codec if callee is not None else None
        own: Sequence[Format] = DECODABLE
        first = [item for item in own if chosen is not None and item.matches(chosen)]
        offered = [*first, *(item for item in own if item not in first)]
        return self.audio.offer(self.audio.permitted(offered), profile=self.audio.profile)
