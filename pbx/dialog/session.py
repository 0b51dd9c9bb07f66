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
from pbx.dialog.refresh import Refresher
from pbx.dialog.session_timer import SessionTimer
from pbx.dialog.user import Ending, ISessionUser, OfferRefused, State
from pbx.dialog.useragent import ALLOW
from pbx.sip.message import ProtocolError, Request, Response, response_to
from pbx.sip.multipart import sdp_of
from pbx.sip.reasons import CAUSES, parse_reasons, reason_header

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pbx.dialog.dialog import Dialog
    from pbx.dialog.incoming import IncomingInvite
    from pbx.dialog.useragent import UserAgentCore
    from pbx.transaction.server_transaction import ServerTransaction
    from pbx.transport.flow import Flow

SDP = ("Content-Type", "application/sdp")
MOST_GLARES = 5
"""How often an offer of ours is tried again after 491 before it is given up."""


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
        self._refresher = Refresher(self)
        self.timer = SessionTimer(core.clock, self._refresher.due, self._refresher.missed)
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
            if not self.busy:
                response = await self.exchange("INVITE", (SDP, ("Allow", ALLOW), *self._timer_headers()), sdp)
                if isinstance(response, int):
                    raise OfferRefused(response)
                if response.status < 300:
                    self.local_sdp = sdp
                    self._refresher.refreshed(response)
                    answer = sdp_of(response)
                    if answer is None:
                        raise OfferRefused(488)
                    return answer
                if response.status != 491:
                    raise OfferRefused(response.status)
            await self.wait_after_glare()
        raise OfferRefused(491)

    async def probe(self, patience: float) -> bool:
        """
        Ask whether the peer still knows this dialog, by OPTIONS within it.

        Args:
            patience: How long to wait for any answer at all, in seconds.

        Returns:
            ``False`` on 408, 481 or no answer at all; any other answer means that it lives.
        """
        response = await self.exchange("OPTIONS", (("Accept", "application/sdp"),), timeout=patience)
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
                self.end_both(Ending(by_peer=False, cause=127, text=error.reason))
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
    def busy(self) -> bool:
        """
        Whether an offer of either side is under way.
        """
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
        if self.busy:
            raise ProtocolError(491, "Request Pending")
        agreement = session_timer.answer_to(request, self.core.settings.session_expires, self.core.settings.min_se)
        self.note_abilities(request)
        offer = sdp_of(request)
        sdp = self.user.offer_wanted() if offer is None else self.user.offer_received(offer)
        self.local_sdp = sdp
        self.timer.start(agreement, we_asked=False)
        headers = (("Contact", self.dialog.contact), SDP, ("Allow", ALLOW), *session_timer.fields(agreement))
        response = self._response(transaction, 200, headers, sdp)
        transaction.respond(response)
        self._answer_due = offer is None
        self._acknowledgement = Acknowledgement(
            self.core.clock, self.core.timers, lambda: transaction.respond(response), self.ack_missing
        )

    def _update_received(self, transaction: ServerTransaction, request: Request) -> None:
        offer = sdp_of(request)
        if offer is not None and self.busy:
            raise ProtocolError(491, "Request Pending")
        if offer is not None and self.state is State.EARLY:
            # RFC 3311 5.2: another offer is still to be answered.
            self._respond(transaction, 500, (("Retry-After", str(secrets.randbelow(10))),))
            return
        agreement = session_timer.answer_to(request, self.core.settings.session_expires, self.core.settings.min_se)
        self.note_abilities(request)
        headers = [("Contact", self.dialog.contact), ("Allow", ALLOW), *session_timer.fields(agreement)]
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
        self.end_both(Ending(by_peer=False, cause=102, text="No ACK"))

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
        self.core.request(request, self.dialog.flow, Bye(self))

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

        Args:
            method: The method.
            headers: Further header fields.
            body: The body.
            timeout: Seconds without any response after which 408 is taken for granted, earlier than 64*T1.
        """
        request = self.dialog.request(method, headers, body)
        done: Deferred[Response | int] = Deferred()
        if method in ("INVITE", "UPDATE"):
            self._offering = True
        self.core.request(request, self.dialog.flow, Exchange(self, request, done), timeout)
        return done

    def _timer_headers(self) -> tuple[tuple[str, str], ...]:
        agreement = self.timer.agreement
        interval = agreement.interval if agreement is not None else self.core.settings.session_expires
        me = "uac" if self.timer.ours or agreement is None else "uas"
        return (("Supported", "timer"), ("Session-Expires", f"{interval};refresher={me}"))

    async def wait_after_glare(self) -> None:
        """
        Wait for as long as the RFC says before an offer is made again.

        Raises:
            OfferRefused: 481: the session ended meanwhile.
        """
        # RFC 3261 14.1: who made the Call-ID waits 2.1 to 4 s, the other up to 2 s, in steps of 10 ms.
        steps = 210 + secrets.randbelow(190) if self.dialog.ours else secrets.randbelow(200)
        self._pause = deferLater(self.core.clock, steps / 100)
        try:
            await self._pause
        except CancelledError:
            raise OfferRefused(481) from None
        finally:
            self._pause = None

    def _stop_timers(self) -> None:
        self.timer.stop()
        if self._pause is not None:
            self._pause.cancel()

    def offering_ended(self) -> None:
        """
        The request of ours that was under way has its final response.
        """
        self._offering = False
