"""
An SMTP server for tests, and what the tests of mail have in common.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from twisted.internet.defer import Deferred

from pbx.features.voicemail.mail import Letters
from pbx.features.voicemail.mailboxes import Mailbox, Message
from pbx.ops.letter import Letterhead
from pbx.ops.mail import MailSender
from pbx.ops.mail_server import SmtpServer
from pbx.store import mail as store
from pbx.store.mail import MailOutbox
from tests.features.voicemail.contract import write_wav
from tests.store.case import DatabaseTestCase
from tests.wire.ports import free_ports
from tests.wire.process import eventually, reactor

run = Deferred.fromCoroutine

# Else a client that breaks off on purpose fills the terminal.
logging.getLogger("mail.log").addHandler(logging.NullHandler())
HEAD = Letterhead("pbx@example.com", "The exchange")


class Post:
    """
    What the SMTP server does with mail: it keeps it, or answers as told.

    Attributes:
        taken: The mails it took, as their bytes.
        answers: What it answers to the next recipients and mails, one by one; then it takes them.
    """

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.to_recipient: list[str] = []
        self.to_mail: list[str] = []
        self.after: Any = lambda: None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        """
        A recipient.
        """
        if self.to_recipient:
            return self.to_recipient.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """
        A mail.
        """
        if self.to_mail:
            return self.to_mail.pop(0)
        self.taken.append(envelope.original_content or envelope.content)
        self.after()
        return "250 OK"

    @property
    def mails(self) -> list[EmailMessage]:
        """
        The mails, read.
        """
        return [message_from_bytes(each, policy=policy.default) for each in self.taken]  # type: ignore[misc]


class MailTestCase(DatabaseTestCase):
    """
    An outbox in the database, a sender, and an SMTP server that is not running yet.
    """

    async def setUp(self) -> None:
        """
        An outbox, a server, and a sender between them.
        """
        await DatabaseTestCase.setUp(self)
        self.folder = Path(self.mktemp())
        self.marks = Path(self.mktemp())
        self.outbox = MailOutbox(self.database, "here")
        self.post = Post()
        self.port = free_ports()
        self.patch(store, "FIRST_WAIT", 60)

    def serve(self, **options: Any) -> None:
        """
        Start the server.
        """
        controller = Controller(self.post, hostname="127.0.0.1", port=self.port, **options)  # type: ignore[no-untyped-call]
        controller.start()  # type: ignore[no-untyped-call]
        self.addCleanup(controller.stop)

    async def sender(self, **server: Any) -> MailSender:
        """
        A started sender, stopped with the test.
        """
        place = SmtpServer(**{"host": "127.0.0.1", "port": self.port, "use_tls": False, **server})
        sender = MailSender(
            reactor, self.outbox, place, HEAD, folder=self.folder, marks=self.marks, wall=time.time
        )
        await sender.start()
        self.addCleanup(lambda: run(sender.stop()))
        return sender

    async def queue(self, message: str = "a" * 32, *, seconds: float = 2.0, **mailbox: Any) -> Path:
        """
        Queue the mail about a message; its audio.
        """
        path = self.folder / "1001" / f"{message}.wav"
        write_wav(path, seconds)
        kept = Message(
            message, "1001", "1005", "Eve \N{SNOWMAN}", dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC), path, seconds
        )
        letter = Letters(lambda _: "ann@example.com").compose(kept, Mailbox("1001", **mailbox))
        assert letter is not None
        await self.database.interact(lambda transaction: store.queue(transaction, letter))
        return path

    async def state(self) -> tuple[str, int, str]:
        """
        State, attempts and reason of the only mail.
        """
        (mail,) = await self.outbox.list()
        return mail.state, mail.attempts, mail.reason

    async def until(self, state: str, attempts: int) -> str:
        """
        Wait for a state; the reason.
        """

        async def reached() -> bool:
            return (await self.state())[:2] == (state, attempts)

        await eventually(reached, within=10, what=f"a mail that is {state}", interval=0.02)
        return (await self.state())[2]

    async def make_due(self) -> None:
        """
        Let the time until the next try pass.
        """
        await self.database.execute("UPDATE mail SET due = now()")
