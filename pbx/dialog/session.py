"""
The INVITE usage of one dialog: offers after the first, refreshes, and its end (RFC 3261 14 and 15, 3311, 3262, 4028).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pbx.dialog import session_timer
from pbx.dialog.acknowledgement import Acknowledgement
from pbx.dialog.exchange import Bye, Exchange
from pbx.dialog.offer import offer_of
from pbx.dialog.refresh import Refresher
from pbx.dialog.reopening import repeat
from pbx.dialog.session_timer import SessionTimer
from pbx.dialog.user import GONE, Ending, ISessionUser, OfferRefused, State
from pbx.dialog.useragent import ALLOW
from pbx.sip.message import ProtocolError, Request, Response, response_to
from pbx.sip.multipart import sdp_of
from pbx.sip.reasons import CAUSES, parse_reasons, reason_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pbx.dialog.dialog import Dialog
    from pbx.dialog.incoming import IncomingInvite
    from pbx.dialog.useragent import UserAgentCore
    from pbx.transaction.server_transaction import ServerTransaction
    from pbx.transport.flow import Flow

SDP = ("Content-Type", "application/sdp")
MOST_GLARES = 5
"""How often an offer of ours is tried again after 491 before it is given up."""
MOST_OFFERS = 8
"""Offers of ours that may wait for their turn; a peer that sends no ACK holds them up for 64*T1."""


class Session:
    """
    One dialog made by INVITE, from its first response to its BYE.

    Attributes:
        dialog: The dialog; a 2xx to an INVITE of ours brings a new one for the same session.
        state: Where it stands.
        allow: The methods that the peer takes, as its last Allow said.
        local_sdp: The last description that we sent, repeated in a refresh.
        invite: The INVITE received that it was made by, while that waits for its answer.
        settled: Whether the first offer has its answer, so that an early UPDATE may bring another (RFC 3311 5.1).
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
        self.settled = False
        self._refresher = Refresher(self)
        self.timer = SessionTimer(core.timer_queue, self._refresher.due, self._refresher.missed)
        self._acknowledgement: Acknowledgement | None = None
        self._answer_due = False
        self._offers_seen = 0
        self._first_ack = True
        self._exchanges: set[Exchange] = set()
        self._waiting: list[Deferred[None]] = []
        self._pauses: set[Deferred[None]] = set()
        self._bye: tuple[tuple[str, str], ...] | None = None
        core.dialogs[dialog.id] = self

    # What the owner does.

    def hang_up(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        """
        End a session with BYE; before the ACK to our 2xx has come, the BYE waits for it (RFC 3261 15).
        """
        if self.state is State.EARLY and self.invite is not None:
            # Our 200 still waits for a PRACK: there is nothing yet that a BYE could end.
            self.invite.withdraw(headers)
        if self.state is not State.UP:
            return
        self._stop_timers()
        self.state = State.ENDING
        self._bye = tuple(headers)
        if self._acknowledgement is None:
            self._send_bye()
        self._wake()

    def forget(self) -> None:
        """
        Drop a session that has ended, or an early one whose INVITE came to nothing.
        """
        self._stop_timers()
        if self._acknowledgement is not None:
            self._acknowledgement.stop()
            self._acknowledgement = None
        self.state = State.ENDED
        self.core.dialogs.pop(self.dialog.id, None)
        for exchange in list(self._exchanges):
            exchange.abandon()
        self._wake()

    async def offer(self, make: Callable[[], bytes]) -> bytes:
        """
        Make the peer a new offer by re-INVITE, again after a glare (RFC 3261 14.1).

        The session goes on without it just as well, so no answer is a refusal: who is gone, a probe finds out.

        Args:
            make: Makes the offer, anew for each try: between two tries it may have become another.

        Returns:
            The peer's answer to the last one made.

        Raises:
            OfferRefused: The peer refused, did not answer, made an offer of its own before ours was tried again, or
                the session ended meanwhile.
        """
        if len(self._waiting) >= MOST_OFFERS:
            raise OfferRefused(491)
        await self.idle()
        seen = self._offers_seen
        for _ in range(MOST_GLARES):
            sdp = make()
            ours = self.timer.ours or self.timer.agreement is None
            headers = (SDP, ("Allow", ALLOW), *self._refresher.headers(ours=ours))
            response = await self.exchange("INVITE", headers, sdp)
            if self.state is not State.UP:
                raise OfferRefused(481)
            status = response if isinstance(response, int) else response.status
            if status == 481:
                self.end_both(Ending(by_peer=False, cause=102, text=f"re-INVITE failed with {status}"))
            if isinstance(response, int):
                raise OfferRefused(status)
            if status < 300:
                return self._taken(sdp, response)
            if status == 491:
                await self.wait_after_glare()
            elif status != 422 or not self._refresher.corrected(response):
                raise OfferRefused(status)
            await self.idle()
            if self._offers_seen != seen:
                # Ours answered a state of things that is no more.
                break
        raise OfferRefused(491)

    async def idle(self) -> None:
        """
        Wait until no offer is under way: an INVITE waits for the end of the one before it (RFC 3261 14.1).

        Raises:
            OfferRefused: 481: the session ended meanwhile.
        """
        while self.busy and self.state is State.UP:
            turn: Deferred[None] = Deferred()
            self._waiting.append(turn)
            try:
                await turn
            finally:
                if turn in self._waiting:
                    self._waiting.remove(turn)
        if self.state is not State.UP:
            raise OfferRefused(481)

    async def probe(self, patience: float) -> bool:
        """
        Ask whether the peer still knows this dialog, by OPTIONS within it.

        Args:
            patience: How long to wait for any answer at all, in seconds.

        Returns:
            ``False`` on 408, 481 or no answer at all; any other answer means that it lives.
        """
        response = await self.exchange("OPTIONS", (("Accept", "application/sdp"),), timeout=patience)
        return not isinstance(response, int) and response.status not in GONE

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
            self.invite.prack_received(transaction, request)
        elif method == "INFO":
            self.user.information_received(request)
            self.respond(transaction, 200)
        elif method == "OPTIONS":
            # RFC 3261 11.2
            self.respond(transaction, 200, (("Allow", ALLOW), ("Accept", SDP[1]), ("Supported", "timer, 100rel")))
        else:
            raise ProtocolError(405, "Method Not Allowed")

    def ack_received(self, request: Request, flow: Flow) -> None:
        """
        Take the ACK to a 2xx of ours; a further copy of it, or of that to an earlier 2xx, changes nothing.
        """
        wait = self._acknowledgement
        # RFC 3261 13.2.2.4: the number is that of the INVITE.
        if wait is None or request.cseq.number != wait.cseq:
            return
        if flow.remote[0] == self.dialog.flow.remote[0]:
            self.dialog.flow = flow
        due, self._answer_due = self._answer_due, False
        wait.stop()
        self._acknowledgement = None
        try:
            if due and self._bye is None:
                # No description at all is none that can be read.
                self.user.answer_received(sdp_of(request) or b"")
        except ProtocolError as error:
            self.end_both(Ending(by_peer=False, cause=127, text=error.reason))
        else:
            self._acknowledged()
        finally:
            self._wake()

    def note_abilities(self, message: Request | Response) -> None:
        """
        Remember what the peer allows.
        """
        if "Allow" in message.headers:
            self.allow = frozenset(message.option_tags("Allow"))

    # Requests of the peer.

    @property
    def busy(self) -> bool:
        """
        Whether an offer or an INVITE of either side is under way.
        """
        return self._offering or self._acknowledgement is not None

    @property
    def unacknowledged(self) -> bool:
        """
        Whether a 2xx of ours waits for its ACK.
        """
        return self._acknowledgement is not None

    @property
    def _offering(self) -> bool:
        return any(exchange.offers for exchange in self._exchanges)

    def _acknowledged(self) -> None:
        if self._acknowledgement is not None:
            self._acknowledgement.stop()
            self._acknowledgement = None
        if self._bye is not None:
            self._send_bye()
        elif self._first_ack:
            self._first_ack = False
            self.user.acknowledged()

    def _bye_received(self, transaction: ServerTransaction) -> None:
        self.respond(transaction, 200)
        if self._bye is not None:
            # Ours still waits for an ACK, and need not be sent any more.
            self._bye = None
            self.forget()
        if self.state in (State.ENDING, State.ENDED):
            return
        invite, early = self.invite, self.state is State.EARLY
        reasons = parse_reasons(transaction.request.headers.get_all("Reason"))
        self.forget()
        if invite is not None:
            invite.peer_hung_up()
        elif not early:
            # One of several early dialogs of an INVITE of ours may end so; the INVITE goes on.
            # A cause of ITU-T Q.850 has seven bits, and none is 0: what says another is not believed.
            told = next((r for r in reasons if r.protocol.upper() == "Q.850" and 1 <= (r.cause or 0) <= 127), None)
            cause = told.cause if told is not None and told.cause is not None else 16
            text = told.text if told is not None and told.text else CAUSES.get(cause, "Normal call clearing")
            self.user.ended(Ending(by_peer=True, cause=cause, text=text))

    def _reinvite_received(self, transaction: ServerTransaction, request: Request) -> None:
        if self.invite is not None:
            self._answer_later(transaction)
            return
        # RFC 3261 14.2: an INVITE of ours is under way.
        if self.state is State.EARLY or self._offering:
            raise ProtocolError(491, "Request Pending")
        if self._answer_due:
            # RFC 5407 3.1.5: the ACK that we wait for has the answer to our offer.
            raise ProtocolError(491, "Request Pending")
        offer = offer_of(request)
        target = self.dialog.target_of(request)
        agreement = session_timer.answer_to(request, self.core.settings.session_expires, self.core.settings.min_se)
        # RFC 5407 3.1.4: the ACK was lost or overtaken. Who sends the next INVITE has our 2xx (RFC 3261 14.1).
        self._acknowledged()
        if self.state is not State.UP:
            raise ProtocolError(481, "Call/Transaction Does Not Exist")
        sdp = self.user.offer_wanted() if offer is None else self.user.offer_received(offer)
        self._offers_seen += 1
        self.note_abilities(request)
        self.local_sdp = sdp
        self.dialog.remote_target = target
        self.timer.start(agreement, we_asked=False)
        headers = (("Contact", self.dialog.contact), SDP, ("Allow", ALLOW), *session_timer.fields(agreement))
        response = self._response(transaction, 200, headers, sdp)
        transaction.respond(response)
        self._answer_due = offer is None
        self._acknowledgement = Acknowledgement(
            self.core.timer_queue, self.core.timers, lambda: repeat(self.core, self.dialog, transaction, response),
            self.ack_missing, cseq=request.cseq.number,
        )

    def _update_received(self, transaction: ServerTransaction, request: Request) -> None:
        offer = offer_of(request)
        if offer is not None:
            unsettled = self.state is State.EARLY and not self.settled
            if unsettled and self.invite is not None and self.invite.offer is not None:
                # RFC 3311 5.2: an offer of the peer has no answer yet.
                self._answer_later(transaction)
                return
            if unsettled or self._offering or self._answer_due:
                # RFC 3311 5.2: nor has one of ours.
                raise ProtocolError(491, "Request Pending")
        target = self.dialog.target_of(request)
        agreement = session_timer.answer_to(request, self.core.settings.session_expires, self.core.settings.min_se)
        headers = [("Contact", self.dialog.contact), ("Allow", ALLOW), *session_timer.fields(agreement)]
        body = b""
        if offer is not None:
            body = self.local_sdp = self.user.offer_received(offer)
            self._offers_seen += 1
            headers.append(SDP)
        self.note_abilities(request)
        self.dialog.remote_target = target
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
        else:
            self.end_both(Ending(by_peer=False, cause=102, text="No ACK"))

    def _answer_later(self, transaction: ServerTransaction) -> None:
        # RFC 3261 14.2: the first INVITE has no final response yet.
        self.respond(transaction, 500, (("Retry-After", str(secrets.randbelow(11))),))

    def _response(
        self, transaction: ServerTransaction, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> Response:
        response = response_to(transaction.request, status)
        for name, value in headers:
            response.headers.add(name, value)
        response.body = body
        return response

    def respond(
        self, transaction: ServerTransaction, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """
        Answer a request within the dialog.
        """
        transaction.respond(self._response(transaction, status, headers, body))

    # Requests of ours.

    def _send_bye(self) -> None:
        headers, self._bye = self._bye or (), None
        Bye(self, headers).send()

    def end_both(self, ending: Ending) -> None:
        """
        End a session that is broken: BYE to the peer, and word to the user.
        """
        self.hang_up((("Reason", reason_header(ending.cause, ending.text)),))
        self.user.ended(ending)

    def exchange(
        self, method: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", *, timeout: float | None = None
    ) -> Deferred[Response | int]:
        """
        Send a request within the dialog; the result is its final response, or 408 or 503 where none came.

        When the session ends before that, the result is 481.

        Args:
            method: The method.
            headers: Further header fields.
            body: The body.
            timeout: Seconds without any response after which 408 is taken for granted, earlier than 64*T1.
        """
        done: Deferred[Response | int] = Deferred()
        exchange = Exchange(self, method, headers, body, done)
        self._exchanges.add(exchange)
        exchange.start(timeout)
        return done

    def _taken(self, sdp: bytes, response: Response) -> bytes:
        self.local_sdp = sdp
        self._refresher.refreshed(response)
        try:
            answer = sdp_of(response)
        except ProtocolError as error:
            raise OfferRefused(488) from error
        if answer is None:
            raise OfferRefused(488)
        return answer

    async def wait_after_glare(self) -> None:
        """
        Wait for as long as the RFC says before an offer is made again.

        Raises:
            OfferRefused: 481: the session ended meanwhile.
        """
        # RFC 3261 14.1: who made the Call-ID waits 2.1 to 4 s, the other up to 2 s, in steps of 10 ms.
        steps = 210 + secrets.randbelow(190) if self.dialog.ours else secrets.randbelow(200)
        pause: Deferred[None] = deferLater(self.core.clock, steps / 100)
        self._pauses.add(pause)
        try:
            await pause
        except CancelledError:
            raise OfferRefused(481) from None
        finally:
            self._pauses.discard(pause)

    def _stop_timers(self) -> None:
        self.timer.stop()
        for pause in list(self._pauses):
            pause.cancel()

    def exchange_ended(self, exchange: Exchange) -> None:
        """
        A request of ours that was under way has its final response.
        """
        self._exchanges.discard(exchange)

    def go_on(self) -> None:
        """
        Let the next offer of ours begin, if nothing stands in its way any more.
        """
        if not self.busy:
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            turn.callback(None)
