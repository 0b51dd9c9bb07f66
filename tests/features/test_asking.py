"""
Tests of :mod:`pbx.features.asking`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.features.asking import ask
from tests.features.visitor import FakeTerminal, run


class AskTests(SynchronousTestCase):
    """
    A caller is asked for keys.
    """

    def test_answers(self) -> None:
        """
        The keys up to #, during the question or behind it; so many at most; none when nothing is pressed.
        """
        for keys, most, answer, left in (
            ("123#4", 20, "123", "4"), (" 123#", 20, "", "123#"), ("123456", 4, "1234", "56"), ("12 3", 20, "12", "3"),
            ("#1", 20, "", "1"), ("51", 1, "5", "1"), ("", 20, "", ""), ("*1#", 20, "*1", ""),
        ):
            terminal = FakeTerminal(keys)
            given = run(ask(terminal, ["question"], most))  # type: ignore[arg-type]
            self.assertEqual((given, "".join(terminal.keys)), (answer, left), keys)
            self.assertEqual(terminal.heard, ["question"])
