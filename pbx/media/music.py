"""
Music on hold: classes of music, each played like a radio station, so that all who hear it hear the same frame.

Everybody who listens to a class gets what it plays now. So each frame is looked up once a tick and encoded once for
all, and what a listener costs is a header and a datagram. While nobody listens it stands still.
"""

from __future__ import annotations

import random
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

from attrs import frozen
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from pbx.audio.codec import known
from pbx.media.decoding import SUFFIXES
from pbx.media.listeners import Channel, Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from twisted.internet.defer import Deferred

    from pbx.media.pacer import Pacer
    from pbx.media.session import RtpSession
    from pbx.media.sound import Sound
    from pbx.media.sounds import Sounds
    from pbx.sdp.audio import Format
    from pbx.sdp.mapping import Agreed
    from pbx.tasks import Tasks

DEFAULT: Final = "default"
"""The class that is heard where no other is asked for, and in place of one that does not exist."""

AGAIN: Final = 30.0
"""Seconds until a class none of whose files could be read is tried again, when somebody asks for it."""

MAX_FILES: Final = 1000
"""Files taken of a folder: what a person puts there."""


@frozen
class MusicClass:
    """
    A choice of music.

    Attributes:
        name: What it is asked for by.
        files: Sound files, and folders of sound files, played in turn; in a folder in the order of their names.
        shuffle: Play them in any order, each once a round.
    """

    name: str
    files: tuple[Path, ...]
    shuffle: bool = False


class Station:
    """
    A class as it is played: what is on, how far, and who hears it.

    Attributes:
        music: The class.
        failed: When none of its files could be read, that time; ``None`` while all is well.
    """

    log = Logger()

    def __init__(self, music: MusicClass, sounds: Sounds, pacer: Pacer, tasks: Tasks) -> None:
        """
        Begin to load the first piece.
        """
        self.music = music
        self.failed: float | None = None
        self._sounds = sounds
        self._pacer = pacer
        self._tasks = tasks
        self._list_files: Callable[..., Deferred[list[Path]]] = partial(
            deferToThreadPool, sounds.reactor, sounds.reactor.getThreadPool()
        )
        self._chance = random.Random()  # noqa: S311 - the order of music
        self._round: deque[Path] = deque()
        self._now: Sound | None = None
        self._next: Sound | None = None
        self._place = 0
        self._count = 0
        self._loading = False
        self._channels: dict[tuple[str, int, int], Channel] = {}
        self._deaf: dict[Listener, None] = {}
        self.prepare()

    @property
    def listeners(self) -> list[Listener]:
        """
        Who hears it.
        """
        hearing = [listener for channel in self._channels.values() for listener in channel.listeners]
        return [*hearing, *self._deaf]

    @property
    def position(self) -> float:
        """
        How far the piece is that plays now, in seconds.
        """
        return self._place / 50

    def add(self, listener: Listener) -> None:
        """
        Let somebody hear it from the next tick on.
        """
        first = not self._channels and not self._deaf
        self._tune(listener)
        if first:
            self._pacer.start(self)

    def remove(self, listener: Listener) -> None:
        """
        Let somebody hear it no more.
        """
        self._untune(listener)
        if not self._channels and not self._deaf:
            self._pacer.stop(self)

    def prepare(self) -> None:
        """
        Load the piece that comes next, unless that is under way, or failed a moment ago.
        """
        if self._loading or self._next is not None:
            return
        if self.failed is not None and self._sounds.reactor.seconds() - self.failed < AGAIN:
            return
        self._loading = True
        self._tasks.start(self._load(), f"load music {self.music.name}")

    def tick(self, now: float, frames: int) -> None:
        """
        Send everybody the frames that are due.
        """
        for _ in range(frames):
            if self._place >= self._count and not self._change():
                return
            place = self._place
            self._place = place + 1
            changed = [listener for listener in self._deaf if listener.session.agreed is not listener.agreed]
            for channel in self._channels.values():
                playing = channel.frames
                payload = playing[place] if playing is not None else b""
                # An encoder may take a frame to begin.
                if payload:
                    changed += channel.send(payload, now)
            for listener in changed:
                self._untune(listener)
                self._tune(listener)

    def _tune(self, listener: Listener) -> None:
        """
        Put a listener among those with its codec.
        """
        listener.agreed = agreed = listener.session.agreed
        listener.first = True
        codec = spoken(agreed)
        if codec is None:
            self._deaf[listener] = None
            return
        key = (codec.codec, codec.clock, codec.channels)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = Channel(codec)
            if self._now is not None:
                channel.frames = self._now.encoding(codec)
        channel.add(listener, codec.payload_type)

    def _untune(self, listener: Listener) -> None:
        channel = listener.channel
        self._deaf.pop(listener, None)
        if channel is not None:
            channel.remove(listener)
            if not channel.rows and not channel.waiting:
                codec = channel.codec
                del self._channels[codec.codec, codec.clock, codec.channels]

    def _change(self) -> bool:
        """
        Go on to the next piece; whether it is there.
        """
        if self._next is None:
            self.prepare()
            return False
        self._now, self._next = self._next, None
        self._place, self._count = 0, self._now.count
        for channel in self._channels.values():
            channel.frames = self._now.encoding(channel.codec)
        self.prepare()
        return True

    async def _load(self) -> None:
        try:
            for _ in range(2):
                # The rest of this round, and if none of it can be read a whole one.
                while self._round:
                    sound = await self._sounds.load(self._round.popleft())
                    if sound.count:
                        self._next, self.failed = sound, None
                        return
                files = await self._list_files(files_of, self.music.files)
                if self.music.shuffle:
                    self._chance.shuffle(files)
                self._round.extend(files)
            self.failed = self._sounds.reactor.seconds()
            self.log.error(
                "music class {name} is silent: there is no sound in {files}",
                name=self.music.name,
                files=", ".join(str(path) for path in self.music.files) or "no file",
            )
        finally:
            self._loading = False


class Music:
    """
    All classes of music, by name.
    """

    def __init__(self, sounds: Sounds, pacer: Pacer, tasks: Tasks, classes: Sequence[MusicClass] = ()) -> None:
        """
        Begin with some classes.

        Args:
            sounds: Reads the files.
            pacer: The tick.
            tasks: Loads pieces while others play.
            classes: The classes; one of them named :data:`DEFAULT` is heard wherever no other fits.
        """
        self._sounds, self._pacer, self._tasks = sounds, pacer, tasks
        self._stations: dict[str, Station] = {}
        for music in classes:
            self.put(music)

    @property
    def classes(self) -> list[MusicClass]:
        """
        The classes there are.
        """
        return [station.music for station in self._stations.values()]

    @property
    def listeners(self) -> int:
        """
        How many hear music now.
        """
        return sum(len(station.listeners) for station in self._stations.values())

    def put(self, music: MusicClass) -> None:
        """
        Add a class, or replace the one of its name: who hears that one hears the new one from now on.
        """
        before = self._stations.get(music.name)
        if before is not None and before.music == music:
            return
        station = self._stations[music.name] = Station(music, self._sounds, self._pacer, self._tasks)
        self._hand_over(before, station)

    def remove(self, name: str) -> None:
        """
        Drop a class: who hears it hears the default one from now on.
        """
        self._hand_over(self._stations.pop(name, None), self._stations.get(DEFAULT))

    def play(self, session: RtpSession, name: str = DEFAULT) -> Listener | None:
        """
        Let a session hear music from now on, until the listener that is returned is stopped.

        Args:
            session: Who is to hear it.
            name: The class; the default one is heard in place of one that there is not.

        Returns:
            The listener; ``None`` when there is no such music, or the session has no codec that we know.
        """
        for candidate in dict.fromkeys((name, DEFAULT)):
            station = self._stations.get(candidate)
            if station is None:
                continue
            station.prepare()
            if station.failed is None and spoken(session.agreed) is not None and not session.closed:
                listener = Listener(session, station.remove)
                station.add(listener)
                return listener
        return None

    @staticmethod
    def _hand_over(before: Station | None, after: Station | None) -> None:
        if before is None:
            return
        for listener in before.listeners:
            if after is None:
                listener.stop()
            else:
                before.remove(listener)
                listener.follow(after.remove)
                after.add(listener)


def spoken(agreed: Agreed) -> Format | None:
    """
    The codec in which a session hears what we say: the first we know of those it prefers.
    """
    return next((item for item in agreed.send if item.is_sound and known(item)), None)


def files_of(places: Sequence[Path]) -> list[Path]:
    """
    The sound files of files and folders; slow, for a thread.
    """
    files: list[Path] = []
    for place in places:
        try:
            inside = sorted(path for path in place.iterdir() if path.suffix.lower() in SUFFIXES)
        except OSError:
            # A file, or nothing: which of them is found out when it is read, and logged there.
            inside = [place]
        files += inside[:MAX_FILES]
    return files
