"""
Tests of :mod:`pbx.features.voicemail.deposit`.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.calls.destination import Diversion, IDestination
from pbx.calls.outbound import CallerIdentity
from pbx.directory.decision import Destination
from pbx.features.voicemail.deposit import Deposit
from pbx.features.voicemail.mailboxes import GREETINGS, Mailbox, Message, VoicemailSettings
from pbx.media.terminal import Recording
from pbx.tasks import Tasks
from tests.features.visitor import FakeTerminal, Visitor, run
from tests.features.voicemail.memory import MemoryMailboxes, MemoryMessages

STANDARD = ["vm-greeting-start", "digit-1", "digit-0", "digit-0", "digit-2", "vm-unavailable", "vm-leave-message"]
SENT = ["vm-message-sent", "vm-goodbye"]


class DepositTests(SynchronousTestCase):
    """
    A caller leaves a message for 1002.
    """

    def setUp(self) -> None:
        """
        A mailbox.
        """
        self.mailboxes = MemoryMailboxes(Path(self.mktemp()), "1002")
        self.messages = MemoryMessages(self.mailboxes)
        self.deposit = self.make()

    def make(self, **settings: Any) -> Deposit:
        """
        The place, with settings.
        """
        return Deposit(self.mailboxes, self.messages, Tasks(), VoicemailSettings(**settings))

    def call(self, keys: str = "", reason: str = "no answer", **terminal: Any) -> Visitor:
        """
        A caller who has been served, and where it went.
        """
        visit = Visitor(keys, diversions=(Diversion("1002", reason),))
        for name, value in terminal.items():
            setattr(visit.terminal, name, value)
        self.gone: Destination | None = run(self.deposit.take(visit))
        return visit

    def kept(self) -> list[Message]:
        """
        The messages there are.
        """
        return list(self.messages.kept.values())

    def recorded(self, *kinds: str) -> None:
        """
        Have greetings.
        """
        self.mailboxes.kept["1002"] = evolve(self.mailboxes.kept["1002"], greetings=frozenset(kinds))

    def test_interface(self) -> None:
        """
        It is a place.
        """
        verifyObject(IDestination, self.deposit)

    def test_left(self) -> None:
        """
        The caller is greeted by extension, recorded below its mailbox, and told that the message was sent.
        """
        visit = self.call(ended_by="silence")
        (message,) = self.kept()
        self.assertEqual(visit.terminal.heard, [*STANDARD, *SENT])
        self.assertEqual(visit.terminal.recorded, [message.path])
        self.assertEqual(message.path.parent.name, "1002")
        self.assertEqual((message.caller, message.caller_name, message.seconds), ("1001", "Ann", 5.0))
        self.assertEqual((message.call_id, message.urgent, self.gone), ("c" * 32, False, None))
        self.assertIn("voicemail 1002: a message of 5 s, ended by silence", visit.notes)

    def test_greetings(self) -> None:
        """
        A temporary greeting comes before all; a busy extension's is the busy one; without any it is the standard one,
        with the name where that was recorded.
        """
        folder = self.mailboxes.folder("1002")
        recorded = {kind: str(folder / f"greeting-{kind}.wav") for kind in GREETINGS}
        for has, reason, heard in (
            (GREETINGS, "busy", [recorded["temporary"]]),
            (("busy", "unavailable"), "busy", [recorded["busy"]]),
            (("busy", "unavailable"), "no answer", [recorded["unavailable"]]),
            (("busy", "unavailable"), "dnd", [recorded["unavailable"]]),
            (("unavailable",), "busy", [*STANDARD[:-2], "vm-busy", "vm-leave-message"]),
            (("name",), "busy", [recorded["name"], "vm-busy", "vm-leave-message"]),
            (("name",), "unregistered", [recorded["name"], "vm-unavailable", "vm-leave-message"]),
        ):
            with self.subTest(has=has, reason=reason):
                self.recorded(*has)
                self.assertEqual(self.call(reason=reason, ended_by="silence").terminal.heard, heard + SENT)

    def test_greeting_skipped(self) -> None:
        """
        # ends the greeting, and the tone follows.
        """
        visit = self.call("#", ended_by="silence")
        self.assertEqual(visit.terminal.heard, [STANDARD[0], *SENT])

    def test_review(self) -> None:
        """
        # ends the message; the caller hears it, marks it as urgent, and sends it.
        """
        visit = self.call("##241", ended_by="key")
        (message,) = self.kept()
        self.assertTrue(message.urgent)
        self.assertIn(str(message.path), visit.terminal.heard)
        self.assertEqual(visit.terminal.heard[-2:], SENT)

    def test_recorded_again(self) -> None:
        """
        What is recorded again takes the place of what was there before.
        """
        visit = self.call("##3#1", ended_by="key")
        self.assertEqual(len(visit.terminal.recorded), 2)
        self.assertEqual([each.path for each in self.kept()], visit.terminal.recorded[1:])
        self.assertEqual(self.messages.begun, {})

    def test_cancelled(self) -> None:
        """
        A message that the caller does not want sent is not kept.
        """
        visit = self.call("##*", ended_by="key")
        self.assertEqual((self.kept(), self.messages.begun), ([], {}))
        self.assertEqual(visit.terminal.heard[-1], "vm-message-cancelled")

    def test_no_choice(self) -> None:
        """
        Who says nothing at the end has left a message.
        """
        self.call("##", ended_by="key")
        self.assertEqual(len(self.kept()), 1)

    def test_longest(self) -> None:
        """
        The length is limited by the mailbox, else by the exchange; at the limit the message is sent.
        """
        asked: list[float] = []

        class Terminal(FakeTerminal):
            async def record(self, path: Path, *, longest: float, **options: Any) -> Recording:
                asked.append(longest)
                return Recording(longest, "length")

        for longest, heard in ((None, 180), (20, 20)):
            self.mailboxes.kept["1002"] = Mailbox("1002", longest=longest)
            visit = Visitor()
            visit.terminal = Terminal()
            run(self.deposit.take(visit))
            self.assertEqual((asked[-1], visit.terminal.heard[-3]), (heard, "vm-too-long"))
        self.assertEqual(len(self.kept()), 2)

    def test_too_short(self) -> None:
        """
        What is shorter than two seconds is none; the caller is asked again some times.
        """
        visit = self.call(seconds=1.9, ended_by="silence")
        self.assertEqual((len(visit.terminal.recorded), self.kept(), self.messages.begun), (5, [], {}))
        self.assertIn("vm-too-short", visit.terminal.heard)
        self.call(seconds=2.0, ended_by="silence")
        self.assertEqual(len(self.kept()), 1)

    def test_hung_up(self) -> None:
        """
        Who hangs up has left a message, if there is enough of it.
        """
        visit = self.call(ended_by="hangup")
        self.assertEqual((len(self.kept()), visit.terminal.heard), (1, STANDARD))
        visit = self.call(seconds=1.0, ended_by="hangup")
        self.assertEqual((len(self.kept()), len(visit.terminal.recorded)), (1, 1))

    def test_gone_while_recording(self) -> None:
        """
        A caller that is gone in the middle of its message has left what was said until then; one gone too soon nothing.
        """

        class Terminal(FakeTerminal):
            async def record(self, path: Path, **options: Any) -> Recording:
                await Deferred()
                raise AssertionError

        for seconds, count in ((7.5, 1), (1.0, 1)):
            visit = Visitor()
            visit.terminal = Terminal()
            self.messages.seconds = seconds
            visiting = Deferred.fromCoroutine(self.deposit.take(visit))
            self.assertEqual(len(self.messages.begun), 1)
            visiting.cancel()
            self.failureResultOf(visiting, CancelledError)
            self.assertEqual((len(self.kept()), self.messages.begun), (count, {}))
        self.assertEqual(self.kept()[0].seconds, 7.5)

    def test_gone_during_the_review(self) -> None:
        """
        A caller that hangs up instead of choosing has left its message.
        """
        visit = Visitor("##")
        visit.terminal.never = True
        visiting = Deferred.fromCoroutine(self.deposit.take(visit))
        self.assertEqual(self.kept(), [])
        visiting.cancel()
        self.failureResultOf(visiting, CancelledError)
        self.assertEqual([each.seconds for each in self.kept()], [5.0])

    def test_operator(self) -> None:
        """
        0 leads to the operator, where there is one, during the greeting and the message, which is kept.
        """
        self.call("0", ended_by="silence")
        self.assertIsNone(self.gone)
        self.deposit = self.make(operator="1000")
        self.call("0")
        self.assertEqual(self.gone, Destination("extension", "1000"))
        self.assertEqual(len(self.kept()), 1)
        self.call("#0")
        self.assertEqual((self.gone, len(self.kept())), (Destination("extension", "1000"), 2))
        self.mailboxes.kept["1002"] = Mailbox("1002", operator="1009")
        self.call("0")
        self.assertEqual(self.gone, Destination("extension", "1009"))

    def test_own_mailbox(self) -> None:
        """
        * leads to the mailbox, where the PIN is asked for in any case.
        """
        self.call("*")
        self.assertEqual((self.gone, self.kept()), (Destination("mailbox", "1002", "pin"), []))

    def test_full(self) -> None:
        """
        A mailbox with as many messages as it may have takes none more, deleted ones not counted.
        """
        self.deposit = self.make(quota=2)
        for _ in range(2):
            self.call(ended_by="silence")
        visit = self.call()
        self.assertEqual((visit.terminal.heard, len(self.kept())), (["vm-mailbox-full"], 2))
        run(self.messages.delete(self.kept()[0]))
        self.call(ended_by="silence")
        self.assertEqual(len(self.kept()), 3)
        self.mailboxes.kept["1002"] = Mailbox("1002", quota=0)
        self.assertEqual(self.call().terminal.heard, ["vm-mailbox-full"])

    def test_no_mailbox(self) -> None:
        """
        Where there is no mailbox, or it is closed, the call is refused without being answered.
        """
        for mailbox in (None, Mailbox("1002", enabled=False)):
            self.mailboxes.kept = {} if mailbox is None else {"1002": mailbox}
            visit = self.call()
            self.assertEqual((visit.refused, visit.answered), ((404, 1, "No such mailbox"), False))

    def test_anonymous(self) -> None:
        """
        Who does not want to be known is not written down.
        """
        visit = Visitor(diversions=(Diversion("1002", "busy"),))
        visit.caller = CallerIdentity("1001", "Ann", anonymous=True)
        visit.terminal.ended_by = "silence"
        run(self.deposit.take(visit))
        self.assertEqual([(each.caller, each.caller_name) for each in self.kept()], [("", "")])

    def test_disk_full(self) -> None:
        """
        Where nothing can be written the caller hears that the mailbox is not available, and one error line says why
        and where.
        """
        lines: list[Any] = []
        globalLogPublisher.addObserver(lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, lines.append)
        self.messages.full = OSError(errno.ENOSPC, "No space left on device", "/data/voicemail/1002/x.json")
        visit = self.call()
        self.assertEqual(visit.terminal.heard, [*STANDARD, "vm-mailbox-unavailable"])
        errors = [line for line in lines if line["log_level"].name == "error"]
        self.assertEqual([str(line["error"]) for line in errors], [str(self.messages.full)])
        self.assertIn("voicemail 1002: nothing can be written: No space left on device", visit.notes)

    def test_disk_full_meanwhile(self) -> None:
        """
        When the disk is full in the middle of a message, the caller hears it, and what was written until then is kept.
        """
        visit = self.call(ended_by="error")
        self.assertEqual(visit.terminal.heard[-1], "vm-mailbox-unavailable")
        self.assertEqual(len(self.kept()), 1)
        self.call(ended_by="error", seconds=0.5)
        self.assertEqual((len(self.kept()), self.messages.begun), (1, {}))
