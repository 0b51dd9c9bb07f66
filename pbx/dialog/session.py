"""
The INVITE usage of one dialog: offers after the first, refreshes, and its end (RFC 3261 14 and 15, 3311, 3262, 4028).
"""

from __future__ import annotations

import enum
import secrets
from typing import TYPE_CHECKING

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import Interface, implementer

from pbx.dialog import session_timer
from pbx.dialog.acknowledgement import Acknowledgement
from pbx.dialog.session_timer import SessionTimer
from pbx.dialog.useragent import ALLOW
from pbx.sip.message import ProtocolError, Request, Response, response_to
from pbx.sip.multipart import sdp_of
from pbx.sip.reasons import CAUSES, parse_reasons, reason_header
from pbx.transaction.user import IClientUser
from pbx.transport.flow import FlowClosed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pbx.dialog.dialog import Dialog
    from pbx.dialog.incoming import IncomingInvite
    from pbx.dialog.useragent import UserAgentCore
    from pbx.transaction.client_transaction import ClientTransaction
    from pbx.transaction.server_transaction import ServerTransaction
    from pbx.transport.flow import Flow

SDP = ("Content-Type", "application/sdp")
MOST_GLARES = 5
"""How often an offer of ours is tried again after 491 before it is given up."""


class State(enum.Enum):
    """
    Where a session stands.
    """

    EARLY = "early"
    UP = "up"
    ENDING = "ending"
    ENDED = "ended"


@frozen
class Ending:
    """
    Why a session ended.

    Attributes:
        by_peer: Whether the peer ended it.
        cause: The cause of ITU-T Q.850.
        text: The reason in words.
    """

    by_peer: bool
    cause: int
    text: str


class OfferRefused(Exception):  # noqa: N818
    """
    The peer did not take our offer: the session stays as it was (RFC 3261 14.1).

    Attributes:
        status: The SIP status: 408 for no answer, 481 when the session is gone.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"offer refused with {status}")
        self.status = status


class ISessionUser(Interface):
    """
    Who a session belongs to: the leg of a call.
    """

    def offer_received(sdp: bytes) -> bytes:  # noqa: N805
        """
        Answer an offer of the peer; raises :class:`ProtocolError` with the status to refuse it with.
        """

    def offer_wanted() -> bytes:
        """
        Make an offer, for a peer whose INVITE has none.
        """

    def answer_received(sdp: bytes) -> None:  # noqa: N805
        """
        Take the peer's answer to our offer in a response; raises :class:`ProtocolError` when it is of no use.
        """

    def acknowledged() -> None:
        """
        The ACK to our 2xx has come.
        """

    def ended(ending: Ending) -> None:  # noqa: N805
        """
        The session is over, and not because this user ended it.
        """

    def information_received(request: Request) -> None:  # noqa: N805
        """
        An INFO has come (RFC 6086); raises :class:`ProtocolError` to refuse it.
        """


class Session:
    """
    One dialog made by INVITE, from its first response to its BYE.

    Attributes:
        dialog: The dialog; a 2xx to an INVITE of ours brings a new one for the same session.
        state: Where it stands.
        allow: The methods that the peer takes, as its last Allow said.
        local_sdp: The last description that we sent, repeated in a refresh.
        invite: The INVITE that it was made by, while that waits for its answer.
    """

    log = Logger()

    def __init__(self, core: UserAgentCore, dialog: Dialog, user: ISessionUser) -> None:
        self.core = core
        self.dialog = dialog
        self.user = user
        self.state = State.EARLY
        self.allow: frozenset[str] = frozenset()
        self.local_sdp: bytes | None = None
        self.invite: IncomingInvite | None = None
        self.timer = SessionTimer(core.clock, self._refresh_due, self._refresh_missed)
        self._acknowledgement: Acknowledgement | None = None
        self._answer_due = False
        self._first_ack = True
        self._offering = False
        self._pause: Deferred[None] | None = None
        self._bye: tuple[tuple[str, str], ...] | None = None
        core.dialogs[dialog.id] = self

    # What the owner does.

    def hang_up(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        """
        End a session with BYE; before the ACK to our 2xx has come, the BYE waits for it (RFC 3261 15).
        """
        if self.state is not State.UP:
            return
        self._stop_timers()
        self.state = State.ENDING
        self._bye = tuple(headers)
        if self._acknowledgement is None:
            self._send_bye()

    def forget(self) -> None:
        """
        Drop an early session whose INVITE came to nothing.
        """
        self._stop_timers()
        if self._acknowledgement is not None:
            self._acknowledgement.stop()
            self._acknowledgement = None
        self.state = State.ENDED
        self.core.dialogs.pop(self.dialog.id, None)

    async def offer(self, sdp: bytes) -> bytes:
        """
        Make the peer a new offer by re-INVITE, again after a glare (RFC 3261 14.1).

        Args:
            sdp: The offer.

        Returns:
            The peer's answer.

        Raises:
            OfferRefused: The peer refused, or the session ended meanwhile.
        """
        for _ in range(MOST_GLARES):
            if self.state is not State.UP:
                raise OfferRefused(481)
            if not self._busy:
                response = await self._exchange("INVITE", (SDP, ("Allow", ALLOW), *self._timer_headers()), sdp)
                if isinstance(response, int):
                    raise OfferRefused(response)
                if response.status < 300:
                    self.local_sdp = sdp
                    self._refreshed(response)
                    answer = sdp_of(response)
                    if answer is None:
                        raise OfferRefused(488)
                    return answer
                if response.status != 491:
                    raise OfferRefused(response.status)
            await self._wait_after_glare()
        raise OfferRefused(491)

    async def probe(self) -> bool:
        """
        Ask whether the peer still knows this dialog, by OPTIONS within it.

        Returns:
            ``False`` on 408, 481 or no answer at all; any other answer means that it lives.
        """
        response = await self._exchange("OPTIONS", (("Accept", "application/sdp"),))
        return not isinstance(response, int) and response.status not in (408, 481)

    # What comes in.

    def confirmed(self, acknowledgement: Acknowledgement | None, *, answer_due: bool = False) -> None:
        """
        The INVITE was answered with 2xx.

        Args:
            acknowledgement: The repetition of our own 2xx; ``None`` where the peer's 2xx was acknowledged by us.
            answer_due: Whether our 2xx carried the offer, so that the ACK must bring the answer.
        """
        self.state = State.UP
        self.invite = None
        self._acknowledgement = acknowledgement
        self._answer_due = answer_due
        self._first_ack = acknowledgement is not None

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        """
        Serve a request within the dialog.

        Raises:
            ProtocolError: With the status to answer.
        """
        method = request.method
        # Another address than the peer's needs credentials; BYE is known by both its tags.
        if (
            method != "BYE"
            and transaction.flow.remote[0] != self.dialog.flow.remote[0]
            and not self.core.owner.trusts(transaction, request)
        ):
            return
        self.dialog.received(request, transaction.flow)
        if method == "BYE":
            self._bye_received(transaction)
        elif self.state in (State.ENDING, State.ENDED):
            raise ProtocolError(481, "Call/Transaction Does Not Exist")
        elif method == "INVITE":
            self._reinvite_received(transaction, request)
        elif method == "UPDATE":
            self._update_received(transaction, request)
        elif method == "PRACK":
            if self.invite is None:
                raise ProtocolError(481, "Call/Transaction Does Not Exist")
            self._respond(transaction, 200, *self.invite.prack_received(request))
        elif method == "INFO":
            self.user.information_received(request)
            self._respond(transaction, 200)
        elif method == "OPTIONS":
            self._respond(transaction, 200, (("Allow", ALLOW), ("Accept", "application/sdp")))
        else:
            raise ProtocolError(405, "Method Not Allowed")

    def ack_received(self, request: Request, flow: Flow) -> None:
        """
        Take the ACK to a 2xx of ours; any further copy of it changes nothing.
        """
        if self._acknowledgement is None:
            return
        self._acknowledgement.stop()
        self._acknowledgement = None
        if flow.remote[0] == self.dialog.flow.remote[0]:
            self.dialog.flow = flow
        if self._bye is not None:
            self._send_bye()
            return
        if self._answer_due:
            self._answer_due = False
            try:
                # No description at all is none that can be read.
                self.user.answer_received(sdp_of(request) or b"")
            except ProtocolError as error:
                self._end_both(Ending(by_peer=True, cause=127, text=error.reason))
                return
        if self._first_ack:
            self._first_ack = False
            self.user.acknowledged()

    def note_abilities(self, message: Request | Response) -> None:
        """
        Remember what the peer allows.
        """
        if "Allow" in message.headers:
            self.allow = frozenset(message.option_tags("Allow"))

    # Requests of the peer.

    @property
    def _busy(self) -> bool:
        return self._offering or self._acknowledgement is not None

    def _bye_received(self, transaction: ServerTransaction) -> None:
        self._respond(transaction, 200)
        if self.state in (State.ENDING, State.ENDED):
            return
        invite = self.invite
        reasons = parse_reasons(transaction.request.headers.get_all("Reason"))
        self.forget()
        if invite is not None:
            invite.peer_hung_up()
        else:
            told = next((r for r in reasons if r.protocol.upper() == "Q.850" and r.cause is not None), None)
            cause = told.cause if told is not None and told.cause is not None else 16
            text = told.text if told is not None and told.text else CAUSES.get(cause, "Normal call clearing")
            self.user.ended(Ending(by_peer=True, cause=cause, text=text))

    def _reinvite_received(self, transaction: ServerTransaction, request: Request) -> None:
        if self.state is State.EARLY:
            # RFC 3261 14.2: the first INVITE has no final response yet.
            self._respond(transaction, 500, (("Retry-After", str(secrets.randbelow(10))),))
            return
        if self._busy:
            raise ProtocolError(491, "Request Pending")
        agreement = session_timer.answer_to(request, self.core.settings.session_expires, self.core.settings.min_se)
        self.note_abilities(request)
        offer = sdp_of(request)
        sdp = self.user.offer_wanted() if offer is None else self.user.offer_received(offer)
        self.local_sdp = sdp
        self.timer.start(agreement, we_asked=False)
        headers = (("Contact", self.dialog.contact), SDP, ("Allow", ALLOW), *timer_answer(agreement))
        response = self._response(transaction, 200, headers, sdp)
        transaction.respond(response)
        self._answer_due = offer is None
        self._acknowledgement = Acknowledgement(
            self.core.clock, self.core.timers, lambda: transaction.respond(response), self.ack_missing
        )

    def _update_received(self, transaction: ServerTransaction, request: Request) -> None:
        offer = sdp_of(request)
        if offer is not None and self._busy:
            raise ProtocolError(491, "Request Pending")
        if offer is not None and self.state is State.EARLY:
            # RFC 3311 5.2: another offer is still to be answered.
            self._respond(transaction, 500, (("Retry-After", str(secrets.randbelow(10))),))
            return
        agreement = session_timer.answer_to(request, self.core.settings.session_expires, self.core.settings.min_se)
        self.note_abilities(request)
        headers = [("Contact", self.dialog.contact), ("Allow", ALLOW), *timer_answer(agreement)]
        body = b""
        if offer is not None:
            body = self.local_sdp = self.user.offer_received(offer)
            headers.append(SDP)
        if self.state is State.UP:
            self.timer.start(agreement, we_asked=False)
        transaction.respond(self._response(transaction, 200, headers, body))

    def ack_missing(self) -> None:
        """
        No ACK came for 64*T1 (RFC 3261 13.3.1.4): the session ends with BYE.
        """
        self._acknowledgement = None
        if self._bye is not None:
            self._send_bye()
            return
        self._end_both(Ending(by_peer=True, cause=102, text="No ACK"))

    def _response(
        self, transaction: ServerTransaction, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> Response:
        response = response_to(transaction.request, status)
        for name, value in headers:
            response.headers.add(name, value)
        response.body = body
        return response

    def _respond(
        self, transaction: ServerTransaction, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        transaction.respond(self._response(transaction, status, headers, body))

    # Requests of ours.

    def _send_bye(self) -> None:
        headers, self._bye = self._bye or (), None
        request = self.dialog.request("BYE", headers)
        self.core.request(request, self.dialog.flow, _Bye(self))

    def _end_both(self, ending: Ending) -> None:
        """
        End a session that is broken: BYE to the peer, and word to the user.
        """
        self.hang_up((("Reason", reason_header(ending.cause, ending.text)),))
        self.user.ended(ending)

    def _exchange(
        self, method: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> Deferred[Response | int]:
        """
        Send a request within the dialog; the result is its final response, or 408 or 503 where none came.
        """
        request = self.dialog.request(method, headers, body)
        done: Deferred[Response | int] = Deferred()
        if method in ("INVITE", "UPDATE"):
            self._offering = True
        self.core.request(request, self.dialog.flow, _Exchange(self, request, done))
        return done

    def _timer_headers(self) -> tuple[tuple[str, str], ...]:
        agreement = self.timer.agreement
        interval = agreement.interval if agreement is not None else self.core.settings.session_expires
        me = "uac" if self.timer.ours or agreement is None else "uas"
        return (("Supported", "timer"), ("Session-Expires", f"{interval};refresher={me}"))

    async def _wait_after_glare(self) -> None:
        # RFC 3261 14.1: who made the Call-ID waits 2.1 to 4 s, the other up to 2 s, in steps of 10 ms.
        steps = 210 + secrets.randbelow(190) if self.dialog.remote_cseq is None else secrets.randbelow(200)
        self._pause = deferLater(self.core.clock, steps / 100)
        try:
            await self._pause
        except CancelledError:
            raise OfferRefused(481) from None
        finally:
            self._pause = None

    # RFC 4028: refreshes.

    def _refresh_due(self) -> None:
        self.core.tasks.start(self._refresh(), "refresh a session")

    async def _refresh(self) -> None:
        by_update = "UPDATE" in self.allow
        failed = 0
        for _ in range(MOST_GLARES):
            if self.state is not State.UP:
                return
            response: Response | int = 491
            if not self._busy:
                headers = (("Supported", "timer"), ("Session-Expires", self._own_refresh()), ("Allow", ALLOW))
                if by_update or self.local_sdp is None:
                    response = await self._exchange("UPDATE", headers)
                else:
                    response = await self._exchange("INVITE", (SDP, *headers), self.local_sdp)
            if self.state is not State.UP:
                return
            status = response if isinstance(response, int) else response.status
            if not isinstance(response, int) and status < 300:
                self._refreshed(response)
                answer = sdp_of(response)
                if answer is not None:
                    self.user.answer_received(answer)
                return
            if status in (408, 481, 503):
                failed = status
                break
            if status in (405, 501):
                by_update = False
                continue
            if not isinstance(response, int) and status == 422 and self.timer.agreement is not None:
                # RFC 4028 7.4: once more with what the peer takes.
                self._agree(session_timer.minimum(response))
                continue
            try:
                await self._wait_after_glare()
            except OfferRefused:
                return
        text = f"Session refresh failed with {failed}" if failed else "Session could not be refreshed"
        self._end_both(Ending(by_peer=True, cause=102, text=text))

    def _agree(self, interval: int) -> None:
        self.timer.agreement = session_timer.Agreement(interval, "uac", required=False)

    def _own_refresh(self) -> str:
        agreement = self.timer.agreement
        return f"{agreement.interval if agreement else self.core.settings.session_expires};refresher=uac"

    def _refreshed(self, response: Response) -> None:
        self.note_abilities(response)
        agreement = self.timer.agreement
        interval = agreement.interval if agreement is not None else self.core.settings.session_expires
        self.timer.start(session_timer.answered_by(response, interval), we_asked=True)

    def _refresh_missed(self) -> None:
        self._end_both(Ending(by_peer=True, cause=102, text="Session timer expired"))

    def _stop_timers(self) -> None:
        self.timer.stop()
        if self._pause is not None:
            self._pause.cancel()

    def offering_ended(self) -> None:
        """
        The request of ours that was under way has its final response.
        """
        self._offering = False


def timer_answer(agreement: session_timer.Agreement) -> tuple[tuple[str, str], ...]:
    """
    The header fields of a 2xx that tell what was agreed about the session timer (RFC 4028 9).
    """
    fields: tuple[tuple[str, str], ...] = (("Supported", "timer"), ("Session-Expires", agreement.value))
    return (*fields, ("Require", "timer")) if agreement.required else fields


def send_ack(session: Session, cseq: int) -> None:
    """
    Send the ACK to a 2xx: a request of its own, outside any transaction (RFC 3261 13.2.2.4).
    """
    ack = session.dialog.request("ACK", cseq=cseq)
    try:
        session.core.transactions.send_ack(ack, session.dialog.flow)
    except FlowClosed:
        # The peer repeats its 2xx in vain and ends the session; the loss of its media tells us.
        session.log.info("no ACK to {flow}: the connection has closed", flow=session.dialog.flow.name)


@implementer(IClientUser)
class _Bye:
    """
    The wait for the answer to a BYE; until then a BYE of the peer that crossed it gets 200.
    """

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        if response.status >= 200:
            self._session.forget()

    def timed_out(self, transaction: ClientTransaction) -> None:
        self._session.forget()

    def failed(self, transaction: ClientTransaction, reason: str) -> None:
        self._session.forget()


@implementer(IClientUser)
class _Exchange:
    """
    One request within a dialog, and the ACK to each 2xx where it is an INVITE.
    """

    __slots__ = ("_done", "_request", "_session")

    def __init__(self, session: Session, request: Request, done: Deferred[Response | int]) -> None:
        self._session = session
        self._request = request
        self._done: Deferred[Response | int] | None = done

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        if response.status < 200:
            return
        if response.status < 300 and self._request.method in ("INVITE", "UPDATE"):
            self._session.dialog.retarget(response)
            if self._request.method == "INVITE":
                send_ack(self._session, self._request.cseq.number)
        self._end(response)

    def timed_out(self, transaction: ClientTransaction) -> None:
        self._end(408)

    def failed(self, transaction: ClientTransaction, reason: str) -> None:
        self._end(503)

    def _end(self, result: Response | int) -> None:
        done, self._done = self._done, None
        if done is not None:
            self._session.offering_ended()
            done.callback(result)
