"""
The INVITE usage of one dialog: offers after the first, refreshes, and its end (RFC 3261 14 and 15, 3311, 3262, 4028).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pbx.dialog.acknowledgement import Acknowledgement
from pbx.dialog.exchange import Bye, Exchange
from pbx.dialog.offer import SDP as SDP
from pbx.dialog.refresh import Refresher
from pbx.dialog.requests import serve
from pbx.dialog.session_timer import SessionTimer
from pbx.dialog.update import update
from pbx.dialog.user import GONE, NOBODY, Ending, ISessionUser, OfferRefused, State
from pbx.dialog.useragent import ALLOW
from pbx.sip.message import ProtocolError, Request, Response, response_to
from pbx.sip.multipart import sdp_of
from pbx.sip.reasons import CAUSES, parse_reasons, reason_header

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from pbx.dialog.credentials import ICredentials
    from pbx.dialog.dialog import Dialog
    from pbx.dialog.incoming import IncomingInvite
    from pbx.dialog.useragent import UserAgentCore
    from pbx.transaction.server_transaction import ServerTransaction
    from pbx.transport.flow import Flow

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
        credentials: What our requests prove themselves with, ``None`` to a peer that never asks.
        allow: The methods that the peer takes, as its last Allow said.
        local_sdp: The last description that we sent, repeated in a refresh.
        timed: Whether the session is refreshed (RFC 4028); else nothing is said of it.
        reach: Finds a new flow to a peer that can always be called, when its connection has ended; raises
            :class:`~pbx.transport.flow.FlowClosed`. ``None`` for a phone.
        invite: The INVITE received that it was made by, while that waits for its answer.
        settled: Whether the first offer has its answer, so that an early UPDATE may bring another (RFC 3311 5.1).
        acknowledgement: The repetition of our 2xx that waits for its ACK, ``None`` while none does.
        answer_due: Whether that ACK must bring the answer to our offer.
        offers_seen: How many offers the peer has made since.
        referrals: How many REFERs it has sent.
    """

    log = Logger()

    def __init__(self, core: UserAgentCore, dialog: Dialog, user: ISessionUser) -> None:
        self.core = core
        self.dialog = dialog
        self.user: ISessionUser = user
        self.state = State.EARLY
        self.credentials: ICredentials | None = None
        self.allow: frozenset[str] = frozenset()
        self.local_sdp: bytes | None = None
        self.timed = True
        self.reach: Callable[[], Awaitable[Flow]] | None = None
        self.invite: IncomingInvite | None = None
        self.settled = False
        refresher = Refresher(self)
        self.timer = SessionTimer(core.timer_queue, refresher.due, refresher.missed)
        self.acknowledgement: Acknowledgement | None = None
        self.answer_due = False
        self.offers_seen = 0
        self.referrals = 0
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
        if self.acknowledgement is None:
            self._send_bye()
        self._wake()

    def forget(self) -> None:
        """
        Drop a session that has ended, or an early one whose INVITE came to nothing.

        Transactions that wait for late messages hold it for another half a minute, but nothing else by it.
        """
        self._stop_timers()
        self.timer.end()
        self.user = NOBODY
        self.reach = None
        if self.acknowledgement is not None:
            self.acknowledgement.stop()
            self.acknowledgement = None
        self.state = State.ENDED
        self.core.dialogs.pop(self.dialog.id, None)
        for exchange in list(self._exchanges):
            exchange.abandon()
        self._wake()

    async def offer(self, make: Callable[[], bytes], more: Iterable[tuple[str, str]] = ()) -> bytes:
        """
        Make the peer a new offer by re-INVITE, again after a glare (RFC 3261 14.1).

        The session goes on without it just as well, so no answer is a refusal: who is gone, a probe finds out.

        Args:
            make: Makes the offer, anew for each try: between two tries it may have become another.
            more: Further header fields.

        Returns:
            The peer's answer to the last one made.

        Raises:
            OfferRefused: The peer refused, did not answer, made an offer of its own before ours was tried again, or
                the session ended meanwhile.
        """
        if len(self._waiting) >= MOST_OFFERS:
            raise OfferRefused(491)
        await self.idle()
        seen = self.offers_seen
        for _ in range(MOST_GLARES):
            sdp = make()
            ours = self.timer.ours or self.timer.agreement is None
            headers = (SDP, ("Allow", ALLOW), *Refresher(self).headers(ours=ours), *more)
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
            elif status != 422 or not Refresher(self).corrected(response):
                raise OfferRefused(status)
            await self.idle()
            if self.offers_seen != seen:
                # Ours answered a state of things that is no more.
                break
        raise OfferRefused(491)

    async def update(self, headers: Iterable[tuple[str, str]]) -> int:
        """
        Tell the peer something new by UPDATE without an offer: who is at the other end, for one (RFC 3311).

        Args:
            headers: What to tell, such as P-Asserted-Identity.

        Returns:
            The status of its answer: 405 where it takes no UPDATE, 408, 503 or 481 where none came. Whatever it is,
            the session goes on, but for 481: then it has ended, which its user was told.
        """
        return await update(self, Refresher(self), tuple(headers))

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
        self.acknowledgement = acknowledgement
        self.answer_due = answer_due
        self._first_ack = acknowledgement is not None

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        """
        Serve a request within the dialog.

        Raises:
            ProtocolError: With the status to answer.
        """
        serve(self, transaction, request)

    def ack_received(self, request: Request, flow: Flow) -> None:
        """
        Take the ACK to a 2xx of ours; a further copy of it, or of that to an earlier 2xx, changes nothing.
        """
        wait = self.acknowledgement
        # RFC 3261 13.2.2.4: the number is that of the INVITE.
        if wait is None or request.cseq.number != wait.cseq:
            return
        if flow.remote[0] == self.dialog.flow.remote[0]:
            self.dialog.flow = flow
        due, self.answer_due = self.answer_due, False
        wait.stop()
        self.acknowledgement = None
        try:
            if due and self._bye is None:
                # No description at all is none that can be read.
                self.user.answer_received(sdp_of(request) or b"")
        except ProtocolError as error:
            self.end_both(Ending(by_peer=False, cause=127, text=error.reason))
        else:
            self.acknowledged()
        finally:
            self._wake()

    def note_abilities(self, message: Request | Response) -> None:
        """
        Remember what the peer allows.
        """
        if "Allow" in message.headers:
            self.allow = frozenset(message.option_tags("Allow"))

    @property
    def busy(self) -> bool:
        """
        Whether an offer or an INVITE of either side is under way.
        """
        return self.offering or self.acknowledgement is not None

    @property
    def unacknowledged(self) -> bool:
        """
        Whether a 2xx of ours waits for its ACK.
        """
        return self.acknowledgement is not None

    @property
    def offering(self) -> bool:
        """
        Whether an offer or an INVITE of ours has no final response yet.
        """
        return any(exchange.offers for exchange in self._exchanges)

    def acknowledged(self) -> None:
        """
        The ACK has come, or another request of the peer's that shows that our 2xx has.
        """
        if self.acknowledgement is not None:
            self.acknowledgement.stop()
            self.acknowledgement = None
        if self._bye is not None:
            self._send_bye()
        elif self._first_ack:
            self._first_ack = False
            self.user.acknowledged()

    def bye_received(self, transaction: ServerTransaction) -> None:
        """
        The peer hangs up (RFC 3261 15.1.2).
        """
        self.respond(transaction, 200)
        if self._bye is not None:
            # Ours still waits for an ACK, and need not be sent any more.
            self._bye = None
            self.forget()
        if self.state in (State.ENDING, State.ENDED):
            return
        user, invite, early = self.user, self.invite, self.state is State.EARLY
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
            user.ended(Ending(by_peer=True, cause=cause, text=text))

    def ack_missing(self) -> None:
        """
        No ACK came for 64*T1 (RFC 3261 13.3.1.4): the session ends with BYE.
        """
        self.acknowledgement = None
        if self._bye is not None:
            self._send_bye()
        else:
            self.end_both(Ending(by_peer=False, cause=102, text="No ACK"))

    def response(
        self, transaction: ServerTransaction, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> Response:
        """
        Make the answer to a request within the dialog.
        """
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
        transaction.respond(self.response(transaction, status, headers, body))

    # Requests of ours.

    def _send_bye(self) -> None:
        headers, self._bye = self._bye or (), None
        Bye(self, headers).send()

    def end_both(self, ending: Ending) -> None:
        """
        End a session that is broken: BYE to the peer, and word to the user.
        """
        user = self.user
        self.hang_up((("Reason", reason_header(ending.cause, ending.text)),))
        user.ended(ending)

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
        Refresher(self).refreshed(response)
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
