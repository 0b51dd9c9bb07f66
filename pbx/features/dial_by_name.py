"""
Dial by name: a caller spells a name on the keys of the phone and chooses from those who have it.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from zope.interface import implementer

from pbx.audio.phrases import phrases
from pbx.calls.destination import IDestination
from pbx.directory.decision import Destination
from pbx.features.asking import KEYS, ask

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pbx.calls.destination import IVisit
    from pbx.directory.directory import Directory
    from pbx.directory.extension import Extension
    from pbx.media.terminal import Terminal

LETTERS = {"2": "abc", "3": "def", "4": "ghi", "5": "jkl", "6": "mno", "7": "pqrs", "8": "tuv", "9": "wxyz"}
"""ITU-T E.161: the letters on the keys."""

_KEY_OF = {letter: key for key, group in LETTERS.items() for letter in group} | {str(n): str(n) for n in range(10)}

MOST_MATCHES = 8
"""More people than this are not read out: the caller is asked for more letters."""

LONGEST = 20
"""Keys of a name at most."""

TRIES = 3
"""How often a caller may begin again after a name that nobody has."""

WAIT = 4.0
"""Seconds to choose behind a name that was read out; then comes the next."""


def keys_of(word: str) -> str:
    """
    The keys by which a word is spelled: ``Doe`` is 363; accents do not count, ``ß`` is ``ss``.
    """
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(_KEY_OF[letter] for letter in plain if letter in _KEY_OF)


@lru_cache(maxsize=20_000)
def _spelled(name: str) -> tuple[str, ...]:
    """
    The words of a name as they are spelled; kept, since thousands are compared while the caller waits.
    """
    return tuple(keys_of(word) for word in name.split())


def matches(directory: Directory, spelled: str) -> list[Extension]:
    """
    Those who have a name that begins so: by their last names first, then by their other names.
    """
    by_last: list[Extension] = []
    by_other: list[Extension] = []
    for extension in directory.all():
        words = _spelled(extension.name)
        if not extension.enabled or not words:
            continue
        if words[-1].startswith(spelled):
            by_last.append(extension)
        elif any(word.startswith(spelled) for word in words):
            by_other.append(extension)
    return by_last + by_other


@implementer(IDestination)
class DialByName:
    """
    Serves callers that look for a person.

    Args:
        directory: The people.
        spoken: Finds the recording of an extension's name, ``None`` where its person has made none: then the name is
            spelled out.
    """

    def __init__(self, directory: Directory, spoken: Callable[[str], Path | None] = lambda number: None) -> None:
        self._directory = directory
        self._spoken = spoken

    async def take(self, visit: IVisit) -> Destination | None:
        """
        Ask a caller for a name.
        """
        terminal = await visit.answer()
        before: tuple[str, ...] = ()
        for _ in range(TRIES):
            spelled = (await ask(terminal, [*before, "ivr-spell-name"], LONGEST)).strip("*")
            found = matches(self._directory, spelled) if spelled else []
            while len(found) > MOST_MATCHES:
                visit.note(f"dial by name: {len(found)} people for {spelled}")
                more = (await ask(terminal, ["ivr-too-many-matches", "ivr-spell-more"], LONGEST)).strip("*")
                if not more:
                    found = found[:MOST_MATCHES]
                    break
                spelled += more
                found = matches(self._directory, spelled)
            visit.note(f"dial by name: {len(found)} people for {spelled or 'nothing'}")
            if not found:
                before = ("ivr-no-match",) if spelled else ("ivr-no-input",)
                continue
            chosen = await self._chosen(terminal, found, visit.language)
            if chosen is not None:
                visit.note(f"dial by name: {chosen.number} was chosen")
                return Destination("extension", chosen.number)
            before = ()
        await terminal.play(["ivr-too-many-tries", "ivr-goodbye"])
        return None

    async def _chosen(self, terminal: Terminal, found: list[Extension], language: str) -> Extension | None:
        intro = ["ivr-one-match"] if len(found) == 1 else []
        for extension in found:
            said = [*intro, *self._said(extension, language), "ivr-press-1-select"]
            if len(found) > 1:
                said.append("ivr-press-9-next")
            key = await terminal.play([*said, "ivr-press-star-again"], stop=KEYS) or await terminal.digit(WAIT)
            if key == "1":
                return extension
            if key == "*":
                return None
            intro = []
        await terminal.play(["ivr-no-more-matches"])
        return None

    def _said(self, extension: Extension, language: str) -> list[str | Path]:
        said = phrases(language)
        recording = self._spoken(extension.number)
        name = said.letters(extension.name.split()[-1]) if recording is None else [recording]
        return [*name, "ivr-at-extension", *said.digits(extension.number)]
