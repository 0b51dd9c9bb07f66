"""
A request of ours within a dialog, until its final response (RFC 3261 12.2.1, 13.2.2.4, 15.1.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger
from zope.interface import implementer

from pbx.transaction.user import IClientUser
from pbx.transport.flow import FlowClosed

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from pbx.dialog.session import Session
    from pbx.sip.message import Request, Response
    from pbx.transaction.client_transaction import ClientTransaction

log = Logger()


def send_ack(session: Session, cseq: int) -> None:
    """
    Send the ACK to a 2xx: a request of its own, outside any transaction (RFC 3261 13.2.2.4).
    """
    ack = session.dialog.request("ACK", cseq=cseq)
    try:
        session.core.transactions.send_ack(ack, session.dialog.flow)
    except FlowClosed:
        # The peer repeats its 2xx in vain and ends the session; the loss of its media tells us.
        log.info("no ACK to {flow}: the connection has closed", flow=session.dialog.flow.name)


@implementer(IClientUser)
class Bye:
    """
    The wait for the answer to a BYE; until then a BYE of the peer that crossed it gets 200.
    """

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """
        The peer has answered.
        """
        if response.status >= 200:
            self._session.forget()

    def timed_out(self, transaction: ClientTransaction) -> None:
        """
        It has not.
        """
        self._session.forget()

    def failed(self, transaction: ClientTransaction, reason: str) -> None:
        """
        It could not be asked.
        """
        self._session.forget()


@implementer(IClientUser)
class Exchange:
    """
    One request within a dialog, and the ACK to each 2xx where it is an INVITE.
    """

    __slots__ = ("_done", "_request", "_session")

    def __init__(self, session: Session, request: Request, done: Deferred[Response | int]) -> None:
        self._session = session
        self._request = request
        self._done: Deferred[Response | int] | None = done

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """
        The peer has answered.
        """
        if response.status < 200:
            return
        if response.status < 300 and self._request.method in ("INVITE", "UPDATE"):
            self._session.dialog.retarget(response)
            if self._request.method == "INVITE":
                send_ack(self._session, self._request.cseq.number)
        self._end(response)

    def timed_out(self, transaction: ClientTransaction) -> None:
        """
        It has not.
        """
        self._end(408)

    def failed(self, transaction: ClientTransaction, reason: str) -> None:
        """
        It could not be asked.
        """
        self._end(503)

    def _end(self, result: Response | int) -> None:
        done, self._done = self._done, None
        if done is not None:
            self._session.offering_ended()
            done.callback(result)
