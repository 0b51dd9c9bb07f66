"""
What the floor above must be to use transactions (RFC 3261 17: the transaction user).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Interface

if TYPE_CHECKING:
    from pbx.sip.message import Request, Response
    from pbx.transaction.client_transaction import ClientTransaction
    from pbx.transaction.server_transaction import ServerTransaction
    from pbx.transport.flow import Flow


class ITransactionUser(Interface):
    """
    Who is given what arrives and belongs to no transaction yet: the user agent core.
    """

    def request_received(transaction: ServerTransaction, request: Request) -> None:  # noqa: N805
        """
        A new request: no retransmission, no ACK, and no CANCEL that matched an INVITE.
        """

    def ack_received(request: Request, flow: Flow) -> None:  # noqa: N805
        """
        An ACK that does not belong to a refused INVITE: the ACK to our 2xx.
        """

    def cancel_received(transaction: ServerTransaction, cancel: Request) -> None:  # noqa: N805
        """
        The caller gives up this INVITE, which has no final answer yet. The CANCEL has been answered 200 already.
        """

    def stray_response(response: Response, flow: Flow) -> None:  # noqa: N805
        """
        A response that belongs to no transaction, or a 2xx to an INVITE that was given up as unreachable.
        """


class IClientUser(Interface):
    """
    Who made a request, and is told what became of it.
    """

    def response_received(transaction: ClientTransaction, response: Response) -> None:  # noqa: N805
        """
        A response: each provisional one, the final one, and every 2xx to an INVITE.
        """

    def timed_out(transaction: ClientTransaction) -> None:  # noqa: N805
        """
        No answer came in time. Nothing more will be heard of this transaction.
        """

    def failed(transaction: ClientTransaction, reason: str) -> None:  # noqa: N805
        """
        The request could not be sent, or its connection ended before the answer. Nothing more will be heard of it.
        """
