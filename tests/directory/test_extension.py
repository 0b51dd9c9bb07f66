"""
Tests of :mod:`pbx.directory.extension`.
"""

from __future__ import annotations

from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.extension import Extension


class ExtensionTests(SynchronousTestCase):
    """
    An extension as a value.
    """

    def test_is_never_changed(self) -> None:
        """
        Neither a field nor a digest of an extension can be changed, not even through the mapping it was made from.
        """
        digests = {"MD5": "aa"}
        extension = Extension(number="1001", name="Ada", digests=digests)
        digests["MD5"] = "bb"
        self.assertEqual(extension.digests["MD5"], "aa")
        with self.assertRaises(TypeError):
            extension.digests["MD5"] = "cc"  # type: ignore[index]
        with self.assertRaises(FrozenInstanceError):
            extension.name = "Eve"  # type: ignore[misc]

    def test_does_not_show_its_digests(self) -> None:
        """
        The digests are not in ``repr``: it ends up in logs.
        """
        self.assertNotIn("0123456789", repr(Extension(number="1001", name="Ada", digests={"MD5": "0123456789"})))

    def test_equal_by_value(self) -> None:
        """
        Two extensions are equal when all is equal, the digests included; and they can be in a set.
        """
        ada = Extension(number="1001", name="Ada", digests={"MD5": "aa"})
        self.assertEqual(ada, Extension(number="1001", name="Ada", digests={"MD5": "aa"}))
        self.assertNotEqual(ada, evolve(ada, digests={"MD5": "bb"}))
        self.assertEqual(len({ada, evolve(ada)}), 1)
