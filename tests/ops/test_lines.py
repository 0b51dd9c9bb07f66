"""
Tests for :mod:`pbx.ops.lines`.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pbx.ops.lines import AppendedFile, QueuedLines, Stream


class Stalled:
    """
    A target that waits until it is told to go on, then remembers what came.
    """

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked = threading.Event()
        self.written: list[str] = []
        self.failing = False

    def write(self, text: str) -> None:
        """
        Wait, then remember or fail.
        """
        self.asked.set()
        self.go.wait(10)
        if self.failing:
            raise OSError("no space left on device")
        self.written.append(text)

    def close(self) -> None:
        """
        Nothing to close.
        """


class AppendedFileTests(SynchronousTestCase):
    """
    The file at the other end.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute() / "log" / "pbx.log"

    def test_appends(self) -> None:
        """
        What was in the file stays; its folder is made when missing; others may not read it.
        """
        for text in ("one\n", "two\n"):
            target = AppendedFile(self.path)
            target.write(text)
            target.close()
        self.assertEqual(self.path.read_text(), "one\ntwo\n")
        self.assertEqual(self.path.stat().st_mode & 0o007, 0)

    def test_rotated(self) -> None:
        """
        When the file was moved away or removed, the next line begins a new one at the old path.
        """
        target = AppendedFile(self.path)
        self.addCleanup(target.close)
        target.write("one\n")
        self.path.rename(self.path.with_suffix(".1"))
        target.write("two\n")
        self.path.unlink()
        target.write("three\n")
        self.assertEqual((self.path.with_suffix(".1").read_text(), self.path.read_text()), ("one\n", "three\n"))

    def test_not_writable(self) -> None:
        """
        A path that cannot be written is an error at once.
        """
        self.path.mkdir(parents=True)
        self.assertRaises(OSError, AppendedFile, self.path)


class QueuedLinesTests(SynchronousTestCase):
    """
    The queue in front of it.
    """

    def test_order(self) -> None:
        """
        Lines are written in order, those from before the start too, and all of them before the stop returns.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        lines = QueuedLines(Stream(writing))
        lines.add("early\n")
        lines.start()
        for number in range(100):
            lines.add(f"{number}\n")
        lines.stop()
        os.close(writing)
        with os.fdopen(os.dup(reading)) as end:
            self.assertEqual(end.read(), "early\n" + "".join(f"{number}\n" for number in range(100)))

    def test_made_later(self) -> None:
        """
        A line may come as what makes it: that is called when it is written, in its place among the others.
        """
        made: list[str] = []

        def make() -> str:
            made.append("made")
            return "two\n"

        target = Stalled()
        target.go.set()
        lines = QueuedLines(target)
        lines.add("one\n")
        lines.add(make)
        self.assertEqual(made, [])
        lines.stop()
        self.assertEqual("".join(target.written), "one\ntwo\n")

    def test_stalled(self) -> None:
        """
        While the disk stalls nobody waits: lines are queued up to the limit, then counted, and the gap is noted.
        """
        target = Stalled()
        lines = QueuedLines(target, limit=3, pause=0.001)
        lines.start()
        lines.add("first\n")
        target.asked.wait(10)
        for number in range(5):
            lines.add(f"{number}\n")
        self.assertEqual(lines.dropped, 2)
        target.go.set()
        lines.stop()
        self.assertEqual(target.written[0], "first\n")
        written = "".join(target.written[1:])
        self.assertTrue(written.startswith("0\n1\n2\n... 2 lines were dropped here"), written)

    def test_full_disk(self) -> None:
        """
        A write that fails is counted as dropped lines; the next one that works says so, and writing goes on.
        """
        target = Stalled()
        target.go.set()
        target.failing = True
        complaints: list[str] = []
        self.patch(QueuedLines, "_complain", lambda self, error: complaints.append(str(error)))
        lines = QueuedLines(target)
        for text in ("one\n", "two\n"):
            lines.add(text)
            lines._write_queued()
        target.failing = False
        lines.add("three\n")
        lines._write_queued()
        self.assertEqual(len(complaints), 1)
        self.assertEqual(target.written[0].splitlines()[0], "three")
        self.assertIn("2 lines were dropped", target.written[0])

    def test_hanging_disk(self) -> None:
        """
        A target that never returns does not keep the process from stopping.
        """
        target = Stalled()
        lines = QueuedLines(target)
        lines.start()
        lines.add("never\n")
        target.asked.wait(10)
        lines.stop(timeout=0.01)
        target.go.set()
