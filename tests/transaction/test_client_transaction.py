"""
Tests for :mod:`pbx.transaction.client_transaction` and the half of the layer that sends.
"""

from __future__ import annotations

from zope.interface.verify import verifyObject

from pbx.sip.message import response_to
from pbx.transaction.client_transaction import DEAF
from pbx.transaction.user import IClientUser
from pbx.transport.layer import IMessageReceiver
from tests.transaction.link import HERE, Wire
from tests.transaction.playbook import request
from tests.transaction.stage import StageTests, outgoing, statuses


class ClientTests(StageTests):
    """
    Requests we send.
    """

    def test_interfaces(self) -> None:
        """
        The layer is what the transport hands messages to, and its own client users are users.
        """
        verifyObject(IMessageReceiver, self.layer)
        verifyObject(IClientUser, DEAF)
        verifyObject(IClientUser, self.layer.given_up)

    def test_via(self) -> None:
        """
        A request gets a Via with what the flow is called by its peer, a fresh branch, and rport.
        """
        self.layer.request(outgoing("OPTIONS"), self.flow, self.caller)
        self.layer.request(outgoing("OPTIONS"), self.flow, self.caller)
        first, second = self.flow.take()
        self.assertEqual((first.top_via.transport, first.top_via.host, first.top_via.port), ("UDP", *HERE))
        self.assertRegex(first.headers.get("Via"), r";branch=z9hG4bK[0-9a-f]{16};rport$")
        self.assertNotEqual(first.top_via.branch, second.top_via.branch)
        for sent in (first, second):
            self.answer(sent, 200)

    def test_via_over_ipv6(self) -> None:
        """
        An IPv6 address stands in brackets.
        """
        self.flow = Wire(local=("2001:db8::1", 5060))
        self.layer.request(outgoing("OPTIONS"), self.flow, self.caller)
        self.assertIn("SIP/2.0/UDP [2001:db8::1]:5060;branch=", self.flow.take()[0].headers.get("Via"))

    def test_answers_reach_the_user(self) -> None:
        """
        The user hears each provisional response and the final one once; copies are absorbed.
        """
        transaction = self.layer.request(outgoing("MESSAGE"), self.flow, self.caller)
        sent = self.flow.take()[0]
        for status in (100, 200, 200):
            self.answer(sent, status)
        self.assertEqual(self.caller.heard, [100, 200])
        self.assertEqual(transaction.state, "completed")
        self.assertEqual(self.core.strays, [])

    def test_response_to_another_method(self) -> None:
        """
        The branch alone is not enough: the CSeq must name the method.
        """
        self.layer.request(outgoing("MESSAGE"), self.flow, self.caller)
        stray = response_to(self.flow.take()[0], 200)
        stray.headers.set("CSeq", "1 OPTIONS")
        self.receive(stray)
        self.assertEqual(self.caller.heard, [])
        self.assertEqual(statuses(self.core.strays), [200])
        self.assertEqual(self.layer.counters.stray_responses, 1)

    def test_timed_out(self) -> None:
        """
        A request that nobody answers is resent, and given up after 32 s.
        """
        self.layer.request(outgoing("BYE"), self.flow, self.caller)
        self.stage.wait(31.75)
        self.assertEqual(self.caller.heard, [])
        self.assertEqual(len(self.flow.sent), 11)
        self.stage.wait(0.25)
        self.assertEqual(self.caller.heard, ["timed out"])
        self.assertEqual(self.layer.active, 0)
        self.assertEqual((self.layer.counters.timeouts, self.layer.counters.retransmissions_sent), (1, 10))

    def test_refused_invite_is_acknowledged(self) -> None:
        """
        The ACK to a refusal bears the INVITE's Via, Route, From, Call-ID and number, and the refusal's To.
        """
        self.layer.request(outgoing("INVITE", "<sip:edge.example;lr>", "<sip:core.example;lr>"), self.flow, self.caller)
        sent = self.flow.take()[0]
        self.answer(sent, 486, "theirs")
        (ack,) = self.flow.take()
        self.assertEqual((ack.method, ack.uri), ("ACK", "sip:1002@192.0.2.2"))
        self.assertEqual(ack.headers.get_all("Via"), sent.headers.get_all("Via"))
        self.assertEqual(ack.headers.get_all("Route"), ["<sip:edge.example;lr>", "<sip:core.example;lr>"])
        self.assertEqual((ack.to_tag, ack.from_tag, ack.call_id), ("theirs", "from-1", "call-1"))
        self.assertEqual(str(ack.cseq), "1 ACK")
        self.answer(sent, 486, "theirs")
        self.assertEqual(statuses(self.flow.take()), ["ACK"])
        self.assertEqual(self.caller.heard, [486])

    def test_every_accepting_answer(self) -> None:
        """
        Each 2xx of a forked INVITE reaches the user, copies too: it is the dialog that acknowledges.
        """
        _, sent = self.invite()
        for tag in ("a", "b", "a"):
            self.answer(sent, 200, tag)
        self.assertEqual(self.caller.heard, [200, 200, 200])
        self.assertEqual(self.flow.take(), [])
        self.stage.wait(33)
        self.answer(sent, 200, "a")
        self.assertEqual(statuses(self.core.strays), [200])

    def test_cancel(self) -> None:
        """
        The CANCEL is the INVITE's twin: same Via, Route, URI and number; its Reason is the user's.
        """
        transaction = self.layer.request(outgoing("INVITE", "<sip:edge.example;lr>"), self.flow, self.caller)
        sent = self.flow.take()[0]
        transaction.cancel('SIP;cause=200;text="Call completed elsewhere"')
        transaction.cancel("SIP;cause=487")
        self.assertEqual(self.flow.take(), [])
        self.answer(sent, 180)
        (cancel,) = self.flow.take()
        self.assertEqual((cancel.method, cancel.uri, str(cancel.cseq)), ("CANCEL", sent.uri, "1 CANCEL"))
        for name in ("Via", "Route", "From", "To", "Call-ID"):
            self.assertEqual(cancel.headers.get_all(name), sent.headers.get_all(name), name)
        self.assertEqual(cancel.headers.get("Reason"), 'SIP;cause=200;text="Call completed elsewhere"')
        transaction.cancel()
        self.stage.wait(0.5)
        self.assertEqual(statuses(self.flow.take()), ["CANCEL"])
        self.answer(cancel, 200)
        self.answer(sent, 487)
        self.assertEqual(statuses(self.flow.take()), ["ACK"])
        self.assertEqual(self.caller.heard, [180, 487])

    def test_cancel_that_crosses_the_answer(self) -> None:
        """
        A 2xx that was quicker than the CANCEL reaches the user.
        """
        transaction, sent = self.invite()
        self.answer(sent, 180)
        transaction.cancel()
        cancel = self.flow.take()[0]
        self.answer(sent, 200)
        self.answer(cancel, 481)
        self.assertEqual(self.caller.heard, [180, 200])

    def test_cancel_is_for_invites(self) -> None:
        """
        Nothing else can be cancelled, and ACK and CANCEL are no transactions of their own.
        """
        self.assertRaises(ValueError, self.layer.request(outgoing("BYE"), self.flow, self.caller).cancel)
        for method in ("ACK", "CANCEL"):
            self.assertRaises(ValueError, self.layer.request, outgoing(method), self.flow, self.caller)

    def test_unreachable(self) -> None:
        """
        With ``timeout`` the user learns in time that a phone says nothing; the INVITE is not resent any more.
        """
        self.invite(timeout=4)
        self.stage.wait(3.75)
        self.assertEqual(self.caller.heard, [])
        self.stage.wait(0.25)
        self.assertEqual(self.caller.heard, ["timed out"])
        self.flow.take()
        self.stage.wait(40)
        self.assertEqual(self.flow.take(), [])
        self.assertEqual(self.caller.heard, ["timed out"])
        self.assertEqual(self.layer.counters.timeouts, 1)

    def test_unreachable_phone_rings_after_all(self) -> None:
        """
        A phone that was given up and then rings is told to stop; the user hears no more of it.
        """
        _, sent = self.invite(timeout=4)
        self.stage.wait(10)
        self.flow.take()
        self.answer(sent, 180)
        (cancel,) = self.flow.take()
        self.assertEqual(cancel.method, "CANCEL")
        self.answer(cancel, 200)
        self.answer(sent, 487)
        self.assertEqual(statuses(self.flow.take()), ["ACK"])
        self.assertEqual(self.caller.heard, ["timed out"])
        self.assertEqual(self.core.strays, [])

    def test_unreachable_phone_answers_after_all(self) -> None:
        """
        A 2xx from a phone that was given up is a stray one, for the core to acknowledge and end.
        """
        _, sent = self.invite(timeout=4)
        self.stage.wait(10)
        self.answer(sent, 200)
        self.assertEqual(self.caller.heard, ["timed out"])
        self.assertEqual(statuses(self.core.strays), [200])

    def test_reachable(self) -> None:
        """
        Any response ends the wait for one.
        """
        _, sent = self.invite(timeout=4)
        self.answer(sent, 100)
        self.stage.wait(60)
        self.assertEqual(self.caller.heard, [100])
        self.answer(sent, 486)

    def test_closed_flow(self) -> None:
        """
        When its connection ends, a request that still waits for its answer has failed.
        """
        self.tcp()
        transaction, _ = self.invite()
        self.layer.request(outgoing("OPTIONS"), self.flow, self.caller)
        self.assertTrue(self.flow.watched)
        self.flow.close()
        self.assertEqual(len(self.layer.timer_queue), 0)
        self.assertEqual(self.caller.heard, ["failed: connection closed"] * 2)
        self.assertEqual(transaction.state, "terminated")
        self.assertEqual(self.layer.counters.transport_failures, 2)

    def test_flow_is_watched_no_longer_than_needed(self) -> None:
        """
        A connection on which nothing is pending may be closed for being idle.
        """
        self.tcp()
        self.layer.request(outgoing("OPTIONS"), self.flow, self.caller)
        self.answer(self.flow.take()[0], 200)
        self.assertFalse(self.flow.watched)
        self.assertEqual(self.layer.active, 0)

    def test_request_on_a_closed_flow(self) -> None:
        """
        A connection that has ended already fails the request in the next moment, not within the call.
        """
        self.tcp()
        self.flow.close()
        self.layer.request(outgoing("OPTIONS"), self.flow, self.caller)
        self.assertEqual(self.caller.heard, [])
        self.stage.clock.advance(0)
        self.assertEqual(self.caller.heard, ["failed: connection reset"])

    def test_ack_to_an_accepting_answer(self) -> None:
        """
        The dialog's ACK gets its own branch, and can be sent again as it was.
        """
        data = self.layer.send_ack(outgoing("ACK"), self.flow)
        self.flow.send(data)
        first, second = self.flow.take()
        self.assertEqual(first, second)
        self.assertTrue((first.top_via.branch or "").startswith("z9hG4bK"))
        self.assertEqual(self.layer.active, 0)

    def test_user_that_raises(self) -> None:
        """
        A user's mistake leaves no transaction behind.
        """
        self.tcp()
        self.caller.response_received = lambda transaction, response: 1 // 0
        self.layer.request(outgoing("OPTIONS"), self.flow, self.caller)
        self.assertRaises(ZeroDivisionError, self.answer, self.flow.take()[0], 200)
        self.assertEqual(self.layer.active, 0)

    def test_stop(self) -> None:
        """
        A stopped layer has no transaction and no timer, watches no flow, and takes and sends nothing more.
        """
        self.tcp()
        udp = Wire()
        for number, flow in enumerate((self.flow, udp)):
            self.layer.request(outgoing("INVITE"), flow, self.caller)
            self.layer.request(outgoing("OPTIONS"), flow, self.caller, timeout=4)
            self.layer.message_received(request(branch=f"z9hG4bKa{number}"), flow)
            self.layer.message_received(request("OPTIONS", branch=f"z9hG4bKb{number}"), flow)
        transaction = self.core.requests[0][0]
        self.core.requests[-1][0].respond(response_to(self.core.requests[-1][1], 200))
        self.successResultOf(self.layer.stop())
        self.assertEqual(self.layer.active, 0)
        self.assertEqual(self.stage.clock.getDelayedCalls(), [])
        self.assertFalse(self.flow.watched)
        self.flow.close()
        self.layer.message_received(request(branch="z9hG4bKc"), udp)
        transaction.respond(response_to(transaction.request, 200))
        self.assertEqual(self.layer.active, 0)
        self.assertEqual(self.caller.heard, [])
        self.assertRaises(ValueError, self.layer.request, outgoing("OPTIONS"), udp, self.caller)
