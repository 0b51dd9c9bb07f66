"""
The offer that a request may carry (RFC 3264 4, RFC 3261 13.2.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.sip.message import ProtocolError
from pbx.sip.multipart import sdp_of

if TYPE_CHECKING:
    from pbx.sip.message import Request

SDP = ("Content-Type", "application/sdp")
"""The header of a description."""


def offer_of(request: Request) -> bytes | None:
    """
    The offer in an INVITE or UPDATE; ``None`` where it has none.

    Raises:
        ProtocolError: 415 for a body that is no description (RFC 3261 8.2.3), 400 for one that can't be read.
    """
    sdp = sdp_of(request)
    if sdp is None and request.body and not request.content_type.startswith("multipart/"):
        raise ProtocolError(415, "Unsupported Media Type")
    return sdp
