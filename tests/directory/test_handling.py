"""
Tests of :mod:`pbx.directory.handling`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.extension import Extension
from pbx.directory.handling import PLAIN, Handling


class HandlingTests(SynchronousTestCase):
    """
    What an extension wants done with its calls.
    """

    def test_blocks_numbers_beginnings_and_the_anonymous(self) -> None:
        """
        A caller is refused by its number, by how its number begins, or for not saying who it is.
        """
        handling = Handling(blocked=("1005", "0900*", "anonymous"))
        for number, anonymous, entry in (
            ("1005", False, "1005"),
            ("10051", False, None),
            ("0900123", False, "0900*"),
            ("0900", False, "0900*"),
            ("00900", False, None),
            ("1006", True, "anonymous"),
            ("1006", False, None),
            ("anonymous", False, None),
        ):
            self.assertEqual(handling.blocks(number, anonymous=anonymous), entry, number)

    def test_plain_is_one_object(self) -> None:
        """
        An extension that wants nothing special has the one plain handling, whatever it was made from.
        """
        self.assertIs(Extension("1001", "Ann", handling=Handling()).handling, PLAIN)
        self.assertIs(Extension("1001", "Ann").handling, PLAIN)
        self.assertEqual(Extension("1001", "Ann", handling=Handling(dnd=True)).handling, Handling(dnd=True))
