"""
Tests of :mod:`pbx.features.voicemail.mail`.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.star_codes import table
from pbx.features.mail import Mail
from pbx.features.voicemail.mail import Letters
from pbx.features.voicemail.mailboxes import Mailbox, Message


class LettersTests(SynchronousTestCase):
    """
    What is written of a message.
    """

    def written(self, mailbox: Mailbox, **more: Any) -> Mail:
        """
        The mail about a message of five seconds, left at noon in UTC.
        """
        at = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
        message = Message("a" * 32, mailbox.number, "1005", "Eve", at, Path("a.wav"), seconds=5)
        letter = Letters(lambda number: "ann@example.com", **more).compose(message, mailbox)
        assert letter is not None
        return letter

    def test_time_of_the_site(self) -> None:
        """
        It tells the time that clocks show where the owner is.
        """
        letter = self.written(Mailbox("1001"), zone=ZoneInfo("Europe/Berlin"))
        self.assertIn("Wednesday, 01 July 2026, 14:00:00 CEST", letter.text)
        self.assertIn("14:00:00 CEST", letter.html or "")

    def test_what_to_dial(self) -> None:
        """
        It tells the code by which the message is heard: of the owner's mailbox, or of a shared one; none where there is
        none.
        """
        codes = table({"voicemail": "*55", "voicemail_of": "*5"})
        shared = Mailbox("700", owners=("1001", "1002"))
        for mailbox, more, said in (
            (Mailbox("1001"), {}, "Dial *97 to hear it"), (shared, {}, "Dial *700 to hear it"),
            (Mailbox("1001"), {"star_codes": codes}, "Dial *55 to hear it"),
            (shared, {"star_codes": codes}, "Dial *5700 to hear it"),
        ):
            letter = self.written(mailbox, **more)
            self.assertIn(said, letter.text)
            self.assertIn(said, letter.html or "")
        for mailbox in (Mailbox("1001"), shared):
            letter = self.written(mailbox, star_codes=table({}))
            self.assertNotIn("Dial", letter.text + (letter.html or ""))
