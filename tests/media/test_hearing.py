"""
Tests for :mod:`pbx.media.hearing`: what is heard of a phone on a network in memory, as sound.
"""

from __future__ import annotations

import random

import attrs
import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.codec import encoder
from pbx.audio.keypad import tone_of
from pbx.media.hearing import Hearing
from pbx.rtp.telephone_event import TelephoneEvent
from pbx.sdp.audio import Format
from tests.audio.test_codec import G722, OPUS, share, tone
from tests.audio.test_concealment import jumps, voice
from tests.media.memory import EVENTS, PCMA, PCMU, Pair


class HearingTests(SynchronousTestCase):
    """
    A frame every tick, and in it what the phone said.
    """

    def setUp(self) -> None:
        self.pair = Pair()
        self.chance = random.Random(5)  # noqa: S311 - no secret
        self.digits: list[tuple[str, float]] = []

    def tearDown(self) -> None:
        self.assertEqual(self.pair.over(), [])

    def hearing(self, *formats: Format, **more: object) -> Hearing:
        """
        An ear on Alice's leg.
        """
        self.pair.configure(*(formats or (PCMU, EVENTS)))
        hearing = Hearing(
            self.pair.a, on_digit=lambda digit, seconds: self.digits.append((digit, seconds)), **more  # type: ignore[arg-type]
        )
        hearing.start()
        self.addCleanup(hearing.stop)
        return hearing

    def say(
        self,
        hearing: Hearing,
        sound: np.ndarray,
        item: Format = PCMU,
        *,
        loss: float = 0.0,
        jitter: float = 0.0,
        frames: int = 1,
    ) -> np.ndarray:
        """
        Alice says something over a bad network; what is heard, a frame a tick.

        Args:
            hearing: The ear.
            sound: At the rate of the codec.
            item: The codec.
            loss: How many packets get lost, 0 to 1.
            jitter: Seconds by which packets are late at most.
            frames: Frames of 20 ms in a packet.
        """
        speaker = encoder(item, 16_000)
        assert speaker is not None
        alice, clock = self.pair.alice, self.pair.network.clock
        alice.payload_type = item.payload_type
        size = speaker.rate // 50
        heard, payload = [], b""
        for number, part in enumerate(sound[: len(sound) // size * size].reshape(-1, size)):
            payload += speaker.encode(part)
            if number % frames == frames - 1:
                packet = (alice.sequence, alice.timestamp, payload)
                if self.chance.random() >= loss:
                    clock.callLater(self.chance.uniform(0, jitter), self.send, *packet)
                alice.sequence = (alice.sequence + 1) & 0xFFFF
                alice.timestamp = (alice.timestamp + frames * item.clock // 50) & 0xFFFFFFFF
                payload = b""
            self.pair.network.advance(0.02)
            frame = hearing.frame()
            self.assertEqual(len(frame), hearing.rate // 50)
            self.assertEqual(frame.dtype, np.int16)
            heard.append(frame)
        return np.concatenate(heard)

    def send(self, sequence: int, timestamp: int, payload: bytes) -> None:
        """
        Send a packet with these numbers.
        """
        alice = self.pair.alice
        now = alice.sequence, alice.timestamp
        alice.sequence, alice.timestamp = sequence, timestamp
        alice.say(self.pair.to_a, payload)
        alice.sequence, alice.timestamp = now

    def test_undisturbed(self) -> None:
        """
        Over a good network every sample is heard as it was coded, a moment later, in packets of any length.
        """
        for frames in (1, 2, 3):
            hearing = self.hearing()
            said = voice(8_000, 4.0)
            heard = self.say(hearing, said, frames=frames)
            apart = [np.abs(heard[lag + 800 : lag + 1_600] - said[800:1_600]).max() for lag in range(1_600)]
            lag = int(np.argmin(apart))
            self.assertLess(lag / 8_000, 0.06 + 0.02 * frames)
            np.testing.assert_allclose(heard[lag + 160 :], said[160 : len(said) - lag], atol=300)
            self.pair.a.incoming.ssrc = -1

    def test_every_codec(self) -> None:
        """
        Each codec is heard at its own rate, or at the one that was asked for.
        """
        for item, own in ((PCMU, 8_000), (PCMA, 8_000), (G722, 16_000), (OPUS, 16_000)):
            for wanted in (0, 8_000, 16_000):
                hearing = self.hearing(item, EVENTS, rate=wanted)
                self.assertEqual(hearing.rate, wanted or own)
                heard = self.say(hearing, tone(own, 1.0, 700), item)
                self.assertGreater(share(heard[hearing.rate // 5 :], hearing.rate, 700), 0.97, (item, wanted))

    def test_lost_packets(self) -> None:
        """
        Of 5 % loss there is no click to be heard, and hardly any hole.
        """
        for item, rate in ((PCMU, 8_000), (G722, 16_000), (OPUS, 16_000)):
            hearing = self.hearing(item, EVENTS)
            said = voice(rate, 20.0)
            heard = self.say(hearing, said, item, loss=0.05)[rate // 2 :]
            self.assertGreater(hearing.concealed, 20)
            self.assertLess(jumps(heard), 1.6 * jumps(said), item)
            loudness = heard[: len(heard) // 160 * 160].reshape(-1, 160).astype(float).std(axis=1)
            self.assertLess((loudness < 0.3 * np.median(loudness)).mean(), 0.01)

    def test_jitter(self) -> None:
        """
        Jitter of up to 80 ms is waited for once it is known, and the voice has no holes then; when it is over, the
        delay is short again.
        """
        hearing = self.hearing()
        self.say(hearing, voice(8_000, 5.0))
        calm = hearing.delay
        self.say(hearing, voice(8_000, 10.0), jitter=0.08)
        before = hearing.concealed
        heard = self.say(hearing, voice(8_000, 20.0), jitter=0.08)
        self.assertLess(hearing.concealed - before, 25)
        self.assertLess(jumps(heard), 1.6 * jumps(voice(8_000, 1.0)))
        self.assertGreater(hearing.delay, calm + 0.03)
        self.assertGreater(self.left_over(hearing), 5)
        self.say(hearing, voice(8_000, 20.0))
        self.assertLess(hearing.delay, calm + 0.001)
        self.assertLess(self.left_over(hearing), 6)

    def left_over(self, hearing: Hearing) -> int:
        """
        For how many frames a phone is heard that has stopped talking; three of them are made up.
        """
        frames = []
        for _ in range(50):
            frames.append(hearing.frame())
            self.pair.network.advance(0.02)
        self.pair.alice.timestamp += 50 * 160
        return sum(bool(frame.any()) for frame in frames)

    def test_silence(self) -> None:
        """
        Before the first packet, and after the last, there are zeros.
        """
        hearing = self.hearing()
        self.assertFalse(hearing.frame().any())
        self.say(hearing, voice(8_000, 0.5))
        ends = [hearing.frame() for _ in range(20)]
        self.assertTrue(ends[0].any())
        self.assertFalse(ends[-1].any())

    def test_comfort_noise(self) -> None:
        """
        A phone that stops sending while its user is silent, and says how loud the silence is, is heard to hiss.
        """
        hearing = self.hearing()
        self.say(hearing, voice(8_000, 0.5))
        self.pair.alice.payload_type = 13
        self.pair.alice.say(self.pair.to_a, b"\x32")
        heard = []
        for _ in range(50):
            self.pair.network.advance(0.02)
            heard.append(hearing.frame())
        noise = np.concatenate(heard[10:]).astype(float)
        self.assertLess(abs(20 * np.log10(noise.std() / 32_768) + 50), 2)
        self.pair.alice.timestamp += 8_000
        spoken = self.say(hearing, voice(8_000, 0.5))
        self.assertGreater(spoken[-800:].astype(float).std(), 1_000)

    def test_codec_changes(self) -> None:
        """
        After a re-INVITE to another codec, with other payload types, the voice goes on.
        """
        hearing = self.hearing(PCMU, EVENTS)
        self.say(hearing, tone(8_000, 0.5, 700))
        self.pair.configure(attrs.evolve(OPUS, payload_type=96))
        self.assertEqual(hearing.rate, 16_000)
        heard = self.say(hearing, tone(16_000, 1.0, 700), attrs.evolve(OPUS, payload_type=96))
        self.assertGreater(share(heard[4_000:], 16_000, 700), 0.97)

    def test_codec_changes_unannounced(self) -> None:
        """
        A phone may use another of the agreed codecs from one packet to the next; the rate stays.
        """
        hearing = self.hearing(PCMU, G722, OPUS)
        for item, rate in ((PCMU, 8_000), (G722, 16_000), (PCMU, 8_000), (OPUS, 16_000)):
            made_up = hearing.concealed
            heard = self.say(hearing, tone(rate, 1.0, 700), item)
            self.assertLess(hearing.concealed - made_up, 6)
            self.assertEqual(hearing.rate, 8_000)
            self.assertGreater(share(heard[3_200:], 8_000, 700), 0.97, item)

    def test_another_stream(self) -> None:
        """
        When the phone begins another stream, with numbers of its own, it is heard as soon.
        """
        hearing = self.hearing()
        self.say(hearing, tone(8_000, 0.5, 700))
        for ssrc, timestamp in ((0xC, 0x80000000), (0xD, 0x80000000 - 1_000)):
            self.pair.alice.ssrc, self.pair.alice.sequence, self.pair.alice.timestamp = ssrc, 60_000, timestamp
            heard = self.say(hearing, tone(8_000, 0.5, 700))
            self.assertGreater(share(heard[800:], 8_000, 700), 0.97)

    def test_garbage(self) -> None:
        """
        Packets that are no sound are as good as lost.
        """
        hearing = self.hearing(OPUS, EVENTS)
        self.say(hearing, tone(16_000, 0.5, 700), OPUS)
        for junk in (b"", b"\xff\xff\xff", b"\x00" * 1_800):
            self.pair.alice.payload_type = 111
            self.pair.alice.say(self.pair.to_a, junk)
            self.pair.alice.timestamp += 800
            self.pair.network.advance(0.02)
            self.assertEqual(len(hearing.frame()), 320)
        self.pair.alice.payload_type = 101
        self.pair.alice.say(self.pair.to_a, b"\x01")
        heard = self.say(hearing, tone(16_000, 0.5, 700), OPUS)
        self.assertGreater(share(heard[4_000:], 16_000, 700), 0.97)

    def test_keys_as_events(self) -> None:
        """
        A key that comes as telephone event is told once, and tones in the sound are none then.
        """
        hearing = self.hearing(detect_inband=True)
        self.pair.alice.payload_type = 101
        for report in (TelephoneEvent(5, 160), TelephoneEvent(5, 320), *[TelephoneEvent(5, 480, end=True)] * 3):
            self.pair.alice.say(self.pair.to_a, report.to_bytes())
            self.pair.alice.timestamp -= 160
            self.pair.network.advance(0.02)
        self.assertEqual(self.digits, [("5", 0.06)])
        self.pair.alice.timestamp += 2_000
        self.say(hearing, np.tile(tone_of("7", 0.1, 8_000), 3))
        self.assertEqual(len(self.digits), 1)

    def test_keys_as_tones(self) -> None:
        """
        Where telephone-event was not agreed keys are found in the sound, if asked for.
        """
        sound = np.concatenate([np.pad(tone_of(key, 0.1, 8_000), 800) for key in "42#"])
        for wanted, expected in ((False, ""), (True, "42#")):
            hearing = self.hearing(PCMU, detect_inband=wanted)
            self.say(hearing, sound)
            self.assertEqual("".join(key for key, _ in self.digits), expected)

    def test_stopped(self) -> None:
        """
        An ear that stopped hears nothing, and does not take the session from who listens after it.
        """
        one = self.hearing()
        other = self.hearing()
        one.stop()
        self.say(other, voice(8_000, 0.2))
        self.assertEqual((one.packets, other.packets), (0, 10))
        other.stop()
        self.assertIsNone(self.pair.a.listener)

    def test_any_network(self) -> None:
        """
        Whatever gets lost, late, repeated or reordered, there is a frame for every tick.
        """
        for seed in range(20):
            self.chance.seed(seed)
            hearing = self.hearing()
            self.say(
                hearing, voice(8_000, 2.0), loss=self.chance.uniform(0, 0.9), jitter=self.chance.uniform(0, 0.5),
                frames=self.chance.choice((1, 2, 3)),
            )
        self.pair.network.advance(1)

    def loudness(self, hearing: Hearing) -> float:
        """
        How loud a second of a tone is at its end, on average.
        """
        return float(np.abs(self.say(hearing, tone(8_000, 1.0)).astype(float))[4_000:].mean())

    def test_music_of_who_holds(self) -> None:
        """
        What somebody plays who has put us on hold is not heard, since in a conference it would drown the others; the
        voice is heard once it is back.
        """
        hearing = self.hearing(PCMU)
        self.assertGreater(self.loudness(hearing), 2_000)
        self.pair.a.direction = "recvonly"
        self.assertLess(self.loudness(hearing), 100)
        self.pair.a.direction = "sendrecv"
        self.assertGreater(self.loudness(hearing), 2_000)

    def test_who_only_speaks(self) -> None:
        """
        A phone that wants to hear nothing from the first, such as a microphone, is heard.
        """
        hearing = self.hearing(PCMU)
        self.pair.a.direction = "recvonly"
        self.assertGreater(self.loudness(hearing), 2_000)
