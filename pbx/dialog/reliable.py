"""
Provisional responses that are sent until they are acknowledged (RFC 3262, the side that answers).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from pbx.dialog.acknowledgement import Acknowledgement
from pbx.sip.grammar import number
from pbx.sip.message import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.sip.message import Request, Response
    from pbx.transaction.timer_queue import TimerQueue
    from pbx.transaction.timers import Timers

MOST_RSEQ = 0xFFFFFFFF
"""RFC 3262 7.1"""

MOST_WAITING = 8
"""Provisional responses that may wait for the PRACK of an earlier one; later ones are left out, none must be sent."""


class ReliableProvisionals:
    """
    The reliable 1xx of one INVITE: one under way at a time, each repeated until its PRACK (RFC 3262 3).

    Args:
        queue: For the repetitions.
        timers: T1 and T2.
        send: Sends one response.
        missing: Called when a PRACK has not come for 64*T1.
    """

    __slots__ = ("_missing", "_number", "_pending", "_queue", "_send", "_then", "_timers", "_wait", "_waiting")

    def __init__(
        self,
        queue: TimerQueue,
        timers: Timers,
        send: Callable[[Response], None],
        missing: Callable[[], None],
    ) -> None:
        self._queue = queue
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
        # RFC 3262 3: the interval doubles without a bound but the 64*T1 of the whole.
        self._wait = Acknowledgement(
            self._queue, self._timers, lambda: self._send(response), self._missing, most=self._timers.timeout
        )
        self._send(response)

    def awaited(self, prack: Request) -> Response | None:
        """
        The 1xx that a PRACK acknowledges, when it is the one that waits for it (RFC 3262 3; otherwise it gets 481).

        Raises:
            ParseError: 400 when RAck is missing or malformed.
        """
        words = (prack.headers.get("RAck") or "").split()
        if len(words) != 3:
            raise ParseError("Malformed RAck")
        rseq, cseq = number(words[0], "RAck", MOST_RSEQ), number(words[1], "RAck", 0x7FFFFFFF)
        pending = self._pending
        if pending is None or rseq != self._number or (cseq, words[2]) != (pending.cseq.number, pending.cseq.method):
            return None
        return pending

    def acknowledged(self) -> None:
        """
        The PRACK has come and is answered: go on with what waited for it.
        """
        if self._wait is not None:
            self._wait.stop()
            self._wait = None
        self._pending = None
        if self._waiting:
            self.send(self._waiting.pop(0))
        elif self._then is not None:
            then, self._then = self._then, None
            then()

    def when_idle(self, then: Callable[[], None]) -> None:
        """
        Call ``then`` as soon as nothing waits for a PRACK: the 2xx must not overtake an SDP (RFC 3262 3).

        What was not sent yet is left out: the 2xx says it all.
        """
        self._waiting.clear()
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
