"""
Tests for :mod:`pbx.media.mixer`.
"""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.g711 import decode_mulaw
from tests.media.members import PCMA, WIDE, FakeSound, Hall, Person, Tape, amplitudes

LOW, MIDDLE, HIGH = 300.0, 800.0, 2100.0


class MixerTests(SynchronousTestCase):
    """
    Who hears whom.
    """

    def setUp(self) -> None:
        self.hall = Hall()

    def tearDown(self) -> None:
        for room in list(self.hall.mixer._rooms.values()):
            for member in list(room.members):
                member.leave()
        self.assertEqual((len(self.hall.mixer), len(self.hall.pacer)), (0, 0))
        self.assertEqual(self.hall.clock.getDelayedCalls(), [])

    def test_the_others_and_not_oneself(self) -> None:
        """
        Each of three hears both others as loud as they are, and nothing of itself.
        """
        people = [Person(tone) for tone in (LOW, MIDDLE, HIGH)]
        for person in people:
            self.hall.join(person)
        self.hall.wait(1)
        self.assertEqual(people[0].heard(LOW, MIDDLE, HIGH), [0, 40, 40])
        self.assertEqual(people[1].heard(LOW, MIDDLE, HIGH), [40, 0, 40])
        self.assertEqual(people[2].heard(LOW, MIDDLE, HIGH), [40, 40, 0])

    def test_a_frame_a_tick(self) -> None:
        """
        Everybody gets one frame a tick from the first after joining, whoever talks; missed ticks are made up for.
        """
        people = [Person(), Person(LOW)]
        for person in people:
            self.hall.join(person)
        self.hall.wait(0.5)
        self.hall.clock.advance(0.06)
        self.assertEqual([len(person.said) for person in people], [29, 28])

    def test_rates(self) -> None:
        """
        A room of narrow and wide band: all hear each other, the wide ones also what the telephone band has not; and of
        itself nobody hears anything.
        """
        people = [Person(LOW), Person(MIDDLE, form=PCMA), Person(HIGH, 6000.0, form=WIDE), Person(form=WIDE)]
        for person in people:
            self.hall.join(person)
        self.hall.wait(1)
        self.assertEqual(people[0].heard(LOW, MIDDLE, HIGH), [0, 40, 40])
        self.assertEqual(people[1].heard(LOW, MIDDLE, HIGH), [40, 0, 40])
        self.assertEqual(people[2].heard(LOW, MIDDLE, HIGH, 6000.0), [40, 40, 0, 0])
        self.assertEqual(people[3].heard(LOW, MIDDLE, HIGH, 6000.0), [40, 40, 40, 40])
        # 2 kHz is where a tone of 6 kHz would fold to.
        self.assertEqual(people[0].heard(2000.0), [0])

    def test_no_click(self) -> None:
        """
        Somebody who comes or goes makes no click in what is heard across the rates.
        """
        talker, listener = Person(LOW), Person(form=WIDE)
        for person in (talker, listener):
            self.hall.join(person)
        self.hall.wait(1)
        listener.said.clear()
        for _ in range(10):
            member = self.hall.join(Person())
            self.hall.wait(0.06)
            member.leave()
            self.hall.wait(0.06)
        line = np.concatenate(listener.said).astype(int)
        # A tone of 300 Hz moves by 471 at most from one sample to the next.
        self.assertLess(np.abs(np.diff(line)).max(), 700)

    def test_two_codecs_of_one(self) -> None:
        """
        Somebody may send another codec than it is sent, also from the middle on: it still hears nothing of itself.
        """
        voice, ear, other = Person(LOW), Person(form=WIDE), Person(MIDDLE)
        self.hall.mixer.join("8000", voice, ear)
        self.hall.join(other)
        self.hall.wait(1)
        for form in (WIDE, PCMA):
            self.assertEqual((ear.heard(LOW, MIDDLE), other.heard(LOW, MIDDLE)), ([0, 40], [40, 0]))
            voice.format = form
            self.hall.wait(1)
        other.tones = ()
        self.hall.wait(1)
        ear.said.clear()
        for _ in range(5):
            self.hall.join(Person())
            self.hall.wait(0.06)
        self.assertLess(np.abs(np.concatenate(ear.said)).max(), 300)

    def test_another_codec(self) -> None:
        """
        Somebody who changes the codec in the middle is heard and hears on; one of whose codec nothing is known is no
        harm to the others.
        """
        people = [Person(LOW), Person(MIDDLE), Person(HIGH)]
        for person in people:
            self.hall.join(person)
        self.hall.wait(0.5)
        people[1].format = WIDE
        people[1].said.clear()
        people[2].format = None
        said = len(people[2].said)
        self.hall.wait(1)
        self.assertEqual(people[0].heard(LOW, MIDDLE, HIGH), [0, 40, 40])
        self.assertEqual(people[1].heard(LOW, MIDDLE, HIGH), [40, 0, 40])
        self.assertEqual(len(people[2].said), said)

    def test_rooms_do_not_leak(self) -> None:
        """
        Three rooms at once, of both rates: nobody hears a word from another.
        """
        rooms = {
            "8000": [Person(LOW), Person()],
            "8001": [Person(MIDDLE, form=WIDE), Person()],
            "8002": [Person(HIGH), Person(form=WIDE)],
        }
        # Whoever comes and goes in one room is nothing to the others.
        for place in (0, 1):
            for room, people in rooms.items():
                self.hall.join(people[place], room)
        self.hall.wait(1)
        heard = [people[1].heard(LOW, MIDDLE, HIGH) for people in rooms.values()]
        self.assertEqual(heard, [[40, 0, 0], [0, 40, 0], [0, 0, 40]])

    def test_muted_and_deaf(self) -> None:
        """
        Who is muted is not heard but hears, who is deaf hears nothing but is heard.
        """
        people = [Person(LOW), Person(MIDDLE), Person(HIGH)]
        members = [self.hall.join(person) for person in people]
        members[0].muted = members[1].deaf = True
        self.hall.wait(1)
        self.assertEqual(people[0].heard(LOW, MIDDLE, HIGH), [0, 40, 40])
        self.assertEqual(people[1].heard(LOW, MIDDLE, HIGH), [0, 0, 0])
        self.assertEqual(people[2].heard(LOW, MIDDLE, HIGH), [0, 40, 0])
        self.assertEqual([member.talking for member in members], [False, True, True])
        members[0].muted = members[1].deaf = False
        self.hall.wait(1)
        self.assertEqual(people[1].heard(LOW, MIDDLE, HIGH), [40, 0, 40])
        self.assertEqual(people[2].heard(LOW, MIDDLE, HIGH), [40, 40, 0])

    def test_away(self) -> None:
        """
        Who is away is sent nothing and is not heard.
        """
        people = [Person(LOW), Person(MIDDLE)]
        members = [self.hall.join(person) for person in people]
        members[0].away = True
        people[0].said.clear()
        self.hall.wait(1)
        self.assertEqual((people[0].said, people[1].heard(LOW)), ([], [0]))
        members[0].away = False
        self.hall.wait(1)
        self.assertEqual(people[0].heard(MIDDLE), [40])

    def test_volume(self) -> None:
        """
        Somebody may hear the room louder or quieter, without being heard otherwise.
        """
        people = [Person(LOW), Person(MIDDLE)]
        members = [self.hall.join(person) for person in people]
        members[0].volume = -6.0
        self.hall.wait(1)
        self.assertEqual((people[0].heard(LOW, MIDDLE), people[1].heard(LOW)), ([0, 20], [40]))
        members[0].muted = True
        self.hall.wait(1)
        self.assertEqual((people[0].heard(LOW, MIDDLE), people[1].heard(LOW)), ([0, 20], [0]))

    def test_too_loud(self) -> None:
        """
        When many shout it is bent, not wrapped: the sum keeps its sign.
        """
        people = [Person(LOW, level=32_000) for _ in range(4)]
        for person in [*people, Person()]:
            self.hall.join(person)
        self.hall.wait(1)
        line = np.concatenate(people[0].said)[-1600:].astype(float)
        times = np.arange(line.size) / 8000
        pure = np.sin(2 * np.pi * LOW * times)
        self.assertGreater(abs(np.corrcoef(line, pure)[0, 1]), 0.9)
        self.assertGreater(np.abs(line).max(), 30_000)

    def test_encoded_once(self) -> None:
        """
        What all who are silent hear is encoded once a tick and codec, however many they are.
        """
        listeners = [Person() for _ in range(10)] + [Person(form=PCMA) for _ in range(10)]
        for person in [Person(LOW), *listeners]:
            self.hall.join(person)
        self.hall.wait(1)
        self.assertEqual(sorted((each.codec, each.frames) for each in self.hall.encoders), [("pcma", 50), ("pcmu", 50)])
        self.assertEqual({person.own for person in listeners}, {0})
        self.assertEqual({tuple(person.heard(LOW)) for person in listeners}, {(40,)})

    def test_silence_is_not_dead(self) -> None:
        """
        Nobody talks: a soft hiss is heard.
        """
        person = Person()
        self.hall.join(person)
        self.hall.wait(1)
        loudness = np.std(np.concatenate(person.said).astype(float))
        self.assertTrue(15 < loudness < 60, loudness)

    def test_talking(self) -> None:
        """
        Who talks is told when it begins and ends, with the level while it lasts.
        """
        people = [Person(), Person()]
        members = [self.hall.join(person) for person in people]
        told: list[bool] = []
        members[0].on_talking = told.append
        self.hall.wait(1)
        self.assertEqual((told, members[0].talking), ([], False))
        people[0].tones = (LOW,)
        self.hall.wait(1)
        self.assertEqual((told, members[0].talking, members[1].talking), ([True], True, False))
        self.assertAlmostEqual(members[0].level, -21.3, places=0)
        # Others that come are no interruption.
        self.hall.join(Person())
        self.hall.wait(0.1)
        self.assertEqual(told, [True])
        people[0].tones = ()
        self.hall.join(Person())
        self.hall.wait(0.3)
        self.assertEqual(told, [True])
        self.hall.wait(2)
        self.assertEqual((told, members[0].level), ([True, False], -127.0))

    def test_announcements(self) -> None:
        """
        Sounds announced in a room are heard by all, one after another; each says when it has ended.
        """
        people = [Person(), Person(LOW), Person(form=WIDE)]
        room = self.hall.join(people[0]).room
        for person in people[1:]:
            self.hall.join(person)
        ended: list[str] = []
        room.announce(FakeSound.tone(MIDDLE, 0.5), on_end=lambda: ended.append("first"))
        room.announce(FakeSound.tone(HIGH, 0.51), on_end=lambda: ended.append("second"))
        self.hall.wait(0.5)
        self.assertEqual([person.heard(MIDDLE, HIGH) for person in people], [[40, 0]] * 3)
        self.hall.wait(0.5)
        self.assertEqual([person.heard(MIDDLE, HIGH) for person in people], [[0, 40]] * 3)
        self.hall.wait(1)
        self.assertEqual([person.heard(MIDDLE, HIGH) for person in people], [[0, 0]] * 3)
        self.assertEqual(ended, ["first", "second"])
        self.assertEqual(set(self.hall.mixer._planes), {8_000, 16_000})

    def test_limit_of_announcements(self) -> None:
        """
        When more than some seconds wait, no more are taken, until they were heard; nor in a room that all have left.
        """
        member = self.hall.join(Person())
        taken = [member.room.announce(FakeSound.tone(LOW, 2), FakeSound.tone(MIDDLE, 2)) for _ in range(30)]
        self.assertEqual(taken.count(True), 3)
        self.hall.wait(4)
        self.assertTrue(member.room.announce(FakeSound.tone(LOW, 1)))
        member.leave()
        self.assertFalse(member.room.announce(FakeSound.tone(LOW, 1)))

    def test_whisper(self) -> None:
        """
        A sound for one is heard by that one alone, besides the room; afterwards it costs no more than others.
        """
        people = [Person(), Person(), Person(LOW)]
        members = [self.hall.join(person) for person in people]
        ended: list[bool] = []
        members[0].whisper(FakeSound.tone(MIDDLE, 0.5), on_end=lambda: ended.append(True))
        self.hall.wait(0.5)
        self.assertEqual([person.heard(LOW, MIDDLE) for person in people], [[40, 40], [40, 0], [0, 0]])
        self.hall.wait(0.5)
        own = people[0].own
        self.hall.wait(0.5)
        self.assertEqual((people[0].own, ended), (own, [True]))
        self.assertEqual(people[0].heard(LOW, MIDDLE), [40, 0])

    def test_music(self) -> None:
        """
        Music goes on and on until it is ended.
        """
        person = Person()
        room = self.hall.join(person).room
        room.play(FakeSound.tone(MIDDLE, 0.3))
        self.hall.wait(2)
        self.assertEqual(person.heard(MIDDLE), [40])
        room.play(None)
        self.hall.wait(1)
        self.assertEqual(person.heard(MIDDLE), [0])

    def test_soft_sounds(self) -> None:
        """
        What is played is heard however soft it is: music has soft passages.
        """
        room = self.hall.join(Person()).room
        room.play(FakeSound((FakeSound.tone(MIDDLE, 0.3).pcm / 400).astype(np.int16)))
        tape = Tape()
        room.record(tape)
        self.hall.wait(1)
        self.assertGreater(np.abs(np.concatenate(tape.kept)[-800:]).max(), 5)

    def test_recording(self) -> None:
        """
        What is recorded holds everybody and what is announced, from when it was begun until it ends; no frame lacks.
        """
        people = [Person(LOW), Person(MIDDLE, form=WIDE), Person(HIGH)]
        room = self.hall.join(people[0]).room
        muted = [self.hall.join(person) for person in people[1:]][1]
        muted.muted = True
        room.announce(FakeSound.tone(1300, 5))
        tapes = [Tape(8_000), Tape(16_000)]
        for tape in tapes:
            room.record(tape)
            self.hall.wait(1)
            self.assertEqual(amplitudes(tape.kept, tape.rate, (LOW, MIDDLE, HIGH, 1300)), [40, 40, 0, 40])
        room.record(None)
        self.hall.wait(0.5)
        self.assertEqual([len(tape.kept) for tape in tapes], [50, 50])

    def test_rate_of_a_recording(self) -> None:
        """
        A recording should have the best rate of those who are there.
        """
        room = self.hall.join(Person()).room
        self.assertEqual(room.rate, 8_000)
        self.hall.join(Person(form=WIDE))
        self.assertEqual(room.rate, 16_000)

    def test_leaving(self) -> None:
        """
        Who has left is neither heard nor sent anything; leaving twice is once. The last one leaves nothing.
        """
        people = [Person(LOW), Person(MIDDLE)]
        members = [self.hall.join(person) for person in people]
        tape = Tape()
        members[0].room.record(tape)
        self.hall.wait(0.5)
        members[0].leave()
        members[0].leave()
        frames = len(people[0].said)
        self.hall.wait(0.5)
        self.assertEqual((len(people[0].said), people[1].heard(LOW)), (frames, [0]))
        members[1].leave()
        self.hall.wait(0.5)
        self.assertEqual((len(self.hall.pacer), len(tape.kept)), (0, 50))
        self.assertIsNone(self.hall.mixer.room("8000"))

    def test_leaving_in_the_middle(self) -> None:
        """
        Somebody whose last frame makes it leave, or another, is no harm to the others.
        """
        leaver, stayer = Person(LOW), Person(MIDDLE)
        members = [self.hall.join(leaver), self.hall.join(stayer)]
        frame = leaver.frame

        def last() -> object:
            for member in members:
                member.leave()
            return frame()

        self.hall.wait(0.1)
        leaver.frame = last  # type: ignore[method-assign]
        self.hall.wait(0.1)
        self.assertEqual(len(self.hall.mixer), 0)

    def test_failures(self) -> None:
        """
        One who can't be heard, or can't hear, for an error of ours, is out; so is a sound. All others go on.
        """
        people = [Person(LOW), Person(MIDDLE), Person(HIGH), Person()]
        members = [self.hall.join(person) for person in people]
        room = members[0].room
        self.hall.wait(0.1)

        def fail(*arguments: object) -> object:
            raise ZeroDivisionError

        people[0].frame = fail  # type: ignore[method-assign, assignment]
        people[1].say = fail  # type: ignore[method-assign, assignment]
        room.play(FakeSound.tone(MIDDLE, 1))
        assert room.music is not None
        room.music.frame = fail  # type: ignore[method-assign, assignment]
        self.hall.wait(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)
        self.assertEqual((len(room.members), room.music), (2, None))
        self.assertEqual(people[3].heard(LOW, MIDDLE, HIGH), [0, 0, 40])

    def test_payload(self) -> None:
        """
        The payload of who is silent is the sum in its codec.
        """
        people = [Person(LOW), Person()]
        for person in people:
            self.hall.join(person)
        payloads: list[bytes] = []
        people[1].say_frame = lambda payload, now: payloads.append(payload)  # type: ignore[method-assign]
        self.hall.wait(0.1)
        self.assertEqual({len(payload) for payload in payloads}, {160})
        self.assertGreater(np.abs(decode_mulaw(payloads[-1])).max(), 3000)
