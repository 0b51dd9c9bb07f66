"""
Tests for :mod:`pbx.audio.concealment`: sound with holes in it.
"""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.concealment import Concealer, find_period, lengthened, shortened
from tests.audio.test_codec import share, tone


def voice(rate: int, seconds: float, pitch: float = 120.0) -> np.ndarray:
    """
    What a vowel looks like: a pitch that wavers a little, and overtones that fall off.
    """
    at = np.arange(int(rate * seconds)) / rate
    phase = 2 * np.pi * (pitch * at + 0.15 * np.sin(2 * np.pi * 3 * at))
    sound = sum(np.sin(number * phase + number) / number**1.5 for number in range(1, 12))
    return np.rint(3_000 * sound).astype(np.int16)


def jumps(sound: np.ndarray) -> int:
    """
    The greatest step from one sample to the next.
    """
    return int(np.abs(np.diff(sound.astype(int))).max())


class ConcealerTests(SynchronousTestCase):
    """
    A frame that is missing is not heard as such.
    """

    def through(self, sound: np.ndarray, rate: int, lost: set[int]) -> np.ndarray:
        """
        A sound in frames of 20 ms of which some got lost.
        """
        concealer = Concealer(rate)
        size = rate // 50
        return np.concatenate(
            [
                concealer.conceal(size) if number in lost else concealer.heard(part)
                for number, part in enumerate(sound[: len(sound) // size * size].reshape(-1, size))
            ]
        )

    def test_nothing_lost(self) -> None:
        """
        Without a loss every sample is played as it is.
        """
        sound = voice(8_000, 1.0)
        np.testing.assert_array_equal(self.through(sound, 8_000, set()), sound)

    def test_no_clicks(self) -> None:
        """
        With frames lost here and there no step is greater than in the voice itself, at any rate.
        """
        lost = {5, 12, 13, 20, 31, 32, 33, 40, 44}
        for rate in (8_000, 16_000, 48_000):
            for pitch in (80, 120, 180, 230, 300):
                sound = voice(rate, 1.0, pitch)
                heard = self.through(sound, rate, lost)
                self.assertEqual(len(heard), len(sound))
                self.assertLess(jumps(heard), 1.3 * jumps(sound), (rate, pitch))
                with_holes = sound.copy()
                for number in lost:
                    with_holes[number * rate // 50 : (number + 1) * rate // 50] = 0
                if rate == 48_000:
                    self.assertGreater(jumps(with_holes), 3 * jumps(sound))

    def test_voice_goes_on(self) -> None:
        """
        In place of one lost frame there is nearly as much voice, at the same pitch.
        """
        for rate in (8_000, 16_000):
            sound = voice(rate, 0.5)
            heard = self.through(sound, rate, {10})
            hole = slice(10 * rate // 50, 11 * rate // 50)
            true, made = sound[hole].astype(float), heard[hole].astype(float)
            self.assertGreater(made.std(), 0.7 * true.std())
            self.assertGreater(float(true @ made) / np.sqrt(float(true @ true) * float(made @ made)), 0.85)

    def test_fades(self) -> None:
        """
        When nothing comes any more the voice fades out within 60 ms.
        """
        heard = self.through(voice(8_000, 1.0), 8_000, set(range(25, 50)))
        parts = [part.astype(float).std() for part in heard.reshape(-1, 160)[25:30]]
        self.assertEqual(parts, sorted(parts, reverse=True))
        self.assertEqual(parts[3:], [0.0, 0.0])

    def test_at_the_beginning(self) -> None:
        """
        Before anything was heard there is silence, and speech that then comes fades in.
        """
        sound = tone(8_000, 0.1, 300, 8_000)
        heard = self.through(sound, 8_000, {0})
        self.assertFalse(heard[:160].any())
        self.assertLess(jumps(heard), 2 * jumps(sound))

    def test_any_piece(self) -> None:
        """
        A sound that does not go on where the one before ended is blended in too.
        """
        sound = voice(8_000, 1.0)
        concealer = Concealer(8_000)
        parts = sound.reshape(-1, 160)
        heard = [concealer.heard(part) for part in parts[:20]]
        heard += [concealer.heard(parts[27], joined=False)]
        heard += [concealer.heard(part) for part in parts[28:]]
        self.assertLess(jumps(np.concatenate(heard)), 1.3 * jumps(sound))

    def test_loudest(self) -> None:
        """
        Sound at full scale never wraps around.
        """
        sound = np.where(np.arange(8_000) // 40 % 2, 32_767, -32_768).astype(np.int16)
        heard = self.through(sound, 8_000, {5, 10, 11, 20})
        self.assertEqual(int(np.abs(heard.astype(int)).max()), 32_768)


class TimeTests(SynchronousTestCase):
    """
    A little faster, a little slower.
    """

    def test_period(self) -> None:
        """
        The period found is the voice's, or a whole number of it.
        """
        for rate in (8_000, 16_000, 48_000):
            for pitch in (80, 100, 160, 250, 400):
                period, alike = find_period(voice(rate, 0.1, pitch).astype(np.float32), rate)
                periods = period * pitch / rate
                self.assertLess(abs(periods - round(periods)), 0.12, (rate, pitch))
                self.assertGreater(alike, 0.8)

    def test_length(self) -> None:
        """
        A period more or less, and neither a click nor another pitch.
        """
        for rate in (8_000, 16_000):
            sound = voice(rate, 0.04, 125)
            for change, made in ((-1, shortened(sound, rate)), (1, lengthened(sound, rate))):
                self.assertLess(abs(len(made) - len(sound) - change * rate / 125), rate / 1_000)
                self.assertLess(jumps(made), 1.3 * jumps(sound))
            steady = tone(rate, 0.04, 500)
            self.assertGreater(share(shortened(steady, rate), rate, 500), 0.98)

    def test_no_period(self) -> None:
        """
        A hiss that is loud stays as it is, unless it has to become shorter; silence can always be changed.
        """
        hiss = np.random.default_rng(1).normal(0, 3_000, 640).astype(np.int16)
        self.assertIs(shortened(hiss, 8_000), hiss)
        self.assertIs(lengthened(hiss, 8_000), hiss)
        self.assertLess(len(shortened(hiss, 8_000, anyway=True)), 640)
        silence = np.zeros(320, np.int16)
        self.assertLess(len(shortened(silence, 8_000)), 320)
        self.assertGreater(len(lengthened(silence, 8_000)), 320)

    def test_too_short(self) -> None:
        """
        What is too short to look at stays as it is.
        """
        sound = voice(8_000, 0.02)
        self.assertIs(shortened(sound, 8_000), sound)
