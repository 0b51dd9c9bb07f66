"""
The user agent core: what is checked of every request, and which dialog it belongs to (RFC 3261 8.2 and 12.2.2).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from attrs import frozen
from twisted.logger import Logger
from zope.interface import Interface, implementer

from pbx.dialog.dialog import Dialog
from pbx.sip.event import Event
from pbx.sip.message import ProtocolError, Request, response_to
from pbx.sip.token import random_hex
from pbx.transaction.timer_queue import TimerQueue
from pbx.transaction.user import IClientUser, ITransactionUser
from pbx.transport.flow import FlowClosed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twisted.internet.interfaces import IReactorTime

    from pbx.dialog.dialog import DialogId
    from pbx.dialog.incoming import IncomingInvite
    from pbx.dialog.session import Session
    from pbx.dialog.subscription import Subscription
    from pbx.sip.message import Response
    from pbx.tasks import Tasks
    from pbx.transaction.client_transaction import ClientTransaction
    from pbx.transaction.layer import TransactionLayer
    from pbx.transaction.server_transaction import ServerTransaction
    from pbx.transaction.timers import Timers
    from pbx.transport.flow import Flow

METHODS = (
    "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "UPDATE", "PRACK", "INFO", "NOTIFY", "MESSAGE",
    "SUBSCRIBE", "REFER", "PUBLISH",
)
"""The registered methods; an unheard-of one gets 501. Which are served is for those to say who ask for credentials."""

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO, REFER, NOTIFY, SUBSCRIBE"
"""What a peer may send us."""

OURS = "timer, 100rel, replaces, norefersub"
"""The extensions that we know, as Supported says them."""

SUPPORTED = frozenset(OURS.split(", "))
"""The extensions that a peer may require."""

EXPLAINED = {405: (("Allow", ALLOW),), 415: (("Accept", "application/sdp"),)}
"""What some refusals must say as well (RFC 3261 8.2.1 and 8.2.3)."""

MOST_LATE = 100
"""Late answers that are ended at once. Anybody can send such a response, and each BYE is sent up to eleven times."""


class IUserAgentOwner(Interface):
    """
    Who takes the requests outside any dialog.
    """

    def request_received(transaction: ServerTransaction, request: Request) -> None:  # noqa: N805
        """
        Answer a request that passed the general checks, sooner or later, through its transaction.
        """

    def trusts(transaction: ServerTransaction, request: Request) -> bool:  # noqa: N805
        """
        Tell whether a request within a dialog, that came from another address than the peer's, is the peer's.

        Where it can't be told yet, the answer (a challenge) is already sent.
        """

    def way_to(usage: Session | Subscription) -> Flow | None:  # noqa: N805
        """
        Find another flow to the peer of a dialog whose own has closed; ``None`` where none is known.
        """


@frozen
class UserAgentSettings:
    """
    What the core needs to know.

    Attributes:
        session_expires: The session interval that we ask for, in seconds (RFC 4028).
        min_se: The shortest that we take, in seconds.
        timer_c: How long an INVITE may go on without a final response, in seconds (RFC 3261 16.6).
        no_response: How long a phone may take for its first response, in seconds.
    """

    session_expires: int = 1800
    min_se: int = 90
    timer_c: float = 180.0
    no_response: float = 4.0


@implementer(ITransactionUser)
class UserAgentCore:
    """
    Between the transactions and whoever answers: finds dialogs, and refuses what nobody can answer.

    Attributes:
        dialogs: The INVITE usage of each dialog, early and confirmed.
        subscriptions: Its subscriptions, of which a dialog may have several, with or without an INVITE usage.
        invites: The INVITEs received that have no final response yet.
        timer_queue: Runs the timers of dialogs and calls.
        late: The dialogs that are being ended because their answer came too late.
        owner: Who takes requests outside a dialog; set once before the first request.
    """

    log = Logger()
    owner: IUserAgentOwner

    def __init__(
        self,
        clock: IReactorTime,
        timers: Timers,
        transactions: TransactionLayer,
        tasks: Tasks,
        settings: UserAgentSettings,
    ) -> None:
        self.clock = clock
        self.timers = timers
        self.transactions = transactions
        self.tasks = tasks
        self.settings = settings
        # Not the transactions' own: these mostly wait for minutes, and would keep that one's reactor call busy.
        self.timer_queue = TimerQueue(clock)
        self.dialogs: dict[DialogId, Session] = {}
        self.subscriptions: dict[DialogId, list[Subscription]] = {}
        self.invites: dict[ServerTransaction, IncomingInvite] = {}
        self.late: set[DialogId] = set()
        transactions.user = self

    # What the floors above ask for.

    def request(
        self, request: Request, flow: Flow, user: IClientUser, timeout: float | None = None
    ) -> None:
        """
        Send a request in a client transaction of its own; the answers go to ``user``.
        """
        self.transactions.request(request, flow, user, timeout=timeout)

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        reason: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        """
        Answer a request outside a dialog, with a To tag made for it.
        """
        # Nothing is parsed for it: whatever is malformed, an answer frees the transaction.
        response = response_to(transaction.request, status, reason, transaction.tag)
        for name, value in headers:
            response.headers.add(name, value)
        transaction.respond(response)

    # ITransactionUser

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        """
        Check a new request and hand it to its dialog, or to the owner.
        """
        try:
            self._dispatch(transaction, request)
        except ProtocolError as error:
            self._refuse(transaction, error)
        except Exception:  # noqa: BLE001 - the border
            # The border of this floor: one request that we can't serve must not harm another.
            self.log.failure("{method} could not be served", method=request.method)
            self._refuse(transaction, ProtocolError(500, "Server Internal Error"))

    def ack_received(self, request: Request, flow: Flow) -> None:
        """
        Hand the ACK of a 2xx to its dialog; nobody answers an ACK that has none.
        """
        try:
            session = self.dialogs.get((request.call_id, request.to_tag or "", request.from_tag or ""))
            if session is not None:
                session.ack_received(request, flow)
        except ProtocolError as error:
            self.log.debug("ACK dropped: {reason}", reason=error.reason)
        except Exception:  # noqa: BLE001 - the border
            self.log.failure("ACK could not be served")

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        """
        End the INVITE that the peer has given up.
        """
        invite = self.invites.get(transaction)
        if invite is None:
            return
        try:
            invite.cancel_received(cancel)
        except Exception:  # noqa: BLE001 - the border
            self.log.failure("CANCEL could not be served")

    def stray_response(self, response: Response, flow: Flow) -> None:
        """
        Take a response that no transaction waits for any more: it is dropped (RFC 3261 18.1.2).

        A 2xx to an INVITE that was given up is acknowledged and ended with BYE (RFC 3261 13.2.2.4).
        """
        try:
            if 200 <= response.status < 300 and response.cseq.method == "INVITE":
                self._end_late_answer(response, flow)
        except ProtocolError as error:
            self.log.debug("stray response dropped: {reason}", reason=error.reason)
        except Exception:  # noqa: BLE001 - the border
            self.log.failure("a late answer could not be ended")

    def _end_late_answer(self, response: Response, flow: Flow) -> None:
        dialog = Dialog.of_client(response, response, flow, contact_of(flow, "pbx"))
        if dialog.id in self.dialogs or (dialog.id not in self.late and len(self.late) >= MOST_LATE):
            return
        with contextlib.suppress(FlowClosed):
            self.transactions.send_ack(dialog.request("ACK", cseq=dialog.local_cseq), flow)
        if dialog.id not in self.late:
            self.late.add(dialog.id)
            self.transactions.request(dialog.request("BYE"), flow, LateBye(self.late, dialog.id))

    # The checks, in the order of RFC 3261 8.2.

    def _dispatch(self, transaction: ServerTransaction, request: Request) -> None:
        method = request.method
        if method not in METHODS:
            self.respond(transaction, 501, headers=(("Allow", ALLOW),))
            return
        to_tag = request.to_tag
        # RFC 3261 8.2.2.3: nothing can be required of the answer to a CANCEL.
        required = request.option_tags("Require") if method != "CANCEL" else ()
        if required:
            unsupported = [tag for tag in required if tag not in SUPPORTED]
            if unsupported:
                self.respond(transaction, 420, headers=(("Unsupported", ", ".join(unsupported)),))
                return
        if to_tag and method != "REGISTER":
            self._usage_of(request).request_received(transaction, request)
            return
        if transaction.merged:
            # RFC 3261 8.2.2.2: the same request came to us by two ways.
            raise ProtocolError(482, "Loop Detected")
        if method in ("BYE", "PRACK", "UPDATE", "INFO"):
            raise ProtocolError(481, "Call/Transaction Does Not Exist")
        if method == "CANCEL":
            raise ProtocolError(481, "Call/Transaction Does Not Exist")
        if request.target.scheme not in ("sip", "sips", "tel"):
            raise ProtocolError(416, "Unsupported URI Scheme")
        if method == "INVITE" and request.max_forwards == 0:
            raise ProtocolError(483, "Too Many Hops")
        self.owner.request_received(transaction, request)

    def usage(self, dialog: DialogId) -> Session | Subscription | None:
        """
        What a dialog is used for: the call, where there is one.
        """
        return self.dialogs.get(dialog) or next(iter(self.subscriptions.get(dialog, ())), None)

    def _usage_of(self, request: Request) -> Session | Subscription:
        dialog = (request.call_id, request.to_tag or "", request.from_tag or "")
        if request.method == "SUBSCRIBE":
            usage: Session | Subscription | None = self._subscription(dialog, Event.of(request))
        else:
            usage = self.usage(dialog)
        if usage is None:
            raise ProtocolError(481, "Call/Transaction Does Not Exist")
        return usage

    def _subscription(self, dialog: DialogId, event: Event | None) -> Subscription | None:
        if event is None:
            # RFC 6665 8.2.1
            raise ProtocolError(489, "Bad Event")
        found = [known for known in self.subscriptions.get(dialog, ()) if known.event.package == event.package]
        same = [known for known in found if known.event == event]
        if not same and len(found) == 1 and found[0].event.id is None:
            # RFC 3515 2.4.6: the first REFER in a dialog may be named by its number, or not.
            same = found
        return same[0] if same else None

    def _refuse(self, transaction: ServerTransaction, error: ProtocolError) -> None:
        headers = getattr(error, "headers", EXPLAINED.get(error.status, ()))
        min_se = getattr(error, "min_se", None)
        if min_se is not None:
            headers = (("Min-SE", str(min_se)),)
        invite = self.invites.get(transaction)
        if invite is not None:
            # Someone has it in hand already, who must hear of it.
            invite.failed(error)
        elif not transaction.answered:
            self.respond(transaction, error.status, error.reason, headers)


@implementer(IClientUser)
class Unheeded:
    """
    Who waits for the answer to a request that only has to arrive: nobody; its transaction repeats it while it must.
    """

    __slots__ = ()

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """
        Nothing.
        """

    def timed_out(self, transaction: ClientTransaction) -> None:
        """
        Nothing.
        """

    def failed(self, transaction: ClientTransaction, reason: str) -> None:
        """
        Nothing.
        """


UNHEEDED = Unheeded()


@implementer(IClientUser)
class LateBye:
    """
    The wait for the answer to a BYE that ends a dialog which came too late.
    """

    __slots__ = ("_dialog", "_under_way")

    def __init__(self, under_way: set[DialogId], dialog: DialogId) -> None:
        self._under_way = under_way
        self._dialog = dialog

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """
        It has ended.
        """
        if response.status >= 200:
            self._under_way.discard(self._dialog)

    def timed_out(self, transaction: ClientTransaction) -> None:
        """
        It was never heard of again.
        """
        self._under_way.discard(self._dialog)

    def failed(self, transaction: ClientTransaction, reason: str) -> None:
        """
        It can't be reached.
        """
        self._under_way.discard(self._dialog)


def new_tag() -> str:
    """
    Make a tag: 40 random bits (RFC 3261 19.3 asks for 32).
    """
    return random_hex(5)


def new_call_id() -> str:
    """
    Make a Call-ID that names no address of ours.
    """
    return random_hex(12)


def contact_of(flow: Flow, user: str) -> str:
    """
    Make our Contact value towards the peer of a flow: never ``sips:`` (phones behind plain proxies refuse it).
    """
    host, port = flow.sent_by
    if ":" in host:
        host = f"[{host}]"
    kind = "" if flow.transport == "UDP" else f";transport={flow.transport.lower()}"
    return f"<sip:{user}@{host}:{port}{kind}>"


