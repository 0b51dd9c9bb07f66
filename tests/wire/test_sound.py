"""
Tests for :mod:`tests.wire.sound`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from tests.wire import sound


class FindTests(SynchronousTestCase):
    """
    Telling whether a recording holds a voice.
    """

    def test_same_voice(self) -> None:
        """
        The same voice, later, quieter and with a little noise, is found where it is.
        """
        said = sound.voice(1, 6)
        noise = np.random.default_rng(9).normal(0, 60, 4 * sound.RATE)
        recorded = np.concatenate([np.zeros(5000), said[8000:32000] * 0.4])
        recorded[: len(noise)] += noise[: len(recorded)]
        match = sound.find(recorded.astype(np.int16), said)
        self.assertGreater(match.score, 0.98)
        self.assertGreaterEqual(match.position, 1.0)

    def test_other_voice(self) -> None:
        """
        Another voice, silence and a recording cut short are none.
        """
        said = sound.voice(1, 6)
        self.assertLess(sound.find(sound.voice(2, 6), said).score, 0.5)
        self.assertEqual(sound.find(np.zeros(30000, np.int16), said).score, 0)
        self.assertEqual(sound.find(said[:800], said).score, 0)

    def test_distorted(self) -> None:
        """
        A voice with every fifth packet of 20 ms lost, or one in four samples turned over, is not undistorted.
        """
        said = sound.voice(3, 6)
        packets = said.reshape(-1, 160).copy()
        kept = np.delete(packets, np.s_[::5], axis=0).reshape(-1)
        self.assertLess(sound.find(kept, said).score, 0.9)
        turned = said.copy()
        turned[::4] *= -1
        self.assertLess(sound.find(turned, said).score, 0.9)

    def test_file(self) -> None:
        """
        What is written is read back, also when the length in the head was never filled in.
        """
        path = sound.write(Path(self.mktemp()), sound.voice(4, 1))
        self.assertTrue(np.array_equal(sound.read(path), sound.voice(4, 1)))
        content = bytearray(path.read_bytes())
        content[40:44] = bytes(4)
        path.write_bytes(content)
        self.assertEqual(len(sound.read(path)), sound.RATE)
