"""
Tests for :mod:`pbx.media.dtmf`: keys taken from a stream, and sent on one.
"""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.codec import decoder
from pbx.audio.keypad import InbandKeys
from pbx.media.bridge import Bridge
from pbx.media.dtmf import KeyReceiver, KeySender
from pbx.media.speaking import Speaking
from pbx.rtp.telephone_event import DIGITS, TelephoneEvent
from pbx.sdp.audio import Format
from tests.audio.test_codec import G722, OPUS, tone
from tests.media.memory import EVENTS, PCMU, Pair

Report = tuple[int, bytes]


def press(digit: str, start: int, *, length: int = 1_280, step: int = 160, ends: int = 3) -> list[Report]:
    """
    The reports of a key: timestamp and payload of each packet.
    """
    reports = [TelephoneEvent.of_digit(digit, duration) for duration in range(step, length, step)]
    reports += [TelephoneEvent.of_digit(digit, length, end=True)] * ends
    return [(start & 0xFFFFFFFF, report.to_bytes()) for report in reports]


class KeyReceiverTests(SynchronousTestCase):
    """
    Each key once, whatever gets lost.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.keys: list[tuple[str, float]] = []
        self.receiver = KeyReceiver(self.clock, lambda digit, seconds: self.keys.append((digit, seconds)))

    def tearDown(self) -> None:
        self.clock.advance(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def hear(self, *presses: list[Report], rate: int = 8_000) -> str:
        """
        Take packets, 20 ms apart; the keys so far.
        """
        for timestamp, payload in itertools.chain(*presses):
            self.receiver.heard(timestamp, payload, rate)
            self.clock.advance(0.02)
        return "".join(key for key, _ in self.keys)

    def test_once(self) -> None:
        """
        A key is told once, at the first end that comes, with its length.
        """
        self.hear(press("5", 1_000)[:-2])
        self.assertEqual(self.keys, [("5", 0.16)])
        self.hear(press("5", 1_000)[-2:])
        self.assertEqual(len(self.keys), 1)

    def test_number(self) -> None:
        """
        All sixteen keys, the same key twice among them, and timestamps that begin anew at zero.
        """
        number = DIGITS + "55"
        presses = [press(key, 0xFFFFFFFF - 20_000 + 3_000 * place) for place, key in enumerate(number)]
        self.assertEqual(self.hear(*presses), number)

    def test_wideband_clock(self) -> None:
        """
        Beside Opus events count 48,000 a second.
        """
        self.hear(press("9", 7, length=7_680, step=960), rate=48_000)
        self.assertEqual(self.keys, [("9", 0.16)])

    def test_lost_ends(self) -> None:
        """
        A key whose ends all got lost is told when the next begins, or after 0.2 s.
        """
        self.assertEqual(self.hear(press("1", 1_000, ends=0), press("2", 3_000, ends=0)), "1")
        self.clock.advance(0.25)
        self.assertEqual(self.keys, [("1", 0.14), ("2", 0.14)])
        self.assertEqual(self.hear(press("2", 3_000)[-1:]), "12")

    def test_lost_starts(self) -> None:
        """
        One end that comes through is enough.
        """
        self.hear(press("8", 1_000)[-1:])
        self.assertEqual(self.keys, [("8", 0.16)])

    def test_overtaken(self) -> None:
        """
        The reports of a key that come after the next key has begun press nothing again.
        """
        one, two = press("1", 1_000), press("2", 3_000)
        self.assertEqual(self.hear(one[:4], two[:3], one[4:], two[3:]), "12")

    def test_out_of_order(self) -> None:
        """
        Reports of one key in any order are one key.
        """
        self.assertEqual(self.hear(press("4", 1_000)[::-1]), "4")

    def test_out_of_order_without_end(self) -> None:
        """
        The longest report counts, whichever came last.
        """
        reports = press("4", 1_000, ends=0)
        self.hear(reports[2:5], reports[:2])
        self.clock.advance(0.3)
        self.assertEqual(self.keys, [("4", 0.1)])

    def test_long(self) -> None:
        """
        A key held for 20 s is one key of 20 s: its event goes on in further segments (RFC 4733 2.5.1.3).
        """
        reports: list[Report] = []
        for segment in range(2):
            start = 1_000 + segment * 0xFFFF
            reports += [(start, TelephoneEvent(3, duration).to_bytes()) for duration in range(160, 0x10000, 160)]
            reports += [(start, TelephoneEvent(3, 0xFFFF).to_bytes())]
        start = 1_000 + 2 * 0xFFFF
        reports += [(start, TelephoneEvent(3, 28_930, end=True).to_bytes())] * 3
        self.hear(reports)
        self.assertEqual(self.keys, [("3", 20.0)])

    def test_no_keys(self) -> None:
        """
        The hook flash, fax tones and garbage are no keys.
        """
        for event in (16, 36, 255):
            self.hear([(event * 5_000, TelephoneEvent(event, 400, end=True).to_bytes())])
        self.assertEqual(self.hear([(9, b""), (10, b"\x01\x80")]), "")

    def test_another_stream(self) -> None:
        """
        After a stream with other timestamps began, keys are told as before.
        """
        self.hear(press("1", 0x90000000))
        self.receiver.restart()
        self.assertEqual(self.hear(press("2", 1_000)), "12")

    def test_began_anew(self) -> None:
        """
        A sender whose timestamps jump far back is understood.
        """
        self.assertEqual(self.hear(press("1", 0x60000000), press("2", 1_000)), "12")

    def test_stopped(self) -> None:
        """
        What was pressed when listening ended is not told.
        """
        self.hear(press("1", 1_000, ends=0))
        self.receiver.stop()
        self.clock.advance(1)
        self.assertEqual(self.keys, [])

    @given(st.lists(st.sampled_from(DIGITS), min_size=1, max_size=6), st.data())
    def test_any_losses(self, number: list[str], data: st.DataObject) -> None:
        """
        As long as one report of each key comes, in whatever order within the key and however often, each is told once.
        """
        self.setUp()
        arrivals = []
        for place, key in enumerate(number):
            reports = press(key, 5_000 * place)
            arrivals.append(data.draw(st.lists(st.sampled_from(reports), min_size=1, max_size=20)))
        self.hear(*arrivals)
        self.clock.advance(1)
        self.assertEqual("".join(key for key, _ in self.keys), "".join(number))


class KeySenderTests(SynchronousTestCase):
    """
    Keys pressed on a leg.
    """

    def setUp(self) -> None:
        self.pair = Pair()

    def tearDown(self) -> None:
        self.assertEqual(self.pair.over(), [])

    def sender(self, *formats: Format) -> KeySender:
        """
        A sender on Alice's leg.
        """
        self.pair.configure(*(formats or (PCMU, EVENTS)))
        return KeySender(self.pair.a)

    def test_events(self) -> None:
        """
        A key is reported every 20 ms with the timestamp of its beginning, its first report marked, its end three times.
        """
        sender = self.sender()
        sender.send("5", 100)
        self.pair.network.advance(0.5)
        heard = self.pair.alice.heard
        self.assertEqual({(packet.payload_type, packet.timestamp) for packet in heard}, {(101, heard[0].timestamp)})
        self.assertEqual([packet.marker for packet in heard], [True] + [False] * 6)
        self.assertEqual(
            [(event.digit, event.duration, event.end) for event in (TelephoneEvent.parse(p.payload) for p in heard)],
            [("5", 160, False), ("5", 320, False), ("5", 480, False), ("5", 640, False)] + [("5", 800, True)] * 3,
        )
        self.assertEqual(set(np.diff([packet.sequence for packet in heard])), {1})
        self.assertFalse(sender.busy)

    def test_one_after_another(self) -> None:
        """
        A number is pressed key by key with pauses, at the clock of the codec.
        """
        sender = self.sender(OPUS, Format(101, "telephone-event", 8_000), Format(102, "telephone-event", 48_000))
        for digit in "12#":
            sender.send(digit)
        self.pair.network.advance(2)
        events = [(packet, TelephoneEvent.parse(packet.payload)) for packet in self.pair.alice.heard]
        starts = [packet.timestamp for packet, _ in events if packet.marker]
        self.assertEqual({packet.payload_type for packet, _ in events}, {102})
        self.assertEqual([event.digit for packet, event in events if packet.marker], ["1", "2", "#"])
        self.assertEqual({event.duration for _, event in events if event.end}, {7_680})
        for one, other in itertools.pairwise(starts):
            self.assertGreaterEqual((other - one) / 48_000, 0.16 + 0.04)

    def test_received(self) -> None:
        """
        What is sent is what the receiver tells.
        """
        sender = self.sender()
        for digit in DIGITS:
            sender.send(digit, 80)
        self.pair.network.advance(5)
        found: list[tuple[str, float]] = []
        receiver = KeyReceiver(self.pair.network.clock, lambda *key: found.append(key))
        for packet in self.pair.alice.heard:
            receiver.heard(packet.timestamp, packet.payload, 8_000)
        self.assertEqual(found, [(digit, 0.08) for digit in DIGITS])

    def test_tones(self) -> None:
        """
        Where telephone-event was not agreed, the tones are in the sound, in any codec.
        """
        for item in (PCMU, G722, OPUS):
            before = len(self.pair.alice.heard)
            sender = self.sender(item)
            for digit in "19#":
                sender.send(digit)
            self.pair.network.advance(1.5)
            listener = decoder(item)
            assert listener is not None
            found: list[str] = []
            keys = InbandKeys(listener.rate, lambda key, seconds: found.append(key))  # noqa: B023
            for packet in self.pair.alice.heard[before:]:
                keys.heard(listener.decode(packet.payload))
                self.assertEqual(packet.payload_type, item.payload_type)
            keys.heard(np.zeros(listener.rate // 10, np.int16))
            self.assertEqual("".join(found), "19#", item)

    def test_others_are_silent(self) -> None:
        """
        While a key is pressed nothing else is sent; what is said or relayed afterwards goes on in time.
        """
        sender = self.sender()
        Bridge(self.pair.a, self.pair.b)
        self.pair.talk(20)
        sender.send("5", 100)
        self.pair.talk(20)
        kinds = [packet.payload_type for packet in self.pair.alice.heard]
        self.assertEqual(kinds[20:28], [0] * (kinds[20:].index(101)) + [101] * 7 + [0] * (1 - kinds[20:].index(101)))
        self.assertEqual(kinds.count(101), 7)
        self.assertTrue(self.pair.b.incoming.express)
        one, *_, last = (packet for packet in self.pair.alice.heard if packet.payload_type == 0)
        self.assertLess(abs((last.timestamp - one.timestamp) / 160 - 39), 2)
        self.assertEqual(set(np.diff([packet.sequence for packet in self.pair.alice.heard])), {1})

    def test_speaking(self) -> None:
        """
        Sound of our own goes on after a key with a marker and the time gone by.
        """
        sender, speaking = self.sender(), Speaking(self.pair.a)
        for number, part in enumerate(tone(8_000, 1.0).reshape(-1, 160)):
            if number == 10:
                sender.send("1", 100)
            speaking.say(part, self.pair.network.clock.seconds())
            self.pair.network.advance(0.02)
        sound = [packet for packet in self.pair.alice.heard if packet.payload_type == 0]
        again = [packet for packet in sound[1:] if packet.marker]
        self.assertEqual(len(again), 1)
        self.assertLess(abs(sound[-1].timestamp - sound[0].timestamp - 49 * 160), 170)
        self.assertLess(len(sound), 45)

    def test_no_such_key(self) -> None:
        """
        There are sixteen keys.
        """
        sender = self.sender()
        for digit in ("", "E", "12"):
            self.assertRaises(ValueError, sender.send, digit)

    def test_stop(self) -> None:
        """
        A sender that is stopped, or whose session closes, leaves nothing behind.
        """
        sender = self.sender()
        sender.send("1")
        self.pair.network.advance(0.05)
        sender.stop()
        self.assertFalse(self.pair.a.outgoing.hushed)
        self.assertEqual(len(self.pair.engine.pacer), 0)
        sender.send("2")
        self.pair.a.close()
        self.pair.network.advance(0.1)
        self.assertEqual(len(self.pair.engine.pacer), 0)
        sender.send("3")
        self.assertFalse(sender.busy)
