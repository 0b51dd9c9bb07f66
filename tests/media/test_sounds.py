"""
Tests for :mod:`pbx.media.sounds`, :mod:`pbx.media.sound` and :mod:`pbx.media.decoding`: from a name to frames.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.g711 import decode_alaw, encode_mulaw
from pbx.media.decoding import SoundUnreadableError, decode
from pbx.media.sound import Sound
from pbx.media.sounds import Sounds
from pbx.sdp.audio import Format
from tests.media.threads import VirtualThreads

PCMU, PCMA, G729 = Format(0, "PCMU"), Format(8, "PCMA"), Format(18, "G729")


def chirp(seconds: float, rate: int, start: float = 300, end: float = 3000) -> np.ndarray:
    """
    A sound that is like itself at one place only.
    """
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * (start * time + (end - start) * time**2 / (2 * seconds))
    return np.rint(12_000 * np.sin(phase)).astype(np.int16)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """
    How alike two pieces of sound are at their best place, 1 for the same but for loudness.
    """
    longer, shorter = sorted([one.astype(float), other.astype(float)], key=len, reverse=True)
    size = 1 << (len(longer) + len(shorter)).bit_length()
    spectrum = np.fft.rfft(longer, size) * np.conj(np.fft.rfft(shorter, size))
    found = np.fft.irfft(spectrum)[: len(longer) - len(shorter) + 1]
    power = np.convolve(longer**2, np.ones(len(shorter)), "valid") * (shorter**2).sum()
    return float((found / np.sqrt(np.maximum(power, 1))).max())


class LibraryCase(SynchronousTestCase):
    """
    A library in virtual time over a folder of its own.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.threads = VirtualThreads(self.clock)
        self.top = Path(self.mktemp())
        self.own, self.shipped = self.top / "own", self.top / "shipped"
        for folder in (self.own, self.shipped):
            (folder / "en").mkdir(parents=True)
        self.sounds = Sounds(self.threads, [self.own, self.shipped])
        self.logged: list[str] = []

        def observe(event: LogEvent) -> None:
            if event["log_namespace"] == "pbx.media.sounds.Sounds":
                self.logged.append(event["log_format"].format(**event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def write(self, path: Path, samples: np.ndarray, rate: int = 8000, **more: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate, **more)
        return path

    def load(self, name: str | Path | Sound, language: str = "en") -> Sound:
        loading = Deferred.fromCoroutine(self.sounds.load(name, language))
        self.clock.advance(0)
        return self.successResultOf(loading)


class SoundsTests(LibraryCase):
    """
    What a name stands for.
    """

    def test_exact(self) -> None:
        """
        A file at 8,000 samples a second is heard in G.711 exactly as it is, also where its last frame is cut.
        """
        samples = chirp(1.01, 8000)
        self.write(self.shipped / "en/hello.wav", samples)
        sound = self.load("hello")
        frames = sound.frames(PCMU)
        self.assertEqual((sound.seconds, len(frames), {len(frame) for frame in frames}), (1.01, 51, {160}))
        padded = np.concatenate([samples, np.zeros(80, np.int16)])
        self.assertEqual(b"".join(frames), encode_mulaw(padded))

    def test_every_format(self) -> None:
        """
        Whatever the rate, the channels and the kind of file, it sounds the same, and takes as long.
        """
        for name, rate, channels in (
            ("a.wav", 44100, 2), ("b.flac", 16000, 1), ("c.ogg", 48000, 2), ("d.mp3", 22050, 1), ("e.aiff", 11025, 2),
        ):
            samples = chirp(1.0, rate)
            self.write(self.shipped / "en" / name, np.stack([samples] * channels, 1), rate)
            sound = self.load(name[0])
            self.assertLess(abs(sound.seconds - 1.0), 0.06, name)
            self.assertGreater(likeness(sound.pcm, chirp(1.0, 16000)[1600:-1600]), 0.98, name)
            heard = decode_alaw(b"".join(sound.frames(PCMA)))
            self.assertGreater(likeness(heard, chirp(1.0, 8000)[800:-800]), 0.98, name)

    def test_encoded_once(self) -> None:
        """
        A frame is encoded when it is heard first, and then is the same for everybody.
        """
        self.write(self.shipped / "en/hello.wav", chirp(1.0, 8000))
        frames = self.load("hello").frames(PCMU)
        self.assertIs(self.load("hello").frames(Format(0, "pcmu")), frames)
        encoding = self.load("hello").encoding(PCMU)
        self.assertEqual(encoding.encoded.count(None), 50)
        self.assertIs(frames[10], frames[10])
        self.assertEqual(encoding.encoded.count(None), 49)

    def test_unknown_codec(self) -> None:
        """
        In a codec that we don't know there are no frames.
        """
        self.write(self.shipped / "en/hello.wav", chirp(0.1, 8000))
        self.assertEqual(len(self.load("hello").frames(G729)), 0)

    def test_own_prompt_first(self) -> None:
        """
        What the operator uploaded stands before what was shipped, and is heard soon, without a restart.
        """
        self.write(self.shipped / "en/hello.wav", chirp(1.0, 8000))
        self.assertEqual(self.load("hello").seconds, 1.0)
        self.write(self.own / "en/hello.flac", chirp(0.5, 8000))
        self.clock.advance(4.9)
        self.assertEqual(self.load("hello").seconds, 1.0)
        self.clock.advance(0.2)
        self.assertEqual(self.load("hello").seconds, 0.5)

    def test_not_read_again(self) -> None:
        """
        A file that has not changed is read once; for five seconds it is not even looked at.
        """
        path = self.write(self.shipped / "en/hello.wav", chirp(1.0, 8000))
        sound = self.load("hello")
        self.clock.advance(1)
        self.load("hello")
        self.assertEqual(self.threads.done, 1)
        self.clock.advance(10)
        self.assertIs(self.load("hello"), sound)
        self.assertEqual(self.threads.done, 2)
        os.utime(path, (1, 1))
        self.clock.advance(10)
        self.assertIsNot(self.load("hello"), sound)

    def test_recorded_anew(self) -> None:
        """
        A file given by its path is looked at each time: a greeting that was recorded again is heard at once.
        """
        path = self.write(self.top / "greeting.wav", chirp(1.0, 8000))
        self.assertEqual(self.load(path).seconds, 1.0)
        self.write(path, chirp(0.4, 8000))
        self.assertEqual(self.load(path).seconds, 0.4)

    def test_languages(self) -> None:
        """
        What Austrian lacks is German, and what German lacks is English.
        """
        self.write(self.shipped / "en/one.wav", chirp(0.1, 8000))
        self.write(self.shipped / "en/two.wav", chirp(0.1, 8000))
        self.write(self.shipped / "de/two.wav", chirp(0.2, 8000))
        self.assertEqual(self.load("two", "de-at").seconds, 0.2)
        self.assertEqual(self.load("one", "de-at").seconds, 0.1)
        self.assertEqual(self.logged, [])

    def test_missing(self) -> None:
        """
        A prompt that is missing is silence, and logged once; when it comes it is heard.
        """
        for _ in range(3):
            self.assertEqual((self.load("hello").seconds, len(self.load("hello").frames(PCMU))), (0.0, 0))
            self.clock.advance(10)
        self.assertEqual(len(self.logged), 1)
        self.assertIn("sound 'hello' is silence: there is no file", self.logged[0])
        self.write(self.own / "en/hello.wav", chirp(0.1, 8000))
        self.assertEqual(self.load("hello").seconds, 0.1)

    def test_no_sound(self) -> None:
        """
        A file that is no sound is silence too, and the log says which.
        """
        (self.own / "en/hello.wav").write_bytes(b"no sound at all")
        self.assertEqual(self.load("hello").seconds, 0.0)
        self.assertEqual(len(self.logged), 1)
        self.assertIn("hello.wav", self.logged[0])

    def test_names_stay_inside(self) -> None:
        """
        No name and no language leads out of the folders.
        """
        self.write(self.top / "secret.wav", chirp(1.0, 8000))
        for name, language in (("../../secret", "en"), ("secret", "../.."), ("/etc/passwd", "en"), ("a\0", "en")):
            self.assertEqual(self.load(name, language).seconds, 0.0)

    def test_asked_together(self) -> None:
        """
        Many callers that want the same sound at once have it read once; one that leaves meanwhile changes nothing.
        """
        self.write(self.shipped / "en/hello.wav", chirp(1.0, 8000))
        waiting = [Deferred.fromCoroutine(self.sounds.load("hello")) for _ in range(100)]
        waiting[0].cancel()
        waiting[50].cancel()
        self.clock.advance(0)
        self.failureResultOf(waiting.pop(50))
        self.failureResultOf(waiting.pop(0))
        self.assertEqual(len({id(self.successResultOf(one)) for one in waiting}), 1)
        self.assertEqual(self.threads.done, 1)

    def test_limit(self) -> None:
        """
        Only so much is kept: what was not played for longest goes first.
        """
        self.sounds = Sounds(self.threads, [self.shipped], limit=250_000)
        for name in "abc":
            self.write(self.shipped / f"en/{name}.wav", chirp(2.0, 8000))
        first = self.load("a")
        self.load("b")
        self.assertIs(self.load("a"), first)
        self.load("c")
        self.assertLessEqual(self.sounds.size, 250_000)
        self.clock.advance(10)
        self.assertIs(self.load("a"), first)
        self.assertEqual(self.threads.done, 4)
        self.load("b")
        self.assertEqual(self.threads.done, 5)

    def test_tones(self) -> None:
        """
        A tone is a sound like others, of the country of the exchange or of another.
        """
        self.assertEqual(self.load("tone:busy").seconds, 1.0)
        self.assertEqual(self.load("tone:uk/ringback").seconds, 3.0)
        self.assertIs(self.load("tone:busy"), self.load("tone:busy"))
        self.assertEqual(Sounds(self.threads, [], country="de").country, "de")
        self.assertEqual(self.threads.done, 0)

    def test_no_such_tone(self) -> None:
        """
        A tone that does not exist is silence, and logged once.
        """
        self.assertEqual([self.load("tone:hello").seconds for _ in range(3)], [0.0] * 3)
        self.assertEqual(len(self.logged), 1)
        self.assertIn("no tone 'hello'", self.logged[0])

    def test_a_sound_is_itself(self) -> None:
        """
        A sound that is there already is taken as it is.
        """
        sound = self.load("tone:beep")
        self.assertIs(self.load(sound), sound)

    def test_decoding_errors(self) -> None:
        """
        A file that can't be read is one error, whatever is wrong with it.
        """
        empty = self.top / "empty.wav"
        empty.write_bytes(b"")
        for path in (empty, self.top / "nothing.wav", self.top):
            with self.assertRaises(SoundUnreadableError):
                decode(path)
