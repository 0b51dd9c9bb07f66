"""
Text made into prompts: a process of its own speaks, one text at a time.

So the exchange neither waits for the voice nor has it in its memory, and a voice that hangs or crashes harms nobody.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred, DeferredLock, TimeoutError
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger

import pbx
from pbx.features.recordings import UnusableSoundError
from pbx.features.speaker import NOTHING_TO_SAY, NoVoiceError, can_speak, find_voice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.python.failure import Failure

LONGEST_TEXT: Final = 1000
"""Characters of a text: more than a minute of speech, which nobody on the phone listens to."""

PATIENCE: Final = 120.0
"""Seconds that a voice gets for it; a slow machine needs some ten."""

NICENESS: Final = "10"
"""Calls go before."""

REMEMBERED: Final = 4096
"""Bytes kept of what a voice complains of."""


class SpeechFailedError(Exception):
    """
    The voice did not speak; the text says what it complained of.
    """


class Speech:
    """
    What speaks texts.
    """

    log = Logger()

    def __init__(self, reactor: Any, folders: Sequence[Path] = (), python: str = sys.executable) -> None:
        """
        A voice for each text.

        Args:
            reactor: Processes and time.
            folders: Where voices of the operator's own lie, as ``<language>*.onnx`` with ``.onnx.json``.
            python: The interpreter that speaks.
        """
        self._reactor = reactor
        self._folders = folders
        self._python = python
        self._turn = DeferredLock()

    def can_speak(self, language: str) -> bool:
        """
        Whether texts of a language can be spoken.
        """
        return can_speak() and find_voice(language, self._folders) is not None

    async def speak(self, language: str, text: str, target: Path) -> None:
        """
        Speak a text into a FLAC file.

        Raises:
            NoVoiceError: Nothing here speaks that language; the text says what to install.
            UnusableSoundError: There is nothing in the text that could be said.
            SpeechFailedError: The voice failed.
        """
        if not can_speak():
            raise NoVoiceError("Text cannot be spoken here yet: pip install 'pbx[tts]', then restart the exchange.")
        voice = find_voice(language, self._folders)
        if voice is None:
            places = " or ".join(str(folder) for folder in self._folders)
            raise NoVoiceError(
                f"There is no voice for {language!r}: pip install 'pbx[tts]' brings one for English; others are put "
                f"into {places} as {language}-NAME.onnx and {language}-NAME.onnx.json."
            )
        await self._turn.acquire()
        try:
            await self._run(voice.model, target, text)
        finally:
            self._turn.release()

    async def _run(self, model: Path, target: Path, text: str) -> None:
        speaking = _Speaking(text)
        command = [self._python, "-m", "pbx.features.speaker", str(model), str(target)]
        nice = shutil.which("nice")
        if nice is not None:
            command = [nice, "-n", NICENESS, *command]
        paths = [str(Path(pbx.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "PYTHONIOENCODING": "utf-8",
        }
        self._reactor.spawnProcess(speaking, command[0], command, env=environment)
        try:
            code = await speaking.ended.addTimeout(PATIENCE, self._reactor)
        except TimeoutError as error:
            raise SpeechFailedError(f"The voice did not finish within {PATIENCE:.0f} s.") from error
        finally:
            speaking.kill()
            await speaking.gone
        if code == NOTHING_TO_SAY:
            raise UnusableSoundError("There is nothing in the text that could be said.")
        if code:
            complaint = speaking.complaint()
            self.log.error("the voice {model} failed: {complaint}", model=str(model), complaint=complaint)
            raise SpeechFailedError(f"The voice failed: {complaint.rpartition(chr(10))[2] or f'exit code {code}'}")


class _Speaking(ProcessProtocol):
    """
    A process that speaks.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._complaint = b""
        self.ended: Deferred[int] = Deferred()
        self.gone: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """
        It runs: tell it what to say.
        """
        process: Any = self.transport
        process.write(self._text.encode("utf-8"))
        process.closeStdin()

    def errReceived(self, data: bytes) -> None:
        """
        It complains.
        """
        self._complaint = (self._complaint + data)[-REMEMBERED:]

    def processEnded(self, reason: Failure) -> None:
        """
        It has ended, by itself or not.
        """
        ending: Any = reason.value
        if not self.ended.called:
            self.ended.callback(-1 if ending.exitCode is None else ending.exitCode)
        self.gone.callback(None)

    def complaint(self) -> str:
        """
        What it said last on its error output.
        """
        return self._complaint.decode("utf-8", "replace").strip()

    def kill(self) -> None:
        """
        End it if it still runs.
        """
        process: Any = self.transport
        with contextlib.suppress(ProcessExitedAlready):
            process.signalProcess("KILL")
