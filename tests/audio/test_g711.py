"""
Tests for :mod:`pbx.audio.g711`.
"""

from __future__ import annotations

import hashlib

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio import g711

EVERY_CODE = bytes(range(256))
EVERY_SAMPLE = np.arange(-32_768, 32_768, dtype=np.int32).astype(np.int16)


class G711Tests(SynchronousTestCase):
    """
    The two laws, their tables and the way between them.
    """

    def test_levels_of_the_recommendation(self) -> None:
        """
        The ends and the middle of both scales are those of ITU-T G.711 tables 1 and 2.
        """
        mulaw = g711.decode_mulaw(bytes([0xFF, 0x7F, 0x80, 0x00, 0xEF]))
        self.assertEqual(mulaw.tolist(), [0, 0, 32_124, -32_124, 132])
        alaw = g711.decode_alaw(bytes([0xD5, 0x55, 0xAA, 0x2A, 0xC5]))
        self.assertEqual(alaw.tolist(), [8, -8, 32_256, -32_256, 264])

    def test_same_tables_as_others(self) -> None:
        """
        All 65,536 samples encode as with Sun's reference code (sums taken with Python's former audioop).
        """
        self.assertEqual(hashlib.sha256(g711.encode_mulaw(EVERY_SAMPLE)).hexdigest()[:16], "81d633c9e6972a18")
        self.assertEqual(hashlib.sha256(g711.encode_alaw(EVERY_SAMPLE)).hexdigest()[:16], "38488f6fd710f468")

    def test_decoded_codes_encode_to_themselves(self) -> None:
        """
        A code that was decoded is encoded to itself; only the second zero of µ-law becomes the first.
        """
        self.assertEqual(g711.encode_mulaw(g711.decode_mulaw(EVERY_CODE)), EVERY_CODE.replace(b"\x7f", b"\xff"))
        self.assertEqual(g711.encode_alaw(g711.decode_alaw(EVERY_CODE)), EVERY_CODE)

    def test_error_within_half_a_step(self) -> None:
        """
        A sample comes back within half of the step of its segment, at most 3.2 % of its size and 16 more.
        """
        samples = EVERY_SAMPLE.astype(np.int32)
        for decoded in (
            g711.decode_mulaw(g711.encode_mulaw(EVERY_SAMPLE)),
            g711.decode_alaw(g711.encode_alaw(EVERY_SAMPLE)),
        ):
            error = np.abs(decoded.astype(np.int32) - samples)
            # The top of the scale is clipped: 32,124 is the last level of µ-law.
            self.assertTrue((error <= np.abs(samples) * 0.032 + 16).all())

    def test_between_the_laws(self) -> None:
        """
        A translated code is the nearest in the other law: at most one step away, with its sign, and silence is quiet.
        """
        alaw = g711.mulaw_to_alaw(EVERY_CODE)
        self.assertEqual(alaw, g711.encode_alaw(g711.decode_mulaw(EVERY_CODE)))
        mulaw = g711.alaw_to_mulaw(bytearray(EVERY_CODE))
        self.assertEqual(mulaw, g711.encode_mulaw(g711.decode_alaw(EVERY_CODE)))
        self.assertEqual(g711.mulaw_to_alaw(bytes([g711.MULAW_SILENCE])), bytes([g711.ALAW_SILENCE]))
        self.assertLessEqual(abs(int(g711.decode_mulaw(g711.alaw_to_mulaw(bytes([g711.ALAW_SILENCE])))[0])), 8)

    def test_tandem_is_stable(self) -> None:
        """
        Going to the other law and back twice changes no more than going once.
        """
        once = g711.alaw_to_mulaw(g711.mulaw_to_alaw(EVERY_CODE))
        self.assertEqual(g711.alaw_to_mulaw(g711.mulaw_to_alaw(once)), once)

    def test_strided_samples(self) -> None:
        """
        Every other sample of an array is encoded like a copy of it.
        """
        every_other = EVERY_SAMPLE[::2]
        self.assertEqual(g711.encode_alaw(every_other), g711.encode_alaw(every_other.copy()))
        self.assertEqual(g711.encode_mulaw(every_other), g711.encode_mulaw(every_other.copy()))
