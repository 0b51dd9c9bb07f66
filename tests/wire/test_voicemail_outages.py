"""
Voicemail when something fails: the exchange is killed, the mail server is down, the disk is full.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

from tests.wire import sound
from tests.wire.ears import ListeningTestCase
from tests.wire.lasting import LastingTestCase
from tests.wire.messages import (
    LISTENED,
    PIECE,
    VoicemailTestCase,
    agreeing,
    attached,
    hears_prompts,
    listened,
    press,
    ring,
    seconds_since,
    with_mail,
)
from tests.wire.ports import free_ports
from tests.wire.process import eventually, sleep


class OutageTestCase(LastingTestCase, ListeningTestCase, VoicemailTestCase):
    """
    Tests with an exchange of their own, which may be stopped and started.
    """

    async def setUp(self) -> None:
        """
        An exchange that sends mail, not yet started.
        """
        self._voice = 0
        self.mail_port = free_ports()
        self.exchange = self.new_exchange(with_mail(self.mail_port))


class KilledTests(OutageTestCase):
    """
    ``kill -9`` while a message is left.
    """

    async def test_killed(self) -> None:
        """
        After the start the message is there, is offered and played, and lacks at most the last second.
        """
        await self.begin("1005", "1006")
        await self.set_pin("1006")
        caller = await self.handset("1005")
        await caller.dial("1006")
        await hears_prompts(caller, "vm-greeting-start")
        caller.line.press("#")
        file = await self.recording("1006", 3)
        said = caller.line.seconds
        await self.end(signal.SIGKILL)
        caller.line.quiet = True
        post = self.serve_mail()
        await self.start()
        (message,) = await self.messages("1006", 1)
        self.assertEqual(message["id"], file.stem)
        kept = sound.read(file)
        self.assertLess(abs(len(kept) / sound.RATE - message["seconds"]), 0.05)
        self.assertGreater(self.assert_agrees(kept, caller.said, "the file")[0].position, 1)
        (last,) = agreeing(kept[-int(PIECE * sound.RATE) :], caller.said)
        missing = said - (last.position + last.seconds)
        self.assertLess(missing, 1.0)
        self.assertGreater(missing, -0.1)
        mail = await self.mail_to(post, "1006")
        self.assert_agrees(attached(mail), caller.said, "the attachment")
        owner = await self.phone("1006")
        await ring(owner, "*97")
        await hears_prompts(owner, "vm-you-have", "number-1", "vm-new-message")
        await press(owner, "11")
        self.assertGreaterEqual(await listened(owner, caller.said, seconds_since(owner)), LISTENED)


class MailServerTests(OutageTestCase):
    """
    The mail server is away.
    """

    async def mail(self, state: str, but: object = "") -> dict[str, Any]:
        """
        The only mail, once it is in that state after a try, and its next try is not at that time.
        """

        async def ask() -> dict[str, Any] | None:
            (found,) = (await self.api("GET", "/api/mail"))[1]["mails"]
            return found if (found["state"], found["attempts"]) == (state, 1) and found["next"] != but else None

        found = await eventually(ask, 10, f"a mail that is {state}")
        assert found is not None
        return found

    async def test_down(self) -> None:
        """
        The mail waits, with the reason, over two restarts and until the server is back; then it comes once.
        """
        await self.begin("1005", "1006")
        caller = await self.phone("1005")
        message = await self.leave(caller, "1006")
        await caller.stop()
        mail = await self.mail("queued")
        self.assertEqual((mail["message"], mail["to"]), (message["id"], "1006@company.com"))
        self.assertIn("refused", mail["reason"])
        await self.end()
        await self.start()
        self.assertEqual((await self.mail("queued"))["id"], mail["id"])
        status, _ = await self.api("POST", f"/api/mail/{mail['id']}/retry")
        self.assertEqual(status, 200)
        self.assertIn("refused", (await self.mail("queued", mail["next"]))["reason"])
        await self.end(signal.SIGKILL)
        post = self.serve_mail()
        await self.start()
        status, _ = await self.api("POST", f"/api/mail/{mail['id']}/retry")
        self.assertEqual(status, 200)
        letter = await self.mail_to(post, "1006")
        self.assert_agrees(attached(letter), caller.said)
        self.assertIsNone((await self.mail("sent"))["next"])
        status, _ = await self.api("POST", f"/api/mail/{mail['id']}/retry")
        self.assertEqual(status, 409)
        ((kept,), (_,)) = await self.messages("1006"), self.files("1006")
        self.assertEqual(kept["mail"]["state"], "sent")
        await self.end(signal.SIGKILL)
        await self.start()
        await sleep(1.5)
        self.assertEqual(len(post.taken), 1)


class FullDiskTests(OutageTestCase):
    """
    No room is left where messages are kept.
    """

    expected = "No space left on device"

    async def command(self, *words: str) -> None:
        """
        Run a command of the system.
        """
        await deferToThread(subprocess.run, words, check=True, capture_output=True)

    async def make_room(self, size: str) -> Path:
        """
        A file system for messages; it goes with the test.
        """
        folder = self.exchange.data / "voicemail"
        folder.mkdir(parents=True)
        await self.command("mount", "-t", "tmpfs", "-o", f"size={size}", "voicemail", str(folder))
        self.addCleanup(self.command, "umount", "--lazy", str(folder))
        return folder

    async def test_full(self) -> None:
        """
        The caller hears that the mailbox is unavailable and the log says why, while others talk; when there is room
        again, messages are taken.
        """
        folder = await self.make_room("1m")
        await self.begin("1005", "1006", "1007", "1008")
        one, other = await self.phone("1007"), await self.phone("1008")
        await self.connect(one, other)
        ballast = folder / "ballast"
        await self.command("sh", "-c", f"dd if=/dev/zero of={ballast} bs=4096 || true")
        caller = await self.phone("1005")
        await ring(caller, "1006")
        await hears_prompts(caller, "vm-greeting-start")
        await press(caller, "#")
        await hears_prompts(caller, "vm-mailbox-unavailable")
        await caller.event("CALL_CLOSED")
        self.assertEqual((await self.messages("1006"), self.files("1006")), ([], []))
        await self.assert_talking(one, other)
        (line,) = [line for line in self.exchange.log() if "No space left on device" in line]
        self.assertIn(" ERROR ", line)
        self.assertIn(str(folder / "1006"), line)
        ballast.unlink()
        await self.leave(caller, "1006")
        (file,) = self.files("1006")
        self.assert_agrees(sound.read(file), caller.said)

    async def test_fills(self) -> None:
        """
        The disk fills while a message is left: the caller hears so, the log says so, and what could be written is kept.
        """
        await self.make_room("64k")
        await self.begin("1005", "1006")
        caller = await self.phone("1005")
        await ring(caller, "1006")
        await hears_prompts(caller, "vm-greeting-start")
        await press(caller, "#")
        await hears_prompts(caller, "vm-mailbox-unavailable")
        await caller.event("CALL_CLOSED")
        (message,) = await self.messages("1006", 1)
        (file,) = self.files("1006")
        self.assertGreater(message["seconds"], 2.5)
        self.assert_agrees(sound.read(file), caller.said)
        lines = [line for line in self.exchange.log() if " ERROR " in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(f"{file} could not be written any further: [Errno 28] No space left on device", lines[0])
