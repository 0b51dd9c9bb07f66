"""
Who made an emergency call lately, by the numbers at which the emergency centre calls back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

KEPT: Final = 3 * 3600.0
"""Seconds for which a call back is recognised: a line that broke is called at once, helpers who do not find the house
call within the hour, and an operation is closed after some."""

KEPT_TEST: Final = 600.0
"""The same after a test call: a house whose main number is called back must not miss its callers for hours."""

MOST: Final = 1000
"""Numbers at most: then the oldest is forgotten."""


@frozen
class _Callback:
    extension: str
    until: float


class Callbacks:
    """
    The extensions that made emergency calls: a mapping by the number that is called back.

    Of two with one number the later has it: it is the one that help was promised to last.

    Args:
        wall: The time of day in seconds since 1970.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._by_number: dict[str, _Callback] = {}

    def add(self, extension: str, numbers: Iterable[str], *, since: float, test: bool) -> None:
        """
        Note a call.

        Args:
            extension: Who called.
            numbers: What is called back.
            since: When it called, by the wall clock.
            test: Whether it was a test.
        """
        callback = _Callback(extension, since + (KEPT_TEST if test else KEPT))
        for number in numbers:
            digits = _digits(number)
            if digits:
                self._by_number.pop(digits, None)
                self._by_number[digits] = callback
        now = self._wall()
        for number in [number for number, found in self._by_number.items() if found.until <= now]:
            del self._by_number[number]
        while len(self._by_number) > MOST:
            del self._by_number[next(iter(self._by_number))]

    def restore(self, detail: Mapping[str, str], since: float) -> None:
        """
        Take up a call of before a restart.

        Args:
            detail: What was told of it.
            since: When it was made.
        """
        numbers = detail.get("numbers", "").split()
        if numbers and "extension" in detail:
            self.add(detail["extension"], numbers, since=since, test=detail.get("test") == "yes")

    def get(self, number: str, default: str, /) -> str:
        """
        The extension that a number calls back.
        """
        if not self._by_number:
            return default
        found = self._by_number.get(_digits(number))
        return default if found is None or found.until <= self._wall() else found.extension


def _digits(number: str) -> str:
    return "".join(character for character in number if character.isdigit())
