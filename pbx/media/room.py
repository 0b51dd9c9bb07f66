"""
A room in the mixer, and who is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pbx.audio.activity import SILENT
from pbx.audio.polyphase import Polyphase
from pbx.media.room_sound import Announcements, Music, PlayedSound

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from pbx.audio.g711 import Samples
    from pbx.media.mixing import Heard, Plane
    from pbx.sdp.audio import Format


class IEncoder(Protocol):
    """
    Turns frames of one stream into payloads.
    """

    def encode(self, pcm: Samples) -> bytes:
        """
        The payload of the next 20 ms.
        """


class ISpeaking(Protocol):
    """
    Where a member hears the room.
    """

    @property
    def rate(self) -> int:
        """
        Samples a second that it takes.
        """

    @property
    def format(self) -> Format | None:
        """
        What its frames are encoded in now, ``None`` while there is nothing that we know.
        """

    def say(self, pcm: Samples, now: float) -> object:
        """
        Encode and send 20 ms.
        """

    def say_frame(self, payload: bytes, now: float) -> object:
        """
        Send 20 ms that are encoded already.
        """


class IRecorder(Protocol):
    """
    Takes what is said in a room.
    """

    @property
    def rate(self) -> int:
        """
        Samples a second that it takes.
        """

    def write(self, pcm: Samples) -> object:
        """
        Keep 20 ms.
        """


class IMixing(Protocol):
    """
    What a room is mixed by.
    """

    def rearrange(self) -> None:
        """
        Look at everything anew before the next tick.
        """

    def part(self, member: Member) -> None:
        """
        Let a member out.
        """


class Place:
    """
    Where a member stands in the mix; laid out anew whenever something has changed.

    Attributes:
        plane: Where it is heard, ``None`` before the next tick.
        row: Its row there.
        target: Where it hears, ``None`` while it can't.
        position: The room's row there.
        format: What its frames are encoded in.
        key: The same for all formats that come to the same payloads.
        alone: Whether nobody else hears the same, silent as it may be.
        crossing: From the rate it is heard at to the one it hears at, where these differ.
    """

    __slots__ = ("alone", "crossing", "format", "key", "plane", "position", "row", "target")

    def __init__(self) -> None:
        self.plane: Plane | None = None
        self.row = -1
        self.target: Plane | None = None
        self.position = -1
        self.format: Format | None = None
        self.key: Hashable = None
        self.alone = False
        self.crossing: Polyphase | None = None


class Member:
    """
    One who is in a room.

    Attributes:
        room: The room.
        hearing: What comes from it.
        speaking: Where it hears the room.
        on_talking: Called with whether it talks, when that changes.
        whispers: What it alone hears besides the room.
        lowered: From the rate of sounds to the one it hears at.
        place: Where it stands in the mix, which is the mixer's to say.
    """

    def __init__(self, mixer: IMixing, room: MixedRoom, hearing: Heard, speaking: ISpeaking) -> None:
        self.room = room
        self.hearing = hearing
        self.speaking = speaking
        self.on_talking: Callable[[bool], object] | None = None
        self._mixer = mixer
        self._muted = self._deaf = self._away = False
        self._volume = 0.0
        self.whispers = Announcements(mixer.rearrange)
        self.lowered: Polyphase | None = None
        self.place = Place()

    @property
    def muted(self) -> bool:
        """
        Whether the others don't hear it.
        """
        return self._muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        self._muted = muted
        self._mixer.rearrange()

    @property
    def deaf(self) -> bool:
        """
        Whether it hears nobody.
        """
        return self._deaf

    @deaf.setter
    def deaf(self, deaf: bool) -> None:
        self._deaf = deaf
        self._mixer.rearrange()

    @property
    def away(self) -> bool:
        """
        Whether it hears something else now, which the mixer does not disturb: nothing is sent, and it is not heard.
        """
        return self._away

    @away.setter
    def away(self, away: bool) -> None:
        self._away = away
        self._mixer.rearrange()

    @property
    def volume(self) -> float:
        """
        By how many dB it hears the room louder.
        """
        return self._volume

    @volume.setter
    def volume(self, volume: float) -> None:
        self._volume = volume
        self._mixer.rearrange()

    @property
    def talking(self) -> bool:
        """
        Whether it talks and can be heard.
        """
        plane = self.place.plane
        return plane is not None and bool(plane.talking[self.place.row])

    @property
    def level(self) -> float:
        """
        How loud it is now, in dBov; -127 for silence.
        """
        plane = self.place.plane
        return SILENT if plane is None else plane.activity.level(self.place.row)

    def whisper(self, *sounds: PlayedSound, on_end: Callable[[], object] | None = None) -> bool:
        """
        Let it alone hear sounds, besides the room.

        Returns:
            Whether it will: not when too much waits.
        """
        taken = self.whispers.add(*sounds, on_end=on_end)
        self._mixer.rearrange()
        return taken

    def leave(self) -> None:
        """
        Hear and be heard no more.
        """
        self._mixer.part(self)


class MixedRoom:
    """
    A room whose members hear each other.

    Attributes:
        key: What it is found by.
        members: Who is in it, in the order they came.
        announcements: What is announced.
        music: What is played again and again.
        recorder: Where all of it is written.
        encoders: Encoders of what all silent members hear, by format.
    """

    def __init__(self, mixer: IMixing, key: Hashable) -> None:
        self.key = key
        self.members: dict[Member, None] = {}
        self.announcements = Announcements(mixer.rearrange)
        self.music: Music | None = None
        self.recorder: IRecorder | None = None
        self._mixer = mixer
        self.encoders: dict[Hashable, IEncoder | None] = {}

    def announce(self, *sounds: PlayedSound, on_end: Callable[[], object] | None = None) -> bool:
        """
        Let all hear sounds, one after the other, after those that were announced before.

        Returns:
            Whether they will be heard: not when too much waits, or nobody is there.
        """
        if not self.members:
            return False
        taken = self.announcements.add(*sounds, on_end=on_end)
        self._mixer.rearrange()
        return taken

    def play(self, sound: PlayedSound | None) -> None:
        """
        Let all hear a sound again and again; ``None`` ends it.
        """
        self.music = Music(sound) if sound is not None else None
        self._mixer.rearrange()

    def hush(self) -> None:
        """
        Play nothing any more, announcements neither.
        """
        self.music = None
        self.announcements = Announcements(self._mixer.rearrange)
        self._mixer.rearrange()

    def record(self, recorder: IRecorder | None) -> None:
        """
        Write all that is said and announced; ``None`` ends it. The recorder is not closed here.
        """
        self.recorder = recorder
        self._mixer.rearrange()

    @property
    def rate(self) -> int:
        """
        The highest rate of its members, in samples a second; what a recording should have.
        """
        return max((member.hearing.rate for member in self.members), default=8_000)
