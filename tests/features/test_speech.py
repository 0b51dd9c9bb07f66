"""
Tests for :mod:`pbx.features.speech` and :mod:`pbx.features.speaker`, with a process of its own and a voice that hums.
"""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import soundfile
from twisted.internet import reactor  # noqa: TID251 - a process speaks
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from pbx.features import speech
from pbx.features.recordings import UnusableSoundError
from pbx.features.speaker import NoVoiceError, Speaker, Voice, find_voice
from pbx.features.speech import Speech, SpeechFailedError

PIPER = '''
    """
    What piper-tts is to us: a tenth of a second for each letter; it obeys a few words.
    """
    import os
    import time
    from pathlib import Path
    import numpy as np

    class SynthesisConfig:
        def __init__(self, length_scale, noise_scale, noise_w_scale):
            self.length_scale = length_scale

    class Chunk:
        sample_rate = 22050
        def __init__(self, letters):
            self.audio_float_array = np.full(2205 * letters, 0.25, np.float32)
            self.audio_float_array[::2] *= -1

    class PiperVoice:
        @staticmethod
        def load(model):
            print("a message that nobody needs")
            voice = PiperVoice()
            voice.model = model
            return voice
        def synthesize(self, text, config):
            log = Path(self.model).with_name("said")
            if "crash" in text:
                raise RuntimeError("no such phoneme")
            with log.open("a") as file:
                file.write(f"begin {text} {os.nice(0) >= 10}\\n")
            while "wait" in text:
                time.sleep(0.02)
            with log.open("a") as file:
                file.write(f"end {text}\\n")
            return [Chunk(sum(map(str.isalpha, part))) for part in text.split(".") if any(map(str.isalpha, part))]
'''


class SpeechTests(TestCase):
    """
    Texts spoken by a process.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        packages = self.folder / "packages"
        (packages / "piper").mkdir(parents=True)
        (packages / "piper" / "__init__.py").write_text(textwrap.dedent(PIPER))
        (packages / "onnxruntime.py").write_text("def set_seed(seed): pass\n")
        (self.folder / "en_US-hum.onnx").touch()
        # What the tests themselves find first must be found by the process too.
        paths = [str(packages), os.environ.get("PYTHONPATH", "")]
        self.patch(os, "environ", {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)})
        self.patch(speech, "can_speak", lambda: True)
        self.speech = Speech(reactor, [self.folder])
        self.target = self.folder / "spoken.flac"

    def said(self) -> list[str]:
        """
        What was said.
        """
        log = self.folder / "said"
        return log.read_text().splitlines() if log.exists() else []

    async def began(self, text: str) -> None:
        """
        Wait until a text is being spoken.
        """
        while not any(line.startswith(f"begin {text}") for line in self.said()):
            await deferLater(reactor, 0.02)

    async def test_speaks(self) -> None:
        """
        A text becomes a prompt at 16 kHz with a rest between two sentences, spoken where calls go before.
        """
        await self.speech.speak("en", "Hello. Grüße.", self.target)
        samples, rate = soundfile.read(self.target)
        self.assertEqual(rate, 16_000)
        self.assertApproximates(len(samples) / rate, 0.5 + 0.5 + 0.28 + 0.15, 0.25)
        self.assertEqual(self.said(), ["begin Hello. Grüße. True", "end Hello. Grüße."])

    async def test_one_at_a_time(self) -> None:
        """
        Two texts are spoken one after the other.
        """
        texts = [self.speech.speak("en", f"text {letter}", self.folder / f"{letter}.flac") for letter in "ab"]
        await gatherResults([Deferred.fromCoroutine(each) for each in texts])
        self.assertEqual([line.split()[0] for line in self.said()], ["begin", "end", "begin", "end"])

    async def test_nothing_to_say(self) -> None:
        """
        A text without words is refused.
        """
        await self.assertFailure(
            Deferred.fromCoroutine(self.speech.speak("en", "...", self.target)), UnusableSoundError
        )

    async def test_crash(self) -> None:
        """
        When the voice crashes its last words are told; the next text is spoken as if nothing had been.
        """
        error = await self.assertFailure(
            Deferred.fromCoroutine(self.speech.speak("en", "crash", self.target)), SpeechFailedError
        )
        self.assertIn("no such phoneme", str(error))
        await self.speech.speak("en", "good", self.target)
        self.assertTrue(self.target.exists())

    async def test_hangs(self) -> None:
        """
        A voice that does not finish is ended.
        """
        self.patch(speech, "PATIENCE", 1.0)
        error = await self.assertFailure(
            Deferred.fromCoroutine(self.speech.speak("en", "wait", self.target)), SpeechFailedError
        )
        self.assertIn("did not finish", str(error))
        self.assertNotIn("end wait", self.said())

    async def test_cancelled(self) -> None:
        """
        Whoever gives up ends the voice, and the next one has its turn.
        """
        first = Deferred.fromCoroutine(self.speech.speak("en", "wait", self.target))
        await self.began("wait")
        second = Deferred.fromCoroutine(self.speech.speak("en", "next", self.target))
        first.cancel()
        await self.assertFailure(first, CancelledError)
        await second
        self.assertEqual(self.said()[1:], ["begin next. True", "end next."])

    async def test_no_voice(self) -> None:
        """
        Without piper-tts the command that brings it is told; for a language without a voice, where one goes.
        """
        error = await self.assertFailure(
            Deferred.fromCoroutine(self.speech.speak("de", "Hallo", self.target)), NoVoiceError
        )
        self.assertIn(str(self.folder), str(error))
        self.assertEqual([self.speech.can_speak(language) for language in ("en", "de")], [True, False])
        self.patch(speech, "can_speak", lambda: False)
        error = await self.assertFailure(
            Deferred.fromCoroutine(self.speech.speak("en", "Hello", self.target)), NoVoiceError
        )
        self.assertIn("pip install 'pbx[tts]'", str(error))
        self.assertFalse(self.speech.can_speak("en"))


class VoiceTests(TestCase):
    """
    Which voice speaks a language.
    """

    def test_folders(self) -> None:
        """
        A voice is found by the language that its name begins with, however it is written.
        """
        folder = Path(self.mktemp())
        self.assertIsNone(find_voice("de", [folder]))
        folder.mkdir()
        for name in ("de_DE-thorsten-medium", "pt_BR-faber", "eng-x", "deal"):
            (folder / f"{name}.onnx").touch()
        for language, name in (
            ("de", "de_DE-thorsten-medium"),
            ("de-de", "de_DE-thorsten-medium"),
            ("pt-br", "pt_BR-faber"),
        ):
            voice = find_voice(language, [folder])
            self.assertEqual(voice and voice.name, name)
        self.assertIsNone(find_voice("pt-pt", [folder]))

    def test_not_installed(self) -> None:
        """
        A speaker without piper-tts says what to install.
        """
        from pbx.features import speaker

        self.patch(speaker, "can_speak", lambda: False)
        self.assertIn("pbx[tts]", str(self.assertRaises(NoVoiceError, Speaker, Voice("a", Path("a.onnx")))))
