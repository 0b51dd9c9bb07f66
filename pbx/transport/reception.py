"""
From a message that arrived to the one who receives messages (RFC 3261 18.1.2, 18.2.1).

Here a request gets stamped with where it came from, a response that was never meant for us is dropped, and what cannot
be understood is answered where enough of it could be read.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from twisted.logger import Logger
from zope.interface import Interface

from pbx.sip.error import ParseError, ProtocolError
from pbx.sip.message import Request, response_to
from pbx.transport.flow import FlowClosed
from pbx.transport.trace import NoTrace

if TYPE_CHECKING:
    from pbx.sip.message import Response
    from pbx.transport.flow import Flow
    from pbx.transport.guard import Guard
    from pbx.transport.naming import Naming
    from pbx.transport.trace import ITrace


class IMessageReceiver(Interface):
    """
    Who is handed each message that arrives: the transaction layer.
    """

    def message_received(message: Request | Response, flow: Flow) -> None:  # noqa: N805
        """
        A message arrived. A request bears ``received`` and ``rport`` in its top Via already.

        A :class:`ProtocolError` that this raises for a request is answered with its status, statelessly.
        """


class Reception:
    """
    What becomes of each message that arrives, whatever transport it came over.

    Attributes:
        receiver: Who is handed the messages; ``None`` until it is set, and messages are dropped till then.
        guard: Asked before anything is parsed.
        trace: Shown each message.
        tracing: Whether the trace looks at all.
        messages: Messages handed on.
        keep_alives: Keep-alives that came.
        malformed: Datagrams and pieces of streams that are no messages, answered or not.
        foreign: Responses that were meant for another.
    """

    log = Logger()

    def __init__(self, guard: Guard, trace: ITrace, naming: Naming) -> None:
        self.receiver: IMessageReceiver | None = None
        self.guard = guard
        self.trace = trace
        self.tracing = not isinstance(trace, NoTrace)
        self.messages = 0
        self.keep_alives = 0
        self.malformed = 0
        self.foreign = 0
        self._is_ours = naming.is_ours

    def message(self, message: Request | Response, flow: Flow) -> None:
        """
        Hand a message on.

        Args:
            message: What was parsed.
            flow: Where it came from.
        """
        try:
            via = message.top_via
        except ParseError as error:
            # There is nowhere an answer could name.
            self.drop(error, flow)
            return
        if isinstance(message, Request):
            # RFC 3261 18.2.1 and RFC 3581 4; rport is filled in also where it was not asked for: the answer goes back
            # to where the request came from in any case, since behind a NAT it would arrive nowhere else.
            message.set_top_via(via.with_received(*flow.remote))
        elif not self._is_ours(via):
            # RFC 3261 18.1.2: such a response is silently discarded.
            self.foreign += 1
            return
        if self.receiver is None:
            return
        self.messages += 1
        try:
            self.receiver.message_received(message, flow)
        except ProtocolError as error:
            self.log.debug("{flow}: {error}", flow=flow.name, error=error)
            if isinstance(message, Request):
                self._answer(message, error, flow)
        except Exception:  # noqa: BLE001  # the border: one message must not end the socket for all others
            self.log.failure("a message from {flow} could not be dealt with", flow=flow.name)

    def unreadable(self, error: ParseError, flow: Flow) -> None:
        """
        Answer what is no message, where enough of it could be read for an answer; else drop it.

        Args:
            error: What is wrong with it.
            flow: Where it came from.
        """
        request = error.partial
        if request is None:
            self.drop(error, flow)
            return
        try:
            request.set_top_via(request.top_via.with_received(*flow.remote))
        except ParseError:
            self.drop(error, flow)
            return
        self.malformed += 1
        self._answer(request, error, flow)

    def drop(self, error: ParseError, flow: Flow) -> None:
        """
        Take no notice of what is no message, but for a count: it proves nothing against its sender.

        Args:
            error: What is wrong with it.
            flow: Where it came from.
        """
        self.malformed += 1
        self.log.debug("{flow}: dropped: {error}", flow=flow.name, error=error)

    def _answer(self, request: Request, error: ProtocolError, flow: Flow) -> None:
        if request.method == "ACK":
            # RFC 3261 17.1.1.3: nothing answers an ACK.
            return
        # RFC 3261 8.2.7: a stateless answer bears the same tag each time the request is repeated.
        tag = f"{zlib.crc32((request.headers.get('Via') or '').encode()):08x}"
        try:
            flow.send(response_to(request, error.status, error.reason, tag).to_bytes())
        except FlowClosed:
            self.log.debug("{flow}: closed before it could be answered", flow=flow.name)
