"""
Tests for :mod:`pbx.features.conference.meeting`.
"""

from __future__ import annotations

from tests.features.conference.case import MUSIC, ConferenceCase
from tests.media.members import amplitudes

LOW, MIDDLE, HIGH = 300.0, 800.0, 2100.0


class MeetingTests(ConferenceCase):
    """
    A conference while it goes on.
    """

    def test_waiting_for_the_moderator(self) -> None:
        """
        Until the moderator comes the others hear music and not each other; then all hear all.
        """
        self.room(moderator_pin="99", wait_for_moderator=True)
        first, second = self.dial(LOW, keys="#"), self.dial(MIDDLE, keys="#")
        self.hall.wait(1)
        self.assertEqual(first.terminal.heard[-1], "conf-wait-moderator")
        for caller in (first, second):
            self.assertEqual(caller.person.heard(LOW, MIDDLE, MUSIC), [0, 0, 40])
        self.assertEqual([member["waiting"] for member in self.rooms.list()[0]["members"]], [True, True])
        moderator = self.dial(HIGH, keys="99#")
        self.hall.wait(1)
        self.assertEqual(first.person.heard(LOW, MIDDLE, HIGH, MUSIC), [0, 40, 40, 0])
        self.assertEqual(moderator.person.heard(LOW, MIDDLE, HIGH, MUSIC), [40, 40, 0, 0])
        self.assertEqual(self.sounds.loaded, ["conf-begins"])
        self.assertNotIn("conf-only-one", moderator.terminal.heard)
        # It goes on without a moderator, and who comes now need not wait.
        moderator.hang_up()
        third = self.dial(keys="#")
        self.hall.wait(1)
        self.assertEqual(third.person.heard(LOW, MIDDLE), [40, 40])

    def test_names_of_those_who_waited(self) -> None:
        """
        When the moderator comes it is announced, and not each of those who waited; nor, at the end, everybody who goes.
        """
        self.room(moderator_pin="99", wait_for_moderator=True, announce="name")
        for _ in range(3):
            self.dial(keys="#")
        moderator = self.dial(keys="99#")
        self.assertEqual(self.sounds.loaded, ["conf-begins", "a spoken name", "conf-has-joined"])
        self.sounds.loaded.clear()
        moderator.press("*9")
        self.assertEqual(self.sounds.loaded, [])

    def test_waiting_in_vain(self) -> None:
        """
        Who waits can hang up, and no key does anything.
        """
        self.room(moderator_pin="99", wait_for_moderator=True)
        first, second = self.dial(keys="#"), self.dial(keys="#")
        first.press("*1*8")
        self.assertEqual(first.ended, [])
        first.hang_up()
        self.assertEqual(len(self.meeting()), 1)
        second.hang_up()

    def test_ends_with_the_moderator(self) -> None:
        """
        When the last moderator has gone, all others are sent away with a word.
        """
        self.room(moderator_pin="99", end_with_moderator=True)
        callers = [self.dial(keys=keys) for keys in ("99#", "99#", "#", "#")]
        callers[0].hang_up()
        self.assertEqual([caller.ended for caller in callers[1:]], [[], [], []])
        callers[1].press("*8")
        self.assertEqual([caller.ended for caller in callers[1:]], [[None]] * 3)
        self.assertEqual(callers[2].terminal.heard[-2:], ["conf-moderator-left", "conf-ended"])
        self.assertEqual(callers[1].terminal.heard[-1], "conf-goodbye")
        # A new conference can begin in the room at once.
        self.assertEqual(self.dial(keys="#").ended, [])

    def test_goes_on_without_moderator(self) -> None:
        """
        Without that setting it goes on.
        """
        self.room(moderator_pin="99")
        moderator, other = self.dial(keys="99#"), self.dial(keys="#")
        moderator.hang_up()
        self.assertEqual(other.ended, [])

    def test_recording(self) -> None:
        """
        A recording holds all who are heard and nobody who is muted, in a file of its own in the room's folder; it is
        closed when the last has gone.
        """
        self.room(announce="none", music="")
        callers = [self.dial(tone) for tone in (LOW, MIDDLE, HIGH)]
        meeting = self.meeting()
        meeting.mute(list(meeting.attendees.values())[2])
        self.assertTrue(meeting.record())
        self.assertTrue(meeting.record())
        self.hall.wait(1)
        (reel,) = self.reels
        self.assertEqual(reel.path, self.folder / "8000" / "2026-01-02T12-00-00.000Z.wav")
        self.assertEqual(amplitudes(reel.kept, reel.rate, (LOW, MIDDLE, HIGH)), [40, 40, 0])
        self.assertEqual(len(reel.kept), 50)
        self.assertEqual(self.rooms.list()[0]["recording"], str(reel.path))
        late = self.dial()
        self.assertEqual(late.terminal.heard, ["conf-being-recorded"])
        for caller in [*callers, late]:
            caller.hang_up()
        self.assertEqual(reel.closed, 1)

    def test_always_recorded(self) -> None:
        """
        A room may be recorded whenever somebody is there.
        """
        self.room(record=True)
        self.dial().hang_up()
        self.now += 60
        self.dial()
        self.assertEqual([reel.closed for reel in self.reels], [1, 0])
        self.assertNotEqual(self.reels[0].path, self.reels[1].path)

    def test_disk_full(self) -> None:
        """
        When the disk takes no more the recording ends, and nothing else.
        """
        self.room()
        caller = self.dial()
        self.meeting().record()
        self.reels[0].on_error(OSError(28, "No space left on device"))
        self.assertIsNone(self.meeting().recorded_to)
        self.assertEqual(self.reels[0].closed, 1)
        self.hall.wait(1)
        self.assertEqual(caller.ended, [])
        self.assertEqual(self.sounds.loaded[-1], "conf-recording-stopped")

    def test_told_in_the_ear(self) -> None:
        """
        Who is muted by somebody else is told so, once, and the others don't hear it.
        """
        self.room(music="", announce="none")
        first, second = self.dial(), self.dial()
        attendee = next(iter(self.meeting().attendees.values()))
        for _ in range(2):
            self.meeting().mute(attendee, told=True)
        self.hall.wait(0.2)
        self.assertEqual(self.sounds.loaded, ["conf-muted-by-moderator"])
        self.assertGreater(first.person.own, 0)
        self.assertEqual(second.person.own, 0)

    def test_kick(self) -> None:
        """
        Who is sent away in the middle of a menu is told so, and goes.
        """
        self.room()
        caller, other = self.dial(LOW), self.dial()
        caller.press("*")
        next(iter(self.meeting().attendees.values())).dismiss("kicked")
        self.assertEqual((caller.ended, caller.terminal.heard[-1]), ([None], "conf-kicked"))
        self.hall.wait(1)
        self.assertEqual((other.person.heard(LOW), other.ended), ([0], []))

    def test_shown(self) -> None:
        """
        The API is told who is there, since when, and who talks.
        """
        self.room()
        self.dial(LOW)
        self.hall.wait(1)
        (shown,) = self.rooms.list()
        (member,) = shown.pop("members")
        self.assertEqual(
            shown,
            {
                "number": "8000",
                "name": "Board",
                "started": "2026-01-02T12:00:00.000+00:00",
                "locked": False,
                "begun": True,
                "recording": None,
            },
        )
        self.assertEqual(len(member.pop("id")), 8)
        self.assertEqual(member.pop("call_id"), "c" * 32)
        self.assertEqual(
            member,
            {
                "number": "1001",
                "name": "Ann",
                "moderator": False,
                "joined": "2026-01-02T12:00:00.000+00:00",
                "waiting": False,
                "muted": False,
                "talking": True,
                "level": -21,
            },
        )

    def test_told(self) -> None:
        """
        Whoever shows conferences live is told of every change.
        """
        told: list[int] = []
        self.rooms.on_change.append(lambda meeting: told.append(len(meeting)))
        self.room()
        caller = self.dial()
        caller.press("*1")
        caller.hang_up()
        self.assertEqual(told, [1, 1, 0])
