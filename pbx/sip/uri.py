"""
SIP, SIPS and tel URIs (RFC 3261 19.1, RFC 3966); of any other scheme only the text is kept.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import quote, unquote

from attrs import frozen

from pbx.sip.error import ParseError
from pbx.sip.grammar import Params, find_param, format_params, is_host, number

MALFORMED = "Malformed URI"

USER = "-_.!~*'()&=+$,;?/"
"""What may stand unescaped in the user part of a URI, besides letters and digits (RFC 3261 25.1)."""

_scheme = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*").fullmatch
# Printable ASCII without space, quotes and angle brackets. More than the RFC allows: phones (Grandstream, Yealink) send
# dialled '#' unescaped, and '[' or '|' do no harm here.
_printable = re.compile(r"[!#-;=?-~]+").fullmatch
_three_colons = re.compile(r":::(?=[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+\Z)")


@frozen(slots=True)
class URI:
    """
    An address as a SIP message names it.

    Attributes:
        scheme: Lower case.
        user: As written, with its escapes; ``None`` without ``@``. Of a tel URI the number, of another scheme all that
            follows the colon.
        password: As written, or ``None``.
        host: As written, IPv6 without brackets; empty when the scheme is neither sip nor sips.
        port: ``None`` when not given.
        params: As written, in order.
        headers: As written, in order, still escaped.
    """

    scheme: str
    user: str | None
    password: str | None = None
    host: str = ""
    port: int | None = None
    params: Params = ()
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> URI:
        """
        A URI from its text, without angle brackets.

        Raises:
            ParseError: It is none.
        """
        # Bounded by the length of each text and their count; the URIs of phones and numbers return all the time.
        return _cached(text) if len(text) <= 128 else _parse(text)

    def __str__(self) -> str:
        """
        The URI as it stands in a message, without angle brackets.
        """
        host = self.host
        if not host:
            return f"{self.scheme}:{self.user}{format_params(self.params)}"
        if ":" in host:
            host = f"[{host}]"
        if self.port is not None:
            host = f"{host}:{self.port}"
        if self.user is not None:
            user = self.user if self.password is None else f"{self.user}:{self.password}"
            host = f"{user}@{host}"
        text = f"{self.scheme}:{host}{format_params(self.params)}" if self.params else f"{self.scheme}:{host}"
        if self.headers:
            text += "?" + "&".join([f"{name}={value}" for name, value in self.headers])
        return text

    def param(self, name: str) -> str | None:
        """
        A parameter's value: ``""`` when it is there without one, ``None`` when it is absent.

        Args:
            name: In lower case.
        """
        if not self.params:
            return None
        value = find_param(self.params, name)
        if value is None and any("%" in key for key, _ in self.params):
            # RFC 4475 3.1.1.3: names may be escaped too.
            return find_param(tuple([(unquote(key), text) for key, text in self.params]), name)
        return value

    def equivalent(self, other: URI) -> bool:
        """
        Whether the two name the same resource by the rules of RFC 3261 19.1.4.
        """
        if self is other or self == other:
            return True
        if self.scheme != other.scheme or self.port != other.port:
            return False
        if _plain(self.user) != _plain(other.user) or _plain(self.password) != _plain(other.password):
            return False
        if _comparable_host(self.host) != _comparable_host(other.host):
            return False
        mine, theirs = _comparable_params(self.params), _comparable_params(other.params)
        # RFC 3261 19.1.4: any parameter of both must match; these count even when only one has them.
        if any(mine[name] != theirs[name] for name in mine.keys() & theirs.keys()):
            return False
        if any(name in _WEIGHTY for name in mine.keys() ^ theirs.keys()):
            return False
        return _comparable_headers(self.headers) == _comparable_headers(other.headers)


_WEIGHTY = frozenset({"user", "ttl", "method", "maddr", "transport"})


@lru_cache(maxsize=4096)
def user_part(text: str) -> str:
    """
    A number or an account as the user part of a URI: what may not stand there is escaped, whoever has written it.
    """
    return quote(text, safe=USER)


def host_part(host: str) -> str:
    """
    A host as a URI has it: IPv6 in brackets.
    """
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def parse_host(text: str, what: str = "URI") -> str:
    """
    A host from its text: a name, an IPv4 address, or an IPv6 address in brackets, which are taken off.

    Args:
        text: The host alone.
        what: Where it stands, for the error.

    Raises:
        ParseError: It is none of these.
    """
    if text[:1] == "[" and text[-1:] == "]":
        address = _ipv6(text[1:-1]) if len(text) <= 64 else None
        if address is not None:
            return address
    elif is_host(text) is not None:
        return text
    raise ParseError(f"Malformed {what}")


def _parse_host_port(text: str) -> tuple[str, int | None]:
    if text[:1] == "[":
        host, bracket, rest = text.partition("]")
        if rest and rest[0] != ":":
            raise ParseError(MALFORMED)
        return parse_host(host + bracket), (number(rest[1:], "URI", 65535) if rest else None)
    host, colon, port = text.partition(":")
    return parse_host(host), (number(port, "URI", 65535) if colon else None)


@lru_cache(maxsize=1024)
def _ipv6(text: str) -> str | None:
    # RFC 5118 4.10: the grammar of RFC 3261 asks for three colons before an IPv4 address; what it means has two.
    text = _three_colons.sub("::", text)
    if "%" in text:
        # A zone means nothing beyond the machine it was given on.
        return None
    try:
        IPv6Address(text)
    except AddressValueError:
        return None
    return text


def _parse(text: str) -> URI:
    scheme, colon, rest = text.partition(":")
    if not colon or _printable(rest) is None or _scheme(scheme) is None:
        raise ParseError(MALFORMED)
    scheme = scheme.lower()
    if scheme == "tel":
        digits, semicolon, tail = rest.partition(";")
        if not digits:
            raise ParseError(MALFORMED)
        return URI(scheme, digits, params=_params(tail) if semicolon else ())
    if scheme not in ("sip", "sips"):
        return URI(scheme, rest)
    user = password = None
    # The user part may hold ';' and '?', so '@' is looked for first; nothing after it may hold another.
    userinfo, at, tail = rest.partition("@")
    if at:
        user, colon, secret = userinfo.partition(":")
        if not user or "@" in tail:
            raise ParseError(MALFORMED)
        password = secret if colon else None
    else:
        tail = rest
    tail, question, fields = tail.partition("?")
    hostport, semicolon, tail = tail.partition(";")
    host, port = _parse_host_port(hostport)
    return URI(
        scheme,
        user,
        password,
        host,
        port,
        _params(tail) if semicolon else (),
        _headers(fields) if question else (),
    )


_cached = lru_cache(maxsize=2048)(_parse)


def _params(text: str) -> Params:
    params = []
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if not name:
            raise ParseError(MALFORMED)
        params.append((name, value if equals else None))
    return tuple(params)


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    headers = []
    for part in text.split("&"):
        name, equals, value = part.partition("=")
        if not name or not equals:
            raise ParseError(MALFORMED)
        headers.append((name, value))
    return tuple(headers)


def _plain(text: str | None) -> str | None:
    return unquote(text) if text is not None and "%" in text else text


def _comparable_host(host: str) -> str:
    return IPv6Address(host).compressed if ":" in host else host.lower()


def _comparable_params(params: Params) -> dict[str, str | None]:
    return {name.lower(): value and unquote(value).lower() for name, value in params}


def _comparable_headers(headers: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return sorted((unquote(name).lower(), unquote(value)) for name, value in headers)
