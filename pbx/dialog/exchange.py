"""
A request of ours within a dialog, until its final response (RFC 3261 12.2.1, 13.2.2.4, 15.1.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from twisted.logger import Logger
from zope.interface import implementer

from pbx.dialog.credentials import MOST_ANSWERS, proofs
from pbx.dialog.reopening import reopen
from pbx.sip.message import ProtocolError
from pbx.transaction.user import IClientUser
from pbx.transport.flow import FlowClosed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IDelayedCall

    from pbx.dialog.credentials import ICredentials
    from pbx.dialog.dialog import Dialog
    from pbx.dialog.session import Session
    from pbx.dialog.useragent import UserAgentCore
    from pbx.sip.message import Request, Response
    from pbx.transaction.client_transaction import ClientTransaction

log = Logger()

MOST_BREAKS = 3
"""How often a request is sent again because the connection it was sent over has ended."""


class Usage(Protocol):
    """
    What a dialog is used for: a session or a subscription (RFC 5057 3.1).
    """

    core: UserAgentCore
    dialog: Dialog
    credentials: ICredentials | None

    def exchange_ended(self, exchange: Exchange) -> None:
        """
        A request of ours that was under way has its final response.
        """

    def go_on(self) -> None:
        """
        Do what waited for it.
        """


def send_ack(session: Usage, invite: Request) -> None:
    """
    Send the ACK to a 2xx: a request of its own, outside any transaction (RFC 3261 13.2.2.4).

    Args:
        session: Whose dialog it goes to.
        invite: The INVITE that was answered, whose number and credentials it bears (RFC 3261 22.1).
    """
    try:
        _send_ack(session, invite)
    except FlowClosed:
        session.core.tasks.start(_send_ack_elsewhere(session, invite), "acknowledge over a new connection")


def _send_ack(session: Usage, invite: Request) -> None:
    ack = session.dialog.request("ACK", proofs(invite), cseq=invite.cseq.number)
    session.core.transactions.send_ack(ack, session.dialog.flow)


async def _send_ack_elsewhere(session: Usage, invite: Request) -> None:
    try:
        await reopen(session.core, session.dialog)
        _send_ack(session, invite)
    except FlowClosed:
        # The peer repeats its 2xx in vain and ends the session; the loss of its media tells us.
        log.info("no ACK to {flow}: the connection has closed", flow=session.dialog.flow.name)


@implementer(IClientUser)
class Bye:
    """
    The wait for the answer to a BYE; until then a BYE of the peer that crossed it gets 200.
    """

    __slots__ = ("_answers", "_breaks", "_headers", "_session")

    def __init__(self, session: Session, headers: Iterable[tuple[str, str]]) -> None:
        self._session = session
        self._answers = 0
        self._breaks = 0
        self._headers = headers

    def send(self) -> None:
        """
        Send it, over a new connection where the old one has ended.
        """
        if self._session.dialog.flow.closed:
            self._session.core.tasks.start(self._send_elsewhere(), "hang up over a new connection")
        else:
            self._send()

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """
        The peer has answered.
        """
        if response.status < 200:
            return
        credentials = self._session.credentials
        if (
            credentials is not None
            and self._answers < MOST_ANSWERS
            and credentials.challenged(transaction.request, response)
        ):
            self._answers += 1
            self.send()
        else:
            self._session.forget()

    def timed_out(self, transaction: ClientTransaction) -> None:
        """
        It has not.
        """
        self._session.forget()

    def failed(self, transaction: ClientTransaction, reason: str) -> None:
        """
        It could not be asked: again, for a connection may be known to have ended only when it is used.
        """
        if self._breaks == MOST_BREAKS:
            self._session.forget()
            return
        self._breaks += 1
        self.send()

    def _send(self) -> None:
        session = self._session
        request = session.dialog.request("BYE", self._headers)
        if session.credentials is not None:
            session.credentials.authorize(request)
        session.core.request(request, session.dialog.flow, self)

    async def _send_elsewhere(self) -> None:
        try:
            await reopen(self._session.core, self._session.dialog)
        except FlowClosed:
            self._session.forget()
        else:
            self._send()


@implementer(IClientUser)
class Exchange:
    """
    One request within a dialog, and the ACK to each 2xx where it is an INVITE.

    Args:
        usage: The session, or the subscription.
        method: The method.
        headers: Header fields besides those of the dialog.
        body: The body.
        done: Is given the final response, or 408 or 503 where none came, or 481 where the usage ended before.
    """

    __slots__ = ("_answers", "_body", "_breaks", "_done", "_headers", "_method", "_patience", "_timeout",
                 "_transaction", "_usage")

    def __init__(
        self,
        usage: Usage,
        method: str,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        done: Deferred[Response | int],
    ) -> None:
        self._usage = usage
        self._method = method
        self._headers = headers
        self._body = body
        self._done: Deferred[Response | int] | None = done
        self._answers = 0
        self._breaks = 0
        self._timeout: float | None = None
        self._transaction: ClientTransaction | None = None
        self._patience: IDelayedCall | None = None

    @property
    def offers(self) -> bool:
        """
        Whether no other offer may be made meanwhile (RFC 3261 14.1, RFC 3311 5.1).
        """
        return self._method == "INVITE" or (self._method == "UPDATE" and bool(self._body))

    def start(self, timeout: float | None) -> None:
        """
        Send it, over a new connection where the old one has ended.

        Args:
            timeout: Seconds without any response after which none is expected any more.
        """
        self._timeout = timeout
        if self._usage.dialog.flow.closed:
            self._usage.core.tasks.start(self._start_elsewhere(), "ask over a new connection")
        else:
            self._start()

    def abandon(self) -> None:
        """
        The usage has ended: nobody waits any more. A 2xx that comes after all is still acknowledged.
        """
        self._give_up()
        self._end(481)

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """
        The peer has answered.
        """
        if response.status < 200 or self._asked_again(transaction, response):
            return
        if response.status < 300 and self._method in ("INVITE", "UPDATE"):
            dialog = self._usage.dialog
            try:
                dialog.remote_target = dialog.target_of(response)
            except ProtocolError as error:
                # It has taken what we asked for, and waits for an ACK: the old target must do.
                log.info("{call_id}: target not taken: {reason}", call_id=dialog.call_id, reason=error.reason)
            if self._method == "INVITE":
                send_ack(self._usage, transaction.request)
        self._end(response)

    def timed_out(self, transaction: ClientTransaction) -> None:
        """
        It has not.
        """
        self._end(408)

    def failed(self, transaction: ClientTransaction, reason: str) -> None:
        """
        It could not be asked: again, for a connection may be known to have ended only when it is used.
        """
        if self._breaks == MOST_BREAKS or self._done is None:
            self._end(503)
            return
        self._breaks += 1
        self._rest()
        self.start(self._timeout)

    def _start(self) -> None:
        core, dialog = self._usage.core, self._usage.dialog
        request = dialog.request(self._method, self._headers, self._body)
        if self._usage.credentials is not None:
            self._usage.credentials.authorize(request)
        self._transaction = core.transactions.request(request, dialog.flow, self, self._timeout)
        if self._method == "INVITE":
            # After a 1xx an INVITE has no timer of its own. No person decides about this one.
            self._patience = core.clock.callLater(core.timers.timeout, self._lose_patience)

    async def _start_elsewhere(self) -> None:
        try:
            await reopen(self._usage.core, self._usage.dialog)
        except FlowClosed:
            self._end(503)
        else:
            if self._done is not None:
                self._start()

    def _asked_again(self, transaction: ClientTransaction, response: Response) -> bool:
        """
        Answer a challenge by the same request under the next number (RFC 3261 22.2); whether there was one to answer.
        """
        credentials = self._usage.credentials
        if (
            credentials is None
            or self._done is None
            or self._answers == MOST_ANSWERS
            or not credentials.challenged(transaction.request, response)
        ):
            return False
        self._answers += 1
        self._rest()
        self.start(self._timeout)
        return True

    def _lose_patience(self) -> None:
        self._patience = None
        self._give_up()

    def _give_up(self) -> None:
        if self._transaction is not None and self._method == "INVITE":
            self._transaction.cancel()

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _end(self, result: Response | int) -> None:
        self._rest()
        done, self._done = self._done, None
        if done is not None:
            self._usage.exchange_ended(self)
            done.callback(result)
            self._usage.go_on()
