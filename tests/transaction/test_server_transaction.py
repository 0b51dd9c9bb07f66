"""
Tests for :mod:`pbx.transaction.server_transaction` and the half of the layer that receives.
"""

from __future__ import annotations

from pbx.sip.message import Request, Response, response_to
from tests.transaction.link import THERE, answering
from tests.transaction.playbook import request
from tests.transaction.stage import StageTests, statuses


class ServerTests(StageTests):
    """
    Requests we receive.
    """

    def test_retransmission_is_absorbed(self) -> None:
        """
        The user hears of a request once; a copy gets the latest answer.
        """
        self.receive(request("OPTIONS"))
        self.receive(request("OPTIONS"))
        self.assertEqual(len(self.core.requests), 1)
        transaction, options = self.core.requests[0]
        self.assertEqual(self.flow.take(), [])
        transaction.respond(response_to(options, 200))
        self.receive(request("OPTIONS"))
        self.assertEqual(statuses(self.flow.take()), [200, 200])
        self.assertEqual(self.layer.counters.retransmissions_received, 2)

    def test_branch_sent_by_and_method_tell_requests_apart(self) -> None:
        """
        Another branch, another sent-by or another method is another transaction.
        """
        self.core.answer = answering(200)
        self.receive(request("OPTIONS"))
        self.receive(request("OPTIONS", branch="z9hG4bK2", Call_ID="call-2"))
        self.receive(request("MESSAGE", Call_ID="call-3"))
        other = request("OPTIONS", Call_ID="call-4")
        other.headers.set("Via", "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1")
        self.receive(other)
        self.assertEqual(len(self.core.requests), 4)
        # Sent-by compares without case, and 5060 is what no port means.
        for sent_by in ("GW.example:5060", "gw.example"):
            named = request("OPTIONS", Call_ID="call-5")
            named.headers.set("Via", f"SIP/2.0/UDP {sent_by};branch=z9hG4bK1")
            self.receive(named)
        self.assertEqual(len(self.core.requests), 5)

    def test_peer_without_magic_cookie(self) -> None:
        """
        An RFC 2543 gateway writes no branch, or always the same: its requests are told apart by what they are.
        """
        self.core.answer = lambda transaction, message: None
        for branch in ("", ";branch=1", ";branch=z9hG4bK"):
            self.core.requests.clear()
            self.core.acks.clear()

            def old(method: str, branch: str = branch, **headers: str) -> Request:
                made = request(method, Call_ID=f"old{branch}", **headers)
                made.headers.set("Via", f"SIP/2.0/UDP 192.0.2.1:5060{branch}")
                return made

            self.receive(old("INVITE"))
            self.receive(old("INVITE"))
            self.assertEqual(len(self.core.requests), 1)
            transaction, invite = self.core.requests[0]
            self.receive(old("INVITE", CSeq="2 INVITE"))
            self.assertEqual(len(self.core.requests), 2)
            self.receive(old("CANCEL"))
            self.assertIs(self.core.cancels[-1][0], transaction)
            transaction.respond(response_to(invite, 487, to_tag="ours"))
            self.receive(old("ACK", To="<sip:1002@pbx.example>;tag=ours"))
            self.assertEqual(transaction.state, "confirmed")
            self.assertEqual(self.core.acks, [])
            second, invite = self.core.requests[1]
            second.respond(response_to(invite, 200, to_tag="ours"))

    def test_trying(self) -> None:
        """
        An INVITE that nobody has answered within 200 ms gets 100 Trying, once.
        """
        self.receive(request(Timestamp="54"))
        self.stage.clock.advance(0.19)
        self.assertEqual(self.flow.take(), [])
        self.stage.clock.advance(0.02)
        (trying,) = self.flow.take()
        self.assertEqual((trying.status, trying.to_tag, trying.headers.get("Timestamp")), (100, None, "54"))
        self.stage.wait(2)
        self.assertEqual(self.flow.take(), [])
        self.core.requests[0][0].respond(response_to(self.core.requests[0][1], 200, to_tag="ours"))

    def test_no_trying_after_an_answer(self) -> None:
        """
        Whatever was answered earlier stands in for it; and other requests get none.
        """
        self.core.answer = answering(180)
        self.receive(request())
        self.core.answer = lambda transaction, message: None
        self.receive(request("OPTIONS", branch="z9hG4bK2"))
        self.stage.wait(3)
        self.assertEqual(statuses(self.flow.take()), [180])
        for transaction, message in self.core.requests:
            transaction.respond(response_to(message, 200))

    def test_refusal(self) -> None:
        """
        A refusal is resent until its ACK, which the user does not see.
        """
        self.receive(request())
        transaction, invite = self.core.requests[0]
        transaction.authenticated()
        transaction.respond(response_to(invite, 486, to_tag="ours"))
        self.stage.wait(2)
        self.assertEqual(statuses(self.flow.take()), [486, 486, 486])
        self.receive(request("ACK"))
        self.stage.wait(30)
        self.assertEqual(self.flow.take(), [])
        self.assertEqual(self.core.acks, [])

    def test_refusal_that_is_never_acknowledged(self) -> None:
        """
        The user may ask to be told when no ACK comes.
        """
        told: list[str] = []
        self.receive(request())
        transaction, invite = self.core.requests[0]
        transaction.on_failed = told.append
        transaction.respond(response_to(invite, 486))
        self.stage.wait(32)
        self.assertEqual(told, ["no ACK came"])

    def test_acknowledged_2xx(self) -> None:
        """
        The ACK to a 2xx is the user's, whether it has its own branch or, from an old phone, the INVITE's.
        """
        self.core.answer = answering(200)
        self.receive(request())
        self.receive(request())
        self.assertEqual(statuses(self.flow.take()), [200])
        self.receive(request("ACK", branch="z9hG4bK2"))
        self.receive(request("ACK"))
        self.assertEqual([flow for _, flow in self.core.acks], [self.flow, self.flow])

    def test_user_resends_its_2xx(self) -> None:
        """
        The dialog sends its 2xx again through the transaction, as long as that lives; afterwards it is dropped.
        """
        self.receive(request())
        transaction, invite = self.core.requests[0]
        accepted = response_to(invite, 200, to_tag="ours")
        transaction.respond(accepted)
        transaction.respond(accepted)
        self.assertEqual(statuses(self.flow.take()), [200, 200])
        self.assertEqual(transaction.state, "accepted")
        self.stage.wait(33)
        transaction.respond(accepted)
        self.assertEqual(self.flow.take(), [])

    def test_answers_once(self) -> None:
        """
        A second final answer is a mistake of ours.
        """
        self.receive(request())
        transaction, invite = self.core.requests[0]
        self.assertFalse(transaction.answered)
        transaction.respond(response_to(invite, 200))
        self.assertTrue(transaction.answered)
        for status in (180, 486):
            self.assertRaises(ValueError, transaction.respond, response_to(invite, status))

    def test_cancel(self) -> None:
        """
        A CANCEL is answered 200 with the INVITE's tag, and its copies too; the user is told of it once.
        """
        self.core.answer = answering(180, "ours")
        self.receive(request())
        self.receive(request("CANCEL"))
        self.receive(request("CANCEL"))
        self.assertEqual(statuses(self.flow.sent and self.flow.take()), [180, 200, 200])
        ((transaction, cancel),) = self.core.cancels
        self.assertIs(transaction, self.core.requests[0][0])
        self.assertEqual(cancel.method, "CANCEL")
        self.assertEqual(transaction.tag, "ours")
        self.assertEqual(len(self.core.requests), 1)
        transaction.respond(response_to(transaction.request, 487, to_tag=transaction.tag))
        (refusal,) = self.flow.take()
        self.assertEqual(refusal.to_tag, "ours")

    def test_cancel_before_any_answer(self) -> None:
        """
        The tag of the 200 is then the transaction's, for the user to go on with.
        """
        self.receive(request())
        self.receive(request("CANCEL"))
        (ok,) = self.flow.take()
        transaction = self.core.cancels[0][0]
        self.assertEqual((ok.status, ok.to_tag), (200, transaction.tag))
        transaction.respond(response_to(transaction.request, 487, to_tag=transaction.tag))

    def test_cancel_after_the_answer(self) -> None:
        """
        A CANCEL that comes too late is answered 200 and changes nothing.
        """
        self.core.answer = answering(200, "ours")
        self.receive(request())
        self.receive(request("CANCEL"))
        self.assertEqual([(sent.status, sent.to_tag) for sent in self.flow.take()], [(200, "ours"), (200, "ours")])
        self.assertEqual(self.core.cancels, [])

    def test_cancel_of_nothing(self) -> None:
        """
        A CANCEL that matches no INVITE is a request like another, for the user to answer 481.
        """
        self.core.answer = answering(481)
        self.receive(request("CANCEL"))
        self.receive(request("CANCEL"))
        self.assertEqual(len(self.core.requests), 1)
        self.assertEqual(statuses(self.flow.take()), [481, 481])

    def test_merged(self) -> None:
        """
        The same request come by another way is known as a copy; the first of them is not.
        """
        merged: list[bool] = []
        self.core.answer = lambda transaction, message: merged.append(transaction.merged)
        self.receive(request())
        self.receive(request(branch="z9hG4bK2"))
        self.receive(request(branch="z9hG4bK3", CSeq="2 INVITE"))
        self.receive(request(branch="z9hG4bK4", To="<sip:1002@pbx.example>;tag=ours"))
        self.assertEqual(merged, [False, True, False, False])
        for transaction, message in self.core.requests:
            transaction.respond(response_to(message, 200))
        self.assertIsNotNone(self.layer.merged(self.core.requests[1][1]))
        self.stage.wait(33)
        self.assertIsNone(self.layer.merged(self.core.requests[1][1]))

    def test_challenged_request_is_not_merged(self) -> None:
        """
        A client that answers a challenge without a higher CSeq is not taken for a copy.
        """
        self.core.answer = answering(401)
        self.receive(request("REGISTER"))
        merged: list[object] = []
        self.core.answer = lambda transaction, message: merged.append(self.layer.merged(message))
        self.receive(request("REGISTER", branch="z9hG4bK2"))
        self.assertEqual(merged, [None])
        self.core.requests[1][0].respond(response_to(self.core.requests[1][1], 200))

    def test_answer_after_the_connection_ended(self) -> None:
        """
        The answer goes over a new connection to where the request's Via says.
        """
        self.tcp()
        self.receive(request("OPTIONS"))
        self.flow.close()
        transaction, options = self.core.requests[0]
        transaction.respond(response_to(options, 200))
        ((target, wire),) = self.stage.opened
        self.assertEqual((target.transport, target.host, target.port), ("TCP", THERE[0], 5060))
        self.assertEqual(statuses(wire.take()), [200])

    def test_answer_that_cannot_be_sent(self) -> None:
        """
        When there is no way to the peer, whoever wants to know is told.
        """
        self.tcp()
        self.stage.unreachable = True
        told: list[str] = []
        for number, method in enumerate(("OPTIONS", "INVITE")):
            self.receive(request(method, branch=f"z9hG4bK{number}"))
        self.flow.close()
        for transaction, message in self.core.requests:
            transaction.on_failed = told.append
            transaction.respond(response_to(message, 486))
        self.stage.clock.advance(0)
        self.assertEqual(told, ["connection refused"] * 2)
        self.assertEqual(self.layer.active, 0)

    def test_reliable_transport(self) -> None:
        """
        Over TCP an answered request is forgotten at once, a refused INVITE with its ACK.
        """
        self.tcp()
        self.core.answer = answering(486)
        self.receive(request("OPTIONS"))
        self.assertEqual(self.layer.active, 0)
        self.receive(request())
        self.assertEqual(self.layer.active, 1)
        self.stage.wait(3)
        self.receive(request("ACK"))
        self.assertEqual(self.layer.active, 0)
        self.assertEqual(statuses(self.flow.take()), [486, 486])

    def test_answered_request_is_not_kept(self) -> None:
        """
        Once answered, the layer keeps the answer's bytes but neither the request nor the user's side of it.
        """
        self.core.answer = answering(200)
        self.receive(request("OPTIONS"))
        (reception,) = self.layer._servers.values()
        self.assertIsNone(reception.transaction)
        self.assertEqual(reception.machine.data, self.flow.sent[0])
        for kept in (reception, reception.machine):
            for name in {name for kind in type(kept).__mro__ for name in getattr(kind, "__slots__", ())}:
                self.assertNotIsInstance(getattr(kept, name), Request | Response)

    def test_malformed_request_is_answered(self) -> None:
        """
        A request whose To or From is malformed reaches the user, whose answer 400 reaches the peer.
        """
        self.core.answer = answering(400)
        for method in ("OPTIONS", "INVITE"):
            broken = request(method, branch=f"z9hG4bK{method}", To='"<sip:1002')
            broken.headers.set("From", "<sip:")
            self.layer.message_received(broken, self.flow)
        self.assertEqual([data[:11] for data in self.flow.sent], [b"SIP/2.0 400"] * 2)

    def test_malformed(self) -> None:
        """
        A message without what a transaction is found by is dropped.
        """
        nameless = request("OPTIONS")
        nameless.headers.remove("Via")
        self.layer.message_received(nameless, self.flow)
        answer = response_to(request("OPTIONS"), 200)
        answer.headers.set("CSeq", "one")
        self.layer.message_received(answer, self.flow)
        self.assertEqual(self.layer.counters.malformed, 2)
        self.assertEqual((self.core.requests, self.core.strays), ([], []))
