"""
The Replaces header: which dialog an INVITE takes the place of (RFC 3891), also as a URI carries it (RFC 3261 19.1.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from attrs import frozen

from pbx.sip.error import ParseError
from pbx.sip.grammar import BLANK, find_param, is_token, parse_params

if TYPE_CHECKING:
    from pbx.sip.uri import URI

WHAT = "Replaces"
_UNESCAPED = "[]/?:+$-_.!~*'()"
"""What the value of a header may hold unescaped in a URI, besides letters and digits (RFC 3261 25.1)."""


@frozen(slots=True)
class Replaces:
    """
    A dialog as the side sees it that is to give it up.

    Attributes:
        call_id: Its Call-ID.
        to_tag: The tag of whoever receives this.
        from_tag: The tag of the other side.
        early_only: Whether it is to be replaced only while it is early.
    """

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Replaces:
        """
        One from the header's value.

        Raises:
            ParseError: It is none, or lacks a tag.
        """
        call_id, semicolon, tail = text.partition(";")
        call_id = call_id.strip(BLANK)
        if not call_id or not call_id.isprintable() or any(mark in call_id for mark in " ,"):
            raise ParseError(f"Malformed {WHAT}")
        params = parse_params((semicolon + tail).strip(BLANK), WHAT)
        names = [name.lower() for name, _ in params]
        to_tag, from_tag = find_param(params, "to-tag"), find_param(params, "from-tag")
        if not to_tag or not from_tag or not is_token(to_tag) or not is_token(from_tag):
            # RFC 3891 3: exactly one of each. A tag of 0 stands for none, which no dialog of ours has.
            raise ParseError(f"Malformed {WHAT}")
        if names.count("to-tag") > 1 or names.count("from-tag") > 1:
            raise ParseError(f"Malformed {WHAT}")
        return cls(call_id, to_tag, from_tag, "early-only" in names)

    @classmethod
    def within(cls, uri: URI) -> Replaces | None:
        """
        The one that a URI asks for among its headers, as a Refer-To does; ``None`` without one.

        Raises:
            ParseError: It is malformed, or there are several.
        """
        found = [value for name, value in uri.headers if unquote(name).lower() == "replaces"]
        if len(found) > 1:
            raise ParseError(f"Malformed {WHAT}")
        return cls.parse(unquote(found[0])) if found else None

    def __str__(self) -> str:
        """
        The header value.
        """
        text = f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}"
        return f"{text};early-only" if self.early_only else text

    @property
    def escaped(self) -> str:
        """
        The value of the header ``Replaces`` in a URI.
        """
        return quote(str(self), safe=_UNESCAPED)
