"""
Voicemail put together: mailboxes, the messages in them, and the mail about them.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pbx.directory.opening import zone
from pbx.features.voicemail.deposit import Deposit
from pbx.features.voicemail.mail import Letters
from pbx.features.voicemail.mailboxes import Mailbox, Message, VoicemailSettings
from pbx.features.voicemail.retention import Retention
from pbx.features.voicemail.retrieval import Retrieval
from pbx.ops.letter import Letterhead
from pbx.ops.mail import MailSender
from pbx.ops.mail_server import SmtpServer
from pbx.store.mail import MailOutbox
from pbx.store.mailboxes import Mailboxes
from pbx.store.voicemail import Voicemail

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.directory.decision import Destination
    from pbx.directory.directory import Directory
    from pbx.features.mail import Mail
    from pbx.ops.settings import Settings
    from pbx.store.database import Database
    from pbx.tasks import Tasks


class Mailroom:
    """
    Everything about voicemail.

    Args:
        reactor: Time, threads and connections.
        settings: What the operator decided.
        directory: The extensions.
        database: Where all is kept but the audio.
        tasks: Where what nobody awaits runs.
        wall: The wall clock.
        lead: Where a number leads that a caller is sent on to on behalf of an extension; ``None`` for nowhere.

    Attributes:
        mailboxes: The mailboxes; as a container, the numbers of those that were configured.
        messages: The messages.
        mails: The mail that waits, and what became of it.
        sender: What sends it.
        kinds: By kind of destination, who serves it.

    Raises:
        OSError: The certificate of the mail server's authority can't be read.
    """

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        directory: Directory,
        database: Database,
        tasks: Tasks,
        wall: Callable[[], float],
        lead: Callable[[str, str], Destination | None],
    ) -> None:
        self._directory = directory
        voicemail, folder = settings.voicemail, settings.data / "voicemail"
        server = _server(settings)
        self._letters = self._letters_to(server, settings)
        self.mailboxes = Mailboxes(reactor, database, directory, folder)
        self.mailboxes.quota = voicemail.quota
        self.messages = Voicemail(
            reactor, database, self.mailboxes, wall, compose=self._compose, shortest=voicemail.min_length
        )
        self.mails = MailOutbox(database, f"{socket.gethostname()}:{settings.data}")
        self.sender = MailSender(
            reactor, self.mails, server, _head(settings), folder=folder, marks=settings.data / "spool" / "mail",
            wall=wall, keep_days=voicemail.email.keep_days,
        )
        self._retention = Retention(
            reactor, self.messages, tasks, days=voicemail.retention_days, deleted_days=voicemail.deleted_days
        )

        self._deposit = Deposit(self.mailboxes, self.messages, tasks, _limits(settings), lead)
        self._retrieval = Retrieval(self.mailboxes, self.messages, wall, lead, zone(settings.plan.site.time_zone))
        self.kinds: dict[str, Any] = {
            "voicemail": self._deposit,
            "mailbox": self._retrieval,
        }

    def prepare(self, settings: Settings) -> Callable[[], None]:
        """
        Get ready to go by other settings, which may be done in a thread.

        Returns:
            What goes over to them: callers who leave a message now do so as they began.

        Raises:
            OSError: The certificate of the mail server's authority can't be read.
        """
        server, voicemail = _server(settings), settings.voicemail
        letters = self._letters_to(server, settings)

        def put() -> None:
            self._letters = letters
            self._retrieval.zone = zone(settings.plan.site.time_zone)
            self.messages.shortest = voicemail.min_length
            self.mailboxes.quota = voicemail.quota
            self.sender.reconfigure(server, _head(settings), voicemail.email.keep_days)
            self._retention.reconfigure(days=voicemail.retention_days, deleted_days=voicemail.deleted_days)
            self._deposit.reconfigure(_limits(settings))

        return put

    async def start(self) -> None:
        """
        Read what is kept, save what an earlier run left, and begin to send mail.
        """
        await self.mailboxes.start()
        await self.messages.start()
        await self.sender.start()
        self._retention.start()

    async def stop(self) -> None:
        """
        Bring what waits to where it belongs.
        """
        self._retention.stop()
        await self.sender.stop()
        await self.messages.stop()
        await self.mailboxes.stop()

    def _letters_to(self, server: SmtpServer | None, settings: Settings) -> Letters | None:
        if server is None:
            return None
        return Letters(self._address, self._name, zone(settings.plan.site.time_zone), settings.star_codes)

    def _compose(self, message: Message, mailbox: Mailbox) -> Mail | None:
        return None if self._letters is None else self._letters.compose(message, mailbox)

    def _address(self, number: str) -> str | None:
        extension = self._directory.extension(number)
        return None if extension is None else extension.email

    def _name(self, number: str) -> str:
        extension = self._directory.extension(number)
        return "" if extension is None else extension.name


def _head(settings: Settings) -> Letterhead:
    email = settings.voicemail.email
    return Letterhead(email.from_address or f"voicemail@{settings.server_name}", email.from_name, email.attachment)


def _limits(settings: Settings) -> VoicemailSettings:
    voicemail = settings.voicemail
    return VoicemailSettings(
        longest=voicemail.max_length, shortest=voicemail.min_length, silence=voicemail.silence,
        quota=voicemail.quota, operator=voicemail.operator,
    )


def _server(settings: Settings) -> SmtpServer | None:
    smtp = settings.voicemail.smtp
    if smtp.host is None:
        return None
    authority = None
    if smtp.ca_file is not None:
        # Relative to the configuration, like every path in it.
        authority = (settings.file.parent / Path(smtp.ca_file).expanduser()).read_bytes()
    return SmtpServer(smtp.host, smtp.port, smtp.username, smtp.password, smtp.use_tls, authority)
