"""
Tests for :mod:`pbx.transaction.layer`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.message import Request, response_to
from pbx.transaction.limits import Limits
from tests.transaction.link import THERE, Caller, Lossy, Wire, answering
from tests.transaction.playbook import request
from tests.transaction.stage import StageTests, outgoing, statuses


class LimitTests(StageTests):
    """
    More strangers than can be looked at.
    """

    limits = Limits(unauthenticated_per_address=2, unauthenticated=3, answered=2, refusals_per_second=2, retry_after=7)

    def setUp(self) -> None:
        StageTests.setUp(self)
        self.number = 0

    def tearDown(self) -> None:
        for transaction, message in self.core.requests:
            if not transaction.answered:
                transaction.respond(response_to(message, 200))
        StageTests.tearDown(self)

    def come(self, method: str = "INVITE", host: str = THERE[0]) -> list[int | str]:
        """
        A new request from an address; what it gets.
        """
        self.number += 1
        flow = Wire(remote=(host, 5060))
        self.layer.message_received(request(method, f"z9hG4bK{self.number}", Call_ID=f"call-{self.number}"), flow)
        self.refusals = flow.take()
        return statuses(self.refusals)

    def test_per_address(self) -> None:
        """
        An INVITE beyond the cap gets 503 with Retry-After, anything else nothing; other addresses are served.
        """
        self.come()
        self.come("OPTIONS")
        self.assertEqual(self.come(), [503])
        self.assertEqual(self.refusals[0].headers.get("Retry-After"), "7")
        self.assertIsNotNone(self.refusals[0].to_tag)
        self.assertEqual(self.come("OPTIONS"), [])
        self.assertEqual(len(self.core.requests), 2)
        self.come(host="198.51.100.1")
        self.assertEqual(len(self.core.requests), 3)
        self.assertEqual((self.layer.counters.refused, self.layer.counters.dropped), (1, 1))

    def test_in_total(self) -> None:
        """
        All addresses together have a cap too.
        """
        for number in range(4):
            self.come(host=f"198.51.100.{number}")
        self.assertEqual(len(self.core.requests), 3)
        self.assertEqual(self.layer.unauthenticated, 3)

    def test_refusals_are_few(self) -> None:
        """
        A flood is not answered by a flood, but a little later a refusal is sent again.
        """
        self.come()
        self.come()
        self.assertEqual([self.come() for _ in range(4)], [[503], [503], [], []])
        self.stage.wait(0.5)
        self.assertEqual([self.come() for _ in range(2)], [[503], []])

    def test_authenticated(self) -> None:
        """
        A sender who is known takes no stranger's place, however often that is said.
        """
        for _ in range(5):
            self.come()
            transaction = self.core.requests[-1][0]
            transaction.authenticated()
            transaction.authenticated()
        self.assertEqual(len(self.core.requests), 5)
        self.assertEqual(self.layer.unauthenticated, 0)

    def test_answered(self) -> None:
        """
        An answer frees the place: a challenged phone may come back at once.
        """
        self.core.answer = answering(401)
        for _ in range(5):
            self.come("REGISTER")
        self.assertEqual(len(self.core.requests), 5)

    def test_oldest_answer_is_forgotten(self) -> None:
        """
        Of the strangers' answers only so many are kept; a copy of a request whose answer was forgotten is a new one.
        """
        self.core.answer = answering(401)
        for _ in range(3):
            self.come("REGISTER")
        self.assertEqual(self.layer.active, 2)
        self.assertEqual(self.layer.counters.evicted, 1)
        # The second in line is the next to go: what it held goes with it.
        second = next(iter(self.layer._waiting))
        self.come("INVITE")
        self.assertEqual((second.machine.state, second.machine.data), ("terminated", b""))
        self.come("REGISTER")
        self.come("REGISTER")
        self.assertEqual(len(self.layer.timer_queue), 0)
        self.core.requests.clear()
        self.receive(request("REGISTER", "z9hG4bK6", Call_ID="call-6"))
        self.assertEqual(len(self.core.requests), 0)
        self.receive(request("REGISTER", "z9hG4bK1", Call_ID="call-1"))
        self.assertEqual(len(self.core.requests), 1)

    def test_challenge_of_a_stranger_is_sent_once(self) -> None:
        """
        A forged source address does not draw one datagram after the other.
        """
        self.core.answer = answering(401)
        self.receive(request())
        self.stage.wait(10)
        self.assertEqual(len(self.flow.sent), 1)

    def test_challenge_of_a_friend_is_resent(self) -> None:
        """
        For a sender who is known it is a refusal like any other.
        """
        self.receive(request())
        transaction, invite = self.core.requests[0]
        transaction.authenticated()
        transaction.respond(response_to(invite, 407))
        self.stage.wait(1)
        self.assertEqual(statuses(self.flow.take()), [407, 407])

    def test_waiting_costs_the_reactor_little(self) -> None:
        """
        A hundred answered requests wait for their copies with a call or two of the clock between them.
        """
        self.core.answer = lambda transaction, message: (
            transaction.authenticated() or answering(200)(transaction, message)
        )
        for _ in range(100):
            self.stage.clock.advance(0.001)
            self.come("OPTIONS")
        self.assertEqual(self.layer.active, 100)
        self.assertLessEqual(len(self.stage.clock.getDelayedCalls()), 2)


class LossyTests(SynchronousTestCase):
    """
    Two layers over a bad network.
    """

    def run_over(self, link: Lossy) -> None:
        """
        Send twenty requests of each kind and let them end.
        """
        self.addCleanup(lambda: self.assertEqual(link.clock.getDelayedCalls(), []))
        for number in range(20):
            for method in ("MESSAGE", "INVITE"):
                message = outgoing(method)
                message.headers.set("Call-ID", f"{method}-{number}")
                caller = Caller()
                self.callers.append(caller)
                link.here.layer.request(message, link.out, caller)
        link.wait(120)
        self.assertEqual((link.here.layer.active, link.there.layer.active), (0, 0))

    def setUp(self) -> None:
        self.callers: list[Caller] = []

    def test_every_request_is_answered_once(self) -> None:
        """
        A third of all datagrams lost and a third repeated: each request reaches the user once, and so does its answer.
        """
        for seed in range(5):
            link = Lossy(seed, loss=0.33, repeat=0.33)
            link.there.core.answer = lambda transaction, _: (
                transaction.authenticated(),
                answering(486)(transaction, _),
            )
            self.callers = []
            self.run_over(link)
            self.assertEqual([caller.heard for caller in self.callers], [[486]] * 40)
            self.assertEqual(len(link.there.core.requests), 40)
            self.assertEqual(link.there.core.acks, [])

    def test_accepted_invites(self) -> None:
        """
        A 2xx that the dialog resends until it is acknowledged arrives too, and makes one call.
        """
        for seed in range(5):
            link = Lossy(seed, loss=0.33, repeat=0.33)

            def accept(transaction: Any, message: Request, link: Lossy = link) -> None:
                accepted = response_to(message, 200, to_tag="ours")
                for delay in (0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5):
                    if delay == 0 or message.method == "INVITE":
                        link.clock.callLater(delay, transaction.respond, accepted)

            link.there.core.answer = accept
            self.callers = []
            self.run_over(link)
            self.assertEqual(len(link.there.core.requests), 40)
            for caller in self.callers:
                self.assertEqual(set(caller.heard) - {100}, {200})

    def test_dead_network(self) -> None:
        """
        With everything lost each user is told so once.
        """
        self.run_over(Lossy(1, loss=1, repeat=0))
        self.assertEqual([caller.heard for caller in self.callers], [["timed out"]] * 40)
