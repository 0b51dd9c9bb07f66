"""
The library of what the exchange says and plays: prompts by name and language, tones by country, files by path.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from pbx.audio import tones
from pbx.media.decoding import SUFFIXES, SoundUnreadableError, decode
from pbx.media.sound import NARROW, WIDE, Sound, silence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.python.failure import Failure

LIMIT: Final = 64 * 1024 * 1024
"""Bytes of sounds kept: a second takes 48 kB, so all prompts of a language and some minutes of music and messages."""

FRESH: Final = 5.0
"""Seconds for which a prompt is taken from memory without a look at its file: so soon a new upload is heard."""

ENGLISH: Final = "en"
"""The language that is complete; what another lacks is said in it."""

MAX_COMPLAINTS: Final = 1000
"""Missing prompts remembered as logged; past these all are logged again, and forgotten again."""

TONE: Final = "tone:"
"""What the name of a tone begins with: ``tone:busy``, or ``tone:uk/busy`` for that of a certain country."""

_NAME: Final = re.compile(r"[\w-]+(?:/[\w-]+)*", re.ASCII)
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*", re.ASCII)


@define
class Kept:
    """
    A sound in memory.

    Attributes:
        sound: The sound; silence where there is none.
        path: The file it was read from, ``None`` when none was found.
        stamp: When that file was changed and how long it is.
        looked: When its file was looked at last.
        trouble: Why it is silence, in words.
    """

    sound: Sound
    path: Path | None
    stamp: tuple[int, int] = (0, 0)
    looked: float = 0.0
    trouble: str = ""


class Sounds:
    """
    Sounds by name, read in threads and kept in memory.

    A prompt lies in ``<folder>/<language>/<name>.flac``, or with another of the usual endings. The first folder that
    has it counts, so that an operator's own prompts stand before those that came with the program. Of a language such
    as ``de-at`` what is missing is taken from ``de``, and then from English.

    Attributes:
        reactor: Time and threads, for all that reads and writes sound.
        folders: Where prompts are looked for, the first first.
        country: Whose tones are heard, as ISO 3166 has it in lower case.
    """

    log = Logger()

    def __init__(
        self, reactor: Any, folders: Sequence[Path], *, country: str = tones.DEFAULT, limit: int = LIMIT
    ) -> None:
        """
        Know where sounds are; none is read yet.

        Args:
            reactor: Time and threads.
            folders: Where prompts are looked for, the first first.
            country: Whose tones are heard.
            limit: Bytes of sounds to keep; those played longest ago are dropped first.
        """
        self.reactor = reactor
        self.folders = tuple(folders)
        self.country = country
        self._in_thread: Callable[..., Deferred[Kept]] = partial(deferToThreadPool, reactor, reactor.getThreadPool())
        self._limit = limit
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._loading: dict[tuple[str, str], list[Deferred[Sound]]] = {}
        self._complaints: set[tuple[str, str]] = set()

    @property
    def size(self) -> int:
        """
        The memory that the sounds kept take, in bytes, about.
        """
        return sum(kept.sound.size for kept in self._kept.values())

    async def load(self, name: str | Path | Sound, language: str = ENGLISH) -> Sound:
        """
        A sound, ready to be played.

        Args:
            name: A prompt's name such as ``vm-welcome``; a tone such as ``tone:busy``; the path of any sound file; or
                a sound, which is given back.
            language: The language of a prompt.

        Returns:
            The sound. One that is missing or can't be read is silence of no length: that is logged once, and a caller
            hears what comes next.
        """
        if isinstance(name, Sound):
            return name
        if isinstance(name, str) and name[: len(TONE)] == TONE:
            return self._tone(name)
        key = (str(name), "" if isinstance(name, Path) else language)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            # A file given by its path may have been recorded anew a moment ago.
            if isinstance(name, str) and self.reactor.seconds() - kept.looked < FRESH:
                return kept.sound
        return await self._loaded(key, name)

    def forget(self) -> None:
        """
        Drop every sound from memory; those that play now play on.
        """
        self._kept.clear()

    def _loaded(self, key: tuple[str, str], name: str | Path) -> Deferred[Sound]:
        waiting = self._loading.get(key)
        if waiting is not None:
            waiting.append(Deferred())
            return waiting[-1]
        # Who gives up waiting leaves the others their sound: each has a Deferred of its own.
        waiter: Deferred[Sound] = Deferred()
        self._loading[key] = [waiter]
        work = self._in_thread(_fetch, self._places(key, name), self._kept.get(key))
        work.addErrback(self._failed, key)
        work.addCallback(self._fetched, key)
        return waiter

    def _places(self, key: tuple[str, str], name: str | Path) -> list[Path]:
        """
        Where the file of a sound can be; a path without its ending is one of any ending.
        """
        if isinstance(name, Path):
            return [name]
        language = key[1]
        # Names come from the operator's menus as well: they must not lead out of the folders.
        if _NAME.fullmatch(name) is None or _LANGUAGE.fullmatch(language) is None:
            return []
        languages = dict.fromkeys([language, re.split("[-_]", language)[0], ENGLISH])
        return [folder / spoken / name for spoken in languages for folder in self.folders]

    def _failed(self, failure: Failure, key: tuple[str, str]) -> Kept:
        self.log.failure("sound {name!r} could not be read", failure=failure, name=key[0])
        self._complaints.add(key)
        return Kept(silence(name=key[0]), None, trouble=failure.getErrorMessage())

    def _fetched(self, kept: Kept, key: tuple[str, str]) -> None:
        kept.looked = self.reactor.seconds()
        self._kept[key] = kept
        self._kept.move_to_end(key)
        self._make_room()
        if not kept.trouble:
            self._complaints.discard(key)
        elif key not in self._complaints:
            if len(self._complaints) >= MAX_COMPLAINTS:
                self._complaints.clear()
            self._complaints.add(key)
            self.log.error(
                "sound {name!r} is silence: {trouble} (language {language})",
                name=key[0],
                trouble=kept.trouble,
                language=key[1] or "any",
            )
        for waiter in self._loading.pop(key):
            waiter.callback(kept.sound)

    def _make_room(self) -> None:
        size = self.size
        while size > self._limit and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            size -= dropped.sound.size

    def _tone(self, name: str) -> Sound:
        country, _, tone = name.removeprefix(TONE).rpartition("/")
        country = country or self.country
        key = (TONE + tone, country)
        kept = self._kept.get(key)
        if kept is None:
            try:
                sound = Sound(tones.tone(tone, country, WIDE), tones.tone(tone, country, NARROW), name)
            except ValueError as error:
                self.log.error("sound {name!r} is silence: {trouble}", name=name, trouble=error)
                sound = silence(name=name)
            kept = self._kept[key] = Kept(sound, None)
        self._kept.move_to_end(key)
        return kept.sound


def _fetch(places: Sequence[Path], before: Kept | None) -> Kept:
    """
    Find and read a file, or find that what was read before still holds; in a thread.
    """
    for place in places:
        path = place if place.suffix in SUFFIXES else _with_suffix(place)
        try:
            status = path.stat()
        except OSError:
            continue
        stamp = (status.st_mtime_ns, status.st_size)
        if before is not None and (before.path, before.stamp) == (path, stamp):
            return before
        try:
            return Kept(decode(path), path, stamp)
        except SoundUnreadableError as error:
            return Kept(silence(name=path.stem), path, stamp, trouble=str(error))
    where = ", ".join(str(place) for place in places) or "its name is none of a file"
    return Kept(silence(), None, trouble=f"there is no file ({where})")


def _with_suffix(place: Path) -> Path:
    found = (place.with_name(place.name + suffix) for suffix in SUFFIXES)
    return next((path for path in found if path.is_file()), place)
