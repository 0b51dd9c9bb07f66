"""
What a status is called, and how SIP and the telephone network tell each other why a call ended (RFC 3261 21, RFC 3326,
RFC 3398 7.2.4.1 and 8.2.6.1, ITU-T Q.850).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from pbx.sip.error import ParseError
from pbx.sip.grammar import find_param, is_token, number, parse_params, quote, split_list, without_controls

if TYPE_CHECKING:
    from collections.abc import Iterable

PHRASES = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
    199: "Early Dialog Terminated",
    200: "OK", 202: "Accepted", 204: "No Notification",
    300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout",
    410: "Gone", 412: "Conditional Request Failed", 413: "Request Entity Too Large", 414: "Request-URI Too Long",
    415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 417: "Unknown Resource-Priority",
    420: "Bad Extension", 421: "Extension Required", 422: "Session Interval Too Small", 423: "Interval Too Brief",
    424: "Bad Location Information", 425: "Bad Alert Message", 428: "Use Identity Header",
    429: "Provide Referrer Identity", 430: "Flow Failed", 433: "Anonymity Disallowed", 436: "Bad Identity Info",
    437: "Unsupported Credential", 438: "Invalid Identity Header", 439: "First Hop Lacks Outbound Support",
    440: "Max-Breadth Exceeded", 469: "Bad Info Package", 470: "Consent Needed", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete",
    485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event",
    491: "Request Pending", 493: "Undecipherable", 494: "Security Agreement Required",
    500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large",
    555: "Push Notification Service Not Supported",
    580: "Precondition Failure",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable", 607: "Unwanted",
    608: "Rejected",
}  # fmt: skip
"""The registered statuses and their default phrases."""

_CLASSES = {1: "Progress", 2: "OK", 3: "Redirected", 4: "Request Failure", 5: "Server Failure", 6: "Global Failure"}


def phrase(status: int) -> str:
    """
    The default reason phrase of a status; of an unknown one, that of its class.
    """
    return PHRASES.get(status) or _CLASSES.get(status // 100, "Unknown")


CAUSES = {
    1: "Unallocated number", 2: "No route to specified transit network", 3: "No route to destination",
    16: "Normal call clearing", 17: "User busy", 18: "No user responding", 19: "No answer from user",
    20: "Subscriber absent", 21: "Call rejected", 22: "Number changed", 23: "Redirection to new destination",
    25: "Exchange routing error", 26: "Non-selected user clearing", 27: "Destination out of order",
    28: "Invalid number format", 29: "Facility rejected", 31: "Normal, unspecified", 34: "No circuit available",
    38: "Network out of order", 41: "Temporary failure", 42: "Switching equipment congestion",
    44: "Requested channel not available", 47: "Resource unavailable", 50: "Facility not subscribed",
    52: "Outgoing calls barred", 54: "Incoming calls barred", 55: "Incoming calls barred within CUG",
    57: "Bearer capability not authorized", 58: "Bearer capability not available",
    63: "Service or option not available", 65: "Bearer capability not implemented",
    69: "Facility not implemented", 70: "Only restricted digital bearer available",
    79: "Service or option not implemented", 87: "User not member of CUG", 88: "Incompatible destination",
    95: "Invalid message", 102: "Recovery on timer expiry", 111: "Protocol error", 127: "Interworking, unspecified",
}  # fmt: skip
"""The causes of ITU-T Q.850 that are met, and their names."""

_STATUS_TO_CAUSE = {
    400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102, 410: 22, 413: 127, 414: 127,
    415: 79, 416: 127, 420: 127, 421: 127, 422: 41, 423: 127, 429: 21, 430: 38, 433: 21, 480: 18, 481: 41, 482: 25,
    483: 25, 484: 28, 485: 1, 486: 17, 487: 16, 488: 65, 491: 41, 493: 41, 500: 41, 501: 79, 502: 38, 503: 41,
    504: 102, 505: 127, 513: 127, 580: 47, 600: 17, 603: 21, 604: 1, 606: 65, 607: 21, 608: 21,
}  # fmt: skip
"""RFC 3398 8.2.6.1, with the statuses that came later; 487 is a call given up, 488 and 606 lack a common codec."""


def cause_of_status(status: int) -> int:
    """
    The Q.850 cause for a SIP status: 16 for success, 31 for what is unknown (RFC 3398 8.2.6.1).
    """
    return 16 if status < 300 else _STATUS_TO_CAUSE.get(status, 31)


def reason_header(code: int, text: str | None = None) -> str:
    """
    A value of the Reason header (RFC 3326 2).

    Args:
        code: A Q.850 cause (below 128), or a final SIP status (200 or greater); no number is both.
        text: Words for people; the code's own name when not given.

    Raises:
        ValueError: The text holds a line break.
    """
    if code < 128:
        return str(Reason("Q.850", code, CAUSES.get(code, "") if text is None else text))
    return str(Reason("SIP", code, phrase(code) if text is None else text))


@frozen(slots=True)
class Reason:
    """
    Why a request was sent or a call ended, as one value of the Reason header says (RFC 3326 2).

    Attributes:
        protocol: ``SIP`` or ``Q.850``, or another, as written.
        cause: The number in that protocol; ``None`` when not given.
        text: Words for people; empty when not given.
    """

    protocol: str
    cause: int | None = None
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> Reason:
        """
        One value of the header.

        Raises:
            ParseError: It is none.
        """
        protocol, semicolon, tail = text.partition(";")
        protocol = protocol.strip(" \t")
        if is_token(protocol) is None:
            raise ParseError("Malformed Reason")
        params = parse_params(semicolon + tail, "Reason")
        cause = find_param(params, "cause")
        return cls(
            protocol,
            None if cause is None else number(cause, "Reason", 999),
            without_controls(find_param(params, "text") or ""),
        )

    def __str__(self) -> str:
        """
        The header value.

        Raises:
            ValueError: The text holds a line break.
        """
        cause = "" if self.cause is None else f";cause={self.cause}"
        return f"{self.protocol}{cause};text={quote(self.text)}" if self.text else f"{self.protocol}{cause}"


def parse_reasons(values: Iterable[str]) -> list[Reason]:
    """
    The reasons in the rows of the Reason header; malformed rows are passed over, since nothing depends on them.
    """
    reasons = []
    for value in values:
        try:
            reasons += [Reason.parse(part) for part in split_list(value, "Reason")]
        except ParseError:
            continue
    return reasons
