"""
A leg: one phone's side of a call, whichever side began it.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from twisted.logger import Logger
from zope.interface import Interface, implementer

from pbx.calls.events import LegAnswered, LegBegan, LegEnded, LegRang
from pbx.dialog.user import ISessionUser, OfferRefused
from pbx.media.terminal import Terminal
from pbx.sdp.mapping import DECODABLE, EVENTS, Agreed, answer_to_caller, codec_of, onward, paired
from pbx.sdp.offer_answer import choose
from pbx.sip.dtmf_info import key_press_of
from pbx.sip.message import ProtocolError
from pbx.sip.reasons import reason_header

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    from pbx.calls.audio import LegAudio
    from pbx.calls.beyond import Beyond
    from pbx.calls.events import CallEvent
    from pbx.calls.outbound import CallerIdentity
    from pbx.calls.tools import CallTools
    from pbx.dialog.refer import Refer
    from pbx.dialog.session import Session
    from pbx.dialog.user import Ending
    from pbx.sdp.audio import Format
    from pbx.sip.message import Request
    from pbx.transport.flow import Flow


class LegState(enum.Enum):
    """
    Where a leg stands; it only moves down this list.
    """

    TRYING = "trying"
    RINGING = "ringing"
    UP = "up"
    ENDED = "ended"


class ILegOwner(Interface):
    """
    Who has a leg: its call, or while it rings an attempt.
    """

    def leg_hung_up(leg: Leg, ending: Ending) -> None:  # noqa: N805
        """
        The phone, or a failure, ended a leg that was up.
        """

    def leg_changed(leg: Leg) -> None:  # noqa: N805
        """
        A leg that is up has new formats, or has put us on hold or off it.
        """

    def across(leg: Leg) -> Leg | None:  # noqa: N805
        """
        The leg that hears this one, ``None`` while there is none.
        """

    def leg_pressed(leg: Leg, digit: str) -> None:  # noqa: N805
        """
        A key was pressed that did not come with the audio.
        """

    def leg_referred(leg: Leg, refer: Refer) -> None:  # noqa: N805
        """
        A phone asks to have the one it talks to sent elsewhere; ``refer`` is to be accepted or refused.
        """


@implementer(ISessionUser)
class Leg:
    """
    One phone in a call: its dialog, its audio, its times.

    Attributes:
        number: Counts the legs of a call from 1.
        party: The extension's number; beyond the house a number that is never that of an extension.
        flow: The way to the phone.
        state: Where it stands.
        audio: Its audio; ``None`` before it was opened.
        session: Its dialog's usage, once it is up.
        keys_by_info: Whether the phone tells of its keys by SIP INFO.
        anonymous: Whether the other side is not to be told who this is.
        shown: Who the phone was told last is at the other end, ``None`` where it was told nothing.
        beyond: What a leg beyond the house has besides; ``None`` for that of an extension.
        language: The language of prompts that was chosen there; empty for none.
    """

    log = Logger()
    direction: Literal["in", "out"]

    def __init__(
        self,
        owner: ILegOwner,
        emit: Callable[[CallEvent], None],
        wall: Callable[[], float],
        call: str,
        number: int,
        party: str,
        flow: Flow,
        sip_call_id: str,
        peer: CallerIdentity | None = None,
        beyond: Beyond | None = None,
    ) -> None:
        self.owner = owner
        self.emit = emit
        self.wall = wall
        self.call = call
        self.number = number
        self.party = party
        self.flow = flow
        self.sip_call_id = sip_call_id
        self.state = LegState.TRYING
        self.audio: LegAudio | None = None
        self.session: Session | None = None
        self.keys_by_info = False
        self.anonymous = False
        self.shown = peer
        self.beyond = beyond
        self.language = ""
        self._terminal: Terminal | None = None
        shown = ("", "", False) if peer is None else (peer.number, peer.name, peer.anonymous)
        if beyond is None:
            emit(LegBegan(call, wall(), number, self.direction, party, flow.name, sip_call_id, *shown))
            return
        beyond.line.take(self)
        emit(LegBegan(
            call, wall(), number, self.direction, party, flow.name, sip_call_id, *shown, trunk=beyond.line.trunk.name,
            payer=beyond.payer, emergency=beyond.emergency,
        ))

    # What the call does.

    def hang_up(self, cause: int = 16, text: str = "Normal call clearing") -> None:
        """
        End a leg that is up with BYE.
        """
        if self.state is not LegState.UP:
            return
        if self.session is not None:
            self.session.hang_up((("Reason", reason_header(cause, self.told(text))),))
        self.over(None, text)

    def over(self, status: int | None, text: str) -> None:
        """
        Note that the leg has ended, and close its audio.
        """
        if self.state is LegState.ENDED:
            return
        self.state = LegState.ENDED
        if self.beyond is not None:
            self.beyond.line.release(self)
        self.quiet()
        quality = self.audio.close() if self.audio is not None else None
        self.emit(LegEnded(self.call, self.wall(), self.number, status, text, quality))

    def rang(self) -> None:
        """
        Note that the phone rings.
        """
        if self.state is LegState.TRYING:
            self.state = LegState.RINGING
            ours, theirs = self.tags
            self.emit(LegRang(self.call, self.wall(), self.number, ours, min(theirs, default="")))

    def went_up(self, session: Session) -> None:
        """
        Note that the leg was answered.
        """
        self.session = session
        self.state = LegState.UP
        if self.beyond is not None:
            session.reach = self.beyond.reach
        codec = self.audio.codec if self.audio is not None else ""
        ours, theirs = self.tags
        self.emit(LegAnswered(self.call, self.wall(), self.number, codec, ours, min(theirs, default="")))

    def told(self, text: str) -> str | None:
        """
        The words in which the other end is told why a call ends: beyond the house those of the cause alone, since whose
        limits were reached or which trunk failed is nobody's business there.
        """
        return text if self.beyond is None else None

    @property
    def trunk(self) -> str | None:
        """
        The name of the trunk that it goes over, ``None`` for a phone of the house.
        """
        return None if self.beyond is None else self.beyond.line.trunk.name

    @property
    def has_terminal(self) -> bool:
        """
        Whether the exchange itself is at the other end now.
        """
        return self._terminal is not None

    def terminal(self, tools: CallTools) -> Terminal:
        """
        What the phone hears and says while the exchange itself is at the other end, until :meth:`quiet`.
        """
        if self._terminal is None:
            if self.audio is None:
                raise ValueError("the leg has no audio yet")
            self._terminal = Terminal(
                self.audio.session, tools.sounds, clock=tools.core.clock, music=tools.music,
                language=self.language or tools.settings.language,
            )
        return self._terminal

    def quiet(self) -> None:
        """
        Let nothing of ours be heard any more.
        """
        if self._terminal is not None:
            self._terminal.close()
            self._terminal = None

    @property
    def tags(self) -> tuple[str, frozenset[str]]:
        """
        Our tag of its dialog, and the phone's; several where an INVITE of ours was forked, none before its response.
        """
        dialog = self.session.dialog if self.session is not None else None
        return ("", frozenset()) if dialog is None else (dialog.local_tag, frozenset((dialog.remote_tag,)))

    async def identify(self, identity: CallerIdentity) -> None:
        """
        Show the phone who it talks to now, by UPDATE where it takes that, else by a re-INVITE that changes nothing.
        """
        session, audio = self.session, self.audio
        if session is None or audio is None or self.state is not LegState.UP or identity == self.shown:
            return
        if self.beyond is not None:
            # A number within the house says nothing there, and is nobody's business.
            return
        self.shown = identity
        headers = (("P-Asserted-Identity", identity.at(self.flow.sent_by[0])),)
        if "UPDATE" in session.allow:
            await session.update(headers)
            return
        try:
            # A phone that takes neither stays with the name it shows.
            audio.answered(await session.offer(lambda: audio.offer_again(self.agreed.send), headers))
        except (OfferRefused, ProtocolError):
            audio.withdraw()

    def onward(self) -> list[Format]:
        """
        What another phone is offered for this one.
        """
        return onward(self.known or None, also=DECODABLE)

    @property
    def expected(self) -> bool:
        """
        Whether the phone's direction lets it send, so that its silence means something.
        """
        remote = self.audio.remote if self.audio is not None else None
        return self.state is LegState.UP and remote is not None and remote.sends

    @property
    def agreed(self) -> Agreed:
        """
        The formats agreed with the phone; none before its answer.
        """
        found = self.audio.formats if self.audio is not None else None
        return found if found is not None else paired((), ())

    @property
    def known(self) -> tuple[Format, ...]:
        """
        The formats that the phone has said it has; none before it described itself.
        """
        remote = self.audio.remote if self.audio is not None else None
        return remote.formats if remote is not None else ()

    # ISessionUser

    def offer_received(self, sdp: bytes) -> bytes:
        """
        Answer a new offer within the call: hold and resume end here, and the other leg never sees them.
        """
        audio = self._audio()
        if self.session is not None:
            # Behind NAT a phone that comes from another network describes itself as before.
            audio.peer_host = self.session.dialog.flow.remote[0]
        formats = self._taken(audio.offered(sdp).formats)
        if codec_of(formats) is None:
            raise ProtocolError(488, "Not Acceptable Here")
        answer = audio.answer(formats)
        self.owner.leg_changed(self)
        return answer

    def offer_wanted(self) -> bytes:
        """
        Offer all that there is, for a re-INVITE without an offer (RFC 3261 14.2): so a phone resumes, too.
        """
        other = self.owner.across(self)
        codec = other.agreed.codec if other is not None else None
        if other is None or codec is None:
            return self._audio().offer_again(DECODABLE, for_good=True)
        # What the other phone hears now first; what it would have to be asked for only if it is known to have it.
        wanted = sorted(other.known, key=lambda item: not item.matches(codec))
        convertible = any(codec.matches(own) for own in DECODABLE)
        formats = onward(wanted, also=DECODABLE if convertible else (EVENTS,))
        return self._audio().offer_again(formats, for_good=True)

    def answer_received(self, sdp: bytes) -> None:
        """
        Take the answer to an offer that we made in a response, or to the description that a refresh repeated.
        """
        audio = self._audio()
        # A new offer of ours may have met a glare and wait for its next try; this answer is not to that.
        audio.withdraw()
        audio.answered(sdp)
        self.owner.leg_changed(self)

    def acknowledged(self) -> None:
        """
        The ACK to our first 2xx.
        """

    def ended(self, ending: Ending) -> None:
        """
        The phone hung up, or its session failed.
        """
        if self.state is LegState.UP:
            self.over(None, ending.text)
            self.owner.leg_hung_up(self, ending)

    def information_received(self, request: Request) -> None:
        """
        INFO is answered 200, whatever it says; a key that it tells of is pressed.
        """
        key = key_press_of(request)
        if key is not None:
            self.keys_by_info = True
            self.pressed(key.key)

    def pressed(self, digit: str) -> None:
        """
        A key was pressed that did not come with the audio: it is heard where the audio goes.
        """
        if self._terminal is not None:
            self._terminal.key(digit)
        else:
            self.owner.leg_pressed(self, digit)

    def refer_received(self, refer: Refer) -> None:
        """
        The phone asks to have the other one sent elsewhere (RFC 3515).
        """
        self.owner.leg_referred(self, refer)

    def _taken(self, offered: Sequence[Format]) -> list[Format]:
        """
        What we take of an offer: what the other phone understands now, as it is or converted, else what it has said
        it has, for then it is offered that in turn.
        """
        other = self.owner.across(self)
        if other is None or other.agreed.codec is None:
            return answer_to_caller(offered, self.agreed.send) or choose(offered, DECODABLE)
        in_common = choose(offered, onward(other.known))
        return answer_to_caller(offered, other.agreed.send) or answer_to_caller(offered, in_common)

    def _audio(self) -> LegAudio:
        if self.audio is None:
            raise ProtocolError(488, "Not Acceptable Here")
        return self.audio
