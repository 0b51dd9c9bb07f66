"""
Tests for :mod:`pbx.ops.lock`.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pbx.ops.lock import AlreadyRunningError, Lock


class LockTests(SynchronousTestCase):
    """
    Two exchanges and one data directory.
    """

    def setUp(self) -> None:
        self.data = Path(self.mktemp()).absolute()

    def test_second_is_refused(self) -> None:
        """
        The second one is told which process has the directory, and what to do.
        """
        first = Lock(self.data)
        first.acquire()
        self.addCleanup(first.release)
        error = str(self.assertRaises(AlreadyRunningError, Lock(self.data).acquire))
        self.assertIn(f"process {os.getpid()}", error)
        self.assertIn(str(self.data), error)
        self.assertIn("--data", error)

    def test_released(self) -> None:
        """
        After the first has ended the second may start, and releasing twice does no harm.
        """
        first, second = Lock(self.data), Lock(self.data)
        first.acquire()
        first.release()
        first.release()
        second.acquire()
        second.release()

    def test_stale_file(self) -> None:
        """
        A file left behind by a process that is gone is no lock.
        """
        self.data.mkdir()
        (self.data / "pbx.lock").write_text("99999999 left behind by a longer number\n")
        lock = Lock(self.data)
        lock.acquire()
        self.addCleanup(lock.release)
        self.assertEqual((self.data / "pbx.lock").read_text(), f"{os.getpid()}\n")

    def test_no_directory(self) -> None:
        """
        A data directory that cannot be made is named, with what to do.
        """
        self.data.write_text("a file in its place")
        error = str(self.assertRaises(OSError, Lock(self.data).acquire))
        self.assertIn(f"{self.data} cannot be used: File exists", error)
        self.assertIn("paths.data", error)

    def test_private(self) -> None:
        """
        A data directory that is made here is for its owner alone.
        """
        lock = Lock(self.data)
        lock.acquire()
        self.addCleanup(lock.release)
        self.assertEqual(self.data.stat().st_mode & 0o777, 0o700)

    def test_not_inherited(self) -> None:
        """
        A program started by the exchange does not keep the lock when the exchange is gone.
        """
        lock = Lock(self.data)
        lock.acquire()
        self.addCleanup(lock.release)
        found = [int(fd.name) for fd in Path("/proc/self/fd").iterdir() if self._is_lock(fd)]
        self.assertEqual([os.get_inheritable(fd) for fd in found], [False])

    def _is_lock(self, fd: Path) -> bool:
        try:
            return fd.readlink() == self.data / "pbx.lock"
        except FileNotFoundError:
            # The listing's own descriptor, which is closed by now.
            return False
