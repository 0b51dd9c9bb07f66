"""
Tests of :mod:`pbx.store.passwords`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.store.passwords import digests_of, hash_of, matches


class PasswordTests(SynchronousTestCase):
    """
    What is kept of a password.
    """

    def test_only_the_right_one_matches(self) -> None:
        """
        Both kinds of hash match their password and no other, salted anew each time, and do not hold it.
        """
        for fips, beginning in ((False, "$argon2id$"), (True, "$pbkdf2-sha256$600000$")):
            kept = hash_of("SecurePassword123!", fips=fips)
            self.assertTrue(kept.startswith(beginning))
            self.assertNotIn("SecurePassword", kept)
            self.assertNotEqual(kept, hash_of("SecurePassword123!", fips=fips))
            self.assertTrue(matches("SecurePassword123!", kept))
            self.assertFalse(matches("SecurePassword123", kept))

    def test_damaged_hash_matches_nothing(self) -> None:
        """
        A hash that is none matches no password.
        """
        for kept in ("", "x", "$argon2id$v=19$m=1"):
            self.assertFalse(matches("", kept))

    def test_digests(self) -> None:
        """
        H(A1) as a phone computes it (RFC 7616 3.9.1's user, realm and password); in FIPS mode without MD5.
        """
        digests = digests_of("Mufasa", "http-auth@example.org", "Circle of Life")
        self.assertEqual(digests["MD5"], "3d78807defe7de2157e2b0b6573a855f")
        self.assertEqual(digests["SHA-256"], "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232")
        self.assertEqual(list(digests_of("1", "r", "p", fips=True)), ["SHA-256"])
