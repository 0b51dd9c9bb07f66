"""
How English says numbers, times and names: the way the United States do, as the voice is from there.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import datetime as dt

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS: Final = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)

LARGEST: Final = 999_999_999
"""The largest number there are words for."""

ORDINALS: Final = 31
"""Ordinals that have a prompt of their own: the days of a month."""

KEYS: Final = {"*": "star", "#": "pound", "+": "plus", **{digit: digit for digit in "0123456789"}}
"""What is called how in a number."""

MARKS: Final = {
    "-": "dash",
    ".": "dot",
    " ": "space",
    "@": "at",
    "_": "underscore",
    "/": "slash",
    "'": "apostrophe",
    "\N{RIGHT SINGLE QUOTATION MARK}": "apostrophe",
}
"""What is called how when a text is spelled."""

FEW_DAYS: Final = 6
"""Days back for which the weekday alone says which day is meant."""


class English:
    """
    English, as :class:`~pbx.audio.phrases.Phrases`.
    """

    def number(self, number: int) -> list[str]:
        """
        A whole number: ``two thousand three hundred five``.
        """
        if not 0 <= number <= LARGEST:
            raise ValueError(f"there are no words for {number}")
        if number == 0:
            return ["number-0"]
        millions, rest = divmod(number, 1_000_000)
        thousands, units = divmod(rest, 1000)
        said = [*_below_thousand(millions), "number-million"] if millions else []
        said += [*_below_thousand(thousands), "number-thousand"] if thousands else []
        return said + _below_thousand(units)

    def ordinal(self, number: int) -> list[str]:
        """
        ``twenty-first``; and ``number fifty`` past the ones that have a word.
        """
        if number < 1:
            raise ValueError(f"nothing is the {number}th")
        return [f"ordinal-{number}"] if number <= ORDINALS else ["word-number", *self.number(number)]

    def count(self, number: int, one: str, many: str) -> list[str]:
        """
        ``one message``, ``two messages``, ``no messages``.
        """
        if number == 0:
            return ["vm-no", many]
        return [*self.number(number), one if number == 1 else many]

    def digits(self, text: str) -> list[str]:
        """
        ``one zero zero star``.
        """
        return [f"digit-{KEYS[character]}" for character in text if character in KEYS]

    def telephone(self, number: str) -> list[str]:
        """
        ``plus four nine three zero``; letters are said as such, separators are not.
        """
        said: list[str] = []
        for character in _plain(number):
            if character in KEYS:
                said.append(f"digit-{KEYS[character]}")
            elif "a" <= character <= "z":
                said.append(f"letter-{character}")
        return said

    def letters(self, text: str) -> list[str]:
        """
        ``J O, space, D``.
        """
        said: list[str] = []
        for character in _plain(text):
            if "a" <= character <= "z":
                said.append(f"letter-{character}")
            elif character in MARKS:
                said.append(f"letter-{MARKS[character]}")
            elif character in KEYS:
                said.append(f"digit-{KEYS[character]}")
        return said

    def date(self, day: dt.date, today: dt.date) -> list[str]:
        """
        ``today``, ``yesterday``, ``Friday``, ``Monday November second``, ``March first twenty twenty-five``.
        """
        ago = (today - day).days
        weekday = f"day-{DAYS[day.weekday()]}"
        if ago in _NEAR:
            return [_NEAR[ago]]
        if 0 < ago <= FEW_DAYS:
            return [weekday]
        said = [f"month-{MONTHS[day.month - 1]}", f"ordinal-{day.day}"]
        return [weekday, *said] if day.year == today.year else [*said, *_year(day.year)]

    def time(self, time: dt.time) -> list[str]:
        """
        ``three oh five P.M.``, ``eight A.M.``, ``noon``.
        """
        if time.minute == 0 and time.hour % 12 == 0:
            return ["time-noon" if time.hour else "time-midnight"]
        said = [f"number-{time.hour % 12 or 12}"]
        if time.minute:
            said += [] if time.minute > 9 else ["time-oh"]
            said += _below_thousand(time.minute)
        return [*said, "time-am" if time.hour < 12 else "time-pm"]

    def moment(self, moment: dt.datetime, now: dt.datetime) -> list[str]:
        """
        ``yesterday at noon``.
        """
        return [*self.date(moment.date(), now.date()), "time-at", *self.time(moment.time())]

    def duration(self, seconds: float) -> list[str]:
        """
        ``one minute twelve seconds``; from an hour on without the seconds.
        """
        whole = max(0, round(seconds))
        minutes, rest = divmod(whole, 60)
        hours, minutes = divmod(minutes, 60)
        said = self.count(hours, "time-hour", "time-hours") if hours else []
        said += self.count(minutes, "time-minute", "time-minutes") if minutes else []
        if not hours and (rest or not minutes):
            said += [*self.number(rest), "time-second" if rest == 1 else "time-seconds"]
        return said


_NEAR: Final = {0: "time-today", 1: "time-yesterday", -1: "time-tomorrow"}


def _below_thousand(number: int) -> list[str]:
    """
    A number below a thousand; nothing for 0.
    """
    hundreds, rest = divmod(number, 100)
    said = [f"number-{hundreds}", "number-hundred"] if hundreds else []
    if rest > 20:
        tens, units = divmod(rest, 10)
        return [*said, f"number-{tens}0", *([f"number-{units}"] if units else [])]
    return [*said, f"number-{rest}"] if rest else said


def _year(year: int) -> list[str]:
    """
    ``two thousand six``, ``twenty twenty-six``, ``nineteen oh five``, ``nineteen hundred``.
    """
    century, rest = divmod(year, 100)
    if century % 10 == 0 and rest < 10:
        return English().number(year)
    if rest == 0:
        return [*_below_thousand(century), "number-hundred"]
    return [*_below_thousand(century), *(["time-oh"] if rest < 10 else []), *_below_thousand(rest)]


def _plain(text: str) -> str:
    """
    A text in small letters without accents.
    """
    return unicodedata.normalize("NFKD", text).casefold()
