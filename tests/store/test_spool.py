"""
Tests of :mod:`pbx.store.spool`.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pbx.store import spool as module
from pbx.store.spool import Spool

RECORDS = [b'{"id":"1"}', b'{"id":"2"}']


class SpoolTests(SynchronousTestCase):
    """
    Records in files.
    """

    def setUp(self) -> None:
        """
        A spool in a directory that is not there yet.
        """
        self.directory = Path(self.mktemp()) / "deep" / "spool"
        self.spool = Spool(self.directory, "cdr")

    def names(self) -> list[str]:
        """
        What lies in the directory.
        """
        return sorted(path.name for path in self.directory.iterdir())

    def test_comes_back_as_written(self) -> None:
        """
        What was written is read back, from the oldest file on, by whoever looks next.
        """
        first = self.spool.write(RECORDS)
        second = self.spool.write(RECORDS[:1])
        other = Spool(self.directory, "cdr")
        self.assertEqual(other.recover(), [first, second])
        self.assertEqual(other.read(first), RECORDS)
        self.assertEqual(other.read(second), RECORDS[:1])
        other.delete(first)
        other.delete(first)
        self.assertEqual(other.files(), [second])

    def test_private(self) -> None:
        """
        Who called whom is readable by the exchange alone.
        """
        path = self.spool.write(RECORDS)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.directory.stat().st_mode), 0o700)
        rejected = self.spool.reject(b"{}")
        self.assertEqual(stat.S_IMODE(rejected.stat().st_mode), 0o600)

    def test_on_disk_before_it_is_there(self) -> None:
        """
        The file is forced to disk before it gets its name, and the directory after that.
        """
        order: list[str] = []
        fsync, rename = os.fsync, Path.rename

        def synced(descriptor: int) -> None:
            order.append("file" if stat.S_ISREG(os.fstat(descriptor).st_mode) else "directory")
            fsync(descriptor)

        def renamed(path: Path, target: Path) -> Path:
            order.append("rename")
            return rename(path, target)

        self.patch(module.os, "fsync", synced)
        self.patch(Path, "rename", renamed)
        self.spool.write(RECORDS)
        self.assertEqual(order, ["file", "rename", "directory"])

    def test_full_disk(self) -> None:
        """
        When the disk is full the caller hears of it, and no half file is left.
        """

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(module.os, "fsync", full)
        self.assertRaises(OSError, self.spool.write, RECORDS)
        self.assertEqual(self.names(), [])

    def test_interrupted_writing(self) -> None:
        """
        Of a file whose writing was interrupted the whole records are used; the torn one is put aside.
        """
        self.directory.mkdir(parents=True)
        (self.directory / "cdr-1.tmp").write_bytes(b'{"id":"1"}\n{"id":"2')
        (path,) = self.spool.recover()
        self.assertEqual(self.spool.read(path), [b'{"id":"1"}'])
        self.assertEqual((self.directory / "rejected" / "cdr.jsonl").read_bytes(), b'{"id":"2\n')

    def test_other_files_are_left_alone(self) -> None:
        """
        Files of another kind, and what the operator put there, are not taken for ours.
        """
        Spool(self.directory, "mail").write(RECORDS)
        (self.directory / "README").write_text("hands off")
        self.assertEqual(self.spool.recover(), [])
        self.assertEqual(len(self.names()), 2)
