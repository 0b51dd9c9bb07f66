"""
Tests of :mod:`pbx.features.dial_by_name`.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.audio.phrases import digits, phrases
from pbx.calls.destination import IDestination
from pbx.directory.decision import Destination
from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.features.dial_by_name import DialByName, keys_of, matches
from tests.features.visitor import Visitor, run

PEOPLE = (
    Extension("1001", "John Doe"),
    Extension("1002", "Jürgen Groß"),
    Extension("1003", "Doe Smith"),
    Extension("1004", "Zoë"),
    Extension("1005", "Gone Doe", enabled=False),
    Extension("1006", "O'Neill 3"),
    *(Extension(f"20{last:02}", f"N{last} Miller") for last in range(9)),
)
RECORDED = Path("/voicemail/1001/name.wav")


class DialByNameTests(SynchronousTestCase):
    """
    A caller that looks for a person.
    """

    def setUp(self) -> None:
        """
        People; one has spoken a name.
        """
        self.directory = Directory(PEOPLE)
        self.by_name = DialByName(self.directory, {"1001": RECORDED}.get)

    def call(self, keys: str) -> Visitor:
        """
        Call it.
        """
        visitor = Visitor(keys, destination=Destination("directory"))
        self.further = run(self.by_name.take(visitor))
        self.assertTrue(visitor.answered)
        return visitor

    def test_interface(self) -> None:
        """
        It is a destination.
        """
        verifyObject(IDestination, self.by_name)

    def test_spells(self) -> None:
        """
        A name is spelled as the letters stand on the keys; accents do not count.
        """
        for word, keys in (
            ("Doe", "363"), ("Groß", "47677"), ("Zoë", "963"), ("O'Neill", "663455"), ("3", "3"), ("Þ", ""),
        ):
            self.assertEqual(keys_of(word), keys, word)

    def test_finds_by_last_name_first(self) -> None:
        """
        Whose last name begins so comes before whose other names do; the disabled are not found.
        """
        self.assertEqual([person.number for person in matches(self.directory, "36")], ["1001", "1003"])
        self.assertEqual([person.number for person in matches(self.directory, "587")], ["1002"])
        self.assertEqual(matches(self.directory, "3632"), [])

    def test_one_person(self) -> None:
        """
        The person found is named, by the own voice if there is one, and called with 1.
        """
        visitor = self.call("5646# 1")
        self.assertIsNone(self.further)
        visitor = self.call("5646#1")
        self.assertEqual(self.further, Destination("extension", "1001"))
        self.assertEqual(visitor.notes, ["dial by name: 1 people for 5646", "dial by name: 1001 was chosen"])
        visitor = self.call("963# " + "  ")
        self.assertEqual(
            visitor.terminal.heard[1:],
            [
                "ivr-one-match", *phrases("en").letters("Zoë"), "ivr-at-extension", *digits("1004"),
                "ivr-press-1-select", "ivr-press-star-again", "ivr-no-more-matches",
                "ivr-spell-name", "ivr-no-input", "ivr-spell-name", "ivr-too-many-tries", "ivr-goodbye",
            ],
        )

    def test_says_the_recorded_name(self) -> None:
        """
        A name that its person has spoken is played as it is.
        """
        visitor = self.call("5646#  " + "1")
        self.assertEqual(visitor.terminal.heard[1:3], ["ivr-one-match", str(RECORDED)])

    def test_chooses_among_several(self) -> None:
        """
        9, or waiting, goes to the next; * begins again.
        """
        visitor = self.call("36#91")
        self.assertEqual(self.further, Destination("extension", "1003"))
        self.assertNotIn("ivr-one-match", visitor.terminal.heard)
        self.call("36# 1")
        self.assertEqual(self.further, Destination("extension", "1003"))
        self.call("36#*963#1")
        self.assertEqual(self.further, Destination("extension", "1004"))

    def test_too_many(self) -> None:
        """
        When too many have such a name, more letters are asked for; who gives none hears the first of them.
        """
        visitor = self.call("6#45537#")
        self.assertIn("ivr-too-many-matches", visitor.terminal.heard)
        visitor = self.call("645#  9991")
        self.assertEqual(self.further, Destination("extension", "2004"))
        self.assertEqual(visitor.notes[0], "dial by name: 9 people for 645")

    def test_nobody(self) -> None:
        """
        A name that nobody has can be tried again, so often.
        """
        visitor = self.call("999#963#1")
        self.assertEqual(self.further, Destination("extension", "1004"))
        self.assertIn("ivr-no-match", visitor.terminal.heard)
        visitor = self.call("999#999#999#963#1")
        self.assertEqual((self.further, visitor.terminal.heard[-1]), (None, "ivr-goodbye"))
