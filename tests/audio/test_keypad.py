"""
Tests for :mod:`pbx.audio.keypad`: keys found in sound.
"""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.codec import decoder, encoder
from pbx.audio.keypad import HIGH, KEYS, LOW, InbandKeys, tone_of
from tests.audio.test_codec import G722, OPUS, PCMU
from tests.audio.test_concealment import voice


class InbandTests(SynchronousTestCase):
    """
    Each key once, and no key where none was pressed.
    """

    def keys(self, sound: np.ndarray, rate: int = 8_000) -> list[tuple[str, float]]:
        """
        What is found in a sound, in frames of 20 ms.
        """
        found: list[tuple[str, float]] = []
        keys = InbandKeys(rate, lambda key, seconds: found.append((key, seconds)))
        for start in range(0, len(sound), rate // 50):
            keys.heard(sound[start : start + rate // 50])
        return found

    def pair(self, row: float, column: float, *, low: float = 4_000, high: float = 4_000, ms: int = 60) -> np.ndarray:
        """
        Two tones, with silence around them.
        """
        at = np.arange(8 * ms) / 8_000
        sound = low * np.sin(2 * np.pi * row * at) + high * np.sin(2 * np.pi * column * at)
        return np.concatenate((np.zeros(400), sound, np.zeros(800))).astype(np.int16)

    def test_every_key(self) -> None:
        """
        A number dialled at any rate is read key by key, with how long each was pressed.
        """
        for rate in (8_000, 16_000, 48_000):
            parts = []
            for key in KEYS:
                parts += [tone_of(key, 0.1, rate), np.zeros(rate // 20, np.int16)]
            found = self.keys(np.concatenate([*parts, np.zeros(rate // 10, np.int16)]), rate)
            self.assertEqual("".join(key for key, _ in found), KEYS)
            self.assertTrue(all(0.07 < seconds < 0.13 for _, seconds in found), found)

    def test_same_key_twice(self) -> None:
        """
        The same key pressed twice, 40 ms each and 40 ms apart, is two.
        """
        once = np.concatenate((tone_of("5", 0.05, 8_000), np.zeros(320, np.int16)))
        for offset in range(0, 160, 20):
            sound = np.concatenate((np.zeros(offset, np.int16), once, once, np.zeros(800, np.int16)))
            self.assertEqual([key for key, _ in self.keys(sound)], ["5", "5"], offset)

    def test_through_codecs(self) -> None:
        """
        Keys are found in what comes out of each codec.
        """
        for item in (PCMU, G722, OPUS):
            speaker, listener = encoder(item), decoder(item)
            assert speaker is not None
            assert listener is not None
            rate = speaker.rate
            pause = np.zeros(rate // 10, np.int16)
            sound = np.concatenate([np.concatenate((tone_of(key, 0.1, rate), pause)) for key in "159D#"])
            heard = [listener.decode(speaker.encode(part)) for part in sound.reshape(-1, rate // 50)]
            self.assertEqual("".join(key for key, _ in self.keys(np.concatenate(heard), rate)), "159D#", item)

    def test_off_frequency(self) -> None:
        """
        Tones 1.5 % off count, tones 3.5 % off do not (ITU-T Q.24).
        """
        for row in LOW:
            for column in HIGH:
                for sign in (-1, 1):
                    near, far = 1 + sign * 0.015, 1 + sign * 0.04
                    self.assertEqual(len(self.keys(self.pair(row * near, column * near))), 1, (row, column))
                    self.assertEqual(self.keys(self.pair(row * far, column * far)), [], (row, column, sign))

    def test_loudness(self) -> None:
        """
        From loud to 40 dB below counts; so does one tone 5 dB above the other; 12 dB does not.
        """
        self.assertEqual(len(self.keys(self.pair(770, 1_336, low=15_000, high=15_000))), 1)
        self.assertEqual(len(self.keys(self.pair(770, 1_336, low=200, high=200))), 1)
        self.assertEqual(len(self.keys(self.pair(770, 1_336, low=30, high=30))), 0)
        for low, high, count in ((4_000, 2_250, 1), (2_250, 4_000, 1), (4_000, 1_000, 0), (1_000, 4_000, 0)):
            self.assertEqual(len(self.keys(self.pair(770, 1_336, low=low, high=high))), count, (low, high))

    def test_third_tone(self) -> None:
        """
        With a third tone nearly as loud it is no key.
        """
        at = np.arange(800) / 8_000
        third = np.concatenate((np.zeros(400), 2_400 * np.sin(2 * np.pi * 852 * at), np.zeros(800))).astype(np.int16)
        self.assertEqual(self.keys(self.pair(770, 1_336, ms=100) + third), [])

    def test_length(self) -> None:
        """
        40 ms are a key, 20 ms are none (ITU-T Q.24).
        """
        self.assertEqual(len(self.keys(self.pair(852, 1_477, ms=40))), 1)
        self.assertEqual(self.keys(self.pair(852, 1_477, ms=20)), [])

    def test_interrupted(self) -> None:
        """
        A gap of 10 ms in a tone is not two keys.
        """
        sound = tone_of("7", 0.2, 8_000)
        sound[800:880] = 0
        self.assertEqual([key for key, _ in self.keys(np.concatenate((sound, np.zeros(800, np.int16))))], ["7"])

    def test_speech(self) -> None:
        """
        Voices of any pitch, hisses and single tones, minutes of them, press no key.
        """
        chance = np.random.default_rng(3)
        for pitch in np.arange(75, 400, 2.5):
            self.assertEqual(self.keys(voice(8_000, 1.0, float(pitch))), [], pitch)
        self.assertEqual(self.keys(chance.normal(0, 3_000, 8_000 * 60).astype(np.int16)), [])
        at = np.arange(8_000) / 8_000
        for frequency in (*LOW, *HIGH, 440.0, 1_000.0):
            self.assertEqual(self.keys((8_000 * np.sin(2 * np.pi * frequency * at)).astype(np.int16)), [])
        # Two voices at once, and a sweep.
        sweep = 6_000 * np.sin(2 * np.pi * (300 * at + 1_500 * at**2))
        self.assertEqual(self.keys((sweep + voice(8_000, 1.0, 140) / 2).astype(np.int16)), [])

    def test_key_over_speech(self) -> None:
        """
        A key pressed while somebody speaks softly is found.
        """
        sound = voice(8_000, 0.5, 140) // 12
        sound[1_600:2_400] += tone_of("3", 0.1, 8_000)
        self.assertEqual([key for key, _ in self.keys(sound)], ["3"])

    def test_no_such_key(self) -> None:
        """
        There are sixteen keys.
        """
        for key in ("E", "", "12"):
            self.assertRaises(ValueError, tone_of, key, 0.1, 8_000)
