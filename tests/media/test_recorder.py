"""
Tests for :mod:`pbx.media.recorder`: what is in the file, at every moment.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.media import recorder
from pbx.media.recorder import Recorder, mend
from tests.media.threads import VirtualThreads

TOP = Path(__file__).resolve().parents[2]

KILLED = """
import sys
import numpy as np
from pathlib import Path
from twisted.internet import reactor, task
from pbx.media.recorder import Recorder

recorder = Recorder(reactor, Path(sys.argv[1]), 8000)
said = 0

def say():
    global said
    recorder.write((np.arange(said, said + 160) % 32768).astype(np.int16))
    said += 160
    sys.stdout.write(f"{said}\\n")
    sys.stdout.flush()

task.LoopingCall(say).start(0.02)
reactor.callLater(20, reactor.stop)
reactor.run()
"""


def ramp(frames: int, start: int = 0) -> np.ndarray:
    """
    Samples of which each tells its place.
    """
    return ((np.arange(start, start + frames * 160)) % 32768).astype(np.int16)


class FullDisk:
    """
    A file on a disk that takes only so many bytes.
    """

    def __init__(self, path: Path, room: int) -> None:
        self.file = path.open("wb", buffering=0)
        self.room = room

    def write(self, data: bytes) -> int:
        """
        Write what fits.
        """
        place = self.file.tell()
        fits = min(len(data), self.room - place)
        if fits <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(data[:fits])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


class RecorderTests(SynchronousTestCase):
    """
    A recording from its first sample to its last.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.threads = VirtualThreads(self.clock)
        self.path = Path(self.mktemp()) / "new" / "message.wav"
        self.errors: list[Exception] = []

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def recorder(self, **more: Any) -> Recorder:
        made = Recorder(self.threads, self.path, 8000, on_error=self.errors.append, **more)
        self.clock.advance(0)
        return made

    def closed(self, made: Recorder, seconds: float | None = None) -> float:
        closing = Deferred.fromCoroutine(made.close(seconds))
        for _ in range(4):
            self.clock.advance(0)
        return self.successResultOf(closing)

    def test_all_of_it(self) -> None:
        """
        What was written is in the file, sample by sample, as 16-bit WAV.
        """
        made = self.recorder()
        for frame in range(130):
            made.write(ramp(1, frame * 160))
            self.clock.advance(0.02)
        self.assertEqual((made.seconds, self.closed(made)), (2.6, 2.6))
        samples, rate = soundfile.read(self.path, dtype="int16")
        self.assertEqual(rate, 8000)
        np.testing.assert_array_equal(samples, ramp(130))
        self.assertEqual(self.errors, [])

    def test_readable_meanwhile(self) -> None:
        """
        At every moment the file is a whole one, and lacks half a second at most.
        """
        made = self.recorder()
        for frame in range(200):
            made.write(ramp(1, frame * 160))
            self.clock.advance(0.02)
            found = soundfile.info(self.path)
            self.assertLessEqual((frame + 1) * 0.02 - found.duration, 0.5)
            self.assertEqual(self.path.stat().st_size, 44 + found.frames * 2)
        self.closed(made)

    def test_slow_disk(self) -> None:
        """
        Writing never waits for the disk: what comes meanwhile is written later.
        """
        made = self.recorder()
        self.threads.hold()
        for frame in range(500):
            made.write(ramp(1, frame * 160))
        self.threads.release()
        self.assertEqual(self.closed(made), 10.0)
        np.testing.assert_array_equal(soundfile.read(self.path, dtype="int16")[0], ramp(500))

    def test_disk_that_hangs(self) -> None:
        """
        A disk that takes nothing for twenty seconds ends the recording: the memory does not fill.
        """
        made = self.recorder()
        self.threads.hold()
        for frame in range(2000):
            made.write(ramp(1, frame * 160))
        self.assertEqual([type(error) for error in self.errors], [TimeoutError])
        self.threads.release()
        self.assertEqual(self.closed(made), 0.5)
        self.assertEqual(len(self.flushLoggedErrors()), 0)

    def test_only_the_beginning(self) -> None:
        """
        What is cut off at the end is not in the file.
        """
        made = self.recorder()
        made.write(ramp(100))
        self.assertEqual(self.closed(made, 1.5), 1.5)
        np.testing.assert_array_equal(soundfile.read(self.path, dtype="int16")[0], ramp(75))

    def test_closed_twice(self) -> None:
        """
        Closing again, also while it closes, gives the same length; what is written later is ignored.
        """
        made = self.recorder()
        made.write(ramp(10))
        one, other = Deferred.fromCoroutine(made.close()), Deferred.fromCoroutine(made.close())
        made.write(ramp(10))
        self.clock.advance(0)
        self.assertEqual((self.successResultOf(one), self.successResultOf(other)), (0.2, 0.2))
        self.assertEqual(self.closed(made), 0.2)

    def test_closing_given_up(self) -> None:
        """
        Whoever closes it may be cancelled: the file is closed all the same.
        """
        made = self.recorder()
        made.write(ramp(10))
        closing = Deferred.fromCoroutine(made.close())
        closing.cancel()
        self.failureResultOf(closing)
        self.clock.advance(0)
        self.assertEqual(soundfile.info(self.path).duration, 0.2)
        self.assertEqual(self.closed(made), 0.2)

    def test_nothing(self) -> None:
        """
        A recording of nothing is a file with a header.
        """
        self.assertEqual(self.closed(self.recorder()), 0.0)
        self.assertEqual((soundfile.info(self.path).frames, mend(self.path)), (0, 0.0))

    def test_disk_full(self) -> None:
        """
        When the disk is full it is said once, and what was written stays, a whole file.
        """
        made = self.recorder(open_file=lambda path: (path.parent.mkdir(parents=True), FullDisk(path, 20_000))[1])
        for frame in range(200):
            made.write(ramp(1, frame * 160))
            self.clock.advance(0.02)
        self.assertEqual([error.errno for error in self.errors], [errno.ENOSPC])  # type: ignore[attr-defined]
        self.assertEqual(made.failed, self.errors[0])
        self.assertEqual(self.closed(made), 1.0)
        np.testing.assert_array_equal(soundfile.read(self.path, dtype="int16")[0], ramp(50))
        self.assertEqual(len(self.errors), 1)

    def test_broken_disk(self) -> None:
        """
        A disk that fails again when the file is closed is not said twice; the file counts as long as it was told to be.
        """

        class Broken(FullDisk):
            def truncate(self, size: int) -> int:
                raise OSError(errno.EIO, "Input/output error")

        made = self.recorder(open_file=lambda path: (path.parent.mkdir(parents=True), Broken(path, 20_000))[1])
        for frame in range(200):
            made.write(ramp(1, frame * 160))
            self.clock.advance(0.02)
        self.assertEqual(self.closed(made), 1.0)
        self.assertEqual([error.errno for error in self.errors], [errno.ENOSPC])  # type: ignore[attr-defined]
        self.assertEqual(made.failed, self.errors[0])

    def test_no_place(self) -> None:
        """
        A file that can't even be begun is an error, and closing it is none.
        """
        self.path.parent.parent.mkdir()
        self.path.parent.write_bytes(b"a file where a folder should be")
        made = self.recorder()
        self.assertEqual(len(self.errors), 1)
        made.write(ramp(100))
        self.assertEqual(self.closed(made), 0.0)
        self.assertEqual(len(self.errors), 1)


class MendTests(SynchronousTestCase):
    """
    What a crash left.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def test_header_behind(self) -> None:
        """
        Samples that the header does not tell of yet are won back, but for half a sample.
        """
        self.path.write_bytes(recorder.header(8000, 320) + ramp(5).tobytes() + b"\x01")
        self.assertEqual(mend(self.path), 0.1)
        np.testing.assert_array_equal(soundfile.read(self.path, dtype="int16")[0], ramp(5))
        self.assertEqual(self.path.stat().st_size, 44 + 1600)

    def test_header_ahead(self) -> None:
        """
        A header that promises more than there is, as a power failure may leave it, is made right.
        """
        self.path.write_bytes(recorder.header(16000, 64_000) + ramp(2).tobytes())
        self.assertEqual(mend(self.path), 0.02)
        self.assertEqual(soundfile.info(self.path).frames, 320)

    def test_whole(self) -> None:
        """
        A whole recording stays as it is, to the byte and the time of change.
        """
        self.path.write_bytes(recorder.header(8000, 1600) + ramp(5).tobytes())
        os.utime(self.path, (1, 1))
        self.assertEqual(mend(self.path), 0.1)
        self.assertEqual(self.path.stat().st_mtime, 1)

    def test_empty(self) -> None:
        """
        Killed before its first byte, it holds nothing.
        """
        self.path.write_bytes(b"")
        self.assertEqual(mend(self.path), 0.0)

    def test_not_ours(self) -> None:
        """
        Another file is not touched.
        """
        for content in (b"RIFF", b"x" * 100):
            self.path.write_bytes(content)
            with self.assertRaises(ValueError):
                mend(self.path)
            self.assertEqual(self.path.read_bytes(), content)

    def test_killed(self) -> None:
        """
        A program killed while it records leaves a file that can be read, and lacks its last second at most.
        """
        with subprocess.Popen(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-c", KILLED, str(self.path.absolute())],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(TOP)},
        ) as program:
            assert program.stdout is not None
            said = 0
            for line in program.stdout:
                said = int(line)
                if said >= 8000 * 1.3:
                    break
            program.send_signal(signal.SIGKILL)
            said = max([said, *(int(line) for line in program.stdout if line.endswith("\n"))])
        found = soundfile.info(self.path)
        self.assertGreaterEqual(found.duration, said / 8000 - 1)
        self.assertGreater(found.duration, 0.4)
        seconds = mend(self.path)
        samples = soundfile.read(self.path, dtype="int16")[0]
        self.assertEqual((len(samples) / 8000, seconds >= found.duration), (seconds, True))
        np.testing.assert_array_equal(samples, (np.arange(len(samples)) % 32768).astype(np.int16))
