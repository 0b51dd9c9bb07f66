"""
A caller for tests of features: it presses keys when it is told to, and remembers what it heard.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from pbx.calls.destination import Branch, IVisit, Rung
from pbx.calls.outbound import CallerIdentity
from pbx.directory.decision import Destination, Diversion
from pbx.media.terminal import Recording


class FakeTerminal:
    """
    What a caller hears and presses, without sound: a prompt lasts no time, unless a key is waiting.

    Attributes:
        keys: The keys the caller will press, in order; a space is a pause that lets a timeout pass.
        heard: The names of the prompts that were begun, in order.
        recorded: The paths it was recorded to.
        speech: What :meth:`record` writes.
        seconds: How long each recording is said to be.
        controls: The keys that moved within what was played.
    """

    def __init__(self, keys: str = "") -> None:
        self.keys = list(keys)
        self.language = "en"
        self.heard: list[str] = []
        self.recorded: list[Path] = []
        self.speech = b"speech"
        self.seconds = 5.0
        self.ended_by = "key"
        self.never = False
        self.controls = ""

    async def play(self, sounds: Iterable[Any], *, stop: str = "") -> str:
        """
        Hear prompts; the key that stopped them, or nothing.
        """
        for sound in sounds:
            self.heard.append(str(sound))
            if self.keys and self.keys[0] in stop:
                return self.keys.pop(0)
        return ""

    async def play_controlled(
        self, sound: Any, *, stop: str, back: str, forward: str, pause: str, step: float = 5.0
    ) -> str:
        """
        Hear a sound, moving about in it.
        """
        self.heard.append(str(sound))
        while self.keys and self.keys[0] in back + forward + pause:
            self.controls += self.keys.pop(0)
        return self.keys.pop(0) if self.keys and self.keys[0] in stop else ""

    async def digit(self, timeout: float) -> str:
        """
        The next key.
        """
        if not self.keys and self.never:
            await Deferred()
        if not self.keys or self.keys[0] == " ":
            del self.keys[:1]
            return ""
        return self.keys.pop(0)

    async def digits(self, most: int, *, timeout: float = 5.0, between: float = 3.0, end: str = "#") -> str:
        """
        Several keys.
        """
        pressed = ""
        while len(pressed) < most:
            key = await self.digit(timeout)
            if key in ("", end):
                break
            pressed += key
        return pressed

    async def record(self, path: Path, *, longest: float, silence: float | None = None, stop: str = "#",
                     **options: Any) -> Recording:
        """
        Be recorded.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.speech)  # noqa: ASYNC240 - a test
        self.recorded.append(path)
        key = self.keys.pop(0) if self.keys and self.keys[0] in stop else ""
        return Recording(self.seconds, self.ended_by, key)


@implementer(IVisit)
class Visitor:
    """
    A visit that remembers.

    Attributes:
        notes: What was noted.
        rung: What was rung, in order.
        outcome: What comes of ringing, one by one; the last again and again.
        refused: What it was refused with.
        answered: Whether it was answered.
    """

    def __init__(self, keys: str = "", *, caller: str = "1001", name: str = "Ann", number: str = "1002",
                 destination: Destination | None = None, diversions: tuple[Diversion, ...] = ()) -> None:
        self.call_id = "c" * 32
        self.caller = CallerIdentity(caller, name)
        self.number = number
        self.destination = destination or Destination("voicemail", number)
        self.diversions = diversions
        self.language = "en"
        self.terminal: Any = FakeTerminal(keys)
        self.answered = False
        self.notes: list[str] = []
        self.rung: list[tuple[list[Branch], float]] = []
        self.outcome: list[Rung] = [Rung(False)]
        self.refused: tuple[int, int, str] | None = None

    async def answer(self) -> Any:
        """
        Answer.
        """
        self.answered = True
        return self.terminal

    def early(self) -> Any:
        """
        Be heard early.
        """
        return self.terminal

    def note(self, reason: str) -> None:
        """
        Remember a step.
        """
        self.notes.append(reason)

    async def ring(self, branches: Sequence[Branch], timeout: float) -> Rung:
        """
        Ring; what comes of it was said before.
        """
        self.rung.append((list(branches), timeout))
        return self.outcome.pop(0) if len(self.outcome) > 1 else self.outcome[0]

    def refuse(self, status: int, cause: int, text: str) -> None:
        """
        Remember why.
        """
        self.refused = (status, cause, text)


def run(coroutine: Coroutine[Any, Any, Any], clock: Clock | None = None,
        until: Callable[[], bool] = lambda: True) -> Any:
    """
    Run a coroutine that ends at once, or as the clock goes on; its result.
    """
    results: list[Any] = []
    failures: list[Any] = []
    deferred = Deferred.fromCoroutine(coroutine)
    deferred.addCallbacks(results.append, failures.append)
    for _ in range(100_000):
        if results or failures or clock is None:
            break
        clock.advance(0.02)
    if failures:
        failures[0].raiseException()
    assert results, "it did not end"
    return results[0]
