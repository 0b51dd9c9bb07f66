"""
Sending mail: what waits in the outbox goes to the operator's SMTP server, each mail once.

A mail is claimed in the database, handed to the server, and marked as sent in that order. When the server has taken it
(its 250) a file of that name is made at once, and the mark in the database follows: a program that is killed in between
finds the file at its next start, and a database that is away in between is told later. What is left is the moment from
the server's decision to our making the file, mostly the way of the 250 through the network: a mail that is under way
when the program is killed just then is sent again, since one lost would be worse. It has the same Message-ID, by which
mail systems recognise it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import frozen
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from pbx.ops.letter import Letterhead, written
from pbx.ops.mail_server import NotSentError
from pbx.store.database import DatabaseDown, DatabaseError
from pbx.store.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pbx.ops.mail_server import SmtpServer
    from pbx.store.mail import MailOutbox, QueuedMail

AGAIN: Final = 5.0
"""Seconds until the outbox is looked at again after it could not be."""

LONGEST_SLEEP: Final = 600.0
"""Seconds after which the outbox is looked at in any case: another node may have left something."""

STOP_SECONDS: Final = 3.0
"""How long the mail under way may take when the program stops."""

HOUSEKEEPING: Final = 3600.0
"""Seconds between two looks for mails that need not be shown any more."""

class MailError(Exception):
    """
    A mail could not be sent; the text is what the operator needs to know.
    """


@frozen
class TestLetter:
    """
    A mail that only shows that mail works.

    Attributes:
        id: Stands in its Message-ID.
        recipient: The address.
    """

    id: str
    recipient: str
    subject: str = "Test mail of the telephone exchange"
    body: str = "Mail from the telephone exchange arrives: voicemail can be sent to this address.\n"
    html: str | None = None
    attachment: str | None = None


class MailSender:
    """
    Sends what waits in the outbox, one mail after the other.

    Args:
        reactor: The reactor (time, connections, threads).
        outbox: The mails.
        server: Where to; ``None`` when there is none, and mail waits.
        letterhead: What every mail has in common.
        folder: ``<data>/voicemail``, where attachments are.
        marks: A folder for the marks of mails that the server has taken.
        wall: The time of day in seconds since 1970.
        keep_days: Days for which mails that were sent are shown.

    Attributes:
        sent: Mails that the server took.
        refused: Tries that failed.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        outbox: MailOutbox,
        server: SmtpServer | None,
        letterhead: Letterhead,
        *,
        folder: Path,
        marks: Path,
        wall: Callable[[], float],
        keep_days: int = 90,
    ) -> None:
        self._reactor = reactor
        self._outbox = outbox
        self._server = server
        self._letterhead = letterhead
        self._folder = folder
        self._marks = marks
        self._wall = wall
        self._keep_days = keep_days
        self._unsaid: set[str] = set()
        self._released = self._stopping = False
        self._tidied = float("-inf")
        self._worker = Worker(reactor, self._work, "send mail")
        self.sent = self.refused = 0

    async def start(self) -> None:
        """
        Take up what an earlier run left, and send what comes from now on.
        """
        await self._in_thread(lambda: self._marks.mkdir(mode=0o700, parents=True, exist_ok=True))
        await self._outbox.watch(lambda: self._worker.soon(0))
        self._worker.soon(0)

    async def stop(self) -> None:
        """
        Send nothing any more; the mail under way may end.
        """
        self._stopping = True
        self._worker.stop()
        await self._worker.settle(STOP_SECONDS, again=False)

    def reconfigure(self, server: SmtpServer | None, letterhead: Letterhead, keep_days: int) -> None:
        """
        Send to another server, in another form, from the next mail on; what waits is tried at once.
        """
        if (server, letterhead, keep_days) != (self._server, self._letterhead, self._keep_days):
            self._server, self._letterhead, self._keep_days = server, letterhead, keep_days
            self._worker.soon(0)

    async def test(self, letter: TestLetter) -> None:
        """
        Send a mail here and now.

        Raises:
            MailError: It could not be sent; why.
        """
        if self._server is None:
            raise MailError("There is no mail server: voicemail.smtp.host is not set.")
        try:
            await self._deliver(letter)
        except (NotSentError, OSError) as error:
            raise MailError(f"{self._server.host}:{self._server.port}: {error}") from error

    async def _work(self) -> None:
        try:
            await self._tell_taken()
            if not self._released:
                count = await self._outbox.release()
                self._released = True
                if count:
                    self.log.info("{count} mails that were under way are sent again", count=count)
            await self._tidy()
            if self._server is None:
                return
            while not self._stopping:
                mail = await self._outbox.claim()
                if mail is None:
                    break
                await self._send(mail)
            seconds = await self._outbox.seconds_until_next()
            self._worker.soon(LONGEST_SLEEP if seconds is None else min(seconds + 0.05, LONGEST_SLEEP))
        except DatabaseDown:
            # Again when it is back.
            return
        except DatabaseError as error:
            self.log.warn("Mail waits, tried again in {s:.0f} s: {error}", s=AGAIN, error=error)
            self._worker.soon(AGAIN)

    async def _send(self, mail: QueuedMail) -> None:
        try:
            await self._deliver(mail, lambda: self._taken(mail.id))
        except Exception as error:  # noqa: BLE001 - the border: whatever it is, the mail is tried again
            if mail.id in self._unsaid:
                # It was taken; what failed came after that.
                await self._tell_taken()
                return
            if not isinstance(error, NotSentError | OSError):
                self.log.failure("Mail to {recipient} could not be written", recipient=mail.recipient)
            self.refused += 1
            await self._not_sent(mail, str(error), permanent=isinstance(error, NotSentError) and error.permanent)
            return
        self.sent += 1
        await self._tell_taken()
        self.log.info("Mail to {recipient} sent: {subject}", recipient=mail.recipient, subject=mail.subject)

    async def _not_sent(self, mail: QueuedMail, reason: str, *, permanent: bool) -> None:
        if permanent:
            await self._outbox.failed(mail.id, reason)
        elif await self._outbox.again(mail.id, reason) != "failed":
            self.log.warn(
                "Mail to {recipient} could not be sent, tried again later: {reason}", recipient=mail.recipient,
                reason=reason,
            )
            return
        self.log.error("Mail to {recipient} is given up: {reason}", recipient=mail.recipient, reason=reason)

    async def _deliver(self, mail: QueuedMail | TestLetter, taken: Callable[[], object] = lambda: None) -> None:
        if self._server is None:
            raise ValueError("there is no server to send to")
        # Twisted's mail imports the reactor: not before there is one.
        from pbx.ops.smtp import deliver

        file = await self._in_thread(written, mail, self._letterhead, self._folder, self._wall())
        try:
            await deliver(self._reactor, self._server, self._letterhead.address, mail.recipient, file, taken)
        finally:
            file.close()

    # What the server has taken

    def _mark(self, mail: str) -> Path:
        return self._marks / mail

    def _taken(self, mail: str) -> None:
        # Here and now, not in a thread: it takes some 20 microseconds, and every one counts (see above).
        self._unsaid.add(mail)
        try:
            self._mark(mail).touch(mode=0o600)
        except OSError as error:
            self.log.error("{path} can't be written: {error}", path=str(self._mark(mail)), error=error)

    async def _tell_taken(self) -> None:
        marked = await self._in_thread(lambda: {path.name for path in self._marks.iterdir()})
        for mail in sorted(marked | self._unsaid):
            await self._outbox.sent(mail)
            self._unsaid.discard(mail)
            await self._in_thread(self._mark(mail).unlink, missing_ok=True)

    async def _tidy(self) -> None:
        if self._reactor.seconds() - self._tidied >= HOUSEKEEPING:
            self._tidied = self._reactor.seconds()
            await self._outbox.expire(self._keep_days)

    def _in_thread(self, call: Any, *args: Any, **named: Any) -> Any:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), call, *args, **named)
