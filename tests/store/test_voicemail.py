"""
Tests of :mod:`pbx.store.voicemail` and :mod:`pbx.store.mailboxes` on a real server.
"""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from twisted.internet.defer import Deferred

from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.features.recordings import UnusableSoundError
from pbx.features.voicemail.mail import Letters
from pbx.features.voicemail.mailboxes import Counts, Mailbox, MailboxError, Message
from pbx.store.database import Database
from pbx.store.extensions import Extensions
from pbx.store.mail import MailOutbox
from pbx.store.mailboxes import Mailboxes
from pbx.store.voicemail import Voicemail
from tests.features.voicemail.contract import MailboxesContract, MessagesContract, write_wav
from tests.store.case import DatabaseTestCase
from tests.wire.process import eventually, reactor

run = Deferred.fromCoroutine


class VoicemailTestCase(DatabaseTestCase):
    """
    Mailboxes and messages of one node.
    """

    async def setUp(self) -> None:
        """
        Two extensions, of which one has an address.
        """
        await DatabaseTestCase.setUp(self)
        self.directory = Directory([Extension("1001", "Ann", email="ann@example.com"), Extension("1002", "Bob")])
        self.folder = Path(self.mktemp())
        self.mailboxes, self.messages = await self.node(self.database)
        self.told: list[tuple[Any, ...]] = []
        self.messages.on_counts(lambda mailbox, *counts: self.told.append((mailbox.number, *counts)))
        self.mails = MailOutbox(self.database, "here")

    async def node(self, database: Database) -> tuple[Mailboxes, Voicemail]:
        """
        The stores of one node, stopped with the test.
        """
        mailboxes = Mailboxes(reactor, database, self.directory, self.folder)
        messages = Voicemail(reactor, database, mailboxes, time.time, compose=Letters(self.address).compose)
        await mailboxes.start()
        await messages.start()
        self.addCleanup(lambda: run(mailboxes.stop()))
        self.addCleanup(lambda: run(messages.stop()))
        return mailboxes, messages

    def address(self, number: str) -> str | None:
        """
        The address of an extension.
        """
        extension = self.directory.extension(number)
        return None if extension is None else extension.email

    async def wait(self, seconds: float) -> None:
        """
        Let locks grow older.
        """
        await self.database.execute(
            "UPDATE mailbox SET locked_until = locked_until - make_interval(secs => %s)", (seconds,)
        )

    async def begun(self, number: str = "1001") -> Message:
        """
        A message that is being recorded.
        """
        message = await self.messages.begin(Mailbox(number), caller="1005", caller_name="Eve\0", call_id="c")
        write_wav(message.path, told=0.0)
        return message

    async def eventually(self, is_so: Callable[[], bool], what: str) -> None:
        """
        Wait until something is so.
        """

        async def check() -> bool:
            return is_so()

        await eventually(check, within=8, what=what, interval=0.02)

    def sidecars(self) -> list[Path]:
        """
        The documents beside the audio.
        """
        return list(self.folder.glob("*/*.json"))


class ContractTests(MailboxesContract, MessagesContract, VoicemailTestCase):
    """
    What voicemail asks for, kept in the database.
    """

    async def test_settings(self) -> None:
        """
        What is said of a mailbox is known at once, here and at another node; what is not named stays.
        """
        others, _ = await self.node(await self.second())
        await self.mailboxes.put("2000", owners=("1001", "1002"), name="Sales")
        await self.mailboxes.put("2000", quota=5)
        wanted = Mailbox("2000", name="Sales", owners=("1001", "1002"), quota=5)
        self.assertEqual(self.mailboxes.mailbox("2000"), wanted)
        self.assertEqual(wanted.watchers, ("1001", "1002"))
        self.assertTrue("2000" in self.mailboxes and "1001" not in self.mailboxes)
        await self.eventually(lambda: others.mailbox("2000") == wanted, "the settings at another node")
        self.assertTrue(await self.mailboxes.remove("2000"))
        self.assertIsNone(self.mailboxes.mailbox("2000"))
        self.assertFalse(await self.mailboxes.remove("2000"))
        with self.assertRaises(ValueError):
            await self.mailboxes.put("2000", pin="1234")

    async def test_brought_greeting(self) -> None:
        """
        A greeting may be brought in another format, and is kept as WAV; what is no sound changes nothing.
        """
        file = io.BytesIO()
        soundfile.write(file, np.zeros((22050, 2), np.float32), 22050, format="OGG")
        await self.mailboxes.bring_greeting("1001", "busy", file.getvalue())
        path = self.mailboxes.greeting("1001", "busy")
        assert path is not None
        self.assertEqual((soundfile.info(path).format, soundfile.info(path).channels), ("WAV", 1))
        self.assertLess(abs(soundfile.info(path).duration - 1.0), 0.01)
        with self.assertRaises(UnusableSoundError):
            await self.mailboxes.bring_greeting("1001", "name", b"nonsense")
        self.assertIsNone(self.mailboxes.greeting("1001", "name"))
        self.assertEqual(len(list((self.folder / "1001").iterdir())), 1)

    async def test_many_wrong_pins_at_once(self) -> None:
        """
        Ten PINs tried at the same time are no more than five tried one by one.
        """
        await self.mailboxes.set_pin("1001", "4711")
        tries = [run(self.mailboxes.open("1001", "0")) for _ in range(10)]
        self.assertEqual(sorted([await each for each in tries]), ["locked"] * 5 + ["wrong"] * 5)

    async def test_pin_is_not_kept(self) -> None:
        """
        The database has a slow hash, not the PIN.
        """
        await self.mailboxes.set_pin("1001", "4711")
        ((pin,),) = [tuple(row.values()) for row in await self.database.query("SELECT pin FROM mailbox")]
        self.assertTrue(pin.startswith("$argon2id$"))

    async def test_counts_are_told(self) -> None:
        """
        Each change of the counts is told once, here and at another node.
        """
        _, others = await self.node(await self.second())
        heard: list[Any] = []
        others.on_counts(lambda mailbox, *counts: heard.append(counts))
        message = await self.leave(urgent=True)
        await self.messages.list("1001")
        await self.eventually(lambda: heard == [(1, 0, 1, 0)], "the counts at another node")
        await self.messages.move(message, "saved")
        await self.messages.move(message, "saved")
        await self.messages.delete(message)
        self.assertEqual(self.told, [("1001", 1, 0, 1, 0), ("1001", 0, 1, 0, 1), ("1001", 0, 0, 0, 0)])
        await self.eventually(lambda: heard[-1:] == [(0, 0, 0, 0)], "the counts at another node")

    async def test_owners_change(self) -> None:
        """
        Whoever becomes an owner of a shared mailbox is told what is in it, and who was one that it is not theirs.
        """
        await self.mailboxes.put("2000", owners=("1001",))
        await self.leave("2000")
        heard: list[Any] = []
        self.messages.on_counts(lambda mailbox, *counts: heard.append((mailbox.watchers, *counts)))
        self.assertEqual(heard.pop(), (("1001",), 1, 0, 0, 0))
        await self.mailboxes.put("2000", owners=("1002",))
        await self.mailboxes.put("1002", quota=7)
        await self.mailboxes.remove("2000")
        self.assertEqual(heard, [(("1002",), 1, 0, 0, 0), (("2000",), 0, 0, 0, 0)])

    async def test_who_gets_the_number_next(self) -> None:
        """
        With an extension its PIN, its greetings and its part of shared mailboxes go, and its messages as deleted ones:
        whoever gets its number next has none of it.
        """
        extensions = Extensions(reactor, self.database, self.directory, "pbx-1")
        await extensions.start()
        self.addCleanup(lambda: run(extensions.stop()))
        await extensions.add("1003", "Cleo", "SecurePassword123!")
        await self.mailboxes.set_pin("1003", "4711")
        write_wav(self.mailboxes.draft_greeting("1003", "name"))
        await self.mailboxes.keep_greeting("1003", "name")
        await self.mailboxes.put("700", owners=("1001", "1003"))
        await self.mailboxes.put("701", owners=("1003",))
        message = await self.leave("1003")
        await self.leave("701")
        await self.messages.list("1003")
        self.assertTrue(await extensions.remove("1003"))
        await extensions.add("1003", "Dan", "SecurePassword123!")
        await self.eventually(lambda: self.mailboxes.mailbox("1003") == Mailbox("1003"), "an empty mailbox")
        self.assertIsNone(self.mailboxes.greeting("1003", "name"))
        self.assertEqual(await self.mailboxes.open("1003", "4711"), "wrong")
        self.assertEqual(list(await self.messages.list("1003")), [])
        (kept,) = await self.messages.list("1003", deleted=True)
        self.assertEqual(kept.id, message.id)
        await self.eventually(lambda: self.messages.counts("1003") == Counts(), "no lamp")
        self.assertEqual([self.mailboxes.mailbox(each).owners for each in ("700", "701")], [("1001",), ("1003",)])
        self.assertEqual(len(await self.messages.list("701")), 1)

    async def test_a_shared_mailbox_is_removed(self) -> None:
        """
        The messages of a shared mailbox that was removed do not come back with the next one of its number; those of an
        extension stay when the settings of its mailbox are removed.
        """
        await self.mailboxes.put("700", owners=("1001",))
        await self.mailboxes.put("1002", quota=5)
        for number in ("700", "1002"):
            await self.leave(number)
            await self.messages.list(number)
            self.assertTrue(await self.mailboxes.remove(number))
        await self.mailboxes.put("700", owners=("1002",))
        self.assertEqual(list(await self.messages.list("700")), [])
        self.assertEqual(len(await self.messages.list("1002")), 1)

    async def test_mail_is_queued_with_the_message(self) -> None:
        """
        A message has one mail, if its mailbox has an address, and both are there together.
        """
        message = await self.leave()
        await self.leave("1002")
        await self.messages.list("1001")
        (mail,) = await self.mails.list()
        self.assertEqual((mail.message, mail.recipient, mail.state), (message.id, "ann@example.com", "queued"))
        self.assertEqual(mail.subject, "Voicemail from Eve <1005> (0:03)")
        self.assertEqual(mail.attachment, f"1001/{message.id}.wav")
        self.assertEqual(self.sidecars(), [])

    async def test_expired(self) -> None:
        """
        Messages go after the days of their mailbox or of the exchange, deleted ones after fewer, but none whose mail is
        on its way.
        """
        old, older, deleted, mailed = [await self.leave("1002") for _ in range(3)] + [await self.leave("1001")]
        await self.messages.list("1002")
        for message, days in ((old, 40), (older, 100), (mailed, 100)):
            await self.database.execute(
                "UPDATE voicemail SET received = now() - make_interval(days => %s) WHERE id = %s", (days, message.id)
            )
        await self.database.execute(
            "UPDATE voicemail SET deleted = now() - interval '8 days' WHERE id = %s", (deleted.id,)
        )
        self.assertEqual(await self.messages.expire(90, 7), 2)
        self.assertEqual(await self.ids("1002"), [old.id])
        self.assertEqual([each.path.exists() for each in (old, older, deleted, mailed)], [True, False, False, True])
        await self.mailboxes.put("1002", retention_days=30)
        self.assertEqual(await self.messages.expire(None, 7), 1)
        self.assertEqual(self.totals("1002"), (0, 0, 0, 0))


class CrashTests(VoicemailTestCase):
    """
    The end of the program, the database and the disk in the middle of a message.
    """

    async def test_killed_while_recording(self) -> None:
        """
        What was said until the program was killed is offered after the next start, once, with its mail, and its file
        tells how long it is; what is too short for a message is gone.
        """
        message = await self.begun()
        short = await self.messages.begin(Mailbox("1001"), caller="1005", caller_name="", call_id="c")
        write_wav(short.path, 1.0, told=0.0)
        self.assertEqual(len(self.sidecars()), 2)

        async def both() -> bool:
            rows = await self.database.query("SELECT 1 FROM voicemail WHERE state = 'recording'")
            return len(rows) == 2

        await eventually(both, within=8, what="the rows of both", interval=0.02)
        for _ in range(2):
            _, messages = await self.node(self.database)
            (kept,) = await messages.list("1001")
            self.assertEqual((kept.id, kept.seconds, kept.caller_name), (message.id, 3.0, "Eve"))
            self.assertEqual(messages.counts("1001").new, 1)
            self.assertEqual(len(await self.mails.list()), 1)
        self.assertEqual(kept.path.read_bytes()[40:44], (3 * 16000).to_bytes(4, "little"))
        self.assertFalse(short.path.exists())
        self.assertEqual((self.sidecars(), len(await self.database.query("SELECT 1 FROM voicemail"))), ([], 1))

    async def test_killed_before_the_database_had_it(self) -> None:
        """
        A message that was finished while the database was away is there after a start of the program, and is once when
        the program was killed between the row and the removal of what lay beside the audio.
        """
        message = await self.begun()
        beside = message.path.with_suffix(".json")
        saved = beside.with_suffix(".saved")
        shutil.copy(beside, saved)
        await self.messages.finish(message, 3.0)
        await self.messages.list("1001")
        self.assertFalse(beside.exists())
        saved.rename(beside)
        (mail,) = await self.mails.list()
        # It was sent, and forgotten since.
        await self.mails.delete(mail.id)
        _, again = await self.node(self.database)
        self.assertEqual([each.id for each in await again.list("1001")], [message.id])
        self.assertEqual((len(await self.mails.list()), self.sidecars()), (0, []))

    async def test_database_away(self) -> None:
        """
        While the database is away a message can be left and counts; when it is back the message is in the table, once.
        """
        await self.server.kill()
        await self.eventually(lambda: not self.database.up, "the end of the database")
        message = await self.begun()
        await self.messages.finish(message, 3.0, urgent=True)
        self.assertEqual((self.messages.counts("1001").new, self.messages.counts("1001").urgent_new), (1, 1))
        self.assertEqual(self.told, [("1001", 1, 0, 1, 0)])
        with self.assertRaises(MailboxError):
            await self.messages.list("1001")
        self.assertEqual(len(self.sidecars()), 1)
        await self.eventually(lambda: self.database.up, "the database")
        await self.eventually(lambda: not self.sidecars(), "the message in the table")
        self.assertEqual([each.id for each in await self.messages.list("1001")], [message.id])
        self.assertEqual(self.told, [("1001", 1, 0, 1, 0)])
        self.assertEqual(len(await self.mails.list()), 1)

    async def test_disk_full(self) -> None:
        """
        Where nothing can be written a message can't be begun, and nothing is left of it.
        """
        self.folder.mkdir(exist_ok=True)
        (self.folder / "1001").write_text("not a folder")
        with self.assertRaises(OSError):
            await self.begun()
        self.assertEqual((await self.database.query("SELECT 1 FROM voicemail"), self.sidecars()), ([], []))

    async def test_strange_document(self) -> None:
        """
        A document that is none is left where it is, and stops nothing.
        """
        (self.folder / "1001").mkdir(parents=True)
        (self.folder / "1001" / "x.json").write_text("{}")
        message = await self.begun()
        _, messages = await self.node(self.database)
        self.assertEqual([each.id for each in await messages.list("1001")], [message.id])
        self.assertEqual([path.name for path in self.sidecars()], ["x.json"])
