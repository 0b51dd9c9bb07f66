"""
Provisional responses that are sent until they are acknowledged (RFC 3262, the side that answers).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from pbx.dialog.acknowledgement import Acknowledgement
from pbx.sip.message import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IReactorTime

    from pbx.sip.message import Request, Response
    from pbx.transaction.timers import Timers

MOST_WAITING = 8
"""Provisional responses that may wait for the PRACK of an earlier one; later ones are left out, none must be sent."""


class ReliableProvisionals:
    """
    The reliable 1xx of one INVITE: one under way at a time, each repeated until its PRACK (RFC 3262 3).

    Args:
        clock: For the repetitions.
        timers: T1 and T2.
        send: Sends one response.
        missing: Called when a PRACK has not come for 64*T1.
    """

    __slots__ = ("_clock", "_missing", "_number", "_pending", "_send", "_then", "_timers", "_wait", "_waiting")

    def __init__(
        self,
        clock: IReactorTime,
        timers: Timers,
        send: Callable[[Response], None],
        missing: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._send = send
        self._missing = missing
        # RFC 3262 3: the first RSeq is chosen between 1 and 2**31 - 1.
        self._number = 1 + secrets.randbelow(2**30)
        self._pending: Response | None = None
        self._wait: Acknowledgement | None = None
        self._waiting: list[Response] = []
        self._then: Callable[[], None] | None = None

    def send(self, response: Response) -> None:
        """
        Send a 1xx with RSeq, or queue it behind the one that is not acknowledged yet.
        """
        if self._pending is not None:
            if len(self._waiting) < MOST_WAITING:
                self._waiting.append(response)
            return
        self._number += 1
        response.headers.set("Require", "100rel")
        response.headers.set("RSeq", str(self._number))
        self._pending = response
        self._wait = Acknowledgement(self._clock, self._timers, lambda: self._send(response), self._missing)
        self._send(response)

    def acknowledged(self, prack: Request) -> bool:
        """
        Take a PRACK; tell whether it is the one that was waited for (RFC 3262 3; otherwise it gets 481).

        Raises:
            ParseError: 400 when RAck is missing or malformed.
        """
        words = (prack.headers.get("RAck") or "").split()
        if len(words) != 3 or not (words[0].isascii() and words[0].isdigit() and words[1].isdigit()):
            raise ParseError("Bad RAck")
        pending = self._pending
        if pending is None or words[0] != pending.headers.get("RSeq") or int(words[1]) != pending.cseq.number:
            return False
        if self._wait is not None:
            self._wait.stop()
            self._wait = None
        self._pending = None
        if self._waiting:
            self.send(self._waiting.pop(0))
        elif self._then is not None:
            then, self._then = self._then, None
            then()
        return True

    def when_idle(self, then: Callable[[], None]) -> None:
        """
        Call ``then`` as soon as nothing waits for a PRACK: the 2xx must not overtake an SDP (RFC 3262 3).
        """
        if self._pending is None:
            then()
        else:
            self._then = then

    def stop(self) -> None:
        """
        A final response was chosen, or the call is gone: nothing is repeated any more.
        """
        if self._wait is not None:
            self._wait.stop()
            self._wait = None
        self._pending = None
        self._waiting.clear()
        self._then = None
