"""
Tests of :mod:`pbx.ops.mail` and :mod:`pbx.ops.letter`, over a real SMTP server and a real database.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import time
from pathlib import Path

import numpy as np
import soundfile

from pbx.ops.letter import Letterhead
from pbx.ops.mail import MailError, MailSender, TestLetter
from pbx.ops.mail_server import SmtpServer
from pbx.store.mail import MailOutbox
from tests.features.voicemail.contract import RATE
from tests.ops.post import HEAD, MailTestCase
from tests.wire.process import eventually, reactor


class MailTests(MailTestCase):
    """
    A mail about a message, on its way.
    """

    async def test_sent(self) -> None:
        """
        A mail has the caller and the duration in its subject, the text twice, and the audio as it is in the file.
        """
        self.serve()
        path = await self.queue()
        await self.sender()
        self.assertEqual(await self.until("sent", 1), "")
        (mail,) = self.post.mails
        self.assertEqual(mail["Subject"], "Voicemail from Eve \N{SNOWMAN} <1005> (0:02)")
        self.assertEqual((mail["From"], mail["To"]), ("The exchange <pbx@example.com>", "ann@example.com"))
        (queued,) = await self.outbox.list()
        self.assertEqual(mail["Message-ID"], f"<{queued.id}@example.com>")
        plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert plain is not None
        assert html is not None
        self.assertIn("Eve \N{SNOWMAN} <1005> left a message in mailbox 1001.", plain.get_content())
        self.assertIn("Eve \N{SNOWMAN} &lt;1005&gt; left a message", html.get_content())
        (audio,) = mail.iter_attachments()
        self.assertEqual((audio.get_content_type(), audio.get_filename()), ("audio/wav", "voicemail.wav"))
        self.assertEqual(audio.get_content(), path.read_bytes())
        self.assertEqual(list(self.marks.iterdir()), [])

    async def test_other_formats(self) -> None:
        """
        The audio can go as FLAC, which loses nothing, or as MP3, which is small.
        """
        self.serve()
        path = await self.queue()
        for name, kind in (("flac", "audio/flac"), ("mp3", "audio/mpeg")):
            head = Letterhead("pbx@example.com", "", name)  # type: ignore[arg-type]
            sender = MailSender(
                reactor, self.outbox, SmtpServer("127.0.0.1", self.port, use_tls=False), head, folder=self.folder,
                marks=self.marks, wall=time.time,
            )
            await sender.start()
            await self.until("sent", 1)
            await sender.stop()
            (audio,) = self.post.mails[-1].iter_attachments()
            self.assertEqual(audio.get_content_type(), kind)
            copy = Path(self.mktemp()).with_suffix(f".{name}")
            copy.write_bytes(audio.get_content())
            heard, rate = soundfile.read(copy, dtype="int16")
            original = soundfile.read(path, dtype="int16")[0]
            self.assertEqual(rate, RATE)
            if name == "flac":
                self.assertTrue(np.array_equal(heard, original))
            self.assertLess(abs(len(heard) / rate - 2.0), 0.2)
            await self.database.execute("UPDATE mail SET state = 'queued', attempts = 0")

    async def test_without_audio(self) -> None:
        """
        The audio stays away when the mailbox wants that, and when it is not there any more, which the text tells.
        """
        self.serve()
        await self.queue("a" * 32, attach=False)
        (await self.queue("b" * 32)).unlink()
        await self.sender()

        async def both() -> bool:
            return len(self.post.taken) == 2

        await eventually(both, within=5, what="both mails", interval=0.02)
        bodies = [mail.get_body(("plain",)) for mail in self.post.mails]
        self.assertEqual([list(mail.iter_attachments()) for mail in self.post.mails], [[], []])
        self.assertEqual(["deleted" in body.get_content() for body in bodies if body], [False, True])

    async def test_server_down_then_up(self) -> None:
        """
        While the server is down a mail waits, with the reason; when it is up it is sent, once.
        """
        sender = await self.sender()
        await self.queue()
        self.assertIn("refused", await self.until("queued", 1))
        (mail,) = await self.outbox.list()
        self.assertLess(abs((mail.due - mail.queued).total_seconds() - 60), 5)
        self.serve()
        await self.make_due()
        await self.until("sent", 2)
        self.assertEqual((len(self.post.taken), sender.sent, sender.refused), (1, 1, 1))

    async def test_temporary_refusal(self) -> None:
        """
        After 4xx a mail is tried again, whether it was the recipient or the mail that was refused, with the same
        Message-ID.
        """
        self.serve()
        self.post.to_recipient = ["450 mailbox busy"]
        self.post.to_mail = ["451 try later"]
        await self.sender()
        await self.queue()
        self.assertEqual(await self.until("queued", 1), "450 mailbox busy")
        await self.make_due()
        self.assertEqual(await self.until("queued", 2), "451 try later")
        (mail,) = await self.outbox.list()
        self.assertLess(abs((mail.due - dt.datetime.now(dt.UTC)).total_seconds() - 120), 5)
        await self.make_due()
        await self.until("sent", 3)
        self.assertEqual([each["Message-ID"] for each in self.post.mails], [f"<{mail.id}@example.com>"])

    async def test_permanent_refusal(self) -> None:
        """
        After 5xx a mail has failed, with what the server said; the operator may have it tried again.
        """
        self.serve()
        self.post.to_recipient = ["550 no such user here"]
        await self.sender()
        await self.queue()
        self.assertEqual(await self.until("failed", 1), "550 no such user here")
        (mail,) = await self.outbox.list()
        self.assertTrue(await self.outbox.retry(mail.id))
        await self.until("sent", 1)
        self.assertEqual((len(self.post.taken), await self.outbox.retry(mail.id)), (1, False))

    async def test_given_up(self) -> None:
        """
        What could not be sent for three days has failed.
        """
        await self.queue()
        await self.database.execute("UPDATE mail SET since = now() - interval '3 days 1 minute'")
        await self.sender()
        self.assertIn("refused", await self.until("failed", 1))

    async def test_backoff(self) -> None:
        """
        The time between two tries doubles up to an hour.
        """
        await self.queue()
        waits = []
        for _ in range(9):
            mail = await self.outbox.claim()
            assert mail is not None
            await self.outbox.again(mail.id, "why")
            ((wait,),) = [
                tuple(row.values())
                for row in await self.database.query("SELECT extract(epoch FROM due - now())::float8 FROM mail")
            ]
            waits.append(round(wait / 60))
            await self.make_due()
        self.assertEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60])

    async def test_claimed_once(self) -> None:
        """
        A mail that one node sends is not sent by another, unless that has had it for too long.
        """
        await self.queue()
        there = MailOutbox(self.database, "there")
        self.assertIsNotNone(await self.outbox.claim())
        self.assertIsNone(await there.claim())
        self.assertEqual(await there.release(), 0)
        await self.database.execute("UPDATE mail SET claimed = now() - interval '16 minutes'")
        self.assertIsNotNone(await there.claim())
        self.assertIsNone(await self.outbox.again((await self.outbox.list())[0].id, "late"))
        self.assertFalse(await self.outbox.delete((await self.outbox.list())[0].id))

    async def test_killed_before_the_server_had_it(self) -> None:
        """
        A mail that was under way when the program was killed is sent after the next start.
        """
        self.serve()
        await self.queue()
        await self.outbox.claim()
        await self.sender()
        await self.until("sent", 2)
        self.assertEqual(len(self.post.taken), 1)

    async def test_killed_after_the_server_had_it(self) -> None:
        """
        A mail that the server has taken is not sent again, though the program was killed before the database knew.
        """
        self.serve()
        await self.queue()
        mail = await self.outbox.claim()
        assert mail is not None
        self.marks.mkdir()
        (self.marks / mail.id).touch()
        await self.sender()
        await self.until("sent", 1)
        self.assertEqual((self.post.taken, list(self.marks.iterdir())), ([], []))

    async def test_database_gone_when_the_server_has_it(self) -> None:
        """
        A mail whose 250 comes while the database is away is marked as sent when it is back, and not sent again.
        """
        pid = await self.server.pid()
        self.post.after = lambda: os.kill(pid, signal.SIGKILL)
        self.serve()
        await self.sender()
        await self.queue()

        async def gone() -> bool:
            return not self.database.up

        async def there() -> bool:
            return self.database.up

        await eventually(gone, within=8, what="the end of the database", interval=0.005)
        self.post.after = lambda: None
        await eventually(there, within=8, what="the database", interval=0.02)
        await self.until("sent", 1)
        self.assertEqual((len(self.post.taken), list(self.marks.iterdir())), (1, []))

    async def test_deleted_when_mailed(self) -> None:
        """
        A mailbox may have its messages deleted once their mail was sent.
        """
        self.serve()
        await self.queue()
        await self.database.execute("INSERT INTO mailbox (number, after_mail) VALUES ('1001', 'delete')")
        await self.database.execute(
            "INSERT INTO voicemail (id, mailbox, state, caller, caller_name, received) VALUES (%s, '1001', 'ready', '',"
            " '', now())",
            ("a" * 32,),
        )
        await self.sender()
        await self.until("sent", 1)
        rows = await self.database.query("SELECT deleted IS NOT NULL AS deleted FROM voicemail")
        self.assertEqual(rows, [{"deleted": True}])

    async def test_test_mail(self) -> None:
        """
        A test mail is sent at once, or it is said why not; there is no trace of it in the outbox.
        """
        sender = await self.sender()
        with self.assertRaisesRegex(MailError, f"127.0.0.1:{self.port}: .*refused"):
            await sender.test(TestLetter("t1", "ann@example.com"))
        self.serve()
        await sender.test(TestLetter("t1", "ann@example.com"))
        self.assertEqual([mail["To"] for mail in self.post.mails], ["ann@example.com"])
        self.assertEqual(list(await self.outbox.list()), [])
        off = MailSender(reactor, self.outbox, None, HEAD, folder=self.folder, marks=self.marks, wall=time.time)
        with self.assertRaisesRegex(MailError, "voicemail.smtp.host is not set"):
            await off.test(TestLetter("t1", "ann@example.com"))
