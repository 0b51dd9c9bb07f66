"""
Requests and responses (RFC 3261 7), with typed access to what every floor above asks for.

A message is read as rows of text. The typed view of a header is made when it is first asked for and kept until a header
is changed, so that what nobody asks for costs nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from attrs import frozen

from pbx.sip.address import REPEATED, NameAddr, parse_list
from pbx.sip.error import ParseError as ParseError
from pbx.sip.error import ProtocolError as ProtocolError
from pbx.sip.grammar import number, split_list
from pbx.sip.headers import Headers as Headers
from pbx.sip.reasons import phrase
from pbx.sip.uri import URI
from pbx.sip.via import Via

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@frozen(slots=True)
class CSeq:
    """
    A request's number within its dialog, and its method (RFC 3261 20.16).
    """

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """
        A CSeq from the header's value.

        Raises:
            ParseError: It is none, or the number is not below 2**31 (RFC 3261 8.1.1.5).
        """
        # A request and its answers have the same, and most phones count from 1.
        return _known_cseq(text) if len(text) <= REPEATED else _read_cseq(text)

    def __str__(self) -> str:
        """
        The header value.
        """
        return f"{self.number} {self.method}"


def _read_cseq(text: str) -> CSeq:
    digits, _, method = text.partition(" ")
    method = method.strip(" \t")
    if not method or " " in method:
        raise ParseError("Malformed CSeq")
    return CSeq(number(digits, "CSeq", 0x7FFFFFFF), method)


_known_cseq = lru_cache(1024)(_read_cseq)


class Message:
    """
    What requests and responses have in common.

    Each typed property raises :class:`ParseError` when its header is malformed, stands twice where it must not, or is
    missing where every message has it.

    Attributes:
        headers: The header rows.
        body: The body, exactly as received or to be sent.
    """

    __slots__ = ("body", "headers")

    def __init__(self, headers: Headers, body: bytes = b"") -> None:
        self.headers = headers
        self.body = body

    def _memoised(self, key: str, name: str, read: Callable[[str], T]) -> T:
        memo = self.headers.memo
        if key in memo:
            found: T = memo[key]
            return found
        result = memo[key] = read(self._needed(name))
        return result

    def _needed(self, name: str) -> str:
        value = self.headers.single(name)
        if value is None:
            raise ParseError(f"Missing {name}")
        return value

    def check(self) -> None:
        """
        Read what every message must have, so that none of it fails later (RFC 3261 8.1.1).

        Raises:
            ParseError: Call-ID, CSeq, From, To or the top Via is missing or malformed.
        """
        self.call_id  # noqa: B018
        self.cseq  # noqa: B018
        self.from_  # noqa: B018
        self.to  # noqa: B018
        self.top_via  # noqa: B018

    @property
    def call_id(self) -> str:
        """
        The Call-ID (RFC 3261 20.8).
        """
        value = self.headers.single("Call-ID")
        if not value:
            raise ParseError("Missing Call-ID")
        return value

    @property
    def cseq(self) -> CSeq:
        """
        The CSeq.
        """
        return self._memoised("cseq", "CSeq", CSeq.parse)

    @property
    def from_(self) -> NameAddr:
        """
        Who sent the request.
        """
        return self._memoised("from", "From", _read_from)

    @property
    def to(self) -> NameAddr:
        """
        Whom the request was meant for at first.
        """
        return self._memoised("to", "To", _read_to)

    @property
    def from_tag(self) -> str | None:
        """
        The tag of From.
        """
        return _tag(self._needed("From"), "From")

    @property
    def to_tag(self) -> str | None:
        """
        The tag of To.
        """
        return _tag(self._needed("To"), "To")

    @property
    def top_via(self) -> Via:
        """
        The Via of the hop the message came over.
        """
        memo = self.headers.memo
        via: Via | None = memo.get("via")
        if via is None:
            value = self.headers.get("Via")
            if value is None:
                raise ParseError("Missing Via")
            via = memo["via"] = Via.parse(split_list(value, "Via")[0] if "," in value else value)
        return via

    def set_top_via(self, via: Via) -> None:
        """
        Replace the top Via, leaving those below, as the receiver of a request does (RFC 3261 18.2.1, RFC 3581 4).
        """
        headers, memo = self.headers, self.headers.memo
        value = headers.get("Via") or ""
        headers.set_first("Via", ", ".join([str(via), *split_list(value, "Via")[1:]]) if "," in value else str(via))
        # Nothing else that was read depends on it.
        memo["via"] = via
        headers.memo = memo

    @property
    def contacts(self) -> list[NameAddr]:
        """
        The addresses of all Contact rows; none for ``*``.
        """
        return [] if self.star_contact else self._addresses("Contact")

    @property
    def star_contact(self) -> bool:
        """
        Whether Contact is ``*``: all bindings (RFC 3261 10.2.2).
        """
        return self.headers.get("Contact") == "*" and len(self.headers.get_all("Contact")) == 1

    @property
    def routes(self) -> list[NameAddr]:
        """
        The hops the request has yet to visit.
        """
        return self._addresses("Route")

    @property
    def record_routes(self) -> list[NameAddr]:
        """
        The hops that want to see what follows in the dialog, top first.
        """
        return self._addresses("Record-Route")

    @property
    def max_forwards(self) -> int | None:
        """
        How many hops the request may still take, 0 to 255; ``None`` when not given.
        """
        value = self.headers.single("Max-Forwards")
        return None if value is None else number(value, "Max-Forwards", 255)

    @property
    def expires(self) -> int | None:
        """
        The Expires header in seconds, below 2**32; ``None`` when not given.
        """
        value = self.headers.single("Expires")
        return None if value is None else number(value, "Expires", 0xFFFFFFFF)

    @property
    def content_type(self) -> str:
        """
        The body's media type in lower case, without parameters; empty when not given.
        """
        value = self.headers.single("Content-Type")
        return "" if value is None else value.partition(";")[0].strip(" \t").lower()

    def option_tags(self, name: str) -> list[str]:
        """
        The elements of a header that lists tokens, over all its rows: option tags in lower case, methods as written.

        Args:
            name: ``Require``, ``Supported``, ``Proxy-Require``, ``Unsupported``, ``Allow``, ...
        """
        tags = []
        for value in self.headers.get_all(name):
            # RFC 3261 20.37: an empty Supported is allowed; empty elements harm nothing here.
            tags += [tag for part in value.split(",") if (tag := part.strip(" \t"))]
        return tags if name.lower() == "allow" else [tag.lower() for tag in tags]

    def _addresses(self, name: str) -> list[NameAddr]:
        found: list[NameAddr] = []
        for value in self.headers.get_all(name):
            if "," in value:
                found += parse_list(value, name)
            else:
                found.append(NameAddr.parse(value, name))
        return found

    def _start_line(self) -> str:
        raise NotImplementedError

    def to_bytes(self) -> bytes:
        """
        The message as it goes over the wire, with its Content-Length.

        Raises:
            ValueError: A value holds CR or LF, and would start another header.
        """
        rows = self.headers.items()
        lines = [self._start_line()]
        lines += [f"{name}: {value}" for name, value in rows]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        text = "\r\n".join(lines)
        breaks = len(rows) + 3
        if text.count("\n") != breaks or text.count("\r") != breaks:
            raise ValueError("a header holds a line break")
        return text.encode() + self.body


class Request(Message):
    """
    A request.

    Attributes:
        method: As written; methods are told apart by case.
        uri: The Request-URI as received.
    """

    __slots__ = ("method", "uri")

    def __init__(self, method: str, uri: str, headers: Headers, body: bytes = b"") -> None:
        self.method = method
        self.uri = uri
        self.headers = headers
        self.body = body

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Request)
            and self.method == other.method
            and self.uri == other.uri
            and self.headers == other.headers
            and self.body == other.body
        )

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Request({self.method!r}, {self.uri!r}, {self.headers!r}, {self.body!r})"

    @property
    def target(self) -> URI:
        """
        The Request-URI.

        Raises:
            ParseError: It is none (400), has headers, which no Request-URI may (RFC 3261 19.1.1), or its scheme is not
                one of ours (416).
        """
        target = URI.parse(self.uri)
        if target.scheme not in ("sip", "sips", "tel"):
            raise ParseError("Unsupported URI Scheme", 416)
        if target.headers:
            raise ParseError("Malformed Request-URI")
        return target

    @property
    def cseq(self) -> CSeq:
        """
        The CSeq, whose method must be the request's (RFC 3261 8.1.1.5).
        """
        cseq = self._memoised("cseq", "CSeq", CSeq.parse)
        if cseq.method != self.method:
            raise ParseError("CSeq names another method")
        return cseq

    def check(self) -> None:
        """
        Read what every request must have, so that none of it fails later (RFC 3261 8.1.1).

        Raises:
            ParseError: A header that every request has is missing or malformed, or Max-Forwards is malformed.
        """
        Message.check(self)
        self.max_forwards  # noqa: B018

    def _start_line(self) -> str:
        if " " in self.uri:
            raise ValueError("a Request-URI holds no space")
        return f"{self.method} {self.uri} SIP/2.0"


class Response(Message):
    """
    A response.

    Attributes:
        status: 100 to 699.
        reason: The phrase after it.
    """

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, headers: Headers, body: bytes = b"") -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Response)
            and self.status == other.status
            and self.reason == other.reason
            and self.headers == other.headers
            and self.body == other.body
        )

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Response({self.status}, {self.reason!r}, {self.headers!r}, {self.body!r})"

    def _start_line(self) -> str:
        return f"SIP/2.0 {self.status} {self.reason}"


_COPIED = frozenset({"Via", "From", "To", "Call-ID", "CSeq"})
_COPIED_WITH_ROUTE = _COPIED | {"Record-Route"}
_COPIED_BY_TRYING = _COPIED | {"Timestamp"}
_FORMS_DIALOG = frozenset({"INVITE", "SUBSCRIBE", "REFER", "NOTIFY"})


def response_to(request: Request, status: int, reason: str | None = None, to_tag: str | None = None) -> Response:
    """
    The response that a request gets, headers copied as text (RFC 3261 8.2.6).

    Nothing of the request is parsed for it, so that a malformed one can be answered too.

    Args:
        request: What is answered.
        status: 100 to 699.
        reason: The phrase; the status's own when not given.
        to_tag: What To gets for a tag when it has none.

    Returns:
        A response with all Vias, From, To, Call-ID and CSeq; the Record-Route too where it makes a dialog (RFC 3261
        12.1.1), the Timestamp in a 100.
    """
    copied = _COPIED
    if status == 100:
        copied = _COPIED_BY_TRYING
    elif status < 300 and request.method in _FORMS_DIALOG:
        copied = _COPIED_WITH_ROUTE
    rows = request.headers.rows_of(copied)
    if to_tag is not None:
        for at, (name, value) in enumerate(rows):
            if name == "To":
                if not _has_tag(value):
                    rows[at] = ("To", f"{value};tag={to_tag}")
                break
    return Response(status, phrase(status) if reason is None else reason, Headers(rows))


def _has_tag(value: str) -> bool:
    tail = value[value.rfind(">") + 1 :]
    if not tail or "tag" not in tail.lower():
        return False
    try:
        return NameAddr.parse(value).tag is not None
    except ParseError:
        return True


def _read_from(value: str) -> NameAddr:
    return NameAddr.parse(value, "From")


def _read_to(value: str) -> NameAddr:
    return NameAddr.parse(value, "To")


def _tag(value: str, what: str) -> str | None:
    # From and To return with each message of a call.
    return _known_tag(value, what) if len(value) <= REPEATED else _read_tag(value, what)


def _read_tag(value: str, what: str) -> str | None:
    # What nearly every phone writes is read without the rest: <...>;tag=... or nothing after the bracket.
    tail = value[value.rfind(">") + 1 :]
    if not tail:
        return None
    if tail[:5] == ";tag=" and tail.count(";") == 1 and '"' not in tail:
        return tail[5:].strip(" \t") or None
    return NameAddr.parse(value, what).tag


_known_tag = lru_cache(2048)(_read_tag)
