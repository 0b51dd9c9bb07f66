"""
An INVITE that we received, until its final response (RFC 3261 13.3, 3262 3, 9.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

from twisted.logger import Logger

from pbx.dialog import session_timer
from pbx.dialog.acknowledgement import Acknowledgement
from pbx.dialog.dialog import Dialog
from pbx.dialog.offer import SDP, offer_of
from pbx.dialog.reliable import ReliableProvisionals
from pbx.dialog.reopening import repeat
from pbx.dialog.session import Session
from pbx.dialog.user import Ending, ISessionUser, State
from pbx.dialog.useragent import ALLOW, contact_of, new_tag
from pbx.sip.message import ProtocolError, response_to
from pbx.sip.multipart import sdp_of
from pbx.sip.reasons import cause_of_status, parse_reasons

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pbx.dialog.credentials import ICredentials
    from pbx.dialog.useragent import UserAgentCore
    from pbx.sip.message import Request, Response
    from pbx.transaction.server_transaction import ServerTransaction


UNREACHED = Ending(by_peer=False, cause=38, text="Connection lost", answered=False)
"""How a session ends whose peer our answer can't be brought to (ITU-T Q.850: network out of order)."""


class IIncomingUser(ISessionUser):
    """
    Who is told what becomes of an INVITE received, besides what a session's user is told.
    """

    def cancelled(text: str, status: int = 487) -> None:  # noqa: N805
        """
        The peer gave up before we answered, or another status than 487 made an end of it; that is already sent.
        """


class IncomingInvite:
    """
    One INVITE to answer, and the dialog that our answers make.

    Args:
        core: The user agent core.
        transaction: Its transaction.
        request: The INVITE.
        contact_user: The user part of our Contact.
        timed: Whether its session has a timer (RFC 4028).
        contact: Our whole Contact value, where it is another than usual.

    Attributes:
        request: The INVITE.
        offer: The offer that it carries, ``None`` for a late offer.
        tag: Our tag.
        session: The dialog's usage, from the first response with our tag on.
        credentials: What our requests in the dialog prove themselves with, ``None`` to a peer that never asks.

    Raises:
        ProtocolError: 400 for a malformed one, 415 for a body that is no SDP, 422 for too short a session interval.
    """

    log = Logger()

    def __init__(
        self, core: UserAgentCore, transaction: ServerTransaction, request: Request, contact_user: str,
        *, timed: bool = True, contact: str = "",
    ) -> None:
        self.request = request
        self.offer = offer_of(request)
        settings = core.settings
        self._agreement: session_timer.Agreement | None = None
        if timed:
            self._agreement = session_timer.answer_to(request, settings.session_expires, settings.min_se)
        self._core = core
        self._transaction = transaction
        self._user: IIncomingUser | None = None
        self.tag = transaction.tag = new_tag()
        self._contact = contact or contact_of(transaction.flow, contact_user)
        self._final = False
        self._answered = False
        self._answered_in_prack = False
        self._reliable: ReliableProvisionals | None = None
        if "100rel" in request.option_tags("Require"):
            self._reliable = ReliableProvisionals(
                core.timer_queue, core.timers, transaction.respond, self._prack_missing
            )
        self._dialog = Dialog.of_server(request, self.tag, transaction.flow, self._contact)
        self.session: Session | None = None
        self.credentials: ICredentials | None = None
        core.invites[transaction] = self
        # What it calls with may still be on its way through us.
        transaction.on_failed = lambda reason: core.clock.callLater(0, self._not_sent, reason)

    @property
    def final(self) -> bool:
        """
        Whether a final response was sent, or waits only for a PRACK.
        """
        return self._final

    @property
    def reliable(self) -> bool:
        """
        Whether the peer requires that our 1xx are acknowledged.
        """
        return self._reliable is not None

    def use(self, user: IIncomingUser) -> None:
        """
        Name who is told of what comes; before anything is answered.
        """
        self._user = user

    def provisional(
        self, status: int, sdp: bytes | None = None, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """
        Send a 1xx above 100, reliably where the peer requires it.
        """
        if self._final:
            return
        self._early_session()
        response = self._response(status, headers, sdp)
        response.headers.add("Allow", ALLOW)
        if self._reliable is not None:
            if sdp is not None and self.session is not None and not self.session.settled:
                self.session.local_sdp = sdp
            self._reliable.send(response)
        else:
            self._transaction.respond(response)

    def accept(self, sdp: bytes, headers: Iterable[tuple[str, str]] = ()) -> Session:
        """
        Answer with 200, repeated until its ACK comes.

        Args:
            sdp: Our answer; where the INVITE had no offer, our offer.
            headers: Further header fields.

        Returns:
            The session, confirmed.
        """
        if self._final:
            raise ValueError("the INVITE has its final answer")
        session = self._early_session()
        self._final = True
        if not session.settled:
            session.local_sdp = sdp
        extra = tuple(headers)
        if self._reliable is None:
            self._accept(session, sdp, extra)
        else:
            self._reliable.when_idle(lambda: self._accept(session, sdp, extra))
        return session

    def reject(self, status: int, reason: str | None = None, headers: Iterable[tuple[str, str]] = ()) -> None:
        """
        Answer with a final response of 300 and above.
        """
        if not self._final:
            self._refuse(status, reason, headers)

    def withdraw(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        """
        Refuse after all what was accepted, while the 200 still waits for a PRACK.
        """
        if self._final and not self._answered:
            self._refuse(480, None, headers)

    # From the core and the session.

    def cancel_received(self, cancel: Request) -> None:
        """
        The peer has cancelled: 487 (RFC 3261 9.2); after a final response it changes nothing.
        """
        reasons = parse_reasons(cancel.headers.get_all("Reason"))
        text = next((reason.text for reason in reasons if reason.text), "Cancelled by the caller")
        self._given_up(487, Ending(by_peer=True, cause=16, text=text))

    def peer_hung_up(self) -> None:
        """
        BYE within the early dialog (RFC 3261 15.1.2): 487 for the INVITE.
        """
        self._given_up(487, Ending(by_peer=True, cause=16, text="BYE before the answer"))

    def failed(self, error: ProtocolError) -> None:
        """
        The INVITE could not be served: refuse it, and tell whoever has it in hand.
        """
        self._given_up(error.status, Ending(by_peer=False, cause=cause_of_status(error.status), text=error.reason))

    def prack_received(self, transaction: ServerTransaction, request: Request) -> None:
        """
        Answer a PRACK, then go on with what waited for it.

        Raises:
            ProtocolError: 481 when it acknowledges nothing that waits; 488 for a description of no use.
        """
        reliable, session = self._reliable, self._early_session()
        response = None if reliable is None else reliable.awaited(request)
        if reliable is None or response is None:
            raise ProtocolError(481, "Call/Transaction Does Not Exist")
        sdp = sdp_of(request)
        # RFC 3262 5: with the 1xx that brings a description, or with its PRACK, the first offer is answered.
        described = bool(response.body) and not session.settled
        ours = described and self.offer is None
        try:
            if ours and sdp is not None:
                session.user.answer_received(sdp)
                session.settled = self._answered_in_prack = True
                session.respond(transaction, 200)
            elif sdp is None:
                session.settled = session.settled or (described and not ours)
                session.respond(transaction, 200)
            else:
                self._offer_in_prack(transaction, sdp, allowed=described or session.settled)
        except ProtocolError as error:
            if ours:
                # Our offer has no answer: nothing can come of this call.
                session.respond(transaction, error.status)
                self.failed(error)
                return
            # The response has arrived, whatever came with its PRACK.
            reliable.acknowledged()
            raise
        reliable.acknowledged()

    # Inside.

    def _offer_in_prack(self, transaction: ServerTransaction, sdp: bytes, *, allowed: bool) -> None:
        if not allowed:
            # RFC 3264 4: one offer at a time.
            raise ProtocolError(491, "Request Pending")
        session = self._early_session()
        session.settled = True
        session.local_sdp = session.user.offer_received(sdp)
        session.respond(transaction, 200, (SDP,), session.local_sdp)

    def _early_session(self) -> Session:
        if self.session is None:
            if self._user is None:
                raise ValueError("use() comes before the first response")
            self.session = Session(self._core, self._dialog, self._user)
            self.session.invite = self
            self.session.credentials = self.credentials
            self.session.timed = self._agreement is not None
            self.session.note_abilities(self.request)
        return self.session

    def _accept(self, session: Session, sdp: bytes, headers: tuple[tuple[str, str], ...]) -> None:
        self._finish()
        late = self.offer is None and not self._answered_in_prack
        # RFC 3262 5: what was offered and answered in a 1xx and its PRACK is not offered again. RFC 3311 5.1: nor is an
        # answer repeated that an UPDATE has overtaken.
        body = None if self._answered_in_prack or session.local_sdp != sdp else sdp
        response = self._response(200, (("Allow", ALLOW), *session_timer.fields(self._agreement), *headers), body)
        transaction = self._transaction
        transaction.respond(response)
        core = self._core
        # The transaction lives on for 64*T1, and neither this INVITE nor the session need do so.
        found = ref(session)
        transaction.on_failed = lambda reason: core.clock.callLater(0, _answer_lost, found(), reason)
        wait = Acknowledgement(
            core.timer_queue, core.timers, lambda: repeat(core, session.dialog, transaction, response),
            session.ack_missing, cseq=self.request.cseq.number,
        )
        session.confirmed(wait, answer_due=late)
        if self._agreement is not None:
            session.timer.start(self._agreement, we_asked=False)

    def _refuse(self, status: int, reason: str | None = None, headers: Iterable[tuple[str, str]] = ()) -> None:
        self._finish()
        self._transaction.respond(self._response(status, headers, None, reason))
        self._transaction.on_failed = None
        if self.session is not None:
            self.session.forget()

    def _given_up(self, status: int, ending: Ending) -> None:
        """
        Refuse what nobody waits for any more; whoever accepted it already hears that it has ended.
        """
        if self._answered:
            return
        accepted, user = self._final, self._user
        self._refuse(status)
        if user is None:
            return
        if accepted:
            user.ended(ending)
        else:
            user.cancelled(ending.text, status)

    def _finish(self) -> None:
        self._final = self._answered = True
        self._user = None
        self._core.invites.pop(self._transaction, None)
        if self._reliable is not None:
            self._reliable.stop()

    def _prack_missing(self) -> None:
        # RFC 3262 3: no PRACK for 64*T1 rejects the INVITE.
        self._given_up(504, Ending(by_peer=False, cause=102, text="No PRACK"))

    def _not_sent(self, reason: str) -> None:
        """
        Go no further: an answer did not reach the peer, not over a new connection either (RFC 3261 17.2.4).
        """
        if not self._answered:
            self.log.info("{call_id}: no answer can be sent: {reason}", call_id=self.request.call_id, reason=reason)
            self._given_up(503, UNREACHED)
        elif self.session is not None:
            _answer_lost(self.session, reason)

    def _response(
        self, status: int, headers: Iterable[tuple[str, str]], sdp: bytes | None, reason: str | None = None
    ) -> Response:
        response = response_to(self.request, status, reason, self.tag)
        add = response.headers.add
        if status < 300:
            add("Contact", self._contact)
        for name, value in headers:
            add(name, value)
        if sdp is not None:
            add(*SDP)
            response.body = sdp
        return response


def _answer_lost(session: Session | None, reason: str) -> None:
    """
    End a session whose 2xx did not reach the peer; when its ACK has come, it did.
    """
    if session is None or not session.unacknowledged:
        return
    session.log.info("{call_id}: the answer can't be sent: {reason}", call_id=session.dialog.call_id, reason=reason)
    told, user = session.state is State.UP, session.user
    session.forget()
    if told:
        user.ended(UNREACHED)
