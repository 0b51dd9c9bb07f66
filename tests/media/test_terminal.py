"""
Tests for :mod:`pbx.media.terminal`: a caller that hears, presses and speaks, on the network in memory.
"""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.g711 import decode_mulaw, encode_mulaw
from pbx.media.music import DEFAULT, Music, MusicClass
from pbx.media.sounds import Sounds
from pbx.media.terminal import Terminal
from pbx.rtp.packet import Packet
from pbx.rtp.telephone_event import TelephoneEvent
from pbx.tasks import Tasks
from tests.media.memory import EVENTS, PCMU, Pair
from tests.media.test_sounds import chirp
from tests.media.threads import VirtualThreads

PROMPT = chirp(1.0, 8000)
OTHER = chirp(0.5, 8000, 3000, 1000)
MUSIC = chirp(3.0, 8000, 500, 700)


class TerminalCase(SynchronousTestCase):
    """
    Alice has called the exchange itself.
    """

    def setUp(self) -> None:
        self.pair = Pair()
        self.pair.configure(PCMU, EVENTS)
        self.clock = self.pair.network.clock
        self.phone, self.session = self.pair.alice, self.pair.a
        self.folder = Path(self.mktemp())
        (self.folder / "en").mkdir(parents=True)
        for name, samples in (("hello", PROMPT), ("other", OTHER), ("music", MUSIC)):
            soundfile.write(self.folder / "en" / f"{name}.wav", samples, 8000)
        self.threads = VirtualThreads(self.clock)
        self.tasks = Tasks()
        self.sounds = Sounds(self.threads, [self.folder])
        self.music = Music(
            self.sounds, self.session.pacer, self.tasks, [MusicClass(DEFAULT, (self.folder / "en/music.wav",))]
        )
        self.terminal = Terminal(self.session, self.sounds, clock=self.clock, music=self.music)
        self.path = self.folder / "messages/1.wav"
        self.advance(0)

    def tearDown(self) -> None:
        self.terminal.close()
        self.advance(0)
        self.assertEqual(len(self.session.pacer), 0)
        self.assertEqual(self.pair.over(), [])

    def advance(self, seconds: float) -> None:
        self.pair.network.advance(seconds)

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        return Deferred.fromCoroutine(coroutine)

    def press(self, key: str, milliseconds: int = 100) -> None:
        """
        Press a key, and hold it for a while.
        """
        start = self.phone.timestamp
        steps = milliseconds // 20
        for step in range(1, steps + 3):
            event = TelephoneEvent.of_digit(key, min(step, steps) * 160, end=step >= steps)
            packet = Packet(101, self.phone.sequence, start, self.phone.ssrc, event.to_bytes(), step == 1)
            self.phone.rtp.sendto(packet.to_bytes(), self.pair.to_a)
            self.phone.sequence += 1
            if step < steps:
                self.advance(0.02)
                self.phone.timestamp += 160
        self.advance(0.001)
        self.phone.timestamp += 160

    def speak(self, samples: np.ndarray) -> None:
        """
        Say something, as long as it lasts.
        """
        for start in range(0, len(samples) // 160 * 160, 160):
            self.phone.say(self.pair.to_a, encode_mulaw(samples[start : start + 160]))
            self.advance(0.02)

    def hush(self, seconds: float) -> None:
        """
        Say nothing, in packets.
        """
        self.speak(np.zeros(round(seconds * 8000), np.int16))

    def heard(self, start: int = 0) -> bytes:
        return b"".join(packet.payload for packet in self.phone.heard[start:])


class PlayTests(TerminalCase):
    """
    What the caller hears, and the keys that end it.
    """

    def test_to_its_end(self) -> None:
        """
        Prompts are heard one after the other to the bit, and nothing is told to have been pressed.
        """
        playing = self.start(self.terminal.play(["hello", "missing", "other"], stop="#"))
        self.advance(1.4)
        self.assertNoResult(playing)
        self.advance(0.2)
        self.assertEqual(self.successResultOf(playing), "")
        self.assertEqual(self.heard(), encode_mulaw(np.concatenate([PROMPT, OTHER])))
        self.assertEqual(len(self.flushLoggedErrors()), 0)

    def test_barge_in(self) -> None:
        """
        A key stops the prompt within a frame; another key does not, and is kept.
        """
        playing = self.start(self.terminal.play(["hello"], stop="12"))
        self.advance(0.1)
        self.press("5")
        self.assertNoResult(playing)
        self.press("2")
        self.assertEqual(self.successResultOf(playing), "2")
        count = len(self.phone.heard)
        self.advance(1)
        self.assertLessEqual(len(self.phone.heard), count + 1)

    def test_kept(self) -> None:
        """
        A key that did not stop the prompt is there for who asks after it.
        """
        playing = self.start(self.terminal.play(["other"], stop="1"))
        self.advance(0.1)
        self.press("5")
        self.advance(0.5)
        self.assertEqual(self.successResultOf(playing), "")
        self.assertEqual(self.successResultOf(self.start(self.terminal.digit(5))), "5")

    def test_type_ahead(self) -> None:
        """
        Who knows the way types ahead: prompts that can be stopped are not heard at all, and each key counts once.
        """
        for key in "123":
            self.press(key)
        self.assertEqual(self.successResultOf(self.start(self.terminal.play(["hello"], stop="1"))), "1")
        self.assertEqual(self.successResultOf(self.start(self.terminal.digits(2))), "23")
        self.assertEqual(self.phone.heard, [])
        playing = self.start(self.terminal.play(["hello"], stop="123"))
        self.advance(0.5)
        self.assertNoResult(playing)
        self.press("3")
        self.assertEqual(self.successResultOf(playing), "3")

    def test_stop_while_loading(self) -> None:
        """
        A key pressed while the disk is slow counts when the prompt is there.
        """
        self.threads.hold()
        playing = self.start(self.terminal.play(["hello"], stop="1"))
        self.press("1")
        self.threads.release()
        self.assertEqual((self.successResultOf(playing), self.phone.heard), ("1", []))

    def test_cancelled(self) -> None:
        """
        Cancelled at any time, also while the disk is slow, it plays no more and is ready for the next thing.
        """
        self.threads.hold()
        loading = self.start(self.terminal.play(["hello"]))
        loading.cancel()
        self.failureResultOf(loading, CancelledError)
        self.threads.release()
        playing = self.start(self.terminal.play(["hello"], stop="1"))
        self.advance(0.5)
        playing.cancel()
        self.failureResultOf(playing, CancelledError)
        self.assertEqual(len(self.session.pacer), 0)
        digit = self.start(self.terminal.digit(5))
        digit.cancel()
        self.failureResultOf(digit, CancelledError)
        nothing = self.start(self.terminal.play([]))
        self.advance(0.02)
        self.assertEqual(self.successResultOf(nothing), "")

    def test_closed(self) -> None:
        """
        When the terminal is closed, whoever waits is cancelled, and whatever comes later too.
        """
        for waiting in (lambda: self.terminal.play(["hello"]), lambda: self.terminal.digit(5)):
            deferred = self.start(waiting())
            self.advance(0.1)
            self.terminal.close()
            self.failureResultOf(deferred, CancelledError)
            self.failureResultOf(self.start(self.terminal.play(["hello"])), CancelledError)
            self.failureResultOf(self.start(self.terminal.digits(3)), CancelledError)
            self.failureResultOf(self.start(self.terminal.record(self.path, longest=5)), CancelledError)
            self.terminal.hold_music()
            self.terminal.key("1")
            self.assertEqual((len(self.session.pacer), self.session.listener), (0, None))
            self.terminal = Terminal(self.session, self.sounds, clock=self.clock, music=self.music)
        self.assertFalse(self.path.exists())

    def test_one_at_a_time(self) -> None:
        """
        Two prompts at once are a mistake of ours.
        """
        playing = self.start(self.terminal.play(["hello"]))
        self.failureResultOf(self.start(self.terminal.digit(1)), ValueError)
        playing.cancel()
        self.failureResultOf(playing)

    def test_language(self) -> None:
        """
        Prompts are in the caller's language.
        """
        (self.folder / "de").mkdir()
        soundfile.write(self.folder / "de/hello.wav", OTHER, 8000)
        self.terminal.language = "de"
        self.start(self.terminal.play(["hello", "other"]))
        self.advance(1.1)
        self.assertEqual(self.heard(), encode_mulaw(np.concatenate([OTHER, OTHER])))

    def test_controlled(self) -> None:
        """
        Back, forward, pause and stop, as in a message.
        """
        playing = self.start(
            self.terminal.play_controlled("hello", stop="#", back="4", forward="6", pause="5", step=0.4)
        )
        self.advance(0.199)
        self.terminal.key("6")
        self.advance(0.02)
        self.assertEqual(self.phone.heard[-1].payload, encode_mulaw(PROMPT[4800:4960]))
        self.terminal.key("4")
        self.advance(0.02)
        self.assertEqual(self.phone.heard[-1].payload, encode_mulaw(PROMPT[1760:1920]))
        self.terminal.key("5")
        count = len(self.phone.heard)
        self.advance(5)
        self.assertEqual(len(self.phone.heard), count)
        self.terminal.key("5")
        self.advance(0.02)
        self.assertEqual(self.phone.heard[-1].payload, encode_mulaw(PROMPT[1920:2080]))
        self.terminal.key("5")
        self.terminal.key("4")
        self.advance(0.02)
        self.assertEqual(self.phone.heard[-1].payload, encode_mulaw(PROMPT[0:160]))
        self.assertNoResult(playing)
        self.terminal.key("#")
        self.assertEqual(self.successResultOf(playing), "#")

    def test_forward_over_the_end(self) -> None:
        """
        Forward beyond the end is the end.
        """
        playing = self.start(self.terminal.play_controlled("hello", stop="#", back="4", forward="6", pause="5"))
        self.advance(0.1)
        self.terminal.key("6")
        self.advance(0.02)
        self.assertEqual(self.successResultOf(playing), "")


class DigitTests(TerminalCase):
    """
    What the caller presses.
    """

    def test_timeout(self) -> None:
        """
        When no key comes in time there is none.
        """
        digit = self.start(self.terminal.digit(3))
        self.advance(2.9)
        self.assertNoResult(digit)
        self.advance(0.2)
        self.assertEqual(self.successResultOf(digit), "")

    def test_number(self) -> None:
        """
        A number ends when it is complete, by its last key, or when no further key comes.
        """
        digits = self.start(self.terminal.digits(4))
        for key in "1001":
            self.press(key)
            self.advance(1)
        self.assertEqual(self.successResultOf(digits), "1001")
        digits = self.start(self.terminal.digits(8))
        for key in "42#":
            self.press(key)
        self.assertEqual(self.successResultOf(digits), "42")
        digits = self.start(self.terminal.digits(8, timeout=10))
        self.advance(9)
        self.press("7")
        self.advance(2.8)
        self.assertNoResult(digits)
        self.advance(0.3)
        self.assertEqual(self.successResultOf(digits), "7")
        digits = self.start(self.terminal.digits(8))
        self.advance(5.1)
        self.assertEqual(self.successResultOf(digits), "")

    def test_told_twice(self) -> None:
        """
        A phone that tells each key by SIP INFO and in its stream has pressed it once; a key pressed twice counts twice.
        """
        for _ in range(2):
            self.press("1")
            self.terminal.key("1")
            self.advance(0.1)
        self.terminal.key("2")
        self.assertEqual(self.successResultOf(self.start(self.terminal.digits(3))), "112")
        self.terminal.key("3")
        self.advance(1)
        self.press("3")
        self.assertEqual(self.successResultOf(self.start(self.terminal.digits(2))), "33")

    def test_forgotten(self) -> None:
        """
        What was typed ahead can be forgotten, where a question must not be answered before it was heard.
        """
        self.press("1")
        self.terminal.forget_keys()
        digit = self.start(self.terminal.digit(1))
        self.advance(1)
        self.assertEqual(self.successResultOf(digit), "")

    def test_in_band(self) -> None:
        """
        A phone without telephone-event is understood by its tones, in a prompt and after it.
        """
        self.session.configure(self.phone.audio(PCMU), [PCMU], [PCMU])
        time = np.arange(800) / 8000
        seven = (6000 * (np.sin(2 * np.pi * 852 * time) + np.sin(2 * np.pi * 1209 * time))).astype(np.int16)
        playing = self.start(self.terminal.play(["hello"], stop="7"))
        self.hush(0.2)
        self.speak(seven)
        self.hush(0.3)
        self.assertEqual(self.successResultOf(playing), "7")
        digit = self.start(self.terminal.digit(5))
        self.speak(seven)
        self.hush(0.3)
        self.assertEqual(self.successResultOf(digit), "7")


class MusicTests(TerminalCase):
    """
    What the caller hears while it waits.
    """

    def test_between_prompts(self) -> None:
        """
        Music goes on until it is quiet again; a prompt is heard in its place.
        """
        self.terminal.hold_music()
        self.advance(0.5)
        self.assertTrue(encode_mulaw(MUSIC).startswith(self.heard()))
        self.assertGreater(len(self.phone.heard), 20)
        count = len(self.phone.heard)
        self.start(self.terminal.play(["other"]))
        self.advance(0.48)
        self.assertIn(self.heard(count + 1), encode_mulaw(OTHER))
        self.assertGreater(len(self.phone.heard), count + 20)
        self.advance(0.5)
        self.assertIn(self.heard(len(self.phone.heard) - 5), encode_mulaw(MUSIC))
        self.terminal.quiet()
        count = len(self.phone.heard)
        self.advance(1)
        self.assertEqual(len(self.phone.heard), count)

    def test_tone(self) -> None:
        """
        A tone is repeated, also while a key is waited for.
        """
        digit = self.start(self.terminal.digit(30))
        self.terminal.hold_music("tone:busy")
        self.advance(3)
        sound = decode_mulaw(self.heard())
        self.assertGreater(len(sound), 2.9 * 8000)
        loud = np.abs(sound[: 8000 * 2].reshape(-1, 4000).astype(int)).max(axis=1) > 1000
        self.assertEqual(loud.tolist(), [True, False, True, False])
        self.terminal.hold_music("tone:beep")
        self.terminal.close()
        self.failureResultOf(digit, CancelledError)

    def test_without_music(self) -> None:
        """
        Without any music there is comfort noise: the line must not seem dead.
        """
        self.music.remove(DEFAULT)
        self.terminal.hold_music()
        self.advance(1)
        self.assertGreater(len(self.phone.heard), 45)
        self.assertLess(int(np.abs(decode_mulaw(self.heard()).astype(int)).max()), 300)
