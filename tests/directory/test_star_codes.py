"""
Tests of :mod:`pbx.directory.star_codes`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.star_codes import FEATURES, USUAL, feature_dialled, table

DIALLED = (
    ("*97", ("voicemail", "")),
    ("*98", ("voicemail_any", "")),
    ("*1001", ("voicemail_of", "1001")),
    ("*1099", ("voicemail_of", "1099")),
    ("*", ("voicemail_of", "")),
    ("**1001", ("pickup", "1001")),
    ("**", ("pickup", "")),
    ("*8", ("pickup_group", "")),
    ("*72", ("forward_always_on", "")),
    ("*721003", ("forward_always_on", "1003")),
    ("*721003#", ("forward_always_on", "1003")),
    ("*72#", ("forward_always_on", "")),
    ("*7201", ("voicemail_of", "7201")),
    ("*7202", ("forward_always_on", "02")),
    ("*73", ("forward_always_off", "")),
    ("*7399", ("voicemail_of", "7399")),
    ("*800900*", ("unblock", "0900*")),
    ("*80", ("unblock", "")),
    ("*78", ("dnd_on", "")),
    ("#31", None),
)
"""What was dialled, and what it stands for where 1001, 7201 and 78 are extensions."""


class StarCodesTests(SynchronousTestCase):
    """
    What is dialled to switch something.
    """

    def test_finds_the_feature(self) -> None:
        """
        A code alone comes first, then the mailbox of an extension, then the longest code.
        """
        for number, feature in DIALLED:
            self.assertEqual(feature_dialled(number, USUAL, {"1001", "7201", "78"}), feature, number)

    def test_a_shared_mailbox(self) -> None:
        """
        The code of a shared mailbox is for it alone, though it begins as one that switches something.
        """
        self.assertEqual(feature_dialled("*2520", USUAL, {"1001"}), ("no_answer_timeout", "20"))
        self.assertEqual(feature_dialled("*2520", USUAL, {"1001"}, {"2520"}), ("voicemail_of", "2520"))

    def test_no_two_features_have_one_code(self) -> None:
        """
        The usual codes are all different, and a table with the same code twice is refused by both names.
        """
        self.assertEqual(len(USUAL), len(FEATURES))
        with self.assertRaises(ValueError) as caught:
            table({"dnd_on": "*78", "dnd_off": "*78"})
        self.assertEqual(str(caught.exception), "dnd_on and dnd_off both have the code *78")

    def test_a_feature_can_be_left_out(self) -> None:
        """
        A feature without a code can't be dialled; one that nobody knows is a mistake.
        """
        self.assertEqual(dict(table({"dnd_on": "*78", "dnd_off": None})), {"*78": "dnd_on"})
        with self.assertRaises(ValueError):
            table({"coffee": "*1"})
