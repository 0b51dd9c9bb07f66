"""
Tests for :mod:`pbx.sdp.fmtp`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.sdp import fmtp


class FmtpTests(SynchronousTestCase):
    """
    Parameters side by side.
    """

    def test_parameters(self) -> None:
        """
        Names and values are read whatever their case and spaces.
        """
        self.assertEqual(fmtp.parameters("Mode=20 ; annexb = NO;; flag;"), {"mode": "20", "annexb": "no", "flag": ""})
        self.assertEqual(fmtp.parameters(""), {})

    def test_events(self) -> None:
        """
        The events of both sides are answered; without any list it is the keypad's sixteen.
        """
        for one, other, both in (
            ("0-16", "0-15", "0-15"),
            ("0-16", "0-16", "0-16"),
            ("", "", "0-15"),
            ("", "0-16", "0-15"),
            ("0-11,16,32-36", "0-16", "0-11,16"),
            ("events=0-15", "0-16", "0-15"),
            ("0-11, 13", "0-15", "0-11,13"),
            ("0-99999999", "250-300", "250-255"),
            ("70-75", "0-15", "0-15"),
            ("nonsense,-,3-", "0-15", "0-15"),
            ("9-1,5", "0-15", "5"),
            ("0," * fmtp.MAX_RANGES + "1", "0-15", "0"),
        ):
            self.assertEqual(fmtp.common_events(one, other), both, (one, other))

    def test_silence_suppression(self) -> None:
        """
        One refusal is enough.
        """
        self.assertEqual(fmtp.agreed("g729", "annexb=no", ""), "annexb=no")
        self.assertEqual(fmtp.agreed("g729", "annexb=yes", "annexb=no"), "annexb=no")
        self.assertEqual(fmtp.agreed("g729", "", ""), "")
        self.assertEqual(fmtp.agreed("g723", "annexa=no;bitrate=6.3", "bitrate=6.3"), "annexa=no")

    def test_answering_sides_wishes(self) -> None:
        """
        Parameters that tell what one likes to receive are the answering side's own.
        """
        self.assertEqual(fmtp.agreed("opus", "stereo=1", "useinbandfec=1"), "useinbandfec=1")

    def test_compatible(self) -> None:
        """
        Defaults count as if they were written.
        """
        for codec, one, other, expected in (
            ("amr-wb", "", "octet-align=0; crc=0", True),
            ("amr-wb", "", "octet-align=1", False),
            ("amr", "interleaving=2", "", False),
            ("amr", "mode-set=7", "", True),
            ("amr", "mode-set=7", "mode-set=0,7", False),
            ("mp4a-latm", "config=40;bitrate=1", "bitrate=2; config=40", True),
            ("opus", "stereo=1", "stereo=0", True),
        ):
            layouts = fmtp.layout(codec, one), fmtp.layout(codec, other)
            self.assertEqual(fmtp.compatible(*layouts), expected, (codec, one, other))
            self.assertEqual(fmtp.compatible(*reversed(layouts)), expected, (codec, other, one))
