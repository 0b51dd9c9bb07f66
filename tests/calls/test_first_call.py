"""
One call through the whole exchange, on a network in memory.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.calls.exchange import MemoryExchange
from tests.calls.phone import Phone
from tests.network import Network


class FirstCallTests(SynchronousTestCase):
    """
    Two phones register and talk.
    """

    def setUp(self) -> None:
        """
        Put an exchange and two registered phones on a network.
        """
        self.network = Network(delay=0.001)
        self.exchange = MemoryExchange(self.network)
        self.anna = Phone(self.network, "1001", "10.0.1.1")
        self.bert = Phone(self.network, "1002", "10.0.1.2")
        for phone in (self.anna, self.bert):
            self.assertEqual(phone.register().status, 200)
            phone.listen_for_media()

    def tearDown(self) -> None:
        """
        Stop; nothing may be left.
        """
        self.network.advance(70)
        self.assertEqual(set(self.exchange.left().values()), {0}, self.exchange.left())
        self.exchange.stop()
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_call_and_hang_up_by_the_caller(self) -> None:
        """
        1001 calls 1002, both hear each other, 1001 hangs up, and the record tells it.
        """
        invite = self.anna.call("1002")
        (rung,) = self.bert.requests("INVITE")
        self.assertIn("Phone 1001", rung.headers.get("From") or "")
        self.assertEqual(rung.uri, self.bert.contact)
        self.bert.reply(rung, 180)
        self.assertIn(180, self.anna.responses("INVITE"))
        self.bert.reply(rung, 200, body=self.bert.sdp())
        self.assertEqual(len(self.bert.requests("ACK")), 1)
        answer = self.anna.last("INVITE")
        self.assertEqual(answer.status, 200)
        self.anna.acknowledge(invite, answer)
        self.anna.speak(answer.body, 50)
        self.bert.speak(rung.body, 50)
        self.assertGreaterEqual(len(self.anna.media), 49)
        self.assertGreaterEqual(len(self.bert.media), 49)
        self.anna.send(self.anna.within("BYE", invite, answer, cseq=3))
        self.network.advance(0.1)
        self.assertEqual(self.anna.last("BYE").status, 200)
        (bye,) = self.bert.requests("BYE")
        self.bert.reply(bye, 200)
        (record,) = self.exchange.records
        self.assertEqual(
            (record["caller"], record["callee"], record["disposition"], record["hangup_by"], record["codec"]),
            ("1001", "1002", "answered", "caller", "PCMU"),
        )
        self.assertEqual([leg["quality"]["packets_in"] for leg in record["legs"]], [50, 50])

    def test_unregistered_callee(self) -> None:
        """
        A call to an extension whose phones are away is refused 480.
        """
        self.anna.call("1003")
        answer = self.anna.last("INVITE")
        self.assertEqual(answer.status, 480)
        self.assertIn("cause=20", answer.headers.get("Reason") or "")
        self.assertEqual(self.exchange.records[0]["reason"], "Not registered")
