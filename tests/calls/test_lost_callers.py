"""
A phone whose connection is gone, before it has its answer or in a call.
"""

from __future__ import annotations

from twisted.internet.protocol import Factory

from pbx.sip.message import Request
from tests.calls.case import Conversation, ExchangeCase
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


class BackAgainTests(ExchangeCase):
    """
    A phone on TCP that can't be connected to has lost its connection in a call, and registered over another.
    """

    def setUp(self) -> None:
        """
        A call, and a new connection of the caller.
        """
        super().setUp()
        self.caller, self.callee = self.phone("1003", kind=StreamPhone), self.phone("1002")
        self.talk = Conversation(self.caller, self.callee)
        self.caller.close()
        self.caller.connect()

    def tearDown(self) -> None:
        """
        Close that too.
        """
        self.caller.close()
        super().tearDown()

    def test_same_contact(self) -> None:
        """
        The BYE of the other side reaches it, also when another phone of its is at the same address.
        """
        other = self.phone("1003", kind=StreamPhone, at=self.caller.address, port=5070)
        self.caller.register()
        self.talk.hang_up(self.callee)
        self.assertEqual([len(phone.requests("BYE")) for phone in (self.caller, other)], [1, 0])
        other.close()

    def test_another_port_in_its_contact(self) -> None:
        """
        Likewise when its Contact names another port, if no other phone of the extension is at that address.
        """
        self.caller.port = 5099
        self.caller.register()
        self.talk.hang_up(self.callee)
        self.assertEqual(len(self.caller.requests("BYE")), 1)

    def test_two_at_one_address(self) -> None:
        """
        Which of two phones it is can't be told: none of them gets it.
        """
        for port in (5098, 5099):
            self.caller.port = port
            self.caller.register()
        self.talk.hang_up(self.callee)
        self.assertEqual(self.caller.requests("BYE"), [])
