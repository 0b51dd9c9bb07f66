"""
Tests for :mod:`pbx.features.conference.music`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pbx.features.conference.music import OnePiece
from pbx.media.music import MusicClass


class AtOnce:
    """
    A reactor whose threads do their work at once.
    """

    def getThreadPool(self) -> Any:  # noqa: N802 - as the reactor has it
        """
        The threads.
        """
        return self

    def callInThreadWithCallback(self, done: Any, work: Any, *arguments: Any, **named: Any) -> None:  # noqa: N802
        """
        Do it.
        """
        done(True, work(*arguments, **named))

    def callFromThread(self, call: Any, *arguments: Any) -> None:  # noqa: N802
        """
        Call back.
        """
        call(*arguments)


@attrs.frozen
class Piece:
    """
    A sound of some frames.
    """

    name: str
    count: int


class FakeLibrary:
    """
    A library in which every file but one is a sound.
    """

    def __init__(self) -> None:
        self.reactor = AtOnce()

    async def load(self, path: Path) -> Piece:
        """
        A sound.
        """
        return Piece(path.name, 0 if path.name == "broken.wav" else 50)


@attrs.frozen
class FakeMusic:
    """
    Some classes.
    """

    classes: tuple[MusicClass, ...]


class OnePieceTests(SynchronousTestCase):
    """
    A piece of music.
    """

    def piece(self, name: str, **classes: str) -> str | None:
        """
        What is drawn of some classes of one file each.
        """
        music: Any = FakeMusic(tuple(MusicClass(key, (Path(file),)) for key, file in classes.items()))
        library: Any = FakeLibrary()
        sound = self.successResultOf(Deferred.fromCoroutine(OnePiece(music, library)(name)))
        return None if sound is None else sound.name

    def test_classes(self) -> None:
        """
        The class that is asked for, else the usual one, else none; a file that can't be read is none.
        """
        self.assertEqual(self.piece("jazz", default="a.wav", jazz="b.wav"), "b.wav")
        self.assertEqual(self.piece("rock", default="a.wav", jazz="b.wav"), "a.wav")
        self.assertIsNone(self.piece("rock", jazz="b.wav"))
        self.assertIsNone(self.piece("jazz", jazz="broken.wav"))

    def test_folder(self) -> None:
        """
        Of a folder any file is drawn.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        for name in ("a.wav", "b.wav"):
            (folder / name).touch()
        self.assertEqual({self.piece("default", default=str(folder)) for _ in range(50)}, {"a.wav", "b.wav"})
