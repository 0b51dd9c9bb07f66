"""
Tests of :mod:`pbx.features.star`.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pbx.audio.phrases import digits, duration
from pbx.calls.destination import IDestination
from pbx.directory.decision import Destination
from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.handling import PLAIN, FollowMe, Handling
from pbx.directory.star_codes import FEATURES
from pbx.features import star as module
from pbx.features.star import SWITCHES, IHandling, NotChangedError, StarCodes
from tests.features.visitor import Visitor, run


@implementer(IHandling)
class MemoryHandling:
    """
    Keeps it in the directory alone; or fails.
    """

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.broken = False

    async def change(self, number: str, **changes: Any) -> None:
        """
        Change some attributes.
        """
        if self.broken:
            raise NotChangedError("the database: away")
        extension = self.directory.extension(number)
        assert extension is not None
        self.directory.put(evolve(extension, handling=evolve(extension.handling, **changes)))


MOBILE = "01511234567"

CASES: list[tuple[str, str, str, Handling, Handling, list[str]]] = [
    # Switches
    ("dnd_on", "", "", PLAIN, Handling(dnd=True), ["star-dnd-on"]),
    ("dnd_off", "", "", Handling(dnd=True), PLAIN, ["star-dnd-off"]),
    ("forward_always_off", "", "", Handling(forward_always="1003"), PLAIN, ["star-forward-always-off"]),
    ("forward_busy_off", "", "", Handling(forward_busy="1003"), PLAIN, ["star-forward-busy-off"]),
    ("forward_no_answer_off", "", "", Handling(forward_no_answer="1003"), PLAIN, ["star-forward-no-answer-off"]),
    (
        "forward_unregistered_off", "", "", Handling(forward_unregistered="1003"), PLAIN,
        ["star-forward-unregistered-off"],
    ),
    ("follow_me_off", "", "", Handling(follow_me=(FollowMe("1003"),)), PLAIN, ["star-follow-me-off"]),
    ("simultaneous_off", "", "", Handling(simultaneous=("1003",)), PLAIN, ["star-simultaneous-off"]),
    # Forwards, dialled with the number
    (
        "forward_always_on", "1003", "", Handling(dnd=True), Handling(dnd=True, forward_always="1003"),
        ["star-forward-always", *digits("1003")],
    ),
    ("forward_busy_on", "1003", "", PLAIN, Handling(forward_busy="1003"), ["star-forward-busy", *digits("1003")]),
    (
        "forward_no_answer_on", "1003", "", PLAIN, Handling(forward_no_answer="1003"),
        ["star-forward-no-answer", *digits("1003")],
    ),
    (
        "forward_unregistered_on", "1003", "", PLAIN, Handling(forward_unregistered="1003"),
        ["star-forward-unregistered", *digits("1003")],
    ),
    # The number is asked for: also when that dialled is nowhere, is one's own, or is none.
    (
        "forward_always_on", "", "1003#", PLAIN, Handling(forward_always="1003"),
        ["star-enter-number", "star-forward-always", *digits("1003")],
    ),
    (
        "forward_always_on", "2000", "1003#", PLAIN, Handling(forward_always="1003"),
        ["star-invalid-number", "star-forward-always", *digits("1003")],
    ),
    (
        "forward_always_on", "1001", "1*3#1003#", PLAIN, Handling(forward_always="1003"),
        ["star-invalid-number", "star-invalid-number", "star-forward-always", *digits("1003")],
    ),
    (
        "forward_always_on", "2000", "2#2#1003#", PLAIN, Handling(forward_always="1003"),
        [*["star-invalid-number"] * 3, "star-forward-always", *digits("1003")],
    ),
    ("forward_always_on", "", " ", PLAIN, PLAIN, ["star-enter-number", "star-not-changed"]),
    ("forward_always_on", "", "#", Handling(dnd=True), Handling(dnd=True), ["star-enter-number", "star-not-changed"]),
    (
        "forward_always_on", "", "2#2#2#", PLAIN, PLAIN,
        ["star-enter-number", "star-invalid-number", "star-invalid-number", "star-not-changed"],
    ),
    # Others that ring
    (
        "follow_me_on", "1003", "", PLAIN, Handling(follow_me=(FollowMe("1003", 10),)),
        ["star-follow-me", *digits("1003")],
    ),
    (
        "simultaneous_on", "1004", "", Handling(simultaneous=("1003",)), Handling(simultaneous=("1003", "1004")),
        ["star-simultaneous", *digits("1003"), *digits("1004")],
    ),
    (
        "simultaneous_on", "1003", "", Handling(simultaneous=("1003",)), Handling(simultaneous=("1003",)),
        ["star-simultaneous", *digits("1003")],
    ),
    # How long it rings
    (
        "no_answer_timeout", "20", "", PLAIN, Handling(no_answer_timeout=20),
        ["star-no-answer-timeout", *duration(20)],
    ),
    ("no_answer_timeout", "0", "", Handling(no_answer_timeout=20), PLAIN, ["star-no-answer-timeout-usual"]),
    (
        "no_answer_timeout", "4", "171#170#", PLAIN, Handling(no_answer_timeout=170),
        ["star-invalid-number", "star-invalid-number", "star-no-answer-timeout", *duration(170)],
    ),
    # The block list
    ("block", "1003", "", PLAIN, Handling(blocked=("1003",)), ["star-number-blocked"]),
    ("block", "0900*", "", PLAIN, Handling(blocked=("0900*",)), ["star-number-blocked"]),
    ("block", "*", "", PLAIN, Handling(blocked=("anonymous",)), ["star-anonymous-blocked"]),
    (
        "block", "", "1003#", Handling(blocked=("1003",)), Handling(blocked=("1003",)),
        ["star-enter-number", "star-number-blocked"],
    ),
    ("block", "**", " ", PLAIN, PLAIN, ["star-invalid-number", "star-enter-number", "star-not-changed"]),
    (
        "unblock", "1003", "", Handling(blocked=("1003", "0900*")), Handling(blocked=("0900*",)),
        ["star-number-unblocked"],
    ),
    ("unblock", "*", "", Handling(blocked=("anonymous",)), PLAIN, ["star-anonymous-allowed"]),
    ("unblock", "1003", "", PLAIN, PLAIN, ["star-not-changed"]),
]
"""The feature, what was dialled behind its code, the keys pressed, the handling before and after, what is heard."""


class StarCodesTests(SynchronousTestCase):
    """
    An extension switches how its calls are handled.
    """

    def setUp(self) -> None:
        """
        1001 calls.
        """
        self.directory = Directory([
            Extension("1001", "Ann"), Extension("1002", "Bob", enabled=False), Extension("1003", "Cleo"),
            Extension("1004", "Dan"),
        ])
        self.handling = MemoryHandling(self.directory)
        self.stars = StarCodes(self.directory, self.handling, {"1001", "1003", "1004", "600"}.__contains__)

    def visit(self, feature: str, argument: str = "", keys: str = "", caller: str = "1001") -> Visitor:
        """
        Dial a star code.
        """
        visitor = Visitor(keys, caller=caller, destination=Destination("star", feature, argument))
        self.further = run(self.stars.take(visitor))
        self.assertTrue(visitor.answered)
        return visitor

    def of_ann(self) -> Handling:
        """
        How 1001 is handled.
        """
        extension = self.directory.extension("1001")
        assert extension is not None
        return extension.handling

    def test_interfaces(self) -> None:
        """
        It is a destination, and the tests' handling is one.
        """
        verifyObject(IDestination, self.stars)
        verifyObject(IHandling, self.handling)

    def test_switches_and_says_so(self) -> None:
        """
        Each code changes what it is for, leaves the rest alone, and says what holds now.
        """
        for feature, argument, keys, before, after, heard in CASES:
            self.directory.put(Extension("1001", "Ann", handling=before))
            visitor = self.visit(feature, argument, keys)
            self.assertEqual((self.of_ann(), visitor.terminal.heard), (after, heard), (feature, argument, keys))
            self.assertIsNone(self.further)

    def test_every_feature_of_the_table_is_served(self) -> None:
        """
        Each star code that the dialplan sends here is known here.
        """
        elsewhere = {"voicemail", "voicemail_any", "voicemail_of", "pickup_group", "directory", "night_switch"}
        tested = {case[0] for case in CASES} | {"pickup"}
        self.assertEqual(tested, set(FEATURES) - elsewhere)
        self.assertEqual(set(SWITCHES) | set(self.stars._with_argument), tested)

    def test_a_number_beyond_the_house(self) -> None:
        """
        Calls are sent to, and others ring at, a number beyond the house that the extension may call: a mobile phone.
        """
        self.stars = StarCodes(
            self.directory, self.handling, self.directory.__contains__,
            lambda number, extension: "" if number == MOBILE else f"{extension} may not call it",
        )
        for feature, after in (
            ("forward_always_on", Handling(forward_always=MOBILE)),
            ("forward_no_answer_on", Handling(forward_no_answer=MOBILE)),
            ("follow_me_on", Handling(follow_me=(FollowMe(MOBILE, 10),))),
            ("simultaneous_on", Handling(simultaneous=(MOBILE,))),
        ):
            self.directory.put(Extension("1001", "Ann"))
            self.visit(feature, MOBILE)
            self.assertEqual(self.of_ann(), after)
        visitor = self.visit("forward_always_on", "09001234567")
        self.assertIn("star-invalid-number", visitor.terminal.heard)
        self.assertIn("1001's calls can't be sent to 09001234567: 1001 may not call it", visitor.notes)

    def test_a_place_does_not_ring_with_others(self) -> None:
        """
        All calls can be sent to a ring group; together with a phone only phones ring.
        """
        self.visit("forward_always_on", "600")
        self.assertEqual(self.of_ann(), Handling(forward_always="600"))
        self.directory.put(Extension("1001", "Ann"))
        for feature in ("follow_me_on", "simultaneous_on"):
            self.assertIn("star-invalid-number", self.visit(feature, "600").terminal.heard)
        self.assertIs(self.of_ann(), PLAIN)

    def test_asks_whose_call_to_pick_up(self) -> None:
        """
        Pickup without an extension asks for it, and goes on there.
        """
        self.visit("pickup", keys="1003#")
        self.assertEqual(self.further, Destination("pickup", "1003"))

    def test_notes_what_was_switched(self) -> None:
        """
        The call's trace says what was changed, and what could not be used.
        """
        visitor = self.visit("forward_always_on", "2000", "1003#")
        self.assertEqual(
            visitor.notes,
            [
                "star code forward_always_on: '2000' can't be used",
                "star code forward_always_on: 1001's forward_always is '1003'",
            ],
        )

    def test_says_that_it_failed(self) -> None:
        """
        When it can't be kept, the caller hears that nothing was changed, and the trace says why.
        """
        self.handling.broken = True
        visitor = self.visit("dnd_on")
        self.assertEqual(visitor.terminal.heard, ["star-failed"])
        self.assertEqual(visitor.notes, ["star code dnd_on: nothing was changed: the database: away"])

    def test_has_limits(self) -> None:
        """
        A block list that is full takes no more; of too many that ring together, the oldest goes.
        """
        self.patch(module, "MOST_BLOCKED", 1)
        self.patch(module, "MOST_SIMULTANEOUS", 1)
        self.directory.put(Extension("1001", "Ann", handling=Handling(blocked=("55",), simultaneous=("1003",))))
        self.assertEqual(self.visit("block", "66").terminal.heard, ["star-failed"])
        self.assertEqual(self.visit("block", "55").terminal.heard, ["star-number-blocked"])
        self.visit("simultaneous_on", "1004")
        self.assertEqual(self.of_ann(), Handling(blocked=("55",), simultaneous=("1004",)))

    def test_only_extensions_switch(self) -> None:
        """
        Who is no extension, or a disabled one, may switch nothing; a feature that nobody knows does nothing.
        """
        for caller in ("1002", "0301234"):
            self.assertEqual(self.visit("dnd_on", caller=caller).terminal.heard, ["star-not-allowed"])
        self.assertEqual(self.visit("coffee").terminal.heard, ["star-not-available"])
        self.assertIs(self.of_ann(), PLAIN)
