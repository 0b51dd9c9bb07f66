"""
Tests of :mod:`pbx.directory.numbering`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.numbering import dialled, is_dialable, is_emergency, received, same, writings
from pbx.directory.plan import Site

BERLIN = Site("DE", "30", outside_prefix="0")
NEW_YORK = Site("US", "212")
LONDON = Site("GB", "20")
NOWHERE = Site("XX")

DIALLED = [
    (BERLIN, "12345678", "+493012345678", "03012345678", "local"),
    (BERLIN, "1234", "", "", "unknown"),
    (Site("DE"), "12345678", "", "", "unknown"),
    (BERLIN, "015112345678", "+4915112345678", "015112345678", "mobile"),
    (BERLIN, "0012125551234", "+12125551234", "0012125551234", "international"),
    (BERLIN, "070012345678", "+4970012345678", "070012345678", "premium"),
    (BERLIN, "+49", "", "", "international"),
    (BERLIN, "0*9", "", "", "unknown"),
    (BERLIN, "*31#09001234567", "", "", "premium"),
    (BERLIN, "#31#015112345678", "", "", "mobile"),
    (BERLIN, "0" * 33, "", "", "premium"),
    (BERLIN, "0103300881612345678", "", "", "premium"),
    (BERLIN, "0103300676123456", "+49103300676123456", "0103300676123456", "premium"),
    (BERLIN, "010330067612345", "+4910330067612345", "010330067612345", "premium"),
    (BERLIN, "+49009001234567", "", "", "premium"),
    (BERLIN, "00088212345678", "", "", "premium"),
    (BERLIN, "+4911833", "+4911833", "011833", "premium"),
    (BERLIN, "011833", "", "", "premium"),
    (Site("AU", "2"), "1900123456", "+611900123456", "01900123456", "premium"),
    (Site("AU", "2"), "91234567", "+61291234567", "0291234567", "local"),
    (Site("IT", "06"), "0669812345", "+390669812345", "0669812345", "local"),
    (BERLIN, "00*882123456", "", "", "premium"),
    (BERLIN, "*61*00882123456*11*20", "", "", "premium"),
    (BERLIN, "*61*015112345678*11*20#", "", "", "mobile"),
    (BERLIN, "*21*", "", "", "unknown"),
    (BERLIN, "alice", "", "", "unknown"),
    (BERLIN, "", "", "", "unknown"),
    (NEW_YORK, "5551234", "+12125551234", "2125551234", "local"),
    (Site("US"), "5551234", "", "", "unknown"),
    (NEW_YORK, "411", "", "", "unknown"),
    (NEW_YORK, "10102881876555123", "", "", "premium"),
    (NEW_YORK, "14165551234", "+14165551234", "14165551234", "international"),
    (LONDON, "118500", "", "", "premium"),
    (NOWHERE, "12345678", "", "", "unknown"),
    (NOWHERE, "+4915112345678", "+4915112345678", "4915112345678", "international"),
]
"""Where, what is dialled; E.164, as dialled there, and the kind."""

RECEIVED = [
    (BERLIN, "4915112345678", "+4915112345678"),
    (BERLIN, "+4915112345678", "+4915112345678"),
    (BERLIN, "015112345678", "+4915112345678"),
    (BERLIN, "12125551234", "+12125551234"),
    (BERLIN, "442079460000", "+442079460000"),
    (BERLIN, "15112345678", "+4915112345678"),
    (BERLIN, "3012345678", "+493012345678"),
    (LONDON, "493012345678", "+493012345678"),
    (LONDON, "2079460000", "+442079460000"),
    (NEW_YORK, "2125551234", "+12125551234"),
    (Site("DK"), "33123456", "+4533123456"),
    (Site("DK"), "493012345678", "+493012345678"),
    (NEW_YORK, "4155551234", "+14155551234"),
    (NEW_YORK, "14155551234", "+14155551234"),
    (NEW_YORK, "4915112345678", "+4915112345678"),
    (NEW_YORK, "011442079460000", "+442079460000"),
    (BERLIN, "1001", "1001"),
    (BERLIN, "anonymous", "anonymous"),
    (BERLIN, "", ""),
]
"""Where, what the provider sends, and what it is."""


class NumberTests(SynchronousTestCase):
    """
    What a number is.
    """

    def test_dialled(self) -> None:
        """
        A dialled number is known in E.164, by how it is dialled here, and by its kind.
        """
        for site, number, e164, national, call_class in DIALLED:
            public = dialled(number, site)
            self.assertEqual((public.e164, public.national, public.call_class), (e164, national, call_class), number)
            self.assertEqual(public.known, e164 or number)

    def test_reading(self) -> None:
        """
        Block lists and rates see the number also behind an order to the provider, or with digits behind it.
        """
        for number, reading in (
            ("*31#00882123456", "+882123456"), ("*61*00882123456*11*20", "+882123456"),
            ("*31#015112345678", "+4915112345678"), ("00088212345678", "+88212345678"),
            ("+49009001234567", "+499001234567"), ("01511234567899999", "+491511234567899999"), ("*21*", ""),
        ):
            public = dialled(number, BERLIN)
            self.assertEqual((public.e164, public.reading, public.priced), ("", reading, reading), number)
        self.assertEqual(dialled("015112345678", BERLIN).priced, "+4915112345678")

    def test_received(self) -> None:
        """
        Providers write E.164 with plus or without, or as it is dialled in the country.
        """
        for site, number, known in RECEIVED:
            self.assertEqual(received(number, site).known, known, number)

    def test_has_several_writings(self) -> None:
        """
        People write a number as it is dialled, as from abroad, in E.164, or without the area code.
        """
        self.assertEqual(
            set(writings("+493012345678", BERLIN)),
            {"+493012345678", "493012345678", "03012345678", "00493012345678", "12345678"},
        )
        self.assertEqual(
            set(writings("+12125551234", NEW_YORK)),
            {"+12125551234", "12125551234", "2125551234", "01112125551234", "5551234"},
        )
        self.assertEqual(writings("1001@Carrier", BERLIN), ("1001@Carrier", "1001"))

    def test_is_the_same_however_it_is_written(self) -> None:
        """
        Also with the outside prefix in front.
        """
        for number in ("015112345678", "0015112345678", "+4915112345678", "004915112345678", "0004915112345678"):
            self.assertTrue(same(number, "+4915112345678", BERLIN), number)
        for number in ("15112345678", "+4915112345679", "1001", ""):
            self.assertFalse(same(number, "+4915112345678", BERLIN), number)

    def test_emergency(self) -> None:
        """
        Numbers that call for help in the country, in digits that can be dialled.
        """
        for number, is_one in (("112", True), ("110", True), ("911", False), ("1120", False), ("", False),
                               ("\N{ARABIC-INDIC DIGIT ONE}" * 2 + "\N{ARABIC-INDIC DIGIT TWO}", False)):
            self.assertIs(is_emergency(number, BERLIN), is_one, number)

    def test_what_keys_can_dial(self) -> None:
        """
        A name, a control character or more keys than any number has can't be sent to a provider.
        """
        for number in ("030123", "+4930123", "*31#030123"):
            self.assertTrue(is_dialable(number))
        for number in ("", "alice", "030 123", "030\r\n", "+", "1" * 33, "12+"):
            self.assertFalse(is_dialable(number), number)
