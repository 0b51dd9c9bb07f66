"""
The spool: call records in files, while the database can't take them. Everything here waits for the disk: run it in a
thread.

A file is written whole under another name, forced to the disk, and then renamed: under its own name it is never partly
there. One JSON document stands on each line.
"""

from __future__ import annotations

import os
import secrets
import time
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WRITTEN = ".jsonl"
UNFINISHED = ".tmp"
REJECTED = "rejected"
"""The folder for records the database will never take; nothing empties it but the operator."""


class Spool:
    """
    The files of one kind of record in a directory.

    Args:
        directory: Where they lie; made when it is missing, readable by its owner alone.
        kind: What their names begin with.
    """

    def __init__(self, directory: Path, kind: str) -> None:
        self._directory = directory
        self._kind = kind

    def recover(self) -> list[Path]:
        """
        Take up what an earlier run left: a file whose writing was interrupted is taken for what is whole in it.

        Returns:
            The files there are.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in sorted(self._directory.glob(f"{self._kind}-*{UNFINISHED}")):
            path.rename(path.with_suffix(WRITTEN))
        return self.files()

    def files(self) -> list[Path]:
        """
        The files there are, the oldest first.
        """
        return sorted(self._directory.glob(f"{self._kind}-*{WRITTEN}"))

    def write(self, records: Iterable[bytes]) -> Path:
        """
        Put records into a new file; when this returns they survive a power failure.

        Raises:
            OSError: The disk is full, or the like; no file is left.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The nanoseconds are for the order, the random part for two of the same nanosecond.
        unfinished = self._directory / f"{self._kind}-{time.time_ns():020d}-{secrets.token_hex(3)}{UNFINISHED}"
        try:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(record + b"\n" for record in records)
                file.flush()
                os.fsync(file.fileno())
            path = unfinished.rename(unfinished.with_suffix(WRITTEN))
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        self._sync()
        return path

    def read(self, path: Path) -> list[bytes]:
        """
        The records in a file. A line that is no JSON document (its writing was interrupted) is put aside.
        """
        records = []
        for line in path.read_bytes().split(b"\n"):
            if not line:
                continue
            try:
                msgspec.json.decode(line, type=dict)
            except (msgspec.DecodeError, UnicodeDecodeError):
                self.reject(line)
            else:
                records.append(line)
        return records

    def count(self, path: Path) -> int:
        """
        How many records a file has, whole or not.
        """
        try:
            return path.read_bytes().count(b"\n")
        except OSError:
            return 0

    def delete(self, path: Path) -> None:
        """
        Remove a file whose records are in the database.
        """
        path.unlink(missing_ok=True)

    def reject(self, record: bytes) -> Path:
        """
        Put a record aside that the database will never take.
        """
        folder = self._directory / REJECTED
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{self._kind}{WRITTEN}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(record + b"\n")
        return path

    def _sync(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
