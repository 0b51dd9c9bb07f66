"""
Tests for :mod:`pbx.audio.codec`: sound through each codec and back.
"""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio import codec
from pbx.audio.codec import OPUS_CLOCK, decoder, encoder, known, spoken
from pbx.sdp.audio import Format

PCMU, PCMA, G722 = Format(0, "PCMU"), Format(8, "PCMA"), Format(9, "G722")
OPUS = Format(111, "opus", 48_000, 2)


def tone(rate: int, seconds: float, frequency: float = 440.0, peak: float = 6_000.0) -> np.ndarray:
    """
    A sine.
    """
    return np.rint(peak * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)).astype(np.int16)


def share(sound: np.ndarray, rate: int, frequency: float) -> float:
    """
    How much of the power of a sound is a sine of one frequency, 0 to 1.
    """
    samples = sound.astype(np.float64)
    wave = np.exp(-2j * np.pi * frequency * np.arange(len(samples)) / rate)
    return float(2 * abs(samples @ wave) ** 2 / (len(samples) * (samples @ samples)))


class CodecTests(SynchronousTestCase):
    """
    What is said is heard, at the rate that the coder names.
    """

    def test_there_and_back(self) -> None:
        """
        Through every codec, at every rate it has, a tone stays that tone at its loudness, frame by frame.
        """
        for item in (PCMU, PCMA, G722, OPUS):
            for rate in (0, 8_000, 16_000, OPUS_CLOCK):
                speaker, listener = encoder(item, rate), decoder(item, rate)
                assert speaker is not None
                assert listener is not None
                self.assertEqual(speaker.rate, listener.rate)
                size = speaker.rate // 50
                said = tone(speaker.rate, 1.0)
                heard = [listener.decode(speaker.encode(part)) for part in said.reshape(-1, size)]
                self.assertEqual({len(part) for part in heard}, {size}, (item, rate))
                settled = np.concatenate(heard[5:])
                self.assertGreater(share(settled, speaker.rate, 440.0), 0.99, (item, rate))
                self.assertLess(abs(settled.std() / said.std() - 1.0), 0.1, (item, rate))

    def test_rates(self) -> None:
        """
        G.711 has 8,000 samples a second and G.722 16,000, whatever is asked for; Opus has what is asked for.
        """
        for item, expected in ((PCMU, (8_000, 8_000)), (G722, (16_000, 16_000)), (OPUS, (16_000, 8_000))):
            found = tuple(made.rate for made in (encoder(item), encoder(item, 8_000)) if made is not None)
            self.assertEqual(found, expected)

    def test_packets_of_any_length(self) -> None:
        """
        A packet of 10, 30 or 60 ms gives as many samples as it lasts.
        """
        for milliseconds in (10, 30, 60):
            for item, rate in ((PCMU, 8_000), (G722, 16_000)):
                listener = decoder(item)
                assert listener is not None
                self.assertEqual(len(listener.decode(bytes(8 * milliseconds))), rate * milliseconds // 1000)

    def test_opus_packs_speech_small(self) -> None:
        """
        A second of Opus is a third of G.711 at most.
        """
        speaker = encoder(OPUS)
        assert speaker is not None
        octets = sum(len(speaker.encode(part)) for part in tone(16_000, 1.0).reshape(-1, 320))
        self.assertLess(octets, 8_000 // 2)

    def test_garbage(self) -> None:
        """
        What the codec never makes is a ``ValueError``, and the next packet is understood.
        """
        speaker, listener = encoder(OPUS), decoder(OPUS)
        assert speaker is not None
        assert listener is not None
        good = [speaker.encode(part) for part in tone(16_000, 0.2).reshape(-1, 320)]
        for bad in (b"", b"\xff\xff\xff", bytes(5_000)):
            self.assertRaises(ValueError, listener.decode, bad)
            self.assertEqual(len(listener.decode(good.pop(0))), 320)

    def test_not_known(self) -> None:
        """
        Other codecs, and these at other clocks, are not known.
        """
        for item in (Format(18, "G729"), Format(96, "PCMU", 16_000), Format(97, "opus", 48_000, 1)):
            self.assertFalse(known(item))
            self.assertIsNone(encoder(item))
            self.assertIsNone(decoder(item))

    def test_without_pyav(self) -> None:
        """
        Where PyAV is not installed there is G.711 and nothing else.
        """
        self.patch(codec, "available", lambda: False)
        self.assertEqual([known(item) for item in (PCMU, PCMA, G722, OPUS)], [True, True, False, False])
        self.assertIsNone(decoder(OPUS))
        self.assertIsNone(encoder(G722))
        self.assertEqual([spoken(name) for name in ("PCMU", "pcma", "G722", "opus")], [True, True, False, False])

    def test_names(self) -> None:
        """
        A codec is known by its name, in any case.
        """
        self.assertEqual([spoken(name) for name in ("PCMU", "G722", "opus", "Opus", "G729")], [True] * 4 + [False])

    def test_wrong_length(self) -> None:
        """
        An encoder takes frames of 20 ms and nothing else.
        """
        speaker = encoder(OPUS)
        assert speaker is not None
        self.assertRaises(ValueError, speaker.encode, np.zeros(160, np.int16))
