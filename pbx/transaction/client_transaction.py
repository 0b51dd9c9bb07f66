"""
A request we sent, in the hands of whoever made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from pbx.sip.message import Response
from pbx.transaction.client import NonInviteClientTransaction
from pbx.transaction.hop_by_hop import cancel
from pbx.transaction.invite_client import InviteClientTransaction
from pbx.transaction.matching import client_key
from pbx.transaction.running import Running
from pbx.transaction.user import IClientUser

if TYPE_CHECKING:
    from pbx.sip.message import Request
    from pbx.transaction.layer import TransactionLayer
    from pbx.transport.flow import Flow


class ClientTransaction(Running[InviteClientTransaction | NonInviteClientTransaction]):
    """
    A request and the answers to it. The ACK to a refusal is sent by itself.

    Attributes:
        request: The request as it was sent, with its Via.
        flow: Where it was sent.
        user: Who is told.
    """

    __slots__ = ("_failure", "_reason", "request", "user")

    def __init__(
        self,
        layer: TransactionLayer,
        key: str,
        flow: Flow,
        machine: InviteClientTransaction | NonInviteClientTransaction,
        request: Request,
        user: IClientUser,
    ) -> None:
        Running.__init__(self, layer, key, flow, machine)
        self._reason: str | None = None
        self._failure = "connection closed"
        self.request = request
        self.user = user

    @property
    def state(self) -> str:
        """
        The machine's state, such as ``"calling"``, ``"proceeding"`` or ``"terminated"``.
        """
        return self.machine.state

    def cancel(self, reason: str | None = None) -> None:
        """
        Give up an INVITE (RFC 3261 9.1).

        The CANCEL is sent as soon as a provisional response has come. After a final response, or when called again,
        nothing is done. What the peer answers comes as ever: 487, or a 2xx that was quicker.

        Args:
            reason: A Reason header for the CANCEL (RFC 3326).

        Raises:
            ValueError: The request is no INVITE.
        """
        if not isinstance(self.machine, InviteClientTransaction):
            raise ValueError("only an INVITE can be cancelled")  # noqa: TRY004  # the value is wrong, not its class
        if self._reason is None:
            self._reason = reason
        self.carry_out(self.machine.cancelled())

    def received(self, response: Response) -> None:
        """
        A response of this transaction has come.
        """
        self.carry_out(self.machine.received(response))

    def flow_closed(self, reason: str) -> None:
        """
        The connection it was sent over has ended.
        """
        self._failure = reason
        self.carry_out(self.machine.transport_failed())

    def _cancel(self) -> None:
        request = cancel(self.request, self._reason)
        branch = request.top_via.branch or ""
        self._layer.begin(request, self.flow, client_key("CANCEL", branch), DEAF)

    def _pass_up(self, message: Request | Response) -> None:
        assert isinstance(message, Response)  # noqa: S101  # a client machine has nothing else to pass up
        user = self.user
        if message.status >= 200 and isinstance(self.machine, NonInviteClientTransaction):
            # It waits on for late messages, and need not keep alive who wanted none of them.
            self.user = DEAF
        user.response_received(self, message)

    def _timed_out(self) -> None:
        user = self.user
        if user is not self._layer.given_up:
            self._layer.counters.timeouts += 1
        if self.state != "terminated":
            # The user's own patience is at an end, but the phone may yet ring or answer.
            self.user = self._layer.given_up
        user.timed_out(self)

    def _transport_failed(self) -> None:
        self._layer.counters.transport_failures += 1
        self.user.failed(self, self._failure)

    def _not_sent(self, data: bytes, reason: str) -> None:
        # In a moment, not now: the user may be about to be given this very transaction.
        self._failure = reason
        self._start_timer("error", 0)

    def _ended(self) -> None:
        # Who made it may hold it still.
        self.user = DEAF
        self._layer.client_ended(self)


@implementer(IClientUser)
class Deaf:
    """
    The user of a CANCEL: the answer that matters comes to the INVITE.
    """

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """
        Nothing.
        """

    def timed_out(self, transaction: ClientTransaction) -> None:
        """
        Nothing.
        """

    def failed(self, transaction: ClientTransaction, reason: str) -> None:
        """
        Nothing.
        """


@implementer(IClientUser)
class GivenUp(Deaf):
    """
    The user of an INVITE whose own user took the peer for unreachable.

    A late provisional response is answered by CANCEL, a late refusal by ACK, both without it. A late 2xx makes a
    dialog that somebody must end.
    """

    def __init__(self, layer: TransactionLayer) -> None:
        self._layer = layer

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """
        Hand a 2xx to the layer's user, who answers it with ACK and BYE.
        """
        if 200 <= response.status < 300:
            self._layer.user.stray_response(response, transaction.flow)


DEAF = Deaf()
"""One for all: it keeps nothing."""
