"""
What goes wrong on our own side: nobody is left ringing, and no dead call is kept.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from pbx.calls.inbound import InboundLeg
from pbx.calls.outbound import OutboundLeg
from pbx.media.bridge import Bridge
from tests.calls.case import Conversation, ExchangeCase

FAULT = RuntimeError("a fault of ours")


class AnsweringTests(ExchangeCase):
    """
    The callee picks up, and we fail.
    """

    def test_before_the_caller_is_answered(self) -> None:
        """
        The caller is refused with 500, the callee gets BYE, and the fault is logged.
        """
        anna, bert = self.pair()
        with patch.object(InboundLeg, "answer", side_effect=FAULT):
            invite = anna.call("1002")
            bert.reply(bert.requests("INVITE")[0], 200, body=bert.sdp())
        self.assertEqual(anna.responses("INVITE")[-1], 500)
        anna.acknowledge_refusal(invite, anna.last("INVITE"))
        self.assertEqual(len(bert.requests("BYE")), 1)
        self.assert_ended("failed", "Server Internal Error", "system")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_after_the_caller_is_answered(self) -> None:
        """
        Both get BYE.
        """
        anna, bert = self.pair()
        with patch.object(Bridge, "__init__", side_effect=FAULT):
            talk = Conversation(anna, bert)
        self.assertEqual([len(phone.requests("BYE")) for phone in (anna, bert)], [1, 1])
        self.assertEqual(talk.answer.status, 200)
        self.assert_ended("failed", "Server Internal Error", "system")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class RingingTests(ExchangeCase):
    """
    One of two phones can't be rung.
    """

    def test_the_first_of_two(self) -> None:
        """
        The second rings all the same, and can take the call.
        """
        anna, bert = self.pair()
        other = self.phone("1002")
        invite, tried = OutboundLeg.invite, []

        def faulty(leg: Any, *args: Any) -> None:
            tried.append(leg)
            if len(tried) == 1:
                raise ValueError("a fault of ours")
            invite(leg, *args)

        with patch.object(OutboundLeg, "invite", faulty):
            anna.call("1002")
        self.assertEqual(len(bert.requests("INVITE")) + len(other.requests("INVITE")), 1)
        self.assertEqual(anna.responses("INVITE")[-1], 401)
        rung = bert if bert.requests("INVITE") else other
        rung.reply(rung.requests("INVITE")[0], 486)
        self.assertEqual(anna.responses("INVITE")[-1], 486)
        self.assert_ended("busy", "Busy Here", "callee")

    def test_all(self) -> None:
        """
        The caller is refused.
        """
        anna, _ = self.pair()
        self.phone("1002")
        with patch.object(OutboundLeg, "invite", side_effect=ValueError("a fault of ours")):
            anna.call("1002")
        self.assertEqual(anna.responses("INVITE")[-1], 500)
        self.assertEqual(self.record["status"], 500)


class ListenerTests(ExchangeCase):
    """
    Who listens to events raises.
    """

    def test_others_hear_and_the_call_ends(self) -> None:
        """
        The call goes on, the other listeners hear of it, and nothing of it stays.
        """
        heard: list[Any] = []

        def faulty(event: Any) -> None:
            raise FAULT

        for listeners in self.exchange.switchboard._listeners.values():
            listeners.insert(0, faulty)
        self.exchange.switchboard.on_event(heard.append)
        anna, bert = self.pair()
        Conversation(anna, bert).hang_up(anna)
        self.assertEqual(self.exchange.switchboard.calls, {})
        self.assert_ended("answered", "Normal call clearing", "caller")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), len(heard))

    def test_bridge_that_does_not_stop(self) -> None:
        """
        A fault on the way to the end leaves no call behind.
        """
        anna, bert = self.pair()
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 183, body=bert.sdp())
        with patch.object(Bridge, "stop", side_effect=FAULT):
            bert.reply(bert.requests("INVITE")[0], 486)
        self.assertEqual(self.exchange.switchboard.calls, {})
        anna.acknowledge_refusal(invite, anna.last("INVITE"))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.exchange.recorder._open.clear()


class ShutdownTests(ExchangeCase):
    """
    The exchange is stopping.
    """

    def test_new_calls(self) -> None:
        """
        Who calls is told to come back, and no phone rings.
        """
        anna, bert = self.pair()
        self.exchange.switchboard.stop()
        invite = anna.request("INVITE", "sip:1002@10.0.0.1", body=anna.sdp())
        anna.send(invite)
        self.network.advance(0.01)
        answer = anna.last("INVITE")
        self.assertEqual((answer.status, answer.headers.get("Retry-After")), (503, "10"))
        anna.acknowledge_refusal(invite, answer)
        self.assertEqual(bert.requests("INVITE"), [])
        self.assertEqual(self.exchange.records, [])


class ListTests(ExchangeCase):
    """
    The live calls as the API shows them.
    """

    def test_ringing_phones(self) -> None:
        """
        Every phone that rings is shown; after the answer the one that took the call.
        """
        anna, bert = self.pair()
        other = self.phone("1002")
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 180)
        (call,) = self.exchange.switchboard.list()
        self.assertEqual(
            [(leg["party"], leg["state"]) for leg in call["legs"]],
            [("1001", "ringing"), ("1002", "ringing"), ("1002", "trying")],
        )
        other.reply(other.requests("INVITE")[0], 200, body=other.sdp())
        anna.acknowledge(invite, anna.last("INVITE"))
        (call,) = self.exchange.switchboard.list()
        self.assertEqual([leg["address"] for leg in call["legs"]][1:], ["udp:10.0.0.1:5060>10.0.3.2:5060"])
        self.exchange.switchboard.hang_up(call["id"])
