"""
Sound written to a file while it is heard, so that a crash loses its last second at most.

The file is WAV with linear samples of 16 bits. Twice a second what was heard since is appended in a thread, and only
then the header is told, so that at every moment the file is a whole one. What was appended last without the header's
knowing is won back by :func:`mend`.
"""

from __future__ import annotations

import os
import struct
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure

    from pbx.audio.g711 import Samples

INTERVAL: Final = 0.5
"""Seconds of sound that wait in memory at most, while the disk keeps up."""

MAX_WAITING: Final = 20.0
"""Seconds of sound that wait for a disk that does not keep up; then the recording ends: memory is not for that."""

MAX_BYTES: Final = 0xFFFFFFFF - 44
"""Bytes of samples that a WAV header can tell: 37 hours at 16,000 a second."""

SAMPLE: Final = 2
"""Bytes of a sample."""

HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
"""RIFF, its length, WAVE, the format chunk (PCM, channels, rate, bytes a second, bytes and bits a sample), data."""


class RecordingFile(Protocol):
    """
    What is needed of a file opened without a buffer.
    """

    def write(self, data: bytes, /) -> int | None:
        """
        Write what fits; how many bytes that were.
        """

    def seek(self, offset: int, /) -> int:
        """
        Go to a place counted from the beginning.
        """

    def truncate(self, size: int, /) -> int:
        """
        Cut off what is behind a place.
        """

    def fileno(self) -> int:
        """
        The file descriptor.
        """

    def close(self) -> None:
        """
        Close it.
        """


def header(rate: int, octets: int) -> bytes:
    """
    The header of a WAV file with one channel of 16-bit samples.

    Args:
        rate: Samples a second.
        octets: Bytes of samples that follow.
    """
    return HEADER.pack(
        b"RIFF", octets + HEADER.size - 8, b"WAVE", b"fmt ", 16, 1, 1, rate, rate * SAMPLE, SAMPLE, 16, b"data", octets
    )


def mend(path: Path) -> float:
    """
    Make the header of a recording right that was under way when the program was killed; slow, for a thread.

    A recording that is whole is left as it is.

    Returns:
        How long it is, in seconds; 0 when nothing had been written.

    Raises:
        ValueError: It is no file of :class:`Recorder`.
        OSError: It can't be read or written.
    """
    with path.open("r+b") as file:
        beginning = file.read(HEADER.size)
        if not beginning:
            return 0.0
        if len(beginning) < HEADER.size:
            raise ValueError(f"{path} is no recording: it is too short")
        fields = HEADER.unpack(beginning)
        rate, told = int(fields[7]), int(fields[12])
        if not rate or header(rate, told) != beginning:
            raise ValueError(f"{path} is no recording of ours")
        there = (os.fstat(file.fileno()).st_size - HEADER.size) // SAMPLE * SAMPLE
        if there != told:
            file.truncate(HEADER.size + there)
            file.seek(0)
            file.write(header(rate, there))
        return there / SAMPLE / rate


def _open(path: Path) -> RecordingFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("wb", buffering=0)


class Recorder:
    """
    A recording under way. Writing never waits; the file is written in a thread.

    Attributes:
        path: The file.
        rate: Samples a second.
        failed: Why nothing is written any more, ``None`` while all is well.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        path: Path,
        rate: int,
        *,
        on_error: Callable[[Exception], object] | None = None,
        open_file: Callable[[Path], RecordingFile] = _open,
    ) -> None:
        """
        Begin a file, and the folders it lies in; one that is there already is written over.

        Args:
            reactor: Threads.
            path: The file.
            rate: Samples a second.
            on_error: Called once, with the error, when the file can't be written: the disk is full, say. What was
                written until then stays.
            open_file: Opens it.
        """
        self.path = path
        self.rate = rate
        self.failed: Exception | None = None
        self._in_thread: Callable[..., Deferred[None]] = partial(deferToThreadPool, reactor, reactor.getThreadPool())
        self._on_error = on_error
        self._open_file = open_file
        self._file: RecordingFile | None = None
        self._taken = 0
        self._written = 0
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._busy = True
        self._closing = False
        self._keep: int | None = None
        self._closed = False
        self._closers: list[Deferred[None]] = []
        self._do(self._begin)

    @property
    def seconds(self) -> float:
        """
        How much sound it was given.
        """
        return self._taken / SAMPLE / self.rate

    def write(self, pcm: Samples) -> None:
        """
        Append samples; after an error or the end they are ignored.
        """
        if self.failed is not None or self._closing:
            return
        data = pcm.astype("<i2", copy=False).tobytes()
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        self._taken += len(data)
        if self._busy:
            if self._waiting_bytes > MAX_WAITING * self.rate * SAMPLE:
                self._fail(TimeoutError(f"the disk took nothing for {MAX_WAITING:.0f} s"))
        elif self._waiting_bytes >= INTERVAL * self.rate * SAMPLE:
            self._do(self._append, self._take())

    async def close(self, seconds: float | None = None) -> float:
        """
        End the recording, its file safe on the disk; again does nothing more.

        Args:
            seconds: How much of it to keep from its beginning; all by default.

        Returns:
            How many seconds the file holds.
        """
        if not self._closing:
            self._closing = True
            if seconds is not None:
                self._keep = max(0, round(seconds * self.rate)) * SAMPLE
            if not self._busy:
                self._done()
        if not self._closed:
            closer: Deferred[None] = Deferred()
            self._closers.append(closer)
            await closer
        return self._written / SAMPLE / self.rate

    def _take(self) -> bytes:
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        return data

    def _do(self, work: Callable[..., None], *arguments: Any) -> None:
        self._busy = True
        self._in_thread(work, *arguments).addErrback(self._errored).addCallback(lambda _: self._done())

    def _done(self) -> None:
        self._busy = False
        if self._closing:
            if self._file is not None:
                self._do(self._end, self._take())
                return
            self._closed = True
            closers, self._closers = self._closers, []
            for closer in closers:
                closer.callback(None)
        elif self._waiting_bytes >= INTERVAL * self.rate * SAMPLE:
            self._do(self._append, self._take())

    def _errored(self, failure: Failure) -> None:
        error = failure.value
        self._fail(error if isinstance(error, Exception) else RuntimeError(failure.getErrorMessage()))

    def _fail(self, error: Exception) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0
        if self.failed is not None:
            return
        self.failed = error
        self.log.error("{path} could not be written any further: {error}", path=str(self.path), error=error)
        if self._on_error is not None:
            self._on_error(error)

    # What follows runs in a thread, one at a time.

    def _begin(self) -> None:
        self._file = self._open_file(self.path)
        _put(self._file, header(self.rate, 0))

    def _append(self, data: bytes) -> None:
        file = self._file
        if file is None:
            return
        if self._written + len(data) > MAX_BYTES:
            raise OverflowError("a WAV file can't be longer")
        file.seek(HEADER.size + self._written)
        _put(file, data)
        self._written += len(data)
        file.seek(0)
        _put(file, header(self.rate, self._written))

    def _end(self, data: bytes) -> None:
        file = self._file
        if file is None:
            return
        try:
            if data and self.failed is None:
                self._append(data)
            keep = self._written if self._keep is None else min(self._keep, self._written)
            # What lies behind the samples that the header tells of was cut off in the middle by a full disk.
            file.truncate(HEADER.size + keep)
            self._written = keep
            file.seek(0)
            _put(file, header(self.rate, keep))
            os.fsync(file.fileno())
        finally:
            self._file = None
            file.close()


def _put(file: RecordingFile, data: bytes) -> None:
    while data:
        count = file.write(data)
        if not count:
            raise OSError("nothing could be written")
        data = data[count:]
