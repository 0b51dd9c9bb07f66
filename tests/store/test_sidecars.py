"""
Tests of :mod:`pbx.store.sidecars`.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pbx.features.voicemail.mailboxes import Message
from pbx.store import sidecars


class SidecarTests(SynchronousTestCase):
    """
    The document beside the audio of a message.
    """

    def test_full(self) -> None:
        """
        On a full disk the error names the file, and nothing is left of it.
        """

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(os, "fsync", full)
        path = Path(self.mktemp()) / "1001" / f"{'a' * 32}.wav"
        message = Message("a" * 32, "1001", "1005", "Eve", dt.datetime(2026, 3, 2, tzinfo=dt.UTC), path, 2.0)
        error = self.assertRaises(OSError, sidecars.write, message, "recording")
        self.assertEqual(str(error), f"[Errno 28] No space left on device: '{path.with_suffix('.json')}'")
        self.assertEqual(list(path.parent.iterdir()), [])
