"""
A called phone's leg: an INVITE that we send over the flow of its binding.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from attrs import evolve, frozen
from zope.interface import implementer

from pbx.calls.audio import LegAudio
from pbx.calls.leg import ILegOwner, Leg, LegState
from pbx.dialog.outgoing import IOutgoingUser, OutgoingInvite
from pbx.dialog.session import SDP
from pbx.dialog.useragent import ALLOW, contact_of, new_call_id, new_tag
from pbx.sdp.mapping import DECODABLE
from pbx.sip.address import NameAddr
from pbx.sip.message import Headers, ProtocolError, Request
from pbx.sip.reasons import reason_header
from pbx.sip.uri import URI, user_part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pbx.calls.beyond import Beyond
    from pbx.calls.events import CallEvent
    from pbx.dialog.session import Session
    from pbx.dialog.useragent import UserAgentCore
    from pbx.media.engine import IMediaEngine
    from pbx.sdp.audio import Format
    from pbx.sip.message import Response
    from pbx.transport.flow import Flow


MOST_BYTES = 1300 - 125
"""Bytes of an INVITE over UDP before it is sent (RFC 3261 18.1.1: 1,300 at most, since fragments get lost), less those
that are added on the way: a Via, of the longest address, and Min-SE after a 422."""


MOST_TAGS = 20
"""Forks behind one phone by whose tags its leg is known."""


UNKNOWN = '"Anonymous" <sip:anonymous@anonymous.invalid>'
"""Whoever does not want to be known (RFC 3323 4.1.1.3)."""


@frozen
class CallerIdentity:
    """
    Who a called phone is told is calling.

    Attributes:
        number: The caller's number.
        name: The name that goes with it.
        anonymous: The caller does not want to be known (RFC 3323).
    """

    number: str
    name: str
    anonymous: bool = False

    def at(self, host: str) -> str:
        """
        The identity as a header value that names our host.
        """
        if self.anonymous:
            return UNKNOWN
        return address_of(self.name, self.number, host)

    def asserted(self, host: str) -> tuple[tuple[str, str], ...]:
        """
        The header field that says so, none where it is to stay unknown (RFC 3325 9.1).
        """
        return () if self.anonymous else (("P-Asserted-Identity", self.at(host)),)


@lru_cache(maxsize=4096)  # Those who call and are called by day, at the one or two addresses of the exchange.
def address_of(name: str, number: str, host: str) -> str:
    """
    A number at our host as a header value; empty names are left out.
    """
    return str(NameAddr(name, URI("sip", user_part(number), None, host, None, (), ()), ()))


class ICalleeOwner(ILegOwner):
    """
    Who rings a phone.
    """

    def leg_rang(leg: OutboundLeg, response: Response, sdp: bytes | None) -> None:  # noqa: N805
        """
        The phone rings, or plays something.
        """

    def leg_answered(leg: OutboundLeg) -> None:  # noqa: N805
        """
        The phone was picked up, and we agree about the audio.
        """

    def leg_failed(leg: OutboundLeg, status: int, text: str, response: Response | None) -> None:  # noqa: N805
        """
        The phone did not take the call; its leg has ended.
        """


@implementer(IOutgoingUser)
class OutboundLeg(Leg):
    """
    A phone that is called.

    Attributes:
        uri: What is called.
        answered_description: The description of its last answer that we went by.
        further: Further header fields of the INVITE.
        progressed: Whether anything above 100 has come back.
        abandoned: Whether it was given up because its trunk went down.
    """

    direction: Literal["in", "out"] = "out"
    owner: ICalleeOwner

    def __init__(
        self,
        owner: ICalleeOwner,
        emit: Callable[[CallEvent], None],
        wall: Callable[[], float],
        call: str,
        number: int,
        party: str,
        flow: Flow,
        uri: str,
        caller: CallerIdentity | None = None,
        beyond: Beyond | None = None,
    ) -> None:
        super().__init__(owner, emit, wall, call, number, party, flow, new_call_id(), caller, beyond)
        self.uri = uri
        self.progressed = False
        self.abandoned = False
        self._outgoing: OutgoingInvite | None = None
        self._tag = new_tag()
        self._tags: set[str] = set()
        self.answered_description: bytes | None = None
        self.further: tuple[tuple[str, str], ...] = ()

    def open(self, engine: IMediaEngine, *, srtp_in_clear: bool) -> None:
        """
        Open the audio.

        Raises:
            PortsExhausted: No port is free.
        """
        self.audio = LegAudio(engine, self.flow, self.call, srtp_in_clear=srtp_in_clear)

    def invite(
        self, core: UserAgentCore, caller: CallerIdentity, formats: Sequence[Format], max_forwards: int,
        profile: str = "RTP/AVP",
    ) -> None:
        """
        Ring the phone.

        Args:
            core: The user agent core.
            caller: Who is calling.
            formats: What is offered.
            max_forwards: The caller's Max-Forwards less one (RFC 7332).
            profile: The transport of the media offered.
        """
        contact = contact_of(self.flow, user_part(self.party if caller.anonymous else caller.number))
        name, kept = "" if caller.anonymous else caller.name, [*formats]
        while True:
            offer = self._audio().offer(kept, profile=profile)
            shown = caller if name == caller.name else evolve(caller, name=name)
            request = self._request(core, shown, contact, max_forwards, offer)
            excess = len(request.to_bytes()) - MOST_BYTES
            if excess <= 0 or self.flow.reliable:
                break
            if name:
                # It stands in From and in P-Asserted-Identity.
                name = shortened(name, len(name.encode()) - (excess + 1) // 2)
            elif not drop_last(kept):
                break
        self._start(core, request, contact)

    def _start(self, core: UserAgentCore, request: Request, contact: str) -> None:
        credentials = None if self.beyond is None else self.beyond.line.credentials
        self._outgoing = OutgoingInvite(core, request, self.flow, contact, self, credentials)
        self._outgoing.start()

    def _request(
        self, core: UserAgentCore, caller: CallerIdentity, contact: str, max_forwards: int, offer: bytes
    ) -> Request:
        headers = Headers()
        add = headers.add
        add("Max-Forwards", str(max_forwards))
        host = self.flow.sent_by[0]
        identity = caller.at(host)
        add("From", f"{identity};tag={self._tag}")
        add("To", address_of("", self.party, host))
        add("Call-ID", self.sip_call_id)
        add("CSeq", "1 INVITE")
        add("Contact", contact)
        add("Allow", ALLOW)
        add("Supported", "timer, 100rel")
        add("Session-Expires", str(core.settings.session_expires))
        if not caller.anonymous:
            add("P-Asserted-Identity", identity)
        for name, value in self.further:
            add(name, value)
        add(*SDP)
        return Request("INVITE", self.uri, headers, offer)

    @property
    def sent(self) -> bool:
        """
        Whether an INVITE was sent.
        """
        return self._outgoing is not None

    @property
    def tags(self) -> tuple[str, frozenset[str]]:
        """
        Our tag, and those of the phone's responses.
        """
        return (self._tag, frozenset(self._tags)) if self.session is None else super().tags

    @property
    def takes_keys(self) -> bool:
        """
        Whether SRTP keys may be given to this phone.
        """
        return self.audio is not None and self.audio.keys_allowed

    def cancel(self, status: int, text: str) -> None:
        """
        Stop ringing; the reason goes along, so that a call taken elsewhere is not shown as missed (RFC 3326).
        """
        if self.state not in (LegState.TRYING, LegState.RINGING):
            return
        if self._outgoing is not None:
            self._outgoing.cancel(reason_header(status, text))
        self.over(487, text)

    # IOutgoingUser

    def ringing(self, response: Response, sdp: bytes | None) -> None:
        """
        A provisional response.
        """
        self.progressed = True
        if response.to_tag and len(self._tags) < MOST_TAGS:
            self._tags.add(response.to_tag)
        if self.state is LegState.TRYING:
            self.rang()
        if self.state is LegState.RINGING:
            self.owner.leg_rang(self, response, sdp)

    def early_answer(self, sdp: bytes) -> None:
        """
        Go by the description of a provisional response: what it plays can be heard.

        Raises:
            ProtocolError: 488 when it is of no use.
        """
        if sdp != self.answered_description:
            self._audio().answered(sdp)
            self.answered_description = sdp

    def answered(self, session: Session, response: Response, sdp: bytes | None) -> None:
        """
        Picked up.
        """
        if self.state is LegState.ENDED:
            session.hang_up()
            return
        try:
            # RFC 3261 13.2.1: some phones leave the description out of the 2xx that an early one had.
            self.early_answer(sdp if sdp is not None else self.answered_description or b"")
        except ProtocolError as error:
            session.hang_up((("Reason", reason_header(488, error.reason)),))
            self.failed(488, error.reason, None)
            return
        self.went_up(session)
        self.owner.leg_answered(self)

    def failed(self, status: int, text: str, response: Response | None) -> None:
        """
        It did not work out.
        """
        if self.state is not LegState.ENDED:
            self.over(status, text)
            self.owner.leg_failed(self, status, text, response)


def shortened(name: str, most: int) -> str:
    """
    The beginning of a display name that has at most so many bytes, of whole characters.
    """
    return name.encode()[: max(0, most)].decode(errors="ignore").rstrip()


def drop_last(formats: list[Format]) -> bool:
    """
    Take the last codec from an offer that has several, one that we can convert only at the very end.

    Returns:
        Whether there was one to take.
    """
    codecs = [item for item in formats if not item.is_telephone_event]
    foreign = [item for item in codecs if not any(own.matches(item) for own in DECODABLE)]
    if len(codecs) < 2:
        return False
    formats.remove((foreign or codecs)[-1])
    return True
