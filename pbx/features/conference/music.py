"""
Music for those who are alone, from the classes of music on hold.
"""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.threads import deferToThreadPool

from pbx.media.music import DEFAULT, files_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from twisted.internet.defer import Deferred

    from pbx.media.music import Music
    from pbx.media.sound import Sound
    from pbx.media.sounds import Sounds


class OnePiece:
    """
    One piece of a class, drawn anew each time.
    """

    def __init__(self, music: Music, sounds: Sounds) -> None:
        """
        Draw from the classes that there are when somebody is alone.

        Args:
            music: The classes.
            sounds: Reads the files.
        """
        self._music = music
        self._sounds = sounds
        self._in_thread: Callable[..., Deferred[list[Path]]] = partial(
            deferToThreadPool, sounds.reactor, sounds.reactor.getThreadPool()
        )

    async def __call__(self, name: str) -> Sound | None:
        """
        A piece of a class, or of the usual one where there is none of that name; ``None`` when there is none at all.
        """
        classes = {music.name: music for music in self._music.classes}
        chosen = classes.get(name) or classes.get(DEFAULT)
        files = await self._in_thread(files_of, chosen.files) if chosen is not None else []
        if not files:
            return None
        sound = await self._sounds.load(secrets.choice(files))
        return sound if sound.count else None
