"""
Tests of :mod:`pbx.features.menu`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.calls.destination import IDestination
from pbx.directory.decision import Destination
from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.places import Choice, Menu, Places, RingGroup
from pbx.features.menu import MOST_ROUNDS, Menus
from tests.features.visitor import Visitor, run

SALES = Destination("ring_group", "600")
BOX = Destination("voicemail", "1001")
CHOICES = (
    Choice("1", SALES),
    Choice("2", Destination("menu", "501")),
    Choice("3", language="de"),
    Choice("4", BOX, "fr"),
    Choice("9"),
    Choice("99", Destination("hangup")),
    Choice("*", Destination("directory")),
    Choice("#", Destination("announcement", "ivr-hours")),
)


class MenusTests(SynchronousTestCase):
    """
    A caller in a menu.
    """

    def setUp(self) -> None:
        """
        Three extensions, one of them disabled, one with a number that begins like another's.
        """
        self.places = Places([RingGroup("600", "Sales")])
        self.directory = Directory([
            Extension("1001", "Ann"), Extension("2001", "Bob"), Extension("20012", "Cat"),
            Extension("3001", "Off", enabled=False),
        ])
        self.menus = Menus(self.places, self.directory)

    def call(self, keys: str, **menu: Any) -> Visitor:
        """
        Call the menu.
        """
        menu = {"greeting": ("hello", "choices"), "choices": CHOICES, "tries": 2} | menu
        self.places.put(Menu("500", "Main", **menu))
        visitor = Visitor(keys, destination=Destination("menu", "500"))
        self.further = run(self.menus.take(visitor))
        self.assertTrue(visitor.answered)
        return visitor

    def test_interface(self) -> None:
        """
        It is a destination.
        """
        verifyObject(IDestination, self.menus)

    def test_goes_where_the_key_says(self) -> None:
        """
        A key during the greeting or behind it leads to its destination, of whatever kind; each step is noted.
        """
        for keys, destination, heard in (
            ("1", SALES, ["hello"]),
            (" 1", SALES, None),
            ("2", Destination("menu", "501"), ["hello"]),
            ("99", Destination("hangup"), ["hello"]),
            ("*", Destination("directory"), ["hello"]),
            ("#", Destination("announcement", "ivr-hours"), ["hello"]),
        ):
            visitor = self.call(keys)
            self.assertEqual(self.further, destination, keys)
            if heard is not None:
                self.assertEqual(visitor.terminal.heard, heard)
        visitor = self.call("1")
        self.assertEqual(
            visitor.notes, ["menu 500: Main is played", "menu 500: the caller pressed 1: ring group 600"]
        )

    def test_key_behind_the_greeting(self) -> None:
        """
        A caller that hears the greeting to its end has the menu's time to press a key.
        """
        waited: list[float] = []
        self.places.put(Menu("500", "Main", ("hello",), CHOICES, timeout=7))
        visitor = Visitor("", destination=Destination("menu", "500"))

        async def digit(timeout: float) -> str:
            waited.append(timeout)
            return "1"

        visitor.terminal.digit = digit
        self.assertEqual(run(self.menus.take(visitor)), SALES)
        self.assertEqual((visitor.terminal.heard, waited), (["hello"], [7]))

    def test_longer_choices(self) -> None:
        """
        A key that may be the beginning of a longer choice waits for the next; alone it is its own choice.
        """
        visitor = self.call("9 1")
        self.assertEqual(self.further, SALES)
        self.assertIn("menu 500: the caller pressed 9: the menu again", visitor.notes)
        self.call("9#1")
        self.assertEqual(self.further, SALES)

    def test_language(self) -> None:
        """
        A choice may change the language: for the menu again, or for where it leads; a menu may have its own.
        """
        visitor = self.call("31")
        self.assertEqual((visitor.language, self.further), ("de", SALES))
        self.assertIn("menu 500: the caller pressed 3: language de, the menu again", visitor.notes)
        visitor = self.call("4")
        self.assertEqual((visitor.language, self.further), ("fr", BOX))
        self.assertEqual(self.call("1", language="it").language, "it")

    def test_direct_dial(self) -> None:
        """
        Where it is allowed an enabled extension can be dialled, also one whose number begins like a choice; a number
        that may be longer waits for more keys or #.
        """
        for keys, destination in (
            ("1001", Destination("extension", "1001")),
            ("2001 ", Destination("extension", "2001")),
            ("2001#", Destination("extension", "2001")),
            ("20012", Destination("extension", "20012")),
            ("1 ", SALES),
            ("2#", Destination("menu", "501")),
            # 3001 can't be dialled, so that 3 alone is a choice at once.
            ("31 ", SALES),
        ):
            visitor = self.call(keys, direct_dial=True)
            self.assertEqual(self.further, destination, keys)
        visitor = self.call("1001", direct_dial=True)
        self.assertEqual(visitor.notes[-1], "menu 500: the caller dialled 1001")
        self.call("3001", direct_dial=True, choices=())
        self.assertIsNone(self.further)
        self.call("1001", choices=())
        self.assertIsNone(self.further)

    def test_wrong_keys(self) -> None:
        """
        A wrong key is said to be wrong, and the menu begins again, so often; then it goes elsewhere.
        """
        visitor = self.call("51")
        self.assertEqual((self.further, visitor.terminal.heard), (SALES, ["hello", "ivr-invalid"]))
        visitor = self.call("56", on_invalid=BOX, on_timeout=SALES)
        self.assertEqual((self.further, visitor.terminal.heard), (BOX, ["hello", "ivr-invalid"]))
        self.assertEqual(
            visitor.notes[1:],
            [
                "menu 500: the caller pressed 5, which is no choice (1 of 2)",
                "menu 500: the caller pressed 6, which is no choice (2 of 2)",
                "menu 500: given up, on to voicemail 1001",
            ],
        )

    def test_no_key(self) -> None:
        """
        A caller that presses nothing hears the menu so often; then it goes elsewhere, or hears goodbye.
        """
        visitor = self.call("  ", on_invalid=BOX, on_timeout=SALES)
        self.assertEqual(self.further, SALES)
        self.assertEqual(visitor.terminal.heard, ["hello", "choices", "ivr-no-input", "hello", "choices"])
        self.assertIn("menu 500: the caller pressed nothing for 5 s (2 of 2)", visitor.notes)
        visitor = self.call("  ")
        self.assertEqual((self.further, visitor.terminal.heard[-1]), (None, "ivr-goodbye"))
        self.assertEqual(visitor.notes[-1], "menu 500: given up, goodbye")

    def test_tries_begin_again_with_a_choice(self) -> None:
        """
        Who has made a choice that leads back here has all tries again.
        """
        self.call("539 51")
        self.assertEqual(self.further, SALES)

    def test_ends_for_a_device_that_presses_keys_for_ever(self) -> None:
        """
        A caller that goes round and round is sent on in the end.
        """
        visitor = self.call("3" * 1000, on_invalid=BOX)
        self.assertEqual(self.further, BOX)
        self.assertEqual(visitor.terminal.heard, ["hello"] * MOST_ROUNDS)

    def test_gone(self) -> None:
        """
        A menu that is no more, or is something else meanwhile, is no number.
        """
        for number in ("501", "600"):
            visitor = Visitor(destination=Destination("menu", number))
            self.assertIsNone(run(self.menus.take(visitor)))
            self.assertEqual((visitor.refused, visitor.answered), ((404, 1, "Unallocated number"), False))
