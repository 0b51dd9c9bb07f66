"""
Tests of :mod:`pbx.features.voicemail.retrieval` and of what it leads to.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.calls.destination import Diversion, IDestination
from pbx.directory.decision import Destination
from pbx.features.voicemail.mailboxes import Folder, Mailbox, Message
from pbx.features.voicemail.pin import pin_fault
from pbx.features.voicemail.retrieval import Retrieval
from pbx.media.terminal import Recording
from tests.features.visitor import FakeTerminal, Visitor, run
from tests.features.voicemail.contract import write_wav
from tests.features.voicemail.memory import MemoryMailboxes, MemoryMessages

PIN = "4711#"


class RetrievalTestCase(SynchronousTestCase):
    """
    The mailboxes of 1001, which has a PIN, and of 1002 and 1003, which have none.
    """

    def setUp(self) -> None:
        """
        The place.
        """
        self.mailboxes = MemoryMailboxes(Path(self.mktemp()), "1001", "1002", "1003")
        self.messages = MemoryMessages(self.mailboxes)
        run(self.mailboxes.set_pin("1001", "4711"))
        self.led: list[tuple[str, str]] = []
        self.place = Retrieval(self.mailboxes, self.messages, lambda: 1_772_500_000.0, self.lead)

    def lead(self, number: str, owner: str) -> Destination | None:
        """
        Everybody may call everybody but 0900.
        """
        self.led.append((number, owner))
        return None if number == "0900" else Destination("extension", number)

    def left(self, *, caller: str = "1005", number: str = "1001", urgent: bool = False) -> Message:
        """
        A message.
        """
        message = run(self.messages.begin(Mailbox(number), caller=caller, caller_name="Eve", call_id="c"))
        write_wav(message.path)
        run(self.messages.finish(message, 3.0, urgent=urgent))
        kept: Message = self.messages.kept[message.id]
        return kept

    def call(
        self, keys: str, *, target: str = "1001", caller: str = "1001", number: str = "*97", argument: str = "",
        diversions: tuple[Diversion, ...] = (), terminal: Any = None,
    ) -> list[str]:
        """
        What a caller hears.
        """
        self.visit = Visitor(
            keys, caller=caller, number=number, destination=Destination("mailbox", target, argument),
            diversions=diversions,
        )
        if terminal is not None:
            self.visit.terminal = terminal
        self.gone: Destination | None = run(self.place.take(self.visit))
        heard: list[str] = self.visit.terminal.heard
        return heard


class OpeningTests(RetrievalTestCase):
    """
    Who may open a mailbox.
    """

    def setUp(self) -> None:
        """
        Watch the log.
        """
        super().setUp()
        self.lines: list[str] = []

        def line(event: Any) -> None:
            self.lines.append(formatEvent(event))

        globalLogPublisher.addObserver(line)
        self.addCleanup(globalLogPublisher.removeObserver, line)

    def test_interface(self) -> None:
        """
        It is a place.
        """
        verifyObject(IDestination, self.place)

    def test_right_pin(self) -> None:
        """
        The right PIN opens the mailbox, also from another phone.
        """
        for caller, target, keys in (("1001", "1001", PIN), ("1002", "1001", PIN), ("1002", "", "1001#" + PIN)):
            heard = self.call(keys + "#", caller=caller, target=target, number="*98")
            self.assertIn("vm-no-messages", heard)
            self.assertEqual(heard[-1], "vm-goodbye")

    def test_wrong_pin(self) -> None:
        """
        A wrong PIN is told and logged; the right one may follow; after three it is over.
        """
        heard = self.call("1234#4711##")
        self.assertEqual(heard[:3], ["vm-enter-pin", "vm-invalid-pin", "vm-enter-pin"])
        self.assertIn("vm-no-messages", heard)
        self.assertEqual(self.lines, ["authentication failed: wrong PIN for mailbox 1001, entered by 1001"])
        heard = self.call("1#2#3#4711#")
        self.assertEqual(heard[-3:], ["vm-invalid-pin", "vm-too-many-tries", "vm-goodbye"])

    def test_locked(self) -> None:
        """
        After five wrong PINs, in several calls, the right one does not open it for a while.
        """
        for _ in range(2):
            heard = self.call("1#2#3#")
        self.assertIn("vm-locked", heard)
        self.assertIn("vm-locked", self.call(PIN))
        self.assertIn("locked for 15 min", self.lines[-1])
        self.mailboxes.now += 15 * 60
        self.assertIn("vm-no-messages", self.call(PIN + "#"))

    def test_nobody_learns_which_mailboxes_there_are(self) -> None:
        """
        A mailbox that is not there, has no PIN, or has another one sounds the same where both are asked for.
        """
        heard = {number: self.call(f"{number}#1234#", target="", number="*98") for number in ("1001", "1002", "1999")}
        self.assertEqual(heard["1001"], heard["1999"])
        self.assertEqual(heard["1001"], heard["1002"])
        self.assertIn("vm-login-incorrect", heard["1001"])

    def test_no_pin(self) -> None:
        """
        A mailbox without a PIN opens on the phone of its owner alone, by a star code, which asks to set one.
        """
        heard = self.call("2580#2580##", target="1002", caller="1002")
        self.assertEqual(heard[:2], ["vm-welcome", "vm-pin-must-change"])
        self.assertEqual(heard[2:5], ["vm-new-pin", "vm-new-pin-again", "vm-pin-changed"])
        self.assertEqual(self.mailboxes.pins["1002"], "2580")
        for named in (
            {"caller": "1001"},
            {"caller": "1003", "number": "1003", "argument": "pin"},
            {"caller": "1003", "argument": "pin"},
            {"caller": "1003", "number": "1003"},
            {"caller": "1003", "diversions": (Diversion("1003", "always"),)},
        ):
            with self.subTest(named):
                self.assertEqual(self.call("#", target="1003", **named), ["vm-no-pin", "vm-goodbye"])  # type: ignore[arg-type]

    def test_no_pin_set(self) -> None:
        """
        An owner who sets none is let in all the same.
        """
        self.assertIn("vm-no-messages", self.call("##", target="1002", caller="1002"))

    def test_without_pin_on_own_phone(self) -> None:
        """
        An owner may have it opened without the PIN on the own phone.
        """
        self.mailboxes.kept["1001"] = evolve(self.mailboxes.kept["1001"], skip_pin=True)
        self.assertNotIn("vm-enter-pin", self.call("#"))
        self.assertIn("vm-enter-pin", self.call("#", caller="1002"))

    def test_shared(self) -> None:
        """
        A shared mailbox is opened by each of its owners.
        """
        self.mailboxes.kept["2000"] = Mailbox("2000", owners=("1001", "1002"))
        for caller in ("1001", "1002"):
            self.assertIn("vm-pin-must-change", self.call("##", target="2000", caller=caller, number="*2000"))
        self.assertEqual(self.call("##", target="2000", caller="1003", number="*2000")[0], "vm-no-pin")

    def test_database_away(self) -> None:
        """
        While nothing can be read the caller is told so, also in the middle.
        """
        self.messages.away = True
        self.assertEqual(self.call(PIN + "1")[-1], "vm-mailbox-unavailable")
        self.mailboxes.away = True
        self.assertEqual(self.call(PIN), ["vm-enter-pin", "vm-mailbox-unavailable"])
        self.assertIn("Mailbox 1001 can't be used: the database is away", self.lines)

    def test_counts(self) -> None:
        """
        The owner is told how many messages there are.
        """
        self.left()
        self.left(urgent=True)
        run(self.messages.move(self.left(), "saved"))
        heard = self.call(PIN + " #")
        self.assertEqual(
            heard[1:10],
            ["vm-you-have", "number-1", "vm-urgent-message", "vm-and", "number-1", "vm-new-message", "vm-and",
             "number-1", "vm-old-message"],
        )


class ListeningTests(RetrievalTestCase):
    """
    What can be done with messages.
    """

    def folder(self, folder: Folder) -> list[Message]:
        """
        The messages of a folder, as they were left.
        """
        return list(run(self.messages.list("1001", folder)))

    def played(self, heard: list[str]) -> list[str]:
        """
        Which messages were played.
        """
        return [Path(each).stem for each in heard if each.endswith(".wav") and "greeting" not in each]

    def test_heard(self) -> None:
        """
        A message is told of and played; then it is old, and the next follows.
        """
        first, second = self.left(), self.left(caller="")
        heard = self.call(PIN + "1 6 6*#")
        self.assertEqual(self.played(heard), [first.id, second.id])
        start = heard.index("vm-first-message")
        told = heard[start : start + 9]
        self.assertEqual(told[1:6], ["vm-from", "digit-1", "digit-0", "digit-0", "digit-5"])
        self.assertIn("vm-from-anonymous", heard)
        self.assertEqual(heard.count("vm-received"), 2)
        self.assertEqual(heard.count("vm-duration"), 2)
        self.assertIn("vm-no-more-messages", heard)
        self.assertEqual((self.folder("new"), len(self.folder("saved"))), ([], 2))

    def test_time_of_the_site(self) -> None:
        """
        It is told when the message came as clocks show it where the owner is: late on Monday in London is early today.
        """
        message = self.left()
        self.messages.kept[message.id] = evolve(message, received=dt.datetime(2026, 3, 2, 20, tzinfo=dt.UTC))
        self.place.zone = ZoneInfo("Asia/Kathmandu")
        heard = self.call(PIN + "1 6*#")
        start = heard.index("vm-received") + 1
        said = ["time-today", "time-at", "number-1", "number-40", "number-5", "time-am", "vm-duration"]
        self.assertEqual(heard[start : start + len(said)], said)

    def test_keys_while_playing(self) -> None:
        """
        1, 2 and 3 go back, pause and go forward; 5 plays it again.
        """
        message = self.left()
        heard = self.call(PIN + "1", terminal=Moving(PIN + "1", "1235 *"))
        self.assertEqual(self.played(heard), [message.id] * 2)
        self.assertEqual(self.visit.terminal.controls, "123")

    def test_name(self) -> None:
        """
        A caller with a recorded name is told by it.
        """
        self.mailboxes.kept["1002"] = Mailbox("1002", greetings=frozenset({"name"}))
        self.left(caller="1002")
        heard = self.call(PIN + "1 *#")
        self.assertIn(str(self.mailboxes.greeting("1002", "name")), heard)

    def test_hung_up_while_playing(self) -> None:
        """
        A message that was not heard to its end, because the owner was cut off, stays new.
        """

        class Terminal(FakeTerminal):
            async def play_controlled(self, sound: Any, **keys: Any) -> str:
                await Deferred()
                return ""

        self.left()
        visit = Visitor(PIN + "1", caller="1001", number="*97", destination=Destination("mailbox", "1001"))
        visit.terminal = Terminal(PIN + "1")
        visiting = Deferred.fromCoroutine(self.place.take(visit))
        visiting.cancel()
        self.failureResultOf(visiting)
        self.assertEqual(len(self.folder("new")), 1)

    def test_deleted_and_restored(self) -> None:
        """
        7 deletes a message and, pressed again, restores it.
        """
        message = self.left()
        self.assertIn("vm-deleted", self.call(PIN + "17*#"))
        self.assertTrue(self.messages.kept[message.id].deleted)
        run(self.messages.undelete(message))
        run(self.messages.move(message, "new"))
        heard = self.call(PIN + "177*#")
        self.assertIn("vm-undeleted", heard)
        self.assertFalse(self.messages.kept[message.id].deleted)

    def test_saved(self) -> None:
        """
        9 and a folder put a message there, and the folder can be chosen from the main menu.
        """
        first, second = self.left(), self.left()
        self.assertIn("vm-folder-work", self.call(PIN + "192 *#"))
        self.assertEqual(self.messages.kept[first.id].folder, "work")
        self.assertEqual(self.played(self.call(PIN + "22" + "1 *#")), [first.id])
        self.assertEqual(self.messages.kept[second.id].folder, "saved")

    def test_kept_as_new(self) -> None:
        """
        3, 3 keeps a message as new; 3, 1 tells of it again.
        """
        message = self.left()
        heard = self.call(PIN + "1", terminal=Moving(PIN + "1", "5 31 33*#", controls=False))
        self.assertIn("vm-marked-new", heard)
        self.assertEqual(heard.count("vm-received"), 3)
        self.assertEqual(self.messages.kept[message.id].folder, "new")

    def test_first_and_last(self) -> None:
        """
        Before the first there is none.
        """
        self.left()
        self.assertIn("vm-no-previous-messages", self.call(PIN + "14*#"))

    def test_empty_folder(self) -> None:
        """
        An empty folder is told to be one.
        """
        self.assertIn("vm-no-messages-here", self.call(PIN + "1#"))

    def test_called_back(self) -> None:
        """
        3, 2 calls the caller back on the owner's behalf; not who is anonymous, or may not be called.
        """
        self.left()
        self.call(PIN + "1", terminal=Moving(PIN + "1", "4" + "32", controls=False))
        self.assertEqual((self.gone, self.led), (Destination("extension", "1005"), [("1005", "1001")]))
        for message in list(self.messages.kept.values()):
            run(self.messages.purge(message))
        for caller in ("", "0900"):
            self.left(caller=caller)
            heard = self.call(PIN + "1", terminal=Moving(PIN + "1", "4" + "32" + "*#", controls=False))
            self.assertIn("vm-no-call-back", heard)
            self.assertIsNone(self.gone)

    def test_forwarded(self) -> None:
        """
        8 and a mailbox deliver a copy there, with a comment before it or without; 1001 is told as who sent it.
        """
        message = self.left()
        heard = self.call(PIN + "1" + "8" + "1002#" + "1" + "#" + "*#")
        self.assertIn("vm-forwarded-to", heard)
        (copy,) = run(self.messages.list("1002"))
        self.assertEqual((copy.forwarded_by, copy.caller), ("1001", "1005"))
        self.assertEqual(copy.path.read_bytes(), b"speech" + message.path.read_bytes())
        run(self.messages.move(message, "new"))
        self.call(PIN + "1" + "8" + "1002#" + "2" + "*#")
        self.assertEqual(len(run(self.messages.list("1002"))), 2)
        run(self.mailboxes.set_pin("1002", "4711"))
        self.assertIn("vm-forwarded-by", self.call(PIN + "1 *#", target="1002", caller="1002"))

    def test_forwarded_to_a_full_mailbox(self) -> None:
        """
        A mailbox that is full takes no forwarded message either, which is said before a comment is asked for.
        """
        self.left()
        self.left(number="1002")
        self.mailboxes.quota = 1
        heard = self.call(PIN + "1" + "8" + "1002#" + "2" + "*#")
        self.assertIn("vm-mailbox-full", heard)
        self.assertNotIn("vm-forward-comment", heard)
        self.assertEqual(len(run(self.messages.list("1002"))), 1)
        self.mailboxes.kept["1002"] = evolve(self.mailboxes.kept["1002"], quota=2)
        self.assertIn("vm-forwarded-to", self.call(PIN + "1" + "8" + "1002#" + "2" + "*#"))

    def test_not_forwarded(self) -> None:
        """
        To a mailbox that is not there, to itself, or when it is given up, nothing is forwarded.
        """
        message = self.left()
        for keys, told in (("1999#", "vm-cannot-forward"), ("1001#", "vm-cannot-forward"), ("1002#*", "vm-cancelled")):
            run(self.messages.move(message, "new"))
            self.assertIn(told, self.call(PIN + "18" + keys + "*#"))
        self.assertEqual(len(self.messages.kept), 1)


class Moving(FakeTerminal):
    """
    A caller who presses some keys only when a message plays.
    """

    def __init__(self, keys: str, later: str, *, controls: bool = True) -> None:
        super().__init__(keys)
        self.later = later
        self.moves = controls

    async def play_controlled(self, sound: Any, *, stop: str, **keys: Any) -> str:
        """
        Press them.
        """
        self.keys += self.later
        self.later = ""
        if not self.moves:
            self.heard.append(str(sound))
            return self.keys.pop(0) if self.keys and self.keys[0] in stop else ""
        return await super().play_controlled(sound, stop=stop, **keys)


class OptionsTests(RetrievalTestCase):
    """
    Greetings and the PIN.
    """

    def test_greetings(self) -> None:
        """
        Each greeting is recorded, heard, recorded again and kept.
        """
        for key, kind, told in (
            ("1", "unavailable", "vm-greeting-saved"), ("2", "busy", "vm-greeting-saved"),
            ("3", "name", "vm-name-saved"), ("4", "temporary", "vm-greeting-saved"),
        ):
            heard = self.call(PIN + "0" + key + "#" + "2" + "3" + "#" + "1" + "*#")
            self.assertEqual(len(self.visit.terminal.recorded), 2)
            self.assertIn(f"vm-record-{kind}", heard)
            self.assertIn(told, heard)
            self.assertIsNotNone(self.mailboxes.greeting("1001", kind))  # type: ignore[arg-type]

    def test_not_kept(self) -> None:
        """
        A greeting that the owner does not like, or in which nothing is said, changes nothing.
        """
        self.assertIn("vm-greeting-unchanged", self.call(PIN + "01#*" + "*#"))
        self.assertIn("vm-nothing-heard", self.call(PIN + "01", terminal=Silent(PIN + "01#" + "*#")))
        self.assertIsNone(self.mailboxes.greeting("1001", "unavailable"))

    def test_dropped(self) -> None:
        """
        The standard greeting comes back by 4, a temporary one ends by 2.
        """
        self.call(PIN + "01#1" + "04#1" + "*#")
        heard = self.call(PIN + "042" + "*" + "01#4" + "*#")
        self.assertEqual(heard.count("vm-greeting-deleted"), 2)
        self.assertEqual(self.mailboxes.kept["1001"].greetings, frozenset())

    def test_pin(self) -> None:
        """
        A PIN is changed when it was entered twice and will do.
        """
        heard = self.call(PIN + "05" + "12#" + "1234#" + "2580#2581#" + "**#")
        self.assertIn("vm-pin-too-short", heard)
        self.assertIn("vm-pin-too-simple", heard)
        self.assertIn("vm-pin-mismatch", heard)
        self.assertIn("vm-pin-unchanged", heard)
        self.assertEqual(self.mailboxes.pins["1001"], "4711")
        self.assertIn("vm-pin-changed", self.call(PIN + "05" + "2580#2580#" + "*#"))
        self.assertEqual(self.mailboxes.pins["1001"], "2580")

    def test_pin_fault(self) -> None:
        """
        A PIN has 4 to 10 digits, and is no row, no repetition and not the number of the mailbox.
        """
        for pin, fault in (
            ("471", "short"), ("12345678901", "short"), ("47a1", "short"), ("", "short"), ("1111", "simple"),
            ("1234", "simple"), ("9876", "simple"), ("8901", "simple"), ("1001", "simple"), ("4711", ""),
            ("1357924680", ""),
        ):
            self.assertEqual(pin_fault(pin, "1001"), fault, pin)


class Silent(FakeTerminal):
    """
    A caller who says nothing.
    """

    async def record(self, path: Path, **options: Any) -> Recording:
        """
        Nothing.
        """
        return Recording(0.0, "silence")
