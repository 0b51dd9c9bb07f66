"""
Names with addresses, as From, To, Contact, Route and Record-Route carry them (RFC 3261 20.10, 25.1).
"""

from __future__ import annotations

import re
from functools import lru_cache

from attrs import frozen

from pbx.sip.error import ParseError
from pbx.sip.grammar import (
    BLANK,
    Params,
    find_param,
    format_params,
    parse_params,
    quote,
    replace_param,
    split_list,
    take_quoted,
    without_controls,
)
from pbx.sip.uri import URI

REPEATED = 256
"""Characters of a header's value up to which what was read of it is kept: longer ones seldom return."""

# What nearly every phone sends, read in one step.
_usual = re.compile(r"""(?:"([^"\\]*)"[ \t]*)?<([^<>"]*)>(?:;tag=([A-Za-z0-9\-.!%*_+`'~]+))?""").fullmatch


@frozen(slots=True)
class NameAddr:
    """
    A display name, a URI and the header's own parameters.

    Attributes:
        display: As meant: without quotes, escapes and control characters; empty when there is none.
        uri: What is in the angle brackets.
        params: As written, in order; quoted values with their quotes.
    """

    display: str
    uri: URI
    params: Params = ()

    @classmethod
    def parse(cls, text: str, what: str = "address") -> NameAddr:
        """
        One address from a header's value.

        Args:
            text: Such as ``"Bob" <sip:bob@example.com>;tag=a``.
            what: The header's name, for the error.

        Raises:
            ParseError: It is none.
        """
        # Bounded by the length of each text and their count; what a phone says of itself returns all the time.
        return _known(text, what) if len(text) <= REPEATED else _parse(text, what)

    def __str__(self) -> str:
        """
        The header value.

        Raises:
            ValueError: The display name holds a line break.
        """
        address = f"{quote(self.display)} <{self.uri}>" if self.display else f"<{self.uri}>"
        return address + format_params(self.params) if self.params else address

    @property
    def tag(self) -> str | None:
        """
        The tag of a From or To; ``None`` without one.
        """
        return self.param("tag") or None

    def with_tag(self, tag: str) -> NameAddr:
        """
        The same address with this tag.
        """
        return NameAddr(self.display, self.uri, replace_param(self.params, "tag", tag))

    def param(self, name: str) -> str | None:
        """
        A parameter's value without quotes: ``""`` when it is there without one, ``None`` when it is absent.

        Args:
            name: In lower case.
        """
        return find_param(self.params, name) if self.params else None


def parse_list(text: str, what: str = "address") -> list[NameAddr]:
    """
    The addresses of a comma-separated header value.

    Raises:
        ParseError: One of them is none.
    """
    return [NameAddr.parse(part, what) for part in split_list(text, what)]


def _parse(text: str, what: str) -> NameAddr:
    if (usual := _usual(text)) is not None:
        quoted, address, tag = usual.groups()
        if quoted is None or quoted.isprintable():
            return NameAddr(quoted or "", _uri(address, what), () if tag is None else (("tag", tag),))
    if text[:1] == '"':
        taken = take_quoted(text)
        if taken is None:
            raise ParseError(f"Malformed {what}")
        display, text = taken
        text = text.lstrip(BLANK)
        if text[:1] != "<":
            raise ParseError(f"Malformed {what}")
        display = without_controls(display)
        text = text[1:]
    else:
        display, bracket, rest = text.partition("<")
        if not bracket or ";" in display:
            # RFC 3261 20.10: without brackets, what follows the first ';' belongs to the header; nothing after
            # '?' or ',' can be told apart then.
            address, semicolon, tail = text.partition(";")
            if "?" in address or "," in address:
                raise ParseError(f"Malformed {what}")
            return NameAddr("", _uri(address.strip(BLANK), what), parse_params(semicolon + tail, what))
        display = display.strip(BLANK)
        if '"' in display or "," in display:
            raise ParseError(f"Malformed {what}")
        display = without_controls(display)
        text = rest
    address, bracket, tail = text.partition(">")
    if not bracket:
        raise ParseError(f"Malformed {what}")
    tail = tail.strip(BLANK)
    return NameAddr(display, _uri(address, what), parse_params(tail, what) if tail else ())


_known = lru_cache(1024)(_parse)


def _uri(text: str, what: str) -> URI:
    try:
        return URI.parse(text)
    except ParseError:
        raise ParseError(f"Malformed {what}") from None
