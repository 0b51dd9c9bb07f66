"""
Tests for :mod:`pbx.features.recordings`.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pbx.features.recordings import UnusableSoundError, convert, look, sound_files


def tone(seconds: float, rate: int, channels: int = 1, pitch: float = 440.0) -> Any:
    """
    A steady tone.
    """
    wave = 0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1)


def sound_file(samples: Any, rate: int, kind: str = "WAV", subtype: str | None = None) -> bytes:
    """
    The bytes of a sound file.
    """
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=kind, subtype=subtype)
    return out.getvalue()


class ConvertTests(SynchronousTestCase):
    """
    What people send, and what is kept of it.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.target = self.folder / "a.flac"

    def kept(self) -> Any:
        """
        The samples that were kept.
        """
        samples, rate = soundfile.read(self.target, dtype="float32", always_2d=True)
        self.assertEqual((rate, samples.shape[1]), (16_000, 1))
        return samples[:, 0]

    def test_formats(self) -> None:
        """
        The usual formats, rates and channels all become the same tone in one channel at 16 kHz.
        """
        for kind, subtype, rate, channels in (
            ("WAV", "PCM_16", 8_000, 1),
            ("WAV", "PCM_24", 48_000, 2),
            ("WAV", "ULAW", 8_000, 1),
            ("FLAC", "PCM_16", 44_100, 2),
            ("OGG", "VORBIS", 44_100, 1),
            ("OGG", "OPUS", 48_000, 1),
            ("MP3", "MPEG_LAYER_III", 44_100, 2),
            ("AIFF", "PCM_16", 22_050, 1),
        ):
            convert(sound_file(tone(1, rate, channels), rate, kind, subtype), self.target, longest=10)
            samples = self.kept()
            self.assertApproximates(len(samples) / 16_000, 1, 0.1)
            spectrum = np.abs(np.fft.rfft(samples[2000:14_000] * np.hanning(12_000)))
            self.assertApproximates(int(spectrum.argmax()) * 16_000 / 12_000, 440, 2)
            self.assertApproximates(float(np.sqrt(np.mean(samples[2000:14_000] ** 2))), 0.3535, 0.03)

    def test_samples_stay(self) -> None:
        """
        What is as we keep it already stays sample by sample.
        """
        samples = np.random.default_rng(1).integers(-30_000, 30_000, 12_345).astype(np.int16)
        convert(sound_file(samples, 16_000), self.target, longest=10)
        kept, _ = soundfile.read(self.target, dtype="int16")
        self.assertTrue(np.array_equal(kept, samples))

    def test_loud(self) -> None:
        """
        What is louder than can be is cut, and does not turn over.
        """
        convert(sound_file(4 * tone(0.2, 16_000), 16_000, subtype="FLOAT"), self.target, longest=10)
        samples = self.kept()
        self.assertGreater(samples[9], 0.99)
        self.assertLess(float(np.abs(np.diff(samples)).max()), 0.8)

    def test_too_long(self) -> None:
        """
        A file may be small and hold hours: it is read no further than allowed, and what was there stays.
        """
        convert(sound_file(tone(1, 16_000), 16_000), self.target, longest=10)
        before = self.target.read_bytes()
        hours = sound_file(np.zeros(16_000 * 700, np.int16), 16_000, "FLAC")
        self.assertLess(len(hours), 1_000_000)
        error = self.assertRaises(UnusableSoundError, convert, hours, self.target, longest=600)
        self.assertIn("10 minutes", str(error))
        self.assertEqual(self.target.read_bytes(), before)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["a.flac"])

    def test_nothing(self) -> None:
        """
        Text, an empty file, a sound without samples, and one of an odd rate are refused, and leave nothing.
        """
        for content, said in (
            (b"hello", "no sound file"),
            (b"", "no sound file"),
            (sound_file(tone(0, 8000), 8000), "holds no sound"),
            (sound_file(tone(0.1, 1000), 1000), "1000 samples a second"),
            (sound_file(tone(0.1, 8000, 17), 8000), "17 channels"),
        ):
            error = self.assertRaises(UnusableSoundError, convert, content, self.target, longest=10)
            self.assertIn(said, str(error))
            self.assertNotIn("BytesIO", str(error))
            self.assertFalse(self.folder.exists())

    @settings(deadline=None)
    @given(st.binary(max_size=200), st.integers(0, 3000))
    def test_damaged(self, junk: bytes, at: int) -> None:
        """
        Whatever is sent is kept or refused, never anything else.
        """
        for kind, subtype in (("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")):
            good = bytearray(SAMPLES.setdefault(kind, sound_file(tone(0.2, 44_100), 44_100, kind, subtype)))
            good[at : at + len(junk)] = junk
            try:
                convert(bytes(good), self.target, longest=10)
            except UnusableSoundError:
                pass
            else:
                self.assertIsNotNone(look(self.target))

    def test_comment(self) -> None:
        """
        What is written in a file is read from it, in any script.
        """
        convert(sound_file(tone(1, 8_000), 8_000), self.target, longest=10, comment="Grüß Gott, 你好")
        recording = look(self.target)
        assert recording is not None
        self.assertEqual((recording.comment, recording.seconds), ("Grüß Gott, 你好", 1.0))
        self.assertEqual(recording.size, self.target.stat().st_size)

    def test_disk(self) -> None:
        """
        When it cannot be written nothing half is left.
        """
        self.folder.mkdir()
        self.target.mkdir()
        self.assertRaises(OSError, convert, sound_file(tone(1, 8_000), 8_000), self.target, longest=10)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["a.flac"])


SAMPLES: dict[str, bytes] = {}


class LookTests(SynchronousTestCase):
    """
    What lies in a folder.
    """

    def test_missing_and_broken(self) -> None:
        """
        There is nothing to say of a file that is not there, and no length of one that is no sound.
        """
        folder = Path(self.mktemp())
        self.assertIsNone(look(folder / "a.flac"))
        folder.mkdir()
        (folder / "a.flac").write_bytes(b"hello")
        recording = look(folder / "a.flac")
        assert recording is not None
        self.assertEqual((recording.seconds, recording.size), (None, 5))

    def test_sound_files(self) -> None:
        """
        Of several files with one stem the one that is played counts; what is hidden or no sound does not.
        """
        folder = Path(self.mktemp())
        self.assertEqual(sound_files(folder), [])
        folder.mkdir()
        for name in ("b.wav", "a.wav", "a.flac", ".c.flac", ".a.1234.tmp", "d.txt", "e"):
            (folder / name).touch()
        self.assertEqual([path.name for path in sound_files(folder)], ["a.flac", "b.wav"])
