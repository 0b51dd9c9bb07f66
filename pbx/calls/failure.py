"""
Why a call came to nothing, and which of several reasons the caller is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.calls.events import Disposition

BUSY = (486, 600, 603)
"""The answers of somebody who is there and does not take the call."""

NO_ANSWER = frozenset((18, 19, 102))
"""The causes that say that it rang and nobody came: ours, and those of a phone's own 480 and 408."""

MOVED = (301, 302)
"""The answers by which a phone sends its callers on to another number."""

GLOBAL = (600, 603, 604, 606, 607)
"""The answers that speak for the person, not for one phone (RFC 3261 21.6)."""

PREFERENCE = (600, 603, 604, 606, 607, 486, 480, 408)
"""Of several answers the caller gets the first of these, else the first that came."""


@frozen
class Failure:
    """
    Why an attempt came to nothing.

    Attributes:
        status: The SIP status for the caller.
        cause: The cause of ITU-T Q.850.
        text: The reason in words.
        moved_to: The number that a phone sends its callers on to (RFC 3261 21.3), empty for none.
        moved_by: The extension whose phone that is.
    """

    status: int
    cause: int
    text: str
    moved_to: str = ""
    moved_by: str = ""

    @property
    def disposition(self) -> Disposition:
        """
        What the record calls it.
        """
        if self.status in BUSY:
            return "busy"
        return "no answer" if self.cause in NO_ANSWER else "failed"


def best(failures: Sequence[Failure]) -> Failure:
    """
    The answer that the caller gets when all phones have refused (RFC 3261 16.7, step 6, for people).
    """
    if failures and failures[0].moved_to:
        return failures[0]
    for status in PREFERENCE:
        for failure in failures:
            if failure.status == status:
                return failure
    if not failures:
        return Failure(480, 20, "Not registered")
    first = failures[0]
    # 401, 407 and 3xx of a phone are no answer for the caller.
    if first.status in (401, 407) or first.status < 400:
        return Failure(480, 31, f"Phone answered {first.status}")
    return first
