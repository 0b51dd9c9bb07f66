"""
Tests for :mod:`pbx.audio.wording`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.wording import NAME, WordingError, read


class ReadTests(SynchronousTestCase):
    """
    The text file of a language.
    """

    def test_prompts(self) -> None:
        """
        Each line is a name and its words, in the order of the file; words may hold colons.
        """
        text = "# Greetings\n\nvm-hello: Hello: it is me.\nabc:  x \n"
        self.assertEqual(list(read(text).items()), [("vm-hello", "Hello: it is me."), ("abc", "x")])

    def test_mistakes(self) -> None:
        """
        What is no prompt is named by its line.
        """
        for line, said in (
            ("hello", "line 2 is no"),
            ("hello:", "line 2 is no"),
            ("Hello: x", "Hello is no name"),
            ("../x: y", "is no name"),
            ("a: again", "line 2: a has been said before"),
        ):
            error = self.assertRaises(WordingError, read, f"a: b\n{line}\n")
            self.assertIn(said, str(error))

    def test_names(self) -> None:
        """
        A name is small letters, digits and hyphens, up to 64, and neither begins nor ends with a hyphen.
        """
        for good in ("a", "a-b", "vm-press-1-old", "x" * 64):
            self.assertTrue(NAME.fullmatch(good))
        for bad in ("", "-a", "a-", "a_b", "a.b", "a/b", "A", "x" * 65, "a\n"):
            self.assertFalse(NAME.fullmatch(bad))
