"""
What the tests of the layer stand on: one layer with a script on the other side, and nothing left afterwards.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.message import Headers, Request, Response, response_to
from pbx.sip.parser import parse
from pbx.transaction.limits import Limits
from tests.transaction.link import Caller, Stage, Wire


class StageTests(SynchronousTestCase):
    """
    One layer with a script on the other side.
    """

    limits: Limits | None = None

    def setUp(self) -> None:
        self.stage = Stage(limits=self.limits)
        self.layer = self.stage.layer
        self.core = self.stage.core
        self.caller = Caller()
        self.flow = Wire()

    def tearDown(self) -> None:
        """
        A minute later nothing is left.
        """
        self.stage.wait(70)
        self.assertEqual(self.layer.active, 0)
        self.assertEqual(self.layer.unauthenticated, 0)
        self.assertEqual(len(self.layer.timer_queue), 0)
        self.assertEqual(self.stage.clock.getDelayedCalls(), [])
        self.assertFalse(self.flow.watched)
        # Nor in the tables that nobody counts.
        for table in (self.layer._merging, self.layer._awaited, self.layer._waiting):
            self.assertEqual(len(table), 0)

    def tcp(self) -> None:
        """
        Over TCP instead.
        """
        self.flow = Wire(transport="TCP")

    def receive(self, message: Request | Response) -> None:
        """
        A message comes, parsed from its bytes as the transport would.
        """
        self.layer.message_received(parse(message.to_bytes()), self.flow)

    def invite(self, **more: Any) -> tuple[Any, Any]:
        """
        Send an INVITE; the transaction, and what went out.
        """
        transaction = self.layer.request(outgoing("INVITE"), self.flow, self.caller, **more)
        return transaction, self.flow.take()[0]

    def answer(self, sent: Request, status: int, to_tag: str = "to-1") -> None:
        """
        The peer answers what it was sent.
        """
        self.receive(response_to(sent, status, to_tag=to_tag))


def outgoing(method: str, *routes: str) -> Request:
    """
    A request as a dialog hands it to the layer: without a Via.
    """
    made = Headers()
    made.add("Max-Forwards", "70")
    for route in routes:
        made.add("Route", route)
    made.add("From", "<sip:1001@pbx.example>;tag=from-1")
    made.add("To", "<sip:1002@pbx.example>")
    made.add("Call-ID", "call-1")
    made.add("CSeq", f"1 {method}")
    return Request(method, "sip:1002@192.0.2.2", made)


def statuses(messages: list[Any]) -> list[int | str]:
    """
    Messages in short: statuses of responses, methods of requests.
    """
    return [message.status if isinstance(message, Response) else message.method for message in messages]
