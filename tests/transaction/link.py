"""
Two transaction layers, or one and a script, joined by a link that delays, loses and repeats as it is told.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from twisted.internet.task import Clock
from zope.interface import implementer

from pbx.sip.message import Request, Response, response_to
from pbx.sip.parser import parse
from pbx.transaction.layer import TransactionLayer
from pbx.transaction.limits import Limits
from pbx.transaction.timers import Timers
from pbx.transaction.user import IClientUser, ITransactionUser
from pbx.transport.flow import Flow, FlowClosed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.transport.resolver import Target

HERE = ("192.0.2.1", 5060)
THERE = ("192.0.2.2", 5060)


class Wire(Flow):
    """
    A flow whose far end is a function.
    """

    __slots__ = ("_callbacks", "deliver", "reliable", "sent", "transport")

    def __init__(
        self,
        deliver: Callable[[bytes], object] = lambda data: None,
        transport: str = "UDP",
        local: tuple[str, int] = HERE,
        remote: tuple[str, int] = THERE,
    ) -> None:
        Flow.__init__(self, local, remote, local)
        self.transport = transport
        self.reliable = transport != "UDP"
        self.deliver = deliver
        self.sent: list[bytes] = []
        self._callbacks: list[Callable[[Flow], object]] = []

    def send(self, data: bytes) -> None:
        if self.closed:
            raise FlowClosed("connection reset")
        self.sent.append(data)
        self.deliver(data)

    def on_close(self, callback: Callable[[Flow], object]) -> None:
        self._callbacks.append(callback)

    def off_close(self, callback: Callable[[Flow], object]) -> None:
        self._callbacks.remove(callback)

    def close(self) -> None:
        """
        End, as a connection does.
        """
        self.closed = True
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    @property
    def watched(self) -> bool:
        """
        Whether anybody waits for its end.
        """
        return bool(self._callbacks)

    def take(self) -> list[Any]:
        """
        The messages sent since the last look.
        """
        sent, self.sent = self.sent, []
        return [parse(data) for data in sent]


@implementer(ITransactionUser)
class Core:
    """
    A user that writes down what it is told, and answers as it is told to.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[Any, Request]] = []
        self.acks: list[tuple[Request, Flow]] = []
        self.cancels: list[tuple[Any, Request]] = []
        self.strays: list[Response] = []
        self.answer: Callable[[Any, Request], None] = lambda transaction, request: None

    def request_received(self, transaction: Any, request: Request) -> None:
        self.requests.append((transaction, request))
        self.answer(transaction, request)

    def ack_received(self, request: Request, flow: Flow) -> None:
        self.acks.append((request, flow))

    def cancel_received(self, transaction: Any, cancel: Request) -> None:
        self.cancels.append((transaction, cancel))

    def stray_response(self, response: Response, flow: Flow) -> None:
        self.strays.append(response)


def answering(status: int, to_tag: str = "to-1") -> Callable[[Any, Request], None]:
    """
    A user's habit of answering everything at once with the same status.
    """
    return lambda transaction, request: transaction.respond(response_to(request, status, to_tag=to_tag))


@implementer(IClientUser)
class Caller:
    """
    A client user that writes down what it is told: statuses, ``"timed out"`` and reasons of failure.
    """

    def __init__(self) -> None:
        self.heard: list[int | str] = []

    def response_received(self, transaction: Any, response: Response) -> None:
        self.heard.append(response.status)

    def timed_out(self, transaction: Any) -> None:
        self.heard.append("timed out")

    def failed(self, transaction: Any, reason: str) -> None:
        self.heard.append(f"failed: {reason}")


class Stage:
    """
    One layer at :data:`HERE`, its clock, its user, and the flows it is made to open.
    """

    def __init__(self, clock: Clock | None = None, limits: Limits | None = None) -> None:
        self.clock = clock or Clock()
        self.core = Core()
        self.opened: list[tuple[Target, Wire]] = []
        self.unreachable = False
        self.layer = TransactionLayer(self.clock, Timers(), self, limits or Limits())
        self.layer.user = self.core

    async def open(self, target: Target) -> Wire:
        if self.unreachable:
            raise FlowClosed("connection refused")
        wire = Wire(transport=target.transport, remote=(target.host, target.port))
        self.opened.append((target, wire))
        return wire

    def wait(self, seconds: float) -> None:
        """
        Let time pass in steps of a quarter of a second.
        """
        self.clock.pump([0.25] * int(seconds * 4))


class Lossy:
    """
    Two stages whose datagrams are lost or come twice, each by a chance that a seed makes the same every time.
    """

    def __init__(self, seed: int, loss: float, repeat: float) -> None:
        self.clock = Clock()
        self.here = Stage(self.clock)
        self.there = Stage(self.clock)
        self._chance = Random(seed)  # noqa: S311  # dice, not keys
        self._loss = loss
        self._repeat = repeat
        self.out = Wire(local=HERE, remote=THERE)
        self.back = Wire(local=THERE, remote=HERE)
        self.out.deliver = lambda data: self._carry(data, self.there, self.back)
        self.back.deliver = lambda data: self._carry(data, self.here, self.out)

    def _carry(self, data: bytes, stage: Stage, flow: Wire) -> None:
        if self._chance.random() < self._loss:
            return
        for _ in range(2 if self._chance.random() < self._repeat else 1):
            self.clock.callLater(0.02 + self._chance.random() * 0.1, stage.layer.message_received, parse(data), flow)

    def wait(self, seconds: float) -> None:
        """
        Let time pass in steps of 50 ms.
        """
        self.clock.pump([0.05] * int(seconds * 20))
