"""
Tests of :mod:`pbx.directory.directory`.
"""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.directory import Directory
from pbx.directory.extension import Extension

ADA = Extension(number="1001", name="Ada")
BOB = Extension(number="1002", name="Bob")


class DirectoryTests(SynchronousTestCase):
    """
    The extensions in memory.
    """

    def setUp(self) -> None:
        """
        A directory with Ada in it, and a record of what it tells.
        """
        self.directory = Directory([ADA])
        self.changes: list[tuple[Extension | None, Extension | None]] = []
        self.directory.on_change(lambda before, after: self.changes.append((before, after)))

    def test_finds_by_number(self) -> None:
        """
        An extension is found by its number, and all of them come in the order of their numbers.
        """
        self.directory.put(Extension(number="0999", name="Zoe"))
        self.assertIs(self.directory.extension("1001"), ADA)
        self.assertIsNone(self.directory.extension("1002"))
        self.assertEqual([extension.number for extension in self.directory.all()], ["0999", "1001"])
        self.assertIn("1001", self.directory)
        self.assertEqual(len(self.directory), 2)

    def test_knows_beginnings(self) -> None:
        """
        Digits are the beginning of a longer number that may call, never of themselves or of a disabled one's.
        """
        self.directory.put(Extension(number="2001", name="Off", enabled=False))
        for digits, expected in (("1", True), ("100", True), ("1001", False), ("10011", False), ("2", False)):
            self.assertEqual(self.directory.is_beginning(digits), expected, digits)

    def test_tells_what_changed(self) -> None:
        """
        Observers hear of an addition, a change and a removal, and nothing of what stayed as it was.
        """
        renamed = evolve(ADA, name="Ada L.")
        self.directory.put(BOB)
        self.directory.put(evolve(BOB))
        self.directory.put(renamed)
        self.directory.remove("1002")
        self.directory.remove("1002")
        self.assertEqual(self.changes, [(None, BOB), (ADA, renamed), (BOB, None)])

    def test_replaces_the_whole(self) -> None:
        """
        After a replacement the directory is exactly what was given, and only the differences were told.
        """
        self.directory.put(BOB)
        del self.changes[:]
        renamed = evolve(BOB, name="Robert")
        self.directory.replace([renamed])
        self.assertEqual(self.directory.all(), [renamed])
        self.assertEqual(self.changes, [(ADA, None), (BOB, renamed)])

    def test_goes_on_when_an_observer_fails(self) -> None:
        """
        An observer that raises is logged, and the ones after it are still told.
        """
        directory = Directory()
        told: list[Extension | None] = []

        def broken(before: Extension | None, after: Extension | None) -> None:
            raise RuntimeError

        directory.on_change(broken)
        directory.on_change(lambda before, after: told.append(after))
        directory.put(ADA)
        self.assertEqual(told, [ADA])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
