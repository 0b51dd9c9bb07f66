"""
Tests for :mod:`pbx.media.transcoder` and what :mod:`pbx.media.bridge` does with it, music and keys: two phones on a
network in memory that have no codec in common, and what each of them hears.
"""

from __future__ import annotations

import attrs
import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.codec import decoder, encoder
from pbx.audio.keypad import InbandKeys, tone_of
from pbx.media.bridge import Bridge
from pbx.media.session import RtpSession
from pbx.rtp.telephone_event import TelephoneEvent
from pbx.sdp.audio import Format
from tests.audio.test_codec import G722, OPUS, share
from tests.audio.test_concealment import jumps, voice
from tests.media.memory import EVENTS, PCMA, PCMU, Pair, Phone

EVENTS_48 = Format(110, "telephone-event", 48_000)
G729 = Format(18, "G729")


class Talker:
    """
    A phone with a codec: says sound, and tells what it heard.
    """

    def __init__(self, phone: Phone, item: Format, to: tuple[str, int]) -> None:
        speaker = encoder(item)
        assert speaker is not None
        self.phone, self.item, self.to = phone, item, to
        self.rate = speaker.rate
        self._speaker = speaker
        self._from = len(phone.heard)

    def say(self, part: np.ndarray) -> None:
        """
        Send 20 ms.
        """
        self.phone.payload_type = self.item.payload_type
        before = self.phone.timestamp
        self.phone.say(self.to, self._speaker.encode(part))
        self.phone.timestamp = (before + self.item.clock // 50) & 0xFFFFFFFF

    def heard(self) -> np.ndarray:
        """
        All that came since it was made, as sound.
        """
        listener = decoder(self.item)
        assert listener is not None
        packets = [packet for packet in self.phone.heard[self._from :] if packet.payload_type == self.item.payload_type]
        return np.concatenate([np.zeros(0, np.int16), *[listener.decode(packet.payload) for packet in packets]])


class Case(SynchronousTestCase):
    """
    Two phones and a bridge.
    """

    def setUp(self) -> None:
        self.pair = Pair()

    def tearDown(self) -> None:
        self.assertEqual(self.pair.over(), [])
        self.assertEqual(len(self.pair.engine.pacer), 0)

    def bridged(self, one: list[Format], other: list[Format], **more: object) -> Bridge:
        """
        A bridge between Alice, who has the one list of formats, and Bob with the other.
        """
        self.pair.a.configure(self.pair.alice.audio(*one), one, one)
        self.pair.b.configure(self.pair.bob.audio(*other), other, other)
        bridge = Bridge(self.pair.a, self.pair.b, **more)  # type: ignore[arg-type]
        self.addCleanup(bridge.stop)
        self.alice = Talker(self.pair.alice, one[0], self.pair.to_a)
        self.bob = Talker(self.pair.bob, other[0], self.pair.to_b)
        return bridge

    def talk(self, seconds: float, *, alice: float = 0.0, bob: float = 0.0) -> None:
        """
        Both say a tone, or silence.
        """
        for number in range(int(seconds * 50)):
            for talker, frequency in ((self.alice, alice), (self.bob, bob)):
                size = talker.rate // 50
                at = (np.arange(size) + number * size) / talker.rate
                talker.say(np.rint(6_000 * np.sin(2 * np.pi * frequency * at)).astype(np.int16))
            self.pair.network.advance(0.02)

    def press(self, phone: Phone, payload_type: int, digit: str, *, clock: int = 8_000) -> None:
        """
        Press a key on a phone that sends events.
        """
        phone.payload_type = payload_type
        begun = phone.timestamp
        reports = [TelephoneEvent.of_digit(digit, number * clock // 50) for number in range(1, 5)]
        reports += [TelephoneEvent.of_digit(digit, 5 * clock // 50, end=True)] * 3
        for report in reports:
            phone.say(self.pair.to_a if phone is self.pair.alice else self.pair.to_b, report.to_bytes())
            phone.timestamp = begun
            self.pair.network.advance(0.02)
        phone.timestamp = begun + 7 * clock // 50


class TranscodingTests(Case):
    """
    Phones without a common codec hear each other.
    """

    def test_any_two(self) -> None:
        """
        Whatever two codecs they have, each hears the other's tone and not its own, 50 packets a second in one stream.
        """
        codecs = (PCMU, PCMA, G722, OPUS)
        for one in codecs:
            for other in codecs:
                if one is other or (one.codec[:3], other.codec[:3]) == ("pcm", "pcm"):
                    continue
                bridge = self.bridged([one], [other])
                self.assertEqual(
                    (bridge.state, bridge.reason), ("transcode", f"one side has {one.name}, the other {other.name}")
                )
                self.talk(1.5, alice=600, bob=900)
                for talker, frequency in ((self.alice, 900), (self.bob, 600)):
                    heard = talker.heard()
                    self.assertGreater(len(heard) / talker.rate, 1.4)
                    self.assertGreater(share(heard[talker.rate // 4 :], talker.rate, frequency), 0.97, (one, other))
                bridge.stop()

    def test_one_stream(self) -> None:
        """
        To each phone it is one stream without gaps, with its codec's timestamps.
        """
        self.bridged([PCMU], [OPUS])
        self.talk(1, alice=500, bob=500)
        for phone, step in ((self.pair.alice, 160), (self.pair.bob, 960)):
            self.assertEqual(set(np.diff([packet.sequence for packet in phone.heard])), {1})
            self.assertEqual(set(np.diff([packet.timestamp for packet in phone.heard])), {step})
            self.assertEqual(len({packet.ssrc for packet in phone.heard}), 1)

    def test_losses_are_concealed(self) -> None:
        """
        What is lost on the one leg is made up for the other: there are no clicks.
        """
        self.bridged([PCMU], [G722])
        said = voice(8_000, 4.0)
        for number, part in enumerate(said.reshape(-1, 160)):
            if number % 17 == 5:
                self.pair.alice.sequence += 1
                self.pair.alice.timestamp += 160
            else:
                self.alice.say(part)
            self.pair.network.advance(0.02)
        heard = self.bob.heard()
        self.assertGreater(len(heard), 3.8 * 16_000)
        self.assertLess(jumps(heard), 1.3 * jumps(said))

    def test_nobody_speaks(self) -> None:
        """
        A side that sends nothing is not said to be silent: nothing is sent for it.
        """
        self.bridged([PCMU], [OPUS])
        for _ in range(50):
            self.bob.say(np.zeros(320, np.int16))
            self.pair.network.advance(0.02)
        self.assertEqual(self.pair.bob.heard, [])
        self.assertGreater(len(self.pair.alice.heard), 40)

    def test_codec_changes(self) -> None:
        """
        When a re-INVITE gives both the same codec packets are forwarded, and converted again when it is taken back.
        """
        bridge = self.bridged([PCMU, EVENTS], [OPUS, EVENTS_48])
        self.talk(0.5, alice=600, bob=900)
        self.pair.b.configure(self.pair.bob.audio(PCMU, EVENTS), [PCMU, EVENTS], [PCMU, EVENTS])
        self.assertEqual((bridge.state, bridge.reason), ("relay", "both sides have PCMU"))
        self.assertEqual(len(self.pair.engine.pacer), 0)
        self.bob = Talker(self.pair.bob, PCMU, self.pair.to_b)
        self.talk(1, alice=600, bob=900)
        self.assertTrue(self.pair.a.incoming.express)
        self.assertGreater(share(self.bob.heard()[800:], 8_000, 600), 0.97)
        self.pair.b.configure(self.pair.bob.audio(OPUS), [OPUS], [OPUS])
        self.bob = Talker(self.pair.bob, OPUS, self.pair.to_b)
        self.talk(1, alice=600, bob=900)
        self.assertEqual(bridge.state, "transcode")
        self.assertGreater(share(self.bob.heard()[4_000:], 16_000, 600), 0.97)

    def test_session_refresh(self) -> None:
        """
        A re-INVITE that changes nothing is not heard, nor one that only gives other payload types.
        """
        self.bridged([PCMU], [OPUS])
        self.talk(0.5, alice=600, bob=900)
        self.pair.b.configure(self.pair.bob.audio(OPUS), [OPUS], [OPUS])
        self.talk(0.5, alice=600, bob=900)
        self.assertEqual(sum(packet.marker for packet in self.pair.bob.heard), 1)
        moved = attrs.evolve(OPUS, payload_type=97)
        self.pair.b.configure(self.pair.bob.audio(moved), [moved], [moved])
        self.bob = Talker(self.pair.bob, moved, self.pair.to_b)
        self.talk(0.5, alice=600, bob=900)
        self.assertGreater(share(self.bob.heard()[3_200:], 16_000, 600), 0.9)

    def test_unknown_codec(self) -> None:
        """
        A codec that is not known can't be converted, and that is said.
        """
        bridge = self.bridged([PCMU], [OPUS])
        self.pair.b.configure(self.pair.bob.audio(G729), [G729], [G729])
        self.assertEqual(
            (bridge.state, bridge.reason), ("none", "one side has PCMU, the other G729, and these can't be converted")
        )


class HoldTests(Case):
    """
    Who waits hears music.
    """

    def setUp(self) -> None:
        super().setUp()
        self.waiting: list[RtpSession] = []
        self.started = 0

    def music(self, session: RtpSession) -> HoldTests.Music:
        """
        Music that only takes note.
        """
        self.waiting.append(session)
        self.started += 1
        return self.Music(self, session)

    class Music:
        """
        Being played to one session.
        """

        def __init__(self, test: HoldTests, session: RtpSession) -> None:
            self.test, self.session = test, session

        def stop(self) -> None:
            """
            Not any more.
            """
            self.test.waiting.remove(self.session)

    def test_music(self) -> None:
        """
        Music plays from hold to resume, to the other side alone, whatever the codecs, and once.
        """
        for formats in ([PCMU], [OPUS]):
            bridge = self.bridged([PCMU], formats, music=self.music)
            self.talk(0.2)
            bridge.hold(self.pair.a)
            bridge.hold(self.pair.a)
            self.assertEqual(self.waiting, [self.pair.b])
            before = len(self.pair.bob.heard)
            self.talk(0.2, alice=500)
            self.assertEqual(len(self.pair.bob.heard), before)
            bridge.resume(self.pair.a)
            self.assertEqual(self.waiting, [])
            self.talk(0.3, alice=500)
            self.assertGreater(len(self.pair.bob.heard), before)
            bridge.stop()

    def test_both_hold(self) -> None:
        """
        When both hold, each that comes back hears music as long as the other holds.
        """
        bridge = self.bridged([PCMU], [PCMU], music=self.music)
        bridge.hold(self.pair.a)
        bridge.hold(self.pair.b)
        self.assertEqual(set(self.waiting), {self.pair.a, self.pair.b})
        bridge.resume(self.pair.a)
        self.assertEqual(self.waiting, [self.pair.a])
        bridge.resume(self.pair.b)
        self.assertEqual(self.waiting, [])
        self.talk(0.5, alice=600, bob=900)
        self.assertGreater(share(self.bob.heard()[800:], 8_000, 600), 0.97)

    def test_codec_changes(self) -> None:
        """
        Music goes on through a re-INVITE of who waits, and of who holds; so does the call afterwards.
        """
        bridge = self.bridged([PCMU], [PCMU], music=self.music)
        bridge.hold(self.pair.a)
        self.pair.b.configure(self.pair.bob.audio(OPUS), [OPUS], [OPUS])
        self.pair.a.configure(self.pair.alice.audio(G722), [G722], [G722])
        self.assertEqual((self.waiting, self.started), ([self.pair.b], 1))
        self.assertEqual((bridge.state, bridge.reason), ("transcode", "one side has G722, the other opus"))
        bridge.resume(self.pair.a)
        self.alice = Talker(self.pair.alice, G722, self.pair.to_a)
        self.bob = Talker(self.pair.bob, OPUS, self.pair.to_b)
        self.talk(1, alice=600, bob=900)
        self.assertGreater(share(self.bob.heard()[4_000:], 16_000, 600), 0.97)
        self.assertGreater(share(self.alice.heard()[4_000:], 16_000, 900), 0.97)

    def test_noise_in_any_codec(self) -> None:
        """
        Without music there is quiet noise, in Opus and G.722 as well.
        """
        for item in (G722, OPUS):
            bridge = self.bridged([PCMU], [item], music=lambda _: None)
            bridge.hold(self.pair.a)
            self.talk(1, alice=500)
            heard = self.bob.heard().astype(float)
            self.assertGreater(len(heard), 15_000)
            self.assertTrue(5 < heard[3_200:].std() < 80, (item, heard[3_200:].std()))
            bridge.stop()

    def test_stop(self) -> None:
        """
        Music ends with the bridge.
        """
        bridge = self.bridged([PCMU], [PCMU], music=self.music)
        bridge.hold(self.pair.b)
        bridge.stop()
        self.assertEqual(self.waiting, [])

    def test_closed(self) -> None:
        """
        A session that is closed gets no music.
        """
        bridge = self.bridged([PCMU], [PCMU], music=self.music)
        self.pair.b.close()
        bridge.hold(self.pair.a)
        self.assertEqual(self.waiting, [])


class KeyTests(Case):
    """
    A key pressed on the one side arrives on the other, in the way that it knows.
    """

    def tones(self, talker: Talker) -> str:
        """
        The keys in what a phone heard.
        """
        found: list[str] = []
        keys = InbandKeys(talker.rate, lambda key, seconds: found.append(key))
        keys.heard(np.concatenate((talker.heard(), np.zeros(talker.rate // 10, np.int16))))
        return "".join(found)

    def events(self, phone: Phone, payload_type: int) -> list[tuple[str | None, int]]:
        """
        The keys that came to a phone as events, with their length in timestamp units.
        """
        reports = [(p, TelephoneEvent.parse(p.payload)) for p in phone.heard if p.payload_type == payload_type]
        ends = {packet.timestamp: (event.digit, event.duration) for packet, event in reports if event.end}
        return list(ends.values())

    def test_events_become_tones(self) -> None:
        """
        A phone without telephone events hears the tones, while the voice is relayed the short way.
        """
        bridge = self.bridged([PCMU, EVENTS], [PCMU])
        for digit in "5#":
            self.talk(0.4)
            self.press(self.pair.alice, 101, digit)
        self.talk(0.5)
        self.assertEqual(self.tones(self.bob), "5#")
        self.assertEqual(bridge.state, "relay")
        self.assertTrue(self.pair.a.incoming.express)

    def test_events_in_transcoding(self) -> None:
        """
        Between events of different clocks a key keeps its length, and nothing of it is heard.
        """
        self.bridged([PCMU, EVENTS], [OPUS, EVENTS_48])
        self.talk(0.3)
        self.press(self.pair.alice, 101, "8")
        self.talk(0.4)
        self.press(self.pair.bob, 110, "9", clock=48_000)
        self.talk(0.4)
        self.assertEqual(self.events(self.pair.bob, 110), [("8", 4_800)])
        self.assertEqual(self.events(self.pair.alice, 101), [("9", 800)])
        self.assertEqual(self.tones(self.bob), "")

    def test_tones_become_events(self) -> None:
        """
        Where voices are converted, the tones of a phone without events become events; without them they go through.
        """
        sound = np.concatenate([np.pad(tone_of("4", 0.1, 16_000), 1_600), np.zeros(8_000, np.int16)])
        for formats, events, tones in (([PCMU, EVENTS], 1, ""), ([PCMU], 0, "4")):
            bridge = self.bridged(formats, [G722])
            for part in sound.reshape(-1, 320):
                self.bob.say(part)
                self.pair.network.advance(0.02)
            self.assertEqual(len(self.events(self.pair.alice, 101)), events)
            if not events:
                self.assertEqual(self.tones(self.alice), tones)
                self.assertLess((np.abs(self.alice.heard().astype(int)) > 1_000).sum() / 8_000, 0.12)
            bridge.stop()
            self.pair.alice.heard.clear()

    def test_relayed_tones_become_events(self) -> None:
        """
        Where voices are relayed, the tones of a phone without events become events for one that knows them, and all
        else that it says arrives byte by byte; two phones that both have events, or both none, go the short way.
        """
        for one, other, events, express in (
            ([PCMU, EVENTS], [PCMU], ["4"], False),
            ([PCMU], [PCMU], [], True),
            ([PCMU, EVENTS], [PCMU, EVENTS], [], True),
        ):
            bridge = self.bridged(one, other)
            self.assertEqual(bridge.state, "relay")
            self.talk(0.3, bob=700)
            before = len(self.pair.alice.heard)
            self.talk(0.4, bob=700)
            voice = encoder(PCMU)
            assert voice is not None
            at = np.arange(3_200) / 8_000
            said = np.rint(6_000 * np.sin(2 * np.pi * 700 * at)).astype(np.int16).reshape(-1, 160)
            self.assertEqual(
                [packet.payload for packet in self.pair.alice.heard[before:]], [voice.encode(part) for part in said]
            )
            for part in np.pad(tone_of("4", 0.12, 8_000), (800, 3_040)).reshape(-1, 160):
                self.bob.say(part)
                self.pair.network.advance(0.02)
            self.talk(0.4, bob=700)
            self.assertEqual([digit for digit, _ in self.events(self.pair.alice, 101)], events)
            self.assertEqual(self.pair.b.incoming.express, express)
            self.assertGreater(share(self.alice.heard()[-1_600:], 8_000, 700), 0.97)
            bridge.stop()
            self.pair.alice.heard.clear()

    def test_told_otherwise(self) -> None:
        """
        Who makes SIP INFO of a key is asked first, and only for a phone without events.
        """
        told: list[tuple[RtpSession, str]] = []

        def info(session: RtpSession, digit: str) -> bool:
            told.append((session, digit))
            return digit != "0"

        bridge = self.bridged([PCMU, EVENTS], [PCMU], on_key=info)
        self.talk(0.2)
        self.press(self.pair.alice, 101, "1")
        self.talk(0.3)
        self.assertEqual((told, self.tones(self.bob)), ([(self.pair.b, "1")], ""))
        self.press(self.pair.alice, 101, "0")
        self.talk(0.5)
        self.assertEqual(self.tones(self.bob), "0")
        bridge.press(self.pair.b, "7", 100)
        self.talk(0.3)
        self.assertEqual(self.events(self.pair.alice, 101), [("7", 800)])
        self.assertEqual(len(told), 2)

    def test_not_while_held(self) -> None:
        """
        Keys of who holds are not for the other.
        """
        bridge = self.bridged([PCMU, EVENTS], [PCMU])
        bridge.hold(self.pair.a)
        self.press(self.pair.alice, 101, "1")
        bridge.press(self.pair.a, "1")
        self.talk(0.3)
        self.assertEqual(self.tones(self.bob), "")

    def test_stopped(self) -> None:
        """
        A key under way when the bridge is stopped is let go.
        """
        bridge = self.bridged([PCMU, EVENTS], [PCMU])
        bridge.press(self.pair.a, "1", 1_000)
        self.pair.network.advance(0.1)
        bridge.stop()
        bridge.press(self.pair.a, "2")
        self.assertEqual(len(self.pair.engine.pacer), 0)
        self.assertFalse(self.pair.b.outgoing.hushed)
