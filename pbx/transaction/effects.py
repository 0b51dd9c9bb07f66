"""
What a transaction machine wants done: its answer to every input, carried out after its state has moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from pbx.sip.message import Request, Response


@frozen
class Send:
    """
    Send these bytes on the transaction's flow, for the first time or again.
    """

    data: bytes


@frozen
class StartTimer:
    """
    Start a timer, named by its letter in RFC 3261 table 4, that fires in so many seconds.
    """

    name: str
    seconds: float


@frozen
class StopTimer:
    """
    Stop a timer; one that does not run is no error.
    """

    name: str


@frozen
class PassUp:
    """
    Give this message to the transaction's user.
    """

    message: Request | Response


@frozen
class Cancel:
    """
    Send a CANCEL for this INVITE, as a transaction of its own (RFC 3261 9.1).
    """


@frozen
class TimedOut:
    """
    Tell the user that the peer has not answered in time.
    """


@frozen
class TransportFailed:
    """
    Tell the user that the message could not be sent.
    """


@frozen
class Terminated:
    """
    Forget the transaction, and stop its timers.
    """


Effect = Send | StartTimer | StopTimer | PassUp | Cancel | TimedOut | TransportFailed | Terminated
"""Any of the above."""
