"""
Bytes to messages: one datagram, or a stream of them (RFC 3261 7, 18.3).

A message is cut into rows of text and no more; what a row means is read when it is asked for (see
:mod:`pbx.sip.message`). Nothing but :class:`ParseError` is raised, whatever the bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import frozen

from pbx.sip.error import ParseError
from pbx.sip.grammar import BLANK, is_token, number
from pbx.sip.headers import NAMES, Headers, spelling
from pbx.sip.message import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_MESSAGE = 65_535
"""Bytes of a message: what fits a UDP datagram, and nothing a phone sends comes near it."""

MAX_HEADER = 32_768
"""Bytes of start line and headers in a stream: half a datagram; 70 Vias and a certificate fit."""

MAX_BODY = 65_535
"""Bytes of a body in a stream: the largest bodies are notified lists and pictures in MESSAGE, far below a datagram."""

MAX_HEADERS = 256
"""Header rows: Max-Forwards 70 leaves at most 70 Vias and 70 Record-Routes, and as much again is left for the rest."""

MAX_LINE = 8_192
"""Bytes of a header row: an Identity header with its URL has about 1,000; this bounds the cost of each row."""

KEEP_ALIVE = b"\r\n\x00 \t"
"""What datagrams that only keep a NAT's mapping open are made of: CRLFs (RFC 5626 3.5.1), NULs or blanks."""

_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9][0-9])(?: (.*))?", re.IGNORECASE | re.DOTALL).fullmatch
_METHODS = frozenset({
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE", "INFO", "SUBSCRIBE", "NOTIFY", "REFER",
    "MESSAGE", "PUBLISH",
})  # fmt: skip
_NEEDED_TO_ANSWER = ("Via", "From", "To", "Call-ID", "CSeq")


@frozen(slots=True)
class KeepAlive:
    """
    A double CRLF between two messages of a stream, to be answered with a single one (RFC 5626 3.5.1).
    """


def is_keep_alive(data: bytes) -> bool:
    """
    Whether a datagram is there only to keep a NAT's mapping open, and is to be dropped in silence.
    """
    return not data.strip(KEEP_ALIVE)


def parse(data: bytes) -> Request | Response:
    """
    The message in a datagram.

    Bytes after the body are dropped (RFC 3261 18.3), as are line breaks before the start line (RFC 3261 7.5).

    Raises:
        ParseError: It is no message, or one beyond the limits.
    """
    if len(data) > MAX_MESSAGE:
        raise ParseError("Message Too Large", 513)
    if data[:1] in b"\r\n":
        data = data.lstrip(b"\r\n")
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        # Some senders leave out the empty line when there is no body; what is cut off inside a header is no message.
        if head[-2:] != b"\r\n":
            raise ParseError("Message is cut off")
        head = head[:-2]
    message, length = _read_head(head)
    if length is not None and length != len(body):
        if length > len(body):
            raise ParseError("Body is shorter than Content-Length", partial=_answerable(message))
        body = body[:length]
    message.body = body
    return message


def _read_head(head: bytes) -> tuple[Request | Response, int | None]:
    """
    A message without its body from all before the empty line, and its Content-Length.
    """
    try:
        text = head.decode()
    except UnicodeDecodeError:
        # RFC 3261 25.1 has UTF-8; older phones (Panasonic, Snom before 8) send names in Latin-1.
        text = head.decode("latin-1")
    lines = text.split("\r\n")
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise ParseError("Bare CR or LF")
    start = lines[0]
    del lines[0]
    message: Request | Response
    if start[:4].upper() == "SIP/" and (found := _STATUS_LINE(start)) is not None:
        message = Response(int(found[1]), found[2] or "", _NONE)
    else:
        message = _read_request_line(start, lines)
    try:
        if len(lines) > MAX_HEADERS:
            raise ParseError("Too many headers", 513)  # noqa: TRY301
        if len(text) > MAX_LINE and max(map(len, lines), default=0) > MAX_LINE:
            raise ParseError("Header too long", 513)  # noqa: TRY301
        # Only space and tab are blanks; when all is ASCII the quicker strip() takes away nothing else that is printed.
        rows = _read_rows(lines, None if text.isascii() else BLANK)
        rows.reverse()
        first = dict(rows)
        rows.reverse()
        length = first.pop(_LENGTH, None)
        if length is not None:
            if rows[-1] == (_LENGTH, length):
                rows.pop()
            if len(rows) != len(first):
                rows = _without_length(rows, length)
        message.headers = Headers(rows, first)
        return message, (None if length is None else number(length, _LENGTH, 1 << 40))
    except ParseError as error:
        raise ParseError(error.reason, error.status, _salvage(message, lines)) from None


_NONE = Headers()
_LENGTH = NAMES["Content-Length"]


def _read_rows(lines: list[str], blank: str | None) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    names = NAMES
    for line in lines:
        # A known name without a colon passes for one without a value: to look for it would cost every message.
        name, _, value = line.partition(": ")
        try:
            rows.append((names[name], value.strip(blank)))
        except KeyError:
            if line[:1] in BLANK and rows:
                # RFC 3261 7.3.1: a row may be continued on lines that start with a blank.
                name, value = rows[-1]
                rows[-1] = (name, f"{value} {line.strip(blank)}".strip(blank))
            else:
                rows.append(_read_uncommon_row(line, blank))
    return rows


def _read_uncommon_row(line: str, blank: str | None) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    # RFC 3261 7.3.1: blanks may stand before the colon.
    name = name.rstrip(BLANK)
    if not colon or is_token(name) is None:
        raise ParseError("Malformed header name")
    return spelling(name), value.strip(blank)


def _without_length(rows: list[tuple[str, str]], length: str) -> list[tuple[str, str]]:
    if any(name == _LENGTH and value != length for name, value in rows):
        raise ParseError("Several Content-Length headers")
    return [row for row in rows if row[0] != _LENGTH]


def _read_request_line(start: str, lines: list[str]) -> Request:
    parts = start.split(" ")
    if len(parts) != 3:
        # RFC 4475 3.1.2.8-10: what is meant by blanks elsewhere is a guess.
        if len(parts) > 3 and is_token(parts[0]) is not None:
            raise ParseError("Malformed Request-Line", partial=_salvage(Request(parts[0], "", _NONE), lines))
        raise ParseError("Malformed Request-Line")
    method, uri, version = parts
    if (method not in _METHODS and is_token(method) is None) or not uri:
        raise ParseError("Malformed Request-Line")
    request = Request(method, uri, _NONE)
    if version != "SIP/2.0" and version.upper() != "SIP/2.0":
        if version[:4].upper() == "SIP/":
            raise ParseError("Version Not Supported", 505, _salvage(request, lines))
        raise ParseError("Malformed Request-Line", partial=_salvage(request, lines))
    return request


def _salvage(message: Request | Response, lines: list[str]) -> Request | None:
    """
    The request with those rows that can be read, when they are enough to answer it.
    """
    rows: list[tuple[str, str]] = []
    for line in lines[:MAX_HEADERS]:
        try:
            if line[:1] in BLANK:
                rows += _read_rows([":".join(rows.pop()), line], BLANK) if rows else []
            else:
                rows.append(_read_uncommon_row(line, BLANK))
        except ParseError:
            # What continues this row must not be taken for a part of the one before.
            rows.append(("", ""))
    message.headers = Headers([row for row in rows if row[0] not in ("", _LENGTH) and len(row[1]) <= MAX_LINE])
    return _answerable(message)


def _answerable(message: Request | Response) -> Request | None:
    # RFC 3261 17.1.1.3: nothing answers an ACK.
    if not isinstance(message, Request) or message.method == "ACK":
        return None
    headers = message.headers
    return message if all(headers.get(name) is not None for name in _NEEDED_TO_ANSWER) else None


class StreamParser:
    """
    The messages of one TCP or TLS connection, whatever the pieces it comes in.

    Where a message is malformed, the next one can't be found: nothing more comes out, and the connection must be
    closed.

    Args:
        max_header: Bytes of a message's head.
        max_body: Bytes of its body.
        seen: Shown the bytes of each message as it came, of a malformed one its head.

    Attributes:
        error: What was wrong with the stream; ``None`` as long as it is sound.
    """

    __slots__ = ("_buffer", "_head", "_length", "_max_body", "_max_header", "_message", "_scanned", "_seen", "error")

    def __init__(
        self, max_header: int = MAX_HEADER, max_body: int = MAX_BODY, seen: Callable[[bytes], object] | None = None
    ) -> None:
        self.error: ParseError | None = None
        self._seen = seen
        self._head = b""
        self._buffer = bytearray()
        self._message: Request | Response | None = None
        self._length = 0
        self._scanned = 0
        self._max_header = max_header
        self._max_body = max_body

    def __len__(self) -> int:
        """
        How many bytes wait for the rest of their message.
        """
        return len(self._buffer)

    @property
    def broken(self) -> bool:
        """
        Whether the stream is malformed, so that the connection must be closed.
        """
        return self.error is not None

    def feed(self, data: bytes) -> list[Request | Response | KeepAlive]:
        """
        The messages that these bytes complete, and the keep-alives between them.

        Raises:
            ParseError: The stream is malformed, now or before. When messages come before the malformed one in these
                bytes, they are returned, :attr:`error` is set, and the next call raises.
        """
        if self.error is not None:
            raise self.error
        self._buffer += data
        done: list[Request | Response | KeepAlive] = []
        try:
            while (item := self._next()) is not None:
                done.append(item)
        except ParseError as error:
            self.error = error
            self._buffer.clear()
            if not done:
                raise
        return done

    def _next(self) -> Request | Response | KeepAlive | None:
        buffer = self._buffer
        message = self._message
        if message is None:
            while buffer[:2] == b"\r\n":
                if buffer[:4] == b"\r\n\r\n":
                    del buffer[:4]
                    return KeepAlive()
                if b"\r\n\r\n".startswith(buffer):
                    return None
                # The pong to a ping of ours, or a stray line break before a message (RFC 3261 7.5).
                del buffer[:2]
            end = buffer.find(b"\r\n\r\n", self._scanned)
            if (end if end >= 0 else len(buffer)) > self._max_header:
                self._show(bytes(buffer[: self._max_header]))
                raise ParseError("Message Too Large", 513)
            if end < 0:
                self._scanned = max(0, len(buffer) - 3)
                return None
            head = bytes(buffer[:end])
            try:
                message = self._begin(head)
            except ParseError:
                self._show(head)
                raise
            if self._seen is not None:
                self._head = head
            self._scanned = 0
            del buffer[: end + 4]
        if len(buffer) < self._length:
            self._message = message
            return None
        self._message = None
        message.body = bytes(buffer[: self._length])
        del buffer[: self._length]
        if self._seen is not None:
            self._seen(self._head + b"\r\n\r\n" + message.body)
        return message

    def _show(self, data: bytes) -> None:
        if self._seen is not None:
            self._seen(data)

    def _begin(self, head: bytes) -> Request | Response:
        message, length = _read_head(head)
        if length is None:
            # RFC 3261 20.14: over a stream it must be there.
            raise ParseError("Missing Content-Length", partial=_answerable(message))
        if length > self._max_body:
            raise ParseError("Message Too Large", 513, _answerable(message))
        self._length = length
        return message
