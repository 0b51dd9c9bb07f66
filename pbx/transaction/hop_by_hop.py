"""
The two requests that a transaction makes of the one it sent: the ACK to a refusal, and the CANCEL.

Both go to the next hop only, so they carry the INVITE's own top Via and its Route (RFC 3261 17.1.1.3 and 9.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.sip.message import Headers, Request

if TYPE_CHECKING:
    from pbx.sip.message import Response


def ack(invite: Request, response: Response) -> Request:
    """
    The ACK to a final response other than 2xx (RFC 3261 17.1.1.3).

    Args:
        invite: The INVITE as it was sent.
        response: The refusal; the ACK takes its To, for the tag.
    """
    return _made_of(invite, "ACK", response.headers.get("To") or "")


def cancel(invite: Request, reason: str | None = None) -> Request:
    """
    The CANCEL of an INVITE (RFC 3261 9.1).

    Args:
        invite: The INVITE as it was sent.
        reason: A Reason header, such as ``SIP;cause=200;text="Call completed elsewhere"`` (RFC 3326), which keeps a
            phone from listing the call as missed.
    """
    request = _made_of(invite, "CANCEL", invite.headers.get("To") or "")
    if reason is not None:
        request.headers.add("Reason", reason)
    return request


def _made_of(invite: Request, method: str, to: str) -> Request:
    theirs = invite.headers
    headers = Headers()
    headers.add("Via", theirs.get_all("Via")[0])
    headers.add("Max-Forwards", "70")
    for route in theirs.get_all("Route"):
        headers.add("Route", route)
    headers.add("From", theirs.get("From") or "")
    headers.add("To", to)
    headers.add("Call-ID", theirs.get("Call-ID") or "")
    headers.add("CSeq", f"{invite.cseq.number} {method}")
    return Request(method, invite.uri, headers)
