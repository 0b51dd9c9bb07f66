"""
The prompts: those that came with the program, and the operator's own, which stand before them.

The operator's lie in ``<data>/prompts/<language>/<name>.flac``; whoever likes may put files there by hand. What a
prompt says, when it was typed, is written in its file.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import attrs

from pbx.audio.wording import LANGUAGE, NAME, read
from pbx.features.recordings import Recording, convert, look, sound_files

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pbx.features.speech import Speech

T = TypeVar("T")

LARGEST: Final = 20_000_000
"""Bytes of a file that is sent: ten minutes of the usual WAV are less."""

LONGEST: Final = 600.0
"""Seconds of a prompt."""

MOST: Final = 2000
"""The operator's own prompts in one language: the folder is read as a whole."""


class InThread(Protocol):
    """
    What calls a function in a thread.
    """

    def __call__(self, work: Callable[..., T], *args: Any) -> Awaitable[T]:
        """
        The result of the function, when it is there.
        """


class NotKeptError(Exception):
    """
    A file was not kept, because there are as many as there may be or because it was deleted meanwhile.
    """


@attrs.frozen
class Prompt:
    """
    A prompt that can be played.

    Attributes:
        language: In which language.
        name: What it is called.
        text: What it says; of a recording that replaces one which came with the program, what that says.
        own: Whether it is the operator's, not one that came with the program.
        shipped: Whether one came with the program, to which it goes back when the operator's is deleted.
        recording: Its file.
    """

    language: str
    name: str
    text: str
    own: bool
    shipped: bool
    recording: Recording


class Prompts:
    """
    All prompts.
    """

    def __init__(self, in_thread: InThread, data: Path, shipped: Path, speech: Speech) -> None:
        """
        Know where prompts lie.

        Args:
            in_thread: What calls slow functions.
            data: The data directory.
            shipped: Where those lie that came with the program: ``pbx/sounds``.
            speech: What speaks texts.
        """
        self._in_thread = in_thread
        self._own = data / "prompts"
        self._shipped = shipped
        self._speech = speech

    @property
    def folders(self) -> tuple[Path, Path]:
        """
        Where prompts are looked for, the first first.
        """
        return self._own, self._shipped

    def can_speak(self, language: str) -> bool:
        """
        Whether texts of a language can be made into prompts.
        """
        return self._speech.can_speak(language)

    async def languages(self) -> list[str]:
        """
        The languages of which there is a prompt.
        """
        return await self._in_thread(self._languages)

    async def all(self, language: str) -> list[Prompt]:
        """
        The prompts of a language, by name.
        """
        return await self._in_thread(self._list, language)

    async def find(self, language: str, name: str) -> Prompt | None:
        """
        One of them.
        """
        if not is_language(language):
            return None
        return await self._in_thread(self._find, language, name)

    async def content(self, prompt: Prompt) -> bytes:
        """
        Its file.
        """
        return await self._in_thread(prompt.recording.path.read_bytes)

    async def record(self, language: str, name: str, content: bytes) -> Prompt:
        """
        Keep a recording as the operator's prompt, in place of one that there may be.

        Raises:
            UnusableSoundError: It is no sound, or too long.
            NotKeptError: There are too many already.
            OSError: It cannot be written.
        """
        return await self._in_thread(self._keep, language, name, content, "")

    async def speak(self, language: str, name: str, text: str) -> Prompt:
        """
        Have a text spoken as the operator's prompt, in place of one that there may be.

        Raises:
            NoVoiceError, SpeechFailedError: It cannot be spoken.
            UnusableSoundError, NotKeptError, OSError: As for a recording.
        """
        folder = Path(await self._in_thread(tempfile.mkdtemp, None, "pbx-speech-"))
        spoken = folder / "spoken.flac"
        try:
            await self._speech.speak(language, text, spoken)
            content = await self._in_thread(spoken.read_bytes)
        finally:
            await self._in_thread(shutil.rmtree, folder, True)
        return await self._in_thread(self._keep, language, name, content, text)

    async def delete(self, language: str, name: str) -> bool:
        """
        Delete the operator's prompt; ``False`` when there was none.
        """
        if not is_language(language):
            return False
        return await self._in_thread(self._delete, language, name)

    def _languages(self) -> list[str]:
        found = {path.stem for path in self._shipped.glob("*.txt")}
        for folder in self.folders:
            found |= {path.parent.name for path in folder.glob("*/*.flac") if is_language(path.parent.name)}
        return sorted(found)

    def _list(self, language: str) -> list[Prompt]:
        if not is_language(language):
            return []
        wording = self._wording(language)
        shipped = {path.stem: path for path in sound_files(self._shipped / language)}
        own = {path.stem: path for path in sound_files(self._own / language) if NAME.fullmatch(path.stem)}
        return [
            prompt
            for name in sorted({*shipped, *own})
            if (prompt := self._prompt(language, name, own.get(name), shipped.get(name), wording)) is not None
        ]

    def _find(self, language: str, name: str) -> Prompt | None:
        if NAME.fullmatch(name) is None:
            return None
        own, shipped = (_file(folder / language, name) for folder in self.folders)
        return self._prompt(language, name, own, shipped, self._wording(language))

    def _prompt(
        self, language: str, name: str, own: Path | None, shipped: Path | None, wording: dict[str, str]
    ) -> Prompt | None:
        path = own or shipped
        recording = look(path) if path is not None else None
        if recording is None:
            return None
        text = (recording.comment if own is not None else "") or wording.get(name, "")
        return Prompt(language, name, text, own is not None, shipped is not None, recording)

    def _wording(self, language: str) -> dict[str, str]:
        try:
            return read((self._shipped / f"{language}.txt").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}

    def _keep(self, language: str, name: str, content: bytes, text: str) -> Prompt:
        if not is_language(language) or NAME.fullmatch(name) is None:
            raise ValueError(f"no prompt is called {language}/{name}")
        folder = self._own / language
        before = sound_files(folder)
        if len(before) >= MOST and all(path.stem != name for path in before):
            raise NotKeptError(f"There are {MOST} prompts of {language} already.")
        convert(content, folder / f"{name}.flac", longest=LONGEST, comment=text)
        prompt = self._find(language, name)
        if prompt is None:
            raise NotKeptError(f"{language}/{name} was deleted meanwhile.")
        return prompt

    def _delete(self, language: str, name: str) -> bool:
        if NAME.fullmatch(name) is None:
            return False
        deleted = False
        while (path := _file(self._own / language, name)) is not None:
            path.unlink()
            deleted = True
        return deleted


def is_language(language: str) -> bool:
    """
    Whether a language may be called so.
    """
    return LANGUAGE.fullmatch(language) is not None


def _file(folder: Path, name: str) -> Path | None:
    return next((path for path in sound_files(folder) if path.stem == name), None)
