"""
What a password must be, before anything is derived from it.
"""

from __future__ import annotations

import functools
import re
from importlib import resources

SHORTEST = 12
LONGEST = 128
"""Characters; hashing a longer one would only cost time."""

_LEET = str.maketrans("013457@$!|+", "oleastasiit")
"""How people write letters as digits and signs."""

_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1qaz2wsx3edc4rfv5tgb")
"""Where a finger goes along."""


@functools.cache
def common_passwords() -> frozenset[str]:
    """
    Passwords and stems of passwords that are tried first, in small letters.
    """
    text = resources.files("pbx.web").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line and not line.startswith("#"))


def password_fault(password: str, *, number: str = "", name: str = "") -> str | None:
    """
    Why a password will not do, or ``None`` when it will.

    Args:
        password: As it was typed.
        number: The extension's number, or a login name, which it may not contain.
        name: The person's name, of which it may not contain a part of four letters or more.
    """
    if len(password) < SHORTEST:
        return f"has {len(password)} characters; needed are at least {SHORTEST}"
    if len(password) > LONGEST:
        return f"has {len(password)} characters; allowed are {LONGEST} at most"
    if not password.isprintable():
        return "has characters that cannot be typed on a phone; allowed are letters, digits, signs and spaces"
    small = password.casefold()
    if len(set(small)) < 5:
        return "has only a few different characters"
    if number and number.casefold() in small:
        return f"contains {number}"
    for part in re.findall(r"\w{4,}", name.casefold()):
        if part in small:
            return "contains a part of the name"
    if _is_common(small):
        return "is one of the common passwords that are tried first"
    return None


def _is_common(small: str) -> bool:
    """
    Whether a password in small letters is common: as it is, in its plain letters, without what was put around a
    common word, as the repetition of something short, or as keys side by side.
    """
    common = common_passwords()
    core = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", small)
    for text in (small, small.translate(_LEET), core, core.translate(_LEET)):
        if text in common:
            return True
    for length in range(1, len(small) // 2 + 1):
        if (small[:length] * len(small)).startswith(small) and length <= 6:
            return True
    return len(_without_rows(small)) <= 3


def _without_rows(small: str) -> str:
    """
    What is left of a text when runs of four or more neighbouring keys, either way, are taken out.
    """
    rows = [*_ROWS, *(row[::-1] for row in _ROWS)]
    position, left = 0, []
    while position < len(small):
        length = 4
        if not any(small[position : position + length] in row for row in rows) or len(small) - position < length:
            left.append(small[position])
            position += 1
            continue
        while position + length < len(small) and any(small[position : position + length + 1] in row for row in rows):
            length += 1
        position += length
    return "".join(left)
