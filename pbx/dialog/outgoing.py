"""
An INVITE that we send, with every dialog that its answers make (RFC 3261 13.2, 9.1; RFC 3262 4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger
from zope.interface import implementer

from pbx.dialog import session_timer
from pbx.dialog.credentials import MOST_ANSWERS
from pbx.dialog.dialog import Dialog
from pbx.dialog.exchange import send_ack
from pbx.dialog.reliable import MOST_RSEQ
from pbx.dialog.session import Session
from pbx.dialog.user import NOBODY, ISessionUser, State
from pbx.sip.grammar import number
from pbx.sip.message import ProtocolError
from pbx.sip.multipart import sdp_of
from pbx.sip.reasons import cause_of_status, reason_header
from pbx.transaction.user import IClientUser

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pbx.dialog.credentials import ICredentials
    from pbx.dialog.useragent import UserAgentCore
    from pbx.sip.message import Request, Response
    from pbx.transaction.client_transaction import ClientTransaction
    from pbx.transaction.timer_queue import Entry
    from pbx.transport.flow import Flow

MOST_EARLY_DIALOGS = 20
"""Forks behind one peer whose dialogs are kept; a peer could otherwise make one with every response."""

TIMER_C, CANCEL = "C", "cancel"
"""The names of its two timers, one of which runs."""

PROTOCOL_ERROR = 111
"""ITU-T Q.850"""


class IOutgoingUser(ISessionUser):
    """
    Who is told what becomes of an INVITE sent, besides what a session's user is told.
    """

    def ringing(response: Response, sdp: bytes | None) -> None:  # noqa: N805
        """
        A provisional response above 100 has come, with its description if it has one.
        """

    def answered(session: Session, response: Response, sdp: bytes | None) -> None:  # noqa: N805
        """
        A 2xx has come and was acknowledged.
        """

    def failed(status: int, text: str, response: Response | None) -> None:  # noqa: N805
        """
        The INVITE has failed for good; ``response`` is ``None`` where none came.
        """


@implementer(IClientUser)
class OutgoingInvite:
    """
    One INVITE sent over a flow, from start to its final responses.

    Args:
        core: The user agent core.
        request: The INVITE, without Via; its Session-Expires is ours to correct after a 422, and without one the
            session has no timer.
        flow: Where it goes.
        contact: Our Contact value.
        user: Both an :class:`IOutgoingUser` and the session's user.
        credentials: What it proves itself with where it is asked for it, and its session's requests; ``None`` where
            a challenge is a refusal like others.
    """

    log = Logger()

    def __init__(
        self,
        core: UserAgentCore,
        request: Request,
        flow: Flow,
        contact: str,
        user: IOutgoingUser,
        credentials: ICredentials | None = None,
    ) -> None:
        self.request = request
        self._core = core
        self._flow = flow
        self._contact = contact
        self._credentials = credentials
        self._answers = 0
        self._user: IOutgoingUser | None = user
        self._transaction: ClientTransaction | None = None
        self._early: dict[str, Session] = {}
        self._reliable_seen: dict[str, int] = {}
        self._answered: dict[str, Session] = {}
        self._session: Session | None = None
        self._cancelled = False
        self._over = False
        self._timer: Entry | None = None

    def start(self) -> None:
        """
        Send it.
        """
        core = self._core
        if self._credentials is not None:
            self._credentials.authorize(self.request)
        self._transaction = core.transactions.request(
            self.request, self._flow, self, timeout=core.settings.no_response
        )
        # RFC 3261 16.6: timer C bounds an INVITE that rings for ever.
        self._rearm(core.settings.timer_c, TIMER_C)

    def cancel(self, reason: str | None = None) -> None:
        """
        Give it up; a 2xx that crosses the CANCEL is acknowledged and ended with BYE (RFC 3261 9.1).

        Args:
            reason: The value of the CANCEL's Reason header (RFC 3326).
        """
        if self._over or self._cancelled:
            return
        self._cancelled = True
        if self._transaction is not None:
            self._transaction.cancel(reason)
        # RFC 3261 9.1: with no final response 64*T1 after the CANCEL, the INVITE counts as cancelled.
        self._rearm(64 * self._core.timers.t1, CANCEL)

    # IClientUser

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """
        Sort a response by its class and its To tag.
        """
        try:
            if response.status < 200:
                if response.status > 100:
                    self._provisional(response)
            elif response.status < 300:
                self._success(response)
            elif not self._over:
                self._failure(response)
        except ProtocolError as error:
            self.log.warn(
                "{call_id}: {status} from {flow} can't be used: {reason}",
                call_id=self.request.call_id, status=response.status, flow=self._flow.name, reason=error.reason,
            )
            if response.status >= 200:
                self._fail(502, error.reason, None)

    def timed_out(self, transaction: ClientTransaction) -> None:
        """
        No response at all: the peer can't be reached.
        """
        if self._cancelled:
            self._fail(487, "Cancelled", None)
        else:
            self._fail(408, "No response", None)
        if self._credentials is not None:
            # Who answers too late gets ACK and BYE from us: the BYE may be asked to prove itself.
            transaction.user = self

    def failed(self, transaction: ClientTransaction, reason: str) -> None:
        """
        The flow broke before a final response.
        """
        self._fail(503, reason, None)

    # From the timer queue.

    def timer_fired(self, name: str) -> None:
        """
        It has rung for too long, or nothing has come of its CANCEL.
        """
        self._timer = None
        if name == TIMER_C:
            self.cancel()
            # RFC 3261 16.8: as if nobody had answered, without a wait for the answer to the CANCEL.
            self._fail(480, "No answer", None)
        else:
            self._fail(487, "Cancelled", None)

    # The three classes of responses.

    def _provisional(self, response: Response) -> None:
        user = self._user
        if self._over or user is None:
            return
        if not self._cancelled:
            self._rearm(self._core.settings.timer_c, TIMER_C)
        tag = response.to_tag
        reliable = "100rel" in response.option_tags("Require")
        if tag and "Contact" in response.headers:
            session = self._early.get(tag)
            if session is None and len(self._early) < MOST_EARLY_DIALOGS:
                dialog = Dialog.of_client(self.request, response, self._flow, self._contact)
                session = self._early[tag] = self._new_session(dialog, user)
            if session is not None:
                session.note_abilities(response)
                if reliable and not self._prack(session, tag, response):
                    return
                if reliable and response.body:
                    # RFC 3262 5: the answer to our offer.
                    session.settled = True
        if not self._cancelled:
            user.ringing(response, _description(response))

    def _prack(self, session: Session, tag: str, response: Response) -> bool:
        """
        Acknowledge a reliable 1xx; tell whether it is a new one in order (RFC 3262 4).
        """
        rseq = number(response.headers.get("RSeq") or "", "RSeq", MOST_RSEQ)
        last = self._reliable_seen.get(tag)
        if last is not None and rseq != last + 1:
            return False
        self._reliable_seen[tag] = rseq
        cseq = response.cseq
        session.exchange("PRACK", (("RAck", f"{rseq} {cseq.number} {cseq.method}"),))
        return True

    def _success(self, response: Response) -> None:
        tag = response.to_tag or ""
        session = self._answered.get(tag)
        if session is not None:
            # Our ACK was lost.
            send_ack(session, self.request)
            return
        if len(self._answered) >= MOST_EARLY_DIALOGS:
            return
        try:
            dialog = Dialog.of_client(self.request, response, self._flow, self._contact)
        except ProtocolError as error:
            self._end_unusable(response, tag, error)
            return
        session = self._answered[tag] = self._confirmed(tag, dialog)
        session.note_abilities(response)
        session.confirmed(None)
        send_ack(session, self.request)
        user = self._user
        if user is None or self._session is not None or self._cancelled or self._over:
            # Another fork has answered before, or nobody wants the answer any more.
            session.hang_up()
            if self._session is None and not self._over:
                self._fail(487, "Cancelled", None)
            return
        self._session = session
        self._end()
        interval = self._core.settings.session_expires
        if session.timed:
            session.timer.start(session_timer.answered_by(response, interval), we_asked=True)
        try:
            user.answered(session, response, _description(response))
        except ProtocolError as error:
            session.hang_up((("Reason", reason_header(cause_of_status(error.status), error.reason)),))
            user.failed(error.status, error.reason, None)
        except Exception:
            # Nobody else would end a call that its owner could not take.
            session.hang_up()
            raise

    def _confirmed(self, tag: str, dialog: Dialog) -> Session:
        session = self._early.pop(tag, None)
        if session is None or session.state is not State.EARLY:
            return self._new_session(dialog, NOBODY if self._user is None else self._user)
        # RFC 3261 13.2.2.4: the 2xx decides on route set and target; what was counted since stays.
        dialog.local_cseq = max(dialog.local_cseq, session.dialog.local_cseq)
        dialog.remote_cseq = session.dialog.remote_cseq
        session.dialog = dialog
        return session

    def _new_session(self, dialog: Dialog, user: ISessionUser) -> Session:
        session = Session(self._core, dialog, user)
        session.credentials = self._credentials
        # The description alone, where further parts stand beside it.
        session.local_sdp = sdp_of(self.request)
        session.timed = "Session-Expires" in self.request.headers
        return session

    def _end_unusable(self, response: Response, tag: str, error: ProtocolError) -> None:
        """
        End an answer that makes no dialog: without an ACK and a BYE the peer would believe that the call is up.
        """
        self.log.warn(
            "{call_id}: the answer from {flow} can't be used: {reason}",
            call_id=self.request.call_id, flow=self._flow.name, reason=error.reason,
        )
        bare = type(response)(response.status, response.reason, response.headers.copy())
        bare.headers.remove("Record-Route")
        # Where the INVITE went, its peer is at least.
        bare.headers.set("Contact", f"<{self.request.uri}>")
        session = self._answered[tag] = self._confirmed(
            tag, Dialog.of_client(self.request, bare, self._flow, self._contact)
        )
        session.confirmed(None)
        send_ack(session, self.request)
        session.hang_up((("Reason", reason_header(PROTOCOL_ERROR)),))
        self._fail(502, error.reason, None)

    def _failure(self, response: Response) -> None:
        if not self._cancelled and (self._retry_with_min_se(response) or self._retry_with_credentials(response)):
            return
        self._fail(response.status, response.reason, response)

    def _retry_with_min_se(self, response: Response) -> bool:
        """
        Ask again with the interval that the peer takes (RFC 4028 7.4).
        """
        if response.status != 422 or "Min-SE" in self.request.headers or "Min-SE" not in response.headers:
            return False
        interval = max(session_timer.minimum(response), self._core.settings.session_expires)
        self._retry((("Session-Expires", str(interval)), ("Min-SE", str(session_timer.minimum(response)))))
        return True

    def _retry_with_credentials(self, response: Response) -> bool:
        """
        Ask again with what a challenge asks for (RFC 3261 22.2 and 22.3).
        """
        credentials = self._credentials
        if (
            credentials is None
            or self._answers == MOST_ANSWERS
            or not credentials.challenged(self.request, response)
        ):
            return False
        self._answers += 1
        self._retry()
        return True

    def _retry(self, changed: Iterable[tuple[str, str]] = ()) -> None:
        again = self.request.headers.copy()
        again.remove("Via")
        for name, value in changed:
            again.set(name, value)
        again.set("CSeq", f"{self.request.cseq.number + 1} INVITE")
        self.request = type(self.request)("INVITE", self.request.uri, again, self.request.body)
        self._drop_early()
        self.start()

    # Its end.

    def _fail(self, status: int, text: str, response: Response | None) -> None:
        user = self._user
        if self._over or user is None:
            return
        self._end()
        user.failed(status, text, response)

    def _end(self) -> None:
        self._over = True
        # The transaction waits on for late answers, and need not keep alive who made the call.
        self._user = None
        if self._timer is not None:
            self._core.timer_queue.stop(self._timer)
            self._timer = None
        self._drop_early()

    def _drop_early(self) -> None:
        for session in self._early.values():
            session.forget()
        self._early.clear()
        self._reliable_seen.clear()

    def _rearm(self, seconds: float, name: str) -> None:
        queue = self._core.timer_queue
        if self._timer is not None:
            queue.stop(self._timer)
        self._timer = queue.start(seconds, self, name)


def _description(response: Response) -> bytes | None:
    """
    The session description of a response; one that can't be read is none.
    """
    try:
        return sdp_of(response)
    except ProtocolError:
        return None
