"""
Text as XML holds it: escaped, and without the characters that no XML document may have (XML 1.0 2.2).
"""

from __future__ import annotations

import re

_forbidden = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_marks = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_mark = re.compile("[&<>\"\t\n\r]")

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
"""How each document begins."""


def escaped(text: str) -> str:
    """
    The text for an element or, between double quotes, for an attribute.
    """
    return _mark.sub(lambda found: _marks[found[0]], _forbidden.sub("", text))


def attributes(**values: str | None) -> str:
    """
    Attributes, each with a space before it; those without a value are left out.

    Args:
        values: By name, with ``_`` for ``-``.
    """
    return "".join([
        f' {name.replace("_", "-")}="{escaped(value)}"' for name, value in values.items() if value is not None
    ])
