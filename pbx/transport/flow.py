"""
A flow: one way to one peer, over which messages go and come (RFC 5626 2).

A flow is the pair of a local socket and a remote address. What a phone said over a flow is answered over it, and what
is sent to the phone goes over it too, for behind a NAT there is no other way in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable


class FlowClosed(Exception):  # noqa: N818  # it says what happened
    """
    The connection of this flow has ended: nothing can be sent over it any more.
    """


def address_text(host: str, port: int) -> str:
    """
    An address as it is written in Via and in the log: IPv6 in brackets.

    Args:
        host: An IPv4 or IPv6 address, or a name.
        port: The port, 0 to 65535.
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Flow:
    """
    One way to one peer. Two flows are the same only when they are one object.

    Attributes:
        transport: ``"UDP"``, ``"TCP"`` or ``"TLS"``, as Via writes it.
        reliable: Whether the transport itself repeats what was lost (RFC 3261 17.1.1.1).
        closed: Whether it has ended. A UDP flow never ends.
        local: The address and port of our socket.
        remote: The address and port of the peer's, as we see them.
        sent_by: The address and port that Via, Contact and SDP name towards this peer. It changes when our external
            address does; what was sent before is answered all the same.
    """

    __slots__ = ("__weakref__", "_name", "closed", "local", "remote", "sent_by")

    transport: ClassVar[str] = ""
    reliable: ClassVar[bool] = False

    def __init__(self, local: tuple[str, int], remote: tuple[str, int], sent_by: tuple[str, int]) -> None:
        self.local = local
        self.remote = remote
        self.sent_by = sent_by
        self.closed = False
        self._name: str | None = None

    @property
    def name(self) -> str:
        """
        The flow in words for logs and traces, such as ``udp:127.0.0.1:5060>127.0.0.1:5070``.
        """
        if self._name is None:
            self._name = f"{self.transport.lower()}:{address_text(*self.local)}>{address_text(*self.remote)}"
        return self._name

    def __repr__(self) -> str:
        return f"<Flow {self.name}{' closed' if self.closed else ''}>"

    def send(self, data: bytes) -> None:
        """
        Hand one message to the network. Over UDP it may be lost without a word.

        Args:
            data: The whole message.

        Raises:
            FlowClosed: When the connection has ended.
        """
        raise NotImplementedError

    def on_close(self, callback: Callable[[Flow], object]) -> None:
        """
        Have ``callback(flow)`` called once when the flow ends; a UDP flow never does.

        A connection that somebody waits for in this way is not closed for being idle.

        Args:
            callback: Called with the flow. Called at once when the flow is closed already.
        """
        raise NotImplementedError

    def trust(self) -> None:
        """
        Note that the peer has proved who it is; over UDP that changes nothing.
        """

    def give_up(self) -> None:
        """
        Note that the peer has fallen silent: a connection is ended, so that the next use makes another; over UDP that
        changes nothing.

        A connection whose peer, or a NAT on the way, has forgotten it would otherwise be written to for a quarter of
        an hour before the kernel says so.
        """

    def off_close(self, callback: Callable[[Flow], object]) -> None:
        """
        Take back :meth:`on_close`; without effect when it was not asked for.

        Args:
            callback: The one that was given.
        """
        raise NotImplementedError
