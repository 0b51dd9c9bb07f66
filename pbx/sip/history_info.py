"""
The History-Info header: all whom a call was meant for, and why it went on (RFC 7044; the causes of RFC 4458 and 8119).
"""

from __future__ import annotations

import re
from typing import Final

from attrs import evolve, frozen

from pbx.sip.address import NameAddr
from pbx.sip.error import ParseError
from pbx.sip.grammar import find_param, replace_param, split_list
from pbx.sip.uri import URI

WHAT = "History-Info"

CAUSE: Final = "cause"
"""The parameter of a URI that says why the call was sent to it (RFC 4458 2)."""

_is_index = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){0,99}").fullmatch


@frozen(slots=True)
class Entry:
    """
    One whom a call was meant for.

    Attributes:
        uri: Who that is.
        index: Its place: ``1``, then ``1.1`` for whom the first has sent it on to.
        mapped_from: The index of who has sent it here, another person (``mp``); empty for none.
        cause: Why it was sent here, as SIP says it: 302 always, 486 busy, 408 no answer, 404 unknown; ``None`` for
            none.
    """

    uri: URI
    index: str
    mapped_from: str = ""
    cause: int | None = None

    @classmethod
    def parse(cls, text: str) -> Entry:
        """
        One value of the header.

        Raises:
            ParseError: It is none.
        """
        address = NameAddr.parse(text, WHAT)
        index = find_param(address.params, "index") or ""
        mapped = find_param(address.params, "mp") or ""
        if _is_index(index) is None or (mapped and _is_index(mapped) is None):
            raise ParseError(f"Malformed {WHAT}")
        said = address.uri.param(CAUSE) or ""
        cause = int(said) if said.isascii() and said.isdigit() and len(said) == 3 else None
        uri = address.uri
        if cause is not None:
            uri = evolve(uri, params=tuple(pair for pair in uri.params if pair[0].lower() != CAUSE))
        return cls(uri, index, mapped, cause)

    @classmethod
    def parse_all(cls, values: list[str]) -> list[Entry]:
        """
        All of a message, the first first; malformed ones are passed over, since nothing depends on them.
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
        """
        uri = self.uri
        if self.cause is not None:
            uri = evolve(uri, params=replace_param(uri.params, CAUSE, str(self.cause)))
        params: tuple[tuple[str, str | None], ...] = (("index", self.index),)
        return str(NameAddr("", uri, (*params, ("mp", self.mapped_from)) if self.mapped_from else params))
