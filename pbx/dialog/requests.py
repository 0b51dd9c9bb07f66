"""
The peer's requests within a session (RFC 3261 12.2.2, 14.2; RFC 3311 5.2; RFC 3515 2.4).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from pbx.dialog import session_timer
from pbx.dialog.acknowledgement import Acknowledgement
from pbx.dialog.offer import SDP, offer_of
from pbx.dialog.refer import Refer
from pbx.dialog.reopening import repeat
from pbx.dialog.user import State
from pbx.dialog.useragent import ALLOW, OURS
from pbx.sip.message import ProtocolError

if TYPE_CHECKING:
    from pbx.dialog.session import Session
    from pbx.sip.message import Request
    from pbx.transaction.server_transaction import ServerTransaction


def serve(session: Session, transaction: ServerTransaction, request: Request) -> None:
    """
    Serve a request within the dialog of a session.

    Raises:
        ProtocolError: With the status to answer.
    """
    method = request.method
    # Another address than the peer's needs credentials; BYE is known by both its tags.
    if (
        method != "BYE"
        and transaction.flow.remote[0] != session.dialog.flow.remote[0]
        and not session.core.owner.trusts(transaction, request)
    ):
        return
    session.dialog.received(request, transaction.flow)
    if method == "BYE":
        session.bye_received(transaction)
    elif session.state in (State.ENDING, State.ENDED):
        raise ProtocolError(481, "Call/Transaction Does Not Exist")
    elif method == "INVITE":
        _reinvite_received(session, transaction, request)
    elif method == "UPDATE":
        _update_received(session, transaction, request)
    elif method == "PRACK":
        if session.invite is None:
            raise ProtocolError(481, "Call/Transaction Does Not Exist")
        session.invite.prack_received(transaction, request)
    elif method == "INFO":
        session.user.information_received(request)
        session.respond(transaction, 200)
    elif method == "REFER":
        _refer_received(session, transaction, request)
    elif method == "NOTIFY":
        # RFC 6665 4.1.3: we have subscribed to nothing here.
        raise ProtocolError(481, "Subscription Does Not Exist")
    elif method == "OPTIONS":
        # RFC 3261 11.2
        session.respond(transaction, 200, (("Allow", ALLOW), ("Accept", SDP[1]), ("Supported", OURS)))
    else:
        raise ProtocolError(405, "Method Not Allowed")


def _reinvite_received(session: Session, transaction: ServerTransaction, request: Request) -> None:
    if session.invite is not None:
        _answer_later(session, transaction)
        return
    # RFC 3261 14.2: an INVITE of ours is under way.
    if session.state is State.EARLY or session.offering:
        raise ProtocolError(491, "Request Pending")
    if session.answer_due:
        # RFC 5407 3.1.5: the ACK that we wait for has the answer to our offer.
        raise ProtocolError(491, "Request Pending")
    offer = offer_of(request)
    target = session.dialog.target_of(request)
    agreement = _agreement(session, request)
    # RFC 5407 3.1.4: the ACK was lost or overtaken. Who sends the next INVITE has our 2xx (RFC 3261 14.1).
    session.acknowledged()
    if session.state is not State.UP:
        raise ProtocolError(481, "Call/Transaction Does Not Exist")
    sdp = session.user.offer_wanted() if offer is None else session.user.offer_received(offer)
    session.offers_seen += 1
    session.note_abilities(request)
    session.local_sdp = sdp
    session.dialog.remote_target = target
    if agreement is not None:
        session.timer.start(agreement, we_asked=False)
    headers = (("Contact", session.dialog.contact), SDP, ("Allow", ALLOW), *session_timer.fields(agreement))
    response = session.response(transaction, 200, headers, sdp)
    transaction.respond(response)
    session.answer_due = offer is None
    core = session.core
    session.acknowledgement = Acknowledgement(
        core.timer_queue, core.timers, lambda: repeat(core, session.dialog, transaction, response),
        session.ack_missing, cseq=request.cseq.number,
    )


def _update_received(session: Session, transaction: ServerTransaction, request: Request) -> None:
    offer = offer_of(request)
    if offer is not None:
        unsettled = session.state is State.EARLY and not session.settled
        if unsettled and session.invite is not None and session.invite.offer is not None:
            # RFC 3311 5.2: an offer of the peer has no answer yet.
            _answer_later(session, transaction)
            return
        if unsettled or session.offering or session.answer_due:
            # RFC 3311 5.2: nor has one of ours.
            raise ProtocolError(491, "Request Pending")
    target = session.dialog.target_of(request)
    agreement = _agreement(session, request)
    headers = [("Contact", session.dialog.contact), ("Allow", ALLOW), *session_timer.fields(agreement)]
    body = b""
    if offer is not None:
        body = session.local_sdp = session.user.offer_received(offer)
        session.offers_seen += 1
        headers.append(SDP)
    session.note_abilities(request)
    session.dialog.remote_target = target
    if session.state is State.UP and agreement is not None:
        session.timer.start(agreement, we_asked=False)
    transaction.respond(session.response(transaction, 200, headers, body))


def _agreement(session: Session, request: Request) -> session_timer.Agreement | None:
    settings = session.core.settings
    return session_timer.answer_to(request, settings.session_expires, settings.min_se) if session.timed else None


def _answer_later(session: Session, transaction: ServerTransaction) -> None:
    # RFC 3261 14.2: the first INVITE has no final response yet.
    session.respond(transaction, 500, (("Retry-After", str(secrets.randbelow(11))),))


def _refer_received(session: Session, transaction: ServerTransaction, request: Request) -> None:
    if session.state is not State.UP:
        raise ProtocolError(491, "Request Pending")
    refer = Refer(session, transaction, request)
    session.referrals += 1
    session.user.refer_received(refer)
