"""
The transport layer: every socket SIP uses, and the way from bytes to messages and back (RFC 3261 18).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from pbx.sip.message import Request, Response
    from pbx.transport.flow import Flow
    from pbx.transport.guard import Guard
    from pbx.transport.resolver import Target
    from pbx.transport.settings import TransportSettings
    from pbx.transport.tls import ServerCertificate
    from pbx.transport.trace import ITrace


class IMessageReceiver(Interface):
    """
    Who is handed each message that arrives: the transaction layer.
    """

    def message_received(message: Request | Response, flow: Flow) -> None:  # noqa: N805
        """
        A message arrived. A request bears ``received`` and ``rport`` in its top Via already.
        """


class ListenError(Exception):
    """
    An address and port that cannot be listened on, and why, in words for the operator.
    """


class TransportLayer:
    """
    Every socket SIP uses.
    """

    receiver: IMessageReceiver

    def __init__(
        self,
        reactor: object,
        settings: TransportSettings,
        guard: Guard,
        trace: ITrace,
        tls: ServerCertificate | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def sockets(self) -> list[tuple[str, str, int]]:
        """
        What is listened on: transport, address and port.
        """
        raise NotImplementedError

    def start(self) -> None:
        """
        Open every socket.

        Raises:
            ListenError: Names the address and port that is taken or is not ours.
        """
        raise NotImplementedError

    def stop(self) -> Deferred[None]:
        """
        Close every socket and connection.
        """
        raise NotImplementedError

    async def open(self, target: Target) -> Flow:
        """
        A flow to a place: at once over UDP, else over a connection that is made or used again.

        Raises:
            FlowClosed: When no connection comes about, with the reason.
        """
        raise NotImplementedError

    def udp_flow(self, remote: tuple[str, int], local: tuple[str, int] | None = None) -> Flow:
        """
        The flow to a UDP peer.

        Args:
            remote: The peer's address and port.
            local: Our socket's address and port, or ``None`` for the one that routing chooses.

        Raises:
            FlowClosed: When we have no socket for it.
        """
        raise NotImplementedError
