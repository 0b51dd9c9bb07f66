"""
Tests of :mod:`pbx.features.follow_me`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.english import English
from pbx.audio.phrases import digits
from pbx.calls.outbound import CallerIdentity
from pbx.features import follow_me as module
from pbx.features.follow_me import ASKED, confirmation, whom
from tests.features.visitor import FakeTerminal, run

ANN = CallerIdentity("1001", "Ann")


class Backwards(English):
    """
    A language that says numbers from their end.
    """

    def telephone(self, number: str) -> list[str]:
        """
        The last digit first.
        """
        return super().telephone(number)[::-1]


class ConfirmationTests(SynchronousTestCase):
    """
    Whoever picks up is asked.
    """

    def asked(self, keys: str) -> bool:
        """
        Pick up.
        """
        self.terminal = FakeTerminal(keys)
        answer: bool = run(confirmation(ANN, "1002")(self.terminal))  # type: ignore[arg-type]
        return answer

    def test_accepted(self) -> None:
        """
        1 takes the call, during the question or behind it.
        """
        self.assertTrue(self.asked("1"))
        self.assertEqual(self.terminal.heard, ["call-from"])
        self.assertTrue(self.asked(" 1"))

    def test_says_who_calls_and_for_whom(self) -> None:
        """
        The question names the caller and the extension that was called.
        """
        self.asked("")
        said = ["call-from", *digits("1001"), "call-for", "call-extension", *digits("1002"), "call-accept"]
        self.assertEqual(self.terminal.heard, said * ASKED)
        terminal = FakeTerminal("")
        run(confirmation(ANN)(terminal))  # type: ignore[arg-type]
        self.assertEqual(terminal.heard[:6], ["call-from", *digits("1001"), "call-accept"])

    def test_language(self) -> None:
        """
        The question is put together as the language of whoever picked up has it.
        """
        self.patch(module, "phrases", lambda language: Backwards() if language == "xx" else English())
        self.terminal = FakeTerminal("")
        self.terminal.language = "xx"
        run(confirmation(ANN)(self.terminal))  # type: ignore[arg-type]
        self.assertEqual(self.terminal.heard[:6], ["call-from", *reversed(digits("1001")), "call-accept"])

    def test_declined(self) -> None:
        """
        2 declines; another key is none; nobody there, or a machine, does not get the call.
        """
        self.assertFalse(self.asked("2"))
        self.assertEqual(self.terminal.heard, ["call-from", "call-declined"])
        self.assertTrue(self.asked("  1"))
        self.assertFalse(self.asked("    1"))
        self.assertTrue(self.asked("5" + "1"))

    def test_who_calls(self) -> None:
        """
        A caller that does not say who it is is not named; a name instead of a number can't be said.
        """
        self.assertEqual(whom(CallerIdentity("1001", "Ann", anonymous=True), "en"), ["call-anonymous-caller"])
        self.assertEqual(whom(CallerIdentity("ann", "Ann"), "en"), ["call-unknown-caller"])
        self.assertEqual(whom(ANN, "en"), digits("1001"))
