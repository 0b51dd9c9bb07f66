"""
Voicemail by real phones: what was said is in the file, in the mail, and in what the owner hears.
"""

from __future__ import annotations

from tests.wire import sound
from tests.wire.agent import Agent, Dialog
from tests.wire.exchange import Exchange
from tests.wire.messages import (
    LISTENED,
    SAID,
    VoicemailTestCase,
    attached,
    hears_prompts,
    listened,
    press,
    ring,
    seconds_since,
    with_mail,
)
from tests.wire.ports import free_ports
from tests.wire.process import eventually


class VoicemailTests(VoicemailTestCase):
    """
    1005 leaves messages for the others, each of whom belongs to one test.
    """

    extensions = ("1005", "1006", "1007", "1008", "1009", "1010", "1011")

    @classmethod
    def make(cls) -> Exchange:
        """
        An exchange that sends mail.
        """
        cls.mail_port = free_ports()
        return Exchange(with_mail(cls.mail_port))

    async def test_no_answer(self) -> None:
        """
        Nobody answers: the caller hears the greeting to its end, and what it then says is in the file, in the mail, and
        in what *97 plays to the owner, who enters a PIN for it.
        """
        post = self.serve_mail()
        await self.set_pin("1006", skip=False)
        caller, owner = await self.phone("1005"), await self.phone("1006", answer="manual")
        await ring(caller, "1006")
        await owner.event("CALL_INCOMING")
        await hears_prompts(caller, "vm-greeting-start", "digit-1", "vm-unavailable", "vm-leave-message", within=8)
        file = await self.recording("1006", SAID)
        await caller.hang_up()
        (message,) = await self.messages("1006", 1)
        self.assertEqual((message["caller"], message["folder"]), ("1005", "new"))
        kept = sound.read(file)
        self.assertLess(abs(len(kept) / sound.RATE - message["seconds"]), 0.05)
        # It spoke all the time: the recording begins where the greeting had ended.
        self.assertGreater(self.assert_agrees(kept, caller.said, "the file")[0].position, 8)
        mail = await self.mail_to(post, "1006")
        self.assertEqual(mail["From"], "Voicemail <pbx@example.com>")
        self.assert_agrees(attached(mail), caller.said, "the attachment")
        await ring(owner, "*97")
        at = await hears_prompts(owner, "vm-enter-pin")
        await press(owner, "4711#")
        at = await hears_prompts(owner, "vm-you-have", "number-1", "vm-new-message", after=at)
        await press(owner, "1")
        at = await hears_prompts(owner, "vm-first-message", "vm-from-extension", after=at)
        await press(owner, "1")
        self.assertGreaterEqual(await listened(owner, caller.said, seconds_since(owner)), LISTENED)
        await owner.hang_up()
        await self.new_records(2)
        await self.nothing_left()

    async def test_busy(self) -> None:
        """
        A phone that is busy: the caller hears so. The phone's lamp goes on by itself and for who subscribed, and out
        once the owner has heard the message.
        """
        await self.set_pin("1009")
        watcher, other = await self.agent("1009"), await self.agent("1009")
        lamp = await self.subscribe(watcher)
        await self.lit(watcher, lamp, "no", "0/0")
        caller = await self.phone("1005")
        await ring(caller, "1009")
        await hears_prompts(caller, "vm-greeting-start", "vm-busy")
        await press(caller, "#")
        await self.recording("1009", SAID)
        await caller.hang_up()
        await self.lit(watcher, lamp, "yes", "1/0")
        await self.lit(other, None, "yes", "1/0")
        self.assertEqual(self.told(watcher, None), [])
        owner = await self.phone("1009")
        await ring(owner, "*97")
        at = await hears_prompts(owner, "vm-you-have")
        await press(owner, "1")
        await hears_prompts(owner, "vm-first-message", after=at)
        await press(owner, "1")
        self.assertGreaterEqual(await listened(owner, caller.said, seconds_since(owner)), LISTENED)
        # It counts as heard at its end.
        await self.lit(watcher, lamp, "no", "0/1")
        await self.lit(other, None, "no", "0/1")
        await owner.hang_up()
        await self.nothing_left(dialogs=False)

    async def test_forward(self) -> None:
        """
        A phone that sends its calls to a shared mailbox: the message is there, and *<number> plays it to its owner.
        """
        status, answer = await self.api("PUT", "/api/voicemail/700", {"name": "Sales", "owners": ["1006"]})
        self.assertEqual(status, 201, answer)
        await self.set_pin("700")
        status, answer = await self.api("PUT", "/api/extensions/1008/handling", {"forward_always": "700"})
        self.assertEqual(status, 200, answer)
        caller, owner = await self.phone("1005"), await self.phone("1006")
        await self.leave(caller, "1008", "700")
        (file,) = self.files("700")
        self.assert_agrees(sound.read(file), caller.said)
        await ring(owner, "*700")
        await hears_prompts(owner, "vm-you-have")
        await press(owner, "11")
        self.assertGreaterEqual(await listened(owner, caller.said, seconds_since(owner)), LISTENED)
        await owner.hang_up()

    async def test_keys(self) -> None:
        """
        Messages are deleted, restored, saved and forwarded with a comment by the keys of a phone.
        """
        await self.set_pin("1007")
        caller = await self.phone("1005")
        first, second = await self.leave(caller, "1007", seconds=2), await self.leave(caller, "1007")
        owner = await self.phone("1007")
        await ring(owner, "*97")
        at = await hears_prompts(owner, "vm-you-have", "number-2", "vm-new-messages")
        await press(owner, "1")
        at = await hears_prompts(owner, "vm-first-message", after=at)
        await press(owner, "7")
        at = await hears_prompts(owner, "vm-deleted", after=at)
        self.assertEqual([one["id"] for one in await self.messages("1007", deleted=True)], [first["id"]])
        await press(owner, "7")
        at = await hears_prompts(owner, "vm-undeleted", after=at)
        await press(owner, "6")
        at = await hears_prompts(owner, "vm-last-message", after=at)
        await press(owner, "9")
        at = await hears_prompts(owner, "vm-choose-folder", after=at)
        await press(owner, "2")
        at = await hears_prompts(owner, "vm-saved-to", "vm-folder-work", "vm-no-more-messages", after=at)
        await press(owner, "8")
        at = await hears_prompts(owner, "vm-forward-to", after=at)
        # The 1 is pressed ahead: with a comment.
        await press(owner, "1010#1")
        at = await hears_prompts(owner, "vm-record-comment", after=at)
        await self.recording("1007", 2, name="comment-*.wav")
        await press(owner, "#")
        at = await hears_prompts(owner, "vm-forwarded-to", "digit-1", after=at)
        await press(owner, "7")
        await hears_prompts(owner, "vm-deleted", after=at)
        await owner.hang_up()
        (kept,), (gone,) = await self.messages("1007"), await self.messages("1007", deleted=True)
        self.assertEqual((kept["id"], kept["folder"]), (first["id"], "new"))
        self.assertEqual((gone["id"], gone["folder"]), (second["id"], "work"))
        (passed,) = await self.messages("1010", 1)
        self.assertEqual((passed["caller"], passed["forwarded_by"], passed["read"]), ("1005", "1007", False))
        (file,) = self.files("1010")
        audio = sound.read(file)
        end = int(second["seconds"] * sound.RATE)
        self.assertLess(abs(len(audio) / sound.RATE - passed["seconds"]), 0.05)
        self.assert_agrees(audio[:-end], owner.said, "the comment")
        self.assert_agrees(audio[-end:], caller.said, "the message")

    async def test_wrong_pins(self) -> None:
        """
        Three wrong PINs end a call, five lock the mailbox, also for the right one; the log tells of each.
        """
        await self.set_pin("1011", skip=False)
        owner = await self.phone("1011")
        await ring(owner, "*97")
        await hears_prompts(owner, "vm-enter-pin")
        # Who knows what will be asked need not wait for it.
        await press(owner, 3 * "1234#")
        await hears_prompts(owner, "vm-invalid-pin", "vm-too-many-tries")
        await owner.event("CALL_CLOSED")
        await ring(owner, "*97")
        await press(owner, 2 * "1234#" + "4711#")
        await hears_prompts(owner, "vm-locked")
        await owner.hang_up()
        lines = await self.logged("authentication failed: locked for 15 min after wrong PINs for mailbox 1011")
        self.assertEqual(len(lines), 1)
        lines = await self.logged("authentication failed: wrong PIN for mailbox 1011, entered by 1011")
        self.assertEqual(len(lines), 5)

    async def subscribe(self, agent: Agent) -> Dialog:
        """
        Subscribe to an agent's own mailbox.
        """
        host, port = agent.server
        headers = [("To", f"<sip:{agent.user}@{host}>"), ("Event", "message-summary"), ("Expires", "600")]
        answer = await agent.authenticated("SUBSCRIBE", f"sip:{agent.user}@{host}:{port}", headers)
        self.assertEqual(answer.status, 200)
        return Dialog(answer["call-id"], answer["from"], answer["to"], answer.contact, 2)

    @staticmethod
    def told(agent: Agent, dialog: Dialog | None) -> list[str]:
        """
        The bodies of the NOTIFYs about messages that came in a subscription, or with ``None`` in none.
        """
        found = [
            message for message in agent.received
            if message.method == "NOTIFY" and not message.status and message["event"].startswith("message-summary")
            and (message["call-id"] == dialog.call_id if dialog else message["subscription-state"] == "terminated")
        ]
        return list({(message["call-id"], message["cseq"]): message.body.decode() for message in found}.values())

    async def lit(self, agent: Agent, dialog: Dialog | None, waiting: str, counts: str) -> None:
        """
        Wait until a lamp was told whether messages wait, and how many.
        """

        async def ask() -> bool:
            bodies = self.told(agent, dialog)
            return bool(bodies) and f"Messages-Waiting: {waiting}" in bodies[-1] and (
                f"Voice-Message: {counts} (0/0)" in bodies[-1]
            )

        await eventually(ask, 5, f"{waiting} {counts}", 0.05)
