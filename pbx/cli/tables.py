"""
What people are shown: rows as a table, nested values as indented lines.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMES = {"since", "until", "started_at", "registered_at", "expires_at"}
"""Keys whose value is a time, in ISO 8601 or in seconds."""

TIMES_IN_TEXT = {
    "started", "answered", "ended", "received", "queued", "next", "finished", "joined", "changed",
    "began", "settled", "acknowledged",
}
"""Keys whose value is a time when it is text, and a count when it is a number."""


def table(rows: Sequence[dict[str, Any]], columns: Sequence[tuple[str, str]], empty: str) -> str:
    """
    Rows as aligned columns under a heading.

    Args:
        rows: What the API gave.
        columns: Each as (heading, key).
        empty: What to say when there are no rows.
    """
    if not rows:
        return empty
    cells = [[heading for heading, _ in columns]]
    cells += [[_cell(key, row.get(key)) for _, key in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)
    return "\n".join(line.rstrip() for line in lines)


def _cell(key: str, value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key in TIMES or (key in TIMES_IN_TEXT and isinstance(value, str)):
        return _local_time(value)
    if isinstance(value, float):
        return f"{value:.1f}"
    return printable(str(value))


def printable(text: str) -> str:
    """
    A text that cannot paint the terminal, such as what a phone calls itself.
    """
    return "".join(each if each.isprintable() else "?" for each in text)


def _local_time(value: object) -> str:
    """
    A time of the API, ISO 8601 or seconds, in local time.
    """
    try:
        if isinstance(value, int | float):
            when = dt.datetime.fromtimestamp(value, dt.UTC)
        else:
            when = dt.datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return str(value)
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def tree(value: object, indent: int = 0) -> str:
    """
    Nested values as indented lines.
    """
    lines = []
    pairs = value.items() if isinstance(value, dict) else [("value", value)]
    for key, each in pairs:
        name = str(key).replace("_", " ")
        if isinstance(each, dict):
            lines += [f"{' ' * indent}{name}:", tree(each, indent + 2)] if each else []
        elif isinstance(each, list):
            items = (" ".join(map(str, item)) if isinstance(item, list) else str(item) for item in each)
            lines.append(f"{' ' * indent}{name}: {_cell('', ', '.join(items))}")
        else:
            lines.append(f"{' ' * indent}{name}: {_cell(str(key), each)}")
    return "\n".join(lines)
