"""
How numbers, times and names are said: as the names of prompts that are played one after another.

Each language is a class in a file of its own, named in :data:`LANGUAGES`; it puts its own prompts together, in its own
order. A language that has none is said as English is, with its own prompts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from pbx.audio.english import English

if TYPE_CHECKING:
    import datetime as dt


class Phrases(Protocol):
    """
    How a language puts prompts together. Each answer is a list of names of prompts.

    Times are those of the clock on the wall where the listener is.
    """

    def number(self, number: int) -> list[str]:
        """
        A whole number, 0..999,999,999.

        Raises:
            ValueError: It is another.
        """

    def ordinal(self, number: int) -> list[str]:
        """
        The how manieth something is, from 1 on.
        """

    def count(self, number: int, one: str, many: str) -> list[str]:
        """
        How many there are of something, which is one prompt for one of it and another for none or many.
        """

    def digits(self, text: str) -> list[str]:
        """
        Digits and keys (``*``, ``#``, ``+``) one by one; all else is left out.
        """

    def telephone(self, number: str) -> list[str]:
        """
        A telephone number or the user part of an address, so that it can be written down.
        """

    def letters(self, text: str) -> list[str]:
        """
        A text spelled out; accents and what has no name are left out.
        """

    def date(self, day: dt.date, today: dt.date) -> list[str]:
        """
        A day as people call it who know which day it is today.
        """

    def time(self, time: dt.time) -> list[str]:
        """
        A time of day, to the minute.
        """

    def moment(self, moment: dt.datetime, now: dt.datetime) -> list[str]:
        """
        A day and a time.
        """

    def duration(self, seconds: float) -> list[str]:
        """
        How long something takes.
        """


LANGUAGES: Final[dict[str, type[Phrases]]] = {"en": English}
"""The languages that have a way of their own."""


def phrases(language: str) -> Phrases:
    """
    How a language such as ``en`` or ``en-gb`` is said.
    """
    code = language.lower().replace("_", "-")
    return LANGUAGES.get(code, LANGUAGES.get(code.partition("-")[0], English))()


def digits(text: str, language: str = "en") -> list[str]:
    """
    :meth:`Phrases.digits` of a language.
    """
    return phrases(language).digits(text)


def number(value: int, language: str = "en") -> list[str]:
    """
    :meth:`Phrases.number` of a language.
    """
    return phrases(language).number(value)


def count(value: int, one: str, many: str, language: str = "en") -> list[str]:
    """
    :meth:`Phrases.count` of a language.
    """
    return phrases(language).count(value, one, many)


def telephone(value: str, language: str = "en") -> list[str]:
    """
    :meth:`Phrases.telephone` of a language.
    """
    return phrases(language).telephone(value)


def moment(value: dt.datetime, now: dt.datetime, language: str = "en") -> list[str]:
    """
    :meth:`Phrases.moment` of a language.
    """
    return phrases(language).moment(value, now)


def duration(seconds: float, language: str = "en") -> list[str]:
    """
    :meth:`Phrases.duration` of a language.
    """
    return phrases(language).duration(seconds)
