"""
Tests for :mod:`pbx.media.player`: what a phone hears of a sound, on the network in memory.
"""

from __future__ import annotations

import itertools

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.codec import decoder
from pbx.audio.g711 import encode_alaw, encode_mulaw
from pbx.media.player import Player
from pbx.media.sound import Sound, silence
from pbx.rtp.packet import Packet
from pbx.sdp.audio import Format
from tests.media.memory import EVENTS, PCMA, PCMU, Pair
from tests.media.test_sounds import chirp, likeness

G729 = Format(18, "G729")


def sound(seconds: float, start: float = 300, end: float = 3000) -> Sound:
    """
    A sound of which every piece is unlike every other.
    """
    return Sound(chirp(seconds, 16_000, start, end), chirp(seconds, 8_000, start, end))


def heard(packets: list[Packet]) -> bytes:
    """
    The payloads one after the other.
    """
    return b"".join(packet.payload for packet in packets)


class PlayerTests(SynchronousTestCase):
    """
    One phone that hears us.
    """

    def setUp(self) -> None:
        self.pair = Pair()
        self.pair.configure(PCMU, EVENTS)
        self.phone, self.session = self.pair.alice, self.pair.a
        self.ended: list[float] = []

    def tearDown(self) -> None:
        self.assertEqual(len(self.pair.engine.pacer), 0)
        self.assertEqual(self.pair.over(), [])

    def player(self, *sounds: Sound, loop: bool = False) -> Player:
        player = Player(
            self.session, sounds, loop=loop, on_end=lambda: self.ended.append(self.pair.network.clock.seconds())
        )
        player.start()
        return player

    def advance(self, seconds: float) -> None:
        self.pair.network.advance(seconds)

    def test_to_the_bit(self) -> None:
        """
        The phone hears the sound in G.711 to the bit, a frame every 20 ms, as one stream with one marker.
        """
        player = self.player(sound(1.0))
        self.advance(0.51)
        self.assertEqual(len(self.phone.heard), 26)
        self.advance(1.0)
        packets = self.phone.heard
        self.assertEqual(heard(packets), encode_mulaw(chirp(1.0, 8000)))
        self.assertEqual([packet.marker for packet in packets], [True] + [False] * 49)
        for one, other in itertools.pairwise(packets):
            self.assertEqual(((other.sequence - one.sequence) & 0xFFFF, other.timestamp - one.timestamp), (1, 160))
        self.assertEqual({(packet.ssrc, packet.payload_type) for packet in packets}, {(packets[0].ssrc, 0)})
        self.assertEqual((len(self.ended), player.playing), (1, False))
        self.assertAlmostEqual(self.ended[0], 1.0)

    def test_several(self) -> None:
        """
        Several sounds come one after the other without a gap; what is silence takes no time.
        """
        self.player(sound(0.2), silence(), sound(0.1, 3000, 300), silence())
        self.advance(1)
        self.assertEqual(
            heard(self.phone.heard), encode_mulaw(np.concatenate([chirp(0.2, 8000), chirp(0.1, 8000, 3000, 300)]))
        )
        self.assertAlmostEqual(self.ended[0], 0.3)

    def test_nothing(self) -> None:
        """
        Nothing to play is at its end at once.
        """
        for sounds in ([], [silence()]):
            self.player(*sounds)
            self.advance(0.02)
        self.player(silence(), loop=True)
        self.advance(0.02)
        self.assertEqual((len(self.ended), self.phone.heard), (3, []))

    def test_loop(self) -> None:
        """
        In a loop it begins again without a gap, until it is stopped; then its end is not told.
        """
        player = self.player(sound(0.1), loop=True)
        self.advance(0.25)
        player.stop()
        self.advance(1)
        self.assertEqual(heard(self.phone.heard), encode_mulaw(np.tile(chirp(0.1, 8000), 3))[: 13 * 160])
        self.assertEqual(self.ended, [])

    def test_stopped_within_a_frame(self) -> None:
        """
        After it was stopped not one frame more is sent, also not of the tick under way.
        """
        player = Player(self.session, sound(1.0))
        stopper = _Stopper(player)
        player.start()
        self.advance(0.09)
        player.stop()
        # Now the one that stops it comes first at each tick.
        self.pair.engine.pacer.start(stopper)
        player.start()
        self.advance(0.1)
        self.assertEqual((len(self.phone.heard), player.playing), (5, False))
        self.pair.engine.pacer.stop(stopper)

    def test_pause(self) -> None:
        """
        Paused it sends nothing, then goes on where it was, with a marker and the time gone by in its timestamp.
        """
        player = self.player(sound(1.0))
        self.advance(0.19)
        player.pause()
        self.advance(2.0)
        self.assertEqual(len(self.phone.heard), 10)
        self.assertAlmostEqual(player.position, 0.2)
        player.resume()
        self.advance(2.0)
        packets = self.phone.heard
        self.assertEqual(heard(packets), encode_mulaw(chirp(1.0, 8000)))
        self.assertEqual([number for number, packet in enumerate(packets) if packet.marker], [0, 10])
        self.assertAlmostEqual((packets[10].timestamp - packets[9].timestamp) / 8000, 2.02, places=2)

    def test_skip(self) -> None:
        """
        Forward and back by seconds, over the borders of its sounds, and not beyond its ends.
        """
        player = self.player(sound(1.0), sound(1.0, 3000, 300))
        self.assertAlmostEqual(player.seconds, 2.0)
        self.advance(0.09)
        for seconds, position in ((0.5, 0.6), (1.0, 1.6), (-0.9, 0.7), (-5.0, 0.0), (1.2, 1.2)):
            player.skip(seconds)
            self.assertAlmostEqual(player.position, position)
        self.advance(0.02)
        self.assertEqual(self.phone.heard[-1].payload, encode_mulaw(chirp(1.0, 8000, 3000, 300)[1600:1760]))
        player.skip(10)
        self.advance(0.02)
        self.assertEqual((len(self.ended), player.position), (1, 2.0))

    def test_another_codec(self) -> None:
        """
        When another codec is agreed in the middle, the sound goes on in that one.
        """
        self.player(sound(1.0))
        self.advance(0.49)
        self.session.configure(self.phone.audio(PCMA), [PCMA], [PCMA])
        self.advance(1.0)
        first, then = self.phone.heard[:25], self.phone.heard[25:]
        self.assertEqual(heard(first), encode_mulaw(chirp(1.0, 8000)[:4000]))
        self.assertEqual(heard(then), encode_alaw(chirp(1.0, 8000)[4000:]))
        self.assertEqual({packet.payload_type for packet in then}, {8})
        self.assertTrue(then[0].marker)

    def test_wide(self) -> None:
        """
        In G.722 and Opus it is heard with all its 7 kHz, each with the timestamps of its codec.
        """
        for codec, step in ((Format(9, "G722"), 160), (Format(111, "opus", 48_000, 2), 960)):
            self.session.configure(self.phone.audio(codec), [codec], [codec])
            self.phone.heard.clear()
            self.player(sound(1.0, 500, 6000))
            self.advance(1.2)
            packets = self.phone.heard
            self.assertEqual((len(packets), {packet.payload_type for packet in packets}), (50, {codec.payload_type}))
            for one, other in itertools.pairwise(packets):
                self.assertEqual((other.timestamp - one.timestamp) & 0xFFFFFFFF, step)
            decode = decoder(codec, 16_000)
            assert decode is not None
            samples = np.concatenate([decode.decode(packet.payload) for packet in packets])
            # Opus keeps what is heard, not the wave.
            self.assertGreater(likeness(samples, chirp(1.0, 16_000, 500, 6000)[4000:12_000]), 0.8, codec.name)

    def test_no_codec(self) -> None:
        """
        To a phone whose codec we don't know nothing is sent, and the sound ends when it would have.
        """
        self.session.configure(self.phone.audio(G729), [G729], [G729])
        self.player(sound(0.5))
        self.advance(1.0)
        self.assertEqual(self.phone.heard, [])
        self.assertAlmostEqual(self.ended[0], 0.5)

    def test_on_hold(self) -> None:
        """
        A phone that takes nothing gets nothing, and hears the rest when it takes something again.
        """
        self.player(sound(1.0))
        self.advance(0.2)
        formats = [PCMU, EVENTS]
        self.session.configure(self.phone.audio(), formats, formats, direction="recvonly")
        count = len(self.phone.heard)
        self.advance(0.4)
        self.assertEqual(len(self.phone.heard), count)
        self.session.configure(self.phone.audio(), formats, formats)
        self.advance(1.0)
        rest = encode_mulaw(chirp(1.0, 8000))
        self.assertTrue(rest.endswith(heard(self.phone.heard[count:])))

    def test_many(self) -> None:
        """
        Five hundred that hear one sound share its frames: each is encoded once.
        """
        one = sound(0.2)
        frames = one.encoding(PCMU)
        assert frames is not None
        encoder = frames._encoder
        calls = []

        class Counting:
            rate = 8000

            def encode(self, pcm: np.ndarray) -> bytes:
                calls.append(pcm)
                return encoder.encode(pcm)

        frames._encoder = Counting()
        for _ in range(500):
            Player(self.session, one).start()
        self.advance(0.5)
        self.assertEqual((len(self.phone.heard), len(calls)), (5000, 10))


class _Stopper:
    """
    Stops a player at its tick.
    """

    def __init__(self, player: Player) -> None:
        self.player = player

    def tick(self, now: float, frames: int) -> None:
        """
        Stop it.
        """
        self.player.stop()
