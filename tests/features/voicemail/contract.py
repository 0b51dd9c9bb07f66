"""
What every place that keeps mailboxes and messages does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from zope.interface.verify import verifyObject

from pbx.features.voicemail.mailboxes import IMailboxes, IMessages, Mailbox, Message
from pbx.media.recorder import header

RATE = 8000


def write_wav(path: Path, seconds: float = 3.0, *, told: float | None = None) -> bytes:
    """
    A recording of noise; its samples.

    Args:
        path: The file.
        seconds: How long it is.
        told: How long its header says it is, when its recording was interrupted.
    """
    pcm = np.random.default_rng(5).integers(-9000, 9000, round(seconds * RATE)).astype("<i2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header(RATE, len(pcm) if told is None else round(told * RATE) * 2) + pcm)
    return pcm


class MailboxesContract:
    """
    Tests of :class:`~pbx.features.voicemail.mailboxes.IMailboxes`, over ``self.mailboxes``, where 1001 and 1002 are.

    Attributes:
        mailboxes: What is tested.
        wait: Lets seconds pass for locks.
    """

    mailboxes: Any
    wait: Any

    async def test_mailboxes_interface(self: Any) -> None:
        """
        It is what voicemail asks for.
        """
        verifyObject(IMailboxes, self.mailboxes)

    async def test_every_extension_has_one(self: Any) -> None:
        """
        A mailbox about which nothing was said is there; without an extension there is none.
        """
        self.assertEqual(self.mailboxes.mailbox("1001"), Mailbox("1001"))
        self.assertIsNone(self.mailboxes.mailbox("1999"))
        self.assertIsNone(self.mailboxes.greeting("1001", "busy"))

    async def test_pin(self: Any) -> None:
        """
        The right PIN opens; another does not; without a PIN, or a mailbox, none does.
        """
        self.assertEqual(await self.mailboxes.open("1001", "4711"), "wrong")
        self.assertEqual(await self.mailboxes.open("1999", "4711"), "wrong")
        await self.mailboxes.set_pin("1001", "4711")
        self.assertTrue(self.mailboxes.mailbox("1001").has_pin)
        self.assertEqual(await self.mailboxes.open("1001", "4712"), "wrong")
        self.assertEqual(await self.mailboxes.open("1001", "4711"), "open")
        await self.mailboxes.set_pin("1001", None)
        self.assertFalse(self.mailboxes.mailbox("1001").has_pin)
        self.assertEqual(await self.mailboxes.open("1001", "4711"), "wrong")

    async def test_lock(self: Any) -> None:
        """
        Five wrong PINs in a row lock one mailbox for 15 minutes, also for the right PIN; a right one in time starts the
        count again; a new PIN opens it.
        """
        await self.mailboxes.set_pin("1001", "4711")
        await self.mailboxes.set_pin("1002", "4711")
        for pins in (["0"] * 4 + ["4711"], ["0"] * 5):
            for pin in pins:
                self.assertEqual(await self.mailboxes.open("1001", pin), "open" if pin == "4711" else "wrong")
        self.assertEqual(await self.mailboxes.open("1001", "4711"), "locked")
        self.assertEqual(await self.mailboxes.open("1002", "4711"), "open")
        await self.wait(14 * 60)
        self.assertEqual(await self.mailboxes.open("1001", "4711"), "locked")
        await self.wait(2 * 60)
        for _ in range(4):
            self.assertEqual(await self.mailboxes.open("1001", "0"), "wrong")
        self.assertEqual(await self.mailboxes.open("1001", "4711"), "open")
        for _ in range(5):
            await self.mailboxes.open("1001", "0")
        await self.mailboxes.set_pin("1001", "2580")
        self.assertEqual(await self.mailboxes.open("1001", "2580"), "open")

    async def test_greeting(self: Any) -> None:
        """
        A greeting is used when it is kept, and not when it was only recorded; dropping it removes its files.
        """
        draft = self.mailboxes.draft_greeting("1001", "busy")
        write_wav(draft, 1.0)
        self.assertIsNone(self.mailboxes.greeting("1001", "busy"))
        await self.mailboxes.keep_greeting("1001", "busy")
        path = self.mailboxes.greeting("1001", "busy")
        self.assertTrue(path.exists())
        self.assertIsNone(self.mailboxes.greeting("1001", "temporary"))
        write_wav(draft, 2.0)
        await self.mailboxes.keep_greeting("1001", "busy")
        self.assertEqual(path.stat().st_size, 44 + 2 * 2 * RATE)
        await self.mailboxes.drop_greeting("1001", "busy")
        self.assertIsNone(self.mailboxes.greeting("1001", "busy"))
        self.assertFalse(path.exists())


class MessagesContract:
    """
    Tests of :class:`~pbx.features.voicemail.mailboxes.IMessages`, over ``self.messages``.
    """

    mailboxes: Any
    messages: Any

    async def leave(self: Any, number: str = "1001", *, urgent: bool = False, caller: str = "1005") -> Message:
        """
        A message of three seconds.
        """
        message = await self.messages.begin(
            self.mailboxes.mailbox(number), caller=caller, caller_name="Eve", call_id="c"
        )
        write_wav(message.path)
        await self.messages.finish(message, 3.0, urgent=urgent)
        return message

    async def ids(self: Any, *args: Any, **named: Any) -> list[str]:
        """
        The ids of what is listed.
        """
        return [each.id for each in await self.messages.list(*args, **named)]

    def totals(self: Any, number: str = "1001") -> tuple[int, int, int, int]:
        """
        The counts.
        """
        counts = self.messages.counts(number)
        return counts.new, counts.old, counts.urgent_new, counts.urgent_old

    async def test_messages_interface(self: Any) -> None:
        """
        It is what voicemail asks for.
        """
        verifyObject(IMessages, self.messages)

    async def test_left(self: Any) -> None:
        """
        A message counts and is listed when it was finished, not before; discarded it is gone with its file.
        """
        message = await self.messages.begin(
            self.mailboxes.mailbox("1001"), caller="1005", caller_name="Eve", call_id="c"
        )
        write_wav(message.path)
        self.assertEqual((self.totals(), await self.ids("1001")), ((0, 0, 0, 0), []))
        await self.messages.finish(message, 3.0)
        self.assertEqual(self.totals(), (1, 0, 0, 0))
        (kept,) = await self.messages.list("1001")
        self.assertEqual((kept.id, kept.seconds, kept.folder, kept.caller), (message.id, 3.0, "new", "1005"))
        self.assertEqual((kept.caller_name, kept.received, kept.path), ("Eve", message.received, message.path))
        self.assertEqual(await self.messages.get("1001", message.id), kept)
        self.assertIsNone(await self.messages.get("1002", message.id))
        other = await self.messages.begin(self.mailboxes.mailbox("1001"), caller="", caller_name="", call_id="c")
        write_wav(other.path)
        await self.messages.discard(other)
        self.assertFalse(other.path.exists())
        self.assertEqual(await self.ids("1001"), [message.id])

    async def test_order_and_folders(self: Any) -> None:
        """
        Urgent ones come first, then the oldest; each folder has its own; counts tell the urgent ones.
        """
        first, second, third = await self.leave(), await self.leave(urgent=True), await self.leave()
        self.assertEqual(await self.ids("1001"), [second.id, first.id, third.id])
        self.assertEqual(self.totals(), (3, 0, 1, 0))
        await self.messages.move(second, "work")
        self.assertEqual(self.totals(), (2, 1, 0, 1))
        self.assertEqual(await self.ids("1001", "work"), [second.id])
        self.assertEqual(await self.ids("1001", "new"), [first.id, third.id])
        self.assertEqual(self.totals("1002"), (0, 0, 0, 0))

    async def test_deleted(self: Any) -> None:
        """
        A deleted message counts no more and can be had back, until it is purged with its audio.
        """
        message = await self.leave()
        await self.messages.delete(message)
        self.assertEqual((self.totals(), await self.ids("1001")), ((0, 0, 0, 0), []))
        self.assertEqual(await self.ids("1001", deleted=True), [message.id])
        self.assertTrue((await self.messages.get("1001", message.id)).deleted)
        await self.messages.undelete(message)
        self.assertEqual((self.totals(), await self.ids("1001")), ((1, 0, 0, 0), [message.id]))
        await self.messages.purge(message)
        self.assertIsNone(await self.messages.get("1001", message.id))
        self.assertFalse(message.path.exists())
        self.assertEqual(self.totals(), (0, 0, 0, 0))

    async def test_forwarded(self: Any) -> None:
        """
        A forwarded message is a new one elsewhere, from the same caller, the comment before it; the first one stays.
        """
        message = await self.leave()
        comment = await self.messages.comment(self.mailboxes.mailbox("1001"))
        write_wav(comment, 1.0)
        await self.messages.forward(message, self.mailboxes.mailbox("1002"), "1001", comment)
        (copy,) = await self.messages.list("1002")
        self.assertEqual((copy.caller, copy.forwarded_by, copy.folder), ("1005", "1001", "new"))
        self.assertTrue(copy.path.read_bytes().endswith(message.path.read_bytes()[44:]))
        self.assertGreater(copy.path.stat().st_size, message.path.stat().st_size)
        self.assertFalse(comment.exists())
        self.assertEqual((self.totals(), self.totals("1002")), ((1, 0, 0, 0), (1, 0, 0, 0)))
