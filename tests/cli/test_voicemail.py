"""
Tests for :mod:`pbx.cli.voicemail`.
"""

from __future__ import annotations

import json

from pbx.ops.mail import MailError
from pbx.web.mail import MailResource
from tests.cli.case import CommandCase, Typing
from tests.web.client import FakeAudit
from tests.web.test_mail import Mails, Sender
from tests.web.test_voicemail import VoicemailCase


class VoicemailTests(Typing, VoicemailCase):
    """
    ``pbxctl voicemail``.
    """

    def setUp(self) -> None:
        super().setUp()
        self.serve(self.resource)

    def test_list_and_show(self) -> None:
        """
        Mailboxes are listed, then the messages of one, with what became of their mail.
        """
        self.assertEqual(self.type("voicemail list 1001"), "There are no such messages.")
        message = self.left()
        found = [(row[0], row[2]) for row in self.rows("voicemail list")]
        self.assertEqual(found, [("1001", "1"), ("1002", "0")])
        [row] = self.rows("voicemail list 1001 --folder new")
        self.assertEqual((row[0], row[3:]), (message.id, ["1005", "Eve", "3.0", "new", "no", "sent"]))
        self.assertIn("caller: 1005", self.type(f"voicemail show 1001 {message.id}"))
        self.assertIn("has pin: no", self.type("voicemail show 1001"))
        self.assertEqual(json.loads(self.type("voicemail list 1001 --json"))["messages"][0]["id"], message.id)
        self.assertIn("There is no mailbox 1999", self.refused("voicemail show 1999"))

    def test_delete(self) -> None:
        """
        A message is deleted, and the second time for good.
        """
        message = self.left()
        self.assertIn("was deleted", self.type(f"voicemail delete 1001 {message.id}"))
        self.assertEqual(self.rows("voicemail list 1001 --deleted")[0][0], message.id)
        self.assertIn("gone for good", self.type(f"voicemail delete 1001 {message.id}"))
        self.assertIn("There is no message", self.refused(f"voicemail delete 1001 {message.id}"))

    def test_pin(self) -> None:
        """
        A PIN is asked for, refused when it is easy, and taken away.
        """
        self.assertEqual(self.type("voicemail pin 1001", "739154"), "Mailbox 1001 has a new PIN.")
        self.assertEqual(self.rows("voicemail list")[0][4], "yes")
        self.assertIn("too easy", self.refused("voicemail pin 1001", "1234"))
        self.assertEqual(self.type("voicemail pin 1001 --remove"), "Mailbox 1001 has no PIN any more.")
        self.assertEqual(self.rows("voicemail list")[0][4], "no")


class MailTests(CommandCase):
    """
    ``pbxctl mail``.
    """

    def setUp(self) -> None:
        self.mails, self.sender = Mails(), Sender()
        self.serve(MailResource(self.mails, self.sender, FakeAudit()))

    def test_mail(self) -> None:
        """
        Mails are listed with what became of them, and sent again.
        """
        row = self.type("mail list --state failed --limit 5").splitlines()[1]
        self.assertRegex(row, r"^a1 .* ann@example.com  failed  3 .*550 no such user$")
        self.assertEqual(self.mails.asked, [("failed", None, 5)])
        self.assertEqual(self.type("mail retry a1"), "The mail to ann@example.com is sent again.")
        self.assertIn("queued", self.refused("mail retry a1"))

    def test_test(self) -> None:
        """
        A test mail is sent, or it is said why not.
        """
        self.assertEqual(self.type("mail test ann@example.com"), "A test mail was sent to ann@example.com.")
        self.sender.error = MailError("Connection refused")
        self.assertIn("Connection refused", self.refused("mail test ann@example.com"))
