"""
Tests for recording with :mod:`pbx.media.terminal` and :mod:`pbx.media.take`, on the network in memory.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from twisted.internet.defer import CancelledError, Deferred

from pbx.audio.g711 import decode_mulaw, encode_mulaw
from pbx.media import terminal
from pbx.media.recorder import Recorder
from pbx.media.terminal import Recording
from tests.media.test_recorder import FullDisk
from tests.media.test_sounds import chirp, likeness
from tests.media.test_terminal import TerminalCase


class RecordTests(TerminalCase):
    """
    What the caller says.
    """

    def record(self, **more: Any) -> Deferred[Recording]:
        recording = self.start(self.terminal.record(self.path, **{"longest": 60.0, **more}))
        self.advance(0.32)
        return recording

    def samples(self) -> np.ndarray:
        samples, rate = soundfile.read(self.path, dtype="int16")
        self.assertEqual(rate, 8000)
        return samples

    def test_key(self) -> None:
        """
        After a beep all is recorded until a key; the file holds what was said, undistorted.
        """
        recording = self.record()
        beep = decode_mulaw(self.heard())
        self.assertGreater(np.abs(np.fft.rfft(beep, 8000)).argmax(), 990)
        self.assertLess(np.abs(np.fft.rfft(beep, 8000)).argmax(), 1010)
        said = chirp(2.0, 8000, 400, 2000)
        self.speak(said)
        self.press("#")
        self.advance(0.1)
        done = self.successResultOf(recording)
        self.assertEqual((done.ended_by, done.key, self.terminal.recording), ("key", "#", done))
        samples = self.samples()
        self.assertEqual(len(samples), round(done.seconds * 8000))
        self.assertLess(abs(done.seconds - 2.0), 0.35)
        spoken = decode_mulaw(encode_mulaw(said))
        for start in range(0, 13_000, 1000):
            # Piece by piece, for a jitter buffer may leave out a period.
            self.assertGreater(likeness(samples, spoken[start : start + 1000]), 0.95, start)

    def test_other_keys(self) -> None:
        """
        Other keys, and those pressed before the beep, do not end it, and are not kept.
        """
        self.press("#")
        recording = self.record(beep=False)
        self.press("5")
        self.hush(1)
        self.assertNoResult(recording)
        self.press("#")
        self.advance(0)
        self.assertEqual(self.successResultOf(recording).key, "#")
        digit = self.start(self.terminal.digit(1))
        self.advance(1)
        self.assertEqual(self.successResultOf(digit), "")

    def test_silence(self) -> None:
        """
        Silence ends it, a pause in between does not; the silence at the end is cut off.
        """
        recording = self.record(silence=3.0)
        self.speak(chirp(1.0, 8000))
        self.hush(2.5)
        self.speak(chirp(1.0, 8000))
        self.hush(2.5)
        self.assertNoResult(recording)
        self.hush(1.0)
        done = self.successResultOf(recording)
        self.assertEqual((done.ended_by, done.key), ("silence", ""))
        self.assertGreater(done.seconds, 4.4)
        self.assertLess(done.seconds, 5.2)
        self.assertEqual(len(self.samples()), round(done.seconds * 8000))

    def test_background_noise(self) -> None:
        """
        The hum of a room is silence too.
        """
        recording = self.record(silence=3.0)
        noise = np.random.default_rng(1).normal(0, 80, 8000 * 5).astype(np.int16)
        self.speak(noise[: 8000 * 2])
        self.speak(chirp(1.0, 8000))
        self.speak(noise)
        done = self.successResultOf(recording)
        self.assertEqual(done.ended_by, "silence")
        self.assertLess(abs(done.seconds - 3.4), 0.6)

    def test_nothing_said(self) -> None:
        """
        When nobody speaks nothing is kept.
        """
        recording = self.record(silence=2.0)
        self.advance(2.5)
        self.assertEqual(self.successResultOf(recording), Recording(0.0, "silence"))
        self.assertEqual(len(self.samples()), 0)

    def test_longest(self) -> None:
        """
        It ends when it is as long as it may be.
        """
        recording = self.record(longest=2.0, beep=False)
        self.speak(chirp(3.0, 8000))
        done = self.successResultOf(recording)
        self.assertEqual(done.ended_by, "length")
        self.assertLess(abs(done.seconds - 2.0), 0.05)

    def test_hang_up(self) -> None:
        """
        When the caller hangs up, the file is closed with what was said, and it is known how long that is.
        """
        recording = self.record()
        self.speak(chirp(1.5, 8000))
        recording.cancel()
        self.advance(0)
        self.failureResultOf(recording, CancelledError)
        done = self.terminal.recording
        assert done is not None
        self.assertEqual((done.ended_by, len(self.samples())), ("hangup", round(done.seconds * 8000)))
        self.assertLess(abs(done.seconds - 1.5), 0.3)
        self.assertEqual(len(self.session.pacer), 0)

    def test_closed(self) -> None:
        """
        When the terminal is closed the recording ends by hang-up.
        """
        recording = self.record()
        self.speak(chirp(1.0, 8000))
        self.terminal.close()
        self.advance(0)
        self.assertEqual(self.successResultOf(recording).ended_by, "hangup")

    def test_cancelled_in_the_beep(self) -> None:
        """
        A caller that hangs up during the beep leaves no file.
        """
        recording = self.start(self.terminal.record(self.path, longest=10))
        self.advance(0.1)
        recording.cancel()
        self.failureResultOf(recording, CancelledError)
        self.assertFalse(self.path.exists())

    def test_disk_full(self) -> None:
        """
        A full disk ends it by an error, with what was written before.
        """

        def full(path: Path) -> FullDisk:
            path.parent.mkdir(parents=True)
            return FullDisk(path, 20_000)

        self.patch(terminal, "Recorder", partial(Recorder, open_file=full))
        recording = self.record()
        self.speak(chirp(3.0, 8000))
        done = self.successResultOf(recording)
        self.assertEqual((done.ended_by, done.key), ("error", ""))
        self.assertGreater(done.seconds, 0.9)
        self.assertEqual(len(self.samples()), round(done.seconds * 8000))

    def test_music_waits(self) -> None:
        """
        Music does not play into a recording.
        """
        self.terminal.hold_music()
        recording = self.record()
        count = len(self.phone.heard)
        self.speak(chirp(1.0, 8000))
        self.assertEqual(len(self.phone.heard), count)
        self.press("#")
        self.advance(0.2)
        self.successResultOf(recording)
        self.assertGreater(len(self.phone.heard), count + 5)
