"""
Pings that hold the NAT mappings of phones open.
"""

from __future__ import annotations

from pbx.registrar.keepalive import KeepAlive
from tests.calls.case import ExchangeCase
from tests.calls.stream_phone import StreamPhone


class KeepAliveTests(ExchangeCase):
    """
    A ping every 25 s to each UDP phone behind NAT.
    """

    def setUp(self) -> None:
        """
        An exchange that pings.
        """
        super().setUp()
        self.keepalive = KeepAlive(self.network.clock, self.exchange.location)
        self.exchange.trace.leave_out(self.keepalive.mark)
        self.keepalive.start()
        self.idle += 1

    def tearDown(self) -> None:
        """
        Stop pinging.
        """
        self.keepalive.stop()
        super().tearDown()

    def test_every_25_seconds(self) -> None:
        """
        A phone behind NAT is pinged with OPTIONS every 25 s, at its Contact, over the flow it opened.
        """
        self.network.nat("198.51.100.1", "192.168.1.10")
        phone = self.phone("1001", at="192.168.1.10", register=False)
        phone.register()
        phone.received.clear()
        phone.times.clear()
        self.network.advance(100)
        self.assertEqual(len(phone.requests("OPTIONS")), 4)
        for earlier, later in zip(phone.times, phone.times[1:], strict=False):
            self.assertLess(abs(later - earlier - 25), 0.1)
        ping = phone.requests("OPTIONS")[0]
        self.assertEqual((ping.uri, ping.max_forwards), (phone.contact, 70))
        self.assertEqual(len({request.call_id for request in phone.requests("OPTIONS")}), 4)
        # The phone's answers are heard and dropped, and none of it crowds out of the trace what calls have said.
        self.assertEqual(self.exchange.trace.about("OPTIONS"), "")
        self.assertIn("REGISTER", self.exchange.trace.about("REGISTER"))
        self.assertEqual(self.exchange.transactions.active, 0)
        self.assertEqual(self.loud, [])

    def test_the_mapping_stays_open(self) -> None:
        """
        A NAT that forgets after 30 s still lets a call in after two minutes without a word from the phone.
        """
        box = self.network.nat("198.51.100.1", "192.168.1.10")
        box.timeout = 30.0
        phone = self.phone("1001", at="192.168.1.10", register=False)
        phone.polite = False
        phone.register()
        self.network.advance(118)
        caller = self.phone("1002")
        caller.call("1001")
        self.assertEqual(len(phone.requests("INVITE")), 1)
        phone.reply(phone.requests("INVITE")[0], 486)

    def test_who_is_not_pinged(self) -> None:
        """
        Neither a phone without NAT nor one on a connection is pinged.
        """
        near = self.phone("1001")
        self.network.nat("198.51.100.1", "192.168.1.10")
        desk = self.phone("1002", at="192.168.1.10", kind=StreamPhone)
        self.network.advance(60)
        self.assertEqual(near.requests("OPTIONS") + desk.requests("OPTIONS"), [])
        desk.close()

    def test_spread(self) -> None:
        """
        Many phones are not pinged in the same second.
        """
        self.network.nat("198.51.100.1", *(f"192.168.1.{n}" for n in range(1, 10)))
        for n in range(1, 10):
            self.phone(f"100{n}", at=f"192.168.1.{n}", register=False).register()
        self.network.advance(1)
        sent = []
        for _ in range(25):
            before = self.keepalive.sent
            self.network.advance(1)
            sent.append(self.keepalive.sent - before)
        self.assertEqual(sum(sent), 9)
        self.assertLess(max(sent), 9)
