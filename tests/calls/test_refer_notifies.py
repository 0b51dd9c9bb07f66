"""
What a transferor hears of its transfer over a bad network: every step once and in order, whatever is lost or doubled.
"""

from __future__ import annotations

import random

from pbx.sip.event import SubscriptionState
from pbx.sip.message import Request, response_to
from pbx.sip.sipfrag import StatusLine
from tests.calls.case import Conversation, ExchangeCase
from tests.calls.phone import Phone


class ReferNotifyTests(ExchangeCase):
    """
    REFER, with NOTIFYs and their answers getting lost.
    """

    within = 70

    def transfer(self, seed: int, *, hang_up: bool) -> list[tuple[int, str, str | None]]:
        """
        Bert, whom Anna has called, transfers her to Carl, who picks up after a while; what Bert is told.
        """
        anna, bert, carl = self.phone("1001"), self.phone("1002"), self.phone("1003")
        told: dict[int, Request] = {}

        def answer(phone: Phone, request: Request) -> None:
            if request.method == "NOTIFY":
                told.setdefault(request.cseq.number, request)
                phone.answer(request, 200)
            elif request.method == "INVITE":
                phone.answer(request, 180)
                self.network.clock.callLater(5, phone.answer, request, 200, body=phone.sdp())

        talk = Conversation(anna, bert)
        for phone in (bert, carl):
            phone.on_request = lambda request, phone=phone: answer(phone, request)
        chance = random.Random(seed)  # noqa: S311 - chance, no secret
        self.network.drop = lambda source, destination, data: b" NOTIFY\r\n" in data and chance.random() < 0.4
        self.network.duplication = 0.2
        self.assertEqual(talk.ask(bert, "REFER", headers=(("Refer-To", "<sip:1003@10.0.0.1>"),)).status, 202)
        if hang_up:
            talk.hang_up(bert)
        self.network.advance(60)
        self.network.drop, self.network.duplication = None, 0.0
        rung = carl.requests("INVITE")[-1]
        carl.send(carl.within_received("BYE", rung, response_to(rung, 200, to_tag="callee")))
        self.network.advance(1)
        self.assertEqual(list(told), sorted(told))
        found = []
        for request in told.values():
            state = SubscriptionState.parse(request.headers.get("Subscription-State") or "")
            found.append((StatusLine.parse(request.body).status, state.state, state.reason))
        return found

    def test_steps(self) -> None:
        """
        100, 180 and 200, the last of which ends it; also to a transferor that has hung up meanwhile.
        """
        expected = [(100, "active", None), (180, "active", None), (200, "terminated", "noresource")]
        for seed in range(4):
            for hang_up in (False, True):
                with self.subTest(seed=seed, hang_up=hang_up):
                    self.assertEqual(self.transfer(seed, hang_up=hang_up), expected)
                    for phone in self.phones:
                        phone.hang_silent()
                    self.phones.clear()
                    self.assertEqual(self.exchange.core.subscriptions, {})
