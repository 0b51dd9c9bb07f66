"""
The session description of a message, wherever in its body it is, and bodies that hold something besides (RFC 5621,
RFC 2046 5.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from pbx.sip.error import ParseError
from pbx.sip.grammar import BLANK, find_param, parse_params
from pbx.sip.token import random_hex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.sip.message import Message

MAX_PARTS = 32
"""Parts looked at in one body: SDP, a location, a resource list and ISUP are four."""

MAX_DEPTH = 3
"""How deep parts hold parts: RFC 5621 3.1 asks for mixed around alternative."""


@frozen
class Part:
    """
    Something that goes along with a session description.

    Attributes:
        content_type: What it is.
        content: It.
        content_id: What refers to it (``cid:``, RFC 2392), without ``<`` and ``>``; empty for nothing.
    """

    content_type: str
    content: bytes
    content_id: str = ""


def mixed(parts: Sequence[Part]) -> tuple[str, bytes]:
    """
    A body of several parts, and its Content-Type.
    """
    boundary = random_hex(16)
    while any(boundary.encode() in part.content for part in parts):
        boundary = random_hex(16)
    body = b""
    for part in parts:
        head = f"--{boundary}\r\nContent-Type: {part.content_type}\r\n"
        if part.content_id:
            head += f"Content-ID: <{part.content_id}>\r\n"
        body += head.encode() + b"\r\n" + part.content + b"\r\n"
    return f'multipart/mixed;boundary="{boundary}"', body + f"--{boundary}--\r\n".encode()


def sdp_of(message: Message) -> bytes | None:
    """
    The session description that a message carries as its body, or as a part of it; ``None`` without one.

    Raises:
        ParseError: Content-Type is malformed, or the parts can't be told apart.
    """
    if not message.body:
        return None
    content_type = message.content_type
    if content_type == "application/sdp":
        return message.body
    if content_type[:10] != "multipart/":
        return None
    value = message.headers.get("Content-Type") or ""
    return _find(value, message.body, MAX_DEPTH)


def _find(content_type: str, body: bytes, depth: int) -> bytes | None:
    for headers, content in _parts(content_type, body):
        inner = headers.get("content-type", "text/plain")
        kind = inner.partition(";")[0].strip(BLANK).lower()
        if kind == "application/sdp":
            # RFC 3959 3: an early-session description is about another session than the call's.
            if headers.get("content-disposition", "session").partition(";")[0].strip(BLANK).lower() == "session":
                return content
        elif kind[:10] == "multipart/" and depth > 1 and (found := _find(inner, content, depth - 1)) is not None:
            return found
    return None


def _parts(content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    _, semicolon, tail = content_type.partition(";")
    boundary = find_param(parse_params(semicolon + tail, "Content-Type"), "boundary")
    if not boundary or len(boundary) > 70:
        raise ParseError("Malformed Content-Type")
    delimiter = b"\r\n--" + boundary.encode()
    # RFC 2046 5.1.1: the delimiter owns the line break before it, which the first part of a body may lack.
    pieces = (b"\r\n" + body).split(delimiter, MAX_PARTS + 1)
    parts: list[tuple[dict[str, str], bytes]] = []
    for piece in pieces[1:]:
        if piece[:2] == b"--":
            return parts
        blank, line_break, content = piece.partition(b"\r\n")
        if not line_break or blank.strip(b" \t"):
            raise ParseError("Malformed multipart body")
        if content[:2] == b"\r\n":
            head, content = b"", content[2:]
        else:
            head, _, content = content.partition(b"\r\n\r\n")
        parts.append((_headers(head), content))
    raise ParseError("Malformed multipart body")


def _headers(head: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    text = head.decode("latin-1").replace("\r\n ", " ").replace("\r\n\t", " ")
    for line in text.split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip(BLANK).lower(), value.strip(BLANK))
    return headers
