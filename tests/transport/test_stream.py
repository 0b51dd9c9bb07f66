"""
Tests for :mod:`pbx.transport.stream`.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, seed, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.message import Request
from pbx.transport.flow import Flow, FlowClosed
from pbx.transport.guard import GuardSettings
from tests.transport.rig import PBX, PHONE, Rig, Trace, request


class StreamTests(SynchronousTestCase):
    """
    SIP over a connection.
    """

    def setUp(self) -> None:
        self.rig = self.make()

    def make(self, **settings: Any) -> Rig:
        """
        A rig that leaves nothing behind.
        """
        rig = Rig(**settings)
        self.addCleanup(rig.stop, self)
        return rig

    def tcp(self, **changes: str) -> bytes:
        """
        A request as a phone sends it over TCP.
        """
        return request(via="TCP 192.168.1.9:5060", **changes)

    def test_messages_in_pieces(self) -> None:
        """
        Messages are found whatever pieces they come in, stamped and answered over their connection.
        """
        phone = self.rig.stream_phone()
        data = self.tcp() + self.tcp(branch="z9hG4bK2")
        for byte in data:
            phone.say(bytes([byte]))
        phone.say(data)
        self.rig.advance()
        self.assertEqual([message.top_via.branch for message, _ in self.rig.receiver.got],
                         ["z9hG4bK1", "z9hG4bK2"] * 2)
        message, flow = self.rig.receiver.got[0]
        assert isinstance(message, Request)
        self.assertEqual((message.top_via.received, message.top_via.rport), (PHONE, flow.remote[1]))
        self.assertEqual((flow.transport, flow.reliable, flow.closed), ("TCP", True, False))
        self.assertEqual((flow.local, flow.sent_by, flow.remote[0]), ((PBX, 5060), (PBX, 5060), PHONE))
        self.assertEqual(len({id(one) for _, one in self.rig.receiver.got}), 1)
        flow.send(b"answer")
        self.rig.advance()
        self.assertEqual(phone.heard, b"answer")

    def test_ping_and_pong(self) -> None:
        """
        A double CRLF is answered with one, between messages and before the first.
        """
        phone = self.rig.stream_phone()
        phone.say(b"\r\n\r\n")
        phone.say(self.tcp() + b"\r\n\r\n\r\n\r\n" + self.tcp())
        self.rig.advance()
        self.assertEqual(phone.heard, b"\r\n" * 3)
        self.assertEqual(len(self.rig.receiver.got), 2)

    def test_nothing_said(self) -> None:
        """
        A connection that never brings a whole message is closed after 30 s, pings or not.
        """
        silent, pinging = self.rig.stream_phone(), self.rig.stream_phone()
        for _ in range(4):
            self.rig.advance(10)
            if pinging.ended_at is None:
                pinging.say(b"\r\n\r\n")
        for phone in (silent, pinging):
            assert phone.ended_at is not None and phone.connected_at is not None
            self.assertTrue(abs(phone.ended_at - phone.connected_at - 30) < 0.1)

    def test_a_byte_a_second(self) -> None:
        """
        A peer that sends a byte a second is closed after 30 s, and others are served meanwhile.
        """
        slow, phone = self.rig.stream_phone(), self.rig.stream_phone("10.0.0.3")
        for byte in self.tcp():
            if slow.ended_at is None:
                slow.say(bytes([byte]))
            self.rig.advance(1)
            phone.say(self.tcp(branch="z9hG4bKgood"))
        assert slow.ended_at is not None
        self.assertTrue(29 < slow.ended_at < 31, slow.ended_at)
        self.rig.advance()
        self.assertEqual(len(self.rig.receiver.got), len(self.tcp()))
        self.assertIsNone(phone.ended_at)

    def test_a_byte_a_second_later_on(self) -> None:
        """
        A later message must be whole 30 s after it began, too, whether it dawdles in the head or in the body.
        """
        long = self.tcp().replace(b"Content-Length: 0", b"Content-Length: 5")
        for beginning in (b"OPT", long, long + b"1234"):
            phone = self.rig.stream_phone()
            phone.say(self.tcp())
            self.rig.advance(100)
            began = self.rig.clock.seconds()
            phone.say(beginning)
            self.rig.advance(29)
            self.assertIsNone(phone.ended_at, beginning)
            self.rig.advance(2)
            assert phone.ended_at is not None
            self.assertTrue(abs(phone.ended_at - began - 30) < 0.1)

    def test_unused(self) -> None:
        """
        A connection nobody waits for is closed after ten silent minutes; pings keep it, and so does a binding.
        """
        unused, pinging, held = (self.rig.stream_phone(address) for address in ("10.0.0.2", "10.0.0.3", "10.0.0.4"))
        for phone in (unused, pinging, held):
            phone.say(self.tcp())
        self.rig.advance()
        flow = next(flow for _, flow in self.rig.receiver.got if flow.remote[0] == "10.0.0.4")
        ended: list[Flow] = []
        flow.on_close(ended.append)
        for _ in range(30):
            self.rig.advance(60)
            pinging.say(b"\r\n\r\n")
        assert unused.ended_at is not None
        self.assertTrue(abs(unused.ended_at - 600) < 1)
        self.assertIsNone(pinging.ended_at)
        self.assertIsNone(held.ended_at)
        flow.off_close(ended.append)
        self.rig.advance(600)
        self.assertIsNotNone(held.ended_at)
        self.assertEqual(ended, [])

    def test_told_when_it_ends(self) -> None:
        """
        Whoever waits is told once when the peer goes, or at once when it is gone; then nothing can be sent.
        """
        phone = self.rig.stream_phone()
        phone.say(self.tcp())
        self.rig.advance()
        flow = self.rig.receiver.flow
        ended: list[Flow] = []
        flow.on_close(ended.append)
        flow.on_close(lambda flow: 1 / 0)
        flow.on_close(ended.append)
        flow.off_close(self.fail)
        phone.transport.loseConnection()  # type: ignore[union-attr]
        self.rig.advance()
        self.assertEqual((ended, flow.closed), ([flow, flow], True))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        flow.on_close(ended.append)
        self.assertEqual(len(ended), 3)
        self.assertRaises(FlowClosed, flow.send, b"late")

    def test_given_up(self) -> None:
        """
        A connection whose peer has fallen silent can be ended, once; over UDP that changes nothing.
        """
        phone = self.rig.stream_phone()
        phone.say(self.tcp())
        self.rig.advance()
        flow = self.rig.receiver.flow
        told: list[Flow] = []
        flow.on_close(told.append)
        flow.give_up()
        flow.give_up()
        self.rig.advance()
        self.assertEqual((flow.closed, told, phone.ended_at is not None), (True, [flow], True))
        datagrams = self.rig.layer.udp_flow((PHONE, 5060))
        datagrams.give_up()
        self.assertFalse(datagrams.closed)

    def test_malformed_in_its_frame(self) -> None:
        """
        When only the body's frame or the Via is bad the stream goes on after it.
        """
        phone = self.rig.stream_phone()
        phone.say(self.tcp().replace(b"Via:", b"X-Via:") + self.tcp())
        self.rig.advance()
        self.assertIsNone(phone.ended_at)
        self.assertEqual(len(self.rig.receiver.got), 1)

    def test_frame_lost(self) -> None:
        """
        A message whose end cannot be known is answered 400 if it can be, and the connection closed; what came before
        counts.
        """
        phone = self.rig.stream_phone()
        phone.say(self.tcp() + self.tcp(branch="z9hG4bK2").replace(b"Content-Length: 0", b"Content-Length: x"))
        self.rig.advance()
        self.assertEqual(len(self.rig.receiver.got), 1)
        self.assertIn(b"SIP/2.0 400 ", phone.heard)
        self.assertIsNotNone(phone.ended_at)

    def test_another_protocol(self) -> None:
        """
        A browser or a scanner is hung up on.
        """
        for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01" + bytes(200) + b"\r\n\r\n", b"x" * 70_000):
            phone = self.rig.stream_phone()
            phone.say(data)
            self.rig.advance()
            self.assertIsNotNone(phone.ended_at)
        self.assertEqual(self.rig.receiver.got, [])

    def test_peer_that_does_not_read(self) -> None:
        """
        A peer that does not read is cut off once a megabyte waits for it.
        """
        phone = self.rig.stream_phone()
        phone.say(self.tcp())
        self.rig.advance()
        transport: Any = phone.transport
        transport.pauseProducing()
        flow = self.rig.receiver.flow
        sent = 0
        with self.assertRaises(FlowClosed):
            while sent < 10_000_000:
                flow.send(bytes(1000))
                sent += 1000
        self.assertTrue(1_000_000 < sent < 1_300_000, sent)
        self.rig.advance()
        transport.resumeProducing()
        self.rig.advance()
        self.assertIs(phone.reason.type, ConnectionLost)

    def test_slow_peer_that_reads_is_kept(self) -> None:
        """
        What a slow peer reads in the end does not count against it.
        """
        phone = self.rig.stream_phone()
        phone.say(self.tcp())
        self.rig.advance()
        for _ in range(3000):
            self.rig.receiver.flow.send(bytes(1000))
            self.rig.advance(0.001)
        self.rig.advance(1)
        self.assertEqual(len(phone.heard), 3_000_000)

    def test_too_much_is_held_back(self) -> None:
        """
        A peer that sends too much is not read from for a while; nothing of it is lost.
        """
        rig = self.make(guard=GuardSettings(rate=10, burst=20))
        phone = rig.stream_phone()
        for _ in range(100):
            phone.say(self.tcp())
            rig.advance(0.001)
        rig.advance(0.5)
        self.assertTrue(20 < len(rig.receiver.got) < 30, len(rig.receiver.got))
        rig.advance(100)
        self.assertEqual(len(rig.receiver.got), 100)
        self.assertIsNone(phone.ended_at)

    def test_trace(self) -> None:
        """
        The trace is shown each message as it came, and what is none too.
        """
        trace = Trace()
        rig = self.make(trace=trace)
        phone = rig.stream_phone()
        odd = self.tcp().replace(b"Max-Forwards: 70", b"max-forwards :70")
        phone.say(b"\r\n\r\n" + odd)
        rig.advance()
        rig.receiver.flow.send(b"answer")
        phone.say(b"OPTIONS sip:x SIP/2.0\r\nNo header\r\n\r\n")
        rig.advance()
        self.assertEqual(
            [(way, data) for way, _, data in trace.seen],
            [("received", odd), ("sent", b"answer"), ("received", b"OPTIONS sip:x SIP/2.0\r\nNo header")],
        )
        self.assertTrue(trace.seen[0][1].startswith("tcp:10.0.0.1:5060>10.0.0.2:"))


class AnyBytesTests(SynchronousTestCase):
    """
    Whatever comes.
    """

    @seed(1)
    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.one_of(st.binary(max_size=100), st.integers(0, 200)), max_size=8))
    def test_nothing_breaks(self, pieces: list[bytes | int]) -> None:
        """
        Any bytes between any pieces of requests are handed on, answered or dropped; a connection still open is closed
        in time, and nothing is left.
        """
        rig = Rig()
        phone = rig.stream_phone()
        data = request(via="TCP 10.0.0.2:5060")
        for piece in pieces:
            phone.say(data[:piece] + data if isinstance(piece, int) else piece)
        rig.advance(1300)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertIsNotNone(phone.ended_at)
        rig.stop(self)


class LimitTests(SynchronousTestCase):
    """
    How many connections a stranger may have.
    """

    def test_idle_crowd(self) -> None:
        """
        2,000 connections that say nothing are closed after 30 s, and another phone is served all the while.
        """
        rig = Rig()
        self.addCleanup(rig.stop, self)
        crowd = [rig.stream_phone() for _ in range(20)]
        crowd += [rig.stream_phone("10.0.0.9", wait=0.0) for _ in range(1980)]
        good = rig.stream_phone("10.0.0.3")
        udp = rig.udp_phone("10.0.0.4")
        for _ in range(35):
            good.say(request(via="TCP 10.0.0.3:5060"))
            udp.say(request())
            rig.advance(1)
        self.assertEqual(len(rig.receiver.got), 70)
        self.assertIsNone(good.ended_at)
        for phone in crowd:
            assert phone.ended_at is not None and phone.connected_at is not None
            self.assertTrue(abs(phone.ended_at - phone.connected_at - 30) < 3)
        self.assertEqual(len(rig.layer.connections), 1)

    def test_per_address(self) -> None:
        """
        One address may have so many connections and no more; when one ends, another may come.
        """
        rig = Rig(max_connections_per_address=3)
        self.addCleanup(rig.stop, self)
        phones = [rig.stream_phone() for _ in range(5)]
        self.assertEqual([phone.ended_at is None for phone in phones], [True, True, True, False, False])
        self.assertEqual(rig.layer.connections.refused, 2)
        self.assertIsNone(rig.stream_phone("10.0.0.3").ended_at)
        phones[0].transport.loseConnection()  # type: ignore[union-attr]
        rig.advance()
        self.assertIsNone(rig.stream_phone().ended_at)

    def test_in_all(self) -> None:
        """
        When all places are taken, the oldest stranger makes room, though it has spoken; who proved who it is stays.
        """
        rig = Rig(max_connections=3)
        self.addCleanup(rig.stop, self)
        phones = [rig.stream_phone(f"10.0.0.{number}") for number in range(3, 6)]
        flows = []
        for phone in phones:
            phone.say(request(via="TCP 10.0.0.3:5060"))
            rig.advance()
            flows.append(rig.receiver.flow)
        flows[0].trust()
        newer = rig.stream_phone("10.0.0.9")
        rig.advance()
        self.assertEqual([phone.ended_at is None for phone in (*phones, newer)], [True, False, True, True])
        flows[2].trust()
        newer.say(request(via="TCP 10.0.0.9:5060"))
        rig.advance()
        rig.receiver.flow.trust()
        self.assertIsNotNone(rig.stream_phone("10.0.0.10").ended_at)
        self.assertEqual((rig.layer.connections.displaced, rig.layer.connections.refused), (1, 1))

    def test_awaited(self) -> None:
        """
        A connection that somebody waits for makes no room as long as that is so.
        """
        rig = Rig(max_connections=1)
        self.addCleanup(rig.stop, self)
        phone = rig.stream_phone()
        phone.say(request(via="TCP 10.0.0.2:5060"))
        rig.advance()
        flow, waits = rig.receiver.flow, [].append
        flow.on_close(waits)
        self.assertIsNotNone(rig.stream_phone("10.0.0.3").ended_at)
        self.assertIsNone(phone.ended_at)
        flow.off_close(waits)
        self.assertIsNone(rig.stream_phone("10.0.0.4").ended_at)
        self.assertIsNotNone(phone.ended_at)
