"""
Tests for :mod:`pbx.media.session`: one leg's media, on the network in memory.
"""

from __future__ import annotations

import random
from typing import Any

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from pbx.media.settings import MediaSettings
from pbx.media.srtp import Opener, Protector, answered_key
from pbx.rtp import rtcp
from pbx.rtp.packet import Packet
from pbx.rtp.statistics import middle, ntp_of
from pbx.sdp.audio import Crypto
from tests.media.memory import EVENTS, PCMU, Pair, Phone


class SessionTests(SynchronousTestCase):
    """
    What a leg receives, measures and reports.
    """

    def setUp(self) -> None:
        self.pair = Pair()
        self.network = self.pair.network
        self.session, self.phone, self.there = self.pair.a, self.pair.alice, self.pair.to_a
        self.lines: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.lines.append)

    def tearDown(self) -> None:
        self.assertEqual(self.pair.over(), [])
        self.assertEqual(self.pair.engine.pool.in_use, 0)

    def configure(self, **more: Any) -> None:
        self.session.configure(self.phone.audio(), [PCMU, EVENTS], [PCMU, EVENTS], **more)

    def latch_lines(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "media latched" in str(line.get("log_format"))]

    def told(self, other: Phone) -> tuple[list[str], list[str]]:
        """
        Who gets the next report: the phone, somebody else.
        """
        for phone in (self.phone, other):
            phone.reports.clear()
        self.session.send_report(self.network.clock.seconds())
        self.network.advance()
        return [self.phone.host for _ in self.phone.reports], [other.host for _ in other.reports]

    def test_nothing_before_configured(self) -> None:
        """
        Packets that come before offer and answer are through wait, and count from then on.
        """
        self.phone.talk(self.there, 3)
        self.assertEqual(self.session.quality().packets_in, 0)
        self.configure()
        self.network.advance(0.1)
        self.assertEqual(self.session.quality().packets_in, 3)

    def test_latches_quietly_where_expected(self) -> None:
        """
        The address of the SDP is latched at the first packet; that is no news for the log.
        """
        self.configure()
        self.assertIsNone(self.session.latched)
        self.phone.talk(self.there, 1)
        self.assertEqual(self.session.latched, ("10.0.0.2", 4000))
        self.assertEqual(self.latch_lines(), [])

    def test_latch_moves_once_latched(self) -> None:
        """
        A NAT that forgot the mapping: the stream goes on from another port, is taken after three seconds, logged with
        its Call-ID, and told to who asked. Our packets follow.
        """
        moved: list[Any] = []
        self.session.on_latched = moved.append
        self.configure()
        self.phone.talk(self.there, 100)
        self.phone.move(4444)
        self.phone.talk(self.there, 140)
        self.assertEqual(self.session.latched, ("10.0.0.2", 4000))
        self.phone.talk(self.there, 20)
        self.assertEqual(self.session.latched, ("10.0.0.2", 4444))
        self.assertEqual(moved, [self.session])
        (line,) = self.latch_lines()
        self.assertEqual((line["call_id"], line["port"], line["old_port"]), ("call-a", 4444, 4000))
        self.session.outgoing.send_frame(0, b"x", 0.0, first=True)
        self.network.advance()
        self.assertEqual(len(self.phone.heard), 1)

    def test_stranger_on_a_live_call(self) -> None:
        """
        Someone who sprays our port during a call is neither counted nor latched, nor does our sound go there.
        """
        self.configure()
        stranger = Phone(self.network, "10.0.0.3", 6666, 0x666)
        for _ in range(300):
            self.phone.say(self.there)
            stranger.say(self.there)
            self.network.advance(0.02)
        self.assertEqual(self.session.latched, ("10.0.0.2", 4000))
        self.assertEqual(self.session.quality().packets_in, 300)

    def test_stranger_before_the_phone_speaks(self) -> None:
        """
        Someone who sprays our port in the first seconds of a silent phone loses the call with its first packet. Both
        moves are warned of; a session refresh in between changes nothing.
        """
        self.configure()
        stranger = Phone(self.network, "10.0.0.3", 6666, 0x666)
        stranger.talk(self.there, 120)
        self.assertEqual((self.session.latched, self.session.outgoing.destination), (("10.0.0.3", 6666),) * 2)
        stranger.rtcp.sendto(rtcp.serialise(rtcp.ReceiverReport(0x666)), ("10.0.0.1", self.session.rtcp_port))
        self.network.advance()
        self.assertEqual(self.told(stranger), ([], [stranger.host]))
        self.configure()
        self.phone.talk(self.there, 1)
        self.assertEqual((self.session.latched, self.session.outgoing.destination), (("10.0.0.2", 4000),) * 2)
        self.assertEqual(self.told(stranger), ([self.phone.host], []))
        stranger.talk(self.there, 300)
        self.assertEqual(self.session.latched, ("10.0.0.2", 4000))
        self.assertEqual([line["log_level"].name for line in self.latch_lines()], ["warn", "warn"])

    def test_refresh_does_not_relearn(self) -> None:
        """
        The same description again lets nobody in; a changed one does, and so does signalling from elsewhere.
        """
        self.configure()
        self.phone.talk(self.there, 3)
        self.configure()
        self.assertEqual(self.session.latched, ("10.0.0.2", 4000))
        self.session.configure(self.phone.audio(direction="sendonly"), [PCMU, EVENTS], [PCMU, EVENTS])
        self.assertIsNone(self.session.latched)
        self.phone.talk(self.there, 3)
        self.session.configure(
            self.phone.audio(direction="sendonly"), [PCMU, EVENTS], [PCMU, EVENTS], peer_host="10.0.0.3"
        )
        self.assertIsNone(self.session.latched)

    def test_phone_behind_nat(self) -> None:
        """
        A phone whose SDP names its private address is heard at once when its signalling comes from the same host, and
        after two seconds and five packets otherwise.
        """
        nat = Phone(self.network, "10.0.0.3", 31000, 0xA)
        self.configure(peer_host="10.0.0.3")
        self.assertEqual(self.session.outgoing.destination, ("10.0.0.2", 4000))
        nat.talk(self.there, 1)
        self.assertEqual((self.session.latched, self.session.outgoing.destination), (("10.0.0.3", 31000),) * 2)
        self.assertEqual([line["log_level"].name for line in self.latch_lines()], ["info"])
        self.pair.b.configure(self.phone.audio(), [PCMU], [PCMU])
        other = Phone(self.network, "10.0.0.3", 32000, 0xC)
        other.talk(self.pair.to_b, 99)
        self.assertIsNone(self.pair.b.latched)
        self.assertEqual(self.pair.b.outgoing.destination, ("10.0.0.2", 4000))
        other.talk(self.pair.to_b, 7)
        self.assertEqual((self.pair.b.latched, self.pair.b.outgoing.destination), (("10.0.0.3", 32000),) * 2)

    def test_strict(self) -> None:
        """
        With ``latch: strict`` the SDP's address is the only one.
        """
        self.assertEqual(self.pair.over(), [])
        self.pair = Pair(settings=MediaSettings(latch="strict"))
        self.pair.a.configure(self.pair.alice.audio(), [PCMU], [PCMU])
        self.pair.alice.move(4444)
        self.pair.alice.talk(self.pair.to_a, 300)
        self.assertIsNone(self.pair.a.latched)

    def test_last_heard(self) -> None:
        """
        Silence counts from the last RTP or RTCP, and from the opening when there was none.
        """
        self.assertEqual(self.session.last_heard, 0.0)
        self.configure()
        self.phone.talk(self.there, 50)
        self.assertAlmostEqual(self.session.last_heard, 0.98)
        self.network.advance(20)
        self.assertAlmostEqual(self.session.last_heard, 0.98)
        self.phone.rtcp.sendto(rtcp.serialise(rtcp.ReceiverReport(0xA)), ("10.0.0.1", self.session.rtcp_port))
        self.network.advance()
        self.assertAlmostEqual(self.session.last_heard, 21.0)

    def test_loss_and_jitter(self) -> None:
        """
        5 % of loss and jitter of some 20 ms come out as RFC 3550 reckons them from the same packets.
        """
        self.configure()
        chance = random.Random(3)  # noqa: S311  # no secret
        jitter, before, sent = 0.0, None, 0
        arrivals = []
        for number in range(3000):
            packet = Packet(0, number & 0xFFFF, number * 160, 0xA, b"x" * 160)
            arrivals.append((number * 0.02 + chance.gauss(0.1, 0.0175), packet))
        for at, packet in sorted(arrivals, key=lambda arrival: arrival[0]):
            if packet.sequence and chance.random() < 0.05:
                continue
            sent += 1
            self.network.advance(max(0.0, at - self.network.clock.seconds()))
            self.phone.rtp.sendto(packet.to_bytes(), self.there)
            self.network.advance()
            # RFC 3550 A.8, in timestamp units.
            transit = self.network.clock.seconds() * 8000 - packet.timestamp
            jitter += 0.0 if before is None else (abs(transit - before) - jitter) / 16
            before = transit
        quality = self.session.quality()
        self.assertEqual((quality.packets_in, quality.lost_in), (sent, 3000 - sent))
        self.assertLess(abs(quality.loss_percent - 5), 0.8)
        self.assertLess(abs(quality.jitter_ms - jitter / 8), 0.01)
        self.assertTrue(10 < quality.jitter_ms < 30)

    def test_round_trip(self) -> None:
        """
        A peer that answers our sender report, having held it for 0.3 s, over a way of 40 ms there and back.
        """
        self.network.delay = 0.02
        self.configure()
        self.phone.talk(self.there, 5)
        self.session.outgoing.send_frame(0, b"x" * 160, self.network.clock.seconds(), first=True)
        self.network.advance(6)
        _, compound = self.phone.reports[0]
        report = rtcp.parse(compound)[0]
        assert isinstance(report, rtcp.SenderReport)
        arrived = self.phone.reports[0][0]
        held = self.network.clock.seconds() + 0.3 - arrived
        self.network.advance(0.3)
        block = rtcp.ReportBlock(report.ssrc, 0, 0, 1, 160, middle(report.ntp), int(held * 65536))
        answer = rtcp.serialise(rtcp.ReceiverReport(0xA, (block,)))
        self.phone.rtcp.sendto(answer, ("10.0.0.1", self.session.rtcp_port))
        self.network.advance(0.02)
        quality = self.session.quality()
        self.assertLess(abs((quality.rtt_ms or 0) - 40), 1)
        self.assertEqual((quality.lost_out, quality.jitter_ms_out), (0, 20.0))

    def test_reports(self) -> None:
        """
        Every five seconds or so a compound of report and CNAME goes to the peer's RTCP port; it tells loss, jitter and
        when the peer's own report came.
        """
        self.configure()
        self.phone.talk(self.there, 10)
        self.phone.sequence += 10
        now = self.network.clock.seconds()
        peer = rtcp.SenderReport(0xA, ntp_of(1234.5), 0, 0, 0)
        self.phone.rtcp.sendto(rtcp.serialise(peer), ("10.0.0.1", self.session.rtcp_port))
        self.phone.talk(self.there, 10)
        self.network.advance(60)
        self.assertTrue(8 <= len(self.phone.reports) <= 25)
        at, compound = self.phone.reports[0]
        report, description = rtcp.parse(compound)
        assert isinstance(report, rtcp.ReceiverReport)
        (block,) = report.blocks
        self.assertEqual((block.ssrc, block.lost, block.highest), (0xA, 10, 129))
        self.assertEqual(block.last_sr, middle(ntp_of(1234.5)))
        self.assertLess(abs(block.delay / 65536 - (at - now)), 0.01)
        self.assertIsInstance(description, rtcp.SourceDescription)

    def test_muxed(self) -> None:
        """
        With rtcp-mux reports go to and come from the RTP port, and never move the latch.
        """
        self.session.configure(self.phone.audio(rtcp_mux=True), [PCMU], [PCMU])
        self.phone.talk(self.there, 10)
        self.phone.rtp.sendto(rtcp.serialise(rtcp.ReceiverReport(0xA)), self.there)
        self.network.advance(10)
        self.assertGreater(self.session.reports.heard, 0.19)
        self.assertTrue(self.phone.reports)
        self.assertEqual(self.session.quality().packets_in, 10)

    def test_rtcp_from_a_stranger(self) -> None:
        """
        Reports from an address that has nothing to do with the call change nothing.
        """
        self.configure()
        stranger = Phone(self.network, "10.0.0.3", 6666, 0x666)
        stranger.rtcp.sendto(rtcp.serialise(rtcp.ReceiverReport(1)), ("10.0.0.1", self.session.rtcp_port))
        stranger.rtp.sendto(rtcp.serialise(rtcp.ReceiverReport(1)), self.there)
        self.network.advance(10)
        self.assertEqual(self.session.reports.heard, 0.0)
        self.assertEqual(stranger.reports, [])

    def test_goodbye(self) -> None:
        """
        A session that took part says BYE when it closes, one that never sent anything does not; closing gives the same
        quality again.
        """
        self.configure()
        self.phone.talk(self.there, 10)
        self.session.outgoing.send_frame(0, b"x", 0.2, first=True)
        quality = self.session.close()
        self.assertEqual(self.session.close(), quality)
        self.pair.b.configure(self.pair.bob.audio(), [PCMU], [PCMU])
        self.pair.b.close()
        self.network.advance()
        self.assertIsInstance(rtcp.parse(self.phone.reports[-1][1])[-1], rtcp.Goodbye)
        self.assertEqual(self.pair.bob.reports, [])

    def test_direction(self) -> None:
        """
        Nothing is sent while our direction does not let us, or the peer is on hold by address.
        """
        for more in ({"direction": "recvonly"}, {"direction": "inactive"}):
            self.configure(**more)
            self.assertIsNone(self.session.outgoing.destination)
        held = self.phone.audio(held_by_address=True)
        self.session.configure(held, [PCMU], [PCMU])
        self.assertIsNone(self.session.outgoing.destination)
        self.configure(direction="sendonly")
        self.assertEqual(self.session.outgoing.destination, ("10.0.0.2", 4000))

    def test_garbage(self) -> None:
        """
        Whatever comes to either port, nothing is raised or counted.
        """
        self.configure()
        chance = random.Random(5)  # noqa: S311  # no secret
        for _ in range(500):
            data = chance.randbytes(chance.randrange(1, 60))
            self.phone.rtp.sendto(data[:11], self.there)
            self.phone.rtcp.sendto(b"\x81\xc9" + data, ("10.0.0.1", self.session.rtcp_port))
        self.network.advance(0.1)
        self.assertEqual(self.session.quality().packets_in, 0)
        self.assertEqual(self.session.reports.heard, 0.0)


class SecureSessionTests(SynchronousTestCase):
    """
    A leg with SRTP.
    """

    def setUp(self) -> None:
        self.pair = Pair()
        self.theirs = Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(range(30)))
        (self.ours,) = answered_key([self.theirs])
        self.pair.a.configure(self.pair.alice.audio(), [PCMU], [PCMU], self.ours, self.theirs)
        self.pair.alice.protect = Protector(self.theirs).rtp

    def tearDown(self) -> None:
        self.assertEqual(self.pair.over(), [])

    def test_both_ways(self) -> None:
        """
        What the phone encrypts is taken, what it hears is encrypted under our key; so are reports.
        """
        alice, session = self.pair.alice, self.pair.a
        alice.talk(self.pair.to_a, 20)
        self.assertEqual((session.quality().packets_in, session.incoming.forged), (20, 0))
        session.outgoing.send_frame(0, b"hello", 0.4, first=True)
        self.pair.network.advance(10)
        opener = Opener(self.ours)
        self.assertEqual(Packet.parse(opener.rtp(alice.raw[0]) or b"").payload, b"hello")
        self.assertIsNotNone(opener.rtcp(alice.reports[0][1]))
        report = Protector(self.theirs).rtcp(rtcp.serialise(rtcp.ReceiverReport(0xA))) or b""
        alice.rtcp.sendto(report, ("10.0.0.1", session.rtcp_port))
        self.pair.network.advance()
        self.assertGreater(session.reports.heard, 10)

    def test_plain_is_not_taken(self) -> None:
        """
        RTP and RTCP in the clear are dropped, and latch nothing.
        """
        self.pair.alice.protect = lambda packet: packet
        self.pair.alice.talk(self.pair.to_a, 20)
        plain = rtcp.serialise(rtcp.ReceiverReport(0xA))
        self.pair.alice.rtcp.sendto(plain, ("10.0.0.1", self.pair.a.rtcp_port))
        self.pair.network.advance()
        self.assertEqual((self.pair.a.quality().packets_in, self.pair.a.incoming.forged), (0, 21))
        self.assertIsNone(self.pair.a.latched)
        self.assertEqual(self.pair.a.reports.heard, 0)

    def test_keys_stay(self) -> None:
        """
        With the same keys again the contexts go on where they were.
        """
        self.pair.alice.talk(self.pair.to_a, 5)
        opener, protector = self.pair.a.incoming.opener, self.pair.a.outgoing.protector
        self.pair.a.configure(self.pair.alice.audio(), [PCMU], [PCMU], self.ours, self.theirs)
        self.assertIs(self.pair.a.incoming.opener, opener)
        self.assertIs(self.pair.a.outgoing.protector, protector)
        self.assertRaises(ValueError, self.pair.a.configure, self.pair.alice.audio(), [PCMU], [PCMU], self.ours)
