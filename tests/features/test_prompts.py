"""
Tests for :mod:`pbx.features.prompts` and :mod:`pbx.features.music`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pbx.features import music, prompts
from pbx.features.music import MusicOnHold
from pbx.features.prompts import NotKeptError, Prompts
from pbx.features.recordings import UnusableSoundError
from pbx.features.speaker import NoVoiceError
from pbx.media.sounds import Sounds
from tests.features.test_recordings import sound_file, tone
from tests.features.threads import at_once

SECOND = sound_file(tone(1, 8_000), 8_000)
TWO_SECONDS = sound_file(tone(2, 8_000), 8_000, "OGG", "VORBIS")


class FakeSpeech:
    """
    Speaks English: a second for each word.
    """

    def can_speak(self, language: str) -> bool:
        """
        English only.
        """
        return language == "en"

    async def speak(self, language: str, text: str, target: Path) -> None:
        """
        Hum.
        """
        if language != "en":
            raise NoVoiceError(f"no {language}")
        self.hum(len(text.split()), target)

    def hum(self, seconds: int, target: Path) -> None:
        """
        Write a hum.
        """
        target.write_bytes(sound_file(tone(seconds, 16_000), 16_000, "FLAC"))


class ShippedCase(SynchronousTestCase):
    """
    A data directory, and a program with two prompts and a piece of music.
    """

    def setUp(self) -> None:
        self.data, self.shipped = Path(self.mktemp()), Path(self.mktemp())
        (self.shipped / "en").mkdir(parents=True)
        (self.shipped / "music").mkdir()
        (self.shipped / "en.txt").write_text("hello: Hello.\nbye: Goodbye.\n")
        for name in ("en/hello", "en/bye", "music/default"):
            (self.shipped / f"{name}.flac").write_bytes(sound_file(tone(0.5, 16_000), 16_000, "FLAC"))
        (self.shipped / "en" / "manifest.json").write_text("{}")
        self.prompts = Prompts(at_once, self.data, self.shipped, FakeSpeech())  # type: ignore[arg-type]
        self.music = MusicOnHold(at_once, self.data, self.shipped)  # type: ignore[arg-type]

    def result(self, coroutine: Any) -> Any:
        """
        What a coroutine returns at once.
        """
        return self.successResultOf(coroutine)

    def failure(self, coroutine: Any, kind: type[Exception]) -> str:
        """
        What a coroutine says as it fails.
        """
        return str(self.failureResultOf(coroutine, kind).value)


class PromptsTests(ShippedCase):
    """
    Prompts of the program and of the operator.
    """

    def listed(self, language: str = "en") -> list[tuple[str, str, bool, float | None]]:
        """
        Name, text, whose, and length of all prompts of a language.
        """
        found = self.result(self.prompts.all(language))
        return [(prompt.name, prompt.text, prompt.own, prompt.recording.seconds) for prompt in found]

    def test_shipped(self) -> None:
        """
        At first there is what came with the program, with its text.
        """
        self.assertEqual(self.listed(), [("bye", "Goodbye.", False, 0.5), ("hello", "Hello.", False, 0.5)])
        self.assertEqual(self.listed("de"), [])
        self.assertEqual(self.result(self.prompts.languages()), ["en"])

    def test_record(self) -> None:
        """
        A recording stands before the prompt that it replaces, until it is deleted; it may be replaced itself.
        """
        self.result(self.prompts.record("en", "hello", SECOND))
        self.assertEqual(self.listed()[1], ("hello", "Hello.", True, 1.0))
        prompt = self.result(self.prompts.record("en", "hello", TWO_SECONDS))
        self.assertEqual(prompt.recording.path, self.data / "prompts" / "en" / "hello.flac")
        self.assertTrue(prompt.shipped)
        self.assertEqual(self.result(self.prompts.content(prompt)), prompt.recording.path.read_bytes())
        self.assertEqual(self.listed()[1][3], 2.0)
        self.assertTrue(self.result(self.prompts.delete("en", "hello")))
        self.assertFalse(self.result(self.prompts.delete("en", "hello")))
        self.assertEqual(self.listed()[1], ("hello", "Hello.", False, 0.5))

    def test_speak(self) -> None:
        """
        A text is spoken, and remembered with what it became; nothing is left elsewhere.
        """
        prompt = self.result(self.prompts.speak("en", "closed", "We are closed."))
        self.assertEqual((prompt.text, prompt.recording.seconds, prompt.shipped), ("We are closed.", 3.0, False))
        self.assertEqual(self.listed()[1], ("closed", "We are closed.", True, 3.0))
        self.assertEqual(self.failure(self.prompts.speak("de", "zu", "Geschlossen"), NoVoiceError), "no de")
        self.assertEqual([path.name for path in (self.data / "prompts").iterdir()], ["en"])

    def test_other_languages(self) -> None:
        """
        A language begins with its first prompt.
        """
        self.result(self.prompts.record("pt-br", "hello", SECOND))
        self.assertEqual(self.result(self.prompts.languages()), ["en", "pt-br"])
        self.assertEqual(self.listed("pt-br"), [("hello", "", True, 1.0)])

    def test_by_hand(self) -> None:
        """
        A file that was put there by hand is a prompt as well; deleting it deletes each of its kinds.
        """
        folder = self.data / "prompts" / "en"
        folder.mkdir(parents=True)
        (folder / "hello.wav").write_bytes(SECOND)
        (folder / "Odd Name.wav").write_bytes(SECOND)
        self.assertEqual([name for name, *_ in self.listed()], ["bye", "hello"])
        self.assertEqual(self.listed()[1][2:], (True, 1.0))
        self.result(self.prompts.record("en", "hello", TWO_SECONDS))
        self.assertEqual(self.listed()[1][3], 2.0)
        self.assertTrue(self.result(self.prompts.delete("en", "hello")))
        self.assertEqual(self.listed()[1][2], False)

    def test_names(self) -> None:
        """
        No name leads out of the folder.
        """
        for language, name in (("en", "../hello"), ("..", "hello"), ("en", ""), ("en/x", "hello"), ("en", "a" * 65)):
            self.assertIsNone(self.result(self.prompts.find(language, name)))
            self.assertFalse(self.result(self.prompts.delete(language, name)))
            self.failure(self.prompts.record(language, name, SECOND), ValueError)
        self.assertFalse(self.data.exists())

    def test_refused(self) -> None:
        """
        What is no sound, or one prompt too many, leaves everything as it is.
        """
        self.patch(prompts, "MOST", 1)
        self.result(self.prompts.record("en", "hello", SECOND))
        self.failure(self.prompts.record("en", "hello", b"junk"), UnusableSoundError)
        self.assertIn("1 prompts", self.failure(self.prompts.record("en", "other", SECOND), NotKeptError))
        self.assertEqual(self.listed()[1], ("hello", "Hello.", True, 1.0))
        self.result(self.prompts.record("en", "hello", TWO_SECONDS))

    def test_played(self) -> None:
        """
        The library of sounds finds the operator's prompt first, then that of the program.
        """
        self.result(self.prompts.record("en", "hello", TWO_SECONDS))

        class Pool:
            """
            A thread pool that works at once.
            """

            def callInThreadWithCallback(self, done: Any, work: Any, *arguments: Any, **named: Any) -> None:  # noqa: N802
                """
                Do it.
                """
                done(True, work(*arguments, **named))

        class Reactor:
            """
            A reactor without time.
            """

            def getThreadPool(self) -> Pool:  # noqa: N802
                """
                The pool.
                """
                return Pool()

            def callFromThread(self, work: Any, *arguments: Any) -> None:  # noqa: N802
                """
                Do it.
                """
                work(*arguments)

            def seconds(self) -> float:
                """
                No time.
                """
                return 0.0

        sounds = Sounds(Reactor(), self.prompts.folders)
        for name, seconds in (("hello", 2.0), ("bye", 0.5)):
            self.assertApproximates(self.result(sounds.load(name)).seconds, seconds, 0.01)


class MusicTests(ShippedCase):
    """
    Classes of music.
    """

    def listed(self) -> dict[str, list[tuple[str, bool]]]:
        """
        The names and owners of the pieces of all classes.
        """
        found = self.result(self.music.all())
        return {group: [(piece.name, piece.own) for piece in pieces] for group, pieces in found.items()}

    def names(self, group: str) -> list[str]:
        """
        What is played for a class.
        """
        return [f"{path.parent.name}/{path.name}" for path in self.result(self.music.files(group))]

    def test_shipped(self) -> None:
        """
        At first every class plays the piece that came with the program.
        """
        self.assertEqual(self.listed(), {"default": [("default", False)]})
        for group in ("default", "sales", "../..", ""):
            self.assertEqual(self.names(group), ["music/default.flac"])

    def test_own(self) -> None:
        """
        A class plays its pieces by name; the operator's default class replaces what came with the program.
        """
        for group, name in (("sales", "waltz"), ("sales", "march"), ("default", "song")):
            piece = self.result(self.music.add(group, name, TWO_SECONDS))
            self.assertEqual((piece.recording.seconds, piece.own), (2.0, True))
            self.assertEqual(self.result(self.music.content(piece)), piece.recording.path.read_bytes())
        self.assertEqual(self.names("sales"), ["sales/march.flac", "sales/waltz.flac"])
        self.assertEqual(self.names("other"), ["default/song.flac"])
        self.assertEqual(
            self.listed(), {"default": [("song", True)], "sales": [("march", True), ("waltz", True)]}
        )

    def test_delete(self) -> None:
        """
        With its last piece a class ends; the program's piece stays and comes back.
        """
        for group in ("sales", "default"):
            self.result(self.music.add(group, "song", SECOND))
            self.assertTrue(self.result(self.music.delete(group, "song")))
            self.assertFalse(self.result(self.music.delete(group, "song")))
        self.assertFalse(self.result(self.music.delete("default", "default")))
        self.assertEqual(self.listed(), {"default": [("default", False)]})
        self.assertEqual(self.names("sales"), ["music/default.flac"])

    def test_folder_by_hand(self) -> None:
        """
        A folder of files is a class, whatever its files are called; one of them can be deleted.
        """
        folder = self.data / "music" / "jazz"
        folder.mkdir(parents=True)
        (folder / "Take Five (live).ogg").write_bytes(TWO_SECONDS)
        (folder / "cover.jpg").touch()
        self.assertEqual(self.listed()["jazz"], [("Take Five (live)", True)])
        self.assertEqual(self.names("jazz"), ["jazz/Take Five (live).ogg"])
        self.assertTrue(self.result(self.music.delete("jazz", "Take Five (live)")))
        self.assertEqual(self.listed()["jazz"], [])
        self.assertTrue((folder / "cover.jpg").exists())

    def test_refused(self) -> None:
        """
        Names that lead elsewhere, what is no sound, and too many of them are refused.
        """
        for group, name in (("..", "a"), ("a", "../b"), ("", "a"), ("a", ".b")):
            self.failure(self.music.add(group, name, SECOND), ValueError)
            self.assertIsNone(self.result(self.music.find(group, name)))
            self.assertFalse(self.result(self.music.delete(group, name)))
        self.failure(self.music.add("a", "b", b"junk"), UnusableSoundError)
        self.assertFalse(self.data.exists())
        self.patch(music, "MOST", 2)
        for name in ("a", "b", "a"):
            self.result(self.music.add("x", name, SECOND))
        self.assertIn("2 pieces", self.failure(self.music.add("x", "c", SECOND), NotKeptError))
        self.assertIn("2 classes", self.failure(self.music.add("y", "a", SECOND), NotKeptError))
