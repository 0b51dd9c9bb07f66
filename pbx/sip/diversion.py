"""
The Diversion header: who has sent a call on, and why (RFC 5806).
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from pbx.sip.address import NameAddr
from pbx.sip.error import ParseError
from pbx.sip.grammar import find_param, is_token, number, quote, split_list
from pbx.sip.uri import URI

WHAT = "Diversion"

MOST: Final = 100
"""The largest counter that is taken for one: no call is sent on so often."""

REASONS: Final = frozenset({
    "unknown", "user-busy", "no-answer", "unavailable", "unconditional", "time-of-day", "do-not-disturb", "deflection",
    "follow-me", "out-of-service", "away",
})
"""The reasons that the RFC names (4.3); there may be others."""


@frozen(slots=True)
class Diversion:
    """
    One who has sent a call on.

    Attributes:
        uri: Who that is.
        reason: Why: one of :data:`REASONS`, or another word.
        counter: How often, this time included.
        private: Whether it is not to be told to whoever is called.
        display: The name that goes with it; empty for none.
    """

    uri: URI
    reason: str = "unknown"
    counter: int = 1
    private: bool = False
    display: str = ""

    @classmethod
    def parse(cls, text: str) -> Diversion:
        """
        One value of the header.

        Raises:
            ParseError: It is none.
        """
        address = NameAddr.parse(text, WHAT)
        reason = find_param(address.params, "reason")
        counter = find_param(address.params, "counter")
        privacy = find_param(address.params, "privacy")
        return cls(
            address.uri,
            "unknown" if not reason else reason.lower(),
            1 if counter is None else max(1, number(counter, WHAT, MOST)),
            privacy is not None and privacy.lower() != "off",
            address.display,
        )

    @classmethod
    def parse_all(cls, values: list[str]) -> list[Diversion]:
        """
        All of a message, whoever diverted it last first (RFC 5806 3.2); malformed ones are passed over, since nothing
        depends on them.
        """
        found = []
        for value in values:
            try:
                found += [cls.parse(part) for part in split_list(value, WHAT)]
            except ParseError:
                continue
        return found

    def __str__(self) -> str:
        """
        The header value.

        Raises:
            ValueError: The name holds a line break.
        """
        reason = self.reason if is_token(self.reason) is not None else quote(self.reason)
        return str(NameAddr(self.display, self.uri, (
            ("reason", reason), ("counter", str(self.counter)), ("privacy", "full" if self.private else "off"),
        )))
