"""
Tests for :mod:`pbx.features.conference.door`.
"""

from __future__ import annotations

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from pbx.features.conference.door import LOCKED_FOR, MAX_GUESSERS, MAX_WRONG, Guesses
from tests.features.conference.case import ConferenceCase

PIN, MODERATOR = "4711", "9988"


class DoorTests(ConferenceCase):
    """
    The way into a room with PINs.
    """

    def setUp(self) -> None:
        super().setUp()
        self.room(pin=PIN, moderator_pin=MODERATOR)

    def test_right(self) -> None:
        """
        Who knows the PIN is let in; who knows the other one is a moderator. Digits may be pressed into the prompt.
        """
        self.dial(keys=f"{PIN}#")
        self.dial(keys=f" {MODERATOR}#")
        roles = [member["moderator"] for member in self.rooms.list()[0]["members"]]
        self.assertEqual(roles, [False, True])

    def test_three_tries(self) -> None:
        """
        Three wrong PINs, or none, are goodbye; the second may be right.
        """
        caller = self.dial(keys="1111#2222#3333#4711#")
        self.assertEqual(caller.ended, [None])
        prompts = ["conf-enter-pin", "conf-invalid-pin"] * 3 + ["conf-too-many-tries"]
        self.assertEqual(caller.terminal.heard, prompts)
        self.assertEqual(caller.visit.notes[-1], "conference 8000: not let in, no PIN was right")
        self.assertEqual(self.dial(keys="###").ended, [None])
        self.assertEqual(self.dial(keys=f"1#{PIN}#").ended, [])

    def test_locked_out(self) -> None:
        """
        Who calls again and again with wrong PINs is not asked any more for a quarter of an hour, be the PIN right;
        others are.
        """
        for _ in range(3):
            self.dial(keys="1#2#3#", number="1002")
        caller = self.dial(keys=f"{PIN}#", number="1002")
        self.assertEqual((caller.ended, caller.terminal.heard), ([None], ["conf-too-many-tries"]))
        other = self.dial(keys=f"{PIN}#", number="1003")
        self.assertEqual(other.ended, [])
        other.hang_up()
        self.hall.clock.advance(LOCKED_FOR)
        self.assertEqual(self.dial(keys=f"{PIN}#", number="1002").ended, [])

    def test_not_locked_out(self) -> None:
        """
        Who knows the PIN begins anew, and pressing nothing is no wrong PIN.
        """
        for _ in range(4):
            self.dial(keys=f"1#2#{PIN}#", number="1002").hang_up()
            self.dial(keys="###", number="1002")
        for _ in range(2):
            self.dial(keys="1#2#3#", number="1002")
        self.assertEqual(self.dial(keys=f"{PIN}#", number="1002").ended, [])

    def test_never_in_the_log(self) -> None:
        """
        Neither the right PIN nor a tried one is logged or noted; nor does a room show them.
        """
        events: list[str] = []

        def observe(event: object) -> None:
            events.append(str(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        caller = self.dial(keys=f"5555#{PIN}#")
        told = "".join([*events, *caller.visit.notes, str(self.rooms.list()), str(self.places.place("8000"))])
        self.assertIn("wrong PIN for conference", told)
        for secret in ("5555", PIN, MODERATOR):
            self.assertNotIn(secret, told)

    def test_only_for_moderators(self) -> None:
        """
        A room whose moderators alone have a PIN lets in whoever presses just pound, or nothing at all.
        """
        self.room("8001", moderator_pin=MODERATOR)
        for keys in ("#", "  ", f"{MODERATOR}#"):
            self.assertEqual(self.dial(keys=keys, room="8001").ended, [])
        roles = [member["moderator"] for member in self.rooms.list()[0]["members"]]
        self.assertEqual(roles, [False, False, True])

    def test_no_pin(self) -> None:
        """
        A room without any asks for none.
        """
        self.room("8001")
        self.assertEqual(self.dial(room="8001").terminal.heard, ["conf-only-one"])


class GuessesTests(SynchronousTestCase):
    """
    Who has tried wrong PINs.
    """

    def setUp(self) -> None:
        self.now = 0.0
        self.guesses = Guesses(lambda: self.now)

    def test_forgets(self) -> None:
        """
        What was wrong long ago counts no more, nor what was wrong before it was right.
        """
        for _ in range(MAX_WRONG - 1):
            self.guesses.wrong("8000", "1001")
        self.assertFalse(self.guesses.locked("8000", "1001"))
        self.now += LOCKED_FOR
        self.guesses.wrong("8000", "1001")
        self.assertFalse(self.guesses.locked("8000", "1001"))
        for _ in range(MAX_WRONG):
            self.guesses.wrong("8000", "1001")
        self.assertTrue(self.guesses.locked("8000", "1001"))
        self.assertFalse(self.guesses.locked("8001", "1001"))
        self.guesses.right("8000", "1001")
        self.assertFalse(self.guesses.locked("8000", "1001"))

    def test_limit(self) -> None:
        """
        So many numbers are remembered and no more.
        """
        for number in range(MAX_GUESSERS + 10):
            self.guesses.wrong("8000", str(number))
        self.assertEqual(len(self.guesses._wrong), MAX_GUESSERS)
