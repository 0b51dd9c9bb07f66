"""
Tests for :mod:`pbx.sip.dtmf_info`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.dtmf_info import KEYS, LONGEST, MILLISECONDS, KeyPress, key_press_of
from pbx.sip.message import Headers, ParseError, Request
from tests.sip.test_properties import CALM

RELAY = "application/dtmf-relay"


def info(body: bytes, kind: str = RELAY) -> Request:
    """
    An INFO with this body.
    """
    return Request("INFO", "sip:pbx@192.0.2.1", Headers([("Content-Type", kind)]), body)


class KeyPressTests(SynchronousTestCase):
    """
    Keys told by INFO.
    """

    def test_relay(self) -> None:
        """
        ``application/dtmf-relay`` as devices send it.
        """
        for body, key, milliseconds in (
            (b"Signal=5\r\nDuration=160\r\n", "5", 160), (b"Signal= 5\r\nDuration= 250", "5", 250),
            (b"signal=*\nduration=100\n", "*", 100), (b"Signal=d", "D", MILLISECONDS),
            (b"Signal=10\r\nDuration=0", "*", MILLISECONDS), (b"Signal=11\r\nDuration=x", "#", MILLISECONDS),
            (b"Signal=1\r\nDuration=99999", "1", LONGEST),
        ):
            self.assertEqual(key_press_of(info(body, f"{RELAY};x=y")), KeyPress(key, milliseconds))

    def test_plain(self) -> None:
        """
        ``application/dtmf`` is the key alone, or the same lines.
        """
        self.assertEqual(key_press_of(info(b" # \r\n", "Application/DTMF")), KeyPress("#"))
        self.assertEqual(key_press_of(info(b"Signal=7\r\n", "application/dtmf")), KeyPress("7"))

    def test_others(self) -> None:
        """
        Another type is none of ours; no key at all, or none that there is, is malformed.
        """
        self.assertIs(key_press_of(info(b"Signal=5", "application/media_control+xml")), None)
        self.assertIs(key_press_of(Request("INFO", "sip:a", Headers())), None)
        for body in (b"", b"Duration=160", b"Signal=", b"Signal=x", b"Signal=16", b"Signal=55", b"Signal=\xb2"):
            self.assertRaises(ParseError, key_press_of, info(body))

    @CALM
    @given(st.sampled_from(KEYS), st.integers(1, LONGEST))
    def test_round_trip(self, key: str, milliseconds: int) -> None:
        """
        It is read as it was written.
        """
        press = KeyPress(key, milliseconds)
        self.assertEqual(key_press_of(info(press.to_bytes())), press)

    @CALM
    @given(st.binary(max_size=40), st.sampled_from([RELAY, "application/dtmf"]))
    def test_noise(self, body: bytes, kind: str) -> None:
        """
        Whatever comes in, only the documented error comes out.
        """
        try:
            key_press_of(info(body, kind))
        except ParseError:
            return
