"""
Tests of what is said of a mailbox when it is opened (:mod:`pbx.features.voicemail.retrieval`).
"""

from __future__ import annotations

from pbx.features.voicemail.mailboxes import Mailbox
from tests.features.voicemail.test_retrieval import PIN, RetrievalTestCase


class StateTests(RetrievalTestCase):
    """
    1001 opens its mailbox.
    """

    def test_tells_of_shared_mailboxes(self) -> None:
        """
        The lamp of an owner shines for new messages in a shared mailbox too: it is told where they are.
        """
        self.mailboxes.kept["700"] = Mailbox("700", owners=("1001", "1002"))
        self.mailboxes.kept["701"] = Mailbox("701", owners=("1002",))
        self.assertNotIn("vm-for-mailbox", self.call(PIN + " #"))
        for number in ("700", "700", "701"):
            self.left(number=number)
        heard = self.call(PIN + " #")
        start = heard.index("vm-no-messages")
        said = ["vm-you-have", "number-2", "vm-new-messages", "vm-for-mailbox", "digit-7", "digit-0", "digit-0"]
        self.assertEqual(heard[start + 1 : start + 9], [*said, "vm-main-menu"])

    def test_full(self) -> None:
        """
        An owner whose mailbox takes no more messages is told so, before the menu.
        """
        self.left()
        self.assertNotIn("vm-full-owner", self.call(PIN + " #"))
        self.mailboxes.quota = 1
        heard = self.call(PIN + " #")
        self.assertEqual(heard[heard.index("vm-new-message") + 1 :][:2], ["vm-full-owner", "vm-main-menu"])
