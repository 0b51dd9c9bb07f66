"""
The transaction layer: finds the transaction of each message, and runs them all on one clock (RFC 3261 17).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from twisted.logger import Logger
from zope.interface import implementer

from pbx.sip.message import ParseError, Request, Response, response_to
from pbx.tasks import Tasks
from pbx.transaction.client import NonInviteClientTransaction
from pbx.transaction.client_transaction import ClientTransaction, GivenUp
from pbx.transaction.counters import Counters
from pbx.transaction.invite_client import InviteClientTransaction
from pbx.transaction.invite_server import InviteServerTransaction
from pbx.transaction.limits import Admission
from pbx.transaction.matching import client_key, merge_key, new_branch, response_key, server_key
from pbx.transaction.server import NonInviteServerTransaction
from pbx.transaction.server_transaction import Reception
from pbx.transaction.timer_queue import TimerQueue
from pbx.transaction.wheel import Wheel
from pbx.transport.flow import FlowClosed, address_text
from pbx.transport.layer import IMessageReceiver

if TYPE_CHECKING:
    from typing import Protocol

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime

    from pbx.transaction.limits import Limits
    from pbx.transaction.timers import Timers
    from pbx.transaction.user import IClientUser, ITransactionUser
    from pbx.transport.flow import Flow
    from pbx.transport.resolver import Target

    class Transport(Protocol):
        """
        What is needed of the transport layer.
        """

        async def open(self, target: Target) -> Flow:
            """
            A flow to a place.
            """


@implementer(IMessageReceiver)
class TransactionLayer:
    """
    All transactions.

    Attributes:
        user: Who is given new requests. Set once, before the first message comes.
        transport: Where new connections come from.
        counters: What happened so far.
    """

    log = Logger()
    user: ITransactionUser

    def __init__(
        self,
        clock: IReactorTime,
        timers: Timers,
        transport: Transport,
        limits: Limits,
    ) -> None:
        """
        Args:
            clock: Time for all timers.
            timers: T1, T2 and T4.
            transport: Opens a connection for a response whose own has ended.
            limits: The caps on strangers' requests.
        """
        self._timers = timers
        self._limits = limits
        self._servers: dict[str, Reception] = {}
        self._clients: dict[str, ClientTransaction] = {}
        self._merging: dict[str, Reception] = {}
        self._awaited: dict[Flow, set[ClientTransaction]] = {}
        self._waiting: OrderedDict[Reception, None] = OrderedDict()
        self._admission = Admission(clock, self._limits)
        self._stopped = False
        self.transport = transport
        self.counters = Counters()
        self.tasks = Tasks()
        self.timer_queue = TimerQueue(clock)
        self.wheel = Wheel(clock)
        self.given_up = GivenUp(self)

    @property
    def active(self) -> int:
        """
        The number of transactions now, those included that only wait for late messages.
        """
        return len(self._servers) + len(self._clients)

    @property
    def unauthenticated(self) -> int:
        """
        The number of strangers' requests that are not answered yet.
        """
        return self._admission.total

    def stop(self) -> Deferred[None]:
        """
        Forget all transactions without a word to anyone; what arrives afterwards is dropped.
        """
        self._stopped = True
        for reception in self._servers.values():
            reception.forget()
            self.authenticated(reception)
        for transaction in self._clients.values():
            transaction.forget()
        for flow in self._awaited:
            flow.off_close(self._flow_closed)
        for table in (self._servers, self._clients, self._merging, self._awaited, self._waiting):
            table.clear()
        self.wheel.stop()
        return self.tasks.stop()

    def request(
        self, request: Request, flow: Flow, user: IClientUser, timeout: float | None = None
    ) -> ClientTransaction:
        """
        Send a request, and have the answers given to ``user``.

        Args:
            request: Any but ACK and CANCEL, without our Via: it is put on top. The transaction owns it from now on.
            flow: Where it goes.
            user: Is told of every response, or of one failure, never before this method has returned.
            timeout: Seconds without any response at all after which the user is told, earlier than timers B and F
                would. An INVITE is then no longer resent, and if the phone rings after all it gets a CANCEL.

        Raises:
            ValueError: ACK or CANCEL, or the layer was stopped.
        """
        if request.method in ("ACK", "CANCEL"):
            raise ValueError(f"{request.method} is no transaction of its own")
        if self._stopped:
            raise ValueError("the transaction layer was stopped")
        branch = new_branch()
        _add_via(request, flow, branch)
        return self.begin(request, flow, client_key(request.method, branch), user, timeout)

    def send_ack(self, ack: Request, flow: Flow) -> bytes:
        """
        Send the ACK to a 2xx, which belongs to no transaction (RFC 3261 13.2.2.4, 17.1.1.3).

        Args:
            ack: The ACK without our Via: it is put on top.
            flow: Where it goes.

        Returns:
            What was sent, to be sent again on ``flow`` for each copy of the 2xx.

        Raises:
            FlowClosed: The flow's connection has ended.
        """
        _add_via(ack, flow, new_branch())
        data = ack.to_bytes()
        flow.send(data)
        return data

    def merged(self, request: Request) -> str | None:
        """
        Whether another transaction holds the same request, come by another way (RFC 3261 8.2.2.2).

        Returns:
            Something that names the other transaction, or ``None``. The first of them is nobody's copy.

        Raises:
            ParseError: From, To, Call-ID or CSeq is malformed.
        """
        key = merge_key(request)
        other = None if key is None else self._merging.get(key)
        if other is None or other.key == server_key(request, request.method):
            return None
        return other.key

    def message_received(self, message: Request | Response, flow: Flow) -> None:
        """
        Take a message from the transport layer to the transaction it belongs to.
        """
        if self._stopped:
            return
        try:
            if isinstance(message, Request):
                method = message.method
                key = server_key(message, "INVITE" if method == "ACK" else method)
            else:
                key = response_key(message)
        except ParseError as error:
            self.counters.malformed += 1
            self.log.debug("Message from {flow} dropped: {error}", flow=flow.name, error=error)
            return
        if isinstance(message, Response):
            self._response_received(message, key, flow)
            return
        reception = self._servers.get(key)
        if reception is not None:
            if method != "ACK":
                self.counters.retransmissions_received += 1
            reception.received(message, flow)
        elif method == "ACK":
            self.user.ack_received(message, flow)
        elif method == "CANCEL":
            self._cancel_received(message, key, flow)
        else:
            self._request_received(message, key, flow)

    def _response_received(self, response: Response, key: str, flow: Flow) -> None:
        transaction = self._clients.get(key)
        if transaction is not None:
            transaction.received(response)
        else:
            self.counters.stray_responses += 1
            self.user.stray_response(response, flow)

    def _request_received(self, request: Request, key: str, flow: Flow) -> None:
        address = flow.remote[0]
        if not self._admission.enter(address):
            self._refuse(request, key, flow)
            return
        reception = self._receive(request, key, flow)
        reception.slot = address
        self._note_merging(reception, request)
        self.counters.requests_received += 1
        reception.begin(request)

    def _note_merging(self, reception: Reception, request: Request) -> None:
        try:
            key = merge_key(request)
        except ParseError:
            # The user finds out, and answers 400.
            return
        if key is not None and key not in self._merging:
            reception.merge_key = key
            self._merging[key] = reception

    def _cancel_received(self, cancel: Request, key: str, flow: Flow) -> None:
        # RFC 3261 9.2: the INVITE is found as if the CANCEL were its copy.
        invite = self._servers.get(server_key(cancel, "INVITE"))
        if invite is None:
            self._request_received(cancel, key, flow)
            return
        self.counters.requests_received += 1
        transaction = invite.transaction
        tag = invite.tag if transaction is None else transaction.tag
        self._receive(cancel, key, flow).respond(response_to(cancel, 200, to_tag=tag or "cancelled"))
        # RFC 3261 9.2: after the final answer a CANCEL changes nothing.
        if transaction is not None:
            self.user.cancel_received(transaction, cancel)

    def _receive(self, request: Request, key: str, flow: Flow) -> Reception:
        machine: InviteServerTransaction | NonInviteServerTransaction
        if request.method == "INVITE":
            machine = InviteServerTransaction(self._timers, flow.reliable)
        else:
            machine = NonInviteServerTransaction(self._timers, flow.reliable)
        reception = self._servers[key] = Reception(self, key, flow, machine, request)
        return reception

    def _refuse(self, request: Request, key: str, flow: Flow) -> None:
        # RFC 3261 8.2.7: without state; its ACK is nobody's and is ignored, copies of the INVITE are answered alike.
        if request.method != "INVITE" or not self._admission.may_refuse():
            self.counters.dropped += 1
            return
        self.counters.refused += 1
        response = response_to(request, 503, to_tag=f"{hash(key) & 0xFFFFFFFF:08x}")
        response.headers.add("Retry-After", str(self._limits.retry_after))
        try:
            flow.send(response.to_bytes())
        except FlowClosed:
            self.counters.transport_failures += 1

    def _flow_closed(self, flow: Flow) -> None:
        for transaction in self._awaited.pop(flow, ()):
            transaction.flow_closed("connection closed")

    # What the transactions of this layer call.

    def begin(
        self, request: Request, flow: Flow, key: str, user: IClientUser, timeout: float | None = None
    ) -> ClientTransaction:
        """
        Start a client transaction for a request that has its Via.
        """
        machine: InviteClientTransaction | NonInviteClientTransaction
        if request.method == "INVITE":
            machine = InviteClientTransaction(request, self._timers, flow.reliable, timeout)
        else:
            machine = NonInviteClientTransaction(request, self._timers, flow.reliable, timeout)
        transaction = self._clients[key] = ClientTransaction(self, key, flow, machine, request, user)
        self.counters.requests_sent += 1
        if flow.reliable and not flow.closed:
            awaited = self._awaited.get(flow)
            if awaited is None:
                awaited = self._awaited[flow] = set()
                flow.on_close(self._flow_closed)
            awaited.add(transaction)
        transaction.carry_out(machine.start())
        return transaction

    def client_ended(self, transaction: ClientTransaction) -> None:
        """
        Forget a client transaction.
        """
        self._clients.pop(transaction.key, None)
        flow = transaction.flow
        if flow.reliable:
            awaited = self._awaited.get(flow)
            if awaited is not None:
                awaited.discard(transaction)
                if not awaited:
                    del self._awaited[flow]
                    flow.off_close(self._flow_closed)

    def answered(self, reception: Reception, challenged: bool) -> None:
        """
        A server transaction has got its final answer.
        """
        if challenged:
            # The request will come again with credentials; some clients forget to count CSeq up.
            self._unmerge(reception)
        if reception.slot is None:
            return
        self._admission.leave(reception.slot)
        reception.slot = None
        if reception.key in self._servers:
            self._waiting[reception] = None
            if len(self._waiting) > self._limits.answered:
                oldest, _ = self._waiting.popitem(last=False)
                oldest.forget()
                self.server_ended(oldest)
                self.counters.evicted += 1

    def authenticated(self, reception: Reception) -> None:
        """
        A server transaction is no stranger's.
        """
        if reception.slot is not None:
            self._admission.leave(reception.slot)
            reception.slot = None

    def server_ended(self, reception: Reception) -> None:
        """
        Forget a server transaction.
        """
        self._servers.pop(reception.key, None)
        self._waiting.pop(reception, None)
        self._unmerge(reception)
        self.authenticated(reception)

    def _unmerge(self, reception: Reception) -> None:
        if reception.merge_key is not None:
            del self._merging[reception.merge_key]
            reception.merge_key = None


def _add_via(request: Request, flow: Flow, branch: str) -> None:
    sent_by = address_text(*flow.sent_by)
    request.headers.prepend("Via", f"SIP/2.0/{flow.transport} {sent_by};branch={branch};rport")
