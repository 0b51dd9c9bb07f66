"""
Holding the NAT mappings of UDP phones open: a ping every 25 s to each (RFC 5626 4.4.2 for the interval).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from twisted.logger import Logger

from pbx.dialog.useragent import new_call_id, new_tag

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from pbx.registrar.binding import Binding
    from pbx.registrar.location import Location

INTERVAL = 25
"""Seconds between two pings of one phone: mappings of home routers live for 30 s and more."""


class KeepAlive:
    """
    Pings a part of the phones behind NAT each second, so that each is pinged every :data:`INTERVAL` seconds.

    The ping is an OPTIONS, so that the phone's answer refreshes the mapping from inside too. It is sent once, outside
    any transaction: the next one is the repetition, and the answer is dropped as one that nobody waits for.

    Attributes:
        mark: What stands in each ping and its answer, and in no other message.
        sent: Pings sent.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, location: Location) -> None:
        self._clock = clock
        self._location = location
        self.mark = secrets.token_hex(8)
        self._turn = 0
        self._timer: IDelayedCall | None = None
        self.sent = 0

    def start(self) -> None:
        """
        Begin.
        """
        self._timer = self._clock.callLater(1, self._tick)

    def stop(self) -> None:
        """
        End.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = self._clock.callLater(1, self._tick)
        self._turn = (self._turn + 1) % INTERVAL
        for binding in self._location.all():
            if binding.nat and not binding.flow.reliable and hash(binding.aor) % INTERVAL == self._turn:
                self._ping(binding)

    def _ping(self, binding: Binding) -> None:
        flow = binding.flow
        host, port = flow.sent_by
        host = f"[{host}]" if ":" in host else host
        # RFC 3261 11.1: Accept is left out, nothing is asked but an answer.
        text = (
            f"OPTIONS {binding.contact} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{secrets.token_hex(8)};rport\r\n"
            "Max-Forwards: 70\r\n"
            f"From: <sip:ping@{host}>;tag={new_tag()}\r\n"
            f"To: <{binding.contact}>\r\n"
            f"Call-ID: {self.mark}{new_call_id()}\r\n"
            "CSeq: 1 OPTIONS\r\n"
            "Content-Length: 0\r\n\r\n"
        )
        flow.send(text.encode())
        self.sent += 1
