"""
Tests for :mod:`pbx.transport.udp`.
"""

from __future__ import annotations

import gc
import random

from hypothesis import given, seed, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.message import Request
from pbx.transport.udp import MOST_HELD
from tests.transport.rig import PBX, PHONE, Rig, Trace, request, response


class UdpTests(SynchronousTestCase):
    """
    SIP over datagrams.
    """

    def setUp(self) -> None:
        self.rig = Rig()
        self.phone = self.rig.udp_phone()
        self.addCleanup(self.rig.stop, self)

    def test_request_is_stamped_and_answered_where_it_came_from(self) -> None:
        """
        A request is handed on with received and rport, asked for or not; an answer goes to the very source of it.
        """
        self.phone.say(request())
        self.rig.advance()
        message, flow = self.rig.receiver.got[0]
        assert isinstance(message, Request)
        self.assertEqual((message.top_via.received, message.top_via.rport), (PHONE, 5060))
        self.assertEqual(message.top_via.host, "192.168.1.9")
        self.assertEqual((flow.transport, flow.reliable, flow.closed), ("UDP", False, False))
        self.assertEqual((flow.local, flow.remote, flow.sent_by), ((PBX, 5060), (PHONE, 5060), (PBX, 5060)))
        self.assertEqual(flow.name, f"udp:{PBX}:5060>{PHONE}:5060")
        flow.send(b"answer")
        self.rig.advance()
        self.assertEqual((self.phone.heard, self.phone.sources), ([b"answer"], [(PBX, 5060)]))

    def test_a_lying_rport_is_corrected(self) -> None:
        """
        What the sender itself wrote into received and rport does not count.
        """
        self.phone.say(request(branch="z9hG4bK1;received=1.2.3.4;rport=9"))
        self.rig.advance()
        via = self.rig.receiver.last.top_via
        self.assertEqual((via.received, via.rport), (PHONE, 5060))

    def test_keep_alives(self) -> None:
        """
        CRLF and NUL keep-alives are ignored silently, a double CRLF is answered with one; none is a failure.
        """
        for ping in (b"\r\n", b"\0\0\0\0", b"\0", b"", b"\r\n\0\0", b"    ", b"\r\n\r\n"):
            self.phone.say(ping)
        self.rig.advance()
        self.assertEqual(self.rig.receiver.got, [])
        self.assertEqual(self.phone.heard, [b"\r\n"])
        self.assertEqual((self.rig.layer.reception.keep_alives, self.rig.layer.reception.malformed), (7, 0))

    def test_garbage(self) -> None:
        """
        Datagrams that are no message are counted, and get neither an answer nor a line above debug.
        """
        chance = random.Random(7)  # noqa: S311  # chance, no secret
        garbage = [chance.randbytes(chance.randrange(9, 1500)) for _ in range(200)]
        for data in [*garbage, b"GET / HTTP/1.0\r\n\r\n", b"INVITE\r\n\r\n"]:
            self.phone.say(data)
        self.rig.advance()
        self.assertEqual(self.rig.receiver.got, [])
        self.assertEqual(self.phone.heard, [])
        self.assertEqual(self.rig.layer.reception.malformed, 202)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(self.rig.guard.blocks(), [])
        self.phone.say(request())
        self.rig.advance()
        self.assertEqual(len(self.rig.receiver.got), 1)

    def test_malformed_but_answerable(self) -> None:
        """
        A request whose beginning could be read gets 400, with the reason, where it came from; the same tag each time.
        """
        bad = request(extra="Broken header\r\n")
        self.phone.say(bad)
        self.phone.say(bad)
        self.rig.advance()
        self.assertEqual(self.rig.receiver.got, [])
        self.assertEqual(len(self.phone.heard), 2)
        self.assertTrue(self.phone.heard[0].startswith(b"SIP/2.0 400 "), self.phone.heard)
        self.assertIn(b"received=" + PHONE.encode(), self.phone.heard[0])
        self.assertIn(b";tag=", self.phone.heard[0].partition(b"\r\nTo:")[2].partition(b"\r\n")[0])
        self.assertEqual(self.phone.heard[0], self.phone.heard[1])

    def test_largest_datagram(self) -> None:
        """
        A datagram of 64 kB arrives whole.
        """
        body = bytes(64_000)
        self.phone.say(request().replace(b"Content-Length: 0", b"Content-Length: 64000") + body)
        self.rig.advance()
        self.assertEqual(self.rig.receiver.last.body, body)

    def test_largest_garbage(self) -> None:
        """
        64 kB of garbage do no more than garbage does.
        """
        for data in (b"A" * 65_507, b"\r\n" * 32_000, (b"Via: " + b"x" * 100 + b"\r\n") * 600):
            self.phone.say(data)
        self.rig.advance()
        self.assertEqual((self.rig.receiver.got, self.phone.heard), ([], []))

    def test_foreign_response(self) -> None:
        """
        A response whose top Via is not ours is dropped; ours is handed on.
        """
        self.phone.say(response("10.0.0.77:5060"))
        self.phone.say(response(f"{PBX}:5070"))
        self.rig.advance()
        self.assertEqual((self.rig.receiver.got, self.rig.layer.reception.foreign), ([], 2))
        self.phone.say(response())
        self.phone.say(response(PBX))
        self.rig.advance()
        self.assertEqual(len(self.rig.receiver.got), 2)

    def test_no_via(self) -> None:
        """
        A request without Via names nobody to answer and is dropped.
        """
        self.phone.say(request().replace(b"Via:", b"X-Via:"))
        self.rig.advance()
        self.assertEqual((self.rig.receiver.got, self.phone.heard), ([], []))
        self.assertEqual(self.rig.layer.reception.malformed, 1)

    def test_refused_by_the_receiver(self) -> None:
        """
        A malformed header that shows only further up is answered too, but not for an ACK.
        """
        bad = request().replace(b"CSeq: 1 OPTIONS", b"CSeq: x OPTIONS")
        self.rig.receiver.message_received = lambda message, flow: message.cseq  # type: ignore[method-assign]
        self.phone.say(bad)
        self.phone.say(bad.replace(b"OPTIONS", b"ACK"))
        self.rig.advance()
        self.assertEqual(len(self.phone.heard), 1)
        self.assertIn(b"SIP/2.0 400 Malformed CSeq", self.phone.heard[0])

    def test_a_bug_above_is_logged(self) -> None:
        """
        An error of our own is logged, and the socket goes on.
        """
        self.rig.receiver.error = ZeroDivisionError()
        self.phone.say(request())
        self.rig.advance()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.rig.receiver.error = None
        self.phone.say(request())
        self.rig.advance()
        self.assertEqual(len(self.rig.receiver.got), 2)

    def test_one_flow_a_peer(self) -> None:
        """
        A peer has one flow as long as anybody holds it; another port is another peer.
        """
        flow = self.rig.layer.udp_flow((PHONE, 5060))
        self.phone.say(request())
        self.rig.udp_phone(port=5070).say(request())
        self.rig.advance()
        self.assertIs(self.rig.receiver.got[0][1], flow)
        self.assertIsNot(self.rig.receiver.got[1][1], flow)
        self.assertIs(self.rig.layer.udp_flow((PHONE, 5060), (PBX, 5060)), flow)

    def test_closing_never_comes(self) -> None:
        """
        A UDP flow takes callbacks for its end, and never calls them.
        """
        flow = self.rig.layer.udp_flow((PHONE, 5060))
        flow.on_close(self.fail)
        flow.off_close(self.fail)

    def test_too_long_to_send(self) -> None:
        """
        A message no datagram holds counts as lost.
        """
        self.rig.layer.udp_flow((PHONE, 5060)).send(bytes(70_000))
        self.rig.advance()
        self.assertEqual(self.phone.heard, [])

    def test_held_messages_leave_in_order(self) -> None:
        """
        What is sent while the socket holds leaves when it is released, in order, and from then on at once.
        """
        udp, flow = self.rig.layer._udp[PBX], self.rig.layer.udp_flow((PHONE, 5060))
        udp.hold()
        for number in range(3):
            flow.send(b"%d" % number)
        self.rig.advance()
        self.assertEqual(self.phone.heard, [])
        udp.release()
        flow.send(b"3")
        self.rig.advance()
        self.assertEqual(self.phone.heard, [b"0", b"1", b"2", b"3"])

    def test_not_more_is_held_than_allowed(self) -> None:
        """
        A full bundle leaves without waiting for the rest.
        """
        udp, flow = self.rig.layer._udp[PBX], self.rig.layer.udp_flow((PHONE, 5060))
        udp.hold()
        for _ in range(MOST_HELD + 1):
            flow.send(b"one")
        self.rig.advance()
        self.assertEqual(len(self.phone.heard), MOST_HELD)
        udp.release()
        self.rig.advance()
        self.assertEqual(len(self.phone.heard), MOST_HELD + 1)

    def test_one_that_cannot_be_sent_holds_back_none(self) -> None:
        """
        Of what was held, one that the network does not take counts as lost, and one that nobody foresaw is logged.
        """
        udp = self.rig.layer._udp[PBX]
        flow = self.rig.layer.udp_flow((PHONE, 5060))
        udp.hold()
        flow.send(bytes(70_000))
        flow.send(None)  # type: ignore[arg-type]  # what nobody foresaw
        flow.send(b"the next")
        udp.release()
        self.rig.advance()
        self.assertEqual((self.phone.heard, udp.failures), ([b"the next"], 1))
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_what_is_held_leaves_before_the_socket_closes(self) -> None:
        """
        A socket that is closed while it holds sends that first; what comes later is lost.
        """
        udp, flow = self.rig.layer._udp[PBX], self.rig.layer.udp_flow((PHONE, 5060))
        udp.hold()
        flow.send(b"the last")
        udp.unbind()
        flow.send(b"too late")
        udp.release()
        self.rig.advance()
        self.assertEqual((self.phone.heard, udp.failures), ([b"the last"], 1))


class AnyBytesTests(SynchronousTestCase):
    """
    Whatever comes.
    """

    @seed(1)
    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=300), st.integers(0, 250), st.integers(0, 250))
    def test_nothing_breaks(self, noise: bytes, start: int, end: int) -> None:
        """
        A request with any part of it replaced by anything is handed on, answered or dropped, and no more.
        """
        rig = Rig()
        phone = rig.udp_phone()
        data = request()
        phone.say(data[:start] + noise + data[end:])
        rig.advance()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertTrue(len(phone.heard) <= 1)
        rig.stop(self)


class FlowTableTests(SynchronousTestCase):
    """
    The memory of UDP peers.
    """

    def test_bounded(self) -> None:
        """
        The flows of strangers are forgotten, the longest unused first; a flow that is held is not.
        """
        rig = Rig(max_flows=10)
        self.addCleanup(rig.stop, self)
        held = rig.layer.udp_flow((PHONE, 1))
        for port in range(2, 100):
            rig.layer.udp_flow((PHONE, port))
        gc.collect()
        udp = rig.layer._udp[PBX]
        self.assertEqual((len(udp._recent), len(udp._held)), (10, 11))
        self.assertIs(rig.layer.udp_flow((PHONE, 1)), held)


class TraceTests(SynchronousTestCase):
    """
    What the trace is shown.
    """

    def test_both_ways(self) -> None:
        """
        Each message in and out is shown with the name of its flow, what cannot be read too; keep-alives are not.
        """
        trace = Trace()
        rig = Rig(trace=trace)
        self.addCleanup(rig.stop, self)
        phone = rig.udp_phone()
        for data in (b"garbage garbage", b"\r\n", request()):
            phone.say(data)
        rig.advance()
        rig.receiver.flow.send(b"answer")
        name = f"udp:{PBX}:5060>{PHONE}:5060"
        self.assertEqual(
            trace.seen,
            [("received", name, b"garbage garbage"), ("received", name, request()), ("sent", name, b"answer")],
        )
