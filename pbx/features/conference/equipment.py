"""
What every conference uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pbx.audio.g711 import Samples
    from pbx.media.mixer import Mixer
    from pbx.media.room_sound import PlayedSound
    from pbx.tasks import Tasks


class IRecording(Protocol):
    """
    A recording under way (:class:`~pbx.media.recorder.Recorder`).
    """

    @property
    def rate(self) -> int:
        """
        Samples a second.
        """

    def write(self, pcm: Samples) -> object:
        """
        Keep 20 ms.
        """

    async def close(self) -> float:
        """
        End it; how many seconds there are.
        """


class NewRecording(Protocol):
    """
    Begins a recording.
    """

    def __call__(self, path: Path, rate: int, *, on_error: Callable[[Exception], object]) -> IRecording:
        """
        A recording into a file.
        """


class ISounds(Protocol):
    """
    The library of sounds.
    """

    async def load(self, name: Any, language: str = "en") -> PlayedSound:
        """
        A sound by name, or of a file; one that is a sound already is given back.
        """


class IMusic(Protocol):
    """
    The library of music.
    """

    async def __call__(self, name: str) -> PlayedSound | None:
        """
        A piece of music; ``None`` where there is none of that name.
        """


class Equipment:
    """
    All of it together.

    Attributes:
        mixer: Where it is mixed.
        sounds: Prompts.
        music: Music.
        recording: Begins a recording.
        tasks: Where what nobody awaits runs.
        wall: The wall clock in seconds.
        folder: Where recordings lie, in a folder a room.
    """

    def __init__(
        self,
        *,
        mixer: Mixer,
        sounds: ISounds,
        music: IMusic,
        recording: NewRecording,
        tasks: Tasks,
        wall: Callable[[], float],
        folder: Path,
    ) -> None:
        self.mixer = mixer
        self.sounds = sounds
        self.music = music
        self.recording = recording
        self.tasks = tasks
        self.wall = wall
        self.folder = folder
