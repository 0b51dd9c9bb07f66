"""
The contract of mailboxes and messages, kept by those in memory.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.features.voicemail.contract import MailboxesContract, MessagesContract
from tests.features.voicemail.memory import MemoryMailboxes, MemoryMessages


class MemoryTests(MailboxesContract, MessagesContract, TestCase):
    """
    What the tests of voicemail stand on.
    """

    def setUp(self) -> None:
        """
        Two mailboxes.
        """
        self.mailboxes = MemoryMailboxes(Path(self.mktemp()), "1001", "1002")
        self.messages = MemoryMessages(self.mailboxes)

    async def wait(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.mailboxes.now += seconds
