"""
One subscription, as the side keeps it that notifies: its duration and its NOTIFYs (RFC 6665 4.2, RFC 5057).

It shares its dialog with a session where a REFER made it, and has one of its own where a SUBSCRIBE did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pbx.dialog.exchange import Exchange
from pbx.dialog.useragent import ALLOW, OURS
from pbx.sip.event import SubscriptionState
from pbx.sip.grammar import number
from pbx.sip.message import ParseError, ProtocolError, Response, response_to

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pbx.dialog.credentials import ICredentials
    from pbx.dialog.dialog import Dialog
    from pbx.dialog.useragent import UserAgentCore
    from pbx.sip.event import Event
    from pbx.sip.message import Request
    from pbx.transaction.server_transaction import ServerTransaction
    from pbx.transaction.timer_queue import Entry

GONE = frozenset((404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 503, 604))
"""The answers to a NOTIFY that end the subscription, and nothing else of the dialog (RFC 6665 4.2.2, RFC 5057 5.1)."""

MOST_TRIES = 3
"""How often a NOTIFY that was refused for the moment is made again before the next change."""

SHORTEST, LONGEST = 60, 3600
"""How long a subscription may last, in seconds; a shorter wish is 423, a longer one is cut (RFC 6665 4.2.1.1)."""

EXPIRES, PACE = "expires", "pace"
"""The names of its timers."""


@frozen(slots=True)
class Body:
    """
    The state that a NOTIFY tells.

    Attributes:
        content_type: What it is written in; empty where there is nothing to tell.
        content: The bytes.
    """

    content_type: str = ""
    content: bytes = b""


class Source(Protocol):
    """
    Whose state is told.
    """

    def body(self) -> Body:
        """
        The state as it is to be told next; called once for each NOTIFY that is made.
        """

    def more(self) -> bool:
        """
        Whether, once that NOTIFY was answered, another one is to follow.
        """

    def over(self) -> None:
        """
        The subscription has ended, for whatever reason.
        """


class Subscription:
    """
    One subscription, from the answer to the request that made it until its last NOTIFY was answered.

    Attributes:
        dialog: The dialog.
        event: What is subscribed to.
        credentials: Our requests to those who subscribe prove nothing: they are phones, or peers of a session.
        party: The extension that subscribed; empty where a session's peer did, which that session knows.
        until: When it ends unless it is refreshed, by the reactor's clock.
        alive: Whether it still is.

    Args:
        core: Where requests within the dialog come from.
        dialog: The dialog.
        event: What is subscribed to.
        source: Whose state is told.
        party: As the attribute.
        pace: Seconds between the begins of two NOTIFYs, but for those that answer a SUBSCRIBE, and the last.
    """

    log = Logger()
    credentials: ICredentials | None = None

    def __init__(
        self, core: UserAgentCore, dialog: Dialog, event: Event, source: Source, *, party: str = "", pace: float = 0.0
    ) -> None:
        self.core = core
        self.dialog = dialog
        self.event = event
        self.party = party
        self.until = 0.0
        self.alive = True
        self._source = source
        self._pace = pace
        self._ending: SubscriptionState | None = None
        self._dirty = False
        self._at_once = False
        self._exchange: Exchange | None = None
        self._not_before = core.clock.seconds()
        self._tries = 0
        self._timers: dict[str, Entry] = {}
        core.subscriptions.setdefault(dialog.id, []).append(self)

    @property
    def ending(self) -> bool:
        """
        Whether only the last NOTIFY is still to be sent or answered.
        """
        return self._ending is not None

    @property
    def remaining(self) -> int:
        """
        Seconds that it still lasts.
        """
        return max(0, round(self.until - self.core.clock.seconds()))

    # What the source does.

    def lasts(self, seconds: float) -> None:
        """
        Let it last this long from now on.
        """
        if self.alive and self._ending is None:
            self.until = self.core.clock.seconds() + seconds
            self._start_timer(EXPIRES, seconds)

    def changed(self, *, at_once: bool = False, after: float = 0.0) -> None:
        """
        Tell the state as soon as the NOTIFY before it is answered and its time has come.

        Args:
            at_once: Whatever the pace.
            after: Seconds until its time comes.
        """
        if self.alive:
            if after:
                self._not_before = self.core.clock.seconds() + after
            self._dirty = True
            self._at_once = self._at_once or at_once
            self.go_on()

    def end(self, reason: str, retry_after: int | None = None) -> None:
        """
        Tell the state for the last time.

        Args:
            reason: Why it ends, in the words of RFC 6665 4.1.3.
            retry_after: Seconds after which the peer may try again.
        """
        if self.alive and self._ending is None:
            self._ending = SubscriptionState("terminated", reason=reason, retry_after=retry_after)
            self._stop_timers()
            self.changed(at_once=True)

    def drop(self) -> None:
        """
        End it without a word to the peer.
        """
        if not self.alive:
            return
        self.alive = False
        self._stop_timers()
        kept = self.core.subscriptions.get(self.dialog.id, [])
        if self in kept:
            kept.remove(self)
        if not kept:
            self.core.subscriptions.pop(self.dialog.id, None)
        if self._exchange is not None:
            self._exchange.abandon()
        self._source.over()

    # From the core.

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        """
        Serve a SUBSCRIBE within the dialog: a refresh, or the end (RFC 6665 4.2.1.4).

        Raises:
            ProtocolError: With the status to answer.
        """
        elsewhere = transaction.flow.remote[0] != self.dialog.flow.remote[0]
        if elsewhere and not self.core.owner.trusts(transaction, request):
            return
        self.dialog.received(request, transaction.flow)
        if request.method == "OPTIONS":
            self._respond(transaction, 200, (("Allow", ALLOW), ("Supported", OURS)))
            return
        if request.method != "SUBSCRIBE" or self._ending is not None:
            raise ProtocolError(481, "Subscription Does Not Exist")
        seconds = wished(request)
        target = self.dialog.target_of(request)
        self.dialog.remote_target = target
        self.accepted(transaction, seconds)

    def accepted(self, transaction: ServerTransaction, seconds: int) -> None:
        """
        Answer a SUBSCRIBE with 200, and tell the whole state at once (RFC 6665 4.2.1.2).
        """
        headers = (("Expires", str(seconds)), ("Contact", self.dialog.contact), ("Allow", ALLOW))
        self._respond(transaction, 200, headers)
        if seconds:
            self.lasts(seconds)
            self.changed(at_once=True)
        else:
            self.until = self.core.clock.seconds()
            self.end("timeout")

    def timer_fired(self, name: str) -> None:
        """
        It was not refreshed, or the next NOTIFY may go.
        """
        self._timers.pop(name, None)
        if name == EXPIRES:
            self.end("timeout")
        else:
            self.go_on()

    # Usage

    def exchange_ended(self, exchange: Exchange) -> None:
        """
        The NOTIFY under way has its final response.
        """
        self._exchange = None

    def go_on(self) -> None:
        """
        Send the next NOTIFY, if there is one to send, and nothing to wait for.
        """
        if not self.alive or not self._dirty or self._exchange is not None:
            return
        wait = self._not_before - self.core.clock.seconds()
        if wait > 0 and not self._at_once:
            if PACE not in self._timers:
                self._start_timer(PACE, wait)
            return
        self._dirty = self._at_once = False
        self._not_before = self.core.clock.seconds() + self._pace
        body = self._source.body()
        last = None if self._source.more() else self._ending
        state = last or SubscriptionState("active", self.remaining)
        headers = [("Event", str(self.event)), ("Subscription-State", str(state)), ("Allow", ALLOW)]
        if body.content_type:
            headers.append(("Content-Type", body.content_type))
        done: Deferred[Response | int] = Deferred()
        exchange = self._exchange = Exchange(self, "NOTIFY", headers, body.content, done)
        done.addCallback(self._answered, last is not None)
        exchange.start(None)

    # Inside.

    def _answered(self, answer: Response | int, last: bool) -> None:
        if not self.alive:
            return
        status = answer if isinstance(answer, int) else answer.status
        if last or status in GONE:
            if status >= 300:
                self.log.info(
                    "{call_id}: NOTIFY answered with {status}", call_id=self.dialog.call_id, status=status
                )
            self.drop()
        elif status < 300:
            self._tries = 0
            if self._source.more():
                self.changed(at_once=True)
        elif self._tries < MOST_TRIES and isinstance(answer, Response):
            # RFC 6665 4.2.2: the state is told again, as it is then.
            self._tries += 1
            self._not_before = self.core.clock.seconds() + _pause(answer)
            self._dirty = True

    def _respond(self, transaction: ServerTransaction, status: int, headers: Iterable[tuple[str, str]]) -> None:
        response = response_to(transaction.request, status, to_tag=self.dialog.local_tag)
        for name, value in headers:
            response.headers.add(name, value)
        transaction.respond(response)

    def _start_timer(self, name: str, seconds: float) -> None:
        self._stop_timer(name)
        self._timers[name] = self.core.timer_queue.start(seconds, self, name)

    def _stop_timer(self, name: str) -> None:
        entry = self._timers.pop(name, None)
        if entry is not None:
            self.core.timer_queue.stop(entry)

    def _stop_timers(self) -> None:
        for name in list(self._timers):
            self._stop_timer(name)


class TooBrief(ProtocolError):  # noqa: N818
    """
    A subscription that would not last long enough: 423 with Min-Expires (RFC 6665 4.2.1.1).
    """

    headers = (("Min-Expires", str(SHORTEST)),)

    def __init__(self) -> None:
        super().__init__(423, "Interval Too Brief")


def wished(request: Request) -> int:
    """
    How long a SUBSCRIBE asks for, cut to what there is.

    Raises:
        TooBrief: It is too short to be worth it, and not 0.
    """
    seconds = request.expires
    if seconds is None:
        return LONGEST
    if 0 < seconds < SHORTEST:
        raise TooBrief
    return min(seconds, LONGEST)


def _pause(refusal: Response) -> float:
    value = (refusal.headers.get("Retry-After") or "5").partition("(")[0].partition(";")[0].strip()
    try:
        return min(max(number(value, "Retry-After", 0xFFFFFFFF), 1), 30)
    except ParseError:
        return 5
