"""
Music on hold: classes of pieces, each a folder ``<data>/music/<class>/`` that files are sent to or put into by hand.

The class ``default`` has the piece that came with the program for as long as there is no other in its folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from pbx.audio.wording import NAME
from pbx.features.prompts import InThread, NotKeptError
from pbx.features.recordings import Recording, convert, look, sound_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MUSIC: Final = "music"
"""The folder of the music, in the data directory and in the program's sounds."""

DEFAULT: Final = "default"
"""The class that is played where no other is named, and where one is that has no pieces."""

LARGEST: Final = 40_000_000
"""Bytes of a file that is sent: half an hour of a good MP3."""

LONGEST: Final = 1800.0
"""Seconds of a piece: what is played of a file (see :data:`pbx.media.decoding.LONGEST`)."""

MOST: Final = 200
"""Pieces of a class, and classes."""


@attrs.frozen
class Piece:
    """
    A piece of music.

    Attributes:
        group: Its class.
        name: What it is called: its file's name without the ending.
        own: Whether it is the operator's, not the one that came with the program.
        recording: Its file.
    """

    group: str
    name: str
    own: bool
    recording: Recording


class MusicOnHold:
    """
    All music.

    Attributes:
        on_change: Called with a class that has other pieces than before, and their files: those of the default class
            where it has none any more.
    """

    def __init__(self, in_thread: InThread, data: Path, shipped: Path) -> None:
        """
        Know where music lies.

        Args:
            in_thread: What calls slow functions.
            data: The data directory.
            shipped: Where lies what came with the program: ``pbx/sounds``.
        """
        self.on_change: Callable[[str, list[Path]], object] = lambda group, files: None
        self._in_thread = in_thread
        self._own = data / MUSIC
        self._shipped = shipped / MUSIC

    async def files(self, group: str) -> list[Path]:
        """
        What is played for a class: its pieces by name, or those of the default class.
        """
        return await self._in_thread(self._files, group)

    async def all(self) -> dict[str, list[Piece]]:
        """
        All pieces by class.
        """
        return await self._in_thread(self._list)

    async def find(self, group: str, name: str) -> Piece | None:
        """
        One of them.
        """
        return await self._in_thread(self._find, group, name)

    async def content(self, piece: Piece) -> bytes:
        """
        Its file.
        """
        return await self._in_thread(piece.recording.path.read_bytes)

    async def add(self, group: str, name: str, content: bytes) -> Piece:
        """
        Keep a piece, in place of one of that name; its class begins with the first.

        Raises:
            UnusableSoundError: It is no sound, or too long.
            NotKeptError: There are too many already.
            OSError: It cannot be written.
        """
        piece = await self._in_thread(self._add, group, name, content)
        self.on_change(group, await self.files(group))
        return piece

    async def delete(self, group: str, name: str) -> bool:
        """
        Delete one of the operator's; with the last one its class ends. ``False`` when there was none.
        """
        deleted = await self._in_thread(self._delete, group, name)
        if deleted:
            self.on_change(group, await self.files(group))
        return deleted

    def _classes(self) -> list[str]:
        try:
            found = {path.name for path in self._own.iterdir() if path.is_dir() and NAME.fullmatch(path.name)}
        except OSError:
            found = set()
        return sorted(found | {DEFAULT})

    def _own_files(self, group: str) -> list[Path]:
        return sound_files(self._own / group) if NAME.fullmatch(group) is not None else []

    def _files(self, group: str) -> list[Path]:
        return self._own_files(group) or self._own_files(DEFAULT) or sound_files(self._shipped)

    def _list(self) -> dict[str, list[Piece]]:
        return {group: self._pieces(group) for group in self._classes()}

    def _pieces(self, group: str) -> list[Piece]:
        own = self._own_files(group)
        files = own or (sound_files(self._shipped) if group == DEFAULT else [])
        found = ((path, look(path)) for path in files)
        return [Piece(group, path.stem, bool(own), recording) for path, recording in found if recording is not None]

    def _find(self, group: str, name: str) -> Piece | None:
        return next((piece for piece in self._pieces(group) if piece.name == name), None)

    def _add(self, group: str, name: str, content: bytes) -> Piece:
        if NAME.fullmatch(group) is None or NAME.fullmatch(name) is None:
            raise ValueError(f"no piece of music is called {group}/{name}")
        before = self._own_files(group)
        if len(before) >= MOST and all(path.stem != name for path in before):
            raise NotKeptError(f"There are {MOST} pieces in {group} already.")
        if not before and len(self._classes()) >= MOST:
            raise NotKeptError(f"There are {MOST} classes of music already.")
        convert(content, self._own / group / f"{name}.flac", longest=LONGEST)
        piece = self._find(group, name)
        if piece is None:
            raise NotKeptError(f"{group}/{name} was deleted meanwhile.")
        return piece

    def _delete(self, group: str, name: str) -> bool:
        deleted = False
        while (path := next((path for path in self._own_files(group) if path.stem == name), None)) is not None:
            path.unlink()
            deleted = True
        if deleted and not any((self._own / group).iterdir()):
            (self._own / group).rmdir()
        return deleted
