"""
Calls over trunks as they are: looked up, asked whether they are alive, and recognised by what was looked up.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from pbx.directory.trunk import IDLE
from tests.calls.carrier import MOBILE, Carrier
from tests.calls.test_trunk_inbound import IncomingCase


class RealLinesTests(IncomingCase):
    """
    The first trunk is asked every five seconds.
    """

    options = {"real_lines": True}
    trunks = {"A": {"options_interval": 5}, "B": {}}

    def tearDown(self) -> None:
        """
        What asks for the health of a trunk is no rest of a call.
        """
        Deferred.fromCoroutine(self.exchange.lines.stop())
        super().tearDown()

    def test_in_and_out(self) -> None:
        """
        A call out goes over the first trunk, a call in from its address is its.
        """
        self.network.advance(1)
        invite = self.anna.call("017612345678")
        (out,) = self.a.invites
        self.assertEqual(out.target.user, MOBILE)
        self.assertEqual(self.channels(), {"A": 1, "B": 0})
        self.a.reply(out, 486)
        self.anna.acknowledge_refusal(invite, self.anna.last("INVITE"))
        self.exchange.kept.records.clear()
        call = self.a.offer_call()
        self.busy(call)

    def test_unknown_machine_of_the_provider(self) -> None:
        """
        Within a call in, a machine that nothing was known of is the provider's, since it calls our Contact; one that
        calls another is nobody's.
        """
        self.network.advance(1)
        invite = self.a.offer_call()
        answered = self.anna.reply(self.rung, 200, body=self.anna.sdp())
        answer = self.a.last("INVITE")
        self.a.acknowledge(invite, answer)
        pool = self.phone("0", kind=Carrier, at="10.9.7.7", register=False)
        for cseq, (uri, status) in enumerate((("sip:pbx@10.0.0.1", 403), (str(answer.contacts[0].uri), 200)), 5):
            info = pool.within("INFO", invite, answer, cseq=cseq)
            info.uri = uri
            pool.send(info)
            self.network.advance(0.01)
            self.assertEqual(pool.last("INFO").status, status)
        self.anna.send(self.anna.within_received("BYE", self.rung, answered))
        self.network.advance(0.1)

    def test_dies_while_it_rings(self) -> None:
        """
        It rings, and then nothing is heard of the trunk any more: within 15 s the second one is tried, and the caller
        still hears it ring.
        """
        self.network.advance(12)
        self.assertEqual(self.exchange.lines.get("A", IDLE).health, "up")
        invite = self.anna.call("017612345678")
        self.a.reply(self.a.invites[0], 180)
        self.a.hang_silent()
        for _ in range(30):
            if not self.b.invites:
                self.network.advance(0.5)
        self.assertEqual(self.exchange.lines.get("A", IDLE).health, "down")
        (onward,) = self.b.invites
        self.b.reply(onward, 200, body=self.b.sdp())
        answer = self.anna.last("INVITE")
        self.assertEqual(answer.status, 200)
        self.anna.acknowledge(invite, answer)
        self.anna.send(self.anna.within("BYE", invite, answer, cseq=9))
        self.network.advance(0.1)

    def test_silent_server_is_tried_last(self) -> None:
        """
        No answer to a call: the place is avoided for a while.
        """
        self.network.advance(1)
        self.a.hang_silent()
        invite = self.anna.call("017612345678")
        self.network.advance(4.1)
        (target,) = self.exchange.lines.line("A").targets_of._avoided
        self.assertEqual(target.host, "10.9.0.1")
        self.b.reply(self.b.invites[0], 486)
        self.anna.acknowledge_refusal(invite, self.anna.last("INVITE"))
