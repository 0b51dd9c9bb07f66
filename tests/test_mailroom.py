"""
Tests of :mod:`pbx.mailroom`: a message on its whole way, from who leaves it to who hears and reads of it.
"""

from __future__ import annotations

import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from twisted.internet.defer import Deferred

from pbx.directory.decision import Destination
from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.mailroom import Mailroom
from pbx.media.terminal import Recording
from pbx.ops.settings import Settings, load
from pbx.tasks import Tasks
from tests.features.visitor import FakeTerminal, Visitor
from tests.features.voicemail.contract import write_wav
from tests.ops.post import Post
from tests.store.case import DatabaseTestCase
from tests.wire.ports import free_ports
from tests.wire.process import eventually, reactor


class Speaking(FakeTerminal):
    """
    A caller who says something.
    """

    async def record(self, path: Path, **options: Any) -> Recording:
        """
        Say it.
        """
        self.said = write_wav(path)
        self.recorded.append(path)
        self.options = options
        return Recording(3.0, "hangup")


class MailroomTests(DatabaseTestCase):
    """
    The whole of voicemail, without calls.
    """

    def settings(self, smtp: str) -> Settings:
        """
        A configuration.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "config.yml").write_text(f"voicemail:\n  smtp: {smtp}\n")
        return load(folder / "config.yml", {}, folder / "data")

    async def room(self, smtp: str) -> Mailroom:
        """
        A started one.
        """
        settings = self.settings(smtp)
        directory = Directory([Extension("1001", "Ann"), Extension("1002", "Bob", email="bob@example.com")])
        room = Mailroom(
            reactor, settings, directory, self.database, Tasks(), time.time,
            lambda number, owner: Destination("extension", number),
        )
        self.counts: list[tuple[Any, ...]] = []
        room.messages.on_counts(lambda mailbox, *counts: self.counts.append((mailbox.number, *counts)))
        await room.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(room.stop()))
        return room

    async def test_whole_way(self) -> None:
        """
        What was said is in the file, in the mail's attachment, and in what the owner hears; the lamp goes on and off.
        """
        post, port = Post(), free_ports()
        controller = Controller(post, hostname="127.0.0.1", port=port)  # type: ignore[no-untyped-call]
        controller.start()  # type: ignore[no-untyped-call]
        self.addCleanup(controller.stop)
        room = await self.room(f"{{host: 127.0.0.1, port: {port}, use_tls: false}}")
        caller = Visitor(destination=Destination("voicemail", "1002"))
        caller.terminal = Speaking()
        await room.kinds["voicemail"].take(caller)

        async def mailed() -> bool:
            return bool(post.taken)

        await eventually(mailed, within=8, what="the mail", interval=0.02)
        (path,) = caller.terminal.recorded
        mail: EmailMessage = message_from_bytes(post.taken[0], policy=policy.default)  # type: ignore[assignment]
        (audio,) = mail.iter_attachments()
        self.assertTrue(audio.get_content().endswith(caller.terminal.said))
        self.assertEqual((mail["To"], mail["Subject"]), ("bob@example.com", "Voicemail from Ann <1001> (0:03)"))
        self.assertTrue(mail["From"].startswith("Voicemail <voicemail@"))
        owner = Visitor("#1 *#", caller="1002", number="*97", destination=Destination("mailbox", "1002"))
        await room.kinds["mailbox"].take(owner)
        self.assertIn(str(path), owner.terminal.heard)
        self.assertEqual(self.counts, [("1002", 1, 0, 0, 0), ("1002", 0, 1, 0, 0)])
        (mail_kept,) = await room.mails.list()
        self.assertEqual(mail_kept.attempts, 1)

    async def test_other_settings(self) -> None:
        """
        A mail server that is named in the running exchange gets the mail about the next message, and other limits hold
        for it; a certificate that can't be read is told before anything changes.
        """
        post, port = Post(), free_ports()
        controller = Controller(post, hostname="127.0.0.1", port=port)  # type: ignore[no-untyped-call]
        controller.start()  # type: ignore[no-untyped-call]
        self.addCleanup(controller.stop)
        room = await self.room("{}")
        self.assertRaises(OSError, room.prepare, self.settings("{host: 127.0.0.1, ca_file: none.pem}"))
        smtp = f"{{host: 127.0.0.1, port: {port}, use_tls: false}}\n  email: {{from_name: House}}"
        elsewhere = "\nsite: {time_zone: Asia/Kathmandu}\nstar_codes: {voicemail: '*55'}"
        more = "\n  max_length: 77\n  min_length: 1\n  retention_days: 3\n  deleted_days: 4\n  quota: 9"
        room.prepare(self.settings(smtp + more + elsewhere))()
        self.assertEqual(str(room.kinds["mailbox"].zone), "Asia/Kathmandu")
        expired: list[Any] = []

        async def expire(*days: Any) -> int:
            expired.append(days)
            return 0

        self.patch(room.messages, "expire", expire)
        await room._retention.run()
        self.assertEqual((expired, room.messages.shortest, room.mailboxes.quota), ([(3, 4)], 1, 9))
        caller = Visitor(destination=Destination("voicemail", "1002"))
        caller.terminal = Speaking()
        await room.kinds["voicemail"].take(caller)

        async def mailed() -> bool:
            return bool(post.taken)

        await eventually(mailed, within=8, what="the mail", interval=0.02)
        mail: EmailMessage = message_from_bytes(post.taken[0], policy=policy.default)  # type: ignore[assignment]
        self.assertTrue(mail["From"].startswith("House <voicemail@"))
        body = mail.get_body(("plain",))
        assert body is not None
        text = body.get_content()
        self.assertIn("+0545", text)
        self.assertIn("Dial *55 to hear it by phone.", text)
        self.assertEqual(caller.terminal.options["longest"], 77)

    async def test_no_mail_server(self) -> None:
        """
        Without a mail server messages are left and heard, and no mail waits for ever.
        """
        room = await self.room("{}")
        caller = Visitor(destination=Destination("voicemail", "1002"))
        caller.terminal = Speaking()
        await room.kinds["voicemail"].take(caller)

        async def there() -> bool:
            return bool(await room.messages.list("1002"))

        await eventually(there, within=8, what="the message", interval=0.02)
        self.assertEqual(list(await room.mails.list()), [])
