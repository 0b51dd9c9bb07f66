"""
Tests for :mod:`pbx.cli.sounds`.
"""

from __future__ import annotations

from pathlib import Path

from pbx.web.music import Music
from pbx.web.prompts import PromptsResource
from tests.cli.case import Typing
from tests.features.test_prompts import SECOND, ShippedCase
from tests.web.client import FakeAudit


class SoundsTests(Typing, ShippedCase):
    """
    ``pbxctl prompts`` and ``pbxctl music``.
    """

    def setUp(self) -> None:
        super().setUp()
        self.serve(PromptsResource(self.prompts, FakeAudit()), Music(self.music, FakeAudit()))
        self.file = Path(self.mktemp())
        self.file.write_bytes(SECOND)

    def test_prompts(self) -> None:
        """
        Prompts are listed, brought as a file and spoken.
        """
        self.assertEqual([row[0] for row in self.rows("prompts list")], ["bye", "hello"])
        self.assertEqual(self.type("prompts list --own"), "There are no such prompts.")
        said = self.type(f"prompts upload hello {self.file}")
        self.assertEqual(said, "Prompt en/hello is there: 1.0 seconds.")
        said = self.type("prompts say closed 'We are closed.'")
        self.assertEqual(said, "Prompt en/closed is there: 3.0 seconds.")
        self.assertEqual([row[0] for row in self.rows("prompts list --own")], ["closed", "hello"])

    def test_music(self) -> None:
        """
        Music is listed and brought, class by class.
        """
        self.assertEqual(self.rows("music list")[0][:3], ["default", "default", "no"])
        said = self.type(f"music upload support soft {self.file}")
        self.assertEqual(said, "Music support/soft is there: 1.0 seconds.")
        self.assertIn(["support", "soft", "yes"], [row[:3] for row in self.rows("music list")])

    def test_refused(self) -> None:
        """
        A file that is not there, one that is no sound, and a language that nobody speaks are refused in words.
        """
        self.assertIn("No such file", self.refused("prompts upload hello /nowhere/hello.wav"))
        self.file.write_bytes(b"no sound")
        self.assertIn("body: ", self.refused(f"music upload support soft {self.file}"))
        self.assertIn("no de", self.refused("prompts say closed 'Geschlossen.' --language de"))
