"""
A conference on real media: terminals, jitter buffers, codecs, mixer and recorder, over the network in memory.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import soundfile
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio import codec
from pbx.audio.g711 import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw
from pbx.calls.outbound import CallerIdentity
from pbx.directory.decision import Destination
from pbx.directory.places import Places, Room
from pbx.features.conference.conference import Conference
from pbx.features.conference.equipment import Equipment
from pbx.features.conference.music import OnePiece
from pbx.features.conference.rooms import Rooms
from pbx.media.mixer import Mixer
from pbx.media.music import DEFAULT, Music, MusicClass
from pbx.media.recorder import Recorder
from pbx.media.sounds import Sounds
from pbx.media.terminal import Terminal
from pbx.rtp.packet import Packet
from pbx.rtp.telephone_event import TelephoneEvent
from pbx.sdp.audio import Format
from pbx.tasks import Tasks
from tests.features.visitor import Visitor
from tests.media.members import amplitudes
from tests.media.memory import EVENTS, PCMA, PCMU, Phone, memory_engine
from tests.media.threads import VirtualThreads
from tests.network import Network

EXCHANGE = "10.0.0.1"
TONES = (300.0, 800.0, 2100.0)
MUSIC = 1300.0


def wave(frequency: float, rate: int, seconds: float) -> Any:
    """
    A tone.
    """
    times = np.arange(int(rate * seconds)) / rate
    return (4000 * np.sin(2 * np.pi * frequency * times)).astype(np.int16)


@attrs.define(eq=False)
class Person:
    """
    Somebody with a phone in a conference.
    """

    phone: Phone
    session: Any
    terminal: Terminal
    codec: Format
    frames: list[bytes]
    call: Any = None
    ended: list[Any] = attrs.field(factory=list)
    keys: list[Packet] = attrs.field(factory=list)

    def talk(self, turn: int) -> None:
        """
        Say 20 ms, or go on with a key.
        """
        to = (EXCHANGE, self.session.port)
        if self.keys:
            packet = attrs.evolve(self.keys.pop(0), sequence=self.phone.sequence)
            self.phone.rtp.sendto(packet.to_bytes(), to)
            self.phone.sequence += 1
            self.phone.timestamp += 160
            return
        self.phone.say(to, self.frames[turn % len(self.frames)])

    def press(self, key: str) -> None:
        """
        Press a key for 100 ms.
        """
        start = self.phone.timestamp + 160 * len(self.keys)
        for step in range(1, 8):
            event = TelephoneEvent.of_digit(key, min(step, 5) * 160, end=step >= 5)
            self.keys.append(Packet(101, 0, start, self.phone.ssrc, event.to_bytes(), step == 1))

    def heard(self, *frequencies: float, seconds: float = 0.4) -> list[int]:
        """
        How loud it hears some tones, in hundreds.
        """
        decode = decode_alaw if self.codec.codec == "pcma" else decode_mulaw
        last = self.phone.heard[-int(seconds * 50) :]
        return amplitudes([decode(packet.payload) for packet in last], 8_000, frequencies, seconds)


class MediaTests(SynchronousTestCase):
    """
    People with phones.
    """

    def setUp(self) -> None:
        self.network = Network(delay=0.005)
        self.network.host(EXCHANGE)
        self.clock = self.network.clock
        self.engine = memory_engine(self.network)
        self.folder = Path(self.mktemp())
        (self.folder / "en").mkdir(parents=True)
        for name in ("conf-only-one", "conf-keys", "conf-muted", "conf-recording-started", "conf-enter-pin"):
            soundfile.write(self.folder / "en" / f"{name}.wav", wave(500, 16_000, 0.3), 16_000)
        soundfile.write(self.folder / "music.wav", wave(MUSIC, 16_000, 1.0), 16_000)
        self.threads = VirtualThreads(self.clock)
        self.sounds = Sounds(self.threads, [self.folder])
        self.tasks = Tasks()
        pieces = Music(self.sounds, self.engine.pacer, self.tasks, [MusicClass(DEFAULT, (self.folder / "music.wav",))])
        self.places = Places([Room("8000", "Board"), Room("8001", "Secret", pin="47", announce="name")])
        equipment = Equipment(
            mixer=Mixer(self.engine.pacer, codec.encoder),
            sounds=self.sounds,
            music=OnePiece(pieces, self.sounds),
            recording=partial(Recorder, self.threads),
            tasks=self.tasks,
            wall=lambda: 1_767_355_200.0,
            folder=self.folder / "conference",
        )
        self.rooms = Rooms(self.places, equipment)
        self.conference = Conference(self.rooms, self.clock.seconds, self.folder / "names")
        self.people: list[Person] = []
        self.turn = 0

    def tearDown(self) -> None:
        for person in self.people:
            person.call.cancel()
        self.network.advance(0.5)
        for person in self.people:
            person.terminal.close()
        self.assertEqual((len(self.rooms), len(self.engine.pacer), len(self.tasks)), (0, 0, 0))
        self.engine.stop()
        self.network.advance(0.1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(list(self.folder.glob("names/*")), [])

    def dial(self, tone: float, form: Format = PCMU, room: str = "8000", *also: Format) -> Person:
        """
        Call a room with a phone.
        """
        number = len(self.people)
        host = f"10.0.1.{number + 1}"
        self.network.host(host)
        phone = Phone(self.network, host, 4000, 0xA0 + number, form.payload_type)
        session = self.engine.open(EXCHANGE, EXCHANGE, call_id=f"call-{number}")
        session.configure(phone.audio(form, EVENTS), (form, EVENTS, *also), (form, EVENTS, *also))
        encode = encode_alaw if form.codec == "pcma" else encode_mulaw
        samples = wave(tone, 8_000, 1.0)
        frames = [encode(samples[start : start + 160]) for start in range(0, 8000, 160)]
        terminal = Terminal(session, self.sounds, clock=self.clock)
        person = Person(phone, session, terminal, form, frames)
        visit = Visitor(destination=Destination("conference", room))
        visit.caller = CallerIdentity(str(1001 + number), "Ann")
        visit.terminal = terminal
        person.call = Deferred.fromCoroutine(self.conference.take(visit))
        person.call.addErrback(lambda failure: failure.trap(CancelledError) and "hung up")
        person.call.addCallback(person.ended.append)
        self.people.append(person)
        return person

    def wait(self, seconds: float) -> None:
        """
        Let all talk.
        """
        for _ in range(round(seconds / 0.02)):
            for person in self.people:
                person.talk(self.turn)
            self.turn += 1
            self.network.advance(0.02)

    def test_three(self) -> None:
        """
        Three phones, one of them with A-law: each hears both others and not itself.
        """
        people = [self.dial(tone, form) for tone, form in zip(TONES, (PCMU, PCMA, PCMU), strict=True)]
        self.wait(2)
        for number, person in enumerate(people):
            heard = person.heard(*TONES)
            for place, loudness in enumerate(heard):
                self.assertTrue(loudness == 0 if place == number else 37 <= loudness <= 42, (number, heard))
        self.assertEqual([len(person.phone.heard) > 95 for person in people], [True] * 3)

    def test_alone(self) -> None:
        """
        Who is alone hears it, and then music; it ends when another comes.
        """
        person = self.dial(TONES[0])
        self.wait(0.4)
        self.assertGreater(person.heard(500, seconds=0.2)[0], 20)
        self.wait(1)
        self.assertEqual(person.heard(MUSIC, TONES[0]), [40, 0])
        self.dial(TONES[1])
        self.wait(1)
        self.assertEqual(person.heard(MUSIC, TONES[1]), [0, 40])

    def test_keys(self) -> None:
        """
        Keys work in the conference: muted, it hears a word for it, and is not heard; then it leaves.
        """
        first, second = self.dial(TONES[0]), self.dial(TONES[1])
        self.wait(1)
        self.assertEqual(second.heard(TONES[0]), [40])
        first.press("*")
        first.press("1")
        self.wait(2)
        self.assertEqual((second.heard(TONES[0]), first.heard(TONES[1])), ([0], [40]))
        first.press("*")
        first.press("8")
        self.wait(1)
        self.assertEqual((first.ended, second.ended), ([None], []))

    def test_recording(self) -> None:
        """
        The recording is a WAV file that holds all of them; nothing of it is left open.
        """
        for tone in TONES:
            self.dial(tone)
        self.wait(1)
        meeting = self.rooms.meeting("8000")
        assert meeting is not None
        meeting.record()
        path = meeting.recorded_to
        assert path is not None
        self.wait(3)
        meeting.stop_recording()
        self.wait(0.5)
        samples, rate = soundfile.read(path, dtype="int16")
        self.assertEqual(rate, 8_000)
        self.assertAlmostEqual(len(samples) / rate, 3.0, places=1)
        self.assertEqual(amplitudes([samples], rate, TONES), [40, 40, 40])

    def test_pin_and_name(self) -> None:
        """
        PIN and name from the phone, before it is let in.
        """
        first = self.dial(TONES[0], PCMU, "8001")
        for key in "47#":
            first.press(key)
        self.wait(8)
        second = self.dial(TONES[1], PCMU, "8001")
        for key in "47#":
            second.press(key)
        # The name is said for all there is time for, and heard by both.
        self.wait(12)
        meeting = self.rooms.meeting("8001")
        assert meeting is not None
        self.assertEqual(len(meeting), 2)
        self.assertEqual(first.heard(TONES[1]), [40])

    def test_loss(self) -> None:
        """
        On a bad network they still hear each other, and not themselves.
        """
        first, second = self.dial(TONES[0]), self.dial(TONES[1])
        self.network.loss, self.network.jitter, self.network.duplication = 0.05, 0.03, 0.05
        self.wait(4)
        self.network.loss = self.network.jitter = self.network.duplication = 0.0
        self.wait(1)
        self.assertGreater(first.heard(TONES[1])[0], 25)
        self.assertLess(first.heard(TONES[0])[0], 2)
        self.assertGreater(second.heard(TONES[0])[0], 25)

    def test_hang_up_at_any_moment(self) -> None:
        """
        Whenever somebody hangs up, at the PIN, while saying its name, coming in or in the menu, nothing is left.
        """
        stayer = self.dial(TONES[0], PCMU, "8001")
        for key in "47#":
            stayer.press(key)
        self.wait(7)
        for tenth in range(0, 80, 3):
            person = self.dial(TONES[1], PCMU, "8001")
            for key in "47#":
                person.press(key)
            self.wait(tenth / 10)
            person.press("*")
            self.wait(0.2)
            person.call.cancel()
            person.terminal.close()
            person.session.close()
            self.people.remove(person)
            # A recording of its name is closed first.
            self.wait(0.04)
            self.assertEqual(person.ended, ["hung up"])
            self.network.hosts.pop(person.phone.host)
        self.wait(20)
        meeting = self.rooms.meeting("8001")
        assert meeting is not None
        self.assertEqual((len(meeting), list(self.folder.glob("names/*"))), (1, []))
        # The mixer is all that ticks.
        self.assertEqual(len(self.engine.pacer), 1)
        self.assertEqual(stayer.heard(TONES[1], MUSIC), [0, 40])
