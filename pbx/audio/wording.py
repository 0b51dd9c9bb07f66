"""
The wording of a language: what is said in it, as a text file of ``name: text`` lines.

Empty lines and lines that begin with ``#`` are for people. The text goes to a voice as it stands.
"""

from __future__ import annotations

import re
from typing import Final

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
"""What a prompt may be called: it is the name of a file, and part of a path of the API."""

LANGUAGE: Final = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})?")
"""What a language may be called: ``en``, ``de``, ``pt-br`` (RFC 5646, in lower case)."""


class WordingError(ValueError):
    """
    A line that is no prompt; the text says which and why.
    """


def read(text: str) -> dict[str, str]:
    """
    The prompts of a language, in the order of the file: name to words.

    Raises:
        WordingError: A line is no ``name: text``, a name cannot be, or comes twice.
    """
    prompts: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, words = (part.strip() for part in line.partition(":"))
        if not colon or not words:
            raise WordingError(f"line {number} is no 'name: text': {line}")
        if NAME.fullmatch(name) is None:
            raise WordingError(f"line {number}: {name} is no name; it takes small letters, digits and hyphens")
        if name in prompts:
            raise WordingError(f"line {number}: {name} has been said before")
        prompts[name] = words
    return prompts
