"""
What is subscribed to, and how the subscription stands: Event and Subscription-State (RFC 6665 8.2.1 and 8.2.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from pbx.sip.error import ParseError
from pbx.sip.grammar import BLANK, find_param, is_token, number, parse_params

if TYPE_CHECKING:
    from pbx.sip.message import Message


@frozen(slots=True)
class Event:
    """
    An event package, and which of several subscriptions to it in one dialog.

    Attributes:
        package: In lower case, such as ``dialog`` or ``message-summary``.
        id: ``None`` without one. A further REFER in a dialog has its CSeq number here (RFC 3515 2.4.6).
    """

    package: str
    id: str | None = None

    @classmethod
    def parse(cls, text: str) -> Event:
        """
        One from the header's value; parameters that belong to the package are left alone.

        Raises:
            ParseError: It is none.
        """
        package, semicolon, tail = text.partition(";")
        package = package.strip(BLANK)
        if is_token(package) is None:
            raise ParseError("Malformed Event")
        return cls(package.lower(), find_param(parse_params(semicolon + tail, "Event"), "id") or None)

    @classmethod
    def of(cls, message: Message) -> Event | None:
        """
        The one that a message names; ``None`` without one.

        Raises:
            ParseError: It is malformed, or stands twice.
        """
        value = message.headers.single("Event")
        return None if value is None else cls.parse(value)

    def __str__(self) -> str:
        """
        The header value.
        """
        return self.package if self.id is None else f"{self.package};id={self.id}"


@frozen(slots=True)
class SubscriptionState:
    """
    How a subscription stands when a NOTIFY is sent.

    Attributes:
        state: ``active``, ``pending`` or ``terminated``.
        expires: Seconds that it still lasts.
        reason: Why it has ended: ``noresource``, ``timeout``, ``deactivated``, ``probation``, ``rejected``, ``giveup``.
        retry_after: Seconds after which it may be tried again.
    """

    state: str
    expires: int | None = None
    reason: str | None = None
    retry_after: int | None = None

    @classmethod
    def parse(cls, text: str) -> SubscriptionState:
        """
        One from the header's value.

        Raises:
            ParseError: It is none.
        """
        what = "Subscription-State"
        state, semicolon, tail = text.partition(";")
        state = state.strip(BLANK)
        if is_token(state) is None:
            raise ParseError(f"Malformed {what}")
        params = parse_params(semicolon + tail, what)
        expires, retry_after = find_param(params, "expires"), find_param(params, "retry-after")
        return cls(
            state.lower(),
            None if expires is None else number(expires, what, 0xFFFFFFFF),
            find_param(params, "reason") or None,
            None if retry_after is None else number(retry_after, what, 0xFFFFFFFF),
        )

    def __str__(self) -> str:
        """
        The header value.
        """
        text = self.state
        if self.reason is not None:
            text += f";reason={self.reason}"
        if self.expires is not None:
            text += f";expires={self.expires}"
        return text if self.retry_after is None else f"{text};retry-after={self.retry_after}"
