"""
Tests for :mod:`pbx.rtp.telephone_event`.
"""

from __future__ import annotations

from hypothesis import given, seed
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pbx.rtp.telephone_event import DIGITS, TelephoneEvent

events = st.builds(
    TelephoneEvent, st.integers(0, 255), st.integers(0, 0xFFFF), end=st.booleans(), volume=st.integers(0, 63)
)


class TelephoneEventTests(SynchronousTestCase):
    """
    Events as payload.
    """

    def test_golden(self) -> None:
        """
        The end of a ``#`` of 100 ms at 8 kHz, as RFC 4733 2.3 draws it.
        """
        self.assertEqual(TelephoneEvent.of_digit("#", 800, end=True).to_bytes(), bytes.fromhex("0b8a0320"))

    def test_every_key(self) -> None:
        """
        The sixteen keys are there both ways; flash (16) is no key, and neither are other characters.
        """
        for digit in DIGITS:
            self.assertEqual(TelephoneEvent.parse(TelephoneEvent.of_digit(digit, 160).to_bytes()).digit, digit)
        self.assertEqual(TelephoneEvent.of_digit("d", 0).event, 15)
        self.assertIsNone(TelephoneEvent(16, 160).digit)
        for nothing in ("E", "", "12"):
            self.assertRaises(ValueError, TelephoneEvent.of_digit, nothing, 160)

    def test_cut_off(self) -> None:
        """
        A payload of three bytes is an error.
        """
        self.assertRaises(ValueError, TelephoneEvent.parse, b"\x01\x0a\x00")

    @seed(1)
    @given(events)
    def test_round_trip(self, event: TelephoneEvent) -> None:
        """
        What is written is read back.
        """
        self.assertEqual(TelephoneEvent.parse(event.to_bytes()), event)
