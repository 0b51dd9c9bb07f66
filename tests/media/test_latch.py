"""
Tests for :mod:`pbx.media.latch`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.media.latch import IN_A_ROW, MAX_SKIP, Latch, Verdict

SDP = ("192.168.1.5", 4000)
NAT = ("203.0.113.9", 31000)
STRANGER = ("198.51.100.66", 666)


class LatchTests(SynchronousTestCase):
    """
    Whose packets are taken.
    """

    def setUp(self) -> None:
        self.latch = Latch()
        self.latch.expect(*SDP, None, 10.0, relearn=True)

    def judge(
        self, source: tuple[str, int], now: float, heard: float = 0, ahead: int | None = None, ssrc: int = 1
    ) -> str:
        return self.latch.judge(source, ssrc, now, heard, ahead).value

    def test_expected(self) -> None:
        """
        The first packet from the SDP's address latches at once.
        """
        self.assertEqual(self.judge(SDP, 10.0), "take")
        self.assertEqual((self.latch.source, self.latch.latched), (SDP, True))

    def test_ipv6_source(self) -> None:
        """
        The kernel's flow label and scope do not matter.
        """
        self.latch.expect("2001:db8::5", 4000, None, 10.0, relearn=True)
        self.assertIs(self.latch.judge(("2001:db8::5", 4000, 7, 0), 1, 10.0, 0, None), Verdict.TAKE)

    def test_stranger_waits(self) -> None:
        """
        Another address is taken only after two seconds of silence, with its fifth packet in a row.
        """
        self.assertEqual([self.judge(NAT, 10.0 + number / 10) for number in range(20)], ["drop"] * 20)
        self.assertEqual([self.judge(NAT, 12.0) for _ in range(IN_A_ROW)], ["drop"] * 4 + ["move"])
        self.assertEqual(self.latch.source, NAT)

    def test_expected_ones_still_talk(self) -> None:
        """
        While packets come from an expected address nobody else is listened to, however long.
        """
        for number in range(100):
            self.assertEqual(self.judge(STRANGER, 20.0 + number, heard=19.5 + number), "drop")

    def test_in_a_row(self) -> None:
        """
        Five packets of one SSRC and one address: another one in between begins the count anew.
        """
        for source, ssrc in ((NAT, 1), (NAT, 1), (NAT, 1), (NAT, 1), (STRANGER, 1), (NAT, 1), (NAT, 2), (NAT, 2)):
            self.assertEqual(self.judge(source, 13.0, ssrc=ssrc), "drop")
        self.assertEqual([self.judge(NAT, 13.0, ssrc=2) for _ in range(3)], ["drop", "drop", "move"])

    def test_signalling_address(self) -> None:
        """
        Media from where the signalling comes from are taken at once, from any port.
        """
        self.latch.expect(*SDP, NAT[0], 10.0, relearn=True)
        self.assertEqual(self.judge(STRANGER, 10.0), "drop")
        self.assertEqual(self.judge(NAT, 10.0), "take")

    def test_strict(self) -> None:
        """
        A strict latch takes the SDP's address and nothing else, ever.
        """
        self.latch = Latch(strict=True)
        self.latch.expect(*SDP, NAT[0], 10.0, relearn=True)
        self.assertEqual({self.judge(NAT, 20.0) for _ in range(20)}, {"drop"})
        self.assertEqual(self.judge(SDP, 20.0), "take")
        self.assertEqual(self.judge(NAT, 40.0, heard=20.0, ahead=3), "drop")

    def test_mapping_flushed(self) -> None:
        """
        A latched stream goes on from another address after three seconds, when SSRC and sequence number go on.
        """
        self.judge(SDP, 10.0)
        self.assertEqual(self.judge(NAT, 12.9, heard=10.0, ahead=145), "drop")
        self.assertEqual(self.judge(NAT, 13.0, heard=10.0, ahead=150), "move")

    def test_latched_is_not_taken_over(self) -> None:
        """
        Another SSRC, or a sequence number that does not go on, never moves a latched session.
        """
        self.judge(SDP, 10.0)
        for ahead in (None, 0, MAX_SKIP, 0xFFFF):
            self.assertEqual({self.judge(STRANGER, 60.0, heard=10.0, ahead=ahead) for _ in range(9)}, {"drop"})

    def test_taken_back(self) -> None:
        """
        Who was taken while the expected addresses were silent is left as soon as one of them speaks, and waits again.
        """
        self.latch.expect(*SDP, NAT[0], 10.0, relearn=True)
        for rightful in (SDP, NAT):
            for _ in range(IN_A_ROW):
                self.judge(STRANGER, 13.0)
            self.assertEqual((self.latch.source, self.latch.latched, self.latch.firm), (STRANGER, True, False))
            self.assertEqual(self.judge(rightful, 13.0, heard=13.0), "move")
            self.assertEqual((self.latch.source, self.latch.firm), (rightful, True))
            self.assertEqual(self.judge(STRANGER, 13.0, heard=13.0, ahead=1), "drop")
            self.latch.expect(*SDP, NAT[0], 10.0, relearn=True)

    def test_expected_after_silence(self) -> None:
        """
        Of two expected addresses the other is taken after three seconds of silence, whatever it sends.
        """
        self.latch.expect(*SDP, NAT[0], 10.0, relearn=True)
        self.judge(NAT, 10.0)
        self.assertEqual(self.judge(SDP, 12.9, heard=10.0), "drop")
        self.assertEqual(self.judge(SDP, 13.0, heard=10.0), "move")

    def test_described_anew(self) -> None:
        """
        With another address in the SDP what was learned is forgotten; with the same it stays, and may be left.
        """
        self.latch.expect(*SDP, NAT[0], 10.0, relearn=True)
        self.judge(NAT, 10.0)
        self.latch.expect(*SDP, None, 20.0, relearn=True)
        self.assertEqual((self.latch.source, self.latch.latched), (NAT, False))
        self.assertEqual(self.judge(NAT, 20.0), "take")
        self.latch.expect(*SDP, None, 30.0, relearn=True)
        self.assertEqual(self.judge(SDP, 30.0), "take")
        self.latch.expect("192.168.1.6", 4000, None, 40.0, relearn=False)
        self.assertEqual((self.latch.source, self.latch.latched), (None, False))

    def test_refresh_changes_nothing(self) -> None:
        """
        The same address without relearning, as in a session refresh, leaves the latch as it is.
        """
        self.judge(SDP, 10.0)
        self.latch.expect(*SDP, None, 20.0, relearn=False)
        self.assertTrue(self.latch.latched)
