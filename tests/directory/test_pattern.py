"""
Tests of :mod:`pbx.directory.pattern`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.pattern import Index, any_matches, compiled, names_numbers, read

MATCHES = [
    ("112", "112", True),
    ("112", "1123", False),
    ("112", "11", False),
    ("XXX", "907", True),
    ("ZXX", "007", False),
    ("ZXX", "107", True),
    ("NXX", "107", False),
    ("nxx", "207", True),
    ("[2-57]0", "30", True),
    ("[2-57]0", "70", True),
    ("[2-57]0", "60", False),
    ("[*#]1", "#1", True),
    ("[13]", "2", False),
    ("0.", "0", False),
    ("0.", "01", True),
    ("0!", "0", True),
    ("0!", "0123", True),
    ("0!", "1", False),
    (".", "", False),
    (".", "7", True),
    ("!", "", True),
    ("+49.", "+4930", True),
    ("+49.", "4930", False),
    ("+493012345X", "+4930123456", True),
    ("+493012345XX", "+4930123456", False),
    ("0[1-9]X.", "030123", True),
    ("0[1-9]X.", "0049", False),
    ("[7-2]", "5", False),
    ("X1X", "515", True),
    ("X1X", "525", False),
    ("011.", "0114420", True),
]
"""A pattern, a number, and whether it matches."""


class PatternTests(SynchronousTestCase):
    """
    Patterns against numbers.
    """

    def test_matches(self) -> None:
        """
        A pattern matches the numbers that it stands for, and no others.
        """
        for text, number, expected in MATCHES:
            self.assertEqual(read(text).matches(number), expected, (text, number))

    def test_names_numbers(self) -> None:
        """
        Most of what a pattern fits is one house's where it has more fixed digits than others, or seven before an end
        that is open.
        """
        named = ("+493012345", "030123XXX", "+1212555XXXX", "+493055530[0-4]", "+4930123.", "7100")
        anybodys = ("", "!", ".", "XXXX", "+49.", "+493012.", "+1NXXNXXXXXX", "+1212NXXXXXX", "7XXX", "no pattern")
        self.assertEqual([text for text in (*named, *anybodys) if names_numbers(text)], [*named])

    def test_says_what_is_no_pattern(self) -> None:
        """
        A slip of the pen is a mistake where somebody writes it, and matches nothing where a call meets it.
        """
        for text in ("a", "[12", "1.2", "..", "12+", "1 2"):
            self.assertRaises(ValueError, read, text)
            self.assertFalse(compiled(text).matches(text))

    def test_any_of_several(self) -> None:
        """
        One pattern and one number that match are enough.
        """
        self.assertTrue(any_matches(("20XX", "10XX"), "5", "1001"))
        self.assertFalse(any_matches(("20XX", "10XX"), "5", "3001"))
        self.assertFalse(any_matches((), "1001"))


class IndexTests(SynchronousTestCase):
    """
    Many patterns at once.
    """

    def test_keeps_the_order_of_asking(self) -> None:
        """
        What is asked first comes first, however long its beginning is.
        """
        index = Index([("0.", "any"), ("030.", "Berlin"), ("X.", "all"), ("0301", "exact"), ("nonsense", "none")])
        self.assertEqual(index.matching("0301"), ["any", "Berlin", "all", "exact"])
        self.assertEqual(index.matching("0401"), ["any", "all"])
        self.assertEqual(index.matching(""), [])

    def test_takes_a_number_in_several_writings(self) -> None:
        """
        Each pattern counts once, whichever of the writings it matches.
        """
        index = Index([("+49.", "E.164"), ("0.", "home"), ("!", "all")])
        self.assertEqual(index.matching("+4930", "030"), ["E.164", "home", "all"])

    def test_compares_few(self) -> None:
        """
        A number is compared with the patterns that begin as it does, not with all.
        """
        index = Index((f"+49301234{number:04}", number) for number in range(10_000))
        self.assertEqual(index.matching("+493012340815"), [815])
        self.assertEqual(len(index._exact["+493012340815"]), 1)
        index = Index((f"+49301234{number:04}.", number) for number in range(10_000))
        self.assertEqual(index.matching("+4930123408159"), [815])
        self.assertEqual(len(index._by_beginning["+493012340815"]), 1)
