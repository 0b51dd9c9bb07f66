"""
One hop of a message's path (RFC 3261 20.42, RFC 3581).
"""

from __future__ import annotations

import re

from attrs import frozen

from pbx.sip.error import ParseError
from pbx.sip.grammar import (
    PLAIN_PARAMS,
    Params,
    find_param,
    format_params,
    number,
    parse_params,
    split_plain_params,
)
from pbx.sip.uri import parse_host

_via = re.compile(
    r"[Ss][Ii][Pp][ \t]*/[ \t]*2\.0[ \t]*/[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]+"
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+)[ \t]*(?::[ \t]*([0-9]+)[ \t]*)?"
).match

# What nearly every phone sends, read in one step. A port of five digits may be too great, and is looked at closer.
_HOP = r"SIP/2\.0/(UDP|TCP|TLS|WSS?) ([A-Za-z0-9._\-]+)(?::([0-9]{1,4}|[1-5][0-9]{4}))?"
_usual = re.compile(_HOP + "(" + PLAIN_PARAMS + ")").fullmatch
# And what most of them send in a request, whose parameters need not be taken apart first.
_plain = re.compile(_HOP + r";branch=([A-Za-z0-9\-.!%*_+`'~]+)(;rport)?").fullmatch


@frozen(slots=True)
class Via:
    """
    Who sent a request on one hop, and where the response to it goes.

    Attributes:
        transport: Upper case.
        host: IPv6 without brackets.
        port: ``None`` when not given.
        params: As written, in order.
    """

    transport: str
    host: str
    port: int | None = None
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Via:
        """
        One Via from its text.

        Raises:
            ParseError: It is none.
        """
        if (plain := _plain(text)) is not None:
            transport, host, digits, branch, rport = plain.groups()
            params: Params = (("branch", branch), ("rport", None)) if rport else (("branch", branch),)
            return cls(transport, host, int(digits) if digits else None, params)
        if (usual := _usual(text)) is not None:
            transport, host, digits, tail = usual.groups()
            return cls(transport, host, int(digits) if digits else None, split_plain_params(tail))
        found = _via(text)
        if found is None:
            raise ParseError("Malformed Via")
        transport, host, digits = found.groups()
        port = None if digits is None else number(digits, "Via", 65535)
        if host[0] == "[":
            host = parse_host(host, "Via")
        return cls(transport.upper(), host, port, parse_params(text[found.end() :], "Via"))

    def __str__(self) -> str:
        """
        The header value.
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.port is not None:
            host = f"{host}:{self.port}"
        return f"SIP/2.0/{self.transport} {host}{format_params(self.params)}"

    @property
    def branch(self) -> str | None:
        """
        The transaction's name on this hop.
        """
        return find_param(self.params, "branch") or None

    @property
    def received(self) -> str | None:
        """
        The address the request came from when ``host`` is another, IPv6 without brackets (RFC 5118 4.5: both are met).
        """
        value = find_param(self.params, "received")
        return value.strip("[]") or None if value else None

    @property
    def rport(self) -> int | None:
        """
        The port the request came from; ``None`` when not given, or not yet filled in.
        """
        value = find_param(self.params, "rport")
        if not value or not (value.isascii() and value.isdigit()) or len(value) > 5:
            return None
        return int(value)

    def with_received(self, host: str, port: int) -> Via:
        """
        This Via as the receiver of the request keeps it: with its source, and ``rport`` whether asked for or not.
        """
        mine = self.params
        if len(mine) == 2 and mine[1] == ("rport", None) and mine[0][0] == "branch":
            # What nearly every phone sends.
            return Via(self.transport, self.host, self.port, (mine[0], ("rport", str(port)), ("received", host)))
        stamps = {"rport": str(port), "received": host}
        params: list[tuple[str, str | None]] = []
        for pair in self.params:
            key = pair[0].lower()
            if key not in ("rport", "received"):
                params.append(pair)
            elif key in stamps:
                params.append((key, stamps.pop(key)))
        return Via(self.transport, self.host, self.port, (*params, *stamps.items()))
