"""
Tests for :mod:`pbx.web.passwords`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.web.passwords import password_fault


class PasswordTests(SynchronousTestCase):
    """
    Which passwords will do.
    """

    def test_good(self) -> None:
        """
        The one of the operations manual, a phrase and letters of any script.
        """
        good = ["SecurePassword123!", "four grey cats dance", "Zwölf Störche fliegen", "日本語の合言葉は長くてよい"]
        for password in good:
            self.assertIsNone(password_fault(password, number="1005", name="John Doe"), password)

    def test_length(self) -> None:
        """
        Eleven characters are too few, twelve will do, and there is an upper limit.
        """
        self.assertIn("at least 12", password_fault("kX9#mPq2vLw") or "")
        self.assertIsNone(password_fault("kX9#mPq2vLwT"))
        self.assertIn("128 at most", password_fault("kX9#mPq2vLwT" * 11) or "")

    def test_common(self) -> None:
        """
        Common ones are refused also with digits around, with letters written as digits, repeated, or as rows of keys.
        """
        for password in (
            "Password1234",
            "P@ssw0rd12345!",
            "!!Administrator2026",
            "1234567890123",
            "qwertyuiop[]"[:10] + "1234",
            "abcdefghijkl",
            "abcabcabcabcabc",
            "kX9#mkX9#mkX9#m",
            "1qaz2wsx3edc",
            "CorrectHorseBatteryStaple",
        ):
            self.assertIsNotNone(password_fault(password), password)

    def test_few_characters(self) -> None:
        """
        A few characters in whatever order are too few.
        """
        self.assertIn("different", password_fault("aabbaabababab") or "")

    def test_own(self) -> None:
        """
        The number and parts of the name may not be in it, in whatever case.
        """
        self.assertEqual(password_fault("tower1005Bridge", number="1005"), "contains 1005")
        self.assertIn("name", password_fault("bright-JOHN-tower", name="John Doe") or "")
        self.assertIsNone(password_fault("bright-doe-tower", name="John Doe"))

    def test_unprintable(self) -> None:
        """
        Control characters are refused.
        """
        self.assertIsNotNone(password_fault("bright\x00tower-42"))
