"""
The places of the exchange put together: what callers hear, and where they can be sent besides phones.
"""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from twisted.internet.threads import deferToThreadPool

import pbx
from pbx.audio.codec import encoder
from pbx.calls.refusal import REFUSAL
from pbx.calls.tools import Features
from pbx.directory.decision import Destination
from pbx.directory.places import Places
from pbx.features.announcement import Announcements
from pbx.features.conference.conference import Conference
from pbx.features.conference.equipment import Equipment
from pbx.features.conference.music import OnePiece
from pbx.features.conference.rooms import Rooms
from pbx.features.dial_by_name import DialByName
from pbx.features.follow_me import confirmation
from pbx.features.menu import Menus
from pbx.features.music import MusicOnHold
from pbx.features.prompts import Prompts
from pbx.features.refusal import Refusals
from pbx.features.ring_group import RingGroups
from pbx.features.speech import Speech
from pbx.features.star import StarCodes
from pbx.media.mixer import Mixer
from pbx.media.music import DEFAULT, Music, MusicClass
from pbx.media.recorder import Recorder
from pbx.media.sounds import Sounds
from pbx.store.handling import KeptHandling
from pbx.store.places import Places as StoredPlaces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twisted.internet.defer import Deferred

    from pbx.directory.directory import Directory
    from pbx.directory.places import Place
    from pbx.media.engine import InProcessEngine
    from pbx.ops.settings import Settings
    from pbx.store.database import Database
    from pbx.store.extensions import Extensions
    from pbx.store.mailboxes import Mailboxes
    from pbx.tasks import Tasks

T = TypeVar("T")

SHIPPED = Path(pbx.__file__).parent / "sounds"
"""The prompts and the music that come with the program."""


class Numbers:
    """
    The numbers of all places, configured or made for the moment.
    """

    def __init__(self, places: Places, rooms: Rooms) -> None:
        self._places = places
        self._rooms = rooms

    def place(self, number: str) -> Place | None:
        """
        The place with a number.
        """
        return self._places.place(number) or self._rooms.room(number)


class IMailroom(Protocol):
    """
    Voicemail, as far as callers are sent to it (:class:`~pbx.mailroom.Mailroom`).
    """

    @property
    def mailboxes(self) -> Mailboxes:
        """
        The mailboxes; as a container, the numbers of those that belong to no extension.
        """

    @property
    def kinds(self) -> Mapping[str, Any]:
        """
        By kind of destination, who serves it.
        """


class Furniture:
    """
    Everything that is neither a phone nor a call.

    Args:
        reactor: Time and threads.
        settings: What the operator decided.
        directory: The extensions.
        engine: The media.
        tasks: Where what nobody awaits runs.
        wall: The wall clock.
        database: Where all is kept.
        extensions: The extensions in it.
        mailroom: Voicemail.
        more: By kind of destination, who else serves callers.
        fault: Why an extension can't have its calls sent to a number that nobody here has; empty when it can.

    Attributes:
        prompts: What the exchange says, shipped and the operator's own.
        pieces: What music there is.
        sounds: What is said and played, in memory.
        music: What whoever waits hears.
        places: Ring groups, menus and rooms by number.
        stored: The same in the database.
        rooms: The conferences.
        features: What calls can be sent to; from :meth:`start` on.
    """

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        directory: Directory,
        engine: InProcessEngine,
        tasks: Tasks,
        wall: Callable[[], float],
        database: Database,
        extensions: Extensions,
        mailroom: IMailroom,
        more: Mapping[str, Any],
        fault: Callable[[str, str], str],
    ) -> None:
        data = settings.data
        threads = reactor.getThreadPool()

        def in_thread(work: Callable[..., T], *args: Any) -> Deferred[T]:
            return deferToThreadPool(reactor, threads, work, *args)

        self.prompts = Prompts(in_thread, data, SHIPPED, Speech(reactor, [data / "voices"]))
        self.pieces = MusicOnHold(in_thread, data, SHIPPED)
        self.sounds = Sounds(reactor, self.prompts.folders, country=settings.media.tones)
        self.music = Music(self.sounds, engine.pacer, tasks)
        self.pieces.on_change = self._music_changed
        self.places = Places()
        self.stored = StoredPlaces(reactor, database, self.places)
        equipment = Equipment(
            mixer=Mixer(engine.pacer, encoder), sounds=self.sounds, music=OnePiece(self.music, self.sounds),
            recording=partial(Recorder, reactor), tasks=tasks, wall=wall, folder=data / "conference",
        )
        self.rooms = Rooms(self.places, equipment)
        self._directory = directory
        self.kinds: dict[str, Any] = {
            "star": StarCodes(
                directory, KeptHandling(extensions), lambda number: self.find(number) is not None, fault
            ),
            "ring_group": RingGroups(self.places, directory, reactor, random.SystemRandom()),
            "menu": Menus(self.places, directory),
            "directory": DialByName(directory, lambda number: mailroom.mailboxes.greeting(number, "name")),
            "announcement": Announcements(self.find),
            REFUSAL: Refusals(),
            **mailroom.kinds,
            **more,
            "conference": Conference(self.rooms, reactor.seconds, data / "conference" / "names"),
        }
        self.features = Features(
            self.sounds, self.music, self.kinds, Numbers(self.places, self.rooms), settings.star_codes,
            mailroom.mailboxes, confirmation,
        )

    async def start(self) -> None:
        """
        Read what is kept.
        """
        for group in (DEFAULT, *await self.pieces.all()):
            self._music_changed(group, await self.pieces.files(group))
        await self.stored.start()

    def reconfigure(self, settings: Settings) -> None:
        """
        Go by other settings.
        """
        self.sounds.country = settings.media.tones

    async def stop(self) -> None:
        """
        Keep nothing fresh any more.
        """
        await self.stored.stop()

    def _music_changed(self, group: str, files: list[Path]) -> None:
        self.music.put(MusicClass(group, tuple(files)))

    def find(self, number: str) -> Destination | None:
        """
        Where a number leads that somebody is sent on to; ``None`` for nowhere. What an extension wants done with its
        calls is seen to when it is rung.
        """
        if number in self._directory:
            return Destination("extension", number)
        place = self.features.numbers.place(number)
        if place is not None:
            return Destination(place.kind, number)
        return Destination("voicemail", number) if number in self.features.mailboxes else None
