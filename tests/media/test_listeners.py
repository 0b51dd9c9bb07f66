"""
Tests for :mod:`pbx.media.listeners`: one stream of right numbers to each, whatever happens to it meanwhile.
"""

from __future__ import annotations

import itertools

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.g711 import encode_mulaw
from pbx.media.listeners import Channel, Listener
from pbx.media.player import Player
from pbx.media.sound import Sound
from pbx.media.srtp import Opener, answered_key
from pbx.rtp import rtcp
from pbx.rtp.packet import Packet
from pbx.sdp.audio import Crypto
from tests.media.memory import EVENTS, PCMU, Pair
from tests.media.test_sounds import chirp

SILENCE = bytes([0xFF]) * 160


class ListenerTests(SynchronousTestCase):
    """
    Two phones on one channel, a frame every 20 ms.
    """

    def setUp(self) -> None:
        self.pair = Pair()
        self.pair.configure(PCMU, EVENTS)
        self.channel = Channel(PCMU)
        self.one, self.other = (self.listener(session) for session in (self.pair.a, self.pair.b))

    def tearDown(self) -> None:
        self.one.stop()
        self.other.stop()
        self.assertEqual(self.channel.listeners, [])
        self.assertEqual(self.pair.over(), [])

    def listener(self, session: object) -> Listener:
        listener = Listener(session, self.channel.remove)  # type: ignore[arg-type]
        listener.agreed = listener.session.agreed
        self.channel.add(listener, 0)
        return listener

    def send(self, frames: int) -> None:
        for _ in range(frames):
            self.channel.send(SILENCE, self.pair.network.clock.seconds())
            self.pair.network.advance(0.02)

    def one_stream(self, packets: list[Packet], *, markers: int = 1) -> None:
        """
        The packets follow each other without a gap, in numbers and in time.
        """
        self.assertEqual(len({packet.ssrc for packet in packets}), 1)
        for one, other in itertools.pairwise(packets):
            self.assertEqual((other.sequence - one.sequence) & 0xFFFF, 1)
            self.assertEqual((other.timestamp - one.timestamp) & 0xFFFFFFFF, 160)
        self.assertEqual(sum(packet.marker for packet in packets), markers)

    def test_one_stream(self) -> None:
        """
        Each hears one stream of its own, from the first frame on; all but the first go the short way.
        """
        self.send(1)
        self.assertEqual((len(self.channel.rows), len(self.channel.waiting)), (2, 0))
        self.send(49)
        for phone in (self.pair.alice, self.pair.bob):
            self.assertEqual(len(phone.heard), 50)
            self.one_stream(phone.heard)
        self.assertNotEqual(self.pair.alice.heard[0].ssrc, self.pair.bob.heard[0].ssrc)

    def test_over_the_edge(self) -> None:
        """
        Sequence numbers and timestamps go on over their ends.
        """
        self.send(1)
        self.pair.a.outgoing.release()
        self.pair.a.outgoing._sequence, self.pair.a.outgoing._timestamp = 65_530, 0xFFFFFF00
        self.pair.alice.heard.clear()
        self.send(20)
        self.one_stream(self.pair.alice.heard, markers=0)

    def test_counted(self) -> None:
        """
        What went the short way is counted when somebody asks, in reports too.
        """
        self.send(50)
        quality = self.pair.a.quality()
        self.assertEqual((quality.packets_out, quality.bytes_out), (50, 8000))
        self.pair.a.send_report(self.pair.network.clock.seconds())
        self.pair.network.advance()
        report = rtcp.parse(self.pair.alice.reports[-1][1])[0]
        self.assertEqual((report.packets, report.octets), (50, 8000))  # type: ignore[union-attr]
        behind = (report.timestamp - self.pair.alice.heard[-1].timestamp) & 0xFFFFFFFF  # type: ignore[union-attr]
        self.assertLess(behind, 400)
        self.one.stop()
        self.send(10)
        self.assertEqual(self.pair.a.quality().packets_out, 50)
        self.assertEqual(self.pair.b.quality().packets_out, 60)

    def test_what_comes_after(self) -> None:
        """
        Who is played something else afterwards hears the same stream go on.
        """
        self.send(10)
        self.one.stop()
        Player(self.pair.a, Sound(chirp(0.2, 16_000), chirp(0.2, 8000))).start()
        self.pair.network.advance(0.5)
        self.assertEqual(len(self.pair.alice.heard), 20)
        self.one_stream(self.pair.alice.heard, markers=2)
        self.assertEqual(self.pair.alice.heard[19].payload, encode_mulaw(chirp(0.2, 8000)[-160:]))

    def test_somebody_speaks_into_it(self) -> None:
        """
        A frame, a key or a relayed packet that somebody else sends has its own place in the stream, and the channel
        goes on after it.
        """
        self.send(10)
        now = self.pair.network.clock.seconds()
        self.pair.a.outgoing.send_frame(0, SILENCE, now, first=True)
        self.send(10)
        self.pair.a.outgoing.send_event(101, b"\x01\x0a\x00\xa0", self.pair.network.clock.seconds(), first=True)
        self.send(10)
        packets = self.pair.alice.heard
        self.assertEqual(len(packets), 32)
        for one, other in itertools.pairwise(packets):
            self.assertEqual((other.sequence - one.sequence) & 0xFFFF, 1)
            self.assertLess((other.timestamp - one.timestamp) & 0xFFFFFFFF, 400)
        self.assertEqual(self.pair.a.quality().packets_out, 32)
        self.assertEqual(len(self.channel.rows), 2)

    def test_moves(self) -> None:
        """
        A phone that is found at another address, or holds, is sent to there, or not at all, from the next frame on.
        """
        self.send(10)
        formats = [PCMU, EVENTS]
        self.pair.alice.move(4100)
        self.pair.a.configure(self.pair.alice.audio(), formats, formats, direction="recvonly")
        self.one.agreed = self.pair.a.agreed
        self.send(10)
        self.assertEqual(len(self.pair.alice.heard), 10)
        self.assertEqual(len(self.channel.rows), 1)
        self.pair.alice.say(self.pair.to_a)
        self.pair.network.advance(2.5)
        self.pair.alice.port = 4100
        self.pair.a.configure(self.pair.alice.audio(), formats, formats)
        self.one.agreed = self.pair.a.agreed
        self.send(10)
        self.assertEqual(len(self.pair.alice.heard), 20)

    def test_encrypted(self) -> None:
        """
        Who wants SRTP gets SRTP, each packet, also from the middle on.
        """
        self.send(5)
        (key,) = answered_key([Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(range(30)))])
        theirs = Crypto(1, key.suite, bytes(range(1, 31)))
        formats = [PCMU, EVENTS]
        self.pair.a.configure(self.pair.alice.audio(), formats, formats, key, theirs)
        self.one.agreed = self.pair.a.agreed
        opener = Opener(key)
        self.pair.alice.raw.clear()
        self.send(10)
        opened = [opener.rtp(packet) for packet in self.pair.alice.raw]
        self.assertEqual([Packet.parse(packet or b"").payload for packet in opened], [SILENCE] * 10)
        self.assertEqual(len(self.channel.rows), 1)

    def test_connected(self) -> None:
        """
        To a phone that speaks as well it is sent without the address, and with it again when that phone falls silent.
        """
        self.send(5)
        for _ in range(10):
            self.pair.alice.say(self.pair.to_a)
            self.send(1)
        self.assertTrue(self.pair.a.outgoing.connected)
        self.assertEqual([row[1] for row in self.channel.rows.values()].count(0), 1)
        self.send(150)
        self.assertFalse(self.pair.a.outgoing.connected)
        self.assertEqual([row[1] for row in self.channel.rows.values()].count(0), 0)
        self.assertEqual(len(self.pair.alice.heard), 165)
        self.one_stream(self.pair.alice.heard)

    def test_unreachable(self) -> None:
        """
        What can't be sent to one is counted there, and the others hear it.
        """
        self.send(1)
        sock = self.pair.a.outgoing.socket
        for number in range(3):
            row = self.channel.rows[self.one]

            def refused(*_: object) -> int:
                raise OSError(111, "Connection refused")

            self.channel.rows[self.one] = (refused, *row[1:])
            self.send(1)
            self.assertEqual((self.pair.a.outgoing.dropped, len(self.pair.bob.heard)), (number + 1, number + 2))
        self.assertIs(self.pair.a.outgoing.socket, sock)

    def test_closed(self) -> None:
        """
        A session that closes is sent nothing more.
        """
        self.send(5)
        quality = self.pair.a.close()
        self.send(5)
        self.assertEqual((quality.packets_out, len(self.pair.alice.heard), len(self.pair.bob.heard)), (5, 5, 10))

    def test_many(self) -> None:
        """
        A thousand frames in any order of stopping and beginning: nobody misses one, nobody gets one twice.
        """
        chance = np.random.default_rng(1)
        expected = 0
        for _ in range(1000):
            if chance.random() < 0.1:
                if self.one.playing:
                    self.one.stop()
                else:
                    self.one = self.listener(self.pair.a)
            expected += self.one.playing
            self.send(1)
        heard = self.pair.alice.heard
        self.assertEqual(len(heard), expected)
        self.assertEqual(len(self.pair.bob.heard), 1000)
        for one, other in itertools.pairwise(heard):
            self.assertEqual((other.sequence - one.sequence) & 0xFFFF, 1)
        self.assertLess(abs((heard[-1].timestamp - heard[0].timestamp & 0xFFFFFFFF) / 160 - 999), 30)
        self.assertEqual(self.pair.a.quality().packets_out, expected)
