"""
A caller whose connection is gone before it has its answer.
"""

from __future__ import annotations

from twisted.internet.protocol import Factory

from pbx.sip.message import Request
from tests.calls.case import ExchangeCase
from tests.calls.phone import Phone
from tests.calls.stream_phone import Line, StreamPhone


class LostCallerTests(ExchangeCase):
    """
    Calls of a phone on TCP that can't be connected to.
    """

    def ring(self) -> tuple[StreamPhone, Phone, Request]:
        """
        A caller, a callee, and the INVITE that the callee got.
        """
        caller, callee = self.phone("1003", kind=StreamPhone), self.phone("1002")
        self.invite = caller.call("1002")
        (rung,) = callee.requests("INVITE")
        return caller, callee, rung

    def test_before_it_is_told_that_it_rings(self) -> None:
        """
        The 180 can't be sent: the phone stops ringing.
        """
        caller, callee, rung = self.ring()
        caller.close()
        self.network.advance(0.1)
        callee.reply(rung, 180)
        self.network.advance(1)
        self.assertEqual(len(callee.requests("CANCEL")), 1)
        self.assertEqual(self.exchange.switchboard.calls, {})
        self.assert_ended("failed", "Connection lost", "system")

    def test_before_it_is_answered(self) -> None:
        """
        The 200 can't be sent: the callee, who has just picked up, gets BYE at once, and nothing is billed.
        """
        caller, callee, rung = self.ring()
        callee.reply(rung, 180)
        caller.close()
        self.network.advance(1)
        callee.reply(rung, 200, body=callee.sdp())
        self.network.advance(1)
        self.assertEqual(len(callee.requests("BYE")), 1)
        self.assertEqual(self.exchange.left()["dialogs"], 0)
        self.assert_ended("failed", "Connection lost", "system")
        self.assertEqual(self.record["billable"], 0.0)

    def test_reached_over_another_connection(self) -> None:
        """
        A caller that can be connected to hears the answer over a new connection, and the call goes on.
        """
        caller, callee, rung = self.ring()
        caller.close()
        # It is there again, at the same place.
        factory = Factory()
        factory.noisy = False
        caller.line = Line(caller)
        factory.buildProtocol = lambda address: caller.line  # type: ignore[method-assign,assignment]
        port = caller.reactor.listenTCP(5060, factory)
        callee.reply(rung, 200, body=callee.sdp())
        self.network.advance(0.1)
        answer = caller.last("INVITE")
        caller.acknowledge(self.invite, answer)
        self.network.advance(40)
        self.assertEqual((answer.status, len(self.exchange.switchboard.calls)), (200, 1))
        self.exchange.switchboard.stop()
        self.network.advance(1)
        self.assert_ended("answered", "The exchange is shutting down", "system")
        port.stopListening()
