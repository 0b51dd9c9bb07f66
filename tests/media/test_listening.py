"""
Tests for the listener of :mod:`pbx.media.session`, and for :mod:`pbx.media.speaking`, on the network in memory.
"""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.codec import decoder
from pbx.media.bridge import Bridge
from pbx.media.speaking import Speaking
from pbx.media.srtp import Protector, answered_key
from pbx.sdp.audio import Crypto, Format
from tests.audio.test_codec import G722, OPUS, share, tone
from tests.media.memory import EVENTS, PCMA, PCMU, Pair


class Ear:
    """
    A listener that keeps what it hears.
    """

    def __init__(self) -> None:
        self.packets: list[tuple[int, bool, int, int, bytes, float]] = []

    def heard(self, *packet: object) -> None:
        """
        Keep a packet.
        """
        self.packets.append(packet)  # type: ignore[arg-type]


class ListenerTests(SynchronousTestCase):
    """
    What is not relayed is heard.
    """

    def setUp(self) -> None:
        self.pair = Pair()
        self.ear = Ear()

    def tearDown(self) -> None:
        self.assertEqual(self.pair.over(), [])

    def test_alone(self) -> None:
        """
        Without another leg every packet is heard as it came.
        """
        self.pair.configure()
        self.pair.a.listen(self.ear)
        said = [self.pair.alice.say(self.pair.to_a, bytes([n]) * 160, marker=n == 0) for n in range(3)]
        self.pair.network.advance(0.02)
        self.assertEqual(
            [packet[:5] for packet in self.ear.packets],
            [(0, packet.marker, packet.sequence, packet.timestamp, packet.payload) for packet in said],
        )
        self.pair.a.listen(None)
        self.pair.alice.talk(self.pair.to_a, 2)
        self.assertEqual(len(self.ear.packets), 3)

    def test_beside_a_bridge(self) -> None:
        """
        What the other leg can't take is heard, the rest is relayed the short way and not heard.
        """
        self.pair.a.configure(self.pair.alice.audio(), [PCMU, EVENTS], [PCMU, EVENTS])
        self.pair.b.configure(self.pair.bob.audio(), [PCMU], [PCMU])
        self.addCleanup(Bridge(self.pair.a, self.pair.b).stop)
        self.pair.a.listen(self.ear)
        self.pair.talk(10)
        self.assertTrue(self.pair.a.incoming.express)
        self.pair.alice.payload_type = 101
        self.pair.alice.say(self.pair.to_a, b"\x05\x0a\x00\xa0", marker=True)
        self.pair.alice.payload_type = 0
        self.pair.talk(10)
        self.assertEqual([packet[::4] for packet in self.ear.packets], [(101, b"\x05\x0a\x00\xa0")])
        self.assertTrue(self.pair.a.incoming.express)
        self.assertEqual(len(self.pair.bob.heard), 20)
        self.assertEqual(self.pair.a.quality().packets_in, 21)

    def test_direction(self) -> None:
        """
        A leg that may not send to us is not heard, until it may again.
        """
        self.pair.a.listen(self.ear)
        for direction, heard in (("sendonly", 0), ("inactive", 0), ("recvonly", 1), ("sendrecv", 2)):
            self.pair.a.configure(self.pair.alice.audio(), [PCMU], [PCMU], direction=direction)
            self.pair.alice.talk(self.pair.to_a, 1)
            self.assertEqual(len(self.ear.packets), heard, direction)

    def test_encrypted(self) -> None:
        """
        Of SRTP what was in it is heard, header extension and padding left out.
        """
        theirs = Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(range(30)))
        (ours,) = answered_key([theirs])
        self.pair.a.configure(self.pair.alice.audio(), [PCMU], [PCMU], ours, theirs)
        self.pair.a.listen(self.ear)
        protect = Protector(theirs).rtp
        self.pair.alice.protect = lambda packet: protect(
            bytes([packet[0] | 0x30]) + packet[1:12] + b"\xbe\xde\x00\x01\x10\x01\x00\x00" + packet[12:] + b"\0\0\x03"
        )
        self.pair.alice.say(self.pair.to_a, b"hello")
        self.pair.network.advance(0.02)
        self.assertEqual([packet[4] for packet in self.ear.packets], [b"hello"])

    def test_closed(self) -> None:
        """
        A closed session has no listener any more.
        """
        self.pair.configure()
        self.pair.a.listen(self.ear)
        self.pair.a.close()
        self.assertIsNone(self.pair.a.listener)


class SpeakingTests(SynchronousTestCase):
    """
    What we say is heard by the phone, in what it agreed to.
    """

    def setUp(self) -> None:
        self.pair = Pair()

    def tearDown(self) -> None:
        self.assertEqual(self.pair.over(), [])

    def say(self, speaking: Speaking, frames: int) -> None:
        """
        Say a tone, a frame a tick.
        """
        for part in tone(speaking.rate, frames / 50).reshape(-1, speaking.rate // 50):
            speaking.say(part, self.pair.network.clock.seconds())
            self.pair.network.advance(0.02)

    def test_each_codec(self) -> None:
        """
        In each codec it arrives as 50 packets a second that decode to what was said, the first with the marker.
        """
        for item in (PCMU, PCMA, G722, OPUS):
            self.pair.a.configure(self.pair.alice.audio(item), [item, EVENTS], [item, EVENTS])
            speaking = Speaking(self.pair.a)
            before = len(self.pair.alice.heard)
            self.say(speaking, 50)
            heard = self.pair.alice.heard[before:]
            self.assertEqual([packet.marker for packet in heard], [True] + [False] * 49)
            self.assertEqual({packet.payload_type for packet in heard}, {item.payload_type})
            steps = np.diff([packet.timestamp for packet in heard])
            self.assertEqual(set(steps % 2**32), {item.clock // 50})
            listener = decoder(item)
            assert listener is not None
            sound = np.concatenate([listener.decode(packet.payload) for packet in heard])
            self.assertGreater(share(sound[listener.rate // 10 :], listener.rate, 440.0), 0.99)

    def test_codec_changes(self) -> None:
        """
        After another codec was agreed it goes on in that one, in the same stream.
        """
        self.pair.configure(PCMU)
        speaking = Speaking(self.pair.a)
        self.say(speaking, 5)
        self.assertEqual(speaking.rate, 8_000)
        self.pair.configure(G722)
        self.assertEqual(speaking.rate, 16_000)
        self.say(speaking, 5)
        self.assertEqual([packet.payload_type for packet in self.pair.alice.heard], [0] * 5 + [9] * 5)
        numbers = [packet.sequence for packet in self.pair.alice.heard]
        self.assertEqual(set(np.diff(numbers)), {1})

    def test_pause(self) -> None:
        """
        After a pause the timestamp has gone on by its length, and the marker says that speech begins.
        """
        self.pair.configure(PCMU)
        speaking = Speaking(self.pair.a)
        self.say(speaking, 2)
        self.pair.network.advance(1.0)
        self.say(speaking, 1)
        before, after = self.pair.alice.heard[1:]
        self.assertTrue(after.marker)
        self.assertLess(abs(after.timestamp - before.timestamp - 8_160), 3)

    def test_second_choice(self) -> None:
        """
        Where the preferred codec is not known the next is spoken, in its own time.
        """
        self.pair.configure(Format(96, "AMR-WB", 16_000), PCMU)
        self.say(Speaking(self.pair.a), 5)
        self.assertEqual({packet.payload_type for packet in self.pair.alice.heard}, {0})
        self.assertEqual(set(np.diff([packet.timestamp for packet in self.pair.alice.heard])), {160})

    def test_nothing_known(self) -> None:
        """
        Without a codec that we know nothing is sent.
        """
        speaking = Speaking(self.pair.a)
        self.say(speaking, 1)
        self.pair.configure(Format(18, "G729"))
        self.say(speaking, 1)
        self.assertEqual(self.pair.alice.heard, [])
