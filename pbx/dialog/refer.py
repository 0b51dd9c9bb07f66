"""
A REFER within a call: what the peer asks for, and how it is told what became of it (RFC 3515, RFC 4488, RFC 7647).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from twisted.logger import Logger

from pbx.dialog.subscription import Body, Subscription
from pbx.sip.event import Event
from pbx.sip.message import ProtocolError, response_to
from pbx.sip.refer import refer_to, referred_by
from pbx.sip.sipfrag import SIPFRAG, StatusLine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pbx.dialog.session import Session
    from pbx.sip.message import Request
    from pbx.sip.replaces import Replaces
    from pbx.sip.uri import URI
    from pbx.transaction.server_transaction import ServerTransaction
    from pbx.transaction.timer_queue import Entry

LASTING = 60
"""Seconds that the implicit subscription is said to last; it is prolonged while the transfer is under way."""

AGAIN = 50.0
"""Seconds after which it is prolonged by telling once more how things stand."""

MOST_PROLONGED = 5
"""How often. Nothing rings for longer, and a peer that has gone is not told for ever."""

MOST_LINES = 10
"""States that may wait to be told; further ones take the place of the last of them."""


class Refer:
    """
    One REFER of the peer, to be accepted or refused by whoever the session belongs to.

    Attributes:
        session: The session it came in.
        request: The request.
        refer_to: Its Refer-To, taken apart.
        target: Whom to call.
        replaces: The dialog that the call is to take the place of, ``None`` for a blind transfer.
        referred_by: Who asks, as the peer says itself; ``None`` where it does not.
        silent: Whether the peer wants to hear no more of it (RFC 4488).

    Raises:
        ProtocolError: 400 for a malformed one, 501 for another method than INVITE.
    """

    log = Logger()

    def __init__(self, session: Session, transaction: ServerTransaction, request: Request) -> None:
        self.session = session
        self.request = request
        self.refer_to = refer_to(request)
        self.target: URI = self.refer_to.target
        self.replaces: Replaces | None = self.refer_to.replaces
        self.referred_by = referred_by(request)
        self.silent = (request.headers.get("Refer-Sub") or "").partition(";")[0].strip().lower() == "false"
        if self.refer_to.method != "INVITE":
            raise ProtocolError(501, "Not Implemented")
        # RFC 3515 2.4.6: all but the first in a dialog are told apart by their CSeq number. The first goes without:
        # that is how phones know it.
        self._event = Event("refer", str(request.cseq.number) if session.referrals else None)
        self._transaction = transaction
        self._subscription: Subscription | None = None
        self._lines: deque[StatusLine] = deque()
        self._told: StatusLine | None = None
        self._final = False
        self._answered = False
        self._prolonged = 0
        self._timer: Entry | None = None

    def accept(self) -> None:
        """
        Answer with 202, and tell that it is being tried.
        """
        if self._answered:
            raise ValueError("the REFER has its answer")
        self._answered = True
        dialog = self.session.dialog
        response = response_to(self.request, 202)
        response.headers.add("Contact", dialog.contact)
        if self.silent:
            # RFC 4488 4
            response.headers.add("Refer-Sub", "false")
        self._transaction.respond(response)
        if self.silent:
            return
        self._subscription = Subscription(self.session.core, dialog, self._event, self)
        self._subscription.lasts(LASTING)
        self._prolong()
        self.progress(100)

    def refuse(self, status: int, reason: str | None = None, headers: Iterable[tuple[str, str]] = ()) -> None:
        """
        Answer with a final response of 300 and above; nothing is to be told then.
        """
        if self._answered:
            raise ValueError("the REFER has its answer")
        self._answered = True
        self.session.core.respond(self._transaction, status, reason, headers)

    def progress(self, status: int, reason: str | None = None) -> None:
        """
        Tell a provisional response of the call that is being made.
        """
        self._tell(StatusLine.of(status, reason), final=False)

    def done(self, status: int, reason: str | None = None) -> None:
        """
        Tell the final response, which ends the subscription. What is told afterwards is left out.
        """
        self._tell(StatusLine.of(status, reason), final=True)

    # Source

    def body(self) -> Body:
        """
        The next state that was not told yet, else the last one again.
        """
        if self._lines:
            self._told = self._lines.popleft()
        if self._subscription is not None and self._subscription.remaining < LASTING:
            self._subscription.lasts(LASTING)
        line = self._told or StatusLine.of(100)
        return Body(SIPFRAG, line.to_bytes())

    def more(self) -> bool:
        """
        Whether further states wait.
        """
        return bool(self._lines)

    def over(self) -> None:
        """
        Nobody is told any more.
        """
        self._subscription = None
        self._lines.clear()
        self._stop_timer()

    def timer_fired(self, name: str) -> None:
        """
        Prolong the subscription by a NOTIFY.
        """
        self._timer = None
        if self._subscription is not None and self._prolonged < MOST_PROLONGED:
            self._prolonged += 1
            self._subscription.changed()
            self._prolong()

    # Inside.

    def _tell(self, line: StatusLine, *, final: bool) -> None:
        if not self._answered:
            raise ValueError("accept() comes first")
        if self._final or self._subscription is None:
            return
        if len(self._lines) == MOST_LINES:
            self._lines.pop()
        self._lines.append(line)
        self._final = final
        if final:
            self._subscription.end("noresource")
        else:
            self._subscription.changed()

    def _prolong(self) -> None:
        self._timer = self.session.core.timer_queue.start(AGAIN, self, "again")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self.session.core.timer_queue.stop(self._timer)
            self._timer = None
