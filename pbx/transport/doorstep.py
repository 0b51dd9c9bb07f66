"""
Who comes before the exchange has opened: kept waiting for a moment, or sent away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger
from zope.interface import implementer

from pbx.sip.error import ProtocolError
from pbx.sip.message import Request
from pbx.transport.reception import IMessageReceiver

if TYPE_CHECKING:
    from pbx.sip.message import Response
    from pbx.transport.flow import Flow

MOST = 1000
"""Messages that are kept; phones repeat over UDP what is dropped beyond."""

MOST_BYTES = 4 * 1024 * 1024
"""Bytes of all of them together: a phone's message has some 1,000, a stranger's up to 65,535."""


@implementer(IMessageReceiver)
class Doorstep:
    """
    The receiver of messages until there is one who can serve them.

    The sockets are open a second or two before the directory is read. A phone that has just lost its connection comes
    back in that time, and over TCP it would not say a second time what was dropped.
    """

    log = Logger()

    def __init__(self) -> None:
        self._waiting: list[tuple[Request | Response, Flow]] = []
        self._bytes = 0
        self._sends_away = False

    def message_received(self, message: Request | Response, flow: Flow) -> None:
        """
        Keep a message.

        Raises:
            ProtocolError: 503, once :meth:`send_away` was called.
        """
        if self._sends_away:
            if isinstance(message, Request):
                raise ProtocolError(503, "Service Unavailable")
        elif len(self._waiting) < MOST:
            size = len(message.to_bytes())
            if self._bytes + size <= MOST_BYTES:
                self._bytes += size
                self._waiting.append((message, flow))

    def send_away(self) -> None:
        """
        It takes longer: forget who waits, and refuse who comes.
        """
        self._sends_away = True
        self._waiting.clear()
        self._bytes = 0

    def hand_over(self, receiver: IMessageReceiver) -> None:
        """
        Give the messages that were kept to the one who serves them, in order.
        """
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        for message, flow in waiting:
            if flow.closed:
                continue
            try:
                receiver.message_received(message, flow)
            except Exception:  # noqa: BLE001 - the border: the others are served
                self.log.failure("a message from {flow} could not be dealt with", flow=flow.name)
