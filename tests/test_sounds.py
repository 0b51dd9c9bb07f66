"""
Tests for the sounds that are shipped, and for ``tools/make-prompts`` and ``tools/make-music``, which make them.
"""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.mastering import active_level, decibel, frame_levels
from pbx.audio.wording import read
from pbx.features import speaker
from tests.test_tools import TOP, loaded

SOUNDS = TOP / "pbx" / "sounds"


class ShippedPromptTests(SynchronousTestCase):
    """
    The English prompts as files.
    """

    prompts = read((SOUNDS / "en.txt").read_text(encoding="utf-8"))

    def test_complete(self) -> None:
        """
        Every prompt of the text has its file, which says just those words; no other file lies there.
        """
        _, stale, orphans, known = loaded("make-prompts").state(SOUNDS, "en")
        self.assertEqual((stale, orphans), ([], []), "tools/make-prompts puts this right")
        self.assertEqual(list(known["prompts"]), list(self.prompts))

    def test_size(self) -> None:
        """
        All of them together stay small enough to be shipped.
        """
        self.assertLess(sum(path.stat().st_size for path in (SOUNDS / "en").glob("*.flac")), 12_000_000)

    def test_audio(self) -> None:
        """
        Each is as loud as the others, not clipped, as long as its words take, and begins and ends in silence.
        """
        for name, text in self.prompts.items():
            samples, rate = soundfile.read(SOUNDS / "en" / f"{name}.flac", dtype="float32", always_2d=True)
            self.assertEqual((rate, samples.shape[1]), (16_000, 1), name)
            mono = samples[:, 0]
            self.assertTrue(-24.5 < active_level(mono, rate) < -18, f"{name}: {active_level(mono, rate)}")
            self.assertLess(decibel(float(np.abs(mono).max())), -0.9, name)
            self.assertTrue(0.1 + 0.03 * len(text) < len(mono) / rate < 0.8 + 0.12 * len(text), name)
            self.assertLess(max(abs(mono[0]), abs(mono[-1])), 0.005, name)

    def test_licence(self) -> None:
        """
        Where the voice comes from is said beside the files, and what the wheel takes along names it.
        """
        voice = json.loads((SOUNDS / "en" / "manifest.json").read_text())["voice"].split()[0]
        self.assertIn(voice, (SOUNDS / "LICENSE").read_text())


class ToneSpeaker:
    """
    A speaker that says each word as a hum.
    """

    said: list[str] = []

    def __init__(self, voice: speaker.Voice) -> None:
        self.voice = voice

    def say(self, text: str) -> Any:
        """
        Hum.
        """
        ToneSpeaker.said.append(text)
        return np.full(160 * len(text.replace("...", "")), 0.1, np.float32)


class MakePromptsTests(SynchronousTestCase):
    """
    ``tools/make-prompts`` over a folder, with a speaker that hums.
    """

    def setUp(self) -> None:
        self.sounds = Path(self.mktemp())
        self.sounds.mkdir()
        self.program = loaded("make-prompts")
        self.voice: speaker.Voice | None = speaker.Voice("hum 1", Path("hum.onnx"))
        self.patch(self.program.speaker, "find_voice", lambda language, folders: self.voice)
        self.patch(self.program.speaker, "can_speak", lambda: True)
        self.patch(self.program.speaker, "Speaker", ToneSpeaker)
        ToneSpeaker.said = []
        self.text = self.sounds / "en.txt"
        self.text.write_text("a: one\nb: two\n")

    def run_it(self, *options: str) -> tuple[int, str]:
        """
        Its exit code and what it printed.
        """
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = self.program.main([*options, "--sounds", str(self.sounds)])
        return code, out.getvalue()

    def test_only_what_changed(self) -> None:
        """
        A second run speaks nothing; a changed text is spoken again, and a file whose name is gone is deleted.
        """
        self.assertEqual(self.run_it("--check")[0], 1)
        self.assertEqual(self.run_it()[0], 0)
        self.assertEqual(self.run_it()[0], 0)
        self.assertEqual(ToneSpeaker.said, ["one", "two"])
        self.assertEqual(self.run_it("--check"), (0, "Every prompt says what its text says.\n"))
        self.text.write_text("a: one\nc: three\n")
        code, said = self.run_it("--check")
        self.assertEqual(code, 1)
        self.assertIn("en/c does not say", said)
        self.assertIn("en/b is not in", said)
        self.assertEqual(self.run_it()[0], 0)
        self.assertEqual(ToneSpeaker.said, ["one", "two", "three"])
        self.assertEqual(sorted(path.name for path in (self.sounds / "en").glob("*.flac")), ["a.flac", "c.flac"])
        self.text.write_text("a: four\nc: three\n")
        self.assertIn("en/a does not say", self.run_it("--check")[1])
        self.assertEqual(self.run_it()[0], 0)
        self.assertEqual(ToneSpeaker.said[3:], ["four"])

    def test_another_voice(self) -> None:
        """
        With another voice everything is spoken again; a file that was deleted is spoken again too.
        """
        self.run_it()
        (self.sounds / "en" / "b.flac").unlink()
        self.assertEqual(self.run_it("--check")[0], 1)
        self.run_it()
        self.assertEqual(ToneSpeaker.said, ["one", "two", "two"])
        self.voice = speaker.Voice("hum 2", Path("hum.onnx"))
        self.run_it()
        self.assertEqual(len(ToneSpeaker.said), 5)

    def test_stops_in_the_middle(self) -> None:
        """
        Words that cannot be said are named; what was spoken before stays, and is not spoken again.
        """
        self.text.write_text("a: one\nb: ...\nc: three\n")
        code, said = self.run_it()
        self.assertEqual(code, 1)
        self.assertIn("en/b has nothing", said)
        self.text.write_text("a: one\nb: two\nc: three\n")
        self.assertEqual(self.run_it()[0], 0)
        self.assertEqual(ToneSpeaker.said, ["one", "...", "two", "three"])

    def test_no_voice(self) -> None:
        """
        Without a voice it says what to install, and leaves everything as it is.
        """
        self.voice = None
        code, said = self.run_it()
        self.assertEqual(code, 1)
        self.assertIn("pip install", said)
        self.assertFalse((self.sounds / "en").exists())


class ShippedMusicTests(SynchronousTestCase):
    """
    The music on hold as a file.
    """

    def setUp(self) -> None:
        samples, self.rate = soundfile.read(SOUNDS / "music" / "default.flac", dtype="float32", always_2d=True)
        self.assertEqual((self.rate, samples.shape[1]), (16_000, 1))
        self.music = samples[:, 0].astype(np.float64)

    def spectrum(self, samples: Any) -> Any:
        """
        How strong each frequency is, in steps of 10 Hz.
        """
        return np.abs(np.fft.rfft(samples[:1600] * np.hanning(1600)))

    def test_level(self) -> None:
        """
        A minute and a half or two, as loud as speech, without clipping, and never silent for long.
        """
        self.assertTrue(90 <= len(self.music) / self.rate <= 120)
        level = decibel(float(np.sqrt(np.mean(self.music**2))))
        self.assertTrue(-22 < level < -18, level)
        self.assertLess(float(np.abs(self.music).max()), 0.9)
        self.assertLess(abs(float(self.music.mean())), 0.001)
        seconds = frame_levels(self.music.astype(np.float32), self.rate, 1.0)
        self.assertTrue(seconds.min() > -32, seconds.min())
        self.assertTrue(seconds.max() < -14, seconds.max())

    def test_loops(self) -> None:
        """
        The end goes over into the beginning as smoothly as the rest goes on: no jump and no gap.
        """
        round_the_end = np.concatenate([self.music[-800:], self.music[:800]])
        steps = np.abs(np.diff(self.music))
        self.assertLess(abs(self.music[0] - self.music[-1]), np.percentile(steps, 99.5))
        # A jump is heard by its high frequencies.
        bends = np.abs(np.diff(self.music, 3))
        self.assertLess(np.abs(np.diff(round_the_end[792:808], 3)).max(), np.percentile(bends, 99))
        seam = decibel(float(np.sqrt(np.mean(round_the_end**2))))
        self.assertTrue(-34 < seam < -12, seam)

    def test_no_clicks(self) -> None:
        """
        No sample jumps away from its neighbours anywhere.
        """
        self.assertLess(np.abs(np.diff(self.music, 2)).max(), 0.15)

    def test_is_music(self) -> None:
        """
        It goes through many notes: no tone is steady, and no second sounds like all others.
        """
        spectra = np.array([self.spectrum(self.music[at : at + 1600]) for at in range(0, len(self.music) - 1600, 8000)])
        strongest = spectra.argmax(axis=1)
        self.assertGreater(len(set(strongest.tolist())), 12)
        self.assertLess(max(np.bincount(strongest)) / len(strongest), 0.35)
        # Most of it is where a telephone hears.
        whole = (spectra**2).sum(axis=0)
        self.assertGreater(whole[20:340].sum() / whole.sum(), 0.6)

    def test_made_again(self) -> None:
        """
        ``tools/make-music`` gives the very same piece each time, and some bars of it are a loop as well.
        """
        program = loaded("make-music")
        made = program.piece(bars=4)
        self.assertEqual(len(made), 4 * program.BAR)
        self.assertTrue(np.array_equal(made, program.piece(bars=4)))
        self.assertLess(abs(made[0] - made[-1]), 0.05)
