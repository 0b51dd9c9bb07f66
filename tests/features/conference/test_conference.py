"""
Tests for :mod:`pbx.features.conference.conference`.
"""

from __future__ import annotations

from zope.interface.verify import verifyObject

from pbx.calls.destination import IDestination
from tests.features.conference.case import MUSIC, ConferenceCase

LOW, MIDDLE, HIGH = 300.0, 800.0, 2100.0


class ConferenceTests(ConferenceCase):
    """
    A conference from the caller's arrival to its leaving.
    """

    def test_interface(self) -> None:
        """
        It is a place that callers can be sent to.
        """
        verifyObject(IDestination, self.conference)

    def test_three(self) -> None:
        """
        Three who call the same room hear each other, and not themselves; who hangs up is gone.
        """
        self.room()
        callers = [self.dial(tone) for tone in (LOW, MIDDLE, HIGH)]
        self.hall.wait(1)
        self.assertEqual([caller.person.heard(LOW, MIDDLE, HIGH) for caller in callers], [
            [0, 40, 40], [40, 0, 40], [40, 40, 0],
        ])
        self.assertTrue(all(caller.visit.answered for caller in callers))
        self.assertEqual(callers[2].visit.notes, ["conference 8000: joined as participant, 3 there"])
        callers[0].hang_up()
        self.hall.wait(1)
        self.assertEqual(callers[1].person.heard(LOW, MIDDLE, HIGH), [0, 0, 40])
        self.assertEqual(callers[0].ended, ["hung up"])

    def test_rooms_are_apart(self) -> None:
        """
        What is said in one room is not heard in another.
        """
        self.room()
        self.room("8001")
        here, there = self.dial(LOW), self.dial(MIDDLE, room="8001")
        others = [self.dial(), self.dial(room="8001")]
        self.hall.wait(1)
        self.assertEqual([other.person.heard(LOW, MIDDLE) for other in others], [[40, 0], [0, 40]])
        self.assertEqual((here.person.heard(MIDDLE), there.person.heard(LOW)), ([0], [0]))

    def test_alone(self) -> None:
        """
        Who is alone is told so and hears music, until another comes, and again when it is alone again.
        """
        self.room()
        first = self.dial()
        self.assertEqual(first.terminal.heard, ["conf-only-one"])
        self.hall.wait(1)
        self.assertEqual(first.person.heard(MUSIC), [40])
        second = self.dial()
        self.hall.wait(1)
        self.assertEqual((first.person.heard(MUSIC), second.terminal.heard), ([0], []))
        second.hang_up()
        self.hall.wait(1.5)
        self.assertEqual(first.person.heard(MUSIC), [40])

    def test_no_music(self) -> None:
        """
        A room without music is quiet.
        """
        self.room(music="")
        first = self.dial()
        self.hall.wait(1)
        self.assertEqual(first.person.heard(MUSIC), [0])

    def test_leaving(self) -> None:
        """
        Star and 8 lead out, with a goodbye that the others don't hear.
        """
        self.room()
        first, second = self.dial(), self.dial(LOW)
        first.press("*8")
        self.assertEqual(first.ended, [None])
        self.assertEqual(first.terminal.heard[-2:], ["conf-keys", "conf-goodbye"])
        self.assertEqual(first.visit.notes[-1], "conference 8000: left")
        self.assertEqual(len(self.meeting()), 1)
        self.assertEqual(second.ended, [])

    def test_full(self) -> None:
        """
        No more are let in than there is room for; when one has gone there is room again.
        """
        self.room(most=2)
        callers = [self.dial(), self.dial(), self.dial()]
        self.assertEqual((callers[2].ended, callers[2].terminal.heard), ([None], ["conf-full"]))
        self.assertEqual(callers[2].visit.notes, ["conference 8000: full"])
        callers[0].hang_up()
        self.assertEqual(self.dial().ended, [])

    def test_no_such_room(self) -> None:
        """
        A number that is no room any more is told, and noted.
        """
        caller = self.dial(room="8999")
        self.assertEqual((caller.ended, caller.terminal.heard), ([None], ["conf-unavailable"]))
        self.assertEqual(caller.visit.notes, ["conference 8999: there is no such room"])

    def test_asked_for_the_number(self) -> None:
        """
        Sent to a conference and to no certain one, the caller enters its number; three wrong ones are enough.
        """
        self.room()
        caller = self.dial(room="", keys="8999#8000#")
        self.assertEqual(caller.ended, [])
        self.assertEqual(caller.terminal.heard[:3], ["conf-enter-number", "conf-invalid-number", "conf-enter-number"])
        self.assertEqual(len(self.meeting()), 1)
        lost = self.dial(room="", keys="1#2#3#8000#")
        self.assertEqual((lost.ended, lost.terminal.heard[-1]), ([None], "conf-too-many-tries"))

    def test_anonymous(self) -> None:
        """
        Who does not want to be known is not shown.
        """
        self.room()
        self.dial(anonymous=True)
        member = self.rooms.list()[0]["members"][0]
        self.assertEqual((member["number"], member["name"]), ("", ""))

    def test_names(self) -> None:
        """
        Where names are announced everybody says its own at the door; it is heard when one comes and goes, and its file
        is gone at once.
        """
        self.room(announce="name")
        first = self.dial()
        self.assertEqual(first.terminal.heard, ["conf-say-name", "conf-only-one"])
        second = self.dial()
        self.hall.wait(0.4)
        self.assertEqual(self.sounds.loaded, ["a spoken name", "conf-has-joined"])
        self.assertEqual(first.person.heard(1700, seconds=0.3), [40])
        self.assertEqual(list(self.folder.glob("names/*")), [])
        second.hang_up()
        self.assertEqual(self.sounds.loaded[2:], ["a spoken name", "conf-has-left"])

    def test_nothing_said(self) -> None:
        """
        Who says no name comes in with a chime.
        """
        self.room(announce="name", music="")
        first = self.dial()
        self.hall.wait(1)
        self.dial(spoken=0.1)
        self.hall.wait(0.3)
        self.assertEqual(self.sounds.loaded, [])
        self.assertTrue(min(first.person.heard(440, 587, seconds=0.3)) > 3)

    def test_chimes(self) -> None:
        """
        By default a chime tells who is there that somebody comes, and another that somebody goes.
        """
        self.room(music="")
        first = self.dial()
        self.hall.wait(1)
        self.assertEqual(first.person.heard(440, 587, seconds=0.3), [0, 0])
        second = self.dial()
        self.hall.wait(0.3)
        came = first.person.heard(440, 587, seconds=0.3)
        self.assertTrue(min(came) > 3, came)
        self.hall.wait(1)
        second.hang_up()
        self.hall.wait(0.3)
        went = first.person.heard(440, 587, seconds=0.3)
        self.assertTrue(min(went) > 3, went)

    def test_no_announcements(self) -> None:
        """
        A room may be silent about it.
        """
        self.room(music="", announce="none")
        first = self.dial()
        self.dial().hang_up()
        self.hall.wait(0.6)
        self.assertEqual(first.person.heard(440, 587, seconds=0.5), [0, 0])

    def test_muted_on_entry(self) -> None:
        """
        Where all come in muted they are told so, and can be heard when they want to.
        """
        self.room(mute_on_entry=True, music="")
        first, second = self.dial(), self.dial(LOW)
        self.hall.wait(1)
        self.assertEqual((first.person.heard(LOW), second.terminal.heard), ([0], ["conf-is-muted"]))
        second.press("*1")
        self.hall.wait(1)
        self.assertEqual((first.person.heard(LOW), second.terminal.heard[-1]), ([40], "conf-unmuted"))
