"""
Patterns of numbers, as routes have them: digits, ``X`` (0-9), ``Z`` (1-9), ``N`` (2-9), ``[2-57]`` (a choice), and at
the end ``.`` (one or more of anything) or ``!`` (anything or nothing).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

KEYS = "0123456789"
CLASSES = {"X": frozenset(KEYS), "Z": frozenset(KEYS[1:]), "N": frozenset(KEYS[2:])}

_is_pattern = re.compile(r"\+?(?:[0-9*#XZNxzn]|\[[0-9*#-]+\])*[.!]?").fullmatch
_is_simple = re.compile(r"\+?[0-9*#]+[.!]?").fullmatch
_parts = re.compile(r"\[[^]]*\]|.").findall


@frozen
class Pattern:
    """
    A pattern, taken apart.

    Attributes:
        beginning: The digits with which every number begins that it matches.
        rest: What may stand at each place behind them.
        tail: ``.``, ``!`` or nothing.
    """

    beginning: str
    rest: tuple[frozenset[str], ...] = ()
    tail: str = ""

    def matches(self, number: str) -> bool:
        """
        Tell whether a number is one of those it stands for.
        """
        if not number.startswith(self.beginning):
            return False
        given, wanted = len(number), len(self.beginning) + len(self.rest)
        if given < wanted or (given > wanted and not self.tail) or (given == wanted and self.tail == "."):
            return False
        return all(number[place] in choice for place, choice in enumerate(self.rest, len(self.beginning)))


FEWEST_FIXED = 7
"""Digits in front by which a pattern with an open end names numbers of one house (``+4930123.``)."""

NOTHING = Pattern("", (frozenset(),))
"""The pattern that no number matches."""


def read(text: str) -> Pattern:
    """
    Take a pattern apart.

    Raises:
        ValueError: It is none.
    """
    if _is_simple(text):
        return Pattern(text.rstrip(".!"), (), text[-1] if text[-1] in ".!" else "")
    if _is_pattern(text) is None:
        raise ValueError(f"{text!r} is no pattern")
    tail = text[-1] if text[-1:] in (".", "!") else ""
    parts = _parts(text.removesuffix(tail) if tail else text)
    fixed = 0
    while fixed < len(parts) and parts[fixed] in "+*#0123456789":
        fixed += 1
    return Pattern("".join(parts[:fixed]), tuple(_choice(part) for part in parts[fixed:]), tail)


@lru_cache(maxsize=4096)
def compiled(text: str) -> Pattern:
    """
    The same, remembered; what is no pattern matches nothing, since no call may fail for somebody's slip of the pen.
    """
    try:
        return read(text)
    except ValueError:
        return NOTHING


def any_matches(patterns: Iterable[str], *numbers: str) -> bool:
    """
    Tell whether one of these patterns matches one of these numbers.
    """
    return any(compiled(pattern).matches(number) for pattern in patterns for number in numbers)


def names_numbers(text: str) -> bool:
    """
    Tell whether a pattern names certain numbers, as ``+4930123456XX`` does: those of ``+1NXXNXXXXXX`` are anybody's.
    """
    pattern = compiled(text)
    fixed = len(pattern.beginning.removeprefix("+"))
    return fixed >= (FEWEST_FIXED if pattern.tail else max(1, len(pattern.rest)))


def _choice(part: str) -> frozenset[str]:
    if not part.startswith("["):
        return CLASSES.get(part.upper()) or frozenset(part)
    inside, chosen, place = part[1:-1], set[str](), 0
    while place < len(inside):
        first = inside[place]
        if inside[place + 1:place + 2] == "-" and inside[place + 2:place + 3].isdigit() and first.isdigit():
            chosen.update(KEYS[int(first):int(inside[place + 2]) + 1])
            place += 3
        else:
            chosen.add(first)
            place += 1
    return frozenset(chosen)


class Index(Generic[T]):
    """
    Many patterns, each with what it leads to, so that a number is compared with the few that begin as it does: ten
    thousand cost no more than a hundred.

    Args:
        entries: The patterns in the order of asking, each with what it leads to.
    """

    def __init__(self, entries: Iterable[tuple[str, T]]) -> None:
        self._exact: dict[str, list[tuple[int, T]]] = {}
        self._by_beginning: dict[str, list[tuple[int, Pattern, T]]] = {}
        for place, (text, item) in enumerate(entries):
            if text.removeprefix("+").isdigit() and text.isascii():
                # Most are: a DID has a route of its own.
                self._exact.setdefault(text, []).append((place, item))
            else:
                pattern = compiled(text)
                self._by_beginning.setdefault(pattern.beginning, []).append((place, pattern, item))
        self._lengths = sorted({len(beginning) for beginning in self._by_beginning})

    def matching(self, *numbers: str) -> list[T]:
        """
        What the patterns lead to that match one of these numbers, in the order of asking.
        """
        found: dict[int, T] = {}
        for number in numbers:
            found.update(self._exact.get(number, ()))
            for length in self._lengths:
                if length > len(number):
                    break
                bucket = self._by_beginning.get(number[:length], ())
                found.update((place, item) for place, pattern, item in bucket if pattern.matches(number))
        return [found[place] for place in sorted(found)]
