"""
Conferences with people in them who talk, listen, and press keys when a test says so.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from pbx.audio.g711 import Samples
from pbx.calls.outbound import CallerIdentity
from pbx.directory.decision import Destination
from pbx.directory.places import Places, Room
from pbx.features.conference.conference import Conference
from pbx.features.conference.equipment import Equipment
from pbx.features.conference.meeting import Meeting
from pbx.features.conference.rooms import Rooms
from pbx.tasks import Tasks
from tests.features.visitor import FakeTerminal, Visitor
from tests.media.members import FakeSound, Hall, Person

NOON = 1_767_355_200.0
"""The second of January 2026, 12:00 UTC."""

MUSIC = 1300.0
"""The frequency of the music, in Hz."""


class Guest(FakeTerminal):
    """
    A terminal whose keys come when they come.

    Attributes:
        hearing: What it says.
        speaking: What it hears.
    """

    def __init__(self, hall: Hall, person: Person, keys: str = "") -> None:
        super().__init__(keys)
        self.hearing = self.speaking = person
        self._clock = hall.clock
        self._pressed: Deferred[str] | None = None

    async def digit(self, timeout: float) -> str:
        """
        The next key, or nothing after a while.
        """
        if self.keys:
            key = self.keys.pop(0)
            return "" if key == " " else key
        pressed: Deferred[str] = Deferred()
        self._pressed = pressed
        call = self._clock.callLater(timeout, pressed.callback, "")
        try:
            return await pressed
        finally:
            self._pressed = None
            if call.active():
                call.cancel()

    def press(self, keys: str) -> None:
        """
        Press keys.
        """
        for key in keys:
            if self._pressed is not None:
                self._pressed.callback(key)
            else:
                self.keys.append(key)


@attrs.define(eq=False)
class Caller:
    """
    Somebody who has called a conference.
    """

    person: Person
    terminal: Guest
    visit: Visitor
    ended: list[Any] = attrs.field(factory=list)
    call: Any = None

    def press(self, keys: str) -> None:
        """
        Press keys.
        """
        self.terminal.press(keys)

    def hang_up(self) -> None:
        """
        Go without a word.
        """
        self.call.cancel()


@attrs.define(eq=False)
class Reel:
    """
    A recording that keeps all.
    """

    path: Path
    rate: int
    on_error: Callable[[Exception], object]
    kept: list[Samples] = attrs.field(factory=list)
    closed: int = 0

    def write(self, pcm: Samples) -> None:
        """
        Keep 20 ms.
        """
        self.kept.append(pcm.copy())

    async def close(self) -> float:
        """
        End it.
        """
        self.closed += 1
        return len(self.kept) * 0.02


class FakeSounds:
    """
    A library whose every prompt is a short silence, and that remembers what it was asked for.
    """

    def __init__(self) -> None:
        self.loaded: list[str] = []

    async def load(self, name: Any, language: str = "en") -> Any:
        """
        A prompt, a spoken name, or what is a sound already.
        """
        if isinstance(name, Path):
            assert name.exists()
            return FakeSound.tone(1700, 0.4)
        if not isinstance(name, str):
            self.loaded.append("a spoken name")
            return name
        self.loaded.append(name)
        return FakeSound.tone(0, 0.1)


class ConferenceCase(TestCase):
    """
    An exchange with conference rooms.
    """

    def setUp(self) -> None:
        self.hall = Hall()
        self.sounds = FakeSounds()
        self.reels: list[Reel] = []
        self.tasks = Tasks()
        self.now = NOON
        self.folder = Path(self.mktemp())
        self.places = Places()
        self.callers: list[Caller] = []
        equipment = Equipment(
            mixer=self.hall.mixer,
            sounds=self.sounds,
            music=self.music,
            recording=self.record,
            tasks=self.tasks,
            wall=lambda: self.now,
            folder=self.folder,
        )
        self.rooms = Rooms(self.places, equipment)
        self.conference = Conference(self.rooms, self.hall.clock.seconds, self.folder / "names")

    def tearDown(self) -> None:
        for caller in self.callers:
            caller.hang_up()
        # Nothing is left of any conference, however it went.
        self.assertEqual((len(self.rooms), len(self.hall.mixer), len(self.hall.pacer)), (0, 0, 0))
        self.assertEqual(self.hall.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.tasks), 0)
        self.assertEqual([reel.closed for reel in self.reels], [1] * len(self.reels))
        self.assertEqual(list(self.folder.glob("names/*")), [])

    async def music(self, name: str) -> Any:
        """
        The music.
        """
        return FakeSound.tone(MUSIC, 1.0) if name == "default" else None

    def record(self, path: Path, rate: int, *, on_error: Callable[[Exception], object]) -> Reel:
        """
        A recording.
        """
        self.reels.append(Reel(path, rate, on_error))
        return self.reels[-1]

    def room(self, number: str = "8000", **settings: Any) -> None:
        """
        Configure a room.
        """
        self.places.put(Room(number, "Board", **settings))

    def dial(
        self,
        *tones: float,
        keys: str = "",
        room: str = "8000",
        number: str = "1001",
        anonymous: bool = False,
        spoken: float = 1.0,
    ) -> Caller:
        """
        Call a room, and say a name of some seconds when asked.
        """
        person = Person(*tones)
        visit = Visitor(caller=number, name="Ann", destination=Destination("conference", room))
        visit.caller = CallerIdentity(number, "Ann", anonymous)
        visit.terminal = Guest(self.hall, person, keys)
        visit.terminal.seconds = spoken
        caller = Caller(person, visit.terminal, visit)
        caller.call = Deferred.fromCoroutine(self.conference.take(visit))
        caller.call.addErrback(lambda failure: failure.trap(CancelledError) and "hung up")
        caller.call.addCallback(caller.ended.append)
        self.callers.append(caller)
        return caller

    def meeting(self, room: str = "8000") -> Meeting:
        """
        What goes on in a room.
        """
        meeting = self.rooms.meeting(room)
        assert meeting is not None
        return meeting
