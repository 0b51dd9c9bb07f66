"""
Tests for :mod:`pbx.media.bridge`: two legs joined, on the network in memory.
"""

from __future__ import annotations

import itertools

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.g711 import mulaw_to_alaw
from pbx.media.bridge import Bridge
from pbx.media.srtp import Opener, Protector, answered_key
from pbx.rtp import rtcp
from pbx.rtp.packet import Packet
from pbx.sdp.audio import Crypto, Format
from tests.media.memory import EVENTS, PCMA, PCMU, Pair

G729 = Format(18, "G729")


class BridgeTests(SynchronousTestCase):
    """
    What one phone says is what the other hears.
    """

    def setUp(self) -> None:
        self.pair = Pair()

    def tearDown(self) -> None:
        self.assertEqual(self.pair.over(), [])

    def bridged(self, *formats: Format) -> Bridge:
        self.pair.configure(*formats)
        return Bridge(self.pair.a, self.pair.b)

    def continuous(self, packets: list[Packet]) -> None:
        self.assertEqual(len({packet.ssrc for packet in packets}), 1)
        for one, other in itertools.pairwise(packets):
            self.assertEqual((other.sequence - one.sequence) & 0xFFFF, 1, (one, other))
            self.assertGreater((other.timestamp - one.timestamp) & 0xFFFFFFFF, 0)
            self.assertLess((other.timestamp - one.timestamp) & 0xFFFFFFFF, 80000)

    def test_as_they_are(self) -> None:
        """
        With the same codec packets arrive exactly as they were sent, on the short way too.
        """
        bridge = self.bridged()
        sent = []
        for number in range(50):
            sent.append(self.pair.alice.say(self.pair.to_a, bytes([number]) * 160, marker=number == 0))
            self.pair.bob.say(self.pair.to_b)
            self.pair.network.advance(0.02)
        self.assertEqual(self.pair.bob.heard, sent)
        self.assertTrue(self.pair.a.incoming.express)
        self.assertTrue(self.pair.b.incoming.express)
        self.assertEqual((bridge.state, bridge.reason), ("relay", "both sides have PCMU"))
        self.assertEqual((self.pair.b.quality().packets_out, self.pair.b.quality().bytes_out), (50, 8000))
        self.assertEqual((self.pair.a.quality().packets_in, self.pair.a.quality().bytes_in), (50, 50 * 172))

    def test_one_way(self) -> None:
        """
        Packets flow before the other side has sent anything.
        """
        self.bridged()
        self.pair.alice.talk(self.pair.to_a, 10)
        self.assertEqual(len(self.pair.bob.heard), 10)

    def test_payload_types_are_mapped(self) -> None:
        """
        Each phone gets the payload types it told, marker kept; what it has not is not sent to it.
        """
        opus_a, opus_b = Format(111, "opus", 48000, 2), Format(96, "opus", 48000, 2)
        events_b = attrs.evolve(EVENTS, payload_type=97)
        self.pair.a.configure(self.pair.alice.audio(), [opus_a, EVENTS], [opus_a, EVENTS, G729])
        self.pair.b.configure(self.pair.bob.audio(), [opus_b, events_b], [opus_b, events_b])
        Bridge(self.pair.a, self.pair.b)
        for _ in range(2):
            for payload_type, marker in ((111, True), (101, False), (18, False), (111, False)):
                self.pair.alice.payload_type = payload_type
                self.pair.alice.say(self.pair.to_a, b"x", marker=marker)
            self.pair.bob.payload_type = 96
            self.pair.bob.say(self.pair.to_b)
            self.pair.network.advance(0.02)
        self.assertEqual(
            [(packet.payload_type, packet.marker) for packet in self.pair.bob.heard],
            [(96, True), (97, False), (96, False)] * 2,
        )
        self.assertEqual([packet.payload_type for packet in self.pair.alice.heard], [111, 111])
        self.assertEqual(self.pair.a.quality().packets_in, 8)

    def test_both_laws(self) -> None:
        """
        PCMU on one side and PCMA on the other are converted, both ways, and it is called transcoding.
        """
        self.pair.a.configure(self.pair.alice.audio(PCMU), [PCMU, EVENTS], [PCMU, EVENTS])
        self.pair.b.configure(self.pair.bob.audio(PCMA), [PCMA, EVENTS], [PCMA, EVENTS])
        bridge = Bridge(self.pair.a, self.pair.b)
        sound = bytes(range(160))
        for _ in range(3):
            self.pair.alice.say(self.pair.to_a, sound)
            self.pair.bob.payload_type = 8
            self.pair.bob.say(self.pair.to_b, bytes(mulaw_to_alaw(sound)))
            self.pair.network.advance(0.02)
        self.pair.alice.payload_type = 101
        self.pair.alice.say(self.pair.to_a, b"\x05\x0a\x00\xa0")
        self.pair.network.advance(0.02)
        self.assertEqual(self.pair.bob.heard[2].payload, mulaw_to_alaw(sound))
        self.assertEqual([packet.payload_type for packet in self.pair.bob.heard], [8, 8, 8, 101])
        self.assertEqual(self.pair.bob.heard[3].payload, b"\x05\x0a\x00\xa0")
        self.assertEqual(len(self.pair.alice.heard[2].payload), 160)
        self.assertEqual((bridge.state, bridge.reason), ("transcode", "one side has PCMU, the other PCMA"))

    def test_what_cannot_be_converted(self) -> None:
        """
        It is said where one side's codec can't become one of the other's, even where the other way goes.
        """
        self.pair.a.configure(self.pair.alice.audio(PCMU), [PCMU], [PCMU])
        self.pair.b.configure(self.pair.bob.audio(G729), [G729], [G729])
        bridge = Bridge(self.pair.a, self.pair.b)
        self.assertEqual(
            (bridge.state, bridge.reason), ("none", "one side has PCMU, the other G729, and these can't be converted")
        )
        self.pair.b.configure(self.pair.bob.audio(G729, PCMU), [G729, PCMU], [G729, PCMU])
        self.assertEqual(bridge.state, "none")
        self.pair.b.configure(self.pair.bob.audio(PCMA), [PCMA], [PCMA])
        self.assertEqual(bridge.state, "transcode")

    def test_source_begins_anew(self) -> None:
        """
        A phone that takes a new SSRC in the middle of a call: the other hears one stream that goes on, with a marker.
        """
        self.bridged()
        self.pair.talk(20)
        self.pair.alice.ssrc, self.pair.alice.sequence, self.pair.alice.timestamp = 0xAA, 60000, 5
        self.pair.talk(20)
        heard = self.pair.bob.heard
        self.assertEqual(len(heard), 40)
        self.continuous(heard)
        self.assertEqual([number for number, packet in enumerate(heard) if packet.marker], [20])
        self.assertEqual(heard[20].timestamp - heard[19].timestamp, 160)
        self.assertTrue(self.pair.a.incoming.express)
        self.assertEqual(self.pair.a.quality().lost_in, 0)

    def test_gaps_stay(self) -> None:
        """
        What is lost on one leg is missing on the other, so that its phone conceals it; it is not that leg's fault.
        """
        self.bridged()
        self.pair.talk(10)
        self.pair.alice.sequence += 5
        self.pair.talk(10)
        self.assertEqual(self.pair.bob.heard[10].sequence - self.pair.bob.heard[9].sequence, 6)
        ssrc = self.pair.b.outgoing.ssrc
        report = rtcp.ReceiverReport(0xB, (rtcp.ReportBlock(ssrc, 0, 7, 0, 80),))
        self.pair.bob.rtcp.sendto(rtcp.serialise(report), ("10.0.0.1", self.pair.b.rtcp_port))
        self.pair.network.advance()
        quality = self.pair.b.quality()
        self.assertEqual((quality.lost_out, quality.loss_percent_out, quality.jitter_ms_out), (2, 10.0, 10.0))
        self.assertEqual(self.pair.a.quality().lost_in, 5)

    def test_hold_and_resume(self) -> None:
        """
        While one side holds the other hears noise, 50 frames a second, and nothing of the holder; then the holder
        again. To the other it is one stream.
        """
        bridge = self.bridged()
        self.pair.talk(20)
        bridge.hold(self.pair.a)
        self.assertTrue(bridge.held(self.pair.a))
        self.pair.talk(50)
        bridge.resume(self.pair.a)
        self.pair.talk(20)
        heard = self.pair.bob.heard
        noise = heard[20:-20]
        self.assertTrue(50 <= len(noise) <= 52, len(noise))
        self.assertEqual({packet.payload == b"\x55" * 160 for packet in noise}, {False})
        self.assertEqual({packet.payload == b"\x55" * 160 for packet in heard[-20:]}, {True})
        self.continuous(heard)
        self.assertEqual(len(self.pair.alice.heard), 90)
        self.assertEqual(len(self.pair.engine.pacer), 0)

    def test_noise_for_every_codec(self) -> None:
        """
        The noise is in the codec of who hears it; where we can't make that, there is silence.
        """
        bridge = self.bridged(PCMA)
        bridge.hold(self.pair.b)
        self.pair.network.advance(0.1)
        self.assertEqual({packet.payload_type for packet in self.pair.alice.heard}, {8})
        self.assertEqual(bridge.reason, "both sides have PCMA")
        bridge.stop()
        before = len(self.pair.alice.heard)
        bridge = self.bridged(G729)
        bridge.hold(self.pair.b)
        self.pair.network.advance(0.1)
        self.assertEqual(len(self.pair.alice.heard), before)
        self.assertEqual(
            bridge.reason,
            "both sides have G729; who waits hears silence, for there is no comfort noise in G729",
        )
        bridge.resume(self.pair.b)
        self.assertEqual(bridge.reason, "both sides have G729")
        bridge.stop()

    def test_held_side_is_not_sent_to(self) -> None:
        """
        A holder whose SDP says sendonly is answered recvonly: nothing goes to it, and it gets sound again when the
        direction changes back.
        """
        bridge = self.bridged()
        self.pair.talk(10)
        formats = [PCMU, EVENTS]
        self.pair.a.configure(self.pair.alice.audio(direction="sendonly"), formats, formats, direction="recvonly")
        bridge.hold(self.pair.a)
        self.pair.talk(10)
        self.assertEqual(len(self.pair.alice.heard), 10)
        self.pair.a.configure(self.pair.alice.audio(), formats, formats)
        bridge.resume(self.pair.a)
        self.pair.talk(10)
        self.assertEqual(len(self.pair.alice.heard), 20)
        self.continuous(self.pair.bob.heard)

    def test_stop(self) -> None:
        """
        Parted sessions hear each other no more, stay open, and can be joined again.
        """
        self.bridged().stop()
        self.pair.talk(5)
        self.assertEqual((self.pair.bob.heard, self.pair.alice.heard), ([], []))
        Bridge(self.pair.a, self.pair.b)
        self.pair.talk(5)
        self.assertEqual(len(self.pair.bob.heard), 5)

    def test_late_configured(self) -> None:
        """
        A bridge may be made before the second leg knows its codec.
        """
        self.pair.a.configure(self.pair.alice.audio(), [PCMU], [PCMU])
        bridge = Bridge(self.pair.a, self.pair.b)
        self.assertEqual(bridge.reason, "not every side has told its codec yet")
        self.pair.b.configure(self.pair.bob.audio(), [PCMU], [PCMU])
        self.pair.talk(5)
        self.assertEqual((len(self.pair.bob.heard), bridge.reason), (5, "both sides have PCMU"))

    def test_phone_moves_while_express(self) -> None:
        """
        A mapping that the NAT forgot is noticed on the short way too: sound is back both ways after three seconds.
        """
        self.bridged()
        self.pair.talk(50)
        self.assertTrue(self.pair.a.incoming.express)
        self.pair.alice.move(4444)
        self.pair.talk(145)
        self.assertEqual(len(self.pair.bob.heard), 50)
        self.pair.talk(60)
        self.assertEqual(self.pair.a.latched, ("10.0.0.2", 4444))
        self.assertTrue(len(self.pair.bob.heard) >= 100)
        self.assertTrue(self.pair.a.incoming.express)
        self.pair.network.advance()
        heard = len(self.pair.alice.heard)
        self.pair.talk(10)
        self.assertEqual(len(self.pair.alice.heard), heard + 10)

    def test_re_invite_while_express(self) -> None:
        """
        A re-INVITE with another address: the sound goes there, and comes from there.
        """
        self.bridged()
        self.pair.talk(50)
        self.pair.alice.move(4600)
        self.pair.alice.port = 4600
        self.pair.a.configure(self.pair.alice.audio(), [PCMU, EVENTS], [PCMU, EVENTS])
        heard = len(self.pair.alice.heard)
        self.pair.talk(10)
        self.assertEqual(len(self.pair.alice.heard), heard + 10)
        self.assertEqual(len(self.pair.bob.heard), 60)

    def test_secure_leg(self) -> None:
        """
        One leg encrypted, the other not: what is said on either comes out right on the other.
        """
        theirs = Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(range(30)))
        (ours,) = answered_key([theirs])
        self.pair.a.configure(self.pair.alice.audio(), [PCMU], [PCMU], ours, theirs)
        self.pair.b.configure(self.pair.bob.audio(), [PCMU], [PCMU])
        Bridge(self.pair.a, self.pair.b)
        self.pair.alice.protect = Protector(theirs).rtp
        opener = Opener(ours)
        said = []
        for number in range(10):
            self.pair.alice.say(self.pair.to_a, bytes([number]) * 160)
            said.append(self.pair.bob.say(self.pair.to_b, bytes([100 + number]) * 160))
            self.pair.network.advance(0.02)
        self.assertEqual([packet.payload[0] for packet in self.pair.bob.heard], list(range(10)))
        self.assertEqual([Packet.parse(opener.rtp(data) or b"") for data in self.pair.alice.raw], said)
