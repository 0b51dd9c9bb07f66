"""
Tests for :mod:`pbx.features.conference.keys`.
"""

from __future__ import annotations

from tests.features.conference.case import Caller, ConferenceCase

LOW, MIDDLE = 300.0, 800.0


class KeysTests(ConferenceCase):
    """
    What can be done from the phone.
    """

    def setUp(self) -> None:
        super().setUp()
        self.room(moderator_pin="99", music="", announce="none")

    def moderator(self, *tones: float) -> Caller:
        """
        A moderator who calls.
        """
        return self.dial(*tones, keys="99#")

    def participant(self, *tones: float) -> Caller:
        """
        Somebody else who calls.
        """
        return self.dial(*tones, keys="#")

    def test_mute(self) -> None:
        """
        Star 1 mutes, and again unmutes.
        """
        talker, listener = self.participant(LOW), self.participant()
        talker.press("*1")
        self.hall.wait(1)
        self.assertEqual((listener.person.heard(LOW), talker.terminal.heard[-1]), ([0], "conf-muted"))
        talker.press("*1")
        self.hall.wait(1)
        self.assertEqual((listener.person.heard(LOW), talker.terminal.heard[-1]), ([40], "conf-unmuted"))

    def test_volume(self) -> None:
        """
        Star 4 or 6 and again, without another star, makes the room quieter or louder for one.
        """
        self.participant(LOW)
        listener, other = self.participant(), self.participant()
        listener.press("*44")
        self.hall.wait(6)
        self.assertEqual((listener.person.heard(LOW), other.person.heard(LOW)), ([20], [40]))
        listener.press("*" + "4" * 20)
        self.hall.wait(6)
        self.assertEqual(listener.person.heard(LOW), [10])
        listener.press("*" + "6" * 6)
        self.hall.wait(6)
        self.assertEqual(listener.person.heard(LOW), [80])

    def test_count(self) -> None:
        """
        Star pound tells how many are there.
        """
        caller = self.participant()
        caller.press("*#")
        self.assertEqual(caller.terminal.heard[-1], "conf-only-one")
        self.participant()
        caller.press("*#")
        self.assertEqual(caller.terminal.heard[-3:], ["conf-there-are", "number-2", "conf-people"])

    def test_lock(self) -> None:
        """
        A moderator locks: nobody but moderators is let in, until it is unlocked.
        """
        moderator = self.moderator()
        moderator.press("*2")
        self.assertTrue(self.meeting().locked)
        late = self.participant()
        self.assertEqual((late.ended, late.terminal.heard[-1]), ([None], "conf-locked"))
        self.assertEqual(self.moderator().ended, [])
        moderator.press("*2")
        self.assertEqual(self.participant().ended, [])
        self.assertEqual(self.sounds.loaded, ["conf-now-locked", "conf-now-unlocked"])

    def test_eject(self) -> None:
        """
        A moderator sends away who came last, but no moderator.
        """
        first, moderator, last, other = self.participant(), self.moderator(), self.participant(), self.moderator()
        moderator.press("*3")
        self.assertEqual((last.ended, last.terminal.heard[-1]), ([None], "conf-kicked"))
        self.assertEqual(moderator.terminal.heard[-1], "conf-last-kicked")
        moderator.press("*3*3")
        self.assertEqual((first.ended, other.ended, moderator.ended), ([None], [], []))

    def test_mute_all(self) -> None:
        """
        A moderator mutes all others; each can unmute itself.
        """
        moderator, talker = self.moderator(LOW), self.participant(MIDDLE)
        moderator.press("*7")
        self.hall.wait(1)
        self.assertEqual((moderator.person.heard(MIDDLE), talker.person.heard(LOW)), ([0], [40]))
        talker.press("*1")
        self.hall.wait(1)
        self.assertEqual(moderator.person.heard(MIDDLE), [40])

    def test_record(self) -> None:
        """
        A moderator begins a recording and ends it; all are told.
        """
        moderator = self.moderator(LOW)
        self.hall.wait(0.5)
        moderator.press("*5")
        self.hall.wait(1)
        moderator.press("*5")
        self.assertEqual((len(self.reels), self.reels[0].closed), (1, 1))
        self.assertEqual(self.sounds.loaded, ["conf-recording-started", "conf-recording-stopped"])

    def test_end(self) -> None:
        """
        A moderator ends it for all.
        """
        callers = [self.participant(), self.moderator(), self.participant()]
        callers[1].press("*9")
        self.assertEqual([caller.ended for caller in callers], [[None]] * 3)
        self.assertEqual({caller.terminal.heard[-1] for caller in callers}, {"conf-ended"})

    def test_not_for_everybody(self) -> None:
        """
        What moderators decide, others can't; keys without meaning do nothing.
        """
        moderator, caller = self.moderator(), self.participant()
        for key in "2357900*":
            caller.press(f"*{key}")
        self.hall.wait(10)
        self.assertFalse(self.meeting().locked)
        self.assertEqual((moderator.ended, caller.ended, self.reels), ([], [], []))

    def test_no_key(self) -> None:
        """
        Who presses star and nothing more is back after a while, and hears nobody meanwhile but the menu.
        """
        self.participant(LOW)
        caller = self.participant()
        caller.press("*")
        self.hall.wait(6)
        self.assertEqual((caller.ended, caller.person.heard(LOW)), ([], [40]))
