"""
Session timers (RFC 4028): who refreshes a session, how often, and when it has died unnoticed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from pbx.sip.message import ParseError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.sip.message import Message, Request, Response
    from pbx.transaction.timer_queue import Entry, TimerQueue

MIN_SE = 90
"""The smallest session interval that RFC 4028 4 allows, in seconds."""


REFRESH, EXPIRED = "refresh", "expired"
"""The names of its two timers, one of which runs."""


class IntervalTooSmall(ProtocolError):  # noqa: N818
    """
    The peer asked for a shorter session interval than we take: 422 with Min-SE (RFC 4028 9).
    """

    def __init__(self, min_se: int) -> None:
        super().__init__(422, "Session Interval Too Small")
        self.min_se = min_se


@frozen
class Agreement:
    """
    What both sides settled on for one session.

    Attributes:
        interval: The session interval in seconds.
        refresher: ``uac`` or ``uas`` of the request that carried it.
        required: Whether the answer must carry ``Require: timer``.
    """

    interval: int
    refresher: str
    required: bool

    @property
    def value(self) -> str:
        """
        The Session-Expires value.
        """
        return f"{self.interval};refresher={self.refresher}"


def asked_for(message: Message) -> tuple[int, str | None] | None:
    """
    Read Session-Expires: the interval in seconds and the refresher, or ``None`` where there is none.

    Raises:
        ParseError: 400 when it is malformed.
    """
    text = message.headers.get("Session-Expires")
    if text is None:
        return None
    number, _, params = text.partition(";")
    refresher = None
    for param in params.split(";"):
        name, _, value = param.partition("=")
        if name.strip().lower() == "refresher":
            refresher = value.strip().lower()
    number = number.strip()
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise ParseError("Bad Session-Expires")
    return int(number), refresher if refresher in ("uac", "uas") else None


def answer_to(request: Request, interval: int, min_se: int = MIN_SE) -> Agreement:
    """
    Decide as the side that answers an INVITE or UPDATE (RFC 4028 9).

    Args:
        request: The request.
        interval: The interval we would like, in seconds.
        min_se: The shortest we take.

    Raises:
        IntervalTooSmall: The request asks for less than ``min_se``.
    """
    asked = asked_for(request)
    supported = "timer" in request.option_tags("Supported")
    if asked is None:
        # RFC 4028 9, table 2: we refresh, which needs nothing of a peer without timers.
        return Agreement(max(interval, minimum(request)), "uas", required=supported)
    seconds, refresher = asked
    if seconds < min_se:
        if supported:
            raise IntervalTooSmall(min_se)
        # RFC 4028 8: a proxy asked on behalf of a user agent without timers; it could not understand a 422.
        seconds = min_se
    chosen = max(min(seconds, interval), minimum(request), min_se)
    if not supported:
        return Agreement(chosen, "uas", required=False)
    # RFC 4028 9: the caller's choice stands; the option tag is a MUST where it refreshes, a SHOULD where we do.
    return Agreement(chosen, refresher or "uac", required=True)


def answered_by(response: Response, interval: int) -> Agreement:
    """
    Read what the answering side decided (RFC 4028 7.2); with no word of it, we refresh at our own interval.
    """
    try:
        asked = asked_for(response)
    except ParseError:
        # The call is up, and not to be lost for this.
        asked = None
    if asked is None:
        return Agreement(interval, "uac", required=False)
    seconds, refresher = asked
    return Agreement(max(seconds, MIN_SE), refresher or "uac", required=False)


def minimum(message: Message) -> int:
    """
    Read Min-SE in seconds; :data:`MIN_SE` where there is none or it can't be read.
    """
    text = (message.headers.get("Min-SE") or "").partition(";")[0].strip()
    return max(int(text), MIN_SE) if text.isascii() and text.isdigit() and len(text) < 10 else MIN_SE


def fields(agreement: Agreement | None) -> tuple[tuple[str, str], ...]:
    """
    The header fields of a 2xx that tell what was agreed about the session timer (RFC 4028 9); none where nothing was.
    """
    if agreement is None:
        return ()
    found: tuple[tuple[str, str], ...] = (("Supported", "timer"), ("Session-Expires", agreement.value))
    return (*found, ("Require", "timer")) if agreement.required else found


class SessionTimer:
    """
    The clock of one session: calls ``refresh`` at half the interval when we refresh, ``expired`` when the peer did not.

    Attributes:
        agreement: What was settled last; ``None`` before the session is up.
        ours: Whether we refresh.
        min_se: The shortest interval that the peer has insisted on, 0 where it has not.
    """

    __slots__ = ("_expired", "_queue", "_refresh", "_timer", "agreement", "min_se", "ours")

    def __init__(self, queue: TimerQueue, refresh: Callable[[], None], expired: Callable[[], None]) -> None:
        self._queue = queue
        self._refresh = refresh
        self._expired = expired
        self._timer: Entry | None = None
        self.agreement: Agreement | None = None
        self.ours = False
        self.min_se = 0

    def start(self, agreement: Agreement, *, we_asked: bool) -> None:
        """
        Begin, or begin again after a refresh.

        Args:
            agreement: What the last INVITE or UPDATE settled.
            we_asked: Whether that request was ours: then ``uac`` means us.
        """
        self.stop()
        self.agreement = agreement
        self.ours = (agreement.refresher == "uac") == we_asked
        if self.ours:
            self._timer = self._queue.start(agreement.interval / 2, self, REFRESH)
        else:
            # RFC 4028 10: BYE a little before the end, min(32, interval/3) seconds.
            wait = agreement.interval - min(32, agreement.interval / 3)
            self._timer = self._queue.start(wait, self, EXPIRED)

    def stop(self) -> None:
        """
        Forget the pending refresh or expiry.
        """
        if self._timer is not None:
            self._queue.stop(self._timer)
            self._timer = None

    def end(self) -> None:
        """
        Stop for good, and let go of what was to be called.
        """
        self.stop()
        self._refresh = self._expired = _nothing

    def timer_fired(self, name: str) -> None:
        """
        The time has come to refresh, or to take the peer for dead.
        """
        self._timer = None
        if name == REFRESH:
            self._refresh()
        else:
            self._expired()


def _nothing() -> None:
    """
    What an ended timer would call.
    """
