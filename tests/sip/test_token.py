"""
Tests for :mod:`pbx.sip.token`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.token import TAKEN, Tokens, random_bytes, random_hex


class TokensTests(SynchronousTestCase):
    """
    A supply of random bytes.
    """

    def test_length(self) -> None:
        """
        As much as was asked for, also where the supply ends.
        """
        tokens = Tokens()
        for count in (1, 5, 8, 16, TAKEN, 7, TAKEN - 1, 12):
            self.assertEqual(len(tokens.take(count)), count)
            self.assertEqual(len(tokens.hex(4)), 8)
        self.assertEqual((len(random_bytes(3)), len(random_hex(3))), (3, 6))

    def test_never_twice(self) -> None:
        """
        Nothing is given out twice.
        """
        tokens = Tokens()
        given = [tokens.hex(8) for _ in range(20_000)]
        self.assertEqual(len(set(given)), len(given))

    def test_others_differ(self) -> None:
        """
        Two supplies have nothing in common.
        """
        self.assertNotEqual(Tokens().take(16), Tokens().take(16))
