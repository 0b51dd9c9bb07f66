"""
A request we received, in the hands of whoever answers it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pbx.sip.message import ParseError, Request, response_to
from pbx.sip.token import random_hex
from pbx.transaction.effects import PassUp, TransportFailed
from pbx.transaction.invite_server import InviteServerTransaction
from pbx.transaction.matching import port_of
from pbx.transaction.running import Running
from pbx.transaction.server import NonInviteServerTransaction
from pbx.transport.flow import FlowClosed
from pbx.transport.resolver import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.sip.message import Response
    from pbx.transaction.layer import TransactionLayer
    from pbx.transport.flow import Flow

TRYING_AFTER = 0.2
"""Seconds after which an unanswered INVITE is answered 100 (RFC 3261 17.2.1)."""

CHALLENGES = frozenset({401, 407})
"""The answers that ask for the same request again, with credentials."""


class Reception(Running[InviteServerTransaction | NonInviteServerTransaction]):
    """
    What the layer keeps of a request received: once it was answered, no more than a retransmission needs.

    Attributes:
        transaction: The user's side, until the final answer.
        slot: The source address, while it holds a stranger's slot.
        tag: Our tag, for the answer to a CANCEL.
        merge_key: Its key in the layer's table of merged requests, if it stands there.
        on_failed: See :class:`ServerTransaction`.
    """

    __slots__ = ("_failure", "merge_key", "on_failed", "slot", "tag", "transaction")

    def __init__(
        self,
        layer: TransactionLayer,
        key: str,
        flow: Flow,
        machine: InviteServerTransaction | NonInviteServerTransaction,
        request: Request,
    ) -> None:
        Running.__init__(self, layer, key, flow, machine)
        self._failure = ""
        self.transaction: ServerTransaction | None = ServerTransaction(self, request, flow)
        self.slot: str | None = None
        self.tag: str | None = None
        self.merge_key: str | None = None
        self.on_failed: Callable[[str], object] | None = None

    def begin(self, request: Request) -> None:
        """
        Give the request to the user; an INVITE is answered 100 when the user takes its time.
        """
        self.carry_out(self.machine.start(request))
        # Not before: most INVITEs, and all that are challenged, have their first answer by now.
        if request.method == "INVITE" and self.machine.state == "trying":
            self._start_timer("100", TRYING_AFTER)

    def received(self, request: Request, flow: Flow) -> None:
        """
        The request has come again, or the ACK to our refusal.
        """
        effects = self.machine.received(request)
        if effects and isinstance(effects[0], PassUp):
            # An old phone acknowledges our 2xx with the INVITE's own branch.
            self._layer.user.ack_received(request, flow)
        else:
            self.carry_out(effects)

    def respond(self, response: Response) -> None:
        """
        See :meth:`ServerTransaction.respond`.
        """
        status = response.status
        machine = self.machine
        if self.transaction is None and not (machine.state == "accepted" and 200 <= status < 300):
            if machine.state == "terminated":
                return
            raise ValueError(f"{status} after the final answer")
        data = response.to_bytes()
        if isinstance(machine, InviteServerTransaction):
            self._stop_timer("100")
            if self.tag is None and status > 100:
                self._read_tag(response)
            if status in CHALLENGES and self.slot is not None:
                effects = machine.challenge(data)
            else:
                effects = machine.respond(status, data)
        else:
            effects = machine.respond(status, data)
        self.carry_out(effects)
        if status >= 200:
            self.transaction = None
            self._layer.answered(self, challenged=status in CHALLENGES)

    def timer_fired(self, name: str) -> None:
        """
        An exact timer has fired.
        """
        if name != "100":
            Running.timer_fired(self, name)
        elif self.transaction is not None:
            self.respond(response_to(self.transaction.request, 100))

    def _read_tag(self, response: Response) -> None:
        # A malformed To is answered 400 as it is.
        with suppress(ParseError):
            self.tag = response.to_tag

    def _pass_up(self, message: Request | Response) -> None:
        assert isinstance(message, Request)  # noqa: S101  # a server machine has nothing else to pass up
        assert self.transaction is not None  # noqa: S101  # it has just begun
        self._layer.user.request_received(self.transaction, message)

    def _timed_out(self) -> None:
        self._layer.counters.timeouts += 1
        if self.on_failed is not None:
            self.on_failed("no ACK came")

    def _transport_failed(self) -> None:
        self._layer.counters.transport_failures += 1
        if self.on_failed is not None:
            self.on_failed(self._failure)

    def _not_sent(self, data: bytes, reason: str) -> None:
        self._failure = reason
        if self.transaction is None:
            self._start_timer("error", 0)
            return
        via = self.transaction.request.top_via
        target = Target(self.flow.transport, self.flow.remote[0], port_of(via))
        self._layer.tasks.start(self._send_elsewhere(data, target), "send a response over a new connection")

    async def _send_elsewhere(self, data: bytes, target: Target) -> None:
        # RFC 3261 18.2.2: the request's connection has ended, so one is made to where its Via says.
        try:
            self.flow = await self._layer.transport.open(target)
            self.flow.send(data)
        except FlowClosed as closed:
            self._failure = str(closed)
            # The answer may have been the last step: then there is no arrow, but a user who wants to know.
            self.carry_out(self.machine.transport_failed() or [TransportFailed()])

    def _ended(self) -> None:
        self._layer.server_ended(self)


class ServerTransaction:
    """
    A request and our answers to it.

    Attributes:
        request: The request.
        flow: The flow it came over.
    """

    __slots__ = ("_reception", "flow", "request")

    def __init__(self, reception: Reception, request: Request, flow: Flow) -> None:
        self._reception = reception
        self.request = request
        self.flow = flow

    @property
    def state(self) -> str:
        """
        The machine's state, such as ``"trying"``, ``"proceeding"``, ``"completed"`` or ``"terminated"``.
        """
        return self._reception.machine.state

    @property
    def merged(self) -> bool:
        """
        Whether another transaction holds the same request, come by another way (RFC 3261 8.2.2.2).
        """
        reception = self._reception
        # What stands in the layer's table came first, and is nobody's copy.
        return reception.merge_key is None and reception._layer.merged(self.request) is not None

    @property
    def answered(self) -> bool:
        """
        Whether the final answer was given.
        """
        return self._reception.transaction is None

    @property
    def tag(self) -> str:
        """
        The tag our answers bear in To: the user's choice, set here or read off its first answer; else made now.
        """
        reception = self._reception
        if reception.tag is None:
            reception.tag = random_hex(8)
        return reception.tag

    @tag.setter
    def tag(self, tag: str) -> None:
        self._reception.tag = tag

    @property
    def on_failed(self) -> Callable[[str], object] | None:
        """
        Called with the reason when an answer could not be sent, or the ACK to a refusal never came.
        """
        return self._reception.on_failed

    @on_failed.setter
    def on_failed(self, callback: Callable[[str], object] | None) -> None:
        self._reception.on_failed = callback

    def respond(self, response: Response) -> None:
        """
        Answer. Of an accepted INVITE the 2xx may be sent again and again; the transaction does not do so itself.

        An answer to a transaction that has ended is dropped.

        Raises:
            ValueError: The final answer was given before.
        """
        self._reception.respond(response)

    def authenticated(self) -> None:
        """
        The sender is known: neither this request nor the connection it came over counts as a stranger's any more.
        """
        self.flow.trust()
        self._reception._layer.authenticated(self._reception)  # two halves of one thing
