"""
Which transaction a message belongs to (RFC 3261 17.1.3, 17.2.3, 9.2 and 8.2.2.2): the keys of the layer's tables.

A key is one string, for there may be tens of thousands of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.sip.token import random_hex

if TYPE_CHECKING:
    from pbx.sip.message import Request, Response
    from pbx.sip.via import Via

COOKIE = "z9hG4bK"
"""How the branch of a client begins that makes each branch unique (RFC 3261 8.1.1.7)."""

DEFAULT_PORTS = {"TLS": 5061, "WSS": 443, "WS": 80}
"""The port of a Via that names none, where it is not 5060 (RFC 3261 18.1.1, RFC 7118 5.4)."""


def new_branch() -> str:
    """
    A branch that nobody can guess: a response is believed for bearing it.
    """
    return COOKIE + random_hex(8)


def port_of(via: Via) -> int:
    """
    The port of a Via's sent-by, given or meant.
    """
    return DEFAULT_PORTS.get(via.transport, 5060) if via.port is None else via.port


def response_key(response: Response) -> str:
    """
    The key of the client transaction that a response answers (RFC 3261 17.1.3).

    Raises:
        ParseError: Via or CSeq is missing or malformed.
    """
    return client_key(response.cseq.method, response.top_via.branch or "")


def client_key(method: str, branch: str) -> str:
    """
    The key of a client transaction. Its CANCEL has the same branch, but another method.
    """
    return f"{method} {branch}"


def server_key(request: Request, method: str) -> str:
    """
    The key of the server transaction that a request makes, or repeats (RFC 3261 17.2.3).

    Args:
        request: The request.
        method: The method of the transaction looked for: its own, or ``"INVITE"`` for an ACK, and for a CANCEL (9.2).

    Raises:
        ParseError: Via, or another header that is needed, is missing or malformed.
    """
    via = request.top_via
    branch = via.branch
    if branch is not None and branch.startswith(COOKIE) and len(branch) > len(COOKIE):
        return f"{method} {branch} {via.host.lower()}:{port_of(via)}"
    # An RFC 2543 client (old gateways; also one that writes the bare cookie always): its branch, if any, need not be
    # unique, so the request itself is compared. RFC 3261 17.2.3 compares To tags too, but what has the same Call-ID,
    # From tag and CSeq number differs in them only between an INVITE and its ACK, where ours is not in the INVITE.
    return (
        f"{method} {request.uri} {request.call_id} {request.from_tag} {request.cseq.number}"
        f" {via.host.lower()}:{port_of(via)};{branch or ''}"
    )


def merge_key(request: Request) -> str | None:
    """
    What copies of one request have in common that came by several ways (RFC 3261 8.2.2.2), or ``None`` in a dialog.

    Raises:
        ParseError: From, To, Call-ID or CSeq is missing or malformed.
    """
    if request.to_tag is not None:
        return None
    return f"{request.method} {request.call_id} {request.from_tag} {request.cseq.number}"
